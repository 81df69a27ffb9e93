"""coppiced -- COMMAND: one program without any file, in place of tini and dumb-init (FIELD 1.A.1, 1.A.4, 2.C.17)."""

import contextlib
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys

import pytest
from conftest import COPPICECTL, COPPICED, PATIENCE, children, process, until


def run(*args, timeout=PATIENCE, **popen):
    """Runs it to its end."""
    return subprocess.run([COPPICED, *args], capture_output=True, timeout=timeout, check=False, **popen)


@pytest.fixture
def command():
    """command(…) → a running coppiced with pipes; whatever is left of it is ended after the test."""
    made = []

    def make(*args, **popen):
        made.append(subprocess.Popen([COPPICED, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen))
        return made[-1]

    yield make
    for one in made:
        if one.poll() is None:
            one.send_signal(signal.SIGINT)
            one.send_signal(signal.SIGINT)
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                one.kill()
        one.communicate()


def engine_of(pid):
    return next((one for one in children(pid) if one.name == "coppice-engine" and not one.zombie), None)


@pytest.mark.parametrize("script, status", [
    ("true", 0), ("exit 42", 42), ("exit 255", 255), ("kill -TERM $$", 128 + 15), ("kill -SEGV $$", 128 + 11),
])
def test_its_status_is_ours(script, status):
    """And nothing else is to be seen of us."""
    done = run("--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


@pytest.mark.parametrize("name, status, says", [("no-such-program", 127, b"ENOENT"), ("/etc", 126, b"EACCES"), ("/etc/passwd", 126, b"EACCES")])
def test_what_cannot_be_run(name, status, says):
    done = run("--", name)
    assert done.returncode == status
    assert says in done.stderr and b"executing the command" in done.stderr


def test_it_has_what_we_have(tmp_path):
    """Input, output, directory, environment and umask are the daemon's own; arguments may hold any bytes but NUL."""
    script = 'cat; pwd; umask; echo "$MARK $COPPICE_PATH"; shift; printf "%s\\n" "$@"'
    odd = [b"a b", b"$HOME ${HOME} %n %i", b"line\nend", b"\xff\xfe", b"", b"--", b"\x01"]
    done = run("--", "sh", "-c", script, "sh", "x", *odd, input=b"in\n", cwd=tmp_path, umask=0o077, env={**os.environ, "MARK": "here"})
    assert done.stdout == b"in\n" + os.fsencode(tmp_path) + b"\n0077\nhere main\n" + b"\n".join(odd) + b"\n"
    assert done.returncode == 0


def test_its_errors_are_our_errors(tmp_path):
    """And no part of its output; with a file for its output they are there too."""
    script = "echo out; echo err >&2"
    done = run("--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"err\n")
    done = run("--set", f"log_file={tmp_path}/log", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "log").read_text() == "out\nerr\n"
    done = run("--set", "log=null", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_stop_is_the_sequence_and_the_status_the_commands(command):
    daemon = command("--", "sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done")
    assert daemon.stdout.readline() == b"up\n"
    daemon.terminate()
    out, errors = daemon.communicate(timeout=PATIENCE)
    assert (out, errors, daemon.returncode) == (b"bye\n", b"", 7)


@pytest.mark.parametrize("soft, hard, status", [(10, 10, 71), (8, 12, 71), (31, 31, 71), (32, 32, 0), (10, 64, 0)])
def test_few_descriptors(soft, hard, status):
    """What the hard limit allows counts; the command has the limit that we were given."""
    done = run("--", "sh", "-c", "ulimit -n", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
    told = f"at most {hard} descriptors are allowed here (ulimit -n), and coppiced needs 32\n".encode()
    assert (done.returncode, done.stdout) == (status, b"" if status else b"%d\n" % soft)
    assert done.stderr.endswith(told) if status else done.stderr == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGRTMIN + 3])
def test_a_stop_before_there_is_an_engine(number, tmp_path):
    """Pending when we begin. The command is not run, or killed by it; in no case that is a success."""
    def pend():
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        os.kill(os.getpid(), number)
    done = run("--", "sh", "-c", f"echo >{tmp_path}/ran; exec sleep 1000", preexec_fn=pend)
    assert done.returncode in (128 + number, 128 + signal.SIGTERM)
    assert done.returncode == 128 + number or (tmp_path / "ran").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGPWR])
@pytest.mark.parametrize("killed", [False, True])
def test_a_stop_before_it_was_run(command, number, killed, tmp_path):
    """While pre_start runs; also where another engine sees that end, unless the first is quick."""
    daemon = command("--set", "pre_start=/bin/sh -c 'echo pre; exec sleep 1000'", "--set", "hook_timeout=1h", "--", "touch", tmp_path / "ran")
    assert daemon.stdout.readline() == b"pre\n"
    if killed:
        engine = until("an engine", lambda: engine_of(daemon.pid))
        os.kill(engine.pid, signal.SIGSTOP)
        daemon.send_signal(number)  # CONT comes with it
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine.pid, signal.SIGKILL)
    else:
        daemon.send_signal(number)
    assert daemon.wait(PATIENCE) == 128 + number
    assert not (tmp_path / "ran").exists()


