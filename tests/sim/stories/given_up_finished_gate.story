# Seed 91861. The set of child 2 is given up, child 1 with it, which had finished and stays so; then an operator starts 1
# again, and what it comes after. It was still taken for a member of that set, which would start as a whole. (Invariant 18)
place 0 supervisor strategy=one_for_all on_limit=give_up intensity=0
place 1 in=0 child ready=exit after=3
place 2 in=0 child
place 3 in=0 child
at 9 die 2
at 29 stop 3
at 29 restart 1
at 29 start 3
