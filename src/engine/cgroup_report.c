#include "engine/cgroup_report.h"

#include "engine/engine.h"
#include "lib/buf.h"
#include "lib/log.h"

#include <stdio.h>

#define NAMES_MOST 8 /* limits that are told as not in force */

const char *
cgroup_report_missing(const struct cgroup *cgroup, enum cgroup_limit limit)
{
	static char text[CGROUP_WHY_SIZE + 64];
	unsigned controller = cgroup_limit_controller(limit);
	int bit = 0;

	if ((cgroup->controllers & controller) != 0)
		return NULL;
	while (controller >> bit != 1)
		bit++;
	if (cgroup->tree < 0)
		snprintf(text, sizeof(text), "no cgroups: %s", cgroup->why);
	else
		snprintf(text, sizeof(text), "no controller \"%s\"%s%s",
		    cgroup_controller_texts[bit], cgroup->why[0] != '\0' ? ": " : "", cgroup->why);
	return text;
}

/* One line, whatever the number of them. */
static void
tell_missing(const struct engine *engine)
{
	const struct cgroup *cgroup = &engine->cgroup;
	struct buf list = { 0 };
	unsigned count = 0;

	for (uint32_t node = 0; node < core_count(engine->core); node++) {
		const struct place *place = nodes_place(engine->nodes, node);

		for (int i = 0; place->first == node && i < CGROUP_LIMIT_COUNT; i++) {
			if (place->limits.value[i] == CGROUP_LIMIT_NONE ||
			    cgroup_report_missing(cgroup, (enum cgroup_limit)i) == NULL)
				continue;
			if (count++ < NAMES_MOST)
				buf_printf(&list, "%s%s of %s", count > 1 ? ", " : "",
				    cgroup_limit_key((enum cgroup_limit)i), place->path);
		}
	}
	if (count > NAMES_MOST)
		buf_printf(&list, " and %u more", count - NAMES_MOST);
	if (count > 0)
		log_line(NULL, "not in force here: %s (%s)", list.failed ? "limits" : list.data,
		    cgroup->why[0] != '\0' ? cgroup->why : "no controller");
	buf_free(&list);
}

void
cgroup_report(const struct engine *engine)
{
	const struct cgroup *cgroup = &engine->cgroup;
	struct buf list = { 0 };

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if ((cgroup->controllers >> i & 1) != 0)
			buf_printf(&list, "%s%s", list.len > 0 ? ", " : "controllers ",
			    cgroup_controller_texts[i]);
	if (cgroup->tree < 0 && !cgroup->declined)
		log_line(NULL, "no cgroups: %s", cgroup->why);
	else if (cgroup->tree >= 0 && !engine->terse)
		log_line(NULL, "cgroups below %s, %s", cgroup->where,
		    list.len > 0 && !list.failed ? list.data : "no controllers");
	buf_free(&list);
	tell_missing(engine);
}
