"""kill -9 of the engine costs no child and no exit status (coppice-semantics(7), Recovery).

The children themselves keep the books: each appends a line to a ledger of its own when it starts and one just before it ends,
with the status it is about to end with. /proc says who is alive. What the daemon says is compared with both.
"""

import collections
import os
import pathlib
import random
import re
import signal
import threading
import time

import pytest

from conftest import children, descriptors, process, until
from test_children import small_place  # pylint: disable=unused-import

KILLS = int(os.environ.get("COPPICE_KILLS", "40"))
SEED = int(os.environ.get("COPPICE_SEED", "0")) or random.randrange(1 << 30)

# Lives for up to a second, then exits with a status that differs from life to life, or kills itself.
CRASHER = r"""
echo start $$ >> ledger.$1
trap "" TERM
sleep 0.$(( $$ % 10 ))$(( $$ / 10 % 10 ))
s=$(( $$ % 120 + 1 ))
if [ $(( $$ % 3 )) = 0 ]; then echo end $$ SIGKILL >> ledger.$1; kill -KILL $$; fi
echo end $$ $s >> ledger.$1
exit $s
"""

TREE = """
[supervisor:/]
on_limit = backoff

[child:still]
command = /bin/sleep 1000
instances = 20

[supervisor:storm]
intensity = 65535
period = 1s
child.backoff = none

[child:storm/crash]
command = /bin/sh crasher %n
instances = 50

# directory: started by a spawner thread
[child:storm/slow]
command = /bin/sh crasher %n
directory = {dir}
instances = 20
backoff = fixed
backoff_delay = 20ms

[child:storm/group]
command = /bin/sh -c "sleep 1000 & exec sleep 1000"
instances = 10
"""


def engine_of(daemon):
    """The engine that /proc shows, whatever it may be doing. Quick, so that it can be struck before it has recovered."""
    try:
        listed = pathlib.Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        found = [one for one in (process(int(pid)) for pid in listed) if one]
    except FileNotFoundError:  # a kernel without that file
        found = children(daemon.pid)
    for one in found:
        if one.name == "coppice-engine" and not one.zombie and not one.half_made:
            return one.pid
    return None


