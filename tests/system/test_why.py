"""`why` in plain sentences, for each kind of state: what a person reads, word by word, with times masked."""

import os
import re

import pytest

from conftest import until

# No jitter, and delays that outlast the test: so the sentences are always the same.
TREE = """
[defaults]
backoff_jitter = 0%
backoff_delay = 1h
backoff_max = 1h

[supervisor:/]
intensity = 100
period = 1h
start_order = parallel
child.stable_after = 1h

[child:steady]
command = /bin/sleep 1000

[child:stable]
command = /bin/sleep 1000
stable_after = 0s

[child:quiet]
command = /bin/sleep 1000
restart = temporary

[child:stopped]
command = /bin/sleep 1000

[child:off]
command = /bin/sleep 1000
autostart = no

[child:delayed]
command = /bin/sh -c "exit 3"

[child:wrong]
command = /nonexistent/program

[child:wrong-once]
command = /nonexistent/program
restart = temporary

[child:early]
command = /bin/false
ready = exit
restart = temporary

[child:late]
command = /bin/sleep 1000
ready = exit
start_timeout = 50ms
restart = temporary

[child:refused]
command = /bin/false
no_restart_exit = 1

[child:oneshot]
command = /bin/true
ready = exit

[child:job]
command = /bin/sh -c "kill -9 $$"
restart = temporary

[child:import]
command = /bin/true
restart = transient

[child:getting-ready]
command = /bin/sleep 1000
ready = exit
start_timeout = 1h

[child:deaf]
command = /bin/sh -c 'trap "" TERM; echo up > deaf; while :; do sleep 0.05; done'
stop = TERM 1h KILL

[child:many]
command = /bin/sleep 1000
instances = 2

[supervisor:row]
backoff_jitter = 0%
backoff_delay = 1h
backoff_max = 1h
strategy = rest_for_one

[child:row/first]
command = /bin/sleep 1000
ready = exit
start_timeout = infinity

[child:row/second]
command = /bin/sleep 1000

[supervisor:slots]
start_order = parallel
max_starting = 1

[child:slots/first]
command = /bin/sleep 1000
ready = exit
start_timeout = infinity

[child:slots/second]
command = /bin/sleep 1000

[supervisor:full]
intensity = 1
period = 1h
on_limit = backoff

[child:full/bad]
command = /bin/false
backoff = none

[supervisor:lost]
intensity = 0
on_limit = give_up
strategy = one_for_all

[child:lost/bad]
command = /bin/false

[child:lost/good]
command = /bin/sleep 1000

[supervisor:over]
intensity = 0
on_limit = terminate

[child:over/bad]
command = /bin/false

[supervisor:kit]
strategy = one_for_all
intensity = 1
period = 1h

[child:kit/a]
command = /bin/sleep 1000

[child:kit/b]
command = /bin/sh -c "while [ ! -e go ]; do sleep 0.01; done; exit 4"

[supervisor:up]
backoff_jitter = 0%
backoff_delay = 1h
backoff_max = 1h
intensity = 0

[child:up/bad]
command = /bin/false

[supervisor:strict]
strategy = escalate
restart = transient

[child:strict/bad]
command = /bin/sh -c "while [ ! -e go ]; do sleep 0.01; done; exit 5"

[supervisor:abort]
backoff_jitter = 0%
backoff_delay = 1h
backoff_max = 1h
on_start_failure = abort

[child:abort/bad]
command = /nonexistent/program

[supervisor:duty]
auto_shutdown = any_significant
restart = temporary

[child:duty/work]
command = /bin/true
restart = transient
significant = yes

[supervisor:closed]

[child:closed/child]
command = /bin/sleep 1000
"""

ROOT = "The root has used N of its 100 restarts within 1h; the next is free in T."

