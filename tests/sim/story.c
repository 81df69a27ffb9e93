#include "story.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE  1024
#define NEVER_TEXT "never"

struct spec_key {
	const char *name;
	size_t at, size;
	const char *const *words; /* NULL: a number */
};

static const char *const restarts[] = { "permanent", "transient", "temporary", NULL };
static const char *const backoffs[] = { "none", "fixed", "linear", "exponential", "fibonacci",
	NULL };
static const char *const readies[] = { "spawn", "exit", "told", NULL };
static const char *const kill_modes[] = { "tree", "group", "process", NULL };
static const char *const strategies[] = { "one_for_one", "one_for_all", "rest_for_one", "escalate",
	NULL };
static const char *const limits[] = { "escalate", "backoff", "give_up", "terminate", NULL };
static const char *const autos[] = { "never", "any", "all", NULL };
static const char *const orders[] = { "ordered", "parallel", NULL };
static const char *const failures[] = { "retry", "abort", NULL };

#define KEY(field, words)                                                                          \
	{                                                                                          \
#field, offsetof(struct core_spec, field), sizeof(((struct core_spec *)0)->field), \
		    words                                                                          \
	}
static const struct spec_key keys[] = {
	KEY(restart, restarts),
	KEY(significant, NULL),
	KEY(autostart, NULL),
	KEY(backoff, backoffs),
	KEY(backoff_delay, NULL),
	KEY(backoff_max, NULL),
	KEY(backoff_factor_milli, NULL),
	KEY(backoff_jitter_ppm, NULL),
	KEY(stable_after, NULL),
	KEY(ready, readies),
	KEY(start_timeout, NULL),
	KEY(stop_group, NULL),
	KEY(kill_mode, kill_modes),
	KEY(on_demand, NULL),
	KEY(pre_start, NULL),
	KEY(stop_command, NULL),
	KEY(post_stop, NULL),
	KEY(hook_timeout, NULL),
	KEY(strategy, strategies),
	KEY(on_limit, limits),
	KEY(intensity, NULL),
	KEY(period, NULL),
	KEY(auto_shutdown, autos),
	KEY(start_order, orders),
	KEY(stop_order, orders),
	KEY(max_starting, NULL),
	KEY(start_queue_timeout, NULL),
	KEY(on_start_failure, failures),
};
#define KEYS (sizeof keys / sizeof keys[0])
/* After those: the stop sequence and the sets of exits. */
enum {
	KEY_STOP = KEYS,
	KEY_SUCCESS,
	KEY_NO_RESTART,
	KEY_ESCALATE,
	ALL_KEYS
};

#define X(name, key, plain, meaning) plain,
const int64_t story_plain_life[LIFE_KEYS] = { STORY_LIFE(X) };
#undef X
#define X(name, key, plain, meaning) key,
static const char *const life_keys[] = { STORY_LIFE(X) };
static const char *const detail_keys[] = { STORY_DETAILS(X) };
#undef X
#define X(name, word, of_node, meaning) word,
static const char *const event_words[] = { STORY_EVENTS(X) };
#undef X
#define X(name, word, of_node, meaning) of_node,
static const bool event_of_node[] = { STORY_EVENTS(X) };
#undef X

/* --- in memory --- */

void
story_clear(struct story *story)
{
	story->core_seed = 0;
	story->place_count = story->life_count = story->event_count = 0;
	memset(story->first_life, 0xff, sizeof story->first_life);
}

void
story_free(struct story *story)
{
	free(story->lives);
	free(story->events);
	story->lives = NULL;
	story->events = NULL;
	story->life_room = story->event_room = 0;
}

static void *
grown(void *array, uint32_t *room, uint32_t count, size_t size)
{
	if (count < *room)
		return array;
	*room = count < 64 ? 64 : 2 * count;
	array = realloc(array, *room * size);
	if (array == NULL)
		abort();
	return array;
}

void
story_copy(struct story *to, const struct story *from)
{
	to->core_seed = from->core_seed;
	to->place_count = from->place_count;
	memcpy(to->places, from->places, from->place_count * sizeof *to->places);
	memcpy(to->first_life, from->first_life, sizeof to->first_life);
	to->lives = grown(to->lives, &to->life_room, from->life_count, sizeof *to->lives);
	to->events = grown(to->events, &to->event_room, from->event_count, sizeof *to->events);
	to->life_count = from->life_count;
	to->event_count = from->event_count;
	if (from->life_count)
		memcpy(to->lives, from->lives, from->life_count * sizeof *to->lives);
	if (from->event_count)
		memcpy(to->events, from->events, from->event_count * sizeof *to->events);
}

