/* Starts that are held back though it is their turn: by what they come after, and until a connection comes. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- after ---- */

static void
test_after_waits_until_it_is_ready(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { web after=db; db ready=told says_ready=2s; x }");

	(void)state;
	expect_trace(world, "start db 1");
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	assert_int_equal(
	    core_held_by(world_core(world), world_id(world, "web")), world_id(world, "db"));
	assert_int_equal(core_held_by(world_core(world), world_id(world, "db")), CORE_NONE);
	world_advance(world, 2000);
	expect_trace(world, "start web 1, start x 1");
	assert_int_equal(core_held_by(world_core(world), world_id(world, "web")), CORE_NONE);
	expect_state(world, "/", STATE_RUNNING);
	assert_int_equal(world_view(world, "web").streak, 0);
	world_end(world);
}

/* Who takes over knows who is ready. */
static void
test_after_a_template_through_a_new_engine(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { w *2 after=db; db *3 ready=told says_ready=9s }");

	(void)state;
	world_ready(world, "db@1");
	world_ready(world, "db@2");
	world_resume(world);
	expect_why(world, "w@1", STATE_WAITING, REASON_AFTER);
	assert_int_equal(
	    core_held_by(world_core(world), world_id(world, "w@1")), world_id(world, "db@3"));
	world_kill(world, "db@1");
	world_run(world);
	expect_state(world, "db@1", STATE_RESTARTING);
	world_ready(world, "db@3");
	expect_why(world, "w@1", STATE_WAITING, REASON_AFTER);
	world_advance(world, 1000);
	world_ready(world, "db@1");
	expect_state(world, "w@2", STATE_RUNNING);
	world_end(world);
}

static void
test_without_any_gate_nobody_is_held(void **state)
{
	struct world *world = world_of("/ one 9/60s { a; b }");

	(void)state;
	assert_int_equal(core_held_by(world_core(world), world_id(world, "b")), CORE_NONE);
	expect_alive(world, "a b");
	world_end(world);
}

/* No timeout runs, and its supervisor is not up before it. */
static void
test_it_waits_without_end_and_is_waited_for(void **state)
{
	struct world *world = world_of("/ one 9/60s { s all { web after=db start_timeout=1s; y }; "
				       "db manual }");

	(void)state;
	expect_alive(world, "y"); /* who comes next in order need not wait for it */
	world_advance(world, 1000000);
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	expect_state(world, "s", STATE_STARTING);
	assert_true(core_next_deadline(world_core(world)) == MONO_NEVER);
	world_start(world, "db");
	expect_alive(world, "web y db");
	expect_state(world, "s", STATE_RUNNING);
	world_end(world);
}

static void
test_all_of_several(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { c after=a,b; a manual; b manual; d after=b,a }");

	(void)state;
	world_start(world, "a");
	expect_alive(world, "a");
	assert_int_equal(
	    core_held_by(world_core(world), world_id(world, "c")), world_id(world, "b"));
	world_start(world, "b");
	expect_alive(world, "c a b d");
	world_end(world);
}

static void
test_templates_both_ways(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s start_parallel { w *3 after=t; t *2 manual; v after=t }");

	(void)state;
	world_start(world, "t@1");
	expect_alive(world, "t@1");
	assert_int_equal(
	    core_held_by(world_core(world), world_id(world, "w@3")), world_id(world, "t@2"));
	world_start(world, "t@2");
	expect_alive(world, "w@1 w@2 w@3 t@1 t@2 v");
	world_end(world);
}

static void
test_any_instance_stands_for_all(void **state)
{
	struct world *world =
	    world_unborn("/ one 9/60s start_parallel { a; w *3; b; t *3 manual; c }");

	(void)state;
	assert_int_equal(
	    core_add_after(world_core(world), world_id(world, "w@2"), world_id(world, "t@2")), 0);
	world_boot(world);
	expect_alive(world, "a b c");
	world_start(world, "t@2");
	world_start(world, "t@3");
	expect_alive(world, "a b t@2 t@3 c");
	world_start(world, "t@1");
	expect_alive(world, "a w@1 w@2 w@3 b t@1 t@2 t@3 c");
	world_end(world);
}

