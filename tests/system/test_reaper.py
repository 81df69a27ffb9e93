"""The reaper alone: coppiced with a fake engine (tests/helpers/fake_engine.py) beside it."""
import json
import os
import pathlib
import pty
import resource
import select
import shutil
import signal
import stat
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
FAKE = ROOT / "tests/helpers/fake_engine.py"
ORPHANS = BUILD / "tests/helpers/orphans"
PATIENCE = int(os.environ.get("PATIENCE", 30))
MODE_PID1 = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def stat_of(pid):
    """Fields 3… of /proc/PID/stat, or None when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def children_of(pid):
    return [int(p.name) for p in pathlib.Path("/proc").iterdir()
            if p.name.isdigit() and (stat_of(p.name) or [0, -1])[1] == str(pid)]


def descendants_of(pid):
    found = children_of(pid)
    return found + [grand for one in found for grand in descendants_of(one)]


def eventually(what, timeout=PATIENCE):
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end, f"not true in {timeout} s: {what}"
        time.sleep(0.005)


def open_to_all(path):
    """Lets other users reach what is there: pytest makes its directories 0700."""
    for part in [path, *path.parents]:
        if not part.stat().st_mode & 0o005:
            os.chmod(part, stat.S_IMODE(part.stat().st_mode) | 0o055)


class World:
    """A scratch installation: bin/coppiced and an engine of our own."""

    def __init__(self, path):
        self.path = path
        self.coppiced = path / "bin/coppiced"
        self.engine = path / "libexec/coppice/coppice-engine"
        self.config = path / "config"
        for made in (self.coppiced, self.engine):
            made.parent.mkdir(parents=True)
        shutil.copy(BUILD / "bin/coppiced", self.coppiced)
        shutil.copy(FAKE, self.engine)
        os.mkfifo(f"{self.config}.told")
        os.chmod(f"{self.config}.told", 0o666)
        self.fifo = os.open(f"{self.config}.told", os.O_RDWR)
        self.pending = b""
        self.process = None
        self.reaper = None

    def start(self, script, args=(), prefix=(), **more):
        self.config.write_text(script)
        self.process = subprocess.Popen([*prefix, self.coppiced, "-c", self.config, *args],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.path / "log", "ab"), **more)
        self.reaper = self.process.pid
        if prefix:
            eventually(lambda: children_of(self.process.pid))
            self.reaper = children_of(self.process.pid)[0]
        return self

    def told(self, *keys):
        """The next thing an engine told; with keys the next that has them all."""
        while True:
            line, newline, rest = self.pending.partition(b"\n")
            if newline:
                self.pending = rest
                found = json.loads(line)
                assert "problem" not in found, found
                if all(key in found for key in keys):
                    return found
                continue
            assert select.select([self.fifo], [], [], PATIENCE)[0], "the engine tells nothing\n" + self.log()
            self.pending += os.read(self.fifo, 65536)

    def log(self):
        return (self.path / "log").read_text()

    def wait(self):
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process and self.process.poll() is None:
            left = descendants_of(self.process.pid)
            self.process.kill()
            self.process.wait()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        os.close(self.fifo)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


# --- command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, status, text", [
    (["--version"], 0, "coppiced (coppice) "),
    (["--help"], 0, "Usage: coppiced [-c FILE]"),
    (["--help", "bogus"], 64, 'unknown argument "bogus"'),
    (["-c", ""], 64, "-c needs a FILE"),
    (["--chek"], 64, 'unknown option "--chek" (did you mean "--check"?)'),
    (["-x"], 64, 'unknown option "-x"'),
    (["file"], 64, 'unknown argument "file"'),
    (["-c"], 64, "-c needs a FILE"),
    (["-c", "/" + "x" * 5000], 64, "too long"),
])
def test_command_line(world, args, status, text):
    done = subprocess.run([world.coppiced, *args], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, text in done.stdout + done.stderr) == (status, True), done


@pytest.mark.parametrize("args, passed", [
    (["--check"], ["compile", "--check", "-c", "FILE"]),
    (["--dump"], ["compile", "--dump", "-c", "FILE"]),
    (["--help", "keys"], ["compile", "--keys"]),
])
def test_compile_role_takes_over(world, args, passed):
    done = subprocess.run([world.coppiced, "-c", "FILE", *args], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 3, done
    assert json.loads(done.stdout)["argv"] == passed


@needs_root
@pytest.mark.parametrize("environment, file", [
    ({"HOME": "/h"}, "/h/.config/coppice/coppice.conf"),
    ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/coppice/coppice.conf"),
    ({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "/h/.config/coppice/coppice.conf"),
    ({}, None),
])
def test_default_configuration_of_a_user(world, environment, file):
    open_to_all(world.path)
    done = subprocess.run([world.coppiced, "--check"], env=environment, user=65534, capture_output=True, text=True)
    if file:
        assert json.loads(done.stdout)["argv"][3] == file
    else:
        assert done.returncode == 78 and "use -c FILE" in done.stderr


def test_default_configuration_of_root(world):
    if os.geteuid() == 0:
        done = subprocess.run([world.coppiced, "--check"], capture_output=True, text=True)
        assert json.loads(done.stdout)["argv"][3] == "/etc/coppice/coppice.conf"


# --- surroundings ------------------------------------------------------------------------------------------------

SHOW = """#!/bin/sh
echo "$@" >{0}/args
cat /proc/self/status >{0}/status
ls -l /proc/self/fd >{0}/fds
cut -d' ' -f1,6,7 /proc/$$/stat >{0}/session
exit 78
"""


def hostile():
    """What a careless parent leaves behind."""
    for number in range(1, 65):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (*range(3, 30), 200):
        os.dup2(null, fd)
        os.set_inheritable(fd, True)
    for fd in (0, 1, 2):
        os.close(fd)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, hard))


def test_engine_starts_clean_after_hostile_parent(world):
    world.engine.write_text(SHOW.format(world.path))
    world.start("", preexec_fn=hostile, close_fds=False)
    assert world.wait() == 78
    status = dict(line.split(":\t", 1) for line in (world.path / "status").read_text().splitlines())
    masks = {key: int(status[key], 16) for key in ("SigBlk", "SigIgn", "SigPnd", "ShdPnd")}
    assert masks == dict.fromkeys(masks, 0)
    fds = {line.split()[-3]: line.split()[-1] for line in (world.path / "fds").read_text().splitlines() if "->" in line}
    assert set(fds) == {"0", "1", "2", "3", "4"} and fds["4"].startswith("/proc"), "4 is ls's own"
    assert fds["3"].startswith("socket:")
    pid, session, terminal = (world.path / "session").read_text().split()
    assert pid == session, "the engine leads a session of its own"
    args = (world.path / "args").read_text().split()
    assert args == ["engine", "--link", "2", "--reaper", str(world.reaper), "--generation", "1", "--files", "777", "--",
                    "-c", str(world.config)]


def test_reaper_survives_ignored_sigchld(world):
    world.start("""
