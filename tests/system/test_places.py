"""Where a daemon may find itself: as PID 1, without rights, without room, without /proc, under filters, on terminals.

Wherever it is, the same short proof: a child runs, a killed one is started again, it can be told to leave, nothing is left.
"""

import contextlib
import fcntl
import os
import pathlib
import pty
import random
import resource
import shutil
import signal
import subprocess
import termios

import pytest

from conftest import BUILD, COPPICECTL, HELPERS, RpcError, descriptors, process, until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
TWO = """
[supervisor:/]
on_limit = backoff
intensity = 1000
[child:direct]
command = /bin/sleep 1000
log = null
[child:threaded]
command = /bin/sleep 1000
directory = /
log = null
"""


def own_user():
    """A number that is no one's on this machine."""
    return random.randrange(100_000, 2_000_000_000)


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def kids(pid):
    """As children(), and much cheaper where a machine is full of processes."""
    try:
        found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [one for one in map(process, map(int, found)) if one]


def reaper_of(d):
    """The coppiced below a wrapper that stays its parent, as /proc shows it from outside."""
    def look(pid):
        one = process(pid)
        if one and one.name == "coppiced":
            return pid
        return next(filter(None, (look(kid.pid) for kid in kids(pid))), None)
    return until("coppiced", lambda: look(d.popen.pid))


def engine_below(reaper):
    return until("an engine", lambda: [one.pid for one in kids(reaper) if one.name == "coppice-engine"])[0]


def sleepers(reaper):
    return {one.pid for one in kids(reaper) if one.name == "sleep" and not one.zombie}


def has_only_standard(pid):
    """Once its dynamic loader is through: that opens files for a moment."""
    until("the three standard descriptors alone", lambda: set(descriptors(pid)) == {0, 1, 2})


def prove(reaper, count=2):
    """By /proc alone: the children are there, and each is replaced when it is killed."""
    until("the children", lambda: len(sleepers(reaper)) == count)
    for pid in sleepers(reaper):
        os.kill(pid, signal.SIGKILL)
        until("a new one", lambda: len(sleepers(reaper)) == count and pid not in sleepers(reaper))
    until("no zombies", lambda: not [one for one in kids(reaper) if one.zombie])


def prove_end(d, reaper):
    os.kill(reaper, signal.SIGTERM)
    assert d.wait() == 0
    until("nothing to be left", lambda: not d.family())


# --- PID 1 -------------------------------------------------------------------------------------------------------

PID1 = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@needs_root
def test_first_process_of_a_container(daemon):
    """FIELD 1.A.5, 1.A.6"""
    d = daemon(TWO + "[child:stray]\ncommand = /bin/sh -c '(sleep 0.05; exit 7) & exit 0'\nrestart = temporary\nkill_mode = process\n",
               wrapper=PID1)
    d.ready()
    reaper = reaper_of(d)
    prove(reaper)
    d.wait_node("stray", state="finished")
    until("the orphan to be reaped", lambda: len(kids(reaper)) == 3)
    old = d.engine()
    os.kill(engine_below(reaper), signal.SIGKILL)
    until("another engine", lambda: d.engine() != old)
    prove(reaper)
    prove_end(d, reaper)


@needs_root
def test_root_of_a_container_escalates(daemon):
    """Whoever runs the container is to start it again: exit 70, everything stopped (FIELD 1.A.2, 1.A.3)."""
    d = daemon("[child:loop]\ncommand = /bin/false\nbackoff = none\n[child:other]\ncommand = /bin/sleep 1000\n", wrapper=PID1)
    assert d.wait() == 70
    assert d.family() == []
    d = daemon("[child:job]\ncommand = /bin/sh -c 'exit 5'\nrestart = temporary\nsignificant = yes\n"
               "[supervisor:/]\nauto_shutdown = any_significant\n", wrapper=PID1)
    assert d.wait() == 5


