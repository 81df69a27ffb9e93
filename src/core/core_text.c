#include "core/types.h"

#define X(name, text, meaning) [name] = text, /* NOLINT(bugprone-macro-parentheses) */
static const char *const state_texts[] = {
#include "core/states.def"
};
static const char *const reason_texts[] = {
#include "core/reasons.def"
};
static const char *const event_texts[] = {
#include "core/events.def"
};
static const char *const action_texts[] = {
#include "core/actions.def"
};
static const char *const record_texts[] = {
#include "core/records.def"
};
static const char *const hook_texts[] = {
#include "core/hooks.def"
};
#undef X

const char *
core_state_text(enum core_state state)
{
	return state < STATE_COUNT ? state_texts[state] : "?";
}

const char *
core_reason_text(enum core_reason reason)
{
	return reason < REASON_COUNT ? reason_texts[reason] : "?";
}

const char *
core_event_text(enum core_event_type type)
{
	return type < EVENT_COUNT ? event_texts[type] : "?";
}

const char *
core_action_text(enum core_action_type type)
{
	return type < ACTION_COUNT ? action_texts[type] : "?";
}

const char *
core_record_text(enum core_record_type type)
{
	return type < RECORD_COUNT ? record_texts[type] : "?";
}

const char *
core_hook_text(enum core_hook hook)
{
	return hook < HOOK_COUNT ? hook_texts[hook] : "?";
}