commit_and_recover()
tell(blocked=[line.split()[1] for line in open("/proc/self/status") if "SigBlk" in line])
pid = child(lambda: 9)
tell(pid=pid, got=receive())
receive()
""", preexec_fn=hostile, close_fds=False)
    assert world.told("blocked")["blocked"] == ["0" * 16], "the engine must be able to hear"
    told = world.told("got")
    assert told["got"][2][0][:2] == [told["pid"], 9 << 8]


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGALRM, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
                                    signal.SIGPIPE, signal.SIGIO, signal.SIGPROF, signal.SIGRTMIN + 7])
def test_stray_signal_does_nothing(world, number):
    world.start("commit_and_recover()\ntell(up=1)\ntell(got=receive())\nreceive()")
    world.told("up")
    os.kill(world.reaper, number)
    os.kill(world.reaper, signal.SIGHUP)
    assert world.told("got")["got"] == ["signal", signal.SIGHUP]
    assert stat_of(world.reaper)[0] in "SR"


def test_faults_still_end_it(world):
    world.start("commit_and_recover()\ntell(up=1)\nreceive()")
    world.told("up")
    os.kill(world.reaper, signal.SIGABRT)
    assert world.wait() == -signal.SIGABRT


def test_terminal_reaches_the_reaper_alone(world):
    """Ctrl-C comes as a message; Ctrl-Z and Ctrl-\\ do nothing (FIELD 2.C.10)."""
    world.config.write_text("commit_and_recover()\ntell(up=1)\ntell(got=receive(), children=1)\nreceive()")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(world.coppiced, [str(world.coppiced), "-c", str(world.config)])
    try:
        world.told("up")
        engine, = children_of(pid)
        os.write(terminal, b"\x1a\x1c\x03")
        assert world.told("got")["got"] == ["signal", signal.SIGINT]
        assert stat_of(pid)[0] in "SR" and children_of(pid) == [engine]
    finally:
        left = descendants_of(pid)
        for one in [pid, *left]:
            os.kill(one, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_memory_and_descriptors(world):
    world.start("commit_and_recover()\ntell(up=1)\nreceive()")
    world.told("up")
    rollup = pathlib.Path(f"/proc/{world.reaper}/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    if "asan" not in BUILD.name:
        assert private < 500, rollup
    fds = {os.readlink(f"/proc/{world.reaper}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{world.reaper}/fd")}
    assert fds <= {"/dev/null", str(world.path / "log"), "socket", "anon_inode"}, fds
    soft, hard = resource.prlimit(world.reaper, resource.RLIMIT_NOFILE)
    assert soft == hard


# --- the dead ----------------------------------------------------------------------------------------------------


def test_exits_are_numbered_and_true(world):
    world.start("""