static void
test_a_supervisor_as_dependency(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { web after=s; s all { a; b ready=told says_ready=1s } }");

	(void)state;
	expect_alive(world, "a b");
	world_advance(world, 999);
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_advance(world, 1);
	expect_alive(world, "web a b");
	world_end(world);
}

static void
test_a_one_shot_is_ready_when_it_has_finished(void **state)
{
	struct world *world = world_of("/ one 9/60s { web after=init; v after=t; "
				       "init ready=exit lives=1s:0; t transient }");

	(void)state;
	expect_alive(world, "init");
	world_advance(world, 1000);
	expect_alive(world, "web v t");
	/* another finished child is not ready */
	world_exit(world, "t:normal");
	world_exit(world, "v");
	world_advance(world, 1000);
	expect_why(world, "v", STATE_WAITING, REASON_AFTER);
	world_start(world, "t");
	expect_alive(world, "web v t");
	world_end(world);
}

static void
test_a_dependency_that_fails_holds_on(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { web after=db,once; db delay=5s fails=1; once ready=exit }");

	(void)state;
	world_advance(world, 1000);
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_exit(world, "once:3");
	world_advance(world, 4000);

	expect_alive(world, "db once");
	world_exit(world, "once:normal");
	expect_alive(world, "web db");
	world_end(world);
}

