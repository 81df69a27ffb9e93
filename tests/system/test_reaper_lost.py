"""kill -9 of the reaper costs no child: the engine goes on without it (coppiced(8), Reaper and engine).

The daemon runs below a guardian, a subreaper as the first process of a machine is one: when the reaper is killed its children
become the guardian's, which waits for them, or, told to neglect them, does not.
"""

import json
import os
import platform
import re
import resource
import signal
import subprocess
import sys

import pytest

from conftest import COPPICECTL, children, descriptors, process, until

GUARDIAN = """
import ctypes, os, signal, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
neglect = len(sys.argv[1]) > 0
first = os.fork()
if first == 0:
    os.execv(sys.argv[2], sys.argv[2:])
while neglect:
    time.sleep(1000)
while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        sys.exit(0)
    with open("ends", "a") as ends:
        ends.write(f"{pid} {os.waitstatus_to_exitcode(status)}\\n")
"""

KERNEL = tuple(int(part) for part in re.match(r"(\d+)\.(\d+)", platform.release()).groups())
UNKNOWN = {"unknown": True}

TREE = """
[child:idle]
command = /bin/sleep 1000
instances = 20
backoff = none

[child:loud]
command = /bin/sh -c 'trap "exit 9" USR1; echo up > loud; while :; do sleep 0.02; done'
backoff = none

# directory: started by a spawner thread
[child:slow]
command = /bin/sleep 1000
directory = /
backoff = none
"""


def code(number):
    return {"code": number, "core_dumped": False}


def killed_by(name):
    return {"signal": name, "core_dumped": False}


def end_seen(seen, true):
    """Whether a node's `exit` is what it should be, for a process that was not the engine's own child."""
    return seen == true or (KERNEL < (6, 15) and seen == UNKNOWN)


class Orphan:
    """A daemon whose reaper has been killed."""

    def __init__(self, daemon, config, neglect=False, kill=True, watched=True, **kwargs):
        self.watched = watched
        self.d = daemon(config, wrapper=[sys.executable, "-c", GUARDIAN, "neglect" if neglect else ""], **kwargs)
        self.d.wait_node("/", state="running")
        ping = self.d.call("ping")
        self.reaper, self.engine = ping["pid"], ping["engine_pid"]
        self.before = self.d.nodes()
        if kill:
            self.kill_reaper()

    def kill_reaper(self):
        os.kill(self.reaper, signal.SIGKILL)
        until("the engine to notice", lambda: self.d.call("ping").get("reaper_lost"))
        if self.watched:  # what ends before that may have a status that nobody knows
            until("the engine to watch all", lambda: self.pidfds() == len(self.running()))

    def pidfds(self):
        return len([target for target in descriptors(self.engine).values() if "pidfd" in target])

    def running(self):
        return {path: node["pid"] for path, node in self.before.items() if node.get("pid")}

    def zombies(self):
        return [one for one in children(self.engine) if one.zombie]

    def wait_end(self):
        """The engine's exit status, which the guardian has noted."""
        def look():
            path = self.d.dir / "ends"
            return re.search(rf"^{self.engine} (-?\d+)$", path.read_text(), re.M) if path.exists() else None
        return int(until(lambda: f"the end of the engine; the log:\n{self.d.log()}", look).group(1))


def gone(pid):
    one = process(pid)
    return one is None or one.zombie


@pytest.fixture
def orphan(daemon):
    made = []

    def make(config=TREE, **kwargs):
        made.append(Orphan(daemon, config, **kwargs))
        return made[-1]

    yield make
    for one in made:
        if not gone(one.engine) and process(one.engine).name == "coppice-engine":  # else somebody else has its number now
            os.kill(one.engine, signal.SIGKILL)


def test_no_child_is_touched(orphan):
    o = orphan()
    d = o.d
    assert d.call("ping")["engine_pid"] == o.engine, "it is the same engine"
    assert d.call("ping")["pid"] == o.engine, "who is to be signalled now"
    for path, pid in o.running().items():
        node = d.node(path)
        assert (node["pid"], node["incarnation"], node["state"]) == (pid, 1, "running"), node
        assert process(pid) and not process(pid).zombie


