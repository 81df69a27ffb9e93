# Seed 9086. The start of child 1 fails during a hold and ends the start of its set, to be tried anew; then an operator stops
# it: child 2 had its turn never again, and the supervisor stayed `starting`. (Invariant 5)
place 0 supervisor strategy=one_for_all
place 1 in=0 child
place 2 in=0 child
life 1 incarnation=1 fails=2
at 1 hold
at 1 stop 1 rank=3
at 1 hold rank=3
at 1 calm rank=3