void
story_plain_spec(struct core_spec *spec, enum core_kind kind)
{
	spec_defaults(spec, kind);
	spec->backoff = BACKOFF_NONE;
	spec->backoff_jitter_ppm = 0;
}

const struct story_life *
story_find_life(const struct story *story, uint32_t node, uint32_t incarnation)
{
	for (uint32_t i = story->first_life[node]; i != UINT32_MAX; i = story->lives[i].next) {
		if (story->lives[i].incarnation == incarnation)
			return &story->lives[i];
	}
	return NULL;
}

struct story_life *
story_add_life(struct story *story, uint32_t node, uint32_t incarnation)
{
	struct story_life *life;

	story->lives = grown(story->lives, &story->life_room, story->life_count, sizeof *life);
	life = &story->lives[story->life_count];
	*life = (struct story_life){
		.node = node, .incarnation = incarnation, .next = story->first_life[node]
	};
	story->first_life[node] = story->life_count++;
	memcpy(life->value, story_plain_life, sizeof life->value);
	return life;
}

static bool
is_before(const struct story_event *one, const struct story_event *other)
{
	return one->at != other->at ? one->at < other->at
				    : one->value[DETAIL_RANK] < other->value[DETAIL_RANK];
}

void
story_add_event(struct story *story, uint32_t from, const struct story_event *event)
{
	uint32_t at = story->event_count;

	story->events = grown(story->events, &story->event_room, at, sizeof *event);
	for (; at > from && is_before(event, &story->events[at - 1]); at--)
		story->events[at] = story->events[at - 1];
	story->events[at] = *event;
	story->event_count++;
}

/* --- leaving out --- */

static void
index_lives(struct story *story)
{
	memset(story->first_life, 0xff, sizeof story->first_life);
	for (uint32_t i = 0; i < story->life_count; i++) {
		story->lives[i].next = story->first_life[story->lives[i].node];
		story->first_life[story->lives[i].node] = i;
	}
}

void
story_drop_lives(struct story *story, uint32_t at, uint32_t count)
{
	memmove(story->lives + at, story->lives + at + count,
	    (story->life_count - at - count) * sizeof *story->lives);
	story->life_count -= count;
	index_lives(story);
}

void
story_drop_events(struct story *story, uint32_t at, uint32_t count)
{
	memmove(story->events + at, story->events + at + count,
	    (story->event_count - at - count) * sizeof *story->events);
	story->event_count -= count;
}

void
story_drop_places(struct story *story, uint32_t at, uint32_t count)
{
	bool has[STORY_MAX_NODES] = { false };
	uint32_t kept = 0;

	for (uint32_t i = 0; i < story->place_count; i++) {
		const struct story_place *place = &story->places[i];
		bool root = place->parent == UINT32_MAX;

		if ((i >= at && i - at < count) || (!root && !has[place->parent]))
			continue;
		for (uint32_t k = 0; k < place->count; k++)
			has[place->first + k] = true;
		story->places[kept++] = *place;
	}
	story->place_count = kept;
	kept = 0;
	for (uint32_t i = 0; i < story->life_count; i++) {
		if (has[story->lives[i].node])
			story->lives[kept++] = story->lives[i];
	}
	story->life_count = kept;
	index_lives(story);
	kept = 0;
	for (uint32_t i = 0; i < story->event_count; i++) {
		if (!event_of_node[story->events[i].word] || has[story->events[i].node])
			story->events[kept++] = story->events[i];
	}
	story->event_count = kept;
}

/* --- keys of a specification --- */

static int64_t
get(const struct core_spec *spec, const struct spec_key *key)
{
	const char *at = (const char *)spec + key->at;
	int64_t wide;
	uint32_t number;
	bool flag;

	if (key->size == sizeof wide) {
		memcpy(&wide, at, sizeof wide);
		return wide;
	}
	if (key->size == sizeof number) {
		memcpy(&number, at, sizeof number);
		return number;
	}
	memcpy(&flag, at, sizeof flag);
	return flag;
}