def killed(number):
    os.kill(os.getpid(), number)
def busy():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    return 4
commit_and_recover()
expected = {}
for do, status in ((lambda: 0, 0), (lambda: 200, 200 << 8), (lambda: killed(9), 9), (lambda: killed(15), 15), (busy, 4 << 8)):
    expected[child(do)] = status
seen, at = {}, 1
while len(seen) < len(expected):
    kind, first, exits = receive()
    assert (kind, first) == ("exits", at), (kind, first, at)
    at += len(exits)
    for pid, status, user, system, rss in exits:
        assert pid not in seen
        seen[pid] = status
        assert rss > 100
        assert status != 4 << 8 or 40000 < user + system < 5000000
tell(expected=sorted(expected.items()), seen=sorted(seen.items()))
receive()
""")
    told = world.told("seen")
    assert told["seen"] == told["expected"]


def test_storm_of_orphans_with_an_engine_that_does_not_read(world):
    """The kernel's zombies are the queue: nothing is lost, nobody spins, and signals still arrive (FIELD 1.A.5, 2.C.1)."""
    count = 10000
    world.start(f"""
import subprocess
commit_and_recover()
pids = subprocess.run([{str(ORPHANS)!r}, "{count}"], stdout=subprocess.PIPE).stdout.split()
tell(made=len(pids))
os.kill(os.getpid(), signal.SIGSTOP)
seen, at, signals = [], 1, []
while len(seen) < {count} or not signals:
    got = receive()
    if got[0] == "signal":
        signals.append(got[1])
        continue
    assert got[1] == at, (got[1], at)
    at += len(got[2])
    seen += [(pid, status) for pid, status, *_ in got[2]]
right = dict(seen) == {{int(pid): (i % 251) << 8 for i, pid in enumerate(pids)}}
tell(seen=len(seen), right=right, signals=signals)
receive()
""")
    assert world.told("made")["made"] == count
    engine = next(pid for pid in children_of(world.reaper) if stat_of(pid)[0] != "Z")

    def settled():
        before = world_switches()
        time.sleep(0.1)
        return before == world_switches()

    def world_switches():
        text = pathlib.Path(f"/proc/{world.reaper}/status").read_text()
        return [line for line in text.splitlines() if "ctxt" in line]

    eventually(settled)
    zombies = len(children_of(world.reaper)) - 1
    assert zombies > 100, "more than the link holds stay with the kernel"
    os.kill(world.reaper, signal.SIGUSR2)
    eventually(settled)
    os.kill(engine, signal.SIGCONT)
    told = world.told("seen")
    assert (told["seen"], told["right"], told["signals"]) == (count, True, [signal.SIGUSR2])
    assert children_of(world.reaper) == [engine]


