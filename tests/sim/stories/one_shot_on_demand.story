# Seed 6397. A one-shot that is started on demand waits for the next connection when it has ended well. It had never been
# running, nor finished, so its supervisor waited for ever until it would be ready once. (Invariant 5)
place 0 supervisor
place 1 in=0 child
place 3 in=0 child ready=exit on_demand=1
at 0 start 3
at 1 calm