def test_it_is_said(orphan):
    o = orphan("[child:one]\ncommand = /bin/sleep 1000\n")
    notice = "reaper lost, restart when convenient"
    assert o.d.call("status")["notice"] == notice
    assert o.d.call("tree")["notice"] == notice
    assert len(re.findall(notice, o.d.log())) == 1
    run = subprocess.run([COPPICECTL, "-s", o.d.socket, "status"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 0 and notice in run.stderr and notice not in run.stdout
    run = subprocess.run([COPPICECTL, "-s", o.d.socket, "status", "--json"], capture_output=True, text=True, timeout=20)
    reply = json.loads(run.stdout)
    assert reply.get("result", reply)["notice"] == notice and not run.stderr


def test_nothing_is_said_before(orphan):
    o = orphan("[child:one]\ncommand = /bin/sleep 1000\n", kill=False)
    assert "notice" not in o.d.call("status") and "reaper_lost" not in o.d.call("ping")


def test_former_children_are_restarted_with_their_status(orphan):
    o = orphan()
    d = o.d
    until("the trap", lambda: (d.dir / "loud").exists())
    os.kill(o.running()["idle@3"], signal.SIGKILL)
    os.kill(o.running()["slow"], signal.SIGSEGV)
    os.kill(o.running()["loud"], signal.SIGUSR1)
    for path, true in (("idle@3", killed_by("KILL")), ("loud", code(9)), ("slow", None)):
        node = d.wait_node(path, state="running", incarnation=2)
        assert node["pid"] != o.running()[path] and node["restarts"] == 1
        if true:
            assert end_seen(node["exit"], true), node
        else:  # whether it dumped core is this machine's affair
            assert node["exit"].get("signal") == "SEGV" or end_seen(node["exit"], None), node
        assert process(node["pid"]).parent == o.engine
    others = set(o.running()) - {"idle@3", "loud", "slow"}
    assert all(d.node(path)["incarnation"] == 1 for path in others)


def test_own_children_are_waited_for(orphan):
    """As the reaper did: true statuses on every kernel, no zombies, and orphans too."""
    o = orphan()
    d = o.d
    until("the trap", lambda: (d.dir / "loud").exists())
    (d.dir / "loud").unlink()
    for path in ("loud", "slow", "idle@1"):
        d.call("restart", path=path, wait=True)
    until("the trap", lambda: (d.dir / "loud").exists())
    os.kill(d.node("loud")["pid"], signal.SIGUSR1)
    os.kill(d.node("slow")["pid"], signal.SIGKILL)
    os.kill(d.node("idle@1")["pid"], signal.SIGALRM)
    for path, true in (("loud", code(9)), ("slow", killed_by("KILL")), ("idle@1", killed_by("ALRM"))):
        node = d.wait_node(path, state="running", incarnation=3)
        assert node["exit"] == true, node
    until("no zombies", lambda: not o.zombies())


def test_orphans_of_own_children_come_to_the_engine(orphan):
    o = orphan("[child:one]\ncommand = /bin/sh -c '(setsid sleep 1000 & echo $! > orphan.$$); exec sleep 1000'\n")
    d = o.d
    note = d.dir / f"orphan.{d.call('restart', path='one', wait=True)['pid']}"
    number = int(until("the orphan", lambda: note.exists() and note.read_text()))
    until("it to be the engine's", lambda: process(number).parent == o.engine)
    os.kill(number, signal.SIGKILL)
    until("it to be waited for", lambda: process(number) is None)
    assert d.node("one")["incarnation"] == 2


@pytest.mark.parametrize("form", ["", "directory = /"])
def test_failures_to_start(orphan, form):
    o = orphan(f"[child:bad]\ncommand = ./program\nautostart = no\nbackoff = none\n{form}\n"
               "[supervisor:/]\nintensity = 3\non_limit = backoff\n")
    o.d.call("start", path="bad")
    node = o.d.wait_node("bad", start_error=lambda error: error)
    assert node["start_error"]["error"] == "ENOENT"
    until("no zombies", lambda: not o.zombies())
    o.d.call("stop", path="bad", wait=True)


def test_storm(orphan):
    """Children that end all the time, some in threads' hands: every end is counted, nothing is left."""
    o = orphan("""
[supervisor:/]
intensity = 65535
period = 1s
child.backoff = none
[child:direct]
command = /bin/sh -c 'exit 7'
instances = 10
[child:thread]
command = /bin/sh -c 'exit 8'
directory = /
instances = 10
""", watched=False)
    d = o.d
    begun = {path: node["incarnation"] for path, node in d.nodes().items()}
    for path in begun:
        if path == "/":
            continue
        d.wait_node(path, incarnation=lambda now, path=path: now > begun[path] + 20)
    d.call("stop", path="/", wait=True)
    for path, node in d.nodes().items():
        if path != "/":
            assert node["exit"] in (code(8 if path.startswith("thread") else 7), killed_by("TERM")), node
    until("no zombies", lambda: not o.zombies())
    assert not children(o.engine)
    unknown = re.findall(r"(.*): (?:ended|exited).*unknown", d.log())
    assert len(unknown) <= 20, "only those that ended around the death of the reaper"


def test_ends_before_the_reaper_was_lost(orphan):
    """An exit that is still in the link is read; one that the reaper took with it becomes an unknown end (FIELD 2.G.6)."""
    o = orphan("[child:one]\ncommand = /bin/sleep 1000\ninstances = 3\nbackoff = none\n", kill=False)
    d = o.d
    os.kill(o.engine, signal.SIGSTOP)
    os.kill(o.running()["one@1"], signal.SIGKILL)
    until("the reaper to send it", lambda: process(o.running()["one@1"]) is None)
    os.kill(o.reaper, signal.SIGSTOP)
    os.kill(o.running()["one@2"], signal.SIGKILL)
    os.kill(o.reaper, signal.SIGKILL)
    until("nobody to be left", lambda: process(o.running()["one@2"]) is None)
    os.kill(o.engine, signal.SIGCONT)
    first, second = (d.wait_node(path, state="running", incarnation=2) for path in ("one@1", "one@2"))
    assert first["exit"] == killed_by("KILL")
    assert second["exit"] == UNKNOWN
    assert d.node("one@3")["pid"] == o.running()["one@3"]


def test_nobody_waits_for_the_former_children(orphan):
    """Where the first process is no good one: the ends are seen all the same, after a while."""
    o = orphan("[child:one]\ncommand = /bin/sleep 1000\nbackoff = none\ninstances = 2\n", neglect=True)
    for path, pid in o.running().items():
        os.kill(pid, signal.SIGKILL)
        node = o.d.wait_node(path, state="running", incarnation=2)
        assert node["exit"] == UNKNOWN
        assert process(pid).zombie


def test_stop_start_restart(orphan):
    o = orphan()
    d = o.d
    d.call("stop", path="idle@2", wait=True)
    assert d.node("idle@2")["state"] == "stopped" and process(o.running()["idle@2"]) is None
    d.call("start", path="idle@2", wait=True)
    d.call("restart", path="loud", wait=True)
    assert d.node("idle@2")["state"] == "running" and d.node("loud")["pid"] != o.running()["loud"]
    d.call("restart", path="/", wait=True)
    for path in o.running():
        node = d.node(path)
        assert node["state"] == "running" and process(node["pid"]).parent == o.engine
        assert process(o.running()[path]) is None
    until("no zombies", lambda: not o.zombies())


DEAF = """
[child:deaf]
command = /bin/sh -c 'trap "" TERM; echo ready > deaf; while :; do sleep 0.05; done'
stop = TERM 300ms KILL
"""


def test_shutdown_by_command(orphan):
    o = orphan(TREE + DEAF)
    until("the trap", lambda: (o.d.dir / "deaf").exists())
    o.d.call("restart", path="slow", wait=True)
    pids = list(o.running().values()) + [o.d.node("slow")["pid"]]
    o.d.call("shutdown")
    assert o.wait_end() == 0
    assert all(gone(pid) for pid in pids)
    assert not o.d.socket.exists()
    assert o.d.wait() == 0, "the guardian has no children left"
    assert not o.d.family()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGPWR, signal.SIGRTMIN + 3])
