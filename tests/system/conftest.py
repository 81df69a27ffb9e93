"""Fixtures shared by the system tests: a real coppiced in a scratch directory, its socket, and /proc as the judge.

Every process of a test has COPPICE_TEST=<token> in its environment, so that whatever a daemon leaves behind is found in /proc,
wherever it has gone. Nothing sleeps as synchronisation: `until` looks again and again until a deadline.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
COPPICED = BUILD / "bin/coppiced"
COPPICECTL = BUILD / "bin/coppicectl"
HELPERS = BUILD / "tests/helpers"
PATIENCE = 60.0  # seconds; the machine may be busy
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup all that is started here would ignore it


def until(what, look, timeout=PATIENCE, pause=0.005):
    """Calls look() until it returns something true, which is returned; fails with `what` after the timeout.

    What vanishes while it is looked at, a process or its file, is looked at once more.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            found = look()
        except (FileNotFoundError, ProcessLookupError):
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            detail = what() if callable(what) else what
            pytest.fail(f"waited {timeout:g} s in vain for: {detail}")
        time.sleep(pause)


class Process:
    """What /proc/PID/stat says of a process, at one moment."""

    def __init__(self, pid):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
        name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
        fields = rest.split()
        self.pid = pid
        self.name = name
        self.state = fields[0]
        self.parent = int(fields[1])
        self.group = int(fields[2])
        self.session = int(fields[3])
        self.half_made = bool(int(fields[6]) & 0x40)  # PF_FORKNOEXEC: not through exec yet, looks like its parent
        self.started = int(fields[19])

    @property
    def zombie(self):
        return self.state in "ZX"

    @property
    def argv(self):
        return pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]

    def __repr__(self):
        return f"<{self.pid} {self.name} {self.state} of {self.parent}>"


def process(pid):
    """The process, or None when there is none."""
    try:
        return Process(pid)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None


