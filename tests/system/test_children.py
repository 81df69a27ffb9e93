"""What a child is started into, and starts that fail, hang or are stopped (coppice-semantics(7), Starting; coppice.conf(5)).

A start that fails is that child's failed start, with step and reason; the others do not notice.
"""

import contextlib
import os
import pathlib
import pwd
import random
import resource
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from conftest import HELPERS, children, descriptors, process, until

CHILD = HELPERS / "child"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
QUICK = 1.0  # seconds within which the engine must answer whatever hangs; milliseconds where nothing else runs

# Failures of one child must not use up the room of others in the window, which is the root's.
ROOMY = "[supervisor:/]\nintensity = 65535\nperiod = 1s\nchild.log = null\n"


def own_user():
    """A number that is no one's on this machine: kill(-1) by it reaches nobody else."""
    return random.randrange(100_000, 2_000_000_000)


def section(name, command="/bin/sleep 1000", **keys):
    keys = {key.replace("__", "."): value for key, value in keys.items()}
    return f"[child:{name}]\ncommand = {command}\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def write(path, text, mode=0o755):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def assert_lively(d, steady):
    """Other work goes on: answers are quick, a child is stopped, started and restarted."""
    d.wait_node(steady, state="running")
    began = time.monotonic()
    d.call("status")
    assert time.monotonic() - began < QUICK
    pid = d.node(steady)["pid"]
    d.call("restart", path=steady, wait=True)
    d.wait_node(steady, state="running", pid=lambda now: now not in (pid, None))
    d.call("stop", path=steady, wait=True)
    assert d.node(steady)["state"] == "stopped"
    d.call("start", path=steady, wait=True)
    pid = d.wait_node(steady, state="running")["pid"]
    os.kill(pid, signal.SIGKILL)
    d.wait_node(steady, state="running", pid=lambda now: now not in (pid, None))


# --- starts that fail --------------------------------------------------------------------------------------------


def elf_of_another_machine():
    """The head of this interpreter's file, its machine changed into one that nobody has."""
    head = bytearray(pathlib.Path(sys.executable).read_bytes()[:4096])
    head[18:20] = (0x1234).to_bytes(2, "little")
    return bytes(head)


EXEC, DIRECTORY, LOG, STDIN = "executing the command", "entering the directory", "opening the log file", "opening stdin"


def wrong_places(at):
    """{name: (step, errno, the section's keys)}, and makes what they name."""
    (at / "dir").mkdir()
    write(at / "plain", "text\n", 0o644)
    write(at / "foreign", elf_of_another_machine())
    write(at / "bare", "exit 0\n")
    write(at / "lost", "#!/no/such/interpreter\nexit 0\n")
    write(at / "ring", f"#!{at}/ring\n")
    write(at / "empty", b"")
    os.symlink(at / "loop", at / "loop")
    os.mkfifo(at / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(at / "listener"))
    listener.close()
    cases = {
        "command-directory": (EXEC, "EACCES", {"command": at / "dir"}),
        "command-missing": (EXEC, "ENOENT", {"command": at / "missing"}),
        "command-nowhere": (EXEC, "ENOENT", {"command": "no-such-program-anywhere"}),
        "command-closed": (EXEC, "EACCES", {"command": at / "plain"}),
        "command-foreign": (EXEC, "ENOEXEC", {"command": at / "foreign"}),
        "command-bare": (EXEC, "ENOEXEC", {"command": at / "bare"}),
        "command-empty": (EXEC, "ENOEXEC", {"command": at / "empty"}),
        "command-lost": (EXEC, "ENOENT", {"command": at / "lost"}),
        "command-ring": (EXEC, "ELOOP", {"command": at / "ring"}),
        "command-loop": (EXEC, "ELOOP", {"command": at / "loop"}),
        "command-below-file": (EXEC, "ENOTDIR", {"command": at / "plain/program"}),
        "directory-missing": (DIRECTORY, "ENOENT", {"directory": at / "missing"}),
        "directory-file": (DIRECTORY, "ENOTDIR", {"directory": at / "plain"}),
        "directory-loop": (DIRECTORY, "ELOOP", {"directory": at / "loop"}),
        "log-fifo": (LOG, "ENXIO", {"log": "file", "log_file": at / "fifo"}),
        "log-directory": (LOG, "EISDIR", {"log": "file", "log_file": at / "dir"}),
        "log-loop": (LOG, "ELOOP", {"log": "file", "log_file": at / "loop"}),
        "log-socket": (LOG, "ENXIO", {"log": "file", "log_file": at / "listener"}),
        "log-below-file": (LOG, "ENOTDIR", {"log": "file", "log_file": at / "plain/log"}),
        "log-below-device": (LOG, "ENOTDIR", {"log": "file", "log_file": "/dev/full/x"}),
        "stdin-missing": (STDIN, "ENOENT", {"stdin": at / "missing"}),
        "stdin-fifo": (STDIN, "EINVAL", {"stdin": at / "fifo"}),
        "stdin-directory": (STDIN, "EISDIR", {"stdin": at / "dir"}),
        "stdin-loop": (STDIN, "ELOOP", {"stdin": at / "loop"}),
    }
    return cases