static void
set(struct core_spec *spec, const struct spec_key *key, int64_t value)
{
	char *at = (char *)spec + key->at;
	uint32_t number = (uint32_t)value;
	bool flag = value != 0;

	if (key->size == sizeof value)
		memcpy(at, &value, sizeof value);
	else if (key->size == sizeof number)
		memcpy(at, &number, sizeof number);
	else
		memcpy(at, &flag, sizeof flag);
}

uint32_t
story_spec_keys(void)
{
	return ALL_KEYS;
}

uint32_t
story_spec_numbers(void)
{
	return KEYS;
}

const char *
story_spec_name(uint32_t key)
{
	return keys[key].name;
}

uint32_t
story_spec_words(uint32_t key)
{
	uint32_t count = 0;

	while (keys[key].words != NULL && keys[key].words[count] != NULL)
		count++;
	return count;
}

int64_t
story_spec_get(const struct core_spec *spec, uint32_t key)
{
	return get(spec, &keys[key]);
}

void
story_spec_set(struct core_spec *spec, uint32_t key, int64_t value)
{
	set(spec, &keys[key], value);
}

static struct core_exit_set *
exits_of(struct core_spec *spec, uint32_t key)
{
	return key == KEY_SUCCESS   ? &spec->success_exit
	    : key == KEY_NO_RESTART ? &spec->no_restart_exit
				    : &spec->escalate_exit;
}

static bool
is_plain(const struct core_spec *spec, const struct core_spec *plain, uint32_t key)
{
	struct core_spec one = *spec, other = *plain;

	if (key < KEYS)
		return get(spec, &keys[key]) == get(plain, &keys[key]);
	if (key != KEY_STOP)
		return memcmp(exits_of(&one, key), exits_of(&other, key),
			   sizeof(struct core_exit_set)) == 0;
	if (spec->stop_steps != plain->stop_steps)
		return false;
	for (uint32_t i = 0; i < spec->stop_steps; i++) {
		if (spec->stop[i].signal != plain->stop[i].signal ||
		    spec->stop[i].wait != plain->stop[i].wait)
			return false;
	}
	return true;
}

bool
story_make_plain(struct core_spec *spec, uint32_t key)
{
	struct core_spec plain;

	story_plain_spec(&plain, spec->kind);
	if (is_plain(spec, &plain, key))
		return false;
	if (key < KEYS) {
		set(spec, &keys[key], get(&plain, &keys[key]));
	} else if (key == KEY_STOP) {
		memcpy(spec->stop, plain.stop, sizeof spec->stop);
		spec->stop_steps = plain.stop_steps;
	} else {
		*exits_of(spec, key) = *exits_of(&plain, key);
	}
	return true;
}

/* --- writing --- */

static void
write_number(FILE *file, const char *key, int64_t value)
{
	if (value == INT64_MAX)
		fprintf(file, " %s=%s", key, NEVER_TEXT);
	else
		fprintf(file, " %s=%lld", key, (long long)value);
}

static void
write_exits(FILE *file, const char *key, const struct core_exit_set *set)
{
	const char *comma = "";

	fprintf(file, " %s=", key);
	for (uint32_t code = 0; code < 256; code++) {
		if (spec_exit_has_code(set, code)) {
			fprintf(file, "%s%u", comma, code);
			comma = ",";
		}
	}
	for (int signal = 1; signal <= 64; signal++) {
		if (spec_exit_has_signal(set, signal)) {
			fprintf(file, "%s-%d", comma, signal);
			comma = ",";
		}
	}
}

static void
write_stop(FILE *file, const struct core_spec *spec)
{
	fprintf(file, " stop=");
	for (uint32_t i = 0; i < spec->stop_steps; i++) {
		fprintf(file, "%s%d", i ? "," : "", spec->stop[i].signal);
		if (spec->stop[i].wait != SPAN_INFINITE)
			fprintf(file, ":%lld", (long long)spec->stop[i].wait);
	}
}