# path: (state, the sentences)
SENTENCES = {
    "steady": ("running", [
        "steady has been running for T (pid N, start 1).", "It has never failed.", ROOT,
        "If it failed now, it would be restarted after 1h."]),
    "stable": ("running", [
        "stable has been running for T (pid N, start 1).", "It has never failed.", ROOT,
        "If it failed now, it would be restarted at once, having been ready for 0ms (stable_after)."]),
    "quiet": ("running", [
        "quiet has been running for T (pid N, start 1).", "It has never failed.", ROOT,
        "If it failed now, it would not be restarted."]),
    "stopped": ("stopped", [
        "stopped has been stopped for T: uid UID asked for a stop T ago.",
        "Start 1 ended T ago, after T: it was killed by signal TERM.", "coppicectl start stopped starts it."]),
    "off": ("stopped", [
        "off is stopped: autostart = no, so it starts only when somebody asks.", "coppicectl start off starts it."]),
    "delayed": ("restarting", [
        "delayed has been waiting to be restarted for T: it exited with status 3.", "That was start 1, T ago, after T.",
        "That makes 1 failure in a row, so it waits 1h (backoff = exponential).", ROOT,
        "If its next start failed, it would be restarted after 1h.",
        "It starts by itself in T; coppicectl start delayed starts it now."]),
    "wrong": ("restarting", [
        "wrong has been waiting to be restarted for T: it could not be started: executing the command "
        "/nonexistent/program: No such file or directory (ENOENT); the program is missing, or the interpreter that it names.", "That was start 1, T ago.",
        "That makes 1 failure in a row, so it waits 1h (backoff = exponential).", ROOT,
        "If its next start failed, it would be restarted after 1h.",
        "It starts by itself in T; coppicectl start wrong starts it now."]),
    "wrong-once": ("failed", [
        "wrong-once failed T ago: it could not be started: executing the command /nonexistent/program: "
        "No such file or directory (ENOENT)"
        "; the program is missing, or the interpreter that it names.",
        "A start that fails is not tried again (restart = temporary).", "That was start 1, T ago.",
        "It is not tried again by itself; coppicectl start wrong-once starts it."]),
    "early": ("failed", [
        "early failed T ago: it exited with status 1 before it was ready.",
        "A start that fails is not tried again (restart = temporary).", "That was start 1, T ago, after T.",
        "It is not tried again by itself; coppicectl start early starts it."]),
    "late": ("failed", [
        "late failed T ago: it was not ready within 50ms (start_timeout).",
        "A start that fails is not tried again (restart = temporary).",
        "Start 1 ended T ago, after T: it was killed by signal TERM.",
        "It is not tried again by itself; coppicectl start late starts it."]),
    "refused": ("failed", [
        "refused failed T ago: it exited with status 1, which is in no_restart_exit.", "That was start 1, T ago, after T.",
        "It is not tried again by itself; coppicectl start refused starts it."]),
    "oneshot": ("finished", [
        "oneshot finished T ago: it exited with status 0.", "It is a one-shot that is done (ready = exit).",
        "That was start 1, T ago, after T.", "coppicectl start oneshot runs it once more."]),
    "job": ("finished", [
        "job finished T ago: it was killed by signal KILL.", "Whatever its end, it is not restarted (restart = temporary).",
        "That was start 1, T ago, after T.", "coppicectl start job runs it once more."]),
    "import": ("finished", [
        "import finished T ago: it exited with status 0.", "After a normal end it is not restarted (restart = transient).",
        "That was start 1, T ago, after T.", "coppicectl start import runs it once more."]),
    "getting-ready": ("starting", [
        "getting-ready has been starting for T.", "It is ready when it has ended well (ready = exit).",
        "Not being ready within 1h is a failed start (start_timeout).", ROOT,
        "If this start failed, it would be restarted after 1h."]),
    "deaf": ("stopping", [
        "deaf has been stopping for T: uid UID asked for a stop T ago.", "Its stop sequence is TERM 1h KILL."]),
    "row/second": ("waiting", [
        "row/second has been waiting for its turn to start for T: row/first, which comes before it, is starting.",
        "row has all of its 5 restarts within 1m left.", ROOT, "If its next start failed, it would be restarted after 1h.",
        "It starts by itself when that is over."]),
    "row/first": ("starting", [
        "row/first has been starting for T.", "It is ready when it has ended well (ready = exit).",
        "row has all of its 5 restarts within 1m left.", ROOT,
        "If this start failed, it would be restarted after 1h together with row/second."]),
    "row": ("starting", [
        "row has been starting for T.", "Below it row/first is starting, row/second is waiting.",
        "row has all of its 5 restarts within 1m left.", ROOT, "If its own limit ended it now, it would be restarted after 1h."]),
    "slots/second": ("waiting", [
        "slots/second has been waiting for a start slot for T: at most 1 starts at a time (max_starting), now slots/first.",
        "slots has all of its 5 restarts within 1m left.", ROOT, "If its next start failed, it would be restarted after 1h.",
        "It starts by itself when that is over."]),
    "full/bad": ("restarting", [
        "full/bad has been waiting to be restarted for T: more than 1 restart within 1h would be too many for full "
        "(on_limit = backoff).", "Start 2 ended T ago, after T: it exited with status 1.",
        "So it waits 1h: until there is room again, and at least backoff_max.",
        "full has used 1 of its 1 restarts within 1h; the next is free in T.", ROOT,
        "If its next start failed, that would be one restart too many for full (on_limit = backoff).",
        "Then it would wait, and start again after 1h.",
        "It starts by itself in T; coppicectl start full/bad starts it now."]),
    "lost/bad": ("failed", [
        "lost/bad failed T ago: lost allows no restart (intensity = 0, on_limit = give_up).",
        "Start 1 ended T ago, after T: it exited with status 1.",
        "It is not tried again by itself; coppicectl start lost/bad starts it, and those given up with it."]),
    "over": ("failed", [
        "over failed T ago: over allows no restart (intensity = 0, on_limit = terminate).",
        "It is not tried again by itself; coppicectl start over starts it."]),
    "over/bad": ("stopped", [
        "over/bad has been stopped for T: over, above it, is failed.",
        "Start 1 ended T ago, after T: it exited with status 1.",
        "coppicectl start over starts it with all that is wanted there."]),
    "kit/a": ("restarting", [
        "kit/a has been waiting to be restarted for T: kit restarts it together with kit/b (strategy = one_for_all).",
        "Start 1 ended T ago, after T: it was killed by signal TERM.",
        "kit has used 1 of its 1 restarts within 1h; the next is free in T.", ROOT,
        "If its next start failed, that would be one restart too many for kit (on_limit = escalate).",
        "Then kit would stop all below it and end, and the root would restart it.",
        "It starts by itself in T; coppicectl start kit/a starts it now, with its group."]),
    "up": ("restarting", [
        "up has been waiting to be restarted for T: up allows no restart (intensity = 0, on_limit = escalate).",
        "That makes 1 failure in a row, so it waits 1h (backoff = exponential).", ROOT,
        "If it failed again, it would be restarted after 1h.",
        "It starts by itself in T; coppicectl start up starts it now."]),
    "up/bad": ("stopped", [
        "up/bad has been stopped for T: up, above it, is restarting.",
        "Start 1 ended T ago, after T: it exited with status 1.", "It starts by itself with up."]),
    "strict": ("failed", [
        "strict failed T ago: a failure below made it fail (escalate).",
        "A supervisor that ends so is not restarted (restart = transient).",
        "It is not tried again by itself; coppicectl start strict starts it."]),
    "abort": ("restarting", [
        "abort has been waiting to be restarted for T: a child could not start (on_start_failure = abort).",
        "That makes 1 failure in a row, so it waits 1h (backoff = exponential).", ROOT,
        "If it failed again, it would be restarted after 1h.",
        "It starts by itself in T; coppicectl start abort starts it now."]),
    "duty": ("finished", [
        "duty finished T ago: a significant child has ended (auto_shutdown).",
        "Whatever its end, it is not restarted (restart = temporary).", "coppicectl start duty runs it once more."]),
    "closed/child": ("stopped", [
        "closed/child has been stopped for T: closed, above it, is stopped.",
        "Start 1 ended T ago, after T: it was killed by signal TERM.",
        "coppicectl start closed starts it with all that is wanted there."]),
}


