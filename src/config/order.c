#include "config/order.h"

#include "config/inherit.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_STEPS 12 /* of a circle */

/*
 * Two moments of each place: its turn has come, and all of it is ready. Each waits for others:
 *
 *   the turn of a place   for that of its supervisor, and of those before it in an order: a
 *                         supervisor must be ready, a child only have had its turn, since what it
 *                         then waits for holds up none of its siblings
 *   a child's readiness   for its turn, and for all that it comes after
 *   a supervisor's        for its turn, and for its children that start by themselves
 */
enum moment {
	MOMENT_TURN,
	MOMENT_READY,
	MOMENTS
};

enum color {
	COLOR_NEW,
	COLOR_OPEN, /* on the way from where the walk began */
	COLOR_DONE
};

/* What has happened of a walk at one moment of a place: the next of those it waits for. */
struct step {
	uint32_t at; /* number of the place times MOMENTS, plus the moment */
	uint32_t next;
	const struct build_place *member; /* of a supervisor, the next to look at */
};

struct order {
	const struct build *build;
	const struct build_place **sorted; /* by path */
	uint32_t *numbers;                 /* of those, their places in the build */
	uint32_t **after;                  /* [place]: numbers of those it comes after */
	uint32_t *after_count;             /* [place] */
	uint32_t *before; /* [place]: the sibling before it in an order, UINT32_MAX: none */
	uint32_t *above;  /* [place]: its supervisor; the root's own */
	uint8_t *color;   /* [place times MOMENTS, plus moment] */
	struct step *steps;
	uint32_t depth;
};

static int64_t
number(const struct build_place *place, enum keys_id id)
{
	return place->settings[id].value->number;
}

static bool
starts_by_itself(const struct build_place *place)
{
	return number(place, KEY_AUTOSTART) != 0;
}

/* --- names ---------------------------------------------------------------------------------- */

static int
compare_paths(const void *a, const void *b)
{
	return strcmp((*(const struct build_place *const *)a)->path,
	    (*(const struct build_place *const *)b)->path);
}

static int
compare_path(const void *path, const void *place)
{
	return strcmp(path, (*(const struct build_place *const *)place)->path);
}

static const struct build_place *
find(const struct order *order, const char *path)
{
	const struct build_place *const *found = bsearch(
	    path, order->sorted, order->build->count, sizeof(struct build_place *), compare_path);

	return found != NULL ? *found : NULL;
}

static const char *
nearest(const struct order *order, const char *path)
{
	const char **paths = mem_zalloc(order->build->count, sizeof *paths);
	const char *found;

	for (size_t i = 1; i < order->build->count; i++)
		paths[i - 1] = order->build->places[i]->path;
	found = str_nearest(path, paths, order->build->count - 1);
	free(paths);
	return found;
}

/* Of web@3 the template, if there is one. */
static const struct build_place *
find_template(const struct order *order, const char *path)
{
	const char *at = strrchr(path, '@');
	const struct build_place *place = NULL;

	if (at != NULL) {
		char *name = mem_strndup(path, (size_t)(at - path));
		place = find(order, name);
		free(name);
	}
	return place != NULL && place->is_template ? place : NULL;
}

/* What is wrong with a path that names nothing, to be freed. */
static char *
unknown(const struct order *order, const char *path)
{
	const struct build_place *whole = find_template(order, path);
	const char *near = nearest(order, path);
	char clip[DIAG_CLIP_SIZE];

	diag_clip(path, clip);
	if (*path == '/' && find(order, path + 1) != NULL)
		return mem_printf("\"%s\": paths have no \"/\" in front: write %s", clip, path + 1);
	if (whole != NULL)
		return mem_printf(
		    "\"%s\" is one instance of a template: write %s, which means all of them", clip,
		    whole->path);
	if (near != NULL)
		return mem_printf("nothing has the path \"%s\" (did you mean \"%s\"?)", clip, near);
	return mem_printf(
	    "nothing has the path \"%s\": write the whole path, as in the name of its section, such as shop/db",
	    clip);
}

static bool
is_above(const struct build_place *above, const struct build_place *place)
{
	while (place != NULL && place != above)
		place = place->parent;
	return place == above;
}

/* Why what it comes after may never be ready as long as nobody does anything about it. */
static const char *
why_never(const struct build_place *place)
{
	if (place->kind == KIND_CHILD && number(place, KEY_ON_DEMAND) != 0)
		return "starts only when a connection comes (on_demand)";
	for (; place != NULL; place = place->parent)
		if (!starts_by_itself(place))
			return "is not started by itself (autostart = no)";
	return NULL;
}