void
story_write_place(const struct story_place *place, FILE *file)
{
	struct core_spec spec = place->spec, plain;

	story_plain_spec(&plain, spec.kind);
	fprintf(file, "place %u", place->first);
	if (place->parent != UINT32_MAX)
		fprintf(file, " in=%u", place->parent);
	if (place->count != 1)
		fprintf(file, " count=%u", place->count);
	fprintf(file, spec.kind == KIND_SUPERVISOR ? " supervisor" : " child");
	for (uint32_t i = 0; i < KEYS; i++) {
		if (is_plain(&spec, &plain, i))
			continue;
		if (keys[i].words)
			fprintf(file, " %s=%s", keys[i].name, keys[i].words[get(&spec, &keys[i])]);
		else
			write_number(file, keys[i].name, get(&spec, &keys[i]));
	}
	if (!is_plain(&spec, &plain, KEY_STOP))
		write_stop(file, &spec);
	for (uint32_t i = 0; i < place->after_count; i++)
		fprintf(file, "%s%u", i ? "," : " after=", place->after[i]);
	if (!is_plain(&spec, &plain, KEY_SUCCESS))
		write_exits(file, "success_exit", &spec.success_exit);
	if (!is_plain(&spec, &plain, KEY_NO_RESTART))
		write_exits(file, "no_restart_exit", &spec.no_restart_exit);
	if (!is_plain(&spec, &plain, KEY_ESCALATE))
		write_exits(file, "escalate_exit", &spec.escalate_exit);
	fputc('\n', file);
}

void
story_write(const struct story *story, FILE *file)
{
	fprintf(file, "seed %llu\n", (unsigned long long)story->core_seed);
	for (uint32_t i = 0; i < story->place_count; i++)
		story_write_place(&story->places[i], file);
	for (uint32_t i = 0; i < story->life_count; i++) {
		const struct story_life *life = &story->lives[i];

		fprintf(file, "life %u incarnation=%u", life->node, life->incarnation);
		for (int k = 0; k < LIFE_KEYS; k++) {
			if (life->value[k] != story_plain_life[k])
				write_number(file, life_keys[k], life->value[k]);
		}
		fputc('\n', file);
	}
	for (uint32_t i = 0; i < story->event_count; i++) {
		const struct story_event *event = &story->events[i];

		fprintf(file, "at %lld %s", (long long)event->at, event_words[event->word]);
		if (event_of_node[event->word])
			fprintf(file, " %u", event->node);
		for (int k = 0; k < DETAIL_KEYS; k++) {
			if (event->value[k] != 0)
				write_number(file, detail_keys[k], event->value[k]);
		}
		fputc('\n', file);
	}
}

/* --- reading --- */

static int
find_word(const char *const *words, int count, const char *word)
{
	for (int i = 0; i != count && words[i] != NULL; i++) {
		if (strcmp(words[i], word) == 0)
			return i;
	}
	return -1;
}

static int64_t
read_number(const char *text)
{
	return strcmp(text, NEVER_TEXT) == 0 ? INT64_MAX : strtoll(text, NULL, 10);
}

static void
read_exits(struct core_exit_set *set, char *text)
{
	char *rest = NULL;

	memset(set, 0, sizeof *set);
	for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
		if (one[0] == '-')
			spec_exit_add_signal(set, atoi(one + 1));
		else
			spec_exit_add_code(set, (uint32_t)atoi(one));
	}
}

static void
read_stop(struct core_spec *spec, char *text)
{
	char *rest = NULL;

	spec->stop_steps = 0;
	for (char *one = strtok_r(text, ",", &rest); one && spec->stop_steps < SPEC_MAX_STOP_STEPS;
	     one = strtok_r(NULL, ",", &rest)) {
		char *colon = strchr(one, ':');
		struct core_stop_step *step = &spec->stop[spec->stop_steps++];

		step->signal = atoi(one);
		step->wait = colon ? read_number(colon + 1) : SPAN_INFINITE;
	}
}

static const char *
read_after(struct story_place *place, char *text)
{
	char *rest = NULL;

	for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
		uint32_t number = (uint32_t)strtoul(one, NULL, 10);

		if (place->after_count == STORY_MAX_AFTER || number >= STORY_MAX_NODES)
			return "after names too many, or no node";
		place->after[place->after_count++] = number;
	}
	return NULL;
}

/* KEY=VALUE, split; NULL where there is no `=`. */
static char *
split(char *word)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	return value;
}

