# Seed 1008005. Child 12, on demand, was down when its set was given up; an operator starts it alone, and it ends well: it waits
# for a connection again. It was still taken for a member of that set, so no connection started it. (Invariant 18)
place 0 supervisor strategy=one_for_all on_limit=give_up intensity=0
place 1 in=0 child
place 12 in=0 child on_demand=1
at 3 start 12
at 8 stop 12 until_restart=1
at 9 die 1
at 12 start 12
at 15 die 12
at 20 demand 12
