/*
 * why_words: the phrases that the sentences of why (why_text.c) are made of. Each writes to `out`,
 * which it returns.
 */
#ifndef COPPICE_ENGINE_WHY_WORDS_H
#define COPPICE_ENGINE_WHY_WORDS_H

#include "engine/why.h"

#define WHY_NAME_SIZE   (NODES_PATH_SIZE + 16U)
#define WHY_PHRASE_SIZE (2U * NODES_PATH_SIZE + 256U)

/* How long the node has been in its state. */
const char *why_since(const struct why *why, char out[SPAN_TEXT_SIZE]);
/* A node's path; the root is "the root". */
const char *why_name(const struct why *why, uint32_t node, char out[WHY_NAME_SIZE]);
/* The part of a sentence that gives the reason of the node's state. */
const char *why_because(const struct why *why, char out[WHY_PHRASE_SIZE]);

#endif
