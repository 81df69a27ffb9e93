"""pre_start, stop_command and post_stop: what runs when, as what, for how long (coppice-semantics(7), Starting, Stopping).

Each hook, and the program itself, writes a line to the ledger of its child; one that is to be caught in the act waits for a file.
"""

import os
import random
import re
import signal
import subprocess
import time

import pytest

from conftest import COPPICECTL, process, until
from test_children import hung_mount
from test_reaper_lost import orphan  # pylint: disable=unused-import
from test_recovery import engine_of

SEED = int(os.environ.get("COPPICE_SEED", "0")) or random.randrange(1 << 30)

# hook NAME [GATE]: writes that it has begun, waits until the file GATE is there, writes that it is over.
HOOK = """
echo "$COPPICE_HOOK" >> "$1"
if [ -n "$2" ]; then while [ ! -e "$2" ]; do sleep 0.01; done; fi
echo "$COPPICE_HOOK over" >> "$1"
"""
PROGRAM = """
echo run >> "$1"
exec sleep 1000
"""


def ledger(d, name="one"):
    file = d.dir / name
    return file.read_text().splitlines() if file.exists() else []


def section(name="one", gates=(), **keys):
    """A child with all three hooks; those in `gates` wait for a file of their name."""
    text = f"\n[child:{name}]\ncommand = /bin/sh program {name}\n"
    for hook in ("pre_start", "stop_command", "post_stop"):
        if hook not in keys:
            text += f"{hook} = /bin/sh hook {name} {hook if hook in gates else ''}\n"
    return text + "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)


@pytest.fixture
def hooked(daemon):
    """hooked(text, …) → a daemon beside whose configuration the scripts stand."""
    def make(text, **more):
        d = daemon(start=False, **more)
        (d.dir / "hook").write_text(HOOK)
        (d.dir / "program").write_text(PROGRAM)
        d.write_config(text.replace("{dir}", str(d.dir)))
        d.start()
        return d.ready()
    return make


PRE = ["pre_start", "pre_start over"]
STOP = ["stop_command", "stop_command over"]
POST = ["post_stop", "post_stop over"]


def wait_up(d, name="one", incarnation=1, **wanted):
    """Running, and its program has written so."""
    until("the program to run", lambda: ledger(d, name).count("run") == incarnation)
    return d.wait_node(name, state="running", incarnation=incarnation, **wanted)


def open_gate(d, hook):
    (d.dir / hook).touch()


def test_what_runs_when(hooked):
    d = hooked(section(backoff="none"))
    pid = wait_up(d)["pid"]
    assert ledger(d) == PRE + ["run"]
    os.kill(pid, signal.SIGKILL)  # an end of its own asks for no stop_command
    wait_up(d, incarnation=2)
    assert ledger(d) == PRE + ["run"] + POST + PRE + ["run"]
    d.call("stop", path="one", wait=True)
    assert d.node("one")["state"] == "stopped"
    assert ledger(d)[-4:] == STOP + POST and d.node("one")["exit"]["signal"] == "TERM"
    d.call("start", path="one")
    wait_up(d, incarnation=3)
    d.call("restart", path="one")
    wait_up(d, incarnation=4)
    assert ledger(d)[-10:] == PRE + ["run"] + STOP + POST + PRE + ["run"]
    assert d.stop() == 0
    assert ledger(d)[-4:] == STOP + POST
    assert not re.search(r"(pre_start|stop_command|post_stop) ", d.log()), "what goes well is no line of the log"