def test_shutdown_by_signal(orphan, number):
    o = orphan()
    os.kill(o.engine, number)
    assert o.wait_end() == 0
    assert o.d.wait() == 0
    assert not o.d.family() and not o.d.socket.exists()


def test_other_signals(orphan):
    o = orphan("[child:one]\ncommand = /bin/sleep 1000\n")
    os.kill(o.engine, signal.SIGHUP)
    o.d.wait_log("SIGHUP: reload")
    os.kill(o.engine, signal.SIGUSR2)
    o.d.wait_log(r"one: running.*pid \d+")
    o.d.socket.unlink()
    os.kill(o.engine, signal.SIGUSR1)
    until("the socket", lambda: o.d.socket.exists())
    o.d.kept = None
    assert o.d.node("one")["pid"] == o.running()["one"]
    assert "the reaper does not" not in o.d.log()


@pytest.mark.parametrize("former", [True, False])
def test_status_of_the_daemon(orphan, former):
    """What the reaper would have exited with: here the status of a significant child."""
    o = orphan("""
[supervisor:/]
auto_shutdown = any_significant
[child:main]
command = /bin/sh -c 'trap "exit 5" USR1; echo up > main; while :; do sleep 0.02; done'
restart = temporary
significant = yes
[child:other]
command = /bin/sleep 1000
""")
    until("the trap", lambda: (o.d.dir / "main").exists())
    if not former:
        (o.d.dir / "main").unlink()
        o.d.call("restart", path="main", wait=True)
        until("the trap", lambda: (o.d.dir / "main").exists())
    os.kill(o.d.node("main")["pid"], signal.SIGUSR1)
    status = o.wait_end()
    assert status == 5 or (former and KERNEL < (6, 15))
    assert o.d.wait() == 0 and not o.d.family()