def mask(sentence):
    """Without what differs from run to run: how long something has been so, who asked, PIDs."""
    sentence = re.sub(r"( for|free in|itself in) \d[\d.a-z]*?(?=[.;:]?( |$))", r"\1 T", sentence)
    sentence = re.sub(r"\d[\d.]*[a-z]+[\d]*[a-z]* ago", "T ago", sentence)
    sentence = re.sub(r"ago, after \d[\d.a-z]*?(?=[.:]( |$))", "ago, after T", sentence)
    sentence = re.sub(r"ready for T \(stable_after\)", "ready for 0ms (stable_after)", sentence)
    sentence = re.sub(r"The root has used \d+ ", "The root has used N ", sentence)
    return re.sub(r"pid \d+", "pid N", sentence).replace(f"uid {os.getuid()} ", "uid UID ")


def sentences(made, path):
    return [mask(sentence) for sentence in made.call("why", path=path)["text"]]


@pytest.fixture(name="tree", scope="module")
def fixture_tree():
    from conftest import Daemon  # pylint: disable=import-outside-toplevel
    made = Daemon(TREE)
    until("the trap", lambda: made.wait_node("deaf", state="running") and (made.dir / "deaf").exists())
    made.wait_node("strict/bad", state="running")
    made.wait_node("kit/b", state="running")
    (made.dir / "go").touch()
    made.call("stop", path="stopped", wait=True)
    made.call("stop", path="closed", wait=True)
    made.call("stop", path="deaf")
    for path, (state, _) in SENTENCES.items():
        made.wait_node(path, state=state)
    made.wait_node("full/bad", state="restarting", reason="limit")
    yield made
    made.call("shutdown", now=True)
    made.clean_up()