def test_what_they_are_told(daemon):
    """The end's details in the environment, and who it is."""
    tell = "/bin/sh -c 'env | grep ^COPPICE_ | grep -v TEST= | sort | tr \"\\n\" \" \" >> %i.$COPPICE_HOOK; echo >> %i.$COPPICE_HOOK'"
    d = daemon(f"""
[child:one]
command = /bin/sh -c 'trap "" TERM; [ -e %i.fail ] && exit 7; exec sleep 1000'
instances = 2
pre_start = {tell}
stop_command = {tell}
post_stop = {tell}
backoff = fixed
backoff_delay = 1h
env.COPPICE_HOOK = mine
""", env={"COPPICE_EXIT_CODE": "9", "COPPICE_PID": "1", "COPPICE_REASON": "none"}).ready()
    pid = d.wait_node("one@1", state="running")["pid"]

    def told(hook):
        return (d.dir / f"1.{hook}").read_text().splitlines()

    who = "COPPICE_INSTANCE=1 COPPICE_PATH=one@1"
    assert told("pre_start") == [f"COPPICE_HOOK=pre_start {who} COPPICE_REASON=boot "]
    os.kill(pid, signal.SIGKILL)
    d.wait_node("one@1", state="restarting")
    assert told("post_stop") == [f"COPPICE_EXIT_SIGNAL=KILL COPPICE_HOOK=post_stop {who} COPPICE_REASON=exited "]
    d.call("start", path="one@1", wait=True)
    pid = d.node("one@1")["pid"]
    d.call("stop", path="one@1")
    d.wait_node("one@1", state="stopped")
    assert told("stop_command") == [f"COPPICE_HOOK=stop_command {who} COPPICE_PID={pid} COPPICE_REASON=operator "]
    (d.dir / "1.fail").touch()
    d.call("start", path="one@1")
    d.wait_node("one@1", state="restarting")
    assert told("post_stop")[-1] == f"COPPICE_EXIT_CODE=7 COPPICE_HOOK=post_stop {who} COPPICE_REASON=exited "
    assert len(told("post_stop")) == 3 and len(told("pre_start")) == 3


@pytest.mark.parametrize("command, error, step", [
    ("/bin/sh -c 'exit 3'", None, None), ("/bin/sh -c 'kill -SEGV $$'", None, None),
    ("/nowhere/at/all", "ENOENT", "executing the command"), ("/etc/passwd", "EACCES", "executing the command")])
def test_pre_start_that_fails(hooked, command, error, step):
    """A failed start, with step and reason; the program is not run."""
    d = hooked(section(pre_start=command, backoff="fixed", backoff_delay="1h") + "[child:other]\ncommand = /bin/sleep 1000\n")
    node = d.wait_node("one", state="restarting")
    assert node["reason"] == "start_failed" and node["streak"] == 1
    assert node["start_error"] == {"step": "running pre_start", **({"error": error} if error else {})}
    assert ledger(d) == [] and d.node("other")["state"] == "running"
    hook, failed = [event for event in d.call("events")["events"] if event["type"] in ("child.hook", "child.start_failed")]
    assert hook["hook"] == "pre_start" and hook.get("error") == error and hook.get("step") == step
    assert (hook.get("exit") is None) == bool(error)
    assert failed["step"] == "running pre_start" and failed.get("error") == error
    assert any("running pre_start" in line for line in d.call("why", path="one")["text"])
    assert "one: could not run pre_start: executing the command" in d.log() if error else "one: pre_start " in d.log()


def test_others_that_fail_change_nothing(hooked):
    d = hooked(section(stop_command="/nowhere/at/all", post_stop="/bin/false"))
    wait_up(d)
    d.call("stop", path="one", wait=True)
    assert d.node("one")["state"] == "stopped" and d.node("one")["exit"]["signal"] == "TERM"
    assert "one: could not run stop_command: executing the command /nowhere/at/all: No such file or directory (ENOENT)" in d.log()
    assert "one: post_stop exited with status 1" in d.log()


def slow(name):
    """Waits for ever, and so does another process of its group."""
    return f"/bin/sh -c 'echo $COPPICE_HOOK >> {name}; sleep 1000 & echo $! > {name}.sleep; echo $$ > {name}.shell; wait'"


def pids(d, name="one"):
    return [int((d.dir / f"{name}.{which}").read_text()) for which in ("sleep", "shell")]


def gone(pid):
    return (one := process(pid)) is None or one.zombie