def test_engine_dies_while_the_link_is_full(world):
    """Its own end is seen although nothing else is reaped, and its successor reads everything."""
    world.start(f"""
commit_and_recover()
if generation == 1:
    import subprocess
    subprocess.run([{str(ORPHANS)!r}, "8000"], stdout=subprocess.DEVNULL)
    tell(made=1)
    os.kill(os.getpid(), signal.SIGKILL)
at = 1
while at <= 8000:
    kind, first, exits = receive()
    assert first == at
    at += len(exits)
tell(done=at)
receive()
""")
    assert world.told("done") == {"done": 8001, "generation": 2}


def test_engine_killed_again_and_again(world):
    """200 kill -9 of the engine: every exit is told once, with its number and status."""
    world.start("""
import random
commit_and_recover()
made = [(child(lambda: i), i << 8) for i in range(1, 4)]
tell(made=made)
if generation <= 200:
    if generation % 3 == 0:
        receive(socket.MSG_PEEK)
    os.kill(os.getpid(), signal.SIGKILL)
seen, at = [], 1
while at <= 3 * generation:
    kind, first, exits = receive()
    assert first == at, (first, at)
    at += len(exits)
    seen += [e[:2] for e in exits]
tell(seen=seen)
receive()
""")
    made = [tuple(one) for _ in range(201) for one in world.told("made")["made"]]
    assert sorted(made) == sorted(tuple(one) for one in world.told("seen")["seen"])
    assert len(os.listdir(f"/proc/{world.reaper}/fd")) < 12


# --- the engine's life -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end, status", [
    ("sys.exit(78)", 78), ("sys.exit(70)", 70), ("sys.exit(71)", 71), ("sys.exit(0)", 71),
    ("os.kill(os.getpid(), 9)", 71), ("os.kill(os.getpid(), 11)", 71),
])
def test_death_before_the_first_commit_ends_the_daemon(world, end, status):
    world.start(end)
    assert world.wait() == status


