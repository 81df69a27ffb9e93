# Seed 85. A child whose pre_start has taken some of start_timeout asks for no time at all before the core has heard that it
# is there: start_timeout began anew. (Invariant 2)
place 0 supervisor
place 11 in=0 child ready=exit pre_start=1
at 2 extend 11