@pytest.mark.parametrize("keys", [{"hook_timeout": "200ms"}, {"start_timeout": "200ms"}])
def test_pre_start_that_is_too_slow(hooked, keys):
    """start_timeout covers it; it is killed with its group."""
    d = hooked(section(pre_start=slow("one"), backoff="fixed", backoff_delay="1h", **keys))
    node = d.wait_node("one", state="restarting")
    assert [node["reason"]] == list(keys) and node["streak"] == 1
    until("the end of its group", lambda: all(map(gone, pids(d))))
    assert ledger(d) == ["pre_start"]


def test_stop_command_that_is_too_slow(hooked):
    d = hooked(section(stop_command=slow("one"), hook_timeout="200ms"))
    pid = wait_up(d)["pid"]
    d.call("stop", path="one")
    d.wait_node("one", state="stopping", hook="stop_command", pid=pid)
    d.wait_node("one", state="stopped")
    assert ledger(d) == PRE + ["run", "stop_command"] + POST and d.node("one")["exit"]["signal"] == "TERM"
    until("the end of its group", lambda: all(map(gone, pids(d))))


def test_post_stop_that_is_too_slow(hooked):
    d = hooked(section(post_stop=slow("one"), hook_timeout="200ms", backoff="none"))
    os.kill(wait_up(d)["pid"], signal.SIGKILL)
    wait_up(d, incarnation=2, streak=1)
    assert ledger(d) == PRE + ["run", "post_stop"] + PRE + ["run"]
    until("the end of its group", lambda: all(map(gone, pids(d))))


def test_what_a_hook_leaves_behind(hooked):
    """Its group is gone before anything comes of its end."""
    leave = "/bin/sh -c 'sleep 1000 & echo $! > one.sleep'"
    d = hooked(section(pre_start=leave))
    wait_up(d)
    until("the end of the sleep", lambda: gone(int((d.dir / "one.sleep").read_text())))


def test_what_a_hook_leaves_elsewhere(hooked):
    """Also under a session of its own, where there are cgroups: what post_stop leaves, and a pre_start that fails (FIELD 2.C.8)."""
    leave = "/bin/sh -c 'setsid sh -c \"echo \\$\\$ > {dir}/$COPPICE_HOOK.pid; exec sleep 1000\" & while [ ! -s $COPPICE_HOOK.pid ]; do sleep 0.01; done; exit 1'"
    d = hooked(section("one", post_stop=leave) + section("two", pre_start=leave, backoff="fixed", backoff_delay="1h"))
    d.wait_node("one", state="running")
    d.call("stop", path="one", wait=True)
    d.wait_node("two", state="restarting")
    if "cgroups below" not in d.log():
        pytest.skip("no cgroups here")
    for hook in ("post_stop", "pre_start"):
        pid = int((d.dir / f"{hook}.pid").read_text())
        until(f"the end of what {hook} left", lambda pid=pid: gone(pid))


def test_stop_command_that_ends_it(hooked):
    """No signal is sent then, and the command is not waited for."""
    d = hooked(section(stop_command="/bin/sh -c 'kill -INT $COPPICE_PID; exec sleep 1000'"))
    wait_up(d)
    d.call("stop", path="one", wait=True)
    assert d.node("one")["exit"]["signal"] == "INT" and ledger(d)[-2:] == POST
    assert not d.children()


def test_a_hook_that_runs_is_shown(hooked):
    d = hooked(section(gates=("pre_start", "stop_command", "post_stop")) + "[child:plain]\ncommand = /bin/sleep 1000\n")

    def shown(hook):
        why = " ".join(d.call("why", path="one")["text"])
        assert f"Its {hook} is running; it has 10s (hook_timeout)." in why, why
        said = subprocess.run([COPPICECTL, "-s", d.socket, "status", "one"], capture_output=True, text=True, check=False)
        assert f"{hook} is running" in said.stdout

    node = d.wait_node("one", state="starting", hook="pre_start")
    assert "pid" not in node
    shown("pre_start")
    open_gate(d, "pre_start")
    pid = d.wait_node("one", state="running", hook=None)["pid"]
    d.call("stop", path="one")
    d.wait_node("one", state="stopping", hook="stop_command", pid=pid)
    shown("stop_command")
    open_gate(d, "stop_command")
    node = d.wait_node("one", state="stopping", hook="post_stop")
    assert "pid" not in node
    shown("post_stop")
    open_gate(d, "post_stop")
    d.wait_node("one", state="stopped", hook=None)
    assert "hook" not in d.node("plain")


