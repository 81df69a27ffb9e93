"""The control socket of a real daemon from outside: bad, slow, greedy and many clients, and supervision that goes on meanwhile."""

import json
import os
import re
import resource
import select
import signal
import socket
import threading
import time

import pytest

from conftest import COPPICECTL, Client, RpcError, descriptors, process, until

TREE = """
[child:still]
command = /bin/sleep 1000
stable_after = 0s

[child:off]
command = /bin/sleep 1000
autostart = no

[child:wrong]
command = /nonexistent/program
autostart = no

[child:early]
command = /bin/sh -c "exit 7"
ready = exit
autostart = no

[child:long]
command = /bin/sleep 1000
ready = exit
start_timeout = 5m
autostart = no

[supervisor:shop]
strategy = rest_for_one

[child:shop/web]
command = /bin/sleep 1000
instances = 3
"""

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
STATUS = b'{"jsonrpc":"2.0","id":1,"method":"status"}\n'


@pytest.fixture
def served(daemon):
    made = daemon(TREE)
    made.wait_node("shop", state="running")
    return made


class Watch(threading.Thread):
    """Asks again and again on a connection of its own, and keeps the longest time that an answer took."""

    def __init__(self, served):
        super().__init__(daemon=True)
        self.client = served.client()
        self.over = threading.Event()
        self.longest = 0.0
        self.asked = 0
        self.start()

    def run(self):
        while not self.over.wait(0.002):
            began = time.monotonic()
            self.client.call("ping")
            self.longest = max(self.longest, time.monotonic() - began)
            self.asked += 1

    def stop(self):
        until("an answer to the watch", lambda: self.asked > 0)
        self.over.set()
        self.join()
        return self.longest


def sockets(pid):
    return sum(target.startswith("socket:") for target in descriptors(pid).values())


def assert_supervision_goes_on(served):
    """A kill -9 is answered by a new process."""
    old = served.node("still")["pid"]
    os.kill(old, signal.SIGKILL)
    new = served.wait_node("still", state="running", pid=lambda pid: pid not in (None, old))
    assert process(new["pid"])


def rest(sock):
    """Everything until the other end closes."""
    text = b""
    try:
        while more := sock.recv(1 << 20):
            text += more
    except ConnectionResetError:
        pass
    return text


BAD_LINES = [
    (b"garbage", -32700),
    (b"\x00\x01\xff", -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping\x00"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xc3\x28"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32700),
    (b'{"jsonrpc":"2.0","id":1' + b"0" * 400 + b',"method":"ping"}', -32700),
    (b"[" * 10000, -32700),
    (b"[" * 500000, -32600),
    (b"[" + b"1," * 400000 + b"1]", -32600),
    (b"{}", -32600),
    (b"[]", -32600),
    (b"17", -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"pong"}', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping.call"}', -32601),  # FIELD 2.G.4: names are looked up whole, and lead nowhere
    (b'{"jsonrpc":"2.0","id":1,"method":"operator.shutdown"}', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"' + b"x" * 1000000 + b'":1}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"path":"' + b"x" * 1000000 + b'"}}', 1),
]


def test_bad_line_is_answered_and_the_connection_lives(served):
    client = served.client()
    for line, code in BAD_LINES:
        client.send(line + b"\n")
        assert json.loads(client.line())["error"]["code"] == code, line[:80]
        assert client.call("ping")["protocol"] == 1
    client.close()


def test_one_line_through_a_shut_pipe(served):
    """As `printf … | nc -N -U control.sock` does it."""
    client = served.client()
    client.send(b'{"jsonrpc":"2.0","id":1,"method":"tree"}\n')
    client.socket.shutdown(socket.SHUT_WR)
    reply = json.loads(rest(client.socket))
    assert [node["path"] for node in reply["result"]["children"]] == ["still", "off", "wrong", "early", "long", "shop"]


