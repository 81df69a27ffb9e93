/*
 * titles: what stands between the brackets: "coppice", "defaults", "supervisor:PATH", "child:PATH",
 * "profile:NAME".
 */
#ifndef COPPICE_CONFIG_TITLES_H
#define COPPICE_CONFIG_TITLES_H

enum titles_kind {
	TITLE_UNKNOWN,
	TITLE_COPPICE,
	TITLE_DEFAULTS,
	TITLE_PROFILE,
	TITLE_SUPERVISOR,
	TITLE_CHILD,
};

/* The kind; *path is set to what follows the colon (within title), or NULL. */
enum titles_kind titles_kind(const char *title, const char **path);
/* What is wrong with an unknown title, to be freed. */
char *titles_unknown(const char *title);
/* What is wrong with the path of a supervisor or child, to be freed; NULL if nothing is. */
char *titles_path_problem(enum titles_kind kind, const char *path);
/* What is wrong with the name of a profile, likewise. */
char *titles_profile_problem(const char *name);

#endif