def test_pre_start_may_fail():
    """However it does, the command could not be run."""
    assert run("--set", "pre_start=/bin/false", "--", "true").returncode == 126
    assert run("--set", "pre_start=/nowhere/false", "--", "true").returncode == 126
    assert run("--set", "pre_start=/bin/sleep 1000", "--set", "hook_timeout=10ms", "--", "true").returncode == 126


@pytest.mark.parametrize("pre_start, program, after", [("/bin/false", "true", False), ("/bin/true", "/nowhere", False), ("/bin/true", "false", True)])
def test_post_stop_follows_a_process(pre_start, program, after, tmp_path):
    """And no start that has failed before there was one."""
    run("--set", f"pre_start={pre_start}", "--set", f"post_stop=/usr/bin/touch {tmp_path}/after", "--", program)
    assert (tmp_path / "after").exists() == after


def test_hooks_share_its_input():
    done = run("--set", "pre_start=/bin/sh -c 'read x; echo pre $x'", "--", "cat", input=b"one\ntwo\n")
    assert (done.returncode, done.stdout) == (0, b"pre one\ntwo\n")


@pytest.mark.parametrize("options, status", [([], 128 + 15), (["--set", "stop=TERM 50ms INT 50ms KILL"], 128 + 9)])
def test_a_stop_without_an_answer(command, options, status):
    """Killed by TERM; or by KILL, when TERM and INT are ignored."""
    daemon = command(*options, "--", "sh", "-c", ("trap '' TERM INT; " if options else "") + "echo up; exec sleep 1000")
    assert daemon.stdout.readline() == b"up\n"
    daemon.terminate()
    assert daemon.wait(PATIENCE) == status


def test_a_second_interrupt_kills(command):
    daemon = command("--set", "stop=TERM 1h KILL", "--set", "shutdown_timeout=2h", "--", "sh", "-c", "trap 'echo term' TERM; echo up; while :; do sleep 0.01; done")
    assert daemon.stdout.readline() == b"up\n"
    daemon.send_signal(signal.SIGINT)
    assert daemon.stdout.readline() == b"term\n"
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(PATIENCE) == 128 + 9


def test_other_signals_are_passed_on(command):
    """Each to the command, whatever it would mean to a daemon with a file."""
    names = ["HUP", "QUIT", "USR1", "USR2", "ALRM", "WINCH", "URG", "RTMIN+1", "RTMAX"]
    traps = "; ".join(f"trap 'echo {name}' {name}" for name in names)
    daemon = command("--", "bash", "-c", f"{traps}; echo up; while :; do read -t 0.01 x <> <(:); done; exit 1")
    assert daemon.stdout.readline() == b"up\n"
    for name in names:
        number = {"RTMIN+1": signal.SIGRTMIN + 1, "RTMAX": signal.SIGRTMAX}.get(name) or getattr(signal, f"SIG{name}")
        daemon.send_signal(number)
        assert daemon.stdout.readline().decode().strip() == name
    assert daemon.poll() is None