@needs_root
def test_container_without_a_root(daemon):
    """Root of a user namespace that knows no other user: all works but what nobody there may do, a failed start."""
    d = daemon(TWO + "[child:other]\ncommand = /bin/true\nuser = 1\ngroup = 1\ngroups =\nlog = null\n",
               wrapper=["unshare", "--user", "--map-root-user", *PID1[1:]])
    node = d.wait_node("other", state="restarting")
    assert node["start_error"]["step"].startswith("setting") and node["start_error"]["error"] in ("EPERM", "EINVAL")
    reaper = reaper_of(d)
    prove(reaper)
    prove_end(d, reaper)


# --- without rights ----------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("runtime", ["xdg", "none", "foreign"])
def test_unprivileged_user(daemon, runtime):
    """Its socket is where coppicectl looks for it; a directory that somebody else prepared there is not used (FIELD 1.A.4)."""
    user = own_user()
    d = daemon(start=False, wrapper=as_user(user))
    d.env.pop("XDG_RUNTIME_DIR", None)
    place = pathlib.Path(f"/tmp/coppice-{user}")
    if runtime == "xdg":
        d.env["XDG_RUNTIME_DIR"] = str(d.dir)
        place = d.dir / "coppice"
    if runtime == "foreign":
        place.mkdir(mode=0o777)
    try:
        d.config.write_text(TWO)
        os.chown(d.dir, user, user)
        os.chown(d.config, user, user)
        d.socket = place / "control.sock"
        d.start()
        prove(d.pid)
        if runtime == "foreign":
            d.wait_log(r"control socket .* its directory is not one that only we may write to")
            assert not d.socket.exists()
        else:
            assert d.call("ping")["engine_pid"]
            assert place.stat().st_mode & 0o7777 == 0o700 and place.stat().st_uid == user
            answer = subprocess.run([*d.wrapper, COPPICECTL, "status", "direct"], env=d.env, capture_output=True, text=True)
            assert answer.returncode == 0 and "running" in answer.stdout, answer
        assert all(os.stat(f"/proc/{pid}").st_uid == user for pid in sleepers(d.pid))
        assert d.stop() == 0
    finally:
        shutil.rmtree(place, ignore_errors=True)


# --- without places to write or to look --------------------------------------------------------------------------

READ_ONLY = r"""
set -e
mount --make-rprivate /
for place in $KEEP; do mount --bind "$place" "$place"; done
cut -d' ' -f2 /proc/self/mounts | sort -ru | while read -r at; do
	case " $KEEP /proc /sys /dev " in
	*" $at "*) continue ;;
	esac
	case "$at" in /proc/*|/sys/*|/dev/*) continue ;; esac
	mount -o remount,bind,ro "$at" 2>/dev/null || true
done
if touch "$PROBE" 2>/dev/null; then echo "still writable: $PROBE" >&2; exit 99; fi
exec "$@"
"""


@needs_root
@pytest.mark.parametrize("keep", [True, False], ids=["but for its socket", "altogether"])
def test_read_only_root(daemon, keep):
    """FIELD 1.A.4"""
    d = daemon(start=False, wrapper=["unshare", "-m", "sh", "-c", READ_ONLY, "sh"])
    (d.dir / "run").mkdir(mode=0o755)
    d.socket = d.dir / "run/control.sock"
    d.write_config(TWO)
    d.env.update(KEEP=str(d.dir / "run") if keep else "", PROBE=str(d.dir / "probe"))
    d.start()
    if keep:
        d.ready()
    else:
        d.wait_log(r"control socket .*Read-only file system; USR1 tries again")
    prove(d.pid)
    assert d.socket.exists() == keep
    d.signal(signal.SIGUSR1)
    if not keep:
        d.wait_log("control socket", count=2)
    os.kill(engine_below(d.pid), signal.SIGKILL)
    prove(d.pid)
    assert d.stop() == 0


@needs_root
@pytest.mark.skipif("asan" in BUILD.name, reason="the sanitizers' own runtime needs /proc")
def test_without_proc(daemon):
    """As in a plain chroot."""
    d = daemon(TWO, wrapper=["unshare", "-m", "sh", "-c", 'mount --make-rprivate / && umount -l /proc && exec "$@"', "sh"])
    d.ready()
    prove(d.pid)
    d.kill_engine()
    prove(d.pid)
    pid = d.node("direct")["pid"]
    d.call("stop", path="direct", wait=True)
    assert not process(pid)
    assert d.stop() == 0


