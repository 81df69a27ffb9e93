# Seed 9253. The process ends while its stop_command runs, and before that has ended the time for the shutdown is over:
# post_stop was begun all the same, with a hook_timeout of its own. (Invariant 19)
place 0 supervisor
place 8 in=0 child stop_command=1 post_stop=1
life 8 incarnation=1 hook_tell=2
at 2 shutdown ms=1
at 2 die 8
