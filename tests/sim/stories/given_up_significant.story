# Seed 26144. Child 10 fails while 12, which is significant, is at work; 12 ends for good, and then the limit gives their set
# up. That 12 had ended was forgotten with it: their supervisor went on, with nobody left. (Invariant 17)
place 0 supervisor
place 2 in=0 supervisor strategy=one_for_all on_limit=give_up intensity=0 auto_shutdown=any
place 10 in=2 child
place 12 in=2 child restart=transient significant=1 ready=exit
life 10 incarnation=1 lives=1