# --- under filters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refused", [
    ["clone3", "ENOSYS"], ["clone3", "EPERM"], ["close_range", "ENOSYS"], ["close_range", "EPERM"],
    ["pidfd_open", "ENOSYS", "pidfd_send_signal", "ENOSYS"], ["pidfd_open", "EPERM", "pidfd_send_signal", "EPERM"],
    ["clone3", "EPERM", "close_range", "EPERM", "pidfd_open", "EPERM"],
], ids="-".join)
def test_system_calls_that_a_filter_refuses(daemon, refused):
    d = daemon(TWO, wrapper=[HELPERS / "refuse", *refused, "--"])
    d.ready()
    prove(d.pid)
    for pid in sleepers(d.pid):
        has_only_standard(pid)
    d.kill_engine()
    prove(d.pid)
    d.call("restart", path="direct", wait=True)
    assert d.stop() == 0
    assert d.family() == []


# --- started by a hostile parent ---------------------------------------------------------------------------------


def test_hostile_parent(daemon):
    """All signals blocked and ignored, a hundred descriptors open: the children have none of it, and nor have we."""
    d = daemon(start=False, close_fds=False)
    stray = d.dir / "stray"

    def hostile():
        for number in range(100):
            os.set_inheritable(os.open(stray, os.O_CREAT | os.O_RDWR, 0o600), True)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
        for number in set(range(1, signal.NSIG)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}:
            signal.signal(number, signal.SIG_IGN)

    d.popen_args["preexec_fn"] = hostile
    d.write_config(TWO)
    d.start()
    d.ready()
    prove(d.pid)
    engine = d.engine()
    for pid in [d.pid, engine, *sleepers(d.pid)]:
        assert str(stray) not in descriptors(pid).values()
    for pid in sleepers(d.pid):
        has_only_standard(pid)
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                      if ":\t" in line)
        assert int(status["SigBlk"], 16) == int(status["SigIgn"], 16) == 0
    assert d.stop() == 0


def prepared(daemon, prepare, config=TWO, coppice="", **kwargs):
    """A daemon whose surroundings are prepared between fork and exec."""
    return daemon(config, coppice, preexec_fn=prepare, **kwargs)


@pytest.mark.parametrize("closed", [(0,), (1, 2), (0, 1, 2)], ids=str)
def test_closed_standard_descriptors(daemon, closed):
    """What is opened first must not become anybody's output."""
    d = prepared(daemon, lambda: [os.close(fd) for fd in closed], TWO + "[child:loud]\ncommand = /bin/sh -c 'echo x; echo y >&2; exec sleep 1000'\n")
    d.wait_node("loud", state="running")
    prove(d.pid, 3)
    for pid in sleepers(d.pid):
        has_only_standard(pid)
    assert d.stop() == 0


def test_errors_to_a_full_device(daemon):
    d = prepared(daemon, lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 2))
    d.ready()
    prove(d.pid)
    assert d.stop() == 0


