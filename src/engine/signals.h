/*
 * signals: what the signals mean that coppiced got and passed on.
 */
#ifndef COPPICE_ENGINE_SIGNALS_H
#define COPPICE_ENGINE_SIGNALS_H

struct engine;

void signals_handle(struct engine *engine, int number);

#endif
