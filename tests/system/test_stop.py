"""How children and the daemon are stopped, and what the daemon then exits with (SEMANTICS, Stopping and Automatic shutdown).

The children write what they are told into files, one line at a time; /proc says who is left.
"""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from conftest import COPPICED, HELPERS, RpcError, process, until

CHILD = HELPERS / "child"

# Writes each signal that it gets into NAME.got and goes on, unless it is told to leave at one of them.
LISTENER = r"""#!/bin/sh
# listener NAME SIGNAL-TO-LEAVE-AT
for s in HUP INT QUIT USR1 USR2 TERM; do
	if [ "$s" = "$2" ]; then trap "echo $s >> $1.got; exit 0" $s; else trap "echo $s >> $1.got" $s; fi
done
echo $$ > $1.up
while :; do sleep 1000 & wait; done
"""


@pytest.fixture
def listening(daemon):
    """listening(config) → a daemon whose directory has the listener; its children are up."""
    def make(config, coppice="", names=("one",), **kwargs):
        d = daemon(start=False, **kwargs)
        (d.dir / "listener").write_text(LISTENER)
        (d.dir / "listener").chmod(0o755)
        d.write_config(config, coppice)
        d.start()
        for name in names:
            until(f"the traps of {name}", lambda: (d.dir / f"{name}.up").exists() and (d.dir / f"{name}.up").read_text())
        return d
    return make


def got(d, name="one"):
    path = d.dir / f"{name}.got"
    return path.read_text().split() if path.exists() else []


def one(keys="", name="one", leave="NONE"):
    return f"[child:{name}]\ncommand = ./listener {name} {leave}\nlog = null\n{keys}\n"


