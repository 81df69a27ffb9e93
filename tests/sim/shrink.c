/*
 * A story that breaks something is made smaller as long as it still breaks the same invariant in
 * the same words: parts are left out, half of them first, then one by one; what is left is made
 * plain, or smaller. (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input,
 * 2002.)
 */
#include "sim.h"

#include "lib/must.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct shrink {
	struct sim *sim;
	struct story *best, *trial;
	int invariant;
	const char *what;
	mono_ms until;
	bool better; /* in this round */
};

static void
begin_trial(struct shrink *shrink)
{
	story_copy(shrink->trial, shrink->best);
}

/* What was never reached goes at once. */
static bool
is_taken(struct shrink *shrink)
{
	struct sim *sim = shrink->sim;
	struct story *best = shrink->best;

	if (span_mono_now() > shrink->until)
		return false;
	if (grow_has_circle(shrink->trial))
		return false;
	sim->story = shrink->trial;
	if (play_story(sim) || sim->verdict.invariant != shrink->invariant ||
	    sim->verdict.what != shrink->what)
		return false;
	story_drop_events(
	    shrink->trial, sim->next_event, shrink->trial->event_count - sim->next_event);
	shrink->best = shrink->trial;
	shrink->trial = best;
	shrink->better = true;
	return true;
}

/* --- leaving out --- */

typedef void drop_parts(struct story *story, uint32_t at, uint32_t count);

static uint32_t
places_of(const struct story *story)
{
	return story->place_count;
}

static uint32_t
lives_of(const struct story *story)
{
	return story->life_count;
}

static uint32_t
events_of(const struct story *story)
{
	return story->event_count;
}

static void
drop(struct shrink *shrink, uint32_t count_of(const struct story *), drop_parts *parts,
    uint32_t least)
{
	for (uint32_t size = count_of(shrink->best); size > 0; size /= 2) {
		for (uint32_t end = count_of(shrink->best); end > least;) {
			uint32_t at = end > size + least ? end - size : least;

			begin_trial(shrink);
			parts(shrink->trial, at, end - at);
			if (is_taken(shrink) && count_of(shrink->best) < at)
				at = count_of(shrink->best);
			end = at;
		}
	}
}

/* A life that is skipped: those after it come earlier. */
static void
skip_lives(struct shrink *shrink)
{
	for (uint32_t i = shrink->best->life_count; i-- > 0;) {
		struct story_life life;

		if (i >= shrink->best->life_count)
			continue;
		begin_trial(shrink);
		life = shrink->trial->lives[i];
		for (uint32_t k = 0; k < shrink->trial->life_count; k++) {
			struct story_life *other = &shrink->trial->lives[k];

			if (other->node == life.node && other->incarnation > life.incarnation)
				other->incarnation--;
		}
		story_drop_lives(shrink->trial, i, 1);
		is_taken(shrink);
	}
}

/* A child of its grandparent: so a supervisor without a part in it can go. */
static void
raise_places(struct shrink *shrink)
{
	for (uint32_t i = 1; i < shrink->best->place_count; i++) {
		uint32_t above = shrink->best->places[i].parent;

		for (uint32_t k = 1; k < shrink->best->place_count; k++) {
			if (shrink->best->places[k].first != above)
				continue;
			begin_trial(shrink);
			shrink->trial->places[i].parent = shrink->best->places[k].parent;
			is_taken(shrink);
			break;
		}
	}
}

/* --- making plain --- */

/*
 * The nth number to be tried instead, none but smaller ones: round ones, then half of it, a quarter
 * less, an eighth … and one less. False: no more.
 */
static bool
smaller(int64_t value, unsigned *nth, int64_t *out)
{
	static const int64_t round[] = { 0, 1, 10, 100, 1000, 10000 };
	const unsigned rounds = sizeof round / sizeof round[0];

	for (; *nth < rounds; ++*nth) {
		if (round[*nth] < value) {
			*out = round[(*nth)++];
			return true;
		}
	}
	if (value <= 1 || *nth - rounds > 61 || value >> (*nth - rounds + 1) == 0)
		return false;
	*out = value - (value >> (*nth - rounds + 1));
	++*nth;
	return true;
}

static void
shrink_place(struct shrink *shrink, uint32_t at)
{
	bool changed = false;
	int64_t number;

	for (unsigned nth = 0; smaller(shrink->best->places[at].count, &nth, &number);) {
		begin_trial(shrink);
		shrink->trial->places[at].count = (uint32_t)number;
		if (number > 0 && is_taken(shrink))
			nth = 0;
	}
	while (shrink->best->places[at].after_count > 0) {
		begin_trial(shrink);
		shrink->trial->places[at].after_count--;
		if (!is_taken(shrink))
			break;
	}
	begin_trial(shrink);
	for (uint32_t key = 0; key < story_spec_keys(); key++)
		changed |= story_make_plain(&shrink->trial->places[at].spec, key);
	if (changed && is_taken(shrink))
		return;
	for (uint32_t key = 0; key < story_spec_keys(); key++) {
		begin_trial(shrink);
		if (!story_make_plain(&shrink->trial->places[at].spec, key) || is_taken(shrink) ||
		    key >= story_spec_numbers())
			continue;
		for (unsigned nth = 0;
		     smaller(story_spec_get(&shrink->best->places[at].spec, key), &nth, &number);) {
			begin_trial(shrink);
			story_spec_set(&shrink->trial->places[at].spec, key, number);
			if (is_taken(shrink))
				nth = 0;
		}
	}
}

