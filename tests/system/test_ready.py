"""Children that tell that they are ready: s6's descriptors and sd_notify's datagrams."""

import ctypes
import ctypes.util
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import textwrap
import time

import pytest

from conftest import ROOT, children, descriptors, process, until

TELLER = ROOT / "tests/helpers/teller.py"
PYTHON = "/usr/bin/python3 -S -E"
QUICK = "backoff = none\n"  # what is retried is retried at once
SLOW = "start_timeout = 60s\n"  # longer than any test


def sh(name, script, *keys):
    return f"[child:{name}]\ncommand = sh -c '{script}'\n" + "".join(f"{key}\n" for key in keys)


class Teller:
    """A child that runs a Python script of the test's (tests/helpers/teller.py)."""

    def __init__(self, daemon, name, script):
        self.daemon, self.name = daemon, name
        self.script = daemon.dir / f"{name}.py"
        self.script.write_text(textwrap.dedent(script))

    def section(self, *keys):
        return f"[child:{self.name}]\ncommand = {PYTHON} {TELLER} {self.script}\n" + "".join(f"{key}\n" for key in keys)

    def told(self):
        path = pathlib.Path(f"{self.script}.told")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_told(self, count=1):
        return until(
            lambda: f"{count} reports of {self.name}: {self.told()}; the log:\n{self.daemon.log()}",
            lambda: self.told() if len(self.told()) >= count else None,
        )

    def go(self, name):
        (self.daemon.dir / name).touch()


@pytest.fixture
def teller(daemon):
    """teller(script, *keys) → a running daemon with one child "a" that runs the script, and that child."""

    def make(script, *keys, more="", coppice="", env=None, wrapper=()):
        one = daemon("", start=False, env=env, wrapper=wrapper)
        one.dir.chmod(0o711)
        child = Teller(one, "a", script)
        one.write_config(child.section("ready = notify", *(keys or (SLOW,))) + more, coppice)
        one.start()
        return one, child

    return make


def notify_sockets(one):
    directory = pathlib.Path(f"{one.socket}.notify")
    return sorted(directory.iterdir()) if directory.exists() else []


# --- descriptors


@pytest.mark.parametrize("number", [3, 4, 5, 9, 10, 30, 31])
@pytest.mark.parametrize("threaded", [False, True])
def test_newline(daemon, number, threaded):
    """A newline on the descriptor makes it ready, whatever number the engine has in use itself, and in starts by the main
    thread as in those by others (FIELD 2.C.11)."""
    keys = [f"ready = fd:{number}", SLOW] + (["directory = /tmp"] if threaded else [])
    script = f"readlink /proc/self/fd/{number} >$0; ls /proc/$$/fd >>$0; while [ ! -e $0.go ]; do sleep 0.01; done; echo >/dev/fd/{number}; exec sleep 1000"
    one = daemon("", start=False)
    seen = one.dir / "seen"
    one.write_config(f"[child:a]\ncommand = sh -c '{script}' {seen}\n" + "".join(f"{key}\n" for key in keys))
    one.start()
    until("what the child sees", lambda: seen.exists() and len(seen.read_text().split()) >= 5)
    words = seen.read_text().split()
    assert words[0].startswith("pipe:"), words
    assert {int(word) for word in words[1:]} - {number} <= {0, 1, 2} | {11, 10, 255}, words  # a shell's own
    assert one.node("a")["state"] == "starting"
    (one.dir / "seen.go").touch()
    node = one.wait_node("a", state="running", ready=True)
    assert node["incarnation"] == 1
    # and nothing of it is left with us
    until(lambda: f"no pipe in the engine: {descriptors(one.engine())}", lambda: words[0] not in descriptors(one.engine()).values())
    until(lambda: f"no pipe in the reaper: {descriptors(one.pid)}", lambda: words[0] not in descriptors(one.pid).values())


def test_only_its_own_descriptor(daemon):
    """A child has nobody else's, and one that is not to have any has none."""
    script = "ls -l /proc/self/fd >$0; echo >&7; exec sleep 1000"
    one = daemon("", start=False)
    names = ["a", "b", "c"]
    config = "[supervisor:/]\nstart_order = parallel\n"
    for name in names:
        config += f"[child:{name}]\ncommand = sh -c '{script}' {one.dir}/{name}.seen\nready = fd:7\n{SLOW}"
    config += f"[child:d]\ncommand = sh -c 'ls -l /proc/self/fd >$0; exec sleep 1000' {one.dir}/d.seen\n"
    one.write_config(config)
    one.start()
    for name in names + ["d"]:
        one.wait_node(name, state="running")
    for name in names + ["d"]:
        pipes = re.findall(r"(\d+) -> (pipe:\[\d+\]|socket:\[\d+\])", (one.dir / f"{name}.seen").read_text())
        own = [pipe for pipe in pipes if int(pipe[0]) > 2]
        assert [int(pipe[0]) for pipe in own] == ([7] if name != "d" else []), (name, pipes)


