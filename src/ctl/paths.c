#include "ctl/paths.h"

#include "ctl/reply.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

bool
paths_is_pattern(const char *arg)
{
	return strpbrk(arg, "*?[") != NULL;
}

char *
paths_tidy(char *arg)
{
	size_t len = strlen(arg);

	while (len > 1 && arg[len - 1] == '/')
		arg[--len] = '\0';
	return arg[0] == '/' && len > 1 ? arg + 1 : arg;
}

bool
paths_match(const char *arg, const struct node *node, bool below)
{
	size_t len = strlen(arg);

	if (paths_is_pattern(arg)) {
		char *path = mem_strndup(node->path.at, node->path.len);
		bool fits = fnmatch(arg, path, FNM_PATHNAME) == 0;
		free(path);
		return fits;
	}
	if (below && str_equal(arg, "/"))
		return true;
	if (node->path.len < len || memcmp(node->path.at, arg, len) != 0)
		return false;
	return node->path.len == len || node->path.at[len] == '@' ||
	    (below && node->path.at[len] == '/');
}

static void
paths_add(struct paths *paths, char *path)
{
	if (paths->count == paths->cap) {
		paths->cap = paths->cap == 0 ? 16 : paths->cap * 2;
		paths->all = mem_grow(paths->all, paths->cap, sizeof *paths->all);
	}
	paths->all[paths->count++] = path;
}

static int
paths_add_matching(struct ctl *ctl, const char *pattern, const struct node_list *list, int no_match,
    struct paths *out)
{
	unsigned before = out->count;

	for (size_t i = 0; i < list->count; i++) {
		if (paths_match(pattern, &list->nodes[i], false))
			paths_add(out, scan_text_decode(&list->nodes[i].path));
	}
	if (out->count > before)
		return 0;
	return ctl_complain(ctl, no_match,
	    "coppicectl status lists all nodes; * stands for anything but /", "no node fits \"%s\"",
	    pattern);
}

int
paths_expand(struct ctl *ctl, unsigned count, int no_match, struct paths *out)
{
	struct node_list list = { 0 };
	struct reply reply = { 0 };
	bool asked = false;
	int status = 0;

	*out = (struct paths){ 0 };
	for (unsigned i = 0; i < count && status == 0; i++) {
		char *arg = paths_tidy(ctl->args[i]);
		if (!paths_is_pattern(arg)) {
			paths_add(out, mem_strdup(arg));
			continue;
		}
		if (!asked) {
			asked = true;
			status = reply_read(ctl, "status", NULL, &reply);
			if (status == 0 && reply.is_error)
				status = reply_refused(ctl, &reply);
			const char *problem =
			    status == 0 ? node_scan_status(&reply.result, &list) : NULL;
			if (problem != NULL)
				status = reply_garbled(ctl, problem);
		}
		if (status == 0)
			status = paths_add_matching(ctl, arg, &list, no_match, out);
	}
	node_list_free(&list);
	reply_free(&reply);
	return status;
}

void
paths_free(struct paths *paths)
{
	for (unsigned i = 0; i < paths->count; i++)
		free(paths->all[i]);
	free(paths->all);
	*paths = (struct paths){ 0 };
}
