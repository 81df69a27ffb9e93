#include "engine/api.h"

#include "engine/engine.h"
#include "lib/log.h"
#include "lib/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What looking for the likeliest meant path may cost: letters compared, that is some milliseconds
 * at most.
 */
#define FIND_MAX_LETTERS 1000000U

/* The path of a place that is like the one asked for, or NULL. */
static const char *
find_near(const struct engine *engine, const char *path)
{
	uint32_t nodes = core_count(engine->core);
	size_t len = strlen(path), count = 0, letters = 0;
	const char **paths = calloc(nodes, sizeof *paths);
	const struct place *place;

	if (paths == NULL || len >= NODES_PATH_SIZE) {
		free(paths);
		return NULL;
	}
	for (uint32_t node = 1; node < nodes && letters < FIND_MAX_LETTERS;
	     node = place->first + place->count) {
		place = nodes_place(engine->nodes, node);
		letters += len * strlen(place->path);
		paths[count++] = place->path;
	}
	const char *near = str_nearest(path, paths, count);
	free(paths);
	return near;
}

/* The place of which the path names an instance that is not there ("shop/web@9"), or NULL. */
static const struct place *
find_template(const struct engine *engine, const char *path)
{
	char name[NODES_PATH_SIZE];
	const char *at = strrchr(path, '@');

	if (at == NULL || (size_t)(at - path) >= sizeof name)
		return NULL;
	snprintf(name, sizeof name, "%.*s", (int)(at - path), path);
	const struct place *place = nodes_find_place(engine->nodes, name);
	return place != NULL && place->is_template ? place : NULL;
}

static bool
find_refuse(struct rpc_call *call)
{
	const struct engine *engine = call->session->engine;
	const char *path = call->args.path;
	const struct place *template = find_template(engine, path);
	const char *near = template == NULL ? find_near(engine, path) : NULL;
	char hint[NODES_PATH_SIZE + 64] = "`status` lists the paths that there are";

	if (template != NULL)
		snprintf(hint, sizeof hint, "%s has %u instances, counted from 1", template->path,
		    (unsigned)template->count);
	else if (near != NULL)
		snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
	rpc_refuse(call, RPC_UNKNOWN_PATH, path, hint, "there is no node \"%.280s\"", path);
	return false;
}

bool
api_find(struct rpc_call *call)
{
	const struct nodes *nodes = call->session->engine->nodes;
	struct rpc_state *state = &call->state;
	uint32_t node = nodes_find(nodes, call->args.path);
	const struct place *place =
	    node == CORE_NONE ? nodes_find_place(nodes, call->args.path) : NULL;

	if (node != CORE_NONE) {
		state->first = node;
		state->count = 1;
	} else if (place != NULL) {
		state->first = place->first;
		state->count = place->count;
		state->many = true;
	} else {
		return find_refuse(call);
	}
	state->next = state->first;
	return true;
}

void
api_log(const struct rpc_call *call, const char *path, const char *what)
{
	const struct auth_peer *peer = &call->session->peer;

	log_line(path, "%s asked by uid %u (pid %d)", what, (unsigned)peer->uid, (int)peer->pid);
}