def test_thousand_idle_connections(served):
    engine = served.engine()
    before = sockets(engine)
    idle = [served.client() for _ in range(1000)]
    for client in idle[::50]:
        assert client.call("ping")["engine_pid"] == engine
    watch = Watch(served)
    assert_supervision_goes_on(served)
    assert watch.stop() < 2
    for client in idle:
        client.close()
    watch.client.close()
    until(lambda: f"all connections closed; now {descriptors(engine)}", lambda: sockets(engine) <= before)


def test_oversized_request_is_answered_and_closed(served):
    client = served.client()
    with pytest.raises(OSError):
        for _ in range(10000):
            client.send(b"x" * 65536)
        pytest.fail("an endless request is read for ever")
    client.close()
    client = served.client()
    try:
        client.send(b"x" * (2 << 20))
    except OSError:
        pass
    assert json.loads(rest(client.socket))["error"]["code"] == 7
    assert_supervision_goes_on(served)


def test_a_million_pipelined_requests_starve_nobody(served):
    greedy = served.client()
    greedy.socket.setblocking(False)
    watch = Watch(served)
    answers, end = 0, time.monotonic() + 1
    while time.monotonic() < end:
        readable, writable, _ = select.select([greedy.socket], [greedy.socket], [], 1)
        if writable:
            try:
                greedy.socket.send(PING * 1000)
            except BlockingIOError:
                pass
        if readable:
            answers += greedy.socket.recv(1 << 20).count(b"\n")
    assert_supervision_goes_on(served)
    assert watch.stop() < 2
    assert answers > 1000
    greedy.close()