static const char *
read_spec_key(struct core_spec *spec, const char *key, char *value)
{
	if (strcmp(key, "stop") == 0) {
		read_stop(spec, value);
		return NULL;
	}
	if (strcmp(key, "success_exit") == 0 || strcmp(key, "no_restart_exit") == 0 ||
	    strcmp(key, "escalate_exit") == 0) {
		read_exits(exits_of(spec,
			       key[0] == 's'       ? KEY_SUCCESS
				   : key[0] == 'n' ? KEY_NO_RESTART
						   : KEY_ESCALATE),
		    value);
		return NULL;
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		int64_t number;

		if (strcmp(keys[i].name, key) != 0)
			continue;
		number = keys[i].words ? find_word(keys[i].words, -1, value) : read_number(value);
		if (number < 0)
			return "no such value of this key";
		set(spec, &keys[i], number);
		return NULL;
	}
	return "no such key of a place";
}

static const char *
read_place(struct story *story, char *rest)
{
	struct story_place *place = &story->places[story->place_count];
	char *word = strtok_r(NULL, " ", &rest);
	const char *wrong = NULL;

	if (!word || story->place_count == STORY_MAX_NODES)
		return "a place without a number, or too many";
	*place = (struct story_place){
		.first = (uint32_t)strtoul(word, NULL, 10), .count = 1, .parent = UINT32_MAX
	};
	while (!wrong && (word = strtok_r(NULL, " ", &rest)) != NULL) {
		char *value = split(word);

		if (!value)
			story_plain_spec(&place->spec,
			    strcmp(word, "supervisor") == 0 ? KIND_SUPERVISOR : KIND_CHILD);
		else if (strcmp(word, "in") == 0)
			place->parent = (uint32_t)read_number(value);
		else if (strcmp(word, "count") == 0)
			place->count = (uint32_t)read_number(value);
		else if (strcmp(word, "after") == 0)
			wrong = read_after(place, value);
		else
			wrong = read_spec_key(&place->spec, word, value);
	}
	if (place->count > STORY_MAX_NODES || place->first > STORY_MAX_NODES - place->count)
		return "a number of a node is too large";
	story->place_count++;
	return wrong;
}

static const char *
read_life(struct story *story, char *rest)
{
	char *node = strtok_r(NULL, " ", &rest), *word = strtok_r(NULL, " ", &rest), *value;
	struct story_life *life;

	if (!node || !word || (value = split(word)) == NULL ||
	    strtoul(node, NULL, 10) >= STORY_MAX_NODES)
		return "a life needs a node and an incarnation";
	life = story_add_life(
	    story, (uint32_t)strtoul(node, NULL, 10), (uint32_t)strtoul(value, NULL, 10));
	while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
		int key;

		value = split(word);
		key = find_word(life_keys, LIFE_KEYS, word);
		if (!value || key < 0)
			return "no such key of a life";
		life->value[key] = read_number(value);
	}
	return NULL;
}

static const char *
read_event(struct story *story, char *rest)
{
	char *at = strtok_r(NULL, " ", &rest), *word = strtok_r(NULL, " ", &rest);
	int which = word ? find_word(event_words, SAY_WORDS, word) : -1;
	struct story_event event = { 0 };

	if (!at || which < 0)
		return "an event needs a time and one of the words";
	event.at = strtoll(at, NULL, 10);
	event.word = (enum story_word)which;
	if (event_of_node[which]) {
		char *node = strtok_r(NULL, " ", &rest);

		event.node = node ? (uint32_t)strtoul(node, NULL, 10) : STORY_MAX_NODES;
		if (event.node >= STORY_MAX_NODES)
			return "this event needs a node";
	}
	while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
		char *value = split(word);
		int key = find_word(detail_keys, DETAIL_KEYS, word);

		if (!value || key < 0)
			return "no such key of an event";
		event.value[key] = read_number(value);
	}
	story_add_event(story, story->event_count, &event);
	return NULL;
}

const char *
story_read(struct story *story, FILE *file, unsigned *line)
{
	char text[LINE_SIZE];
	const char *wrong = NULL;

	story_clear(story);
	for (*line = 1; !wrong && fgets(text, sizeof text, file); ++*line) {
		char *rest = NULL, *word;

		text[strcspn(text, "#\n")] = '\0';
		word = strtok_r(text, " ", &rest);
		if (!word)
			continue;
		if (strcmp(word, "seed") == 0)
			story->core_seed = strtoull(rest, NULL, 10);
		else if (strcmp(word, "place") == 0)
			wrong = read_place(story, rest);
		else if (strcmp(word, "life") == 0)
			wrong = read_life(story, rest);
		else if (strcmp(word, "at") == 0)
			wrong = read_event(story, rest);
		else
			wrong = "a line is seed, place, life or at";
	}
	return wrong;
}