def test_an_operator_does_not_wait_for_pre_start(hooked):
    """FIELD 2.A.3: a stop during a set-up script."""
    d = hooked(section(gates=("pre_start",), post_stop=None))
    d.wait_node("one", hook="pre_start")
    until("it to write so", lambda: "pre_start" in ledger(d))
    begun = time.monotonic()
    d.call("stop", path="one", wait=True)
    assert d.node("one")["state"] == "stopped"
    assert time.monotonic() - begun < 5
    assert ledger(d) == ["pre_start"] and "start_error" not in d.node("one")
    until("nothing of it", lambda: not d.children())


@pytest.mark.parametrize("gate", ["stop_command", "post_stop"])
def test_stop_now_ends_them(hooked, gate):
    d = hooked(section(gates=(gate,)))
    wait_up(d)
    d.call("stop", path="one")
    d.wait_node("one", hook=gate)
    until("it to write so", lambda: gate in ledger(d))
    d.call("stop", path="one", now=True)
    d.wait_node("one", state="stopped")
    assert ledger(d) == PRE + ["run"] + (["stop_command"] if gate == "stop_command" else STOP + ["post_stop"])
    until("nothing of it", lambda: not d.children())


def test_shutdown_with_a_hook_that_does_not_end(hooked):
    """A second SIGINT kills everything, hooks too (FIELD 2.A.20)."""
    d = hooked(section(gates=("stop_command",), hook_timeout="infinity"))
    wait_up(d)
    d.signal(signal.SIGINT)
    d.wait_node("one", hook="stop_command")
    d.signal(signal.SIGINT)
    assert d.wait() == 0 and not d.family()


def test_a_start_during_post_stop_waits(hooked):
    d = hooked(section(gates=("post_stop",), hook_timeout="1m"))
    os.kill(wait_up(d)["pid"], signal.SIGKILL)
    d.wait_node("one", hook="post_stop")
    d.call("start", path="one")
    assert d.node("one")["state"] == "stopping"
    open_gate(d, "post_stop")
    node = wait_up(d, incarnation=2)
    assert node["streak"] == 0 and node["restarts"] == 0 and d.node("/")["restarts_in_window"] == 0
    assert ledger(d) == PRE + ["run"] + POST + PRE + ["run"]


def test_a_group_waits_for_post_stop(hooked):
    """A set starts when all its members are down, hooks included."""
    d = hooked("[supervisor:/]\nstrategy = one_for_all\nchild.backoff = none\n" + section("one", gates=("post_stop",), hook_timeout="1m")
               + section("two"))
    wait_up(d, "two")
    os.kill(d.node("two")["pid"], signal.SIGKILL)
    d.wait_node("one", hook="post_stop")
    assert d.node("two")["state"] == "restarting" and len(ledger(d, "two")) == 5
    open_gate(d, "post_stop")
    wait_up(d, "two", 2)
    assert ledger(d) == PRE + ["run"] + STOP + POST + PRE + ["run"]
    assert d.node("/")["restarts_in_window"] == 1


# --- ours may die --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("directory", [None, "{dir}"], ids=["direct", "by a thread"])
def test_the_engine_dies_while_one_runs(hooked, directory):
    """kill -9 of the engine in the middle of each: none is lost, none runs twice."""
    d = hooked(section(gates=("pre_start", "stop_command", "post_stop"), hook_timeout="1m", start_timeout="1m", directory=directory))
    for hook, state in (("pre_start", "starting"), ("stop_command", "stopping"), ("post_stop", "stopping")):
        until(f"{hook} to begin", lambda hook=hook: hook in ledger(d))
        before = {one.pid for one in d.children() if "hook" in one.argv}
        for _ in range(2):
            d.kill_engine()
            d.wait_node("one", state=state, hook=hook)
        assert {one.pid for one in d.children() if "hook" in one.argv} == before and len(before) == 1
        open_gate(d, hook)
        if hook == "pre_start":
            wait_up(d)
            d.call("stop", path="one")
    d.wait_node("one", state="stopped")
    assert ledger(d) == PRE + ["run"] + STOP + POST
    assert d.node("one")["incarnation"] == 1