/* One word of `after`: what it means, or NULL, and what is wrong, to be freed. */
static const struct build_place *
look_up(const struct order *order, const struct build_place *place, const char *path, char **wrong)
{
	const struct build_place *other = find(order, path);
	const char *never;

	*wrong = other == NULL ? unknown(order, path) : NULL;
	/* What is said for many does not concern the one that it names. */
	if (other == NULL || (other == place && place->settings[KEY_AFTER].distance > 0))
		return NULL;
	if (other == place)
		*wrong = mem_printf("\"%s\" cannot come after itself: take it out", path);
	else if (is_above(other, place))
		*wrong = mem_printf(
		    "\"%s\" is above it, and ready only when this child is: take it out", path);
	if (*wrong != NULL)
		return NULL;
	never = why_never(other);
	if (never != NULL && why_never(place) == NULL)
		inherit_warning(order->build, place, KEY_AFTER,
		    "\"%s\" %s, and until then this child does not start either", path, never);
	return other;
}

static uint32_t
number_of(const struct order *order, const struct build_place *place)
{
	const struct build_place *const *found = bsearch(place->path, order->sorted,
	    order->build->count, sizeof(struct build_place *), compare_path);

	return order->numbers[found - order->sorted];
}

static void
read_after(struct order *order, uint32_t at)
{
	const struct build_place *place = order->build->places[at];
	const struct value *value = place->settings[KEY_AFTER].value;
	char *problem = NULL, *wrong;

	if (place->kind != KIND_CHILD || value == NULL || value->word_count == 0)
		return;
	order->after[at] = mem_zalloc(value->word_count, sizeof(uint32_t));
	for (size_t i = 0; i < value->word_count; i++) {
		const struct build_place *other = look_up(order, place, value->words[i], &wrong);

		problem = diag_join(problem, wrong);
		if (other != NULL)
			order->after[at][order->after_count[at]++] = number_of(order, other);
	}
	if (problem != NULL)
		inherit_error(order->build, place, KEY_AFTER, "%s", problem);
	free(problem);
}

/* --- circles -------------------------------------------------------------------------------- */

/*
 * The next moment that this one waits for; false when there is none more. For a supervisor that is
 * not ordered `before` has nothing.
 */
static bool
next_of(const struct order *order, struct step *step, uint32_t *out)
{
	uint32_t at = step->at / MOMENTS, n = step->next++;
	const struct build_place *place = order->build->places[at], *member;

	if (step->at % MOMENTS == MOMENT_TURN) {
		uint32_t before = order->before[at];

		if (n == 0 && before != UINT32_MAX) {
			const struct build_place *other = order->build->places[before];
			bool ready = other->kind == KIND_SUPERVISOR && starts_by_itself(other);
			*out = before * MOMENTS + (ready ? MOMENT_READY : MOMENT_TURN);
			return true;
		}
		*out = order->above[at] * MOMENTS + MOMENT_TURN;
		return place->parent != NULL && n <= 1 && (n == 0 || before != UINT32_MAX);
	}
	if (n == 0) {
		*out = at * MOMENTS + MOMENT_TURN;
		return true;
	}
	if (place->kind == KIND_CHILD) {
		*out = n <= order->after_count[at]
		    ? order->after[at][n - 1] * MOMENTS + MOMENT_READY
		    : 0;
		return n <= order->after_count[at];
	}
	for (member = step->member; member != NULL; member = member->next)
		if (starts_by_itself(member) &&
		    (member->kind == KIND_SUPERVISOR || number(member, KEY_ON_DEMAND) == 0))
			break;
	if (member == NULL)
		return false;
	step->member = member->next;
	*out = number_of(order, member) * MOMENTS + MOMENT_READY;
	return true;
}

static void
push(struct order *order, uint32_t at)
{
	order->color[at] = COLOR_OPEN;
	order->steps[order->depth++] =
	    (struct step){ .at = at, .member = order->build->places[at / MOMENTS]->first };
}

/* "a" waits for "b" (after), that for "c" (before it in the order), … */
static void
put_step(const struct order *order, uint32_t from, uint32_t to, struct buf *out)
{
	const struct build_place *one = order->build->places[from / MOMENTS],
				 *other = order->build->places[to / MOMENTS];
	const char *how = "before it in the order";

	if (one == other)
		return;
	if (from % MOMENTS == MOMENT_READY)
		how = one->kind == KIND_CHILD ? "after" : "below it";
	else if (other == one->parent)
		how = "above it";
	if (out->len == 0)
		buf_printf(out, "\"%s\" waits for \"%s\" (%s)", one->path, other->path, how);
	else
		buf_printf(out, ", that for \"%s\" (%s)", other->path, how);
}