/* The same of an earlier incarnation. */
static void
live_sooner(struct shrink *shrink, uint32_t at)
{
	int64_t number;

	for (unsigned nth = 0; smaller(shrink->best->lives[at].incarnation, &nth, &number);) {
		struct story_life *life;

		begin_trial(shrink);
		life = &shrink->trial->lives[at];
		if (number < 1 || story_find_life(shrink->trial, life->node, (uint32_t)number))
			continue;
		life->incarnation = (uint32_t)number;
		if (is_taken(shrink))
			nth = 0;
	}
}

static void
shrink_life(struct shrink *shrink, uint32_t at)
{
	live_sooner(shrink, at);
	for (int key = 0; key < LIFE_KEYS; key++) {
		int64_t number;

		if (shrink->best->lives[at].value[key] == story_plain_life[key])
			continue;
		begin_trial(shrink);
		shrink->trial->lives[at].value[key] = story_plain_life[key];
		if (is_taken(shrink))
			continue;
		for (unsigned nth = 0;
		     smaller(shrink->best->lives[at].value[key], &nth, &number);) {
			begin_trial(shrink);
			shrink->trial->lives[at].value[key] = number;
			if (is_taken(shrink))
				nth = 0;
		}
	}
}

/* All that comes from here on comes earlier. */
static void
come_earlier(struct shrink *shrink, uint32_t at)
{
	mono_ms before = at > 0 ? shrink->best->events[at - 1].at : 0;
	int64_t number;

	for (unsigned nth = 0; smaller(shrink->best->events[at].at - before, &nth, &number);) {
		mono_ms by;

		begin_trial(shrink);
		by = shrink->trial->events[at].at - before - number;
		for (uint32_t i = at; i < shrink->trial->event_count; i++)
			shrink->trial->events[i].at -= by;
		if (is_taken(shrink))
			return;
	}
}

static void
shrink_event(struct shrink *shrink, uint32_t at)
{
	come_earlier(shrink, at);
	for (int key = 0; at < shrink->best->event_count && key < DETAIL_KEYS; key++) {
		int64_t number;

		for (unsigned nth = 0;
		     smaller(shrink->best->events[at].value[key], &nth, &number);) {
			begin_trial(shrink);
			shrink->trial->events[at].value[key] = number;
			if (is_taken(shrink) && at >= shrink->best->event_count)
				return;
		}
	}
}

static void
shrink_round(struct shrink *shrink)
{
	drop(shrink, places_of, story_drop_places, 1);
	drop(shrink, events_of, story_drop_events, 0);
	drop(shrink, lives_of, story_drop_lives, 0);
	raise_places(shrink);
	skip_lives(shrink);
	for (uint32_t i = 0; i < shrink->best->place_count; i++)
		shrink_place(shrink, i);
	for (uint32_t i = 0; i < shrink->best->life_count; i++)
		shrink_life(shrink, i);
	for (uint32_t i = 0; i < shrink->best->event_count; i++)
		shrink_event(shrink, i);
	if (shrink->best->core_seed != 0) {
		begin_trial(shrink);
		shrink->trial->core_seed = 0;
		is_taken(shrink);
	}
}

void
shrink_story(struct sim *sim, double seconds)
{
	struct story *trial = calloc(1, sizeof *trial), *best = calloc(1, sizeof *best);
	struct story *given = sim->story;
	struct shrink shrink = { .sim = sim,
		.best = best,
		.trial = trial,
		.invariant = sim->verdict.invariant,
		.what = sim->verdict.what,
		.until = span_mono_now() + (mono_ms)(seconds * 1000) };
	uint64_t digest = sim->digest;
	bool told = sim->told;
	int errors = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	must(trial != NULL && best != NULL);
	must(errors >= 0 && nowhere >= 0);
	sim->told = false;
	dup2(nowhere, STDERR_FILENO); /* what a must() says, each time */
	story_copy(best, given);
	do {
		shrink.better = false;
		shrink_round(&shrink);
	} while (shrink.better && span_mono_now() < shrink.until);
	dup2(errors, STDERR_FILENO);
	close(errors);
	close(nowhere);
	story_copy(given, shrink.best);
	sim->story = given;
	sim->told = told;
	sim->digest = digest;
	story_free(trial);
	story_free(best);
	free(trial);
	free(best);
}