def test_the_engine_dies_and_the_hook_fails(hooked):
    """The next one finds what the very first pre_start has left under another session, where there are cgroups (FIELD 2.C.8)."""
    leave = "/bin/sh -c 'setsid sh -c \"echo \\$\\$ > {dir}/left; exec sleep 1000\" & while [ ! -e {dir}/gate ]; do sleep 0.01; done; exit 1'"
    d = hooked(section(pre_start=leave, backoff="fixed", backoff_delay="1h", hook_timeout="1m", start_timeout="1m"))
    if "cgroups below" not in d.log():
        pytest.skip("no cgroups here")
    pid = int(until("what is left", lambda: (d.dir / "left").exists() and (d.dir / "left").read_text().strip()))
    d.kill_engine()
    open_gate(d, "gate")
    d.wait_node("one", state="restarting")
    until("the end of what pre_start left", lambda: gone(pid))


@pytest.mark.parametrize("hook", ["pre_start", "stop_command", "post_stop"])
def test_a_hook_that_ends_while_there_is_no_engine(hooked, hook):
    """What it ended with is not lost either."""
    d = hooked(section(gates=(hook,), hook_timeout="1m", start_timeout="1m", backoff="fixed", backoff_delay="1h",
                       **{hook: f"/bin/sh -c 'echo {hook} >> one; while [ ! -e {hook} ]; do sleep 0.01; done; exit 5'"}))
    if hook != "pre_start":
        d.wait_node("one", state="running")
        d.call("stop", path="one")
    d.wait_node("one", hook=hook)
    old = d.engine()
    os.kill(old, signal.SIGSTOP)
    open_gate(d, hook)
    until("the end of the hook", lambda: not [one for one in d.children() if not one.zombie and "-c" in one.argv])
    os.kill(old, signal.SIGKILL)
    d.wait_node("one", state="restarting" if hook == "pre_start" else "stopped")
    told = [event for event in d.call("events")["events"] if event["type"] == "child.hook" and event["hook"] == hook]
    assert [event["exit"]["code"] for event in told] == [5]
    assert ledger(d).count(hook) == 1


def test_storm(hooked):
    """The engine is killed again and again while children with hooks come and go: each life has each of its hooks once."""
    dice = random.Random(SEED)
    print("COPPICE_SEED", SEED)
    crash = "/bin/sh -c 'echo run >> %n; sleep 0.0$(( $$ %% 10 ))'"
    hook = "/bin/sh -c 'echo $COPPICE_HOOK >> %n; [ $(( $$ %% 3 )) = 0 ] && sleep 0.0$(( $$ %% 10 )); echo $COPPICE_HOOK over >> %n; exit 0'"
    d = hooked("[supervisor:/]\nintensity = 60000\nperiod = 1s\nchild.backoff = none\n" + "".join(f"""
[child:{name}]
command = {crash}
directory = {directory}
instances = 5
pre_start = {hook}
stop_command = {hook}
post_stop = {hook}
""" for name, directory in (("direct", ""), ("thread", "{dir}"))).replace("directory = \n", ""))
    nodes = [f"{name}@{n}" for name in ("direct", "thread") for n in range(1, 6)]
    for _ in range(20):
        time.sleep(dice.uniform(0.01, 0.15))  # no synchronisation: when to strike
        engine = engine_of(d)
        if engine:
            os.kill(engine, signal.SIGKILL)
        until("an engine that answers", d.engine)
    for path in nodes:
        d.call("stop", path=path, wait=True)
    life = "pre_start\npre_start over\nrun\npost_stop\npost_stop over\n"
    # the last one, by how far it had come; what is ended may not have written yet, and the program writes when it gets to it
    last = ("(pre_start\n(pre_start over\n)?|"
            "pre_start\npre_start over\n(run\n)?(stop_command\n(run\n)?(stop_command over\n(run\n)?)?)?post_stop\npost_stop over\n)?")
    for path in nodes:
        text = "\n".join(ledger(d, path) + [""])
        rest = text[re.match(f"({life})*", text).end() :]
        assert re.fullmatch(last, rest) and rest.split("\n").count("run") <= 1, f"{path}: {rest[:200]!r}"
        assert d.node(path)["state"] == "stopped"
    assert not d.call("ping").get("hold")


