/*
 * refuse: runs a program for which system calls fail, as under a container's seccomp filter.
 *   refuse clone3 ENOSYS [pidfd_open EPERM …] -- PROGRAM ARGUMENT…
 * A call may be refused for one value of one argument alone: prctl@0=38.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 16

static const struct number {
	const char *name;
	unsigned number;
} numbers[] = {
	{ "capset", SYS_capset },
	{ "clone3", SYS_clone3 },
	{ "close_range", SYS_close_range },
	{ "pidfd_open", SYS_pidfd_open },
	{ "pidfd_send_signal", SYS_pidfd_send_signal },
	{ "prctl", SYS_prctl },
	{ "sched_setaffinity", SYS_sched_setaffinity },
	{ "setgroups", SYS_setgroups },
	{ "setpriority", SYS_setpriority },
	{ "setresgid", SYS_setresgid },
	{ "setresuid", SYS_setresuid },
	{ "EPERM", EPERM },
	{ "ENOSYS", ENOSYS },
};

static unsigned
number_of(const char *name)
{
	size_t len = strcspn(name, "@");

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strlen(numbers[i].name) == len && strncmp(numbers[i].name, name, len) == 0)
			return numbers[i].number;
	}
	fprintf(stderr, "refuse: what is %s?\n", name);
	_exit(64);
}

/* Appends what refuses one call: five instructions, after which the number is loaded again. */
static void
add(struct sock_fprog *filter, const char *call, const char *error)
{
	struct sock_filter *code = filter->filter + filter->len;
	unsigned argument = 0, value = 0;
	int parts = sscanf(call, "%*[^@]@%u=%u", &argument, &value);

	code[0] = (struct sock_filter)BPF_JUMP(
	    BPF_JMP | BPF_JEQ | BPF_K, number_of(call), 0, parts == 2 ? 4 : 1);
	code[1] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number_of(error));
	filter->len += 2;
	if (parts != 2)
		return;
	code[3] = code[1];
	code[1] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    (unsigned)(offsetof(struct seccomp_data, args) + sizeof(uint64_t) * argument));
	code[2] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	code[4] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	filter->len += 3;
}

int
main(int argc, char **argv)
{
	struct sock_filter code[5 * MOST + 2] = { BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
	struct sock_fprog filter = { .len = 1, .filter = code };
	int i;

	for (i = 1; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		if (filter.len + 5 > 5 * MOST)
			return 64;
		add(&filter, argv[i], argv[i + 1]);
	}
	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (i + 1 >= argc)
		return 64;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
		perror("refuse");
		return 77;
	}
	execv(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