def test_client_that_never_reads_costs_a_bounded_amount(served):
    engine = served.engine()

    def resident():
        with open(f"/proc/{engine}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    before = resident()
    deaf = [served.client() for _ in range(20)]
    for client in deaf:
        client.socket.setblocking(False)
        try:
            while True:
                client.socket.send(STATUS * 1000)
        except BlockingIOError:
            pass
    watch = Watch(served)
    assert_supervision_goes_on(served)
    assert watch.stop() < 2
    assert resident() - before < 20 << 20
    for client in deaf:
        client.close()


def test_start_that_fails_says_how_and_goes_on(served):
    """FIELD 1.B.15: the command reports the failure, and the policy goes on."""
    for path, words in (("wrong", "No such file or directory (ENOENT)"), ("early", "exited with status 7")):
        with pytest.raises(RpcError, match="") as caught:
            served.call("start", path=path, wait=True)
        assert caught.value.code == 4
        assert words in caught.value.message
        assert caught.value.data["path"] == path
        served.wait_node(path, restarts=lambda count: count >= 1)
    assert served.node("wrong")["start_error"] == {"step": "executing the command", "error": "ENOENT"}
    assert served.node("early")["exit"]["code"] == 7


def test_commands_wait_until_they_are_done(served):
    node = served.call("start", path="off", wait=True)
    assert node["state"] == "running" and process(node["pid"])
    again = served.call("restart", path="off", wait=True)
    assert again["incarnation"] == node["incarnation"] + 1 and again["pid"] != node["pid"]
    assert not process(node["pid"])
    stopped = served.call("stop", path="off", wait=True)
    assert stopped["state"] == "stopped" and "pid" not in stopped and not process(again["pid"])
    nodes = served.call("restart", path="shop/web", wait=True)["nodes"]
    assert [node["incarnation"] for node in nodes] == [2, 2, 2]
    served.call("stop", path="shop", wait=True)
    with pytest.raises(RpcError) as caught:
        served.call("start", path="shop/web@1", wait=True)
    assert caught.value.code == 3 and caught.value.data == {"path": "shop", "hint": "`start shop` comes first"}
    assert served.node("shop/web@1")["state"] == "stopped"


def test_waiting_ends_by_timeout_or_stop_and_holds_nobody_up(served):
    """FIELD 2.G.3: who waits gets an answer, whatever becomes of what is waited for."""
    waiting = served.client()
    waiting.send(b'{"jsonrpc":"2.0","id":1,"method":"start","params":{"path":"long","wait":true}}\n' + PING)
    served.wait_node("long", state="starting")
    with pytest.raises(RpcError) as caught:
        served.call("start", path="long", wait=True, timeout="50ms")
    assert caught.value.code == 5
    assert served.node("long")["state"] == "starting"
    served.call("stop", path="long", wait=True)
    assert json.loads(waiting.line())["error"]["code"] == 3
    assert json.loads(waiting.line())["result"]["protocol"] == 1


def test_waiter_is_answered_when_the_daemon_leaves(served):
    """FIELD 2.G.3"""
    waiting = served.client()
    waiting.send(b'{"jsonrpc":"2.0","id":1,"method":"start","params":{"path":"long","wait":true}}\n')
    served.wait_node("long", state="starting")
    served.call("shutdown")
    assert json.loads(waiting.line())["error"]["code"] == 6
    assert waiting.line() == b"" and served.wait() == 0


def test_waiter_that_goes_leaves_nothing(served):
    """FIELD 2.G.3: nor does the log tell of it."""
    engine = served.engine()
    def connections():
        return sum(target.startswith("socket:") for target in descriptors(engine).values())
    before = connections()
    for _ in range(50):
        client = served.client()
        client.send(b'{"jsonrpc":"2.0","id":1,"method":"start","params":{"path":"long","wait":true}}\n')
        client.close()
    until("the waiters' connections closed", lambda: connections() <= before)
    served.call("stop", path="long", wait=True)
    assert not re.search("reset by peer|broken pipe|EPIPE", served.log(), re.I)
    assert served.engine() == engine


TURNS = """
[child:web]
command = /bin/sh -c 'if [ -e broken-%i ]; then exit 7; fi; echo >&3; exec /bin/sleep 1000'
ready = fd:3
instances = 4
backoff_delay = 1h
backoff_max = 1h
"""


def test_a_template_is_restarted_one_instance_after_the_other(daemon):
    """Only one is ever missing; where one does not come back, those after it are left as they are."""
    made = daemon(TURNS)
    made.wait_node("/", state="running")
    nodes = made.call("restart", path="web", wait=True)["nodes"]
    assert [(node["state"], node["incarnation"]) for node in nodes] == [("running", 2)] * 4
    told = [(event["type"], event["path"]) for event in made.call("events", path="web")["events"]
            if event["type"] == "operator.restart" or event["type"] == "child.ready" and event["incarnation"] == 2]
    assert told == [(what, f"web@{i}") for i in range(1, 5) for what in ("operator.restart", "child.ready")]

    (made.dir / "broken-2").touch()
    with pytest.raises(RpcError) as caught:
        made.call("restart", path="web", wait=True)
    assert caught.value.code == 4 and caught.value.data["path"] == "web@2" and "left as they are" in caught.value.data["hint"]
    assert [made.node(f"web@{i}")["incarnation"] for i in range(1, 5)] == [3, 3, 2, 2]


def test_a_restart_in_turns_ends_with_who_asked_and_with_the_supervisor(daemon):
    made = daemon("[supervisor:shop]\n[child:shop/web]\ncommand = /bin/sleep 1000\nready = fd:3\n"
                  "start_timeout = infinity\ninstances = 2\n")
    waiting = made.client()
    made.wait_node("shop/web@2", state="starting")
    waiting.send(b'{"jsonrpc":"2.0","id":1,"method":"restart","params":{"path":"shop/web","wait":true}}\n')
    made.wait_node("shop/web@1", incarnation=2)
    made.call("stop", path="shop", wait=True)
    assert json.loads(waiting.line())["error"]["code"] == 3
    made.call("start", path="shop")
    made.wait_node("shop/web@2", state="starting")
    waiting.send(b'{"jsonrpc":"2.0","id":2,"method":"restart","params":{"path":"shop/web","wait":true}}\n')
    made.wait_node("shop/web@1", incarnation=4)
    with pytest.raises(RpcError) as caught:
        made.call("restart", path="shop/web", wait=True, timeout="20ms")
    assert caught.value.code == 5 and "left as they are" in caught.value.data["hint"]
    waiting.close()
    assert made.node("shop/web@2")["incarnation"] == 2


SELF = """
[child:self]
command = /bin/sh -c 'if [ ! -e again ]; then touch again; exec %s -s %s %s self; fi; exec /bin/sleep 1000'
"""


@pytest.mark.parametrize("command", ["restart", "stop"])
def test_child_may_command_itself(daemon, command):
    """FIELD 2.A.21: what asks is part of what is stopped."""
    made = daemon(start=False)
    made.config.write_text(made.config.read_text() + SELF % (COPPICECTL, made.socket, command))
    made.start()
    if command == "restart":
        made.wait_node("self", state="running", incarnation=2, restarts=0)
        made.call("stop", path="self", wait=True)
    made.wait_node("self", state="stopped", reason="operator")
    made.wait_log(rf"self: {command} asked by uid {os.getuid()} ")


def test_unknown_instance_makes_no_ghost(served):
    """FIELD 2.A.22"""
    before = set(served.nodes())
    for method in ("start", "stop", "restart", "reset", "drain", "status", "why", "show"):
        for path in ("shop/web@4", "shop/web@0", "shop/web@", "shop/db@1", "shop/web@1x", "shop/web@01"):
            with pytest.raises(RpcError) as caught:
                served.call(method, path=path)
            assert caught.value.code == 1, (method, path)
    assert set(served.nodes()) == before


def test_changes_are_logged_with_who_asked(served):
    served.call("stop", path="still", wait=True)
    served.wait_log(rf"still: stop asked by uid {os.getuid()} \(pid {os.getpid()}\)$")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_others_read_and_operators_change(daemon):
    """FIELD 2.G.4: by the peer's user and groups, as the kernel tells them."""
    made = daemon(TREE, coppice="control_mode = 0666\noperators = 54322, @54323")
    made.ready()
    made.dir.chmod(0o755)

    def ask(uid, groups, method, **params):
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups(groups)
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                try:
                    Client(made.socket).call(method, **params)
                    os.write(writable, b"0")
                except RpcError as error:
                    os.write(writable, str(error.code).encode())
            finally:
                os._exit(0)
        os.close(writable)
        with os.fdopen(readable) as file:
            code = file.read()
        os.waitpid(child, 0)
        return code

    assert ask(54321, [], "status") == "0"
    for _ in range(3):
        assert ask(54321, [], "stop", path="still") == "2"
    # once a second at most; those that came between are told with the next
    made.wait_log(r": stop asked by uid 54321 \(pid \d+\), who may not change anything: refused")
    until("the next line tells of the others", lambda: ask(54321, [], "reset", path="still") == "2" and re.search(
        r"reset asked by uid 54321 .*: refused; \d+ more refused before", made.log()), pause=0.1)
    assert made.node("still")["state"] == "running"
    assert ask(54321, [54323], "stop", path="still", wait=True) == "0"
    assert ask(54322, [], "start", path="still", wait=True) == "0"
    made.wait_log(r"still: start asked by uid 54322 \(pid \d+\)$")


def test_vanished_socket_is_made_anew_on_usr1(served):
    """FIELD 2.G.2"""
    kept = served.client()
    served.socket.unlink()
    served.signal(signal.SIGUSR1)
    until("a socket", served.socket.exists)
    assert served.client().call("ping")["pid"] == served.pid
    assert kept.call("ping")["pid"] == served.pid
    assert served.stop() == 0
    assert not served.socket.exists()


def test_directory_made_anew_while_it_runs(daemon):
    """FIELD 2.G.11: another one in the place of the socket's and the child's is as good, and locks nobody out."""
    made = daemon(start=False)
    place = made.dir / "place"
    made.config.write_text(f"""
[coppice]
control_socket = {place}/control.sock
[child:one]
command = /bin/sh -c 'pwd -P > here; exec /bin/sleep 1000'
directory = {place}
""")
    made.socket = place / "control.sock"
    place.mkdir()
    made.start()
    made.wait_node("one", state="running")
    until("its file", (place / "here").exists)
    place.rename(made.dir / "gone")
    place.mkdir()
    made.signal(signal.SIGUSR1)
    until("a socket", made.socket.exists)
    assert made.client().call("restart", path="one", wait=True)["state"] == "running"
    until("its file in the new one", (place / "here").exists)
    assert made.stop() == 0
    assert not made.socket.exists()


def test_socket_that_could_not_be_made_is_made_on_usr1(daemon):
    """FIELD 2.G.2: supervision goes on without it, as on a file system that is read-only yet."""
    made = daemon(TREE, start=False)
    late = made.dir / "late"
    made.config.write_text(made.config.read_text().replace(str(made.socket), str(late / "control.sock")))
    made.start()
    made.wait_log("control socket .*: cannot be made: .*; USR1 tries again$")
    made.wait_log("^.*/: running$")
    late.mkdir()
    made.signal(signal.SIGUSR1)
    until("the socket", (late / "control.sock").exists)
    assert Client(late / "control.sock").call("ping")["pid"] == made.pid


def test_of_two_daemons_at_once_one_serves(daemon):
    """FIELD 2.G.1: they start on the same stale socket, and only one of them gets it."""
    directory = daemon(TREE, start=False).dir
    for number in range(5):
        path = directory / f"{number}.sock"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        both = [daemon(TREE, start=False) for _ in range(2)]
        for one in both:
            one.config.write_text(one.config.read_text().replace(str(one.socket), str(path)))
            one.start()
        for one in both:
            one.wait_log("^.*/: running$")
        refused = [one for one in both if "another daemon serves there" in one.log()]
        assert len(refused) == 1
        assert refused[0].stop() == 0
        winner = both[1 - both.index(refused[0])]
        assert Client(path).call("ping")["pid"] == winner.pid
        assert winner.stop() == 0
        assert not path.exists()


def test_second_daemon_does_not_take_the_socket(served, daemon):
    """FIELD 2.G.1: a living one is left alone, and the loser removes nothing."""
    second = daemon(TREE, start=False)
    second.config.write_text(second.config.read_text().replace(str(second.socket), str(served.socket)))
    second.start()
    second.wait_log("another daemon serves there")
    # it goes on, as it should, but nobody is to find out by himself that all runs twice now
    second.wait_log("every program of it now runs TWICE; end one of the two daemons")
    second.wait_log("^.*/: running$")
    assert served.client().call("ping")["pid"] == served.pid
    assert second.stop() == 0
    assert served.client().call("ping")["pid"] == served.pid


def test_socket_of_a_killed_daemon_is_replaced(served, daemon):
    """FIELD 2.G.1: a stale one is replaced."""
    engine = served.engine()
    os.kill(served.pid, signal.SIGKILL)
    os.kill(engine, signal.SIGKILL)
    served.wait()
    until("the engine gone", lambda: not (one := process(engine)) or one.zombie)
    assert served.socket.exists()
    second = daemon(TREE, start=False)
    second.config.write_text(second.config.read_text().replace(str(second.socket), str(served.socket)))
    second.start()
    second.wait_log("^.*/: running$")
    assert Client(served.socket).call("ping")["pid"] == second.pid
    assert second.stop() == 0


def test_shutdown_is_answered_and_then_closes(served):
    client = served.client()
    with pytest.raises(RpcError) as caught:
        client.call("shutdown", action="reboot")
    assert caught.value.code == 3
    assert client.call("shutdown") == {"action": "exit"}
    assert client.line() == b""
    assert served.wait() == 0
    assert not served.socket.exists()
