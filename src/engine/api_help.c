#include "engine/api.h"

#include "core/types.h"

/* --- the tables of schemas --- */

#define SCHEMA(name, ...)
#define PARAM(param, ...) [param] = #__VA_ARGS__,
static const char *const help_params[PARAM_COUNT] = {
#include "engine/schemas.def"
};
#undef SCHEMA
#undef PARAM

#define PARAM(param, ...)
#define SCHEMA(name, ...) { #name, #__VA_ARGS__ },
static const struct {
	const char *name, *text;
} help_schemas[] = {
#include "engine/schemas.def"
};
#undef SCHEMA
#undef PARAM
#define HELP_SCHEMAS (sizeof help_schemas / sizeof *help_schemas)

/* Words or numbers of our own tables: what each may be, and what it means. */
struct help_choice {
	const char *value; /* as JSON */
	const char *meaning;
};

#define X(name, text, meaning) { "\"" text "\"", meaning },
static const struct help_choice help_states[] = {
#include "core/states.def"
	{ NULL, NULL },
};
/* The first of them is that there is none. */
static const struct help_choice help_reasons[] = {
#include "core/reasons.def"
	{ NULL, NULL },
};
#undef X
#define X(name, text, severity, record, members) { "\"" text "\"", #severity ": " members },
static const struct help_choice help_event_types[] = {
#include "engine/event_types.def"
	{ NULL, NULL },
};
#undef X
#define X(name, number, meaning) { #number, meaning },
static const struct help_choice help_errors[] = {
	RPC_ERRORS(X){ NULL, NULL },
};
#undef X

static void
help_put_choices(const char *name, const struct help_choice *choice, struct buf *out)
{
	buf_printf(out, "\"%s\":{\"oneOf\":[", name);
	for (const char *comma = ""; choice->value != NULL; choice++, comma = ",") {
		buf_printf(out, "%s{\"const\":%s,\"description\":", comma, choice->value);
		buf_json_string(out, choice->meaning);
		buf_puts(out, "}");
	}
	buf_puts(out, "]},");
}

static void
help_put_schemas(struct buf *out)
{
	buf_puts(out, "\"$defs\":{");
	help_put_choices("state", help_states, out);
	help_put_choices("reason", help_reasons + 1, out);
	help_put_choices("error_code", help_errors, out);
	help_put_choices("event_type", help_event_types, out);
	for (size_t i = 0; i < HELP_SCHEMAS; i++)
		buf_printf(out, "%s\"%s\":%s", i > 0 ? "," : "", help_schemas[i].name,
		    help_schemas[i].text);
	buf_puts(out, "}");
}

/* --- methods --- */

static void
help_put_params(const struct rpc_method *method, struct buf *out)
{
	const char *comma = "";

	buf_puts(out, "{\"type\":\"object\",\"properties\":{");
	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		if ((method->takes & PARAM_BIT(i)) == 0)
			continue;
		buf_printf(
		    out, "%s\"%s\":%s", comma, rpc_param_name((enum rpc_param)i), help_params[i]);
		comma = ",";
	}
	buf_puts(out, "},\"required\":[");
	comma = "";
	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		if ((method->needs & PARAM_BIT(i)) == 0)
			continue;
		buf_printf(out, "%s\"%s\"", comma, rpc_param_name((enum rpc_param)i));
		comma = ",";
	}
	buf_puts(out, "],\"additionalProperties\":false}");
}

static void
help_put_method(const struct rpc_method *method, struct buf *out)
{
	buf_puts(out, "{\"name\":");
	buf_json_string(out, method->name);
	buf_printf(out, ",\"changes\":%s,\"doc\":", method->changes ? "true" : "false");
	buf_json_string(out, method->doc);
	buf_puts(out, ",\"params\":");
	help_put_params(method, out);
	buf_printf(out, ",\"result\":{\"$ref\":\"#/$defs/%s\"}}", method->result);
}

enum rpc_progress
api_help(struct rpc_call *call, int *work)
{
	struct buf *out = rpc_result(call);
	size_t count;
	const struct rpc_method *methods = rpc_methods(&count);
	const char *comma = "";

	*work -= (int)(count + HELP_SCHEMAS);
	if (out == NULL)
		return rpc_finish(call);
	buf_puts(
	    out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"methods\":[");
	for (size_t i = 0; i < count; i++) {
		if (methods[i].step == NULL)
			continue;
		buf_puts(out, comma);
		comma = ",";
		help_put_method(&methods[i], out);
	}
	buf_puts(out, "],");
	help_put_schemas(out);
	buf_puts(out, "}");
	return rpc_finish(call);
}