def test_a_signal_wakes_what_is_stopped(command):
    """As a terminal that hangs up does."""
    daemon = command("--", "sh", "-c", "trap 'echo hup; exit 5' HUP; echo up $$; while :; do sleep 0.01; done")
    pid = int(daemon.stdout.readline().split()[1])
    os.kill(pid, signal.SIGSTOP)
    until("it is stopped", lambda: state_of(pid) == "T")
    daemon.send_signal(signal.SIGHUP)
    assert daemon.stdout.readline() == b"hup\n"
    assert daemon.wait(PATIENCE) == 5


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_whole_group_gets_them_where_asked(command):
    """As tini -g."""
    script = "trap 'echo me' USR1; sh -c \"trap 'echo mine' USR1; echo up; while :; do sleep 0.01; done\" & wait; wait; wait"
    daemon = command("--set", "stop_group=yes", "--", "sh", "-c", script)
    assert daemon.stdout.readline() == b"up\n"
    daemon.send_signal(signal.SIGUSR1)
    told = set()
    while not {b"me\n", b"mine\n"} <= told:  # the shell also tells of its sleep
        told.add(daemon.stdout.readline())
        assert b"" not in told


def test_restarts_where_asked(tmp_path):
    """Until it ends well; then that is our status."""
    script = f"echo x >>{tmp_path}/runs; test $(wc -l <{tmp_path}/runs) -ge 3"
    done = run("--set", "restart=transient", "--set", "backoff=none", "--", "sh", "-c", script)
    assert done.returncode == 0
    assert (tmp_path / "runs").read_text() == "x\n" * 3
    assert len(re.findall(b"main: restarting", done.stderr)) == 2
    assert len(re.findall(rb"main: exited with status 1 after .* \(start \d\)\n[^\n]*main: restarting", done.stderr)) == 2
    assert b"exited with status 0" not in done.stderr


def test_too_many_restarts(tmp_path):
    done = run("--set", "restart=permanent", "--set", "backoff=none", "--set", "intensity=2", "--", "sh", "-c", f"echo x >>{tmp_path}/runs")
    assert done.returncode == 70
    assert (tmp_path / "runs").read_text() == "x\n" * 3
    assert b"/: escalated (intensity)" in done.stderr


def test_how_it_ended_is_told_before_a_restart(command):
    """Also of the last end, which is one too many; not of a stop."""
    options = ["--set", "restart=transient", "--set", "backoff=none", "--set", "intensity=1"]
    done = run(*options, "--", "sh", "-c", "exit 3")
    assert re.findall(rb"main: exited with status 3 after .* \(start (\d)\)", done.stderr) == [b"1", b"2"]
    daemon = command(*options, "--", "sh", "-c", "echo up; exec sleep 1000")
    assert daemon.stdout.readline() == b"up\n"
    daemon.terminate()
    assert daemon.communicate(timeout=PATIENCE)[1] == b""


def test_the_engine_may_be_killed(command):
    """kill -9 of the engine costs neither the command nor its status, without any file to begin again from."""
    daemon = command("--", "sh", "-c", "trap 'exit 9' TERM; echo up $$; while :; do sleep 0.01; done")
    pid = int(daemon.stdout.readline().split()[1])
    for _ in range(3):
        engine = until("an engine", lambda: engine_of(daemon.pid))
        os.kill(engine.pid, signal.SIGKILL)
        until("another one", lambda e=engine: (new := engine_of(daemon.pid)) and new.pid != e.pid)
    assert process(pid).parent == daemon.pid
    daemon.terminate()
    assert daemon.wait(PATIENCE) == 9