def timed(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


# --- one child ---------------------------------------------------------------------------------------------------


def test_sequence(listening):
    """Each signal, its wait, the next; the last one ends it."""
    d = listening(one("stop = USR1 100ms TERM 200ms INT 100ms KILL"))
    took = timed(lambda: d.call("stop", path="one", wait=True))
    assert got(d) == ["USR1", "TERM", "INT"]
    assert d.node("one")["exit"]["signal"] == "KILL"
    assert 0.39 < took < 2


def test_sequence_ends_when_the_child_does(listening):
    d = listening(one("stop = USR1 50ms TERM 10s KILL", leave="TERM"))
    assert timed(lambda: d.call("stop", path="one", wait=True)) < 5
    assert got(d) == ["USR1", "TERM"] and d.node("one")["exit"] == {"code": 0, "core_dumped": False}


@pytest.mark.parametrize("stop, signals", [("graceful(200ms)", ["TERM"]), ("immediate", []), ("KILL", []),
                                           ("SIGHUP 100ms KILL", ["HUP"]), ("15 100ms 9", ["TERM"])])
def test_names_of_sequences(listening, stop, signals):
    d = listening(one(f"stop = {stop}"))
    d.call("stop", path="one", wait=True)
    assert got(d) == signals and d.node("one")["exit"]["signal"] == "KILL"


def test_stop_now(listening):
    """Goes to KILL, also in the middle of a patient stop."""
    d = listening(one("stop = TERM infinity"))
    d.call("stop", path="one")
    until("the TERM", lambda: got(d) == ["TERM"])
    assert d.node("one")["state"] == "stopping"
    assert timed(lambda: d.call("stop", path="one", now=True, wait=True)) < 2
    assert d.node("one")["exit"]["signal"] == "KILL" and got(d) == ["TERM"]
    assert d.call("stop", path="one", wait=True) is not None, "a second stop is no error"


def test_stopped_child_is_continued(daemon):
    """A TERM to a process that is SIGSTOPped would wait for ever."""
    d = daemon("[child:one]\ncommand = /bin/sleep 1000\nstop = TERM infinity\n")
    pid = d.wait_node("one", state="running")["pid"]
    os.kill(pid, signal.SIGSTOP)
    until("the stop", lambda: process(pid).state == "T")
    assert d.node("one")["state"] == "running"
    d.call("stop", path="one", wait=True)
    assert d.node("one")["exit"]["signal"] == "TERM"


def members(d, name="one"):
    """The process group of a child of ours that made another process."""
    pid = d.wait_node(name, state="running")["pid"]
    until("its own child", lambda: [p for p in d.family() if p.group == pid and p.pid != pid])
    return {p.pid for p in d.family() if p.group == pid} - {pid}


FORKER = f"{CHILD} fork 1000000 sleep 1000000"
BOTH = '''/bin/sh -c "./listener other TERM & exec ./listener one TERM"'''


@pytest.mark.parametrize("mode, survives", [("tree", False), ("group", False), ("process", True)])
def test_what_outlives_its_main_process(daemon, mode, survives):
    """Whether it was stopped or died by itself (FIELD 1.F.27)."""
    d = daemon(f"[child:one]\ncommand = {FORKER}\nlog = null\nkill_mode = {mode}\nbackoff = none\n")
    for end in (lambda: d.call("stop", path="one", wait=True), lambda: os.kill(d.node("one")["pid"], signal.SIGKILL)):
        others = members(d)
        before = d.node("one")["incarnation"]
        end()
        if d.node("one")["state"] != "stopped":
            d.wait_node("one", incarnation=before + 1, state="running")
        if survives:
            assert all(process(pid) and not process(pid).zombie for pid in others)
        else:
            until("the end of all", lambda: not any(process(pid) for pid in others))
        d.call("start", path="one", wait=True)


@pytest.mark.parametrize("group", ["yes", "no"])
def test_whom_the_signals_reach(listening, group):
    d = listening(f"[child:one]\ncommand = {BOTH}\nlog = null\nstop = USR1 100ms TERM 5s KILL\nstop_group = {group}\n",
                  names=("one", "other"))
    d.call("stop", path="one", wait=True)
    assert got(d)[:1] == ["USR1"] and got(d)[-1] == "TERM"
    assert got(d, "other")[:1] == (["USR1"] if group == "yes" else [])


def test_signal_reaches_the_main_process(listening):
    d = listening(one())
    d.call("signal", path="one", signal="USR2")
    until("it", lambda: got(d) == ["USR2"])
    with pytest.raises(RpcError):
        d.call("signal", path="one", signal="NOSUCH")
    d.call("stop", path="one", now=True, wait=True)
    with pytest.raises(RpcError):
        d.call("signal", path="one", signal="USR2")


def test_orphans_do_not_pile_up(daemon):
    """What double-forked away is the reaper's when it ends."""
    d = daemon(f"[child:one]\ncommand = {CHILD} daemon 50 daemon 50 sleep 1000000\nlog = null\n")
    pid = d.wait_node("one", state="running")["pid"]
    until("the orphans to be gone", lambda: {p.pid for p in d.children()} == {pid} and len(d.family()) == 3)


# --- the daemon --------------------------------------------------------------------------------------------------

THREE = "".join(one(name=name, leave="TERM") for name in ("one", "two", "three"))


def stop_order(d):
    """In the order in which they went."""
    return re.findall(r"coppiced\[\d+\]: (\S+): stopped", d.log())


@pytest.mark.parametrize("how", ["TERM", "INT", "PWR", "RTMIN+3", "shutdown"])
def test_shutdown(listening, how):
    """All stopped in reverse order, exit 0, nothing left, the socket gone."""
    d = listening("[supervisor:inner]\n" + THREE.replace("[child:two]", "[child:inner/two]"), names=("one", "two", "three"))
    if how == "shutdown":
        d.call("shutdown")
    else:
        d.signal(signal.SIGRTMIN + 3 if how == "RTMIN+3" else getattr(signal, f"SIG{how}"))
    assert d.wait() == 0
    assert [got(d, name) for name in ("one", "two", "three")] == [["TERM"]] * 3
    assert [path for path in stop_order(d) if path != "/"] == ["three", "one", "inner/two", "inner"]
    assert d.family() == [] and not d.socket.exists()


def test_shutdown_starts_nothing(listening):
    """Delays that run out meanwhile, crashes, operators: nothing is started any more."""
    d = listening("[child:loop]\ncommand = /bin/sh -c 'echo x >> loop; exit 1'\nbackoff = fixed\nbackoff_delay = 300ms\n"
                  + one("stop = TERM 1s KILL"))
    until("its first start", lambda: (d.dir / "loop").exists())
    d.signal(signal.SIGTERM)
    until("the TERM", lambda: got(d) == ["TERM"])
    count = (d.dir / "loop").read_text()
    with pytest.raises(RpcError):
        d.call("start", path="loop")
    assert d.wait() == 0
    assert (d.dir / "loop").read_text() == count


def test_second_interrupt_hurries(listening):
    d = listening(one("stop = TERM infinity"))
    d.signal(signal.SIGINT)
    until("the TERM", lambda: got(d) == ["TERM"])
    assert d.popen.poll() is None
    d.signal(signal.SIGTERM)
    d.call("ping")
    assert d.popen.poll() is None, "a second TERM is no hurry"
    d.signal(signal.SIGINT)
    assert timed(d.wait) < 2 and d.popen.returncode == 0
    assert d.family() == []


def test_shutdown_now(listening):
    d = listening(one("stop = TERM infinity"))
    d.call("shutdown", now=True)
    assert timed(d.wait) < 2 and d.popen.returncode == 0
    assert got(d) == []


def test_shutdown_timeout(listening):
    """Bounds the patience of all of them together (FIELD 1.C.18, 1.F.26)."""
    d = listening(one("stop = TERM infinity") + one("stop = TERM infinity", name="two"), "shutdown_timeout = 500ms",
                  names=("one", "two"))
    d.signal(signal.SIGTERM)
    assert 0.45 < timed(d.wait) < 3 and d.popen.returncode == 0
    assert d.family() == [] and got(d, "two") == ["TERM"]


def test_parallel_stop(listening):
    """FIELD 1.C.18"""
    d = listening("[supervisor:/]\nstop_order = parallel\nchild.stop = TERM 400ms KILL\n" + one() + one(name="two")
                  + one(name="three"), names=("one", "two", "three"))
    d.signal(signal.SIGTERM)
    assert 0.35 < timed(d.wait) < 1.1
    assert got(d) == got(d, "two") == got(d, "three") == ["TERM"]


# --- exit statuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command, status", [
    ("exit 0", 0), ("exit 5", 5), ("exit 255", 255), ("kill -KILL $$", 128 + 9), ("kill -TERM $$", 128 + 15)])
