/*
 * [profile:NAME]: who has it, what it gives, and what is wrong with profiles.
 */
#include "compiled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The order of places: own, child.* from inner to outer, profile, [defaults], built in. */
static const char layers[] = "[defaults]\n"
			     "profile = plain\n"
			     "umask = 005\n"
			     "stdin = /defaults\n"
			     "env.A = defaults\n"
			     "[profile:plain]\n"
			     "umask = 001\n"
			     "env.FROM = plain\n"
			     "[profile:patient]\n"
			     "command = from-profile %n\n"
			     "start_timeout = 2m\n"
			     "backoff = fibonacci\n"
			     "umask = 002\n"
			     "env.A = profile\n"
			     "env.B = profile\n"
			     "env.WHO = %p\n"
			     "[profile:many]\n"
			     "instances = 3\n"
			     "command = m %i\n"
			     "[supervisor:s]\n"
			     "child.profile = patient\n"
			     "child.umask = 003\n"
			     "child.env.B = super\n"
			     "[child:s/a]\n"
			     "[child:s/b]\n"
			     "command = own\n"
			     "start_timeout = 3m\n"
			     "[child:s/c]\n"
			     "profile = plain\n"
			     "command = c\n"
			     "[supervisor:s/deep]\n"
			     "[child:s/deep/d]\n"
			     "[child:top]\n"
			     "command = t\n"
			     "[child:m]\n"
			     "profile = many\n";

static const struct {
	const char *path, *key, *value;
} expected[] = {
	{ "s/a", "command", "from-profile a" },
	{ "s/a", "start_timeout", "2m" },
	{ "s/a", "backoff", "fibonacci" },
	{ "s/a", "umask", "003" },
	{ "s/a", "stdin", "/defaults" },
	{ "s/a", "profile", "patient" },
	{ "s/a", "env.A", "profile" },
	{ "s/a", "env.B", "super" },
	{ "s/a", "env.WHO", "s/a" },
	{ "s/b", "command", "own" },
	{ "s/b", "start_timeout", "3m" },
	{ "s/c", "umask", "003" },
	{ "s/c", "start_timeout", "10s" },
	{ "s/c", "env.FROM", "plain" },
	{ "s/c", "env.A", "defaults" },
	{ "s/deep/d", "command", "from-profile d" },
	{ "s/deep/d", "env.WHO", "s/deep/d" },
	{ "top", "umask", "001" },
	{ "top", "profile", "plain" },
	{ "m", "instances", "3" },
	{ "m", "command", "m %i" },
};

static void
the_nearest_value_holds(void **state)
{
	struct compiled compiled;

	(void)state;
	compiled_make(&compiled, layers, sizeof layers - 1, BUILD_SERVICE);
	assert_string_equal(compiled.messages.data, "");
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		const char *value = compiled_value(&compiled, expected[i].path, expected[i].key);
		if (strcmp(value, expected[i].value) != 0)
			fail_msg("%s %s: %s, not %s", expected[i].path, expected[i].key, value,
			    expected[i].value);
	}
	compiled_free(&compiled);
}