def test_few_descriptors(orphan):
    """More processes than descriptors: those without a pidfd are looked at."""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
    o = orphan("[child:many]\ncommand = /bin/sleep 1000\ninstances = 300\nbackoff = none\n",
               preexec_fn=few, watched=False)
    o.d.wait_log("cannot be watched")
    assert len(descriptors(o.engine)) <= 400 - 200
    for path in ("many@1", "many@299", "many@300"):
        os.kill(o.running()[path], signal.SIGKILL)
        node = o.d.wait_node(path, state="running", incarnation=2)
        assert end_seen(node["exit"], killed_by("KILL")) or node["exit"] == UNKNOWN
    assert len(re.findall("cannot be watched", o.d.log())) == 1
    assert sum(node["restarts"] for path, node in o.d.nodes().items() if path != "/") == 3


def test_many(orphan):
    """All of a thousand at once."""
    o = orphan("""
[supervisor:/]
intensity = 65535
[child:many]
command = /bin/sleep 1000
instances = 1000
backoff = none
""")
    for pid in o.running().values():
        os.kill(pid, signal.SIGKILL)

    def restarted():
        nodes = [node for node in o.d.nodes().values() if node["kind"] == "child"]
        return nodes if all(node["incarnation"] == 2 and node["state"] == "running" for node in nodes) else None
    nodes = until("all to run again", restarted, timeout=60)
    assert len(nodes) == 1000 and all(end_seen(node["exit"], killed_by("KILL")) for node in nodes)
    until("no zombies", lambda: not o.zombies())
    assert o.pidfds() == 0
