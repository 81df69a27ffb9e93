#include "reaper/respawn.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/must.h"
#include "lib/names.h"
#include "reaper/options.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define FIRST_DELAY_MS   10
#define LONGEST_DELAY_MS 1000
/*
 * While a machine cannot start its tree: it will mostly be the configuration, which people have to
 * mend, and they have to be able to read what the console shows.
 */
#define FIRST_BOOT_DELAY_MS   1000
#define LONGEST_BOOT_DELAY_MS 10000
/*
 * A recovery that dies by itself is given up soon. KILL comes from somebody else (a person, the kernel's memory killer), who may hit
 * a recovery a few times in a row without anything being wrong with it.
 */
#define FAULTS_TO_HOLD 3
#define DEATHS_TO_HOLD 10

/* Words for execv, too large for a stack, and made in a child; behind them stands what is given (options.h). */
struct words {
	size_t count;
	char *word[STORE_SLOTS * 2 + 24];
	char text[STORE_SLOTS * 2 + 24][32];
};

/* The path of our own file; without /proc the one that we were started by. */
static void
find_self(char *out, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", out, size);
	// NOLINTNEXTLINE(performance-no-int-to-ptr): that is how the kernel hands it over
	const char *name = (const char *)getauxval(AT_EXECFN);

	if (len <= 0 && name != NULL && strlen(name) < size) {
		len = (ssize_t)strlen(name);
		memcpy(out, name, (size_t)len);
	}
	out[len > 0 ? len : 0] = '\0';
}

void
respawn_init(struct respawn *respawn, const struct options *options, bool keep_trying)
{
	static const char beside[] = "/../libexec/coppice/coppice-engine";
	char *slash;

	find_self(respawn->engine, sizeof(respawn->engine) - sizeof(beside));
	slash = strrchr(respawn->engine, '/');
	if (slash)
		memcpy(slash, beside, sizeof(beside));
	if (!slash || access(respawn->engine, X_OK) < 0) {
		static const char installed[] = COPPICE_LIBEXEC "/coppice/coppice-engine";
		/* When neither is there, the place beside us is the better one to complain about. */
		if (!slash || access(installed, X_OK) == 0)
			memcpy(respawn->engine, installed, sizeof(installed));
	}
	respawn->given = options->given;
	respawn->given_count = options->given_count;
	respawn->terse = options->terse;
	/* In the background it is another's. */
	respawn->terminal = options->is_command && tcgetpgrp(STDIN_FILENO) == getpgrp();
	respawn->hold = options->hold;
	respawn->keep_trying = keep_trying;
	respawn->reaper = getpid();
	respawn->pidfd = -1;
	respawn->absent_since = respawn->due = span_mono_now();
}

static void __attribute__((format(printf, 2, 3)))
add_word(struct words *words, const char *format, ...)
{
	char *text = words->text[words->count];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(words->text[0]), format, args);
	va_end(args);
	words->word[words->count++] = text;
	must(words->count < sizeof(words->word) / sizeof(words->word[0]));
}

/*
 * The only way into the other program: nothing blocked, and every disposition was made the default at
 * start. It allocates, which the reaper itself never does: here that one is no more.
 */
static int
become(const struct respawn *respawn, const struct words *words)
{
	const char *program = respawn->engine;
	char **argv = calloc(words->count + respawn->given_count + 1, sizeof(*argv));
	sigset_t none;

	if (argv == NULL) {
		log_line(NULL, "cannot run %s: %s", program, strerror(errno));
		return EX_OSERR;
	}
	memcpy(argv, words->word, words->count * sizeof(*argv));
	memcpy(argv + words->count, respawn->given, respawn->given_count * sizeof(*argv));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(program, argv);
	log_line(NULL, "cannot run %s: %s; it belongs to this coppiced, install both", program,
	    strerror(errno));
	free(argv);
	return EX_OSERR;
}

int
respawn_compile(const struct respawn *respawn, const char *to, const char *mode)
{
	static struct words words;

	add_word(&words, "coppice-engine");
	add_word(&words, "compile");
	add_word(&words, "%s", to);
	if (mode)
		add_word(&words, "%s", mode);
	return become(respawn, &words);
}