@pytest.mark.parametrize("script", ["printf abc >&3", "printf abc >&3; exec 3>&-", "exec 3>&-", ":"])
def test_no_newline(daemon, script):
    """Partial data, or none, or an early end of it, is not ready: start_timeout applies (FIELD 2.A.11)."""
    one = daemon(sh("a", f"{script}; exec sleep 1000", "ready = fd:3", "start_timeout = 300ms", "backoff_delay = 1h", "backoff_max = 1h"))
    node = one.wait_node("a", state="restarting")
    assert node["streak"] == 1
    one.wait_log(r"a: stopping \(start_timeout\)")
    assert not re.search(r"a: ready", one.log())


def test_closed_without_newline_is_said(daemon):
    one = daemon(sh("a", "exec 3>&-; exec sleep 1000", "ready = fd:3", SLOW))
    one.wait_log(r"a: has closed its descriptor of ready = fd without a newline")
    assert one.node("a")["state"] == "starting"


def test_newline_after_other_data(daemon):
    """What comes before the newline means nothing, however much and in whatever pieces."""
    one = daemon(sh("a", "printf x >&3; head -c 200000 /dev/zero >&3; printf \"y\\nz\" >&3; exec sleep 1000", "ready = fd:3", SLOW))
    one.wait_node("a", state="running", incarnation=1)


@pytest.mark.parametrize("ready", ["fd:3", "notify"])
def test_end_before_ready(daemon, ready):
    """An end before readiness is a failed start, with status 0 too (FIELD 2.A.9), and is noticed at once."""
    one = daemon(sh("a", "exit 0", f"ready = {ready}", SLOW, "restart = transient", "backoff_delay = 1h", "backoff_max = 1h"))
    node = one.wait_node("a", state="restarting")
    assert node["streak"] == 1 and node["exit"]["code"] == 0 and node["incarnation"] == 1


def test_ready_at_the_last_moment(daemon):
    """Who said it before it ended had been ready: here a normal end, that of a transient child."""
    one = daemon(
        sh("a", "echo >&3; exit 0", "ready = fd:3", SLOW, "restart = transient")
        + sh("b", "systemd-notify --ready; exit 0", "ready = notify", SLOW, "restart = transient"),
        coppice="",
    )
    one.wait_node("a", state="finished", incarnation=1, streak=0)
    if shutil.which("systemd-notify"):
        one.wait_node("b", state="finished", incarnation=1, streak=0)


@pytest.mark.parametrize("ready", ["fd:3", "notify"])
def test_again_after_each_restart(daemon, ready):
    """Readiness is earned anew by each incarnation (FIELD 2.A.10), and start_timeout applies to restarts too (FIELD 2.A.12)."""
    say = "echo >&3" if ready == "fd:3" else f"{PYTHON} {TELLER} $1"
    one = daemon("", start=False)
    script = one.dir / "tell"
    script.write_text("tell('READY=1')")
    one.write_config(
        f"[child:a]\ncommand = sh -c 'test -e $0 || {{ touch $0; {say}; }}; exec sleep 1000' {one.dir}/once {script}\n"
        f"ready = {ready}\nstart_timeout = 5s\nbackoff = none\n"
    )
    one.start()
    node = one.wait_node("a", state="running", incarnation=1)
    os.kill(node["pid"], signal.SIGKILL)
    node = one.wait_node("a", state="starting", incarnation=2)
    one.wait_log(r"a: stopping \(start_timeout\)")


def test_others_wait(daemon):
    """The next child starts when this one has said that it is ready (FIELD 1.C.16, 1.C.17)."""
    one = daemon("", start=False)
    one.write_config(
        "[supervisor:/]\nstrategy = rest_for_one\n"
        + f"[child:a]\ncommand = sh -c 'while [ ! -e $0 ]; do sleep 0.01; done; echo >&3; exec sleep 1000' {one.dir}/go\nready = fd:3\n{SLOW}"
        + "[child:b]\ncommand = sleep 1000\n"
    )
    one.start()
    one.wait_node("a", state="starting")
    assert one.node("b")["state"] == "waiting"
    (one.dir / "go").touch()
    one.wait_node("b", state="running")
    assert one.log().index("a: ready") < one.log().index("b: started")


# --- messages


