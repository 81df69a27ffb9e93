# Seed 332. The set has waited for room in the window, and its first member's next start fails: from then on it waits for
# that one's delay. Child 2, which had not had its turn, still said that it waited for room, and a reset of it started all
# of them before the delay was over. (Invariant 16)
place 0 supervisor strategy=one_for_all on_limit=backoff intensity=2 period=2000
place 1 in=0 child backoff=fixed backoff_delay=500 backoff_max=3000
place 2 in=0 child
life 1 incarnation=1 lives=2
life 1 incarnation=2 lives=2
life 1 incarnation=3 lives=2
life 1 incarnation=4 fails=1
at 4100 reset 2
