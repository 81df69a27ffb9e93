# seed 909272, invariant 17: Automatic shutdown is brought about by whom it should, and the daemon leaves with the right status.
seed 0
place 0 supervisor
place 4 in=0 supervisor strategy=rest_for_one auto_shutdown=all start_order=parallel
place 7 in=4 child restart=transient significant=1 ready=exit
place 8 in=4 child
place 9 in=4 child restart=temporary significant=1 ready=exit
place 10 in=4 child
life 8 incarnation=1 swapped=1 lives=1