def test_messages(teller):
    """READY=1, STATUS=, RELOADING=1, STOPPING=1; several in one datagram; what is unknown means nothing."""
    one, child = teller("""
        tell("STATUS=warming up", "X_UNKNOWN=1", "WATCHDOG=1", "FDSTORE=1", "ERRNO=2")
        wait_for("1"); tell("READY=1", "STATUS=serving")
        wait_for("2"); tell("RELOADING=1", "MONOTONIC_USEC=17")
        wait_for("3"); tell("READY=1")
        wait_for("4"); tell("STATUS=")
        wait_for("5"); tell("STOPPING=1", "STATUS=bye")
        rest()
    """)
    node = one.wait_node("a", status_text="warming up")
    assert node["state"] == "starting" and "reloading" not in node
    child.go("1")
    node = one.wait_node("a", state="running", status_text="serving", ready=True)
    since = node["since_at"]
    child.go("2")
    node = one.wait_node("a", reloading=True)
    assert node["state"] == "running"
    child.go("3")
    node = one.wait_node("a", reloading=None)
    assert abs(node["since_at"] - since) < 0.1 and node["incarnation"] == 1
    child.go("4")
    one.wait_node("a", status_text=None)
    child.go("5")
    assert one.wait_node("a", status_text="bye")["state"] == "running"
    assert len(re.findall("a: ready", one.log())) == 1


def test_status_goes_with_its_process(teller):
    one, child = teller("""
        status = "second" if os.path.exists(SCRIPT + ".told") else "first"
        report(0)
        tell("READY=1", "STATUS=" + status)
        rest()
    """, SLOW, QUICK)
    node = one.wait_node("a", state="running", status_text="first")
    one.call("stop", path="a")
    assert "status_text" not in one.wait_node("a", state="stopped")
    one.call("start", path="a")
    one.wait_node("a", state="running", status_text="second", incarnation=node["incarnation"] + 1)


@pytest.mark.parametrize(
    "sent, shown",
    [
        (b"\x1b[2Jgone", "?[2Jgone"),
        ("ünïcode ✓".encode(), "ünïcode ✓"),
        (b"bad \xff\xc3(", "bad \ufffd\ufffd("),
        ("c1 \u009b31m".encode(), "c1 ?31m"),
        (b'quote " and \\ back', 'quote " and \\ back'),
        (b"tab\tand\rreturn\x7f", "tab?and?return?"),
        (b"x" * 3000, "x" * 1023),
        (b"a" + "é".encode() * 1000, "a" + "é" * 511),
    ],
)
def test_status_is_made_harmless(teller, sent, shown):
    one, child = teller(f"tell(b'STATUS=' + {sent!r}); tell('READY=1'); rest()")
    assert one.wait_node("a", state="running")["status_text"] == shown


def test_barrier(teller):
    """BARRIER=1 is answered, by its descriptor being closed, when all before has been handled (FIELD 2.E.1)."""
    one, child = teller("""
        for i in range(100):
            tell("STATUS=%d" % i)
        tell("READY=1")
        report(barrier())
        wait_for("1"); report(barrier())
        rest()
    """)
    assert child.wait_told() == [True]
    node = one.node("a")
    assert node["status_text"] == "99" and node["state"] == "running"
    one.kill_engine()
    child.go("1")
    assert child.wait_told(2) == [True, True]


def test_descriptors_are_not_collected(teller):
    """Descriptors that come with messages are closed, however many."""
    one, child = teller("""
        files = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
        tell("READY=1"); barrier(); report("before"); wait_for("1")
        for _ in range(50):
            tell("FDSTORE=1", "FDNAME=x", fds=files)
        report(barrier())
        rest()
    """)
    child.wait_told()
    before = len(descriptors(one.engine()))
    child.go("1")
    assert child.wait_told(2)[1] is True
    assert len(descriptors(one.engine())) == before


def test_extend(teller):
    """EXTEND_TIMEOUT_USEC= holds the start_timeout up, again and again."""
    one, child = teller("""
        for i in range(20):
            tell("EXTEND_TIMEOUT_USEC=2000000")
            time.sleep(0.05)
        tell("READY=1")
        rest()
    """, "start_timeout = 700ms")
    one.wait_node("a", state="running", incarnation=1)
    assert "start_timeout" not in one.log()


def test_extend_is_over_some_time(teller):
    """And no longer than was asked for."""
    one, child = teller("tell('EXTEND_TIMEOUT_USEC=300000'); rest()", "start_timeout = 100ms", "backoff_delay = 1h", "backoff_max = 1h")
    one.wait_node("a", state="restarting")
    one.wait_log(r"a: stopping \(start_timeout\)")


def test_extend_a_stop(teller):
    """Also a stop takes longer for one that asks for it."""
    one, child = teller("""
        def on_term(*_):
            tell("STOPPING=1", "EXTEND_TIMEOUT_USEC=30000000", "STATUS=flushing")
            wait_for("1")
            os._exit(7)
        signal.signal(signal.SIGTERM, on_term)
        tell("READY=1")
        rest()
    """, SLOW, "stop = TERM 200ms KILL")
    one.wait_node("a", state="running")
    one.call("stop", path="a")
    one.wait_node("a", state="stopping", status_text="flushing")
    since = time.monotonic()
    until("the step of the stop to be over", lambda: time.monotonic() - since > 0.4)
    assert one.node("a")["state"] == "stopping"
    child.go("1")
    node = one.wait_node("a", state="stopped")
    assert node["exit"] == {"code": 7, "core_dumped": False}


