# Seed 126. Child 4 ran for stable_after and ended, its supervisor is restarted, and it finds no start slot in time: that is
# a failure like any other. It was taken for the end of the stable run, again and again, without any delay. (Invariant 9)
place 0 supervisor start_order=parallel max_starting=1 start_queue_timeout=1
place 1 in=0 child
place 2 in=0 child
place 4 in=0 child
at 10003 die 4
at 10003 die 1
at 10004 restart 0
