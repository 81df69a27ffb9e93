# Seed 1025935. The set waits for room, child 4 has finished with it, for it is temporary; an operator starts it alone, and it
# ends well: it waits for a connection again. None started it while the set waited, which would not have either. (Invariant 18)
place 0 supervisor strategy=one_for_all on_limit=backoff intensity=0
place 3 in=0 child
place 4 in=0 child restart=temporary ready=exit on_demand=1
life 4 incarnation=1 lives=never
at 3 restart 4
at 6 die 3
at 9 reset 4
at 12 demand 4