# --- real clients


def test_systemd_notify(daemon):
    """The real systemd-notify(1), which is dead by the time its message is read as often as not (FIELD 2.E.1)."""
    if not shutil.which("systemd-notify"):
        pytest.skip("systemd-notify is not installed")
    one = daemon(sh("a", 'systemd-notify --status="from a shell"; systemd-notify --ready; exec sleep 1000', "ready = notify", SLOW))
    assert one.wait_node("a", state="running", incarnation=1)["status_text"] == "from a shell"


def test_libsystemd(teller):
    """sd_notify(3) and sd_notify_barrier(3) of libsystemd."""
    library = ctypes.util.find_library("systemd") or "libsystemd.so.0"
    try:
        ctypes.CDLL(library)
    except OSError:
        pytest.skip("libsystemd is not installed")
    one, child = teller(f"""
        import ctypes
        library = ctypes.CDLL({library!r})
        report(library.sd_notify(0, b"READY=1\\nSTATUS=by the library"))
        if hasattr(library, "sd_notify_barrier"):
            report(library.sd_notify_barrier(0, ctypes.c_uint64(20000000)))
        else:
            report(1)
        rest()
    """)
    told = child.wait_told(2)
    assert told[0] > 0 and told[1] > 0, told
    assert one.wait_node("a", state="running")["status_text"] == "by the library"


# --- senders


def test_dead_sender(teller):
    """Processes of the child that are dead, and reaped, when they are read (FIELD 2.E.1)."""
    one, child = teller("""
        report(os.getpid()); wait_for("1")
        os.waitpid(fork(lambda: tell("READY=1")), 0)
        report("dead")
        rest()
    """)
    child.wait_told()
    engine = one.engine()
    os.kill(engine, signal.SIGSTOP)
    try:
        child.go("1")
        child.wait_told(2)
    finally:
        os.kill(engine, signal.SIGCONT)
    one.wait_node("a", state="running")


@pytest.mark.parametrize("how", ["child", "session", "daemon"])
def test_senders_of_its_own(teller, how):
    """Its children, those that left its session, and those that also left their parent (FIELD 2.E.2)."""
    one, child = teller(f"""
        how = {how!r}
        def speak():
            if how != "child":
                os.setsid()
            if how == "daemon" and os.fork():
                os._exit(0)
            if how == "daemon":
                wait_for("1")
            tell("READY=1")
            rest()
        pid = fork(speak)
        if how == "daemon":
            os.waitpid(pid, 0)
            report(0)
        rest()
    """)
    if how == "daemon":
        child.wait_told()
        child.go("1")
    one.wait_node("a", state="running")


def say(address, data):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(data)


def test_foreign_senders(teller):
    """A process from outside the tree, the same user's too, is not heard; nor is another child (FIELD 2.E.2)."""
    one, child = teller("report(os.environ['NOTIFY_SOCKET']); wait_for('1'); report(barrier()); rest()",
                        SLOW, more="[supervisor:/]\nstart_order = parallel\n" + "[child:b]\ncommand = sleep 1000\n")
    address = child.wait_told()[0]
    say(address, b"READY=1\nSTATUS=false\nMAINPID=%d" % os.getpid())
    child.go("1")
    assert child.wait_told(2)[1] is True
    node = one.node("a")
    assert node["state"] == "starting" and "status_text" not in node
    one.wait_log("a: a process that is none of its own sends messages for it: refused")


def test_another_child_does_not_speak_for_it(daemon):
    one = daemon("", start=False)
    a = Teller(one, "a", "report(os.environ['NOTIFY_SOCKET']); wait_for('1'); report(barrier()); rest()")
    b = Teller(one, "b", """
        wait_for("address"); address = lambda: open(os.path.join(os.path.dirname(SCRIPT), "address")).read()
        os.environ["NOTIFY_SOCKET"] = address(); del address
        from_a = os.environ["NOTIFY_SOCKET"]
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        channel.connect(from_a.replace("@", chr(0), 1) if from_a[0] == "@" else from_a)
        channel.send(b"READY=1")
        report("sent"); rest()
    """)
    one.write_config("[supervisor:/]\nstart_order = parallel\n" + a.section("ready = notify", SLOW) + b.section())
    one.start()
    address = a.wait_told()[0]
    (one.dir / "address.new").write_text(address)
    (one.dir / "address.new").rename(one.dir / "address")
    b.wait_told()
    a.go("1")
    assert a.wait_told(2)[1] is True
    assert one.node("a")["state"] == "starting"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("mode", [0o700, 0o711])