class Watch(threading.Thread):
    """Looks at the reaper's children all the time: no two live processes of one node."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_under_test = daemon
        self.over = threading.Event()
        self.doubled = collections.Counter()
        self.looks = 0

    def look(self):
        alive = collections.Counter()
        for one in children(self.daemon_under_test.pid):
            try:
                argv = one.argv
            except (FileNotFoundError, ProcessLookupError):
                continue
            again = process(one.pid)
            if argv[:2] == ["/bin/sh", "crasher"] and again and not again.zombie:
                alive[argv[2]] += 1
        return [name for name, count in alive.items() if count > 1]

    def run(self):
        while not self.over.is_set():
            self.looks += 1
            for name in self.look():
                # one dies while the next is born: /proc is no snapshot; two that stay are two
                if name in self.look():
                    self.doubled[name] += 1
            self.over.wait(0.02)


def ledgers(daemon):
    """{node name: [(pid, status or None while it runs)]}, in the order of the starts."""
    books = {}
    for path in daemon.dir.glob("ledger.*"):
        lives = []
        for line in path.read_text().splitlines():
            word, pid, *status = line.split()
            if word == "start":
                lives.append([int(pid), None])
            else:
                assert lives and lives[-1][0] == int(pid), f"{path.name}: {line} out of turn"
                lives[-1][1] = status[0]
        books[path.name.removeprefix("ledger.")] = lives
    return books


LINE = re.compile(r"^\S+ coppiced\[\d+\]: (\S+): (.*) \(start (\d+)\)$", re.M)
STARTED = re.compile(r"^\S+ coppiced\[\d+\]: (\S+): started \(pid (\d+), start (\d+)\)$", re.M)


def logged_ends(daemon):
    """{path: {incarnation: {text of the end}}}"""
    ends = collections.defaultdict(lambda: collections.defaultdict(set))
    for path, text, start in LINE.findall(daemon.log()):
        found = re.match(r"(?:exited with status (\d+)|killed by (SIG\w+))", text)
        if found:
            ends[path][int(start)].add(found.group(1) or found.group(2))
    return ends


def storm(daemon, kills, chance):
    """Kills the engine that often at random moments, with an operator at work in between."""
    last, early = None, 0
    for _ in range(kills):
        engine = until("an engine", lambda: (pid := engine_of(daemon)) != last and pid)
        # some strike while it still recovers; three of those in a row would bring a hold, which is another test
        early = early + 1 if early < 2 and chance.random() < 0.4 else 0
        if not early:
            engine = daemon.engine()
        time.sleep(chance.random() * 0.08)
        os.kill(engine, signal.SIGKILL)
        last = engine


def test_storm(daemon):
    """FIELD 2.G.6: whatever is taken over, nothing is started twice."""
    chance = random.Random(SEED)
    print(f"COPPICE_SEED={SEED} COPPICE_KILLS={KILLS}")
    d = daemon(start=False)
    (d.dir / "crasher").write_text(CRASHER)
    d.write_config(TREE.format(dir=d.dir))
    d.start()
    d.wait_node("/", state="running")
    still = {path: node["pid"] for path, node in d.nodes().items() if path.startswith("still")}
    open_before = len(descriptors(d.engine()))
    watch = Watch(d)
    watch.start()
    storm(d, KILLS, chance)
    assert not d.call("ping").get("hold"), d.log()[-3000:]
    watch.over.set()
    watch.join()
    assert watch.looks > 0 and not watch.doubled, watch.doubled

    # everybody alive goes on
    for path, pid in still.items():
        node = d.node(path)
        assert (node["pid"], node["incarnation"]) == (pid, 1), node
        assert process(pid).parent == d.pid

    # down; then the books are closed and must agree
    d.call("stop", path="storm", wait=True)
    until("the ends of all of storm", lambda: not [p for p, n in d.nodes("storm").items() if n.get("pid")])
    nodes, books, ends = d.nodes("storm"), ledgers(d), logged_ends(d)
    for name, lives in books.items():
        path = f"storm/{name}"
        node = nodes[path]
        # what `stop` hit before its first command has no line of its own
        unwritten = node["exit"] in ({"signal": "TERM", "core_dumped": False}, {"signal": "KILL", "core_dumped": False})
        assert node["incarnation"] - len(lives) in (0, 1 if unwritten else 0), f"{path}: {node}, but {len(lives)} starts"
        for number, (pid, status) in enumerate(lives, start=1):
            said = ends[path][number]
            assert len(said) == 1, f"{path}, start {number} (pid {pid}, {status}): the log says {said or 'nothing'}"
            if status is not None:
                assert said == {status}, f"{path}, start {number} (pid {pid}): ended with {status}, the log says {said}"
    assert sum(map(len, books.values())) > KILLS, "too little happened to prove anything"
    assert len(books) == 70

    # nothing is left behind
    assert len(descriptors(d.engine())) <= open_before
    live = {one.pid for one in d.children() if not one.zombie}
    assert live == set(still.values()), d.children()
    assert d.stop() == 0
    assert not d.family()


def test_exit_while_there_is_no_engine(daemon):
    """What ends between two engines is told to the next one, with its status."""
    d = daemon("[child:one]\ncommand = /bin/sh -c 'sleep 1000; exit 9'\nbackoff = none\n")
    first = d.wait_node("one", state="running")["pid"]
    engine = d.engine()
    os.kill(engine, signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    until("the reaper to reap it", lambda: not process(first))
    os.kill(engine, signal.SIGKILL)
    node = d.wait_node("one", state="running", incarnation=2)
    assert node["restarts"] == 1 and node["exit"] == {"signal": "KILL", "core_dumped": False}
    assert node["pid"] != first
    assert len(d.wait_log(r"one: killed by SIGKILL")) == 1
    assert d.call("ping")["engine_generation"] == 2


def test_stop_sequence_goes_on(daemon):
    """A stop whose signals are ignored is brought to its KILL by the next engine."""
    d = daemon("""
