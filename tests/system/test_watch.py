"""`status -w` and `tree -w` on a terminal: they follow what happens, keep to its size, and give it back as it was."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest
from conftest import until
from ctl_server import CTL, Error, Server, clean, node, run

COLOUR = re.compile(r"\033\[[0-9;]*m")


class Screen:
    """coppicectl on a terminal of its own, and what stands there."""

    def __init__(self, path, *args, rows=24, columns=80, **env):
        self.leader, self.follower = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.follower)
        self.text = ""
        self.process = subprocess.Popen(
            [CTL, "-s", path, *args], stdin=self.follower, stdout=self.follower, stderr=self.follower, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=clean(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "1", **env}),
        )

    def size(self, rows, columns):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.leader], [], [], 0)[0]:
            try:
                more = os.read(self.leader, 65536)
            except OSError:
                break
            self.text += more.decode(errors="replace")
        return self.text

    def frame(self):
        """The lines of the last whole picture."""
        frames = re.findall(r"\033\[H((?:(?!\033\[H).)*?)\033\[J", self.read(), re.S)
        return [line.rstrip() for line in COLOUR.sub("", frames[-1]).replace("\033[K", "").split("\r\n")] if frames else []

    def wait(self, pattern):
        """Until a line of the picture has the pattern; returns the picture."""
        def look():
            frame = self.frame()
            return frame if any(re.search(pattern, line) for line in frame) else None
        return until(lambda: f"{pattern!r} in {self.frame()}; {self.process.poll()}", look)

    def press(self, keys):
        os.write(self.leader, keys)

    def ended(self):
        """Its exit status, after looking that the terminal is as it was."""
        until("the end", lambda: self.read() is not None and self.process.poll() is not None)
        assert self.read().rstrip().endswith("\033[?25h\033[?1049l")
        assert termios.tcgetattr(self.follower) == self.before
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.leader)
        os.close(self.follower)


class Daemon(Server):
    """Answers `status` with what `nodes` holds, and tells events to those who subscribed."""

    def __init__(self, path, nodes, events=True):
        self.nodes, self.events, self.connected = nodes, events, []
        super().__init__(path, self.reply)

    def serve(self, connection):
        self.connected.append(connection)
        super().serve(connection)

    def reply(self, request):
        if request["method"] == "subscribe":
            return {"at_event": 1, "lost": 0} if self.events else Error(8, "not in this version")
        path = request.get("params", {}).get("path", "/")
        chosen = [one for one in self.nodes if path == "/" or (one["path"] + "/").startswith(path + "/")]
        return {"nodes": chosen, "at_event": 1} if chosen else Error(1, f'there is no node "{path}"')

    def tell(self):
        event = {"jsonrpc": "2.0", "method": "event", "params": {"number": 2, "type": "node.state", "path": "a"}}
        self.connected[-1].sendall(json.dumps(event).encode() + b"\n")

    def asked_status(self):
        return len(self.asked("status"))

    def close(self):
        super().close()
        for connection in self.connected:
            try:
                connection.shutdown(2)
            except OSError:
                pass


@pytest.fixture
def watch(tmp_path):
    """watch(nodes, *args) → the daemon and the screen."""
    made = []

    def start(nodes, *args, events=True, **more):
        daemon = Daemon(tmp_path / "control.sock", nodes, events)
        made.append(daemon)
        made.append(Screen(daemon.path, *args, **more))
        return daemon, made[-1]

    yield start
    for one in made:
        one.close()


NODES = [node("/", kind="supervisor", strategy="one_for_one"), node("a", pid=7, uptime_s=3)]


@pytest.mark.parametrize("command", ["status", "tree"])
def test_an_event_is_seen_at_once_and_time_goes_by(watch, command):
    daemon, screen = watch(list(NODES), command, "-w")
    frame = screen.wait("a .* running|running .* a ")
    assert re.match(r"2 nodes: 2 running +q quits$", frame[0])
    until("a subscription and two questions", lambda: daemon.asked("subscribe") and daemon.asked_status() >= 2)
    questions = daemon.asked_status()
    screen.wait("a .* [4-9]s|[4-9]s  pid 7")
    daemon.nodes[1] = node("a", "restarting", exit={"signal": "SEGV"}, next_start_in_s=99)
    if daemon.asked_status() == questions:  # times went on without asking, unless it took long
        assert "restarting" not in "".join(screen.frame())
    daemon.tell()
    screen.wait("killed by SEGV; next try in 1m3[0-9]s")
    screen.wait("killed by SEGV; next try in 1m3[0-7]s")  # it comes nearer by itself
    screen.press(b"q")
    assert screen.ended() == 0


def test_events_in_heaps_are_not_as_many_questions(watch):
    daemon, screen = watch(list(NODES), "status", "-w")
    screen.wait("running")
    until("the subscription", lambda: daemon.asked("subscribe") and daemon.asked_status() >= 2)
    start, before = time.monotonic(), daemon.asked_status()
    for _ in range(300):
        daemon.tell()
    daemon.nodes[1] = node("a", "failed")
    daemon.tell()
    screen.wait("failed +a")
    assert daemon.asked_status() - before <= 2 + (time.monotonic() - start) / 0.1


def test_a_daemon_that_tells_no_events_is_asked_again(watch):
    daemon, screen = watch(list(NODES), "status", "--watch", events=False)
    screen.wait("running +a")
    daemon.nodes[1] = node("a", "failed")
    screen.wait("failed +a")
    screen.press(b"\x03")  # the terminal makes SIGINT of it
    assert screen.ended() == 0


def test_paths(watch):
    daemon, screen = watch([*NODES, node("b", "stopped"), node("b/c", pid=9)], "tree", "-w", "b")
    frame = screen.wait("b .* stopped")
    assert len(frame) == 3 and "pid 9" in frame[2]
    daemon.nodes[:] = NODES
    daemon.tell()
    screen.wait('there is no node "b"')
    assert run(daemon.path, "status", "-w", "nobody").returncode == 2  # no terminal


def test_several_paths(watch):
    _, screen = watch([*NODES, node("b", "stopped"), node("b/c", pid=9)], "status", "-w", "b/*", "a")
    frame = screen.wait("running +a")
    assert [line.split()[2] for line in frame[2:]] == ["a", "b/c"]


def test_a_path_that_there_is_not_is_an_error_at_once(watch):
    _, screen = watch(list(NODES), "status", "-w", "nobody")
    until("the end", lambda: screen.process.poll() is not None)
    assert screen.process.returncode == 4 and "there is no node" in screen.read() and "1049" not in screen.text


@pytest.mark.parametrize("command", ["status", "tree"])
def test_what_does_not_run_comes_first_where_not_all_fit(watch, command):
    many = [node("/"), *(node(f"n{i:03}", pid=i + 1) for i in range(200))]
    many.insert(150, node("sup", kind="supervisor"))
    many.insert(151, node("sup/broken", "failed", exit={"code": 9}))
    daemon, screen = watch(many, command, "-w", rows=12, columns=60)
    frame = screen.wait("broken")
    assert len(frame) == 12
    assert frame[0].startswith("203 nodes: 1 failed, 202 running")
    assert re.match("… 19[0-9] more, all running or finished", frame[-1])
    if command == "status":
        assert "sup/broken" in frame[2] and "exit status 9" in frame[2]
    else:  # with what is above it, in its place
        assert [line.split()[1] for line in frame[-3:-1]] == ["sup", "broken"]
    screen.size(6, 40)
    frame = until("a smaller picture", lambda: (now := screen.frame()) and len(now) == 6 and now)
    assert max(map(len, frame)) <= 40 and any("broken" in line for line in frame)
    screen.size(300, 90)
    until("a picture of all", lambda: len(screen.frame()) == 203 + (2 if command == "status" else 1))
    for rows, columns in ((1, 80), (2, 5), (3, 1)):
        screen.size(rows, columns)
        until(f"{rows} rows", lambda: (now := screen.frame()) and len(now) <= rows and max(map(len, now)) <= columns)


def test_the_daemon_goes_and_comes(watch):
    daemon, screen = watch(list(NODES), "status", "-w", columns=200)
    screen.wait("running +a")
    daemon.close()
    os.unlink(daemon.path)
    frame = screen.wait("^no daemon for .*; this is how it was; trying again .*no such socket")
    was = next(line for line in frame if "running     a" in line)
    assert was.startswith("? ") and not any("●" in line for line in frame), "what was known is still there, but not as if it were so"
    frame = screen.wait("^no daemon for [2-9]s")
    assert was in frame, "and no time passes there"
    again = Daemon(daemon.path, [*NODES, node("later", pid=12)])
    screen.wait("^3 nodes: 3 running")
    again.close()


def test_a_daemon_that_is_stuck(watch):
    daemon, screen = watch(list(NODES), "status", "-w")
    screen.wait("running +a")
    stuck, reply = threading.Event(), daemon.answer
    daemon.answer = lambda request: stuck.wait(60) and reply(request)
    daemon.tell()
    screen.wait("^the daemon has not answered for [2-9]s")
    stuck.set()
    screen.wait("^2 nodes")


def test_a_real_daemon_and_another_engine(daemon):
    one = daemon("[child:a]\ncommand = sleep 1000\n[child:b]\ncommand = sleep 1000\n")
    one.wait_node("b", state="running")
    screen = Screen(one.socket, "status", "-w")
    try:
        pid = one.node("a")["pid"]
        screen.wait(rf"running +a +{pid} ")
        os.kill(pid, signal.SIGKILL)
        screen.wait(rf"running +a +(?!{pid} )\d+ ")
        one.kill_engine()
        pid = one.node("b")["pid"]
        os.kill(pid, signal.SIGTERM)
        screen.wait(rf"running +b +(?!{pid} )\d+ ")
        screen.press(b"q")
        assert screen.ended() == 0
    finally:
        screen.close()


def test_it_can_be_suspended(watch):
    daemon, screen = watch(list(NODES), "tree", "-w")
    screen.wait("pid 7")
    screen.press(b"\x1a")
    assert os.WIFSTOPPED(os.waitpid(screen.process.pid, os.WUNTRACED)[1])
    assert screen.read().endswith("\033[?25h\033[?1049l") and termios.tcgetattr(screen.follower) == screen.before
    screen.text = ""
    daemon.nodes[1] = node("a", pid=8)
    screen.process.send_signal(signal.SIGCONT)
    screen.wait("pid [78]")
    screen.press(b" ")
    screen.wait("pid 8")
    screen.press(b"q")
    assert screen.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_leaves_the_terminal_well(watch, number):
    _, screen = watch(list(NODES), "tree", "-w")
    screen.wait("pid 7")
    screen.process.send_signal(number)
    assert screen.ended() == -number


def test_where_it_cannot_be(watch, tmp_path):
    daemon, screen = watch(list(NODES), "status", "-w", TERM="dumb")
    until("the end", lambda: screen.process.poll() is not None)
    assert screen.process.returncode == 2
    for args, words in ((("status", "-w"), "needs a terminal"), (("--json", "tree", "-w"), "--json for programs")):
        done = run(daemon.path, *args)
        assert done.returncode == 2 and done.stdout == "" and words in done.stderr and "events --follow" in done.stderr
    assert run(tmp_path / "none", "ping", "-w").returncode == 2