def processes():
    """All processes there are."""
    found = (process(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [one for one in found if one]


def children(pid):
    return [one for one in processes() if one.parent == pid]


def family(token):
    """All living processes that carry a token (zombies have no environment any more)."""
    mark = f"COPPICE_TEST={token}".encode()
    found = []
    for one in processes():
        try:
            if mark in pathlib.Path(f"/proc/{one.pid}/environ").read_bytes().split(b"\0"):
                found.append(one)
        except (OSError, ValueError):
            continue
    return found


def descriptors(pid):
    """What a process has open: {number: target}."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
    return found


class RpcError(Exception):
    """An error that the daemon answered with."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")
        self.message = error.get("message")
        self.data = error.get("data") or {}


class Client:
    """One connection to a control socket."""

    def __init__(self, path, timeout=PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.rest = b""
        self.number = 0

    def line(self):
        """The next line, without its newline; b"" when the connection has been closed."""
        while b"\n" not in self.rest:
            more = self.socket.recv(1 << 16)
            if not more:
                return b""
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def send(self, data):
        self.socket.sendall(data)

    def call(self, method, **params):
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method}
        if params:
            request["params"] = params
        self.send(json.dumps(request).encode() + b"\n")
        line = self.line()
        if not line:
            raise ConnectionResetError("closed by the daemon")
        reply = json.loads(line)
        turned_away = "error" in reply and reply["id"] is None
        assert reply["jsonrpc"] == "2.0" and (turned_away or reply["id"] == self.number), reply
        if "error" in reply:
            raise RpcError(reply["error"])
        return reply["result"]

    def close(self):
        self.socket.close()


class Daemon:
    """A coppiced of its own, with a scratch directory. `config` is the INI text after [coppice]."""

    def __init__(self, config="", coppice="", args=(), env=None, wrapper=(), start=True, **popen):
        # not pytest's tmp_path: the path of a socket has at most 107 bytes
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="coppice-"))
        self.token = uuid.uuid4().hex
        self.socket = self.dir / "control.sock"
        self.config = self.dir / "coppice.conf"
        self.log_file = self.dir / "log"
        self.args, self.wrapper, self.popen_args = list(args), list(wrapper), popen
        self.env = {**os.environ, "COPPICE_TEST": self.token, **(env or {})}
        self.popen = None
        self.kept = None
        self.write_config(config, coppice)
        if start:
            self.start()

    def write_config(self, config, coppice=""):
        self.config.write_text(f"[coppice]\ncontrol_socket = {self.socket}\n{coppice}\n{config}\n")

    def start(self):
        """Starts it and returns at once; `ready` waits."""
        with open(self.log_file, "ab") as log:
            self.popen = subprocess.Popen(
                [*self.wrapper, COPPICED, "-c", self.config, *self.args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=self.dir, **self.popen_args,
            )
        return self

    # --- what it says

    def log(self):
        return self.log_file.read_text(errors="replace")

    def wait_log(self, pattern, timeout=PATIENCE, count=1):
        """Waits until the log has that many matches of the pattern; returns them."""
        def look():
            found = list(re.finditer(pattern, self.log(), re.M))
            return found if len(found) >= count else None
        return until(lambda: f"{count} × {pattern!r} in the log:\n{self.log()}", look, timeout)

    def client(self):
        """A new connection; waits for the socket."""
        def look():
            try:
                return Client(self.socket)
            except (FileNotFoundError, ConnectionRefusedError):
                if self.popen.poll() is not None:
                    pytest.fail(f"coppiced has ended with {self.popen.returncode}:\n{self.log()}")
                return None
        return until(lambda: f"the socket; the log:\n{self.log()}", look)

    def call(self, method, **params):
        """One request on a kept connection, opened again when the engine was replaced. Then reads only may be repeated."""
        for last in (False, True):
            try:
                self.kept = self.kept or self.client()
                return self.kept.call(method, **params)
            except (ConnectionError, BrokenPipeError):
                self.kept = None
                if last or method not in ("ping", "status", "tree", "help"):
                    raise
        return None

    def ready(self):
        self.call("ping")
        return self

    def nodes(self, path=None):
        """{path: node} of the whole tree, or of what is below a path."""
        params = {"path": path, "recursive": True} if path else {}
        return {node["path"]: node for node in self.call("status", **params)["nodes"]}

    def node(self, path):
        return self.call("status", path=path)["nodes"][0]

    def wait_node(self, path, timeout=PATIENCE, **wanted):
        """Waits until the node has these values; a callable is asked. Returns the node."""
        def look():
            node = self.node(path)
            fits = all(want(node.get(key)) if callable(want) else node.get(key) == want for key, want in wanted.items())
            return node if fits else None
        return until(lambda: f"{path} with {wanted}; it is {self.node(path)}; the log:\n{self.log()}", look, timeout)

    # --- what it does

    @property
    def pid(self):
        """The reaper's."""
        return self.popen.pid

    def engine(self):
        """The PID of the engine that answers now."""
        return self.call("ping")["engine_pid"]

    def kill_engine(self):
        """kill -9 of the engine; waits until another one answers, and returns its PID."""
        old = self.engine()
        os.kill(old, signal.SIGKILL)
        return until(f"another engine than {old}", lambda: (new := self.engine()) != old and new)

    def children(self):
        """The supervised processes: those of the reaper that are no engine, zombies too."""
        return [one for one in children(self.pid) if one.half_made or not one.name.startswith("coppice-")]

    def family(self):
        """All living processes that come from this daemon, itself and its engine included."""
        return family(self.token)

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """Its exit status."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"coppiced has not ended within {timeout} s; the log:\n{self.log()}")

    def stop(self, timeout=PATIENCE):
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def clean_up(self):
        """Ends everything, kindly where that works, and forgets it."""
        if self.kept:
            self.kept.close()
        if self.popen and self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        for _ in range(100):
            left = self.family()
            for one in left:
                try:
                    os.kill(one.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not left:
                break
            time.sleep(0.01)
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def daemon(request):
    """daemon(config, …) → a running Daemon; ended after the test. On failure its log is shown."""
    made = []

    def make(*args, **kwargs):
        made.append(Daemon(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        if getattr(request.node, "failed", False):
            print(f"--- log of {one.config}\n{one.log()[-20000:]}")
        one.clean_up()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True


@pytest.fixture(scope="session")
def build():
    """The directory of what is tested."""
    if not COPPICED.exists():
        pytest.fail(f"{COPPICED} is missing: run make first")
    return BUILD