def test_user(daemon, mode):
    """A child with a user of its own can write to its socket, wherever that is; a stranger cannot."""
    one = daemon("", start=False)
    one.dir.chmod(mode)
    child = Teller(one, "a", "tell('STATUS=' + os.environ['NOTIFY_SOCKET'], 'READY=1'); rest()")
    one.write_config(
        f"[child:a]\ncommand = {PYTHON} -c 'exec(open(0).read())'\nstdin = {one.dir}/input\n"
        f"ready = notify\nuser = 54321\ngroup = 54321\n{SLOW}"
    )
    (one.dir / "input").write_text(TELLER.read_text().replace("SCRIPT = sys.argv[1]", "").split("with open(SCRIPT)")[0] + child.script.read_text())
    one.start()
    address = one.wait_node("a", state="running")["status_text"]
    if mode == 0o700:
        assert address.startswith("@")
        return
    about = os.stat(address)
    assert about.st_uid == 54321 and about.st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_rights_given_up(teller):
    """A child that runs as root and gives that up by itself still speaks for itself."""
    one, child = teller("os.setgid(54321); os.setuid(54321); tell('READY=1'); rest()")
    one.wait_node("a", state="running")


# --- garbage, floods


def test_garbage(teller):
    """Nothing that is sent does harm, and what is right after it counts."""
    one, child = teller("""
        import random
        random.seed(7)
        for size in (0, 1, 2, 100, 4096):
            tell(bytes(random.randrange(1, 256) for _ in range(size)))
        for text in ("=", "\\n\\n", "READY", "READY=", "READY=2", "READY=11", " READY=1", "ready=1", "STATUS", "MAINPID=", "MAINPID=x",
                     "MAINPID=-1", "MAINPID=0", "MAINPID=99999999999999999999", "EXTEND_TIMEOUT_USEC=-5", "EXTEND_TIMEOUT_USEC=", "BARRIER=1"):
            tell(text)
        tell("READY=1" + " " * 8000)
        report(barrier())
        wait_for("1"); tell(b"STATUS=well\\nREADY=1\\n\\0")
        rest()
    """)
    assert child.wait_told() == [True]
    assert one.node("a")["state"] == "starting"
    child.go("1")
    assert one.wait_node("a", state="running", incarnation=1)["status_text"] == "well"
    one.wait_log("a: sends a message longer than 4096 bytes")


def test_nul(teller):
    """A message with a NUL in it is none; the one that ends a string of C is passed over."""
    one, child = teller("""
        tell(b"\\0READY=1"); tell(b"READY=1\\0STATUS=bad"); tell(b"STATUS=\\0\\nREADY=1\\n")
        report(barrier())
        wait_for("1"); tell(b"STATUS=well\\nREADY=1\\0")
        rest()
    """)
    assert child.wait_told() == [True]
    node = one.node("a")
    assert node["state"] == "starting" and "status_text" not in node
    assert len(one.wait_log("a: sends a message with a NUL in it: nothing of it counts")) == 1
    child.go("1")
    assert one.wait_node("a", state="running", incarnation=1)["status_text"] == "well"


def test_flood(daemon):
    """One that floods starves nobody: others become ready, requests are answered, a stop stops it."""
    one = daemon("", start=False)
    flood = Teller(one, "flood", """
        tell("READY=1")
        channel = connect()
        while True:
            channel.send(b"STATUS=" + b"x" * 1000)
    """)
    quiet = Teller(one, "quiet", "tell('READY=1'); report(barrier()); rest()")
    one.write_config(
        "[supervisor:/]\nstart_order = parallel\n"
        + flood.section("ready = notify", SLOW, "instances = 5") + quiet.section("ready = notify", SLOW, "autostart = no")
    )
    one.start()
    for i in range(1, 6):
        one.wait_node(f"flood@{i}", state="running", status_text=lambda text: text is not None)
    one.call("start", path="quiet")
    one.wait_node("quiet", state="running")
    assert quiet.wait_told() == [True]
    ticks = lambda: sum(int(field) for field in pathlib.Path(f"/proc/{one.engine()}/stat").read_text().rsplit(")", 1)[1].split()[11:13])
    one.call("stop", path="flood")
    for i in range(1, 6):
        one.wait_node(f"flood@{i}", state="stopped")
    assert ticks() < 100 * 20


# --- the main process


def test_main_process(teller):
    """MAINPID= of a daemon: the former main process may end, the new one is signalled, and its end is the node's."""
    one, child = teller("""
        begun, serving = os.pipe()
        def serve():
            os.setsid()
            tell("MAINPID=%d" % os.getpid(), "READY=1")
            report(os.getpid())
            os.write(serving, b".")
            rest()
        fork(serve)
        os.read(begun, 1)
        wait_for("1")
        os._exit(0)
    """, SLOW, QUICK)
    pid = child.wait_told()[0]
    node = one.wait_node("a", state="running", pid=pid)
    child.go("1")
    # its parent is the reaper then
    until("the former main process to be gone", lambda: process(pid).parent == one.pid)
    os.kill(pid, signal.SIGUSR1)
    node = one.wait_node("a", state="running", incarnation=2)
    assert node["exit"] == {"signal": "USR1", "core_dumped": False} and node["pid"] != pid