@pytest.mark.parametrize("nested", [False, True])
def test_status_of_the_significant_child(daemon, command, status, nested):
    """FIELD 1.A.1, 1.A.3: when what matters has ended, all ends, with its status."""
    path, above = ("job", "") if not nested else (
        "inner/job", "[supervisor:inner]\nrestart = temporary\nsignificant = yes\nauto_shutdown = any_significant\n")
    d = daemon(f"[supervisor:/]\nauto_shutdown = any_significant\n{above}[child:{path}]\ncommand = /bin/sh -c '{command}'\n"
               "restart = temporary\nsignificant = yes\n[child:other]\ncommand = /bin/sleep 1000\n")
    assert d.wait() == status
    assert d.family() == []


@pytest.mark.parametrize("config, status", [
    ("[supervisor:/]\non_limit = escalate\nintensity = 2\n[child:loop]\ncommand = /bin/false\nbackoff = none\n", 70),
    ("[supervisor:/]\non_limit = terminate\nintensity = 2\n[child:loop]\ncommand = /bin/false\nbackoff = none\n", 70),
    ("[supervisor:/]\nstrategy = escalate\n[child:loop]\ncommand = /bin/false\n", 70),
    ("[child:loop]\ncommand = /bin/sh -c 'exit 3'\nescalate_exit = 3\n", 70),
    ("[supervisor:/]\non_start_failure = abort\n[child:gone]\ncommand = /no/such/program\n", 70),
    ("[child:one]\ncomand = /bin/true\n", 78),
    ("[child:one]\ncommand = /bin/true\nuser = no-such-user-here\n", 78),
])
def test_statuses_of_failure(daemon, config, status):
    """FIELD 1.A.2: never 0 after an escalation."""
    d = daemon(config + "\n[child:steady]\ncommand = /bin/sleep 1000\n")
    assert d.wait() == status
    assert d.family() == []


@pytest.mark.parametrize("args, status", [(["--no-such-option"], 64), (["-c"], 64), (["-c", "/no/such/file"], 78)])
def test_statuses_of_usage(args, status):
    assert subprocess.run([COPPICED, *args], capture_output=True, timeout=20).returncode == status


def test_error_of_the_configuration_names_its_place(daemon):
    d = daemon("[child:one]\ncomand = /bin/true\n")
    assert d.wait() == 78
    assert re.search(rf"{re.escape(str(pathlib.Path(d.config)))}:\d+: \[child:one\] comand: .*did you mean \"command\"", d.log())
