/*
 * env_file: files of environment variables, a part of what systemd reads (coppice.conf(5)).
 */
#ifndef COPPICE_LIB_ENV_FILE_H
#define COPPICE_LIB_ENV_FILE_H

#include <stdint.h>

#define ENV_FILE_MAX 65536U /* bytes; longer files are refused */

/* A file's text being read, changed on the way. *end must be there to be written to. */
struct env_file {
	char *at, *end;
	uint32_t line; /* of what env_file_next read last; 0 before */
};

/*
 * The next variable, "NAME=value", in *variable: 1; 0 at the end; -EBADMSG where a line is none.
 * Makes no system call and uses nothing but the text, so that a child may call it before exec.
 */
int env_file_next(struct env_file *file, char **variable);

#endif