/* From the first child on the way that comes after something, round to it again. */
static void
report_circle(const struct order *order, uint32_t begin)
{
	uint32_t count = order->depth - begin, first = 0;
	const struct step *circle = order->steps + begin;
	const struct build_place *place;
	struct buf text = { 0 };

	for (; first < count; first++) {
		uint32_t to = circle[(first + 1) % count].at;
		place = order->build->places[circle[first].at / MOMENTS];
		if (circle[first].at % MOMENTS == MOMENT_READY && place->kind == KIND_CHILD &&
		    to / MOMENTS != circle[first].at / MOMENTS)
			break;
	}
	place = order->build->places[circle[first % count].at / MOMENTS];
	for (uint32_t i = 0; i < count && i < TOLD_STEPS; i++)
		put_step(order, circle[(first + i) % count].at, circle[(first + i + 1) % count].at,
		    &text);
	inherit_error(order->build, place, KEY_AFTER,
	    "this is a circle, in which nothing could ever start: %s%s; take one of them out, or change the order",
	    text.failed ? place->path : text.data, count > TOLD_STEPS ? " and so on" : "");
	buf_free(&text);
}

static void
walk(struct order *order, uint32_t from)
{
	uint32_t to;

	push(order, from);
	while (order->depth > 0) {
		struct step *top = &order->steps[order->depth - 1];

		if (!next_of(order, top, &to)) {
			order->color[top->at] = COLOR_DONE;
			order->depth--;
		} else if (order->color[to] == COLOR_NEW) {
			push(order, to);
		} else if (order->color[to] == COLOR_OPEN) {
			uint32_t begin = order->depth;

			while (order->steps[begin - 1].at != to)
				begin--;
			report_circle(order, begin - 1);
		}
	}
}

/* --- all ------------------------------------------------------------------------------------ */

static bool
is_used(const struct build *build)
{
	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		const struct value *value = place->settings[KEY_AFTER].value;
		if (place->kind == KIND_CHILD && value != NULL && value->word_count > 0)
			return true;
	}
	return false;
}

static void
number_all(struct order *order)
{
	const struct build *build = order->build;

	memcpy(order->sorted, build->places, build->count * sizeof(struct build_place *));
	qsort(order->sorted, build->count, sizeof(struct build_place *), compare_paths);
	for (uint32_t i = 0; i < build->count; i++) {
		const struct build_place *const *found = bsearch(build->places[i]->path,
		    order->sorted, build->count, sizeof(struct build_place *), compare_path);
		order->numbers[found - order->sorted] = i;
		order->before[i] = UINT32_MAX;
	}
	for (uint32_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i], *member;
		bool ordered = place->kind == KIND_SUPERVISOR &&
		    number(place, KEY_START_ORDER) == ORDER_ORDERED;
		if (place->parent != NULL)
			order->above[i] = number_of(order, place->parent);
		for (member = place->first; member != NULL && ordered; member = member->next)
			if (member->next != NULL)
				order->before[number_of(order, member->next)] =
				    number_of(order, member);
	}
}

void
order_check(const struct build *build)
{
	struct order order = { .build = build };
	size_t count = build->count;

	if (!is_used(build))
		return;
	order.sorted = mem_zalloc(count, sizeof *order.sorted);
	order.numbers = mem_zalloc(count, sizeof *order.numbers);
	order.after = mem_zalloc(count, sizeof *order.after);
	order.after_count = mem_zalloc(count, sizeof *order.after_count);
	order.before = mem_zalloc(count, sizeof *order.before);
	order.above = mem_zalloc(count, sizeof *order.above);
	order.color = mem_zalloc(count, MOMENTS);
	order.steps = mem_zalloc(count, MOMENTS * sizeof *order.steps);
	number_all(&order);
	for (uint32_t i = 0; i < count; i++)
		read_after(&order, i);
	for (uint32_t i = 0; i < count * MOMENTS; i++)
		if (order.color[i] == COLOR_NEW)
			walk(&order, i);
	for (size_t i = 0; i < count; i++)
		free(order.after[i]);
	free(order.sorted);
	free(order.numbers);
	free(order.after);
	free(order.after_count);
	free(order.before);
	free(order.above);
	free(order.color);
	free(order.steps);
}
