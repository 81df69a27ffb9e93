"""A server that answers coppicectl what a test wants, and a small tree for it to talk about."""
import json
import os
import socket
import subprocess
import threading
import time

import pytest

BUILD = os.environ.get("BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
CTL = os.path.join(BUILD, "bin/coppicectl")


class Server:
    """Answers each line with what `answer(request)` returns: a result, an Error, bytes as they are, or None to close.

    A generator gives several of these; it may wait in between. Each connection has a thread.
    """

    def __init__(self, path, answer):
        self.path, self.answer, self.requests = str(path), answer, []
        self.connections = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4096)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection, connection.makefile("rb") as lines:
                for line in lines:
                    request = json.loads(line)
                    self.requests.append(request)
                    answers = self.answer(request)
                    for answer in answers if hasattr(answers, "__next__") else [answers]:
                        if answer is None:
                            return
                        connection.sendall(self.line(request, answer))
        except OSError:
            pass  # coppicectl has gone

    @staticmethod
    def line(request, answer):
        if isinstance(answer, bytes):
            return answer
        key = "error" if isinstance(answer, Error) else "result"
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], key: answer}).encode() + b"\n"

    def asked(self, method):
        return [request.get("params", {}) for request in self.requests if request["method"] == method]

    def close(self):
        """Nobody can connect any more."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # close alone does not wake accept
        except OSError:
            pass
        self.listener.close()


class Error(dict):
    def __init__(self, code, message, **data):
        super().__init__(code=code, message=message, data=data)


SINCE = time.time() - 2 * 3600 - 13 * 60 - 1  # shown as 2h13m, for a minute


def node(path, state="running", **more):
    return {"path": path, "kind": "child", "state": state, "since_at": SINCE, "incarnation": 1, "restarts": 0, "streak": 0, **more}


TREE = [
    node("/", kind="supervisor", strategy="one_for_one"),
    node("shop", kind="supervisor", strategy="rest_for_one"),
    node("shop/db", pid=41, uptime_s=75.2, using={"cpu_s": 187.2, "memory_bytes": 1600000000, "processes": 3}),
    node("shop/web@1", pid=42, uptime_s=3.04, restarts=2, exit={"code": 1}),
    node("shop/web@2", "restarting", reason="exited", exit={"signal": "KILL"}, next_start_in_s=0.4, streak=3, restarts=3),
    node("setup", "finished", reason="exited", exit={"code": 0}),
]


def below(path):
    return [n for n in TREE if path == "/" or n["path"] == path or n["path"].startswith((path + "/", path + "@"))]


def daemon(request):
    """A daemon with the tree above, in which every command succeeds."""
    params = request.get("params", {})
    if request["method"] == "status":
        nodes = below(params.get("path", "/"))
        if not nodes:
            return Error(1, "there is no node \"%s\"" % params["path"], hint="look at coppicectl status")
        return {"nodes": nodes, "at_event": 7}
    if request["method"] in ("start", "stop", "restart", "signal", "reset", "drain"):
        return below(params["path"])[0]
    return {"version": "9", "engine_pid": 77}


@pytest.fixture
def serve(tmp_path):
    """serve(answer) → a running Server."""
    servers = []

    def start(answer=daemon):
        servers.append(Server(tmp_path / "control.sock", answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def clean(**more):
    """The environment without what would change the output."""
    return {**{k: v for k, v in os.environ.items() if k not in ("COPPICE_SOCKET", "NO_COLOR", "LC_ALL")}, **more}


def run(path, *args, env=None, **more):
    return subprocess.run([CTL, "-s", path, *args], capture_output=True, text=True, timeout=30, env=clean(**(env or {})), **more)
