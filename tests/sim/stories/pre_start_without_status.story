# Seed 2026677. The pre_start of a temporary child that is significant takes too long, so its start has failed, and the daemon
# leaves because of that: with the status of the run before, which had been well. (Invariant 17)
place 0 supervisor strategy=one_for_all auto_shutdown=any
place 8 in=0 child
place 9 in=0 child restart=temporary significant=1 start_timeout=100 pre_start=1
life 9 incarnation=2 pre_start=never
at 10 die 8
at 20 start 9