[child:deaf]
command = /bin/sh -c 'trap "" TERM; echo ready > deaf; while :; do sleep 0.05; done'
stop = TERM 500ms KILL
""")
    until("the trap", lambda: (d.dir / "deaf").exists())
    pid = d.node("deaf")["pid"]
    d.call("stop", path="deaf")
    d.kill_engine()
    d.wait_node("deaf", state="stopped", exit={"signal": "KILL", "core_dumped": False})
    assert not process(pid)


def test_wishes_and_delays_survive(daemon):
    """What an operator stopped stays stopped; a delay goes on and is neither cut short nor begun again."""
    d = daemon("""
[child:idle]
command = /bin/sleep 1000
[child:loop]
command = /bin/sh -c 'exit 1'
backoff = fixed
backoff_delay = 2s
backoff_jitter = 0%
""")
    d.wait_node("idle", state="running")
    d.call("stop", path="idle", wait=True)
    d.wait_node("loop", state="restarting", streak=1)
    began = time.monotonic()
    for _ in range(5):
        d.kill_engine()
    assert d.node("idle")["state"] == "stopped"
    node = d.node("loop")
    assert node["incarnation"] == 1 and 0 < node["next_start_in_s"] <= 2
    d.wait_node("loop", incarnation=2)
    assert 1.0 < time.monotonic() - began < 6


def test_files_are_not_read_again(daemon):
    """A half-edited file is no concern of a new engine."""
    d = daemon("[child:one]\ncommand = /bin/sleep 1000\n")
    pid = d.wait_node("one", state="running")["pid"]
    d.config.write_text("[child:one\nthis is no configuration")
    d.kill_engine()
    assert d.node("one")["pid"] == pid
    d.config.unlink()
    d.kill_engine()
    assert d.node("one")["pid"] == pid
    assert d.stop() == 0


def test_shutdown_goes_on(daemon):
    """An engine that dies in a shutdown is followed by one that finishes it."""
    d = daemon("""