def test_each_failure_is_its_childs_own(daemon):
    """Step and reason are in the status and in the log; it is retried with the delays of failures; siblings stay."""
    d = daemon(start=False)
    cases = wrong_places(d.dir)
    d.write_config(ROOMY + section("steady") + "".join(section(name, **case[2]) for name, case in cases.items()))
    d.start()
    steady = d.wait_node("steady", state="running")["pid"]
    for name, (step, error, _) in cases.items():
        node = d.wait_node(name, state="restarting", streak=lambda n: n >= 2)
        assert node["start_error"] == {"step": step, "error": error}, name
        assert node["reason"] == "start_failed" and "pid" not in node and not node["ready"], name
        d.wait_log(rf"\b{name}: .*{step}.*(?:{error}|{os.strerror(getattr(__import__('errno'), error))})")
    assert d.node("steady")["pid"] == steady and d.node("steady")["restarts"] == 0
    assert_lively(d, "steady")
    assert [one for one in d.children() if one.zombie] == []
    assert d.stop() == 0


def test_fifo_with_a_reader_is_no_log_file(daemon):
    """Its reader could make the child wait."""
    d = daemon(start=False)
    os.mkfifo(d.dir / "fifo")
    reader = os.open(d.dir / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    d.write_config(section("one", log="file", log_file=d.dir / "fifo", log_stderr="null"))
    d.start()
    assert d.wait_node("one", state="restarting")["start_error"] == {"step": LOG, "error": "EINVAL"}
    os.close(reader)


def test_stderr_of_its_own_may_fail_too(daemon):
    d = daemon(start=False)
    d.write_config(section("one", log="null", log_stderr=d.dir))
    d.start()
    assert d.wait_node("one", state="restarting")["start_error"] == {
        "step": "opening the log file of stderr", "error": "EISDIR"}


def test_file_that_is_being_written_is_executed_later(daemon):
    d = daemon(start=False)
    program = write(d.dir / "program", pathlib.Path("/bin/sleep").read_bytes())
    with open(program, "r+b"):
        d.write_config(ROOMY + section("one", f"{program} 1000", backoff="fixed"))
        d.start()
        assert d.wait_node("one", state="restarting")["start_error"] == {"step": EXEC, "error": "ETXTBSY"}
    assert "start_error" not in d.wait_node("one", state="running")


@needs_root
def test_places_that_an_unprivileged_daemon_may_not_use(daemon):
    user = own_user()
    d = daemon(start=False, wrapper=["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"])
    os.chown(d.dir, user, user)
    closed = d.dir / "closed"
    closed.mkdir(mode=0o700)
    d.write_config(
        ROOMY + section("directory", directory=closed) + section("log", log="file", log_file=closed / "log")
        + section("made", log="file", log_file=closed / "a/b/log") + section("stdin", stdin=closed / "x")
        + section("command", closed / "x") + section("steady"))
    os.chown(d.config, user, user)
    d.start()
    steady = d.wait_node("steady", state="running")["pid"]
    wanted = {"directory": (DIRECTORY, "EACCES"), "log": (LOG, "EACCES"), "made": (LOG, "EACCES"),
              "stdin": (STDIN, "EACCES"), "command": (EXEC, "EACCES")}
    for name, (step, error) in wanted.items():
        assert d.wait_node(name, state="restarting")["start_error"] == {"step": step, "error": error}, name
    assert os.stat(f"/proc/{steady}").st_uid == user
    assert d.stop() == 0


@pytest.fixture
def small_place(tmp_path):
    """A file system of one page and hardly any file."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "none", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@needs_root
def test_full_place(daemon, small_place):
    """No room for the file: a failed start. Room for the file and none for its text: the child's own trouble."""
    (small_place / "log").write_bytes(b"x" * 4096)
    d = daemon(ROOMY + section("new", log="file", log_file=small_place / "new")
               + section("full", "/bin/sh -c 'echo more || exit 9; sleep 1000'", log="file", log_file=small_place / "log")
               + section("deep", log="file", log_file=small_place / "a/b/c"))
    assert d.wait_node("new", state="restarting")["start_error"] == {"step": LOG, "error": "ENOSPC"}
    assert d.wait_node("deep", state="restarting")["start_error"] == {"step": LOG, "error": "ENOSPC"}
    d.wait_node("full", state="restarting", exit={"code": 9, "core_dumped": False})
    (small_place / "log").write_bytes(b"")
    d.wait_node("full", state="running")
    until("the text", lambda: (small_place / "log").read_text() == "more\n")
    d.call("stop", path="full", wait=True)
    d.call("stop", path="deep", wait=True)
    (small_place / "log").unlink()
    d.call("restart", path="new")
    d.wait_node("new", state="running")


# --- starts that hang --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def hung_mount(place, how):
    """Mounts something at `place` that never answers; yields a function that ends it."""
    place.mkdir(exist_ok=True)
    server = subprocess.Popen([HELPERS / "hungfs", how, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if server.stdout.readline() != b"ready\n":
        server.stdin.close()
        pytest.skip(f"cannot mount a file system of one's own (status {server.wait()})")

    def end():
        if server.stdin:
            server.stdin.close()
            server.stdin = None
        return server.wait(10)

    try:
        yield end
    finally:
        end()
        server.stdout.close()


def test_directory_on_a_hung_mount(daemon):
    """Whoever waits there can be killed: a failed start after start_timeout, again and again, and nobody else's business."""
    d = daemon(start=False)
    with hung_mount(d.dir / "hung", "deaf"):
        hung = {"directory": d.dir / "hung/below", "start_timeout": "300ms", "backoff": "fixed"}
        log = {"log": "file", "log_file": d.dir / "hung/log", "start_timeout": "300ms"}
        d.write_config(ROOMY + section("hung", **hung) + section("log", **log)
                       + section("command", d.dir / "hung/program", start_timeout="300ms")
                       + section("input", stdin=d.dir / "hung/input", start_timeout="300ms") + section("steady"))
        d.start()
        for name in ("hung", "log", "command", "input"):
            node = d.wait_node(name, state="restarting", streak=lambda n: n >= 1)
            assert node["start_error"]["step"] == "starting it took too long and was given up", node
            assert node["start_error"]["error"] == "ETIMEDOUT"
        assert_lively(d, "steady")
        d.wait_node("hung", streak=lambda n: n >= 2)
        began = time.monotonic()
        d.call("stop", path="hung", wait=True)
        assert d.node("hung")["state"] == "stopped"
        assert d.stop() == 0
        assert time.monotonic() - began < 5
        assert d.family() == []


def test_many_on_a_hung_mount(daemon):
    """A whole template that hangs does not keep others from the threads: a start that needs one succeeds at once."""
    d = daemon(start=False)
    with hung_mount(d.dir / "hung", "deaf"):
        d.write_config(ROOMY + "start_order = parallel\n"
                       + section("hung", directory=d.dir / "hung/%i", instances=40, start_timeout="1h", stop="KILL")
                       + section("elsewhere", directory=d.dir))
        d.start()
        node = d.wait_node("elsewhere", state="running")
        assert node["restarts"] == 0, node
        assert d.node("hung@40")["state"] == "starting"
        os.kill(node["pid"], signal.SIGKILL)
        d.wait_node("elsewhere", state="running", restarts=1)
        assert d.stop() == 0


def test_stop_of_a_start_that_hangs(daemon):
    """The stop sequence holds for what is not through exec too (FIELD 1.C.18)."""
    d = daemon(start=False)
    with hung_mount(d.dir / "hung", "deaf"):
        d.write_config(ROOMY + section("hung", directory=d.dir / "hung/below", start_timeout="1h", stop="TERM 200ms KILL")
                       + section("steady"))
        d.start()
        pid = d.wait_node("hung", state="starting", pid=lambda pid: pid)["pid"]
        until("the wait", lambda: process(pid).state in "SD")
        d.call("stop", path="hung", now=True, wait=True)
        assert d.node("hung")["state"] == "stopped"
        until("its end", lambda: not process(pid))
        d.call("start", path="hung")
        d.wait_node("hung", state="starting", pid=lambda pid: pid)
        d.call("stop", path="hung", wait=True)
        assert d.node("hung")["state"] == "stopped"
        d.call("start", path="hung")
        d.wait_node("hung", state="starting", pid=lambda pid: pid)
        began = time.monotonic()
        assert d.stop() == 0
        assert time.monotonic() - began < 3


def test_starts_that_cannot_even_be_killed(daemon):
    """
    More of them than there are spawner threads: failed starts all the same, and no second process of any. Those that
    need a thread go on too; stops and shutdown do not wait for what will not end; nor does another engine.
    """
    d = daemon(start=False)
    with hung_mount(d.dir / "hung", "mute") as end:
        d.write_config(ROOMY + section("hung", directory=d.dir / "hung/%i", instances=12, start_timeout="100ms",
                                       stop="TERM 100ms KILL", backoff="fixed")
                       + section("command", f"{d.dir}/hung/program", start_timeout="100ms", backoff="fixed")
                       + section("log", log="file", log_file=d.dir / "hung/log", start_timeout="100ms", backoff="fixed")
                       + section("threaded", directory="/") + section("steady"))
        d.start()
        d.wait_node("command", state="restarting", start_error=lambda error: error and error["error"] == "ETIMEDOUT")
        d.wait_node("log", state="restarting", start_error=lambda error: error and error["error"] == "ETIMEDOUT")
        node = d.wait_node("hung@12", state="restarting", streak=lambda n: n >= 3)
        assert node["start_error"] == {"step": "starting it took too long and was given up", "error": "ETIMEDOUT"}
        stuck = until(f"14 that are killed and stay: {d.children()}", lambda: all_killed(d, 14))
        assert_lively(d, "steady")
        assert_lively(d, "threaded")
        began = time.monotonic()
        d.call("stop", path="hung@1", wait=True)
        d.call("restart", path="hung@2")
        assert time.monotonic() - began < QUICK
        d.kill_engine()
        d.wait_node("hung@12", streak=lambda n: n >= node["streak"] + 2)
        assert_lively(d, "threaded")
        assert {one.pid for one in d.children() if one.half_made} == stuck
        began = time.monotonic()
        assert d.stop() == 0
        assert time.monotonic() - began < 3
        end()
        until("the end of those", lambda: not d.family())


def all_killed(d, count):
    """The half-made children, once there are so many and KILL waits for each."""
    pids = {one.pid for one in d.children() if one.half_made}
    return len(pids) == count and all(killed(pid) for pid in pids) and pids


def killed(pid):
    """Whether SIGKILL waits for the process."""
    try:
        with open(f"/proc/{pid}/status") as status:
            pending = [int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd"))]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(number >> (signal.SIGKILL - 1) & 1 for number in pending)


@pytest.mark.parametrize("refused", [[], ["close_range", "ENOSYS"]], ids=["", "without close_range"])
@pytest.mark.parametrize("keys", ["log = file\nlog_file = {}/log", "stdin = {}/input", "directory = {}"],
                         ids=["log", "stdin", "directory"])
def test_start_that_hangs_holds_nothing_of_ours(daemon, keys, refused):
    """A client sees at once that its connection was closed."""
    d = daemon(start=False, wrapper=[HELPERS / "refuse", *refused, "--"] if refused else ())
    with hung_mount(d.dir / "hung", "deaf"):
        d.write_config("[child:steady]\ncommand = /bin/sleep 1000\n[child:hung]\ncommand = /bin/true\nautostart = no\n"
                       "start_timeout = 1h\n" + keys.format(d.dir / "hung/x"))
        d.start()
        d.wait_node("steady", state="running")
        client = d.client()
        client.call("ping")
        d.call("start", path="hung")
        pid = d.wait_node("hung", state="starting", pid=lambda pid: pid)["pid"]
        until("nothing but the three", lambda: all(fd <= 2 or "/dev/null" in to for fd, to in descriptors(pid).items()))
        with contextlib.suppress(ConnectionError):  # too long a request; what is not read of it may make it a reset
            client.send(b"x" * (2 << 20))
            while client.line():
                pass
        client.close()


def test_hung_mount_that_comes_back(daemon):
    """Then the next start succeeds."""
    d = daemon(start=False)
    with hung_mount(d.dir / "hung", "mute") as end:
        d.write_config(ROOMY + section("hung", directory=d.dir / "hung/here", start_timeout="100ms", backoff="fixed",
                                       backoff_delay="50ms"))
        d.start()
        until("its KILL", lambda: any(killed(one.pid) for one in d.children() if one.half_made))
        d.wait_node("hung", streak=lambda n: n >= 3)
        end()
        (d.dir / "hung/here").mkdir()
        d.wait_node("hung", state="running")


# --- a user that stops everybody ---------------------------------------------------------------------------------


@needs_root
def test_program_that_stops_whatever_it_may(daemon):
    """
    kill(-1, SIGSTOP) in a loop. It reaches its own user's processes only, half-made ones among them: those are killed
    and failed; the engine is not held up, and all of them are stopped in the end.
    """
    user = own_user()
    identity = {"user": user, "group": user, "groups": "", "backoff": "fixed", "backoff_delay": "20ms"}
    # thousands of places to look in between the change of user and the program: plenty of time to be stopped in
    victim = {**identity, "env__PATH": "/nowhere:" * 3000 + "/bin", "stop": "KILL"}
    d = daemon(ROOMY + section("stopper", f"{CHILD} stop-all", **identity) + section("victim", "true", instances=4, **victim)
               + section("patient", "/bin/sleep 1000", instances=4, **{**identity, "stop": "TERM 300ms KILL"})
               + section("steady"))
    d.wait_node("stopper", state="running")
    until("a start that was stopped", lambda: d.call("restart", path="victim")
          and "could not start: it was stopped by a signal before exec" in d.log())
    for _ in range(3):
        assert_lively(d, "steady")
    began = time.monotonic()
    d.call("stop", path="patient", wait=True)
    assert d.stop() == 0
    assert time.monotonic() - began < 10
    assert d.family() == []


# --- surroundings ------------------------------------------------------------------------------------------------


def read_when_ended(d, node, path):
    d.wait_node(node, state="finished")
    return path.read_text()


def test_environment(daemon):
    d = daemon(start=False, env={"PLAIN": "kept", "OWN": "the daemon's", "PATH": "/usr/bin:/bin"})
    once = {"restart": "temporary", "log": "file"}
    d.write_config(
        section("all", f"{CHILD} env", **once, log_file=d.dir / "all", env__OWN="its own", env__NEW="a = b ; c")
        + section("clear", f"{CHILD} env", **once, log_file=d.dir / "clear", clear_env="yes", env__OWN="%p %n")
        + section("empty", f"{CHILD} env", **once, log_file=d.dir / "empty", env__PLAIN=""))
    d.start()
    lines = read_when_ended(d, "all", d.dir / "all").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert found["PLAIN"] == "kept" and found["OWN"] == "its own" and found["NEW"] == "a = b ; c"
    assert sum(line.startswith("OWN=") for line in lines) == 1
    assert found["COPPICE_TEST"] == d.token
    assert sorted(read_when_ended(d, "clear", d.dir / "clear").splitlines()) == [
        "COPPICE_PATH=clear", "OWN=clear clear", "PATH=/usr/bin:/bin"]
    assert "PLAIN=" in read_when_ended(d, "empty", d.dir / "empty").splitlines()


@needs_root
def test_identity(daemon):
    """The user's own group, groups, home and shell from the databases; numbers without an entry; what is set wins."""
    one = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, 65534) and entry.pw_dir != "/nonexistent")
    number = own_user()
    # as the child will see them: open to everybody
    d = daemon(start=False, env={"HOME": "/the/daemons", "SHELL": "/the/daemons"})
    once = {"restart": "temporary", "log": "file"}
    d.write_config(
        section("named", f"{CHILD} self env", **once, log_file=d.dir / "named", user=one.pw_name)
        + section("number", f"{CHILD} self env", **once, log_file=d.dir / "number", user=number, group=number,
                  groups=f"{number + 1}, {number + 2}")
        + section("alone", f"{CHILD} self", **once, log_file=d.dir / "alone", user=number, group=one.pw_gid, groups="")
        + section("home", f"{CHILD} self env", **once, log_file=d.dir / "home", user=one.pw_name, env__HOME="/own"))
    d.start()
    text = read_when_ended(d, "named", d.dir / "named").splitlines()
    assert f"uid {one.pw_uid} {one.pw_uid}" in text and f"gid {one.pw_gid} {one.pw_gid}" in text
    for name, value in {"HOME": one.pw_dir, "USER": one.pw_name, "LOGNAME": one.pw_name, "SHELL": one.pw_shell}.items():
        assert f"{name}={value}" in text and sum(line.startswith(name + "=") for line in text) == 1
    groups = next(line for line in text if line.startswith("groups"))
    assert set(map(int, groups.split()[1:])) == set(os.getgrouplist(one.pw_name, one.pw_gid))
    text = read_when_ended(d, "number", d.dir / "number").splitlines()
    assert f"uid {number} {number}" in text and f"gid {number} {number}" in text
    assert f"groups {number + 1} {number + 2}" in text
    text = read_when_ended(d, "alone", d.dir / "alone").splitlines()
    assert f"gid {one.pw_gid} {one.pw_gid}" in text and "groups" in text
    assert "HOME=/own" in read_when_ended(d, "home", d.dir / "home").splitlines()


def test_umask_directory_and_limits(daemon):
    """The umask is 022 or what is said, whatever the daemon's is; the directory is the daemon's own or what is said."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def surroundings():
        os.umask(0o777)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))

    d = daemon(start=False, preexec_fn=surroundings)
    once = {"restart": "temporary", "log": "file"}
    d.write_config(section("plain", f"{CHILD} self", **once, log_file=d.dir / "plain")
                   + section("set", f"{CHILD} self", **once, log_file=d.dir / "set", umask="027", directory="/usr/lib"))
    d.start()
    text = read_when_ended(d, "plain", d.dir / "plain").splitlines()
    assert "umask 22" in text and f"directory {d.dir.resolve()}" in text
    assert "leads 1 1" in text and "files 200" in text
    text = read_when_ended(d, "set", d.dir / "set").splitlines()
    assert "umask 27" in text and f"directory {pathlib.Path('/usr/lib').resolve()}" in text
    assert soft >= 200


def test_where_a_command_is_found(daemon):
    """Along the child's own PATH at each start; with a slash from its directory; unexecutable ones are passed over."""
    d = daemon(start=False, env={"PATH": "/usr/bin:/bin"})
    for name in ("first", "second", "third"):
        (d.dir / name).mkdir()
    write(d.dir / "first/tool", "#!/bin/sh\necho first\n", 0o644)
    write(d.dir / "second/tool", "#!/bin/sh\necho second $0\n")
    write(d.dir / "third/tool", "#!/bin/sh\necho third $0\n")
    once = {"restart": "temporary", "log": "file"}
    path = f"{d.dir}/none:{d.dir}/first:{d.dir}/second:{d.dir}/third:/bin"
    d.write_config(
        section("searched", "tool", **once, log_file=d.dir / "searched", env__PATH=path)
        + section("relative", "./tool", **once, log_file=d.dir / "relative", directory=d.dir / "third")
        + section("below", "third/tool", **once, log_file=d.dir / "below", directory=d.dir)
        + section("here", "tool", **once, log_file=d.dir / "here", directory=d.dir / "third", env__PATH=":/bin")
        + section("bare", "sh -c 'echo bare'", **once, log_file=d.dir / "bare", clear_env="yes")
        + section("later", "late-comer", env__PATH=path, log="null", backoff="fixed"))
    d.start()
    assert read_when_ended(d, "searched", d.dir / "searched") == f"second {d.dir}/second/tool\n"
    assert read_when_ended(d, "relative", d.dir / "relative") == "third ./tool\n"
    assert read_when_ended(d, "below", d.dir / "below") == "third third/tool\n"
    assert read_when_ended(d, "here", d.dir / "here").startswith("third ")
    assert read_when_ended(d, "bare", d.dir / "bare") == "bare\n"
    d.wait_node("later", state="restarting")
    write(d.dir / "third/late-comer", "#!/bin/sh\nsleep 1000\n")
    d.wait_node("later", state="running")


def test_words_of_a_command(daemon):
    d = daemon(start=False)
    write(d.dir / "words", '#!/bin/sh\nfor word; do echo "[$word]"; done\n')
    d.write_config(section("one", f"""{d.dir}/words 'a b' "c ' d" e\\ f "" 50%% # x ; y""", restart="temporary",
                           log="file", log_file=d.dir / "out"))
    d.start()
    assert read_when_ended(d, "one", d.dir / "out").splitlines() == [
        "[a b]", "[c ' d]", "[e f]", "[]", "[50%]", "[#]", "[x]", "[;]", "[y]"]


def test_log_file(daemon):
    """Appended to, also by others and after a restart; its directories are made; stderr with it unless said otherwise."""
    d = daemon(start=False, coppice="")
    (d.dir / "old").write_text("before\n")
    say = "/bin/sh -c 'echo out; echo err >&2; exit 3'"
    twice = {"backoff": "none", "log": "file"}
    d.write_config(
        f"[supervisor:/]\nintensity = 1\non_limit = give_up\n[supervisor:a]\nintensity = 1\non_limit = give_up\n"
        + section("both", say, log_file=d.dir / "old", **twice)
        + section("a/apart", say, log_stderr=d.dir / "errors", **twice), f"log_dir = {d.dir}/made/here")
    d.start()
    d.wait_node("both", state="failed")
    d.wait_node("a/apart", state="failed")
    assert (d.dir / "old").read_text() == "before\nout\nerr\nout\nerr\n"
    assert (d.dir / "made/here/a.apart.log").read_text() == "out\nout\n"
    assert (d.dir / "errors").read_text() == "err\nerr\n"
    assert stat.S_IMODE((d.dir / "made").stat().st_mode) == 0o755
    assert stat.S_IMODE((d.dir / "errors").stat().st_mode) == 0o640


def test_inherited_and_no_output(daemon):
    d = daemon(section("loud", "/bin/sh -c 'echo to the log; echo so too >&2'", restart="temporary")
               + section("mute", "/bin/sh -c 'echo nowhere; echo never >&2'", restart="temporary", log="null"))
    d.wait_node("loud", state="finished")
    d.wait_node("mute", state="finished")
    text = d.log()
    assert "to the log\n" in text and "so too\n" in text and "nowhere\n" not in text and "never\n" not in text


def test_stdin(daemon):
    d = daemon(start=False)
    (d.dir / "input").write_text("some input\n")
    once = {"restart": "temporary", "log": "file"}
    d.write_config(section("null", "/bin/cat", **once, log_file=d.dir / "null")
                   + section("file", "/bin/cat", **once, stdin=d.dir / "input", log_file=d.dir / "file"))
    d.start()
    assert read_when_ended(d, "file", d.dir / "file") == "some input\n"
    assert read_when_ended(d, "null", d.dir / "null") == ""


def test_instances(daemon):
    """%i, %n, %p in command, environment, directory and log file."""
    d = daemon(start=False)
    for number in (1, 2, 3):
        (d.dir / f"work{number}").mkdir()
    d.write_config("[supervisor:shop]\n" + section(
        "shop/web", "/bin/sh -c 'echo %i %n %p $NUMBER; pwd; exec sleep 1000'", instances=3, env__NUMBER="no%i",
        directory=f"{d.dir}/work%i", log="file", log_file=f"{d.dir}/log-%n"))
    d.start()
    for number in (1, 2, 3):
        d.wait_node(f"shop/web@{number}", state="running")
        place = (d.dir / f"work{number}").resolve()
        until("its log", lambda: (d.dir / f"log-web@{number}").exists() and (d.dir / f"log-web@{number}").read_text()
              == f"{number} web@{number} shop/web@{number} no{number}\n{place}\n")
    d.call("stop", path="shop/web", wait=True)
    assert {node["state"] for node in d.nodes("shop").values() if "@" in node["path"]} == {"stopped"}


def test_children_are_clean(daemon):
    """No descriptor but 0 to 2, no signal blocked or ignored, a session of their own: whichever way they were made."""
    user = f"user = {own_user()}\ngroup = 0\ngroups =\n" if os.geteuid() == 0 else ""
    d = daemon(section("direct") + section("threaded", directory="/") + section("identity") + user)
    for name in ("direct", "threaded", "identity"):
        pid = d.wait_node(name, state="running")["pid"]
        until("exec", lambda: process(pid).name == "sleep")
        until("its dynamic loader to be through", lambda: set(descriptors(pid)) == {0, 1, 2})
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                      if ":\t" in line)
        for key in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"):
            assert int(status[key], 16) == 0, (name, key)
        assert process(pid).session == process(pid).group == pid
        assert process(pid).parent == d.pid
    assert {one.pid for one in children(d.pid)} == {d.engine(), *(d.node(n)["pid"] for n in ("direct", "threaded", "identity"))}
