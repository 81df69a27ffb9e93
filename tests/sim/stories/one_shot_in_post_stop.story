# Seed 27243. Instance 2 has ended well, and its post_stop runs, so it has not finished; instance 3 is tried again and
# finishes first. Child 4, which comes after both, did not wait for 2. (Invariant 3)
place 0 supervisor strategy=rest_for_one
place 2 in=0 count=2 child ready=exit post_stop=1
place 4 in=0 child
life 2 incarnation=1 post_stop=100
life 3 incarnation=1 status=1