def test_a_control_socket_where_asked(command, tmp_path):
    path = tmp_path / "s"
    daemon = command("--set", f"control_socket={path}", "--set", "control_mode=0600", "--", "sh", "-c", "echo up; exec sleep 1000")
    assert daemon.stdout.readline() == b"up\n"
    until("the socket", path.exists)
    shown = subprocess.run([COPPICECTL, "-s", path, "status"], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert re.search(r"running +main +\d+", shown.stdout), shown.stdout
    shown = subprocess.run([COPPICECTL, "-s", path, "show", "--effective", "main"], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert re.search(r"command +=.*sleep 1000.*# coppiced --set", shown.stdout), shown.stdout
    daemon.terminate()
    assert daemon.wait(PATIENCE) == 128 + 15
    assert not path.exists()


def test_without_one_nothing_is_made(command, tmp_path):
    daemon = command("--", "sh", "-c", "echo up; exec sleep 1000", env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}, cwd=tmp_path)
    assert daemon.stdout.readline() == b"up\n"
    engine = until("the engine", lambda: engine_of(daemon.pid))
    sockets = [line for line in open(f"/proc/{engine.pid}/net/unix", encoding="ascii") if str(tmp_path) in line]
    assert not sockets and not list(tmp_path.iterdir())


@pytest.mark.parametrize("args, status, says", [
    (["--set", "restrat=never", "--", "true"], 78, r'^coppiced --set: restrat: no such key \(did you mean "restart"\?\)$'),
    (["--set", "restart=never", "--", "true"], 78, r"^coppiced --set: restart: "),
    (["--set", "stop=TREM", "--", "true"], 78, r'^coppiced --set: stop: "TREM" is no signal'),
    (["--set", "intensity=-1", "--", "true"], 78, r"^coppiced --set: intensity: -1 is out of range"),
    (["--set", "control_mode=9", "--", "true"], 78, r"^coppiced --set: control_mode: "),
    (["--set", "command=x", "--", "true"], 78, r"^coppiced --set: command: it stands behind"),
    (["--set", "include=x", "--", "true"], 78, r"^coppiced --set: include: a command line has none"),
    (["--set", "restart", "--", "true"], 64, r"^coppiced: --set needs KEY=VALUE"),
    (["--set", "restart=transient"], 64, r'^coppiced: --set is for a command, behind "--"'),
    (["-c", "x", "--", "true"], 64, r"^coppiced: a command has no file"),
    (["--"], 64, r"^coppiced: a command is expected"),
    (["true"], 64, r'^coppiced: unknown argument "true": a command stands behind "--"'),
    (["--hold", "--", "true"], 64, r"^coppiced: --hold is for a file"),
    (["--set", "autostart=no", "--", "true"], 78, r"^coppiced --set: autostart: the command would never run"),
    (["--set", "instances=0", "--", "true"], 78, r"^coppiced --set: instances: with 0 the command would never run"),
    (["--set", "env.A=x\n\ny", "--", "true"], 78, r"^coppiced --set: env\.A: a line end \(0x0a\), the value's byte 2, .* write %x0a instead$"),
    (["--set", b"env.A=x\xff", "--", "true"], 78, r"^coppiced --set: env\.A: byte 0xff, the value's number 2, is not UTF-8$"),
    (["--dump", "--", "echo", b"a\xff"], 78, r"^coppiced: word 2 of the command has byte 0xff at position 2, which is not UTF-8, and cannot be written down"),
    (["--dump", "--", "echo", b"a\x01"], 78, r"^coppiced: word 2 of the command has byte 0x01 at position 2, a control character"),
    (["--set", "significant=yes", "--set", "restart=permanent", "--", "true"], 78, r"^coppiced --set: significant: a permanent child cannot be"),
])
def test_mistakes_are_told_by_option(args, status, says):
    done = run(*args)
    assert done.returncode == status
    assert re.search(says, done.stderr.decode(), re.M), done.stderr.decode()


def test_a_line_end_in_a_value():
    done = run("--set", "env.A=x%x0a%x0ay\tz", "--set", "autostart=yes", "--set", "instances=1", "--", "sh", "-c", 'printf %s "$A"')
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x\n\ny\tz", b"")


def test_the_last_of_two_counts():
    assert run("--set", "env.A=1", "--set", "env.A=2", "--", "sh", "-c", "exit $A").returncode == 2


def test_a_command_line_as_a_file(tmp_path):
    """What --dump prints does the same, but for what a file takes from nowhere: the umask."""
    options = ["--set", "restart=transient", "--set", "env.A=a b", "--", "sh", "-c", 'echo "$A"; exit 0']
    dumped = run("--dump", *options)
    assert dumped.returncode == 0, dumped.stderr
    (tmp_path / "c").write_bytes(dumped.stdout)
    assert run("--check", *options).stdout == b"coppiced: OK: 1 supervisor with the root, 1 child\n"
    done = run("-c", tmp_path / "c")
    assert (done.returncode, done.stdout) == (0, b"a b\n")


# --- terminals

class Terminal:
    """A terminal with a session of its own, whose first process is Python code of ours."""

    def __init__(self, code):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-c", code])
        self.seen = ""

    def wait(self, pattern, timeout=PATIENCE):
        """Reads until there is a match behind the last one."""
        def look():
            if select.select([self.fd], [], [], 0)[0]:
                try:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:  # nobody has it open any more
                    pass
            return re.search(pattern, self.seen)
        match = until(lambda: f"{pattern!r} on the terminal: {self.seen!r}", look, timeout)
        self.seen = self.seen[match.end():]
        return match

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.close(self.fd)
        until("its end", lambda: os.waitpid(self.pid, os.WNOHANG)[0])


@pytest.fixture
def terminal():
    made = []

    def make(code):
        made.append(Terminal(code))
        return made[-1]

    yield make
    for one in made:
        one.close()


# Like a shell without job control: waits for it, and says who has the foreground then.
THROUGH = f"""import os, signal, subprocess, sys
os.environ["TERM"] = "dumb"; signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_DFL)
done = subprocess.run([{str(COPPICED)!r}, *%r], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
print("STATUS", done.returncode, os.tcgetpgrp(0) == os.getpgrp(), flush=True)
"""


def test_an_interactive_shell(terminal):
    """Job control works; Ctrl-C reaches what runs in the shell and neither the shell's end nor ours; then the foreground is back."""
    screen = terminal(THROUGH % (["--", "bash", "--norc", "-i"],))
    screen.type("PS1='ready> '\n")
    screen.wait(r"ready> $")
    assert "job control" not in screen.seen
    screen.type("echo up; sleep 1000\n")
    screen.wait(r"\nup\r")
    until("sleep in the foreground", lambda: foreground(screen) == "sleep")
    screen.type("\x03")
    screen.wait(r"ready> $")
    screen.type("echo $?\n")
    screen.wait(r"\n130\r")
    screen.type("sleep 1000\n")
    until("sleep in the foreground", lambda: foreground(screen) == "sleep")
    screen.type("\x1a")
    screen.wait(r"Stopped")
    screen.type("kill %1; fg\n")
    screen.wait(r"Terminated")
    screen.type("exit 3\n")
    assert screen.wait(r"STATUS (\d+) (\w+)").groups() == ("3", "True")


def foreground(screen):
    """The program that has the terminal."""
    leader = process(os.tcgetpgrp(screen.fd))
    return leader and leader.name


def test_control_c_between_two_restarts(terminal):
    """The terminal is ours again then, so that somebody can end it."""
    screen = terminal(THROUGH % (["--set", "restart=permanent", "--set", "backoff=fixed", "--set", "backoff_delay=1h", "--set", "backoff_max=1h",
                                  "--", "sh", "-c", "echo up; exit 1"],))
    screen.wait(r"\nup\r|^up\r")
    until("coppiced in the foreground", lambda: foreground(screen) != "sh" and foreground(screen))
    screen.wait(r"restarting in")
    screen.type("\x03")
    assert screen.wait(r"STATUS (\d+) (\w+)").groups() == ("1", "True")


def test_the_background_takes_no_terminal(terminal):
    """Started as a job in the background it leaves the foreground to whom it belongs."""
    screen = terminal(f"""import os, subprocess
daemon = subprocess.Popen([{str(COPPICED)!r}, "--", "sh", "-c", "echo ran"], preexec_fn=os.setpgrp)
print("STATUS", daemon.wait(), os.tcgetpgrp(0) == os.getpgrp(), flush=True)
""")
    assert screen.wait(r"ran\r\n(?:.*\n)*?STATUS (\d+) (\w+)").groups() == ("0", "True")
