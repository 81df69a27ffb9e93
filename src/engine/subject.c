#include "engine/subject.h"

#include "engine/engine.h"
#include "engine/nodes.h"
#include "engine/spawn.h"
#include "lib/str.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* NULL: none. */
static const char *
text_of(const struct spawn_request *request, int32_t step)
{
	switch (step) {
	case STEP_EXEC: return request->argv[0];
	case STEP_DIRECTORY: return request->directory;
	case STEP_STDIN: return request->input_path;
	case STEP_LOG: return request->output_path;
	case STEP_STDERR: return request->error_path;
	case STEP_ENV_FILE: return request->contract.env_file;
	case STEP_SOCKETS: /* which of several, the log knows */
		return request->listen != NULL && request->listen[0] != NULL &&
			request->listen[1] == NULL
		    ? request->listen[0]
		    : NULL;
	default: return NULL;
	}
}

/* What comes from a checkpoint may name anything. */
static int
request_of(
    const struct engine *engine, uint32_t node, enum core_hook hook, struct spawn_request *request)
{
	struct program *program =
	    node < core_count(engine->core) ? nodes_place(engine->nodes, node)->program : NULL;

	if (program == NULL)
		return -ENOENT;
	if (hook != HOOK_NONE)
		return program_hook(program, hook, nodes_instance(engine->nodes, node), request);
	return program_request(program, nodes_instance(engine->nodes, node), request);
}

const char *
subject_of(const struct engine *engine, uint32_t node, enum core_hook hook, int32_t step,
    char out[SUBJECT_SIZE])
{
	struct spawn_request request = { 0 };
	const char *text =
	    request_of(engine, node, hook, &request) == 0 ? text_of(&request, step) : NULL;
	size_t used = 0;

	while (text != NULL && *text != '\0') {
		size_t letter = str_utf8_sequence(text, strlen(text));
		bool is_fit = letter > 0 && (unsigned char)*text >= ' ' && *text != 0x7f;

		if (used + (is_fit ? letter : 1) >= SUBJECT_SIZE)
			break;
		if (is_fit)
			memcpy(out + used, text, letter);
		else
			out[used] = '?';
		used += is_fit ? letter : 1;
		text += letter > 0 ? letter : 1;
	}
	out[used] = '\0';
	return out;
}

const char *
subject_failure(const struct engine *engine, uint32_t node, enum core_hook hook, int32_t step,
    int64_t error, char out[SPAWN_FAILURE_SIZE])
{
	char subject[SUBJECT_SIZE];

	subject_of(engine, node, hook, step, subject);
	return spawn_failure_text(step, subject, error, out);
}