def test_commit_counts_even_when_death_follows_at_once(world):
    world.start("""
tell(up=1)
if generation == 1:
    send(COMMITTED)
    os.kill(os.getpid(), 9)
receive()
""")
    assert [world.told("up")["generation"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("spoil", ["missing", "directory", "not executable"])
def test_engine_that_cannot_run(world, spoil):
    world.engine.unlink()
    if spoil == "directory":
        world.engine.mkdir()
    elif spoil == "not executable":
        world.engine.write_text("")
        world.engine.chmod(0o644)
    world.start("")
    assert world.wait() == 71
    assert str(world.engine.name) in world.log() and "install" in world.log(), world.log()


def test_end_without_leave_is_a_death(world):
    world.start("commit_and_recover()\ntell(up=1)\nif generation == 1: sys.exit(0)\nreceive()")
    assert [world.told("up")["generation"] for _ in range(2)] == [1, 2]
    assert "ended with status 0" in world.log()


def test_three_deaths_in_recovery_then_hold(world):
    """Restarted after 10 ms, 20 ms, 40 ms, then with --hold; recovery resets that."""
    world.start("""
tell(hold=args["hold"], at=time.monotonic())
if generation == 1 or generation == 5:
    commit_and_recover()
if generation == 5:
    tell(at=time.monotonic())
if generation < 6:
    os.kill(os.getpid(), 6)
receive()
""")
    told = [world.told("hold") for _ in range(6)]
    assert [one["hold"] for one in told] == [False, False, False, False, True, False]
    gaps = [b["at"] - a["at"] for a, b in zip(told[1:], told[2:5])]
    assert all(gap >= least for gap, least in zip(gaps, (0.010, 0.020, 0.040))), gaps
    assert "--hold" in world.log()


def test_deaths_in_recovery_slow_down_to_a_second(world):
    """10 ms, doubled each time, up to one second."""
    world.start("""
tell(at=time.monotonic())
if generation == 1:
    commit_and_recover()
if generation <= 10:
    os.kill(os.getpid(), 9)
receive()
""")
    at = [world.told("at")["at"] for _ in range(11)]
    gaps = [after - before for before, after in zip(at[1:], at[2:])]
    assert gaps[6] >= 0.64 and gaps[7] >= 1 and gaps[8] >= 1, gaps
    assert gaps[8] < 2.5, "2.56 without the limit"


def test_kills_from_outside_do_not_bring_a_hold_soon(world):
    """KILL is somebody's doing and no fault of the recovery: ten of them in a row bring a hold, not three."""
    world.start("""
tell(hold=args["hold"])
if generation == 1:
    commit_and_recover()
if generation <= 11:
    os.kill(os.getpid(), 9)
receive()
""")
    assert [world.told("hold")["hold"] for _ in range(12)] == [False] * 11 + [True]


def test_hold_on_the_command_line(world):
    world.start("tell(hold=args['hold'])\ncommit_and_recover()\nif generation == 1: os.kill(os.getpid(), 9)\nreceive()",
                args=["--hold"])
    assert [world.told("hold")["hold"] for _ in range(2)] == [True, False]


# --- the store ---------------------------------------------------------------------------------------------------


def test_store_outlives_the_engine(world):
    world.start("""
def memory(text):
    fd = os.memfd_create("m")
    os.write(fd, text)
    return fd
def content():
    return {key: os.pread(fd, 100, 0).decode() for key, fd in args["stored"].items()}
tell(content=content(), fds=sorted(int(fd) for fd in os.listdir("/proc/self/fd")))
if generation == 1:
    commit_and_recover()
    for key, text in (("one", b"1"), ("two", b"2"), ("three", b"3"), ("one", b"uno"), ("fifteen-bytes-!", b"15")):
        store(key, memory(text))
    drop("two")
    drop("never")
elif generation == 2:
    commit_and_recover()
    for i in range(1030):
        store(f"k{i}", memory(b"x"))
    link.send(b"???")
    link.send(struct.pack("HHI16s", STORE, 0, 0, b"no descriptor"))
    link.send(struct.pack("HHI16s", STORE, 0, 0, b"sixteen-bytes-!!"))
    store("", memory(b"x"))
    send(250)
else:
    commit_and_recover()
    receive()
os.kill(os.getpid(), 9)
""")
    assert world.told("content")["content"] == {}
    kept = {"one": "uno", "three": "3", "fifteen-bytes-!": "15"}
    assert world.told("content")["content"] == kept
    third = world.told("content")
    assert third["content"] == dict(kept, **{f"k{i}": "x" for i in range(1021)})
    assert world.log().count("No space left") == 9, "1024 are kept"
    own = 7  # the standard three, signalfd, two ends of the link, the engine's pidfd
    eventually(lambda: len(os.listdir(f"/proc/{world.reaper}/fd")) == own + 1024)


# --- leaving -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 5, 70])
def test_leaves_on_the_engines_word(world, status):
    world.start(f"commit_and_recover()\nleave({status})\nsys.exit(33)")
    assert world.wait() == status


def test_last_words_count(world):
    """An engine that is gone before anything it said was read; more messages than are read in a turn."""
    world.start("""
commit_and_recover()
tell(pid=os.getpid())
os.kill(args["reaper"], signal.SIGSTOP)
for i in range(150):
    drop("x")
leave(6)
os.kill(os.getpid(), 9)
""")
    engine = world.told("pid")["pid"]
    eventually(lambda: stat_of(engine)[0] == "Z")
    os.kill(world.reaper, signal.SIGCONT)
    assert world.wait() == 6


def test_engine_that_stays_after_leave_is_killed(world):
    world.start("commit_and_recover()\ntell(pid=os.getpid())\nleave(7)\nwhile True: signal.pause()")
    engine = world.told("pid")["pid"]
    assert world.wait() == 7
    eventually(lambda: stat_of(engine) is None or stat_of(engine)[0] == "Z")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGPWR, signal.SIGRTMIN + 3, signal.SIGHUP,
                                    signal.SIGUSR1, signal.SIGUSR2])
