#include "config/capability.h"

#include "config/diag.h"
#include "config/keys.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <linux/capability.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t"

/* All that Linux knows since 5.9, by number. */
static const char *const names[] = { "chown", "dac_override", "dac_read_search", "fowner", "fsetid",
	"kill", "setgid", "setuid", "setpcap", "linux_immutable", "net_bind_service",
	"net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio",
	"sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write",
	"audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm",
	"block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore" };

#define COUNT (sizeof names / sizeof names[0])

_Static_assert(CAP_SYS_RESOURCE == 24 && CAP_AUDIT_READ == 37, "the order of the names");

static char *
unknown(const char *word)
{
	const char *name = strncasecmp(word, "cap_", 4) == 0 ? word + 4 : word;
	const char *nearest = NULL;
	char clip[DIAG_CLIP_SIZE];

	for (size_t i = 0; i < COUNT && nearest == NULL; i++)
		if (keys_are_alike(name, names[i]))
			nearest = names[i];
	if (nearest == NULL)
		nearest = str_nearest(name, names, COUNT);
	diag_clip(word, clip);
	if (nearest != NULL)
		return mem_printf("\"%s\" is no capability (did you mean \"%s\"?)", clip, nearest);
	return mem_printf(
	    "\"%s\" is no capability: write names of capabilities(7), such as net_bind_service",
	    clip);
}

static char *
add(const char *word, int64_t *set)
{
	const char *name = strncasecmp(word, "cap_", 4) == 0 ? word + 4 : word;

	for (size_t i = 0; i < COUNT; i++)
		if (strcasecmp(name, names[i]) == 0) {
			*set |= INT64_C(1) << i;
			return NULL;
		}
	return unknown(word);
}

char *
capability_parse(const char *text, int64_t *set)
{
	char *save, *copy = mem_strdup(text), *problem = NULL;

	*set = 0;
	if (*text != '\0' && text[strspn(text, SEPARATORS)] == '\0')
		problem =
		    mem_strdup("no capability is named: for none write nothing behind the \"=\"");
	for (char *word = strtok_r(copy, SEPARATORS, &save); word != NULL;
	     word = strtok_r(NULL, SEPARATORS, &save))
		problem = diag_join(problem, add(word, set));
	free(copy);
	return problem;
}

void
capability_print(int64_t set, struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; i < COUNT; i++) {
		if ((set >> i & 1) == 0)
			continue;
		buf_printf(out, "%s%s", between, names[i]);
		between = ", ";
	}
}