def test_errors_to_a_pipe_that_nobody_reads(daemon):
    """The log waits, and then lines are lost and counted; nothing else does."""
    inward, outward = os.pipe()
    fcntl.fcntl(outward, 1031, 4096)  # F_SETPIPE_SZ
    os.set_blocking(outward, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(outward, b"x" * 512 + b"\n")
    os.set_blocking(outward, True)
    d = prepared(daemon, lambda: os.dup2(outward, 2), TWO + "[supervisor:busy]\nintensity = 65535\nperiod = 1s\n[child:busy/loop]\ncommand = /bin/false\nbackoff = none\nlog = null\n")
    os.close(outward)
    d.wait_node("busy/loop", restarts=lambda n: n > 500)
    prove(d.pid)
    d.call("stop", path="busy/loop", wait=True)
    with open(inward, "rb", buffering=0) as pipe:
        os.set_blocking(inward, False)
        text = b""

        def read():
            nonlocal text
            with contextlib.suppress(BlockingIOError):
                text += pipe.read(1 << 16) or b""
            d.call("restart", path="direct")
            return b"log lines lost" in text
        until("the count of what was lost", read)
        assert d.stop() == 0


def test_errors_to_a_pipe_whose_reader_has_gone(daemon):
    inward, outward = os.pipe()
    d = prepared(daemon, lambda: os.dup2(outward, 2))
    os.close(inward)
    os.close(outward)
    d.ready()
    prove(d.pid)
    d.kill_engine()
    prove(d.pid)
    assert d.stop() == 0


# --- without room ------------------------------------------------------------------------------------------------


def answers(d):
    with contextlib.closing(d.client()) as client:
        try:
            return client.call("ping")
        except (RpcError, ConnectionError):
            return None


def test_few_descriptors(daemon):
    """64 are enough for the daemon; clients do not get them all, and children are still started again."""
    d = prepared(daemon, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    d.ready()
    prove(d.pid)
    with contextlib.ExitStack() as held:
        for _ in range(100):
            held.callback(d.client().close)
        d.wait_log("connections, more are turned away")
        prove(d.pid)
    until("room for one more", lambda: answers(d))
    d.kept = None
    d.kill_engine()
    prove(d.pid)
    assert d.stop() == 0


@needs_root
def test_no_process_left(daemon):
    """RLIMIT_NPROC: a failed start with its reason, tried again, and made as soon as there is room."""
    user = own_user()
    d = daemon(start=False, wrapper=as_user(user),
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (12, 12)))
    os.chown(d.dir, user, user)
    d.write_config("[supervisor:/]\nintensity = 65535\nperiod = 1s\n"
                   "[child:many]\ncommand = /bin/sleep 1000\ninstances = 14\nbackoff = fixed\nbackoff_delay = 50ms\n")
    os.chown(d.config, user, user)
    d.start()
    d.wait_log(r"many@\d+: could not start: creating the process: Resource temporarily unavailable \(EAGAIN\)")

    def short():
        return {path for path, node in d.nodes().items() if "@" in path and node["state"] != "running"}

    waiting = short()
    assert waiting
    chosen = min(waiting)
    node = d.wait_node(chosen, state="restarting")
    assert node["start_error"] == {"step": "creating the process", "error": "EAGAIN"}
    for path in sorted(path for path in d.nodes() if "@" in path and path not in waiting)[:len(waiting)]:
        d.call("stop", path=path, wait=True)
    d.wait_node(chosen, state="running")
    assert d.stop() == 0


# --- terminals ---------------------------------------------------------------------------------------------------


def test_terminal(daemon):
    """Ctrl-C stops all in reverse order and exits 0; the children get no SIGINT; Ctrl-Z and Ctrl-\\ do nothing."""
    master, slave = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)

    d = daemon(start=False, preexec_fn=take_terminal)
    script = """'trap "echo %n INT >> got" INT; trap "echo %n TERM >> got; exit 0" TERM; echo up > %n; while :; do sleep 1000 & wait; done'"""
    d.write_config("".join(f"[child:{name}]\ncommand = /bin/sh -c {script}\nstdin = inherit\n" for name in ("one", "two")))
    d.start()
    os.close(slave)
    try:
        until("the traps", lambda: (d.dir / "one").exists() and (d.dir / "two").exists())
        os.write(master, b"\x1a\x1c")
        d.ready()
        os.write(master, b"\x03")
        assert d.wait() == 0
        assert (d.dir / "got").read_text().splitlines() == ["two TERM", "one TERM"]
        assert d.family() == []
    finally:
        os.close(master)


def test_terminal_that_goes_away(daemon):
    """A hang-up of the terminal is SIGHUP to the reaper, which is no end; a log to a terminal that is gone holds nobody up."""
    master, slave = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)

    d = daemon(TWO, preexec_fn=take_terminal)
    os.close(slave)
    d.ready()
    os.close(master)
    prove(d.pid)
    assert d.stop() == 0