@pytest.mark.parametrize("path", SENTENCES)
def test_sentences(tree, path):
    assert sentences(tree, path) == SENTENCES[path][1]


def test_sentences_of_supervisors_name_those_in_trouble(tree):
    root, kit = sentences(tree, "/"), sentences(tree, "kit")
    assert root[0] == "The root has been starting for T." and re.search(r"and \d+ more are not up\.$", root[1])
    assert kit[1] == "Below it kit/a is restarting, kit/b is restarting."
    assert sentences(tree, "lost")[1] == "Below it lost/bad is failed, lost/good is failed."


def test_facts_stand_beside_the_sentences(tree):
    answer = tree.call("why", path="kit/a")
    assert [budget["path"] for budget in answer["budgets"]] == ["kit", "/"]
    assert (answer["budgets"][0]["used"], answer["budgets"][0]["left"], answer["budgets"][0]["on_limit"]) == (1, 0, "escalate")
    assert answer["budgets"][0]["next_free_in_s"] <= 3600 and answer["next_start_in_s"] <= 3600
    assert answer["next_failure"]["outcome"] == "limit" and answer["next_failure"]["supervisor"] == "kit"
    assert answer["last_end"]["exit"]["signal"] == "TERM" and answer["last_end"]["incarnation"] == 1
    assert answer["events"] == sorted(answer["events"], key=lambda event: event["number"]) and len(answer["events"]) <= 16
    assert {event["path"] for event in answer["events"]} == {"kit/a"}
    answer = tree.call("why", path="row/first")
    assert answer["next_failure"] == {"outcome": "restart", "streak": 1, "delay_s": [3600, 3600], "supervisor": "row",
                                      "set": ["row/first", "row/second"], "set_count": 2}
    assert tree.call("why", path="wrong")["last_end"]["start_error"]["error"] == "ENOENT"
    assert tree.call("why", path="off")["wanted"] is False and "last_end" not in tree.call("why", path="off")


def test_a_template_is_no_node(tree):
    from conftest import RpcError  # pylint: disable=import-outside-toplevel
    with pytest.raises(RpcError) as caught:
        tree.call("why", path="many")
    assert caught.value.code == -32602 and "many@1" in caught.value.data["hint"]