def test_main_process_and_the_former_one_stays(teller):
    """The end of a former main process that stays is nothing, and that of the new one, which it waits for, is noticed all the
    same; then it is killed, for it is the node's (FIELD 2.E.2)."""
    one, child = teller("""
        pid = fork(rest)
        tell("MAINPID=%d" % pid, "READY=1")
        report([os.getpid(), pid])
        os.waitpid(pid, 0)
        report("reaped")
        rest()
    """, SLOW, QUICK)
    former, new = child.wait_told()[0]
    one.wait_node("a", state="running", pid=new)
    os.kill(new, signal.SIGKILL)
    node = one.wait_node("a", state="running", incarnation=2)
    assert node["exit"] in ({"signal": "KILL", "core_dumped": False}, {"unknown": True}), node
    until("the former main process to be killed", lambda: process(former) is None or process(former).zombie)


def test_main_process_is_stopped(teller):
    one, child = teller("""
        pid = fork(lambda: (os.setsid(), rest()))
        tell("MAINPID=%d" % pid, "READY=1")
        report([os.getpid(), pid])
        os._exit(0)
    """, SLOW)
    former, new = child.wait_told()[0]
    one.wait_node("a", state="running", pid=new)
    one.call("stop", path="a")
    one.wait_node("a", state="stopped")
    assert process(new) is None
    assert one.node("a")["exit"] == {"signal": "TERM", "core_dumped": False}


@pytest.mark.parametrize("stays", [False, True])
def test_main_process_survives_the_engine(teller, stays):
    one, child = teller(f"""
        pid = fork(rest)
        tell("MAINPID=%d" % pid, "READY=1")
        report([os.getpid(), pid])
        if {stays}:
            os.waitpid(pid, 0)
            rest()
        os._exit(0)
    """, SLOW, QUICK)
    former, new = child.wait_told()[0]
    one.wait_node("a", state="running", pid=new)
    one.kill_engine()
    node = one.wait_node("a", state="running", pid=new)
    assert node["incarnation"] == 1
    os.kill(new, signal.SIGKILL)
    one.wait_node("a", state="running", incarnation=2)


def test_main_process_of_somebody_else(teller):
    """MAINPID= of a stranger, of another child, of the engine, of the reaper or of nobody changes nothing (FIELD 2.E.2)."""
    one, child = teller("""
        wait_for("pids")
        for pid in open(os.path.join(os.path.dirname(SCRIPT), "pids")).read().split():
            tell("MAINPID=" + pid)
        tell("READY=1"); report(barrier())
        rest()
    """, SLOW, more="[supervisor:/]\nstart_order = parallel\n[child:b]\ncommand = sleep 1000\n")
    other = one.wait_node("b", state="running")["pid"]
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    (one.dir / "pids.new").write_text(" ".join(map(str, [os.getpid(), other, one.engine(), one.pid, 1, dead])))
    (one.dir / "pids.new").rename(one.dir / "pids")
    assert child.wait_told() == [True]
    node = one.node("a")
    assert node["state"] == "running"
    assert str(TELLER) in process(node["pid"]).argv
    assert one.node("b")["pid"] == other
    one.wait_log(r"a: MAINPID=\d+: refused", count=4)
    one.wait_log(rf"a: MAINPID={dead}: there is no such process")


def test_main_process_said_without_end(teller):
    """The log is not filled by one child."""
    one, child = teller("""
        for i in range(100):
            tell("MAINPID=1")
        report(barrier())
        rest()
    """, SLOW)
    assert child.wait_told() == [True]
    one.wait_log(r"a: MAINPID=1: refused.*no more is said")
    assert one.log().count("MAINPID=1") == 16


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_main_process_that_is_another_users(daemon):
    """An orphan whose parent has gone could be anybody's: a child without rights must not have root's signalled by us (FIELD 2.E.2)."""
    one = daemon("", start=False)
    one.dir.chmod(0o711)
    a = Teller(one, "a", "report(fork(lambda: (os.setsid(), rest())))")
    (one.dir / "input").write_text(textwrap.dedent(f"""
        import os, socket, time
        while not os.path.exists("{one.dir}/pid"):
            time.sleep(0.01)
        address = os.environ["NOTIFY_SOCKET"].replace("@", chr(0), 1)
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        channel.connect(address)
        channel.send(b"READY=1\\nMAINPID=" + open("{one.dir}/pid", "rb").read())
        time.sleep(1000)
    """))
    one.write_config(
        "[supervisor:/]\nstart_order = parallel\n" + a.section("restart = temporary", "kill_mode = process")
        + f"[child:b]\ncommand = {PYTHON} -c 'exec(open(0).read())'\nstdin = {one.dir}/input\n"
        f"ready = notify\nuser = 54321\ngroup = 54321\n{SLOW}"
    )
    one.start()
    victim = a.wait_told()[0]
    until("an orphan", lambda: process(victim).parent == one.pid)
    (one.dir / "pid.new").write_text(str(victim))
    (one.dir / "pid.new").rename(one.dir / "pid")
    node = one.wait_node("b", state="running")
    assert node["pid"] != victim
    one.wait_log(rf"b: MAINPID={victim}: refused")
    one.call("stop", path="b")
    one.wait_node("b", state="stopped")
    assert not process(victim).zombie