def test_signals_are_passed_on(world, number):
    world.start("commit_and_recover()\ntell(up=1)\ntell(got=receive())\nleave(0)")
    world.told("up")
    os.kill(world.reaper, number)
    assert world.told("got")["got"] == ["signal", number]
    assert world.wait() == 0


def test_signal_during_a_restart_reaches_the_next_engine(world):
    world.start("""
commit_and_recover()
if generation == 1:
    os.kill(args["reaper"], signal.SIGTERM)
    os.kill(os.getpid(), 9)
tell(got=receive())
leave(0)
""")
    assert world.told("got")["got"] == ["signal", signal.SIGTERM]
    assert world.wait() == 0


def has_link(pid):
    """Children of the fake engine are copies of it; the engine alone has the link open."""
    return any(os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:") for fd in os.listdir(f"/proc/{pid}/fd"))


NO_ENGINE = """
def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.close(ready)
    while True:
        signal.pause()
def polite():
    os.close(ready)
    while True:
        signal.pause()
if generation == 1:
    commit_and_recover()
    send(SHUTDOWN_TIMEOUT, 300)
    come, ready = os.pipe()
    pids = [child(stubborn), child(polite), child(polite)]
    os.close(ready)
    os.read(come, 1)
    tell(pids=pids)
    signal.pause()
elif generation == 2:
    tell(second=1)
    signal.pause() if then == "hangs" else None
send(COMMITTED) if then == "commits" else None
os.kill(os.getpid(), 9)
"""


# "commits": what a real engine says before its first turn, in which something that it finds may end every one of them
@pytest.mark.parametrize("then", ["dies", "hangs", "commits"])
@pytest.mark.parametrize("prefix", [[], pytest.param(MODE_PID1, marks=needs_root)], ids=["service", "container"])
def test_shutdown_without_an_engine(world, then, prefix):
    """Nobody has been in charge for ten seconds: TERM, then KILL, by the reaper itself."""
    world.start(f"then = {then!r}\n" + NO_ENGINE, prefix=prefix)
    world.told("pids")
    left = descendants_of(world.reaper)
    started = time.monotonic()
    os.kill(next(pid for pid in children_of(world.reaper) if has_link(pid)), signal.SIGKILL)
    world.told("second")
    os.kill(world.reaper, signal.SIGTERM)
    assert world.wait() == 71
    assert time.monotonic() - started > 9.5
    for pid in left:
        assert stat_of(pid) is None or stat_of(pid)[0] == "Z", pid
    assert "stopping all children myself" in world.log()


# --- places ------------------------------------------------------------------------------------------------------


@needs_root
def test_first_process_of_a_container(world):
    """PID 1 of a namespace: handles TERM, reaps strangers, leaves with the engine's status (FIELD 2.C.16, 1.A.6)."""
    world.start("""
import subprocess
commit_and_recover()
subprocess.run(["sh", "-c", "(exit 5) & exit 0"])
tell(pid=os.getppid(), stranger=receive())
tell(got=receive())
leave(42)
""", prefix=MODE_PID1)
    told = world.told("stranger")
    assert told["pid"] == 1 and told["stranger"][2][0][1] == 5 << 8
    os.kill(world.reaper, signal.SIGTERM)
    assert world.told("got")["got"] == ["signal", signal.SIGTERM]
    assert world.wait() == 42


@needs_root
def test_unprivileged(world):
    open_to_all(world.path)
    world.start("commit_and_recover()\npid = child(lambda: 3)\ntell(uid=os.getuid(), got=receive())\nleave(0)", user=65534)
    told = world.told("got")
    assert told["uid"] == 65534 and told["got"][2][0][1] == 3 << 8
    assert world.wait() == 0