/* In the child. */
static _Noreturn void
become_engine(const struct respawn *respawn, bool hold, int link, const struct store *store)
{
	static struct words words;
	int kept, error;

	/*
	 * A session of its own: Ctrl-C reaches the reaper alone. Or a group of its own, so that it
	 * reaches the command alone. dup2 leaves the copy open over exec.
	 */
	if ((respawn->terminal ? setpgid(0, 0) : setsid()) < 0 || dup2(link, LINK_FD) < 0) {
		log_line(NULL, "cannot prepare the engine: %s", strerror(errno));
		_exit(EX_OSERR);
	}
	add_word(&words, "coppice-engine");
	add_word(&words, "engine");
	add_word(&words, "--link");
	add_word(&words, "%u", LINK_VERSION);
	add_word(&words, "--reaper");
	add_word(&words, "%d", respawn->reaper);
	add_word(&words, "--generation");
	add_word(&words, "%" PRIu32, respawn->generation);
	add_word(&words, "--files");
	add_word(&words, "%ju", (uintmax_t)respawn->files.rlim_cur);
	if (hold)
		add_word(&words, "--hold");
	if (respawn->terse)
		add_word(&words, "--terse");
	if (respawn->terminal)
		add_word(&words, "--terminal");
	for (size_t i = 0; i < store->count; i++) {
		fd_set_cloexec(store->entry[i].fd, 0);
		add_word(&words, "--store");
		add_word(&words, "%s=%d", store->entry[i].key, store->entry[i].fd);
	}
	error = keep_hand_over(&store->keep, &kept);
	if (error < 0)
		log_line(NULL,
		    "the engine does not get the descriptors of ready = notify and fd: %s",
		    strerror(-error));
	else if (kept >= 0) {
		add_word(&words, "--kept");
		add_word(&words, "%d", kept);
	}
	add_word(&words, "--");
	_exit(become(respawn, &words));
}

static bool
must_hold(const struct respawn *respawn)
{
	return respawn->committed &&
	    (respawn->faults >= FAULTS_TO_HOLD || respawn->deaths >= DEATHS_TO_HOLD);
}

int
respawn_start(struct respawn *respawn, int link, const struct store *store)
{
	bool hold = respawn->committed ? must_hold(respawn) : respawn->hold;

	respawn->generation++;
	respawn->recovered = false;
	respawn->due = MONO_NEVER;
	respawn->pid = fork();
	if (respawn->pid == 0)
		become_engine(respawn, hold, link, store);
	if (respawn->pid < 0) {
		log_line(NULL, "cannot fork the engine: %s", strerror(errno));
		respawn->pid = 0;
		return respawn_ended(respawn, W_EXITCODE(EX_OSERR, 0));
	}
	/* Without one (descriptors gone, or the call forbidden) SIGCHLD alone tells of its end, which is enough. */
	respawn->pidfd = (int)syscall(SYS_pidfd_open, respawn->pid, 0);
	fd_move_above(&respawn->pidfd, STORE_LOWEST);
	return -1;
}

void
respawn_reported(struct respawn *respawn, bool recovered)
{
	/* Every engine that takes over says that it has committed: one that then always dies must not look as if it were in charge. */
	if (recovered || !respawn->committed)
		respawn->absent_since = MONO_NEVER;
	/* What hindered the boot of a machine says nothing about recoveries. */
	if (recovered || !respawn->committed) {
		respawn->deaths = 0;
		respawn->faults = 0;
	}
	respawn->recovered |= recovered;
	respawn->committed = true;
}

void
respawn_gone(struct respawn *respawn)
{
	fd_close(&respawn->pidfd);
	respawn->pid = 0;
	if (respawn->absent_since == MONO_NEVER)
		respawn->absent_since = span_mono_now();
}

static void
tell(pid_t pid, int status, const char *then)
{
	if (WIFSIGNALED(status))
		log_line(NULL, "engine %d was ended by signal %s%s", pid,
		    names_signal_text(WTERMSIG(status)), then);
	else
		log_line(NULL, "engine %d ended with status %d%s", pid, WEXITSTATUS(status), then);
}

/* The status of the daemon, whose engine came to an end before its first commit. */
static int
status_before_commit(pid_t pid, int status)
{
	/* It has given its own reason. */
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	/* Nobody told it to leave, so 0 is no success. */
	tell(pid, status, " before it had started anything");
	return EX_OSERR;
}

/* Before another engine is started, when the last one had not got far. */
static span_ms
next_delay(const struct respawn *respawn)
{
	span_ms delay = respawn->committed ? FIRST_DELAY_MS : FIRST_BOOT_DELAY_MS;
	span_ms longest = respawn->committed ? LONGEST_DELAY_MS : LONGEST_BOOT_DELAY_MS;

	for (unsigned i = 0; i < respawn->deaths && delay < longest; i++)
		delay *= 2;
	return delay < longest ? delay : longest;
}

int
respawn_ended(struct respawn *respawn, int status)
{
	span_ms delay = 0;
	pid_t pid = respawn->pid;

	respawn_gone(respawn);
	if (!respawn->committed && !respawn->keep_trying)
		return status_before_commit(pid, status);
	if (!respawn->recovered) {
		delay = next_delay(respawn);
		respawn->deaths++;
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			respawn->faults++;
	}
	tell(pid, status,
	    must_hold(respawn)       ? "; the next one starts with --hold"
		: respawn->committed ? "; starting another"
				     : "");
	if (!respawn->committed)
		log_line(NULL,
		    "nothing has been started yet; trying again in %" PRId64 " s. Ctrl-alt-del "
		    "reboots; \"init=/bin/sh\" on the kernel's command line gives a shell, "
		    "\"-- -c FILE\" at its end another configuration",
		    delay / 1000);
	respawn->due = span_after(span_mono_now(), delay);
	return -1;
}