[child:deaf]
command = /bin/sh -c 'trap "" TERM; echo ready > deaf; while :; do sleep 0.05; done'
stop = TERM 1s KILL
[child:other]
command = /bin/sleep 1000
""")
    until("the trap", lambda: (d.dir / "deaf").exists())
    engine = d.engine()
    d.signal(signal.SIGTERM)
    d.wait_log("deaf: stopping")
    os.kill(engine, signal.SIGKILL)
    assert d.wait() == 0
    assert not d.family()
    assert not d.socket.exists()


def test_shutdown_of_an_engine_that_is_stopped(daemon):
    """A frozen engine hears of a shutdown: it is told to go on."""
    d = daemon("[child:one]\ncommand = /bin/sleep 1000\n")
    d.wait_node("one", state="running")
    engine = d.engine()
    os.kill(engine, signal.SIGSTOP)
    until("the stop", lambda: process(engine).state == "T")
    assert d.stop() == 0


def test_hold(daemon):
    """--hold starts nothing; `start /` ends it."""
    d = daemon("[child:one]\ncommand = /bin/sleep 1000\n", args=["--hold"])
    assert d.call("ping")["hold"] is True
    assert d.node("one")["state"] == "stopped"
    d.kill_engine()
    assert d.call("ping")["hold"] is True
    assert not d.children()
    assert "the daemon holds" in d.call("status")["notice"]  # which coppicectl says beside its table
    d.call("start", path="/")
    d.wait_node("one", state="running")
    assert not d.call("ping").get("hold")
    assert "notice" not in d.call("status")


def test_hold_after_three_deaths(daemon):
    """Engines that die before they have recovered are followed by one that holds: adopts, records, starts nothing."""
    # a long tree, that recovery may take some time
    rest = "".join(f"[child:idle{n}]\ncommand = /bin/true\nautostart = no\n" for n in range(1500))
    d = daemon(f"[child:one]\ncommand = /bin/sleep 1000\nbackoff = none\n{rest}")
    pid = d.wait_node("one", state="running")["pid"]
    last = d.engine()
    os.kill(last, signal.SIGKILL)
    for _ in range(3):
        last = until("the next engine", lambda: (engine := engine_of(d)) != last and engine, pause=0)
        os.kill(last, signal.SIGABRT)  # SIGSEGV would be the sanitizer's, which can hang
    d.wait_log("the next one starts with --hold")
    until("an engine that holds", lambda: d.call("ping").get("hold"))
    assert d.node("one")["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    d.wait_node("one", pid=None)
    assert not d.children()
    d.call("start", path="/")
    node = d.wait_node("one", state="running")
    assert node["incarnation"] == 2 and node["exit"]["signal"] == "KILL"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to reach the engine's memory")
def test_lost_checkpoint(daemon):
    """FIELD 2.G.5: where nobody knows any more what runs, nothing is started beside it."""
    d = daemon("[child:one]\ncommand = /bin/sleep 1000\nbackoff = none\n")
    pid = d.wait_node("one", state="running")["pid"]
    engine = d.engine()
    number = next(fd for fd, target in descriptors(engine).items() if "coppice-checkpoint" in target)
    with open(f"/proc/{engine}/fd/{number}", "r+b") as file:
        file.write(bytes(4096))
    os.kill(engine, signal.SIGKILL)
    d.wait_log("cannot take over the running tree: it is no checkpoint", count=3)
    assert [one.pid for one in d.children() if not one.half_made] == [pid]
    d.popen.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_full_place(daemon, small_place):  # pylint: disable=redefined-outer-name
    """FIELD 2.G.5: neither a first engine nor the next one needs room for anything."""
    small_place.joinpath("full").write_text("x" * 4096)
    d = daemon(start=False)
    d.socket = small_place / "control.sock"
    d.config.write_text(f"[coppice]\ncontrol_socket = {d.socket}\n[child:one]\ncommand = /bin/sleep 1000\nbackoff = none\n")
    d.start()
    d.wait_log("control socket .*: cannot be made: No space left on device")
    (child,) = until("the child", d.children)
    os.kill(engine_of(d), signal.SIGKILL)
    d.wait_log("engine recovered: number 2, 1 process taken over")
    os.kill(child.pid, signal.SIGKILL)
    d.wait_log(r"one: started \(pid \d+, start 2\)")
    small_place.joinpath("full").unlink()
    d.signal(signal.SIGUSR1)
    assert d.wait_node("one", state="running")["restarts"] == 1
    assert d.stop() == 0


def test_reaper_killed(daemon):
    """Without its reaper the engine goes on: old children are seen to end, new ones are its own, signals come to it."""
    d = daemon("""
[child:one]
command = /bin/sleep 1000
backoff = none
[child:seven]
command = /bin/sh -c 'trap "exit 7" TERM; while :; do sleep 0.02; done'
backoff = none
""")
    d.wait_node("seven", state="running")
    before, engine = d.nodes(), d.engine()
    os.kill(d.pid, signal.SIGKILL)
    d.wait()
    d.wait_log("reaper lost, restart when convenient")
    assert d.engine() == engine, "the engine goes on"
    assert {path: node.get("pid") for path, node in d.nodes().items()} == {p: n.get("pid") for p, n in before.items()}

    # a child that is init's now; whether its status is known depends on the kernel and on init
    os.kill(before["one"]["pid"], signal.SIGKILL)
    pid = d.wait_node("one", state="running", incarnation=2)["pid"]
    assert process(pid).parent == engine
    # a child of the engine
    os.kill(pid, signal.SIGKILL)
    node = d.wait_node("one", state="running", incarnation=3)
    assert node["exit"] == {"signal": "KILL", "core_dumped": False} and node["restarts"] == 2
    until("the dead to be waited for", lambda: not [one for one in children(engine) if one.zombie])
    d.call("restart", path="seven", wait=True)
    assert d.node("seven")["pid"] != before["seven"]["pid"]

    os.kill(engine, signal.SIGTERM)
    until("the engine's end", lambda: not process(engine) or process(engine).zombie)
    assert not [one for one in d.family() if not one.zombie]
    assert not d.socket.exists()
