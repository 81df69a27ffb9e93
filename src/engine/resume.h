/*
 * resume: a new engine takes a running tree into its hands. Nothing on disk is read: the specs and
 * the state come from the memory files that the reaper has kept.
 */
#ifndef COPPICE_ENGINE_RESUME_H
#define COPPICE_ENGINE_RESUME_H

struct engine;

/*
 * With the core loaded and all parts there, nothing handled yet: knows the living again, repeats
 * what may not have been done, and answers the starts that had been made.
 */
void resume_tree(struct engine *engine);

#endif
