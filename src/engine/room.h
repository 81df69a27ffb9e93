/*
 * room: one block of memory for many things whose sizes are not known before. The same code runs
 * twice: with base NULL it only counts, with a block of that size it fills. Things with an
 * alignment go first, then text.
 */
#ifndef COPPICE_ENGINE_ROOM_H
#define COPPICE_ENGINE_ROOM_H

#include <stddef.h>
#include <string.h>

struct room {
	char *base;
	size_t used;
};

/* The next `size` bytes; NULL while counting. */
static inline void *
room_take(struct room *room, size_t size)
{
	void *at = room->base == NULL ? NULL : room->base + room->used;

	room->used += size;
	return at;
}

/* Room for a vector as long as `texts`, which ends in NULL; NULL while counting. */
static inline const char **
room_vector(struct room *room, const char *const *texts)
{
	size_t count = 0;

	while (texts[count] != NULL)
		count++;
	return room_take(room, (count + 1) * sizeof(*texts));
}

/* A copy of the text; NULL while counting and for NULL. */
static inline const char *
room_text(struct room *room, const char *text)
{
	size_t size;
	char *copy;

	if (text == NULL)
		return NULL;
	size = strlen(text) + 1;
	copy = room_take(room, size);
	return copy == NULL ? NULL : memcpy(copy, text, size);
}

#endif