def test_hold(hooked):
    """Nothing is started; but who ends has its post_stop, and who is told to stop its hooks."""
    # a long tree, that recovery may take some time
    rest = "".join(f"[child:idle{n}]\ncommand = /bin/true\nautostart = no\n" for n in range(1500))
    d = hooked(section("one", backoff="none") + section("two") + rest)
    wait_up(d, "two")
    hold(d)
    os.kill(d.node("one")["pid"], signal.SIGKILL)
    d.wait_node("one", state="restarting")
    d.call("stop", path="two", wait=True)
    assert ledger(d) == PRE + ["run"] + POST and ledger(d, "two") == PRE + ["run"] + STOP + POST
    d.call("start", path="/")
    wait_up(d, incarnation=2)
    assert ledger(d) == PRE + ["run"] + POST + PRE + ["run"]


def hold(d):
    """Three engines in a row die before they have recovered."""
    last = d.engine()
    os.kill(last, signal.SIGKILL)
    for _ in range(3):
        last = until("the next engine", lambda: (engine := engine_of(d)) != last and engine, pause=0)
        os.kill(last, signal.SIGABRT)
    d.wait_log("the next one starts with --hold")
    until("an engine that holds", lambda: d.call("ping").get("hold"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_hook_that_hangs_before_exec(daemon):
    """On a directory that does not answer: given up, told at which step, and nobody else is held up."""
    d = daemon(start=False)
    with hung_mount(d.dir / "hung", "deaf"):
        d.write_config("[child:steady]\ncommand = /bin/sleep 1000\n"
                       f"[child:hung]\ncommand = /bin/sleep 1000\npre_start = /bin/true\ndirectory = {d.dir}/hung/x\n"
                       "hook_timeout = 200ms\nbackoff = fixed\nbackoff_delay = 50ms\n")
        d.start()
        d.wait_node("steady", state="running")
        d.wait_node("hung", streak=lambda n: n >= 2)
        hook = [event for event in d.call("events")["events"] if event["type"] == "child.hook"][0]
        # by its own word, or when nothing is heard of it: whichever comes first
        assert hook["step"] in ("entering the directory", "starting it took too long and was given up")
        assert hook["error"] in ("EINTR", "ETIMEDOUT")
        assert d.node("steady")["state"] == "running"


def test_without_the_reaper(orphan):  # pylint: disable=redefined-outer-name
    """The engine goes on alone, with hooks as with children."""
    hook = "/bin/sh -c 'echo $COPPICE_HOOK >> one'"
    o = orphan("[child:one]\ncommand = /bin/sleep 1000\nbackoff = none\n" + "".join(
        f"{name} = {hook}\n" for name in ("pre_start", "stop_command", "post_stop")))
    d = o.d
    os.kill(d.node("one")["pid"], signal.SIGKILL)
    d.wait_node("one", state="running", incarnation=2)
    d.call("stop", path="one", wait=True)
    assert ledger(d) == ["pre_start", "post_stop", "pre_start", "stop_command", "post_stop"]


def test_the_reaper_dies_while_one_runs(orphan):  # pylint: disable=redefined-outer-name
    gate = "/bin/sh -c 'echo $COPPICE_HOOK >> one; while [ ! -e gate ]; do sleep 0.01; done; exit 0'"
    o = orphan(f"[child:one]\ncommand = /bin/sleep 1000\nbackoff = none\nhook_timeout = 1m\npost_stop = {gate}\n", kill=False)
    d = o.d
    os.kill(d.node("one")["pid"], signal.SIGKILL)
    d.wait_node("one", hook="post_stop")
    o.watched = False
    o.kill_reaper()
    (d.dir / "gate").touch()
    d.wait_node("one", state="running", incarnation=2)
    assert ledger(d) == ["post_stop"]