def test_end_and_engine_long_ago(daemon):
    """What has left the ring of events is still told as far as the core knows it; an engine's death changes nothing."""
    made = daemon("[child:job]\ncommand = /bin/false\nrestart = temporary\n[child:still]\ncommand = /bin/sleep 1000\n",
                  coppice="event_history = 16")
    made.wait_node("job", state="finished")
    before = sentences(made, "job")
    made.kill_engine()
    assert sentences(made, "job") == before
    for _ in range(10):
        made.call("restart", path="still", wait=True)
    assert "The last time it exited with status 1; the events do not go back so far." in sentences(made, "job")
    assert made.call("why", path="job")["last_end"] == {"exit": {"code": 1, "core_dumped": False}}


def test_hold_and_shutdown_are_told(daemon):
    made = daemon("[child:deaf]\ncommand = /bin/sh -c 'trap \"\" TERM; echo up > deaf; while :; do sleep 0.05; done'\n"
                  "[child:off]\ncommand = /bin/sleep 1000\n", args=["--hold"])
    hold = "The daemon holds: it starts and stops nothing by itself. coppicectl start / ends that."
    assert sentences(made, "deaf")[-1] == hold
    made.call("start", path="/")
    until("the trap", (made.dir / "deaf").exists)
    assert hold not in sentences(made, "deaf")
    made.call("shutdown")
    made.wait_node("off", state="stopped")
    assert sentences(made, "off")[-1] == "The daemon is shutting down: nothing is started any more."
    assert sentences(made, "deaf")[0] == "deaf has been stopping for T: the root, above it, is stopping."
    made.call("shutdown", now=True)
    assert made.wait() == 0


def test_uptime_counts_from_the_start_of_the_process(daemon):
    """Not from readiness, which never came, nor from the last change of state; an engine's death changes nothing."""
    made = daemon("[child:slow]\ncommand = /bin/sleep 1000\nready = fd:3\nstart_timeout = infinity\n")
    made.wait_node("slow", state="starting", uptime_s=lambda up: (up or 0) >= 0.3)
    made.kill_engine()
    made.call("stop", path="slow", wait=True)
    why = made.call("why", path="slow")
    ended = [event for event in why["events"] if event["type"] == "child.exited"]
    assert why["last_end"]["uptime_s"] >= 0.25 and ended[0]["uptime_s"] == why["last_end"]["uptime_s"]


def test_who_is_waited_for_is_named(daemon):
    """Not whoever is busy as well: a child that is being restarted holds nobody up."""
    made = daemon("[defaults]\nbackoff_delay = 1h\nbackoff_max = 1h\n[child:esc]\ncommand = /bin/false\n"
                  "[child:slow]\ncommand = /bin/sleep 1000\nready = fd:3\nstart_timeout = infinity\n"
                  "[child:late]\ncommand = /bin/sleep 1000\n", coppice="")
    made.wait_node("late", state="waiting", waits_for="slow")
    made.wait_node("esc", state="restarting")
    assert sentences(made, "late")[0] == "late has been waiting for its turn to start for T: slow, which comes before it, is starting."
    assert made.call("why", path="late")["waits_for"] == "slow" and "waits_for" not in made.node("esc")
    made.call("stop", path="slow")
    assert "waits_for" not in made.wait_node("late", state="running")


def test_readiness_is_told_by_how_it_is_said(daemon):
    made = daemon("[defaults]\nstart_timeout = infinity\n[supervisor:/]\nstart_order = parallel\n[child:teller]\nready = notify\n"
                  "command = /bin/sleep 1000\n[child:writer]\nready = fd:5\ncommand = /bin/sleep 1000\n")
    made.wait_node("writer", state="starting")
    assert "It is ready when it says READY=1 (ready = notify)." in sentences(made, "teller")
    assert "It is ready when it writes a line to its descriptor 5 (ready = fd:5)." in sentences(made, "writer")


def test_a_child_below_what_was_never_started(daemon):
    """Something is known of it: that it has not been started."""
    made = daemon("[supervisor:shop]\nautostart = no\n[child:shop/web]\ncommand = /bin/sleep 1000\n")
    made.wait_node("/", state="running")
    for path in ("shop", "shop/web"):
        assert "nothing more is known" not in sentences(made, path)[0]
    assert sentences(made, "shop/web")[0] == "shop/web is stopped: it has not been started yet."