static void
test_a_dependency_that_leaves_later_touches_nobody(void **state)
{
	struct world *world = world_of("/ one 9/60s { web after=db; db delay=5s }");

	(void)state;
	world_exit(world, "db");
	expect_state(world, "web", STATE_RUNNING);
	world_advance(world, 1000);
	world_trace(world);
	world_exit(world, "web"); /* but its own restart waits for it */
	world_advance(world, 1000);
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	assert_int_equal(world_view(world, "web").streak, 1);
	assert_int_equal(world_view(world, "web").restarts, 1);
	world_advance(world, 3000);
	expect_trace(world, "stop web 1 crash, start db 2, start web 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_commands_to_who_waits(void **state)
{
	struct world *world = world_of("/ one 9/60s { web after=db; db manual }");

	(void)state;
	world_start(world, "web"); /* not even an operator's word opens it */
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_restart(world, "web");
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_stop(world, "web");
	expect_why(world, "web", STATE_STOPPED, REASON_OPERATOR);
	world_start(world, "db");
	expect_alive(world, "db"); /* FIELD 2.A.2: a stop while it waits holds */
	world_start(world, "web");
	expect_alive(world, "web db");
	world_stop(world, "db");
	world_restart(world, "web");
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_end(world);
}

static void
test_after_in_a_group(void **state)
{
	struct world *world = world_of_otp(
	    "/ one 9/60s start_parallel { g all { a; web after=db; b }; db ready=told says_ready=1s }");

	(void)state;
	world_advance(world, 500);
	expect_alive(world, "a b db");
	world_trace(world);
	world_exit(world, "b"); /* it waits again, and nobody waits for it */
	expect_trace(world, "stop b 1 crash, stop a 1 shutdown, start a 2, start b 2");
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_advance(world, 500);
	expect_trace(world, "start web 1, up g");
	world_exit(world, "db");
	world_trace(world);
	world_exit(world, "a"); /* db is not ready */
	expect_trace(world,
	    "stop a 2 crash, stop b 2 shutdown, stop web 1 shutdown, start a 3, "
	    "start b 3");
	world_advance(world, 1000);
	expect_alive(world, "a web b db");
	assert_int_equal(world_view(world, "g").group_restarts, 2);
	world_end(world);
}

/* A set that waits for its delay starts as a whole, whatever opens meanwhile. */
static void
test_a_gate_that_opens_during_a_groups_delay(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { g all { a delay=5s; web after=db }; db manual }");

	(void)state;
	world_exit(world, "a");
	world_start(world, "db");
	world_advance(world, 4999);
	expect_alive(world, "db");
	world_advance(world, 1);
	expect_alive(world, "a web db");
	world_end(world);
}

static void
test_a_gate_that_opens_while_a_group_stops(void **state)
{
	struct world *world =
	    world_of_otp("/ one 9/60s { g all { a; web after=db; b slow=1s }; db manual }");

	(void)state;
	world_exit(world, "a");
	world_start(world, "db");
	expect_alive(world, "b db");
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_advance(world, 1000);
	expect_alive(world, "a web b db");
	assert_int_equal(world_view(world, "web").incarnation, 1);
	world_end(world);
}

/* The next place does not wait for an instance that is held back. */
static void
test_an_instance_that_waits_in_a_group(void **state)
{
	struct world *world =
	    world_of_otp("/ one 9/60s start_parallel { g rest 9/60s { t *2 after=db; x }; db }");

	(void)state;
	world_stop(world, "db");
	world_exit(world, "t@2");
	expect_alive(world, "t@1 x");
	world_exit(world, "t@1");
	expect_why(world, "t@1", STATE_WAITING, REASON_AFTER);
	expect_alive(world, "x");
	assert_int_equal(world_view(world, "x").incarnation, 3);
	world_end(world);
}

/* What is left of its set, which was given up with it, does not hold it back. */
static void
test_after_in_a_group_that_was_given_up(void **state)
{
	struct world *world = world_of("/ all 0/60s limit=give_up { a ready=exit after=c; b; c }");

	(void)state;
	world_exit(world, "a:normal");
	world_exit(world, "b");
	expect_state(world, "a", STATE_FINISHED);
	expect_state(world, "b", STATE_FAILED);
	world_stop(world, "c");
	world_restart(world, "a");
	expect_why(world, "a", STATE_WAITING, REASON_AFTER);
	world_start(world, "c");
	expect_alive(world, "a c");
	world_end(world);
}

/* Nor does it when it waits for a connection again. */
static void
test_demand_in_a_group_that_was_given_up(void **state)
{
	struct world *world = world_of("/ all 0/60s limit=give_up { a; b; d on_demand }");

	(void)state;
	world_start(world, "d");
	world_feed(world,
	    &(struct core_event){
		.type = ON_STOP, .node = world_id(world, "d"), .until_restart = true });
	world_run(world);
	world_exit(world, "a");
	world_start(world, "d");
	world_exit(world, "d:normal");
	expect_why(world, "d", STATE_WAITING, REASON_DEMAND);
	world_order(world, ON_DEMAND, "d");
	expect_alive(world, "d");
	world_end(world);
}

/* One that waits again before the restart of its set has reached it is taken along. */
static void
test_demand_in_a_group_that_is_being_stopped(void **state)
{
	struct world *world =
	    world_of("/ all 9/60s { d on_demand; b backoff=fixed delay=5s; c slow=1s }");

	(void)state;
	world_start(world, "d");
	world_exit(world, "b");
	world_exit(world, "d:normal");
	expect_why(world, "d", STATE_WAITING, REASON_DEMAND);
	world_advance(world, 1000);
	expect_why(world, "d", STATE_RESTARTING, REASON_GROUP);
	world_order(world, ON_DEMAND, "d");
	expect_alive(world, "");
	world_advance(world, 5000);
	expect_alive(world, "b c");
	world_end(world);
}

static void
test_who_stands_after_itself_in_a_group(void **state)
{
	struct world *world = world_of_otp("/ rest 9/60s { db ready=told says_ready=1s; "
					   "web after=db; x after=web,db }");

	(void)state;
	world_advance(world, 1000);
	expect_alive(world, "db web x");
	world_exit(world, "db");
	world_trace(world);
	world_advance(world, 1000);
	expect_trace(world, "start web 2, start x 2");
	world_end(world);
}

static void
test_after_and_start_slots(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s start_parallel max_starting=1 queue=9s { "
	    "w *2 after=db ready=told says_ready=1s; db manual; "
	    "s one max_starting=1 { u ready=told says_ready=2s; v after=x; x after=y; y manual } }");

	(void)state;
	world_start(world, "db");
	expect_state(world, "w@1", STATE_STARTING);
	expect_why(world, "w@2", STATE_WAITING, REASON_SLOT);
	world_stop(world, "db"); /* before its turn came */
	world_advance(world, 1000);
	expect_why(world, "w@2", STATE_WAITING, REASON_AFTER);
	world_advance(world, 20000); /* it does not wait for a slot any more */
	expect_why(world, "w@2", STATE_WAITING, REASON_AFTER);
	assert_int_equal(world_view(world, "w@2").streak, 0);
	world_start(world, "db");
	world_advance(world, 1000);
	expect_alive(world, "w@1 w@2 db u");
	world_start(world, "y");
	expect_alive(world, "w@1 w@2 db u v x y");
	world_end(world);
}

static void
test_a_supervisor_that_stops_lets_nobody_through(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { db manual; s one { web after=db; y slow=2s } }");

	(void)state;
	world_stop(world, "s");
	world_start(world, "db");
	expect_state(world, "s", STATE_STOPPING);

	world_advance(world, 2000);
	world_start(world, "s");
	expect_alive(world, "db web y");
	world_end(world);
	world = world_of("/ one 9/60s { db manual; s one { y slow=2s; web after=db; z slow=1s } }");
	world_stop(world, "s"); /* it stops z; web's turn has not come */
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_start(world, "db");
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_advance(world, 3000);
	expect_alive(world, "db");
	world_end(world);
}

static void
test_a_hold_keeps_it_closed(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { web after=db; v after=q; db ready=told says_ready=1s; q manual }");

	(void)state;
	world_order(world, ON_HOLD, "/");
	world_advance(world, 5000);
	expect_alive(world, "db");
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_resume(world);
	expect_alive(world, "db");
	world_order(world, ON_RELEASE, "/");
	expect_alive(world, "web db");
	expect_why(world, "v", STATE_WAITING, REASON_AFTER);
	world_end(world);
}

static void
test_a_new_engine_knows_whom_to_wait_for(void **state)
{
	struct world *world = world_of("/ one 9/60s { web after=db; db ready=told says_ready=1s }");

	(void)state;
	world_resume(world);
	expect_why(world, "web", STATE_WAITING, REASON_AFTER);
	world_advance(world, 1000);
	expect_alive(world, "web db");
	world_end(world);
}

/* ---- on_demand ---- */

static void
test_the_first_connection_starts_it(void **state)
{
	struct world *world = world_of("/ all 9/60s { a on_demand; b }");

	(void)state;
	expect_alive(world, "b");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	expect_state(world, "/", STATE_RUNNING); /* it is not waited for */
	world_advance(world, 1000000);
	world_demand(world, "a");
	expect_alive(world, "a b");
	world_demand(world, "a"); /* nothing more */
	world_demand(world, "b");
	assert_int_equal(world_view(world, "a").incarnation, 1);
	assert_int_equal(world_view(world, "b").incarnation, 1);
	world_end(world);
}

static void
test_its_ends(void **state)
{
	struct world *world = world_of("/ one 9/60s { a on_demand; t on_demand temporary; "
				       "u on_demand transient significant no_restart=3 }");

	(void)state;
	world_demand(world, "a");
	world_exit(world, "a:normal"); /* back to waiting */
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_demand(world, "a");
	world_exit(world, "a"); /* a failure follows the policy */
	expect_why(world, "a", STATE_RESTARTING, REASON_EXITED);
	world_demand(world, "a");
	expect_state(world, "a", STATE_RESTARTING);
	world_advance(world, 100);
	expect_alive(world, "a");
	assert_int_equal(world_view(world, "a").restarts, 1);
	world_exit(world, "a:normal");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	world_demand(world, "t");
	world_exit(world, "t:normal");
	expect_why(world, "t", STATE_WAITING, REASON_DEMAND);
	world_demand(world, "t");
	world_exit(world, "t");
	expect_state(world, "t", STATE_FINISHED);
	world_demand(world, "t");
	expect_state(world, "t", STATE_FINISHED);
	world_demand(world, "u");
	world_exit(world, "u:3");
	expect_state(world, "u", STATE_FAILED);
	world_start(world, "u"); /* an operator's start is as good as a connection */
	expect_alive(world, "u");
	world_end(world);
}

/* A significant one that waits again has not ended for good. */
static void
test_a_normal_end_ends_nothing_else(void **state)
{
	struct world *world = world_of("/ one auto=any { a on_demand transient significant; b }");

	(void)state;
	world_demand(world, "a");
	world_exit(world, "a:normal");
	expect_alive(world, "b");
	world_end(world);
}

static void
test_an_operator_in_its_stead(void **state)
{
	struct world *world = world_of("/ one 9/60s { a on_demand }");

	(void)state;
	world_start(world, "a");
	expect_why(world, "a", STATE_RUNNING, REASON_NONE);
	world_restart(world, "a");
	expect_alive(world, "a");
	assert_int_equal(world_view(world, "a").incarnation, 2);
	world_stop(world, "a");
	world_demand(world, "a"); /* the sockets are open, unwatched */
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	world_start(world, "a");
	expect_alive(world, "a");
	world_stop(world, "a");
	world_restart(world, "a");
	expect_alive(world, "a");
	world_exit(world, "a:normal");
	world_restart(world, "a");
	expect_alive(world, "a");
	world_end(world);
}

/* A start that comes while it is being stopped. */
static void
test_a_start_during_its_stop(void **state)
{
	struct world *world = world_of("/ one 9/60s { a on_demand slow=1s }");

	(void)state;
	world_demand(world, "a");
	world_stop(world, "a");
	world_start(world, "a");
	world_advance(world, 1000);
	expect_alive(world, "a");
	world_end(world);
}

static void
test_a_start_that_must_wait_for_an_operation(void **state)
{
	struct world *world = world_of("/ all 9/60s { a on_demand; b ready=told says_ready=1s }");

	(void)state;
	world_stop(world, "a");
	world_start(world, "a");
	world_advance(world, 1000);
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_drained_it_does_not_start(void **state)
{
	struct world *world = world_of("/ one 9/60s { a on_demand; b on_demand }");

	(void)state;
	world_order(world, ON_DRAIN, "a");
	world_demand(world, "a");
	world_demand(world, "b");
	expect_alive(world, "b");
	world_order(world, ON_DRAIN, "b"); /* what runs goes on, and may be restarted */
	world_exit(world, "b");
	world_advance(world, 100);
	expect_alive(world, "b");
	world_exit(world, "b:normal");
	world_demand(world, "b");
	expect_alive(world, "");
	world_start(world, "/");
	world_demand(world, "b");
	expect_alive(world, "b");
	world_start(world, "a");
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_demand_in_a_group(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a on_demand; b; c }");

	(void)state;
	world_exit(world, "b"); /* nobody has asked for it */
	expect_alive(world, "b c");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	world_demand(world, "a");
	world_exit(world, "c"); /* who asked is still there */
	expect_alive(world, "a b c");
	assert_int_equal(world_view(world, "a").incarnation, 2);
	world_exit(world, "a:normal"); /* and now nobody is */
	world_exit(world, "b");
	expect_alive(world, "b c");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	world_end(world);
}

static void
test_a_supervisor_that_restarts_waits_anew(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { s one 0/60s backoff=none { a on_demand; b } }");

	(void)state;
	world_demand(world, "a");
	world_exit(world, "b");
	expect_alive(world, "b");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	world_demand(world, "a");
	world_restart(world, "s");
	expect_alive(world, "b");
	world_demand(world, "a");
	world_stop(world, "s");
	world_demand(world, "a");
	world_start(world, "s");
	expect_alive(world, "b");
	world_start(world, "a");
	expect_alive(world, "a b");
	world_end(world);
	/* an operator's wish meanwhile is kept */
	world = world_of("/ one 9/60s { s one 0/60s delay=1s { a on_demand; b } }");
	world_exit(world, "b");
	expect_state(world, "s", STATE_RESTARTING);
	world_start(world, "a");
	world_advance(world, 1000);
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_demand_and_after(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a on_demand after=db; db manual; x after=a }");

	(void)state;
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	world_demand(world, "a");
	expect_why(world, "a", STATE_WAITING, REASON_AFTER);
	expect_why(world, "x", STATE_WAITING, REASON_AFTER);
	world_resume(world);
	world_start(world, "db");
	expect_alive(world, "a db x");
	world_end(world);
}

static void
test_demand_during_a_hold_and_over_an_engines_death(void **state)
{
	struct world *world = world_of("/ one 9/60s { a on_demand; b on_demand }");

	(void)state;
	world_demand(world, "b");
	world_resume(world);
	expect_alive(world, "b");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	world_exit(world, "b");
	world_resume(world);
	world_advance(world, 100);
	expect_alive(world, "b"); /* it was asked for before */
	world_order(world, ON_HOLD, "/");
	world_demand(world, "a");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	world_order(world, ON_RELEASE, "/");
	world_demand(world, "a"); /* the shell says it again: the connection still waits */
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_demand_takes_a_slot(void **state)
{
	struct world *world = world_of("/ one 9/60s max_starting=1 { "
				       "b ready=told says_ready=1s; a on_demand }");

	(void)state;
	world_advance(world, 1000);
	world_restart(world, "b");
	world_demand(world, "a");
	expect_why(world, "a", STATE_WAITING, REASON_SLOT);
	world_demand(world, "a");
	world_advance(world, 1000);
	expect_alive(world, "b a");
	world_end(world);
}

/* It waits for a connection before it has ever been ready, and nobody waits for that. */
static void
test_a_one_shot_that_waits_again_holds_nobody_up(void **state)
{
	struct world *world = world_of("/ one 9/60s { x ready=told says_ready=1s; "
				       "a on_demand ready=exit lives=1s:0; b }");

	(void)state;
	expect_why(world, "a", STATE_WAITING, REASON_TURN);
	world_start(world, "a");
	world_trace(world);
	world_advance(world, 2000);
	expect_trace(world, "start a 1, stop a 1 normal, start b 1");
	expect_why(world, "a", STATE_WAITING, REASON_DEMAND);
	expect_state(world, "/", STATE_RUNNING);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_waits_until_it_is_ready),
		cmocka_unit_test(test_without_any_gate_nobody_is_held),
		cmocka_unit_test(test_after_a_template_through_a_new_engine),
		cmocka_unit_test(test_it_waits_without_end_and_is_waited_for),
		cmocka_unit_test(test_all_of_several),
		cmocka_unit_test(test_templates_both_ways),
		cmocka_unit_test(test_any_instance_stands_for_all),
		cmocka_unit_test(test_a_gate_that_opens_while_a_group_stops),
		cmocka_unit_test(test_an_instance_that_waits_in_a_group),
		cmocka_unit_test(test_a_supervisor_as_dependency),
		cmocka_unit_test(test_a_one_shot_is_ready_when_it_has_finished),
		cmocka_unit_test(test_a_dependency_that_fails_holds_on),
		cmocka_unit_test(test_a_dependency_that_leaves_later_touches_nobody),
		cmocka_unit_test(test_commands_to_who_waits),
		cmocka_unit_test(test_after_in_a_group),
		cmocka_unit_test(test_a_gate_that_opens_during_a_groups_delay),
		cmocka_unit_test(test_after_in_a_group_that_was_given_up),
		cmocka_unit_test(test_demand_in_a_group_that_was_given_up),
		cmocka_unit_test(test_demand_in_a_group_that_is_being_stopped),
		cmocka_unit_test(test_who_stands_after_itself_in_a_group),
		cmocka_unit_test(test_after_and_start_slots),
		cmocka_unit_test(test_a_supervisor_that_stops_lets_nobody_through),
		cmocka_unit_test(test_a_hold_keeps_it_closed),
		cmocka_unit_test(test_a_new_engine_knows_whom_to_wait_for),
		cmocka_unit_test(test_the_first_connection_starts_it),
		cmocka_unit_test(test_its_ends),
		cmocka_unit_test(test_a_normal_end_ends_nothing_else),
		cmocka_unit_test(test_an_operator_in_its_stead),
		cmocka_unit_test(test_a_start_during_its_stop),
		cmocka_unit_test(test_a_start_that_must_wait_for_an_operation),
		cmocka_unit_test(test_drained_it_does_not_start),
		cmocka_unit_test(test_demand_in_a_group),
		cmocka_unit_test(test_a_supervisor_that_restarts_waits_anew),
		cmocka_unit_test(test_demand_and_after),
		cmocka_unit_test(test_demand_during_a_hold_and_over_an_engines_death),
		cmocka_unit_test(test_demand_takes_a_slot),
		cmocka_unit_test(test_a_one_shot_that_waits_again_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