static const struct {
	const char *text, *messages;
} wrong[] = {
	{ "[profile:patient]\numask = 1\n[child:a]\ncommand = x\nprofile = patent\n"
	  "[child:b]\ncommand = x\nprofile = patient\n",
	    "t.conf:5: [child:a] profile: there is no profile \"patent\" (did you mean \"patient\"?)\n" },
	{ "[child:a]\ncommand = x\nprofile = any\n",
	    "t.conf:3: [child:a] profile: there is no profile \"any\": add [profile:any] with the values that it is to have\n" },
	/* also where no child is */
	{ "[supervisor:s]\nchild.profile = gone\n[defaults]\nprofile = gone\n",
	    "t.conf:2: [supervisor:s] child.profile: there is no profile \"gone\": add [profile:gone] with the values that it is to have\n"
	    "t.conf:4: [defaults] profile: there is no profile \"gone\": add [profile:gone] with the values that it is to have\n" },
	{ "[profile:p]\nprofile = q\n[profile:q]\n[child:a]\ncommand = x\nprofile = p\n",
	    "t.conf:2: [profile:p] profile: a profile takes nothing from other profiles: write the values that it is to have here\n"
	    "t.conf:3: warning: [profile:q]: nobody has this profile: write profile = q where its values are to hold\n" },
	/* FIELD 3: what is not used is checked all the same */
	{ "[profile:p]\nstart_timeout = soon\nintensity = 3\nrestrat = transient\nchild.umask = 1\n",
	    "t.conf:1: warning: [profile:p]: nobody has this profile: write profile = p where its values are to hold\n"
	    "t.conf:2: [profile:p] start_timeout: \"soon\" is no duration: write a number and a unit, such as 250ms, 5s, 2m, 1h, 1d, or infinity\n"
	    "t.conf:3: [profile:p] intensity: this is a key of supervisors, not of children: put it into the [supervisor:PATH] that it is for\n"
	    "t.conf:4: [profile:p] restrat: no such key (did you mean \"restart\"?)\n"
	    "t.conf:5: [profile:p] child.umask: \"child.\" is for supervisors (did you mean \"umask\"?)\n" },
	{ "[profile:p]\n[profile:p]\n[child:a]\ncommand = x\nprofile = p\n",
	    "t.conf:2: [profile:p]: the profile is there already, in line 1: put all into one\n" },
	{ "[profile:]\n[profile]\n[profile:a/b]\n[profile:-x]\n",
	    "t.conf:1: [profile:]: the name is missing: write [profile:NAME]\n"
	    "t.conf:2: [profile]: no such section: write [profile:NAME]\n"
	    "t.conf:3: [profile:a/b]: \"/\" in the name \"a/b\": write letters A–Z a–z, digits and _ . : - alone\n"
	    "t.conf:4: [profile:-x]: the name \"-x\" begins with \"-\": begin it with a letter, a digit, \"_\" or \":\"\n" },
	{ "[profile:a]\n[child:a]\ncommand = x\nprofile = %n\n",
	    "t.conf:1: warning: [profile:a]: nobody has this profile: write profile = a where its values are to hold\n"
	    "t.conf:4: [child:a] profile: %p, %n and %i cannot stand in the name of a profile: write the name of one\n" },
	{ "[supervisor:s]\nprofile = p\n[coppice]\nprofile = p\n[profile:p]\n[child:a]\ncommand = x\nprofile =\n",
	    "t.conf:2: [supervisor:s] profile: this is a key of children, not of supervisors (for all children below: \"child.profile\")\n"
	    "t.conf:4: [coppice] profile: this is a key of children: for all of them put it into [defaults]\n"
	    "t.conf:5: warning: [profile:p]: nobody has this profile: write profile = p where its values are to hold\n"
	    "t.conf:8: [child:a] profile: the value is empty: leave the line out for the default\n" },
	/* a message about a value names the line in the profile, and the child */
	{ "[profile:p]\nsignificant = yes\n[child:a]\ncommand = x\nprofile = p\n",
	    "t.conf:2: [profile:p] significant: a permanent child cannot be significant, for it is always restarted: add restart = transient or temporary; \"a\" has it from here\n" },
	{ "[profile:p]\nenv.I = %i\n[child:a]\ncommand = x\nprofile = p\n",
	    "t.conf:2: [profile:p] env.I: %i is the number of an instance, but \"a\" is no template (instances = N makes it one)\n" },
};

static void
what_is_wrong_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct compiled compiled;
		compiled_make(&compiled, wrong[i].text, strlen(wrong[i].text), BUILD_SERVICE);
		if (strcmp(compiled.messages.data, wrong[i].messages) != 0)
			fail_msg("%s\nexpected:\n%s\ngot:\n%s", wrong[i].text, wrong[i].messages,
			    compiled.messages.data);
		compiled_free(&compiled);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_value_holds),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