# --- the engine's death


@pytest.mark.parametrize("ready", ["fd:3", "notify"])
def test_engine_killed_before_ready(daemon, ready):
    """kill -9 of the engine between exec and readiness: what is said later arrives at the next one."""
    one = daemon("", start=False)
    child = Teller(one, "a", f"report(0); wait_for('1'); {'tell(chr(82) + chr(69) + chr(65) + chr(68) + chr(89) + chr(61) + chr(49))' if ready == 'notify' else 'os.write(3, bytes([10]))'}; rest()")
    one.write_config(child.section(f"ready = {ready}", SLOW))
    one.start()
    child.wait_told()
    one.kill_engine()
    assert one.node("a")["state"] == "starting"
    one.kill_engine()
    child.go("1")
    one.wait_node("a", state="running", incarnation=1)


@pytest.mark.parametrize("ready", ["fd:3", "notify"])
def test_said_while_no_engine_lives(daemon, ready):
    """Nothing is lost: not what was said without an engine, and not the order of it and the end after it."""
    said = 'tell("STATUS=alone", "READY=1")' if ready == "notify" else 'os.write(3, b"\\n")'
    one = daemon("", start=False)
    stays = Teller(one, "stays", f"report(0); wait_for('1'); {said}; report(1); rest()")
    ends = Teller(one, "ends", f"report(0); wait_for('1'); {said}; report(1)")
    one.write_config(
        "[supervisor:/]\nstart_order = parallel\n"
        + stays.section(f"ready = {ready}", SLOW) + ends.section(f"ready = {ready}", SLOW, "restart = transient")
    )
    one.start()
    stays.wait_told()
    ends.wait_told()
    engine = one.engine()
    os.kill(one.pid, signal.SIGSTOP)  # so that no other engine is started
    try:
        os.kill(engine, signal.SIGKILL)
        until("the engine's end", lambda: process(engine).zombie)
        stays.go("1")
        stays.wait_told(2)
        ends.wait_told(2)
        until("the end of the one", lambda: all(not (one_.zombie is False and str(ends.script) in one_.argv) for one_ in children(one.pid)))
    finally:
        os.kill(one.pid, signal.SIGCONT)
    one.wait_node("stays", state="running", incarnation=1)
    one.wait_node("ends", state="finished", incarnation=1, streak=0)
    if ready == "notify":
        assert one.node("stays")["status_text"] == "alone"


@pytest.mark.parametrize("ready", ["fd:3", "notify"])
def test_engine_killed_at_any_moment(daemon, ready):
    """Children that become ready and end again and again, an engine that dies again and again: each start that said so was ready."""
    one = daemon("", start=False)
    say_so = "echo >&3" if ready == "fd:3" else f"{PYTHON} {TELLER} {one.dir}/tell"
    (one.dir / "tell").write_text("tell('READY=1')")
    one.write_config(
        "[supervisor:/]\nstart_order = parallel\nintensity = 60000\n"
        f"[child:a]\ncommand = sh -c '{say_so}; exec sleep 0.0%i'\nready = {ready}\ninstances = 5\nbackoff = none\nstart_timeout = 60s\n"
    )
    one.start()
    for _ in range(10):
        before = one.node("a@3")["incarnation"]
        one.kill_engine()
        one.wait_node("a@3", incarnation=lambda number, before=before: number > before)
    text = one.log()
    assert "start_timeout" not in text and "ended_early" not in text, text[-3000:]
    assert "hold: true" not in text


# --- resources


@pytest.mark.parametrize("ready", ["fd:3", "notify"])
def test_no_descriptor_is_left(daemon, ready):
    """Hundreds of restarts, good and failed starts, leave no descriptor and no file behind."""
    one = daemon("", start=False)
    say_so = "echo >&3" if ready == "fd:3" else ":"
    one.write_config(
        "[supervisor:/]\nintensity = 60000\n"
        + sh("a", f"{say_so}; exit 0", f"ready = {ready}", "autostart = no", "backoff = none", "start_timeout = 60s")
        + f"[child:none]\ncommand = {one.dir}/nothing\nready = {ready}\nautostart = no\nbackoff = none\n"
    )
    one.start()

    def ways(pid):
        """What may be some child's, but for what is always there: in the reaper the link and the control socket."""
        return sum(target.startswith(("socket:", "pipe:")) for target in descriptors(pid).values())

    def round_of(number):
        for name in ("a", "none"):
            one.call("start", path=name)
        for name in ("a", "none"):
            one.wait_node(name, incarnation=lambda incarnation: incarnation > number)
        for name in ("a", "none"):
            one.call("stop", path=name)
        for name in ("a", "none"):
            one.wait_node(name, state="stopped")

    round_of(1)  # what is made once and stays
    engine = ways(one.engine())
    round_of(200)
    until(lambda: f"as few descriptors as before, {engine}: {descriptors(one.engine())}", lambda: ways(one.engine()) <= engine)
    until(lambda: f"three descriptors in the reaper: {descriptors(one.pid)}", lambda: ways(one.pid) == 3)
    assert notify_sockets(one) == []
    one.stop()
    assert not pathlib.Path(f"{one.socket}.notify").exists()


def test_descriptors_used_up(daemon):
    """Where descriptors do not suffice the start fails with a message, and nothing else breaks (FIELD 2.C.15)."""
    if not shutil.which("prlimit"):
        pytest.skip("prlimit is not installed")
    one = daemon(
        "[supervisor:/]\nstart_order = parallel\nintensity = 1000\n"
        "[child:a]\ncommand = sleep 1000\nready = notify\ninstances = 100\nstart_timeout = 60s\nbackoff_delay = 1h\nbackoff_max = 1h\n"
        "[child:b]\ncommand = sleep 1000\n",
        wrapper=["prlimit", "--nofile=100:100"],
    )
    one.wait_node("b", state="running")
    one.wait_log(r"a@\d+: could not start: preparing how it tells that it is ready: Too many open files")
    states = [node["state"] for path, node in one.nodes().items() if path.startswith("a@")]
    assert states.count("starting") >= 20 and states.count("restarting") >= 20, states
    one.kill_engine()
    one.call("stop", path="a")
    until("all of them to be down", lambda: all(node["state"] == "stopped" for path, node in one.nodes().items() if path.startswith("a@")))
    assert notify_sockets(one) == []


# --- surroundings


def test_no_writable_path(daemon):
    """Without any place for a file it works as well: the address is an abstract one (FIELD 1.A.4)."""
    one = daemon("", start=False)
    child = Teller(one, "a", "report(os.environ['NOTIFY_SOCKET']); tell('READY=1'); rest()")
    one.config.write_text(f"[coppice]\ncontrol_socket = /proc/none/control.sock\n{child.section('ready = notify', SLOW)}")
    one.start()
    one.wait_log(r"a: ready")
    assert child.wait_told()[0].startswith("@")


def test_long_path(daemon):
    """A control socket whose path leaves no room for another name."""
    one = daemon("", start=False)
    deep = one.dir / ("x" * (100 - len(str(one.dir)) - 6))
    deep.mkdir()
    one.socket = deep / "s"
    child = Teller(one, "a", "report(os.environ['NOTIFY_SOCKET']); tell('READY=1'); rest()")
    one.write_config(child.section("ready = notify", SLOW))
    one.start()
    one.wait_node("a", state="running")
    assert child.wait_told()[0].startswith("@")


def test_own_environment(daemon):
    """NOTIFY_SOCKET of whoever supervises us is not our children's; a child's own value is, but for ready = notify."""
    one = daemon("", start=False, env={"NOTIFY_SOCKET": "/run/systemd/notify"})
    one.dir.chmod(0o711)
    show = "env >$0.new; mv $0.new $0; exec sleep 1000"
    one.write_config(
        f"[child:none]\ncommand = sh -c '{show}' {one.dir}/none\n"
        f"[child:own]\ncommand = sh -c '{show}' {one.dir}/own\nenv.NOTIFY_SOCKET = /mine\n"
        f"[child:told]\ncommand = sh -c '{show}' {one.dir}/told\nenv.NOTIFY_SOCKET = /mine\nready = notify\n{SLOW}"
    )
    one.start()
    def seen(name):
        path = one.dir / name
        until(f"the environment of {name}", path.exists)
        return re.findall(r"^NOTIFY_SOCKET=(.*)$", path.read_text(), re.M)
    assert seen("none") == []
    assert seen("own") == ["/mine"]
    assert seen("told") == [str(path) for path in notify_sockets(one)]


def test_leftovers_are_swept(daemon):
    """Sockets of a daemon that was killed with all its processes are removed by the next, those of the living are not."""
    one = daemon("", start=False)
    directory = pathlib.Path(f"{one.socket}.notify")
    directory.mkdir(mode=0o711)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(directory / "dead"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as alive:
        alive.bind(str(directory / "alive"))
        one.write_config("[child:a]\ncommand = sleep 1000\n")
        one.start()
        one.wait_node("a", state="running")
        assert [path.name for path in notify_sockets(one)] == ["alive"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_other_network_namespace(teller):
    """The address is reached from another network namespace."""
    one, child = teller("""
        library = __import__("ctypes").CDLL(None, use_errno=True)
        report(library.unshare(0x40000000))
        tell("READY=1")
        rest()
    """)
    if child.wait_told()[0] != 0:
        pytest.skip("no network namespaces here")
    one.wait_node("a", state="running")
