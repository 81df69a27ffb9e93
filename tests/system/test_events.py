"""Events of a real daemon: what they say, `events` and `subscribe`; slow, deaf, many and rude subscribers; engines that are killed."""

import json
import os
import pathlib
import re
import select
import signal
import socket
import threading
import time

import pytest

from conftest import BUILD, RpcError, descriptors, until

TREE = """
[child:still]
command = /bin/sleep 1000
stable_after = 0s
backoff = none

[child:off]
command = /bin/sleep 1000
autostart = no

[child:wrong]
command = /nonexistent/program
autostart = no

[child:long]
command = /bin/sleep 1000
ready = exit
start_timeout = 5m
autostart = no

[supervisor:shop]
strategy = one_for_all

[child:shop/db]
command = /bin/sleep 1000
backoff = none

[child:shop/web]
command = /bin/sleep 1000
instances = 2
backoff = none
"""

NUMBER = re.compile(rb'"params":\{(?:"lost":(\d+),)?"number":(\d+)')


@pytest.fixture
def served(daemon):
    made = daemon(TREE)
    made.wait_node("shop", state="running")
    return made


class Subscriber:
    """A connection that has subscribed; keeps the events that come, in order, and finds replies among them."""

    def __init__(self, served, **params):
        self.client = served.client()
        self.events, self.replies, self.number = [], [], 0
        self.began = self.call("subscribe", **params)

    def take(self):
        """Takes one line; false when the connection has been closed."""
        line = self.client.line()
        if not line:
            return False
        value = json.loads(line)
        if isinstance(value, dict) and value.get("method") == "event":
            assert set(value) == {"jsonrpc", "method", "params"}
            self.events.append(value["params"])
        else:
            self.replies.append(value)
        return True

    def ask(self, method, **params):
        self.number += 1
        self.client.send(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}).encode() + b"\n")
        return self.number

    def call(self, method, **params):
        number = self.ask(method, **params)
        while not self.replies:
            assert self.take(), "closed"
        reply = self.replies.pop(0)
        assert reply["id"] == number
        if "error" in reply:
            raise RpcError(reply["error"])
        return reply["result"]

    def until(self, **wanted):
        """The first event from now on that has these values."""
        while True:
            seen = len(self.events)
            assert self.take(), "closed"
            for event in self.events[seen:]:
                if all(event.get(key) == value for key, value in wanted.items()):
                    return event

    def until_number(self, number):
        while not self.events or self.events[-1]["number"] < number:
            assert self.take(), "closed"

    def rest(self):
        """Everything until the connection is closed."""
        try:
            while self.take():
                pass
        except ConnectionError:
            pass


def newest(served):
    return served.call("status", path="/")["at_event"]


def numbers(events):
    return [event["number"] for event in events]


def assert_whole(events, first):
    """No number is missing but those that were told as lost, and none comes twice."""
    for event in events:
        assert event["number"] == first + event.get("lost", 0), numbers(events)
        first = event["number"] + 1


def flood(client, count):
    """So many events and some more, one for each request; at most 64 in a line."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "stop", "params": {"path": "off"}}
    while count > 0:
        client.send(json.dumps([request] * min(count, 64)).encode() + b"\n")
        for reply in json.loads(client.line()):
            assert reply["result"]["state"] == "stopped"
        count -= 64


# ---- events ----

def test_all_events_in_order_and_in_pages(served):
    whole = served.call("events")
    assert whole["lost"] == 0 and whole["next"] == newest(served)
    assert numbers(whole["events"]) == list(range(1, whole["next"] + 1))
    assert [one["at"] for one in whole["events"]] == sorted(one["at"] for one in whole["events"])
    for limit in (1, 7, 1000):
        pages, since = [], 0
        while since < whole["next"]:
            page = served.call("events", since=since, limit=limit)
            assert len(page["events"]) <= limit and page["lost"] == 0 and page["next"] > since
            pages, since = pages + page["events"], page["next"]
        assert pages[:whole["next"]] == whole["events"]
    assert served.call("events", limit=3)["events"] == whole["events"][-3:]
    assert served.call("events", limit=0)["events"] == []
    assert served.call("events", since=whole["next"]) == {"events": [], "next": whole["next"], "lost": 0}


def test_what_happens_is_told(served):
    follow = Subscriber(served)
    old = served.node("still")
    os.kill(old["pid"], signal.SIGKILL)
    ended = follow.until(type="child.exited", path="still")
    assert ended["exit"] == {"signal": "KILL", "core_dumped": False} and ended["uptime_s"] >= 0
    assert ended["incarnation"] == old["incarnation"] and ended["severity"] == "notice"
    again = follow.until(type="child.restarting", path="still")
    assert (again["delay_s"], again["reason"], again["severity"]) == (0, "exited", "warning")
    started = follow.until(type="child.started", path="still")
    assert started["pid"] == served.node("still")["pid"] and started["incarnation"] == old["incarnation"] + 1
    assert follow.until(type="child.ready", path="still")["after_s"] >= 0
    os.kill(served.node("shop/db")["pid"], signal.SIGKILL)
    group = follow.until(type="supervisor.restarting", path="shop")
    assert group["failed"] == "shop/db" and group["delay_s"] == 0
    served.wait_node("shop", state="running")
    served.call("start", path="wrong")
    failed = follow.until(type="child.start_failed", path="wrong")
    assert (failed["step"], failed["error"], failed["severity"]) == ("executing the command", "ENOENT", "error")
    served.call("stop", path="wrong")
    stop = follow.until(type="operator.stop", path="wrong")
    assert (stop["uid"], stop["pid"]) == (os.getuid(), os.getpid())
    assert follow.until(type="node.state", path="wrong", state="stopped")["reason"] == "operator"
    assert_whole(follow.events, follow.began["at_event"] + 1)


def test_limits_and_escalations_are_told(daemon):
    made = daemon("""
[supervisor:tired]
intensity = 0
on_limit = give_up
[child:tired/bad]
command = /bin/false
[supervisor:up]
[supervisor:up/in]
intensity = 0
on_limit = escalate
[child:up/in/bad]
command = /bin/false
restart = transient
""", coppice="event_history = 100000")
    def find(kind, path):
        return until(f"{kind} of {path}", lambda: made.call("events", types=[kind], path=path)["events"])[0]
    assert find("supervisor.limit", "tired")["action"] == "give_up"
    assert find("supervisor.escalated", "up/in")["reason"] == "intensity"


def test_what_has_failed_is_grave(daemon):
    """Whoever follows notices and worse sees who was given up, though a node's states are information only."""
    made = daemon("[child:once]\ncommand = /bin/false\nno_restart_exit = 1\n[child:still]\ncommand = /bin/sleep inf\n")
    made.wait_node("once", state="failed")
    made.wait_node("still", state="running")
    grave = made.call("events", severity="notice", types=["node.state"])["events"]
    assert [(e["path"], e["state"], e["severity"]) for e in grave] == [("once", "failed", "error")]


@pytest.mark.parametrize("how", ["a request", "a signal"])
def test_shutdown_is_told_to_its_end(served, how):
    follow = Subscriber(served)
    if how == "a signal":
        served.signal(signal.SIGTERM)
    else:
        served.client().call("shutdown")
    follow.rest()
    asked = next(event for event in follow.events if event["type"] == "operator.shutdown")
    assert asked.get("uid") == (os.getuid() if how == "a request" else None)
    assert (follow.events[-1]["path"], follow.events[-1]["state"]) == ("/", "stopped")
    assert_whole(follow.events, follow.began["at_event"] + 1)
    assert served.wait() == 0


FILTERS = [
    ({"types": ["child.started"]}, lambda e: e["type"] == "child.started"),
    ({"types": ["child.*", "operator.stop"]}, lambda e: e["type"].startswith("child.") or e["type"] == "operator.stop"),
    ({"types": ["*"]}, lambda e: True),
    ({"severity": "info"}, lambda e: True),
    ({"severity": "notice"}, lambda e: e["severity"] != "info"),
    ({"severity": "warning"}, lambda e: e["severity"] in ("warning", "error")),
    ({"severity": "error"}, lambda e: e["severity"] == "error"),
    ({"severity": "notice", "types": ["child.*"]}, lambda e: e["severity"] != "info" and e["type"].startswith("child.")),
    ({"path": "/"}, lambda e: True),
    ({"path": "still"}, lambda e: e["path"] == "still"),
    ({"path": "shop"}, lambda e: e["path"] == "shop" or e["path"].startswith("shop/")),
    ({"path": "shop/web"}, lambda e: e["path"].startswith("shop/web@")),
    ({"path": "shop/web@2"}, lambda e: e["path"] == "shop/web@2"),
    ({"path": "shop", "types": ["node.state"]}, lambda e: e["path"].startswith("shop") and e["type"] == "node.state"),
]


def test_filters(served):
    begin = newest(served)
    follow = [Subscriber(served, **params) for params, _ in FILTERS]
    served.call("start", path="wrong")
    served.call("stop", path="wrong", wait=True)
    served.call("restart", path="shop", wait=True)
    os.kill(served.node("still")["pid"], signal.SIGKILL)
    served.wait_node("still", state="running", incarnation=2)
    served.call("stop", path="/", wait=True)
    end = newest(served)
    whole = served.call("events", since=begin)["events"]
    for (params, wants), one in zip(FILTERS, follow):
        wanted = [event for event in whole if wants(event)]
        assert wanted, params
        assert served.call("events", since=begin, **params) == {"events": wanted, "next": end, "lost": 0}
        assert served.call("events", limit=2, **params)["events"] == wanted[-2:]
        one.until_number(wanted[-1]["number"])
        assert one.events == wanted
        one.call("ping")  # nothing more has come before the answer
        assert one.events == wanted


@pytest.mark.parametrize("params,code,hint", [
    ({"types": ["child.start"]}, -32602, "child.started"),
    ({"types": ["nothing.*"]}, -32602, "node.state"),
    ({"types": []}, -32602, "node.state"),
    ({"types": "child.started"}, -32602, ""),
    ({"types": [1]}, -32602, ""),
    ({"severity": "bad"}, -32602, "warning"),
    ({"severity": 3}, -32602, ""),
    ({"path": "shop/dv"}, 1, "shop/db"),
    ({"since": 10**9}, -32602, "since"),
    ({"since": -1}, -32602, ""),
    ({"since": 1.5}, -32602, ""),
    ({"sincee": 1}, -32602, "since"),
])
def test_what_cannot_be_meant_is_refused(served, params, code, hint):
    for method in ("events", "subscribe"):
        with pytest.raises(RpcError) as caught:
            served.call(method, **params)
        assert caught.value.code == code and hint in caught.value.data.get("hint", "")
    served.call("stop", path="off")  # nobody is told
    assert served.call("ping")["protocol"] == 1


def test_limit_has_a_limit(served):
    assert served.call("events", limit=10000)["events"]
    for limit in (10001, -1, "all"):
        with pytest.raises(RpcError):
            served.call("events", limit=limit)


def test_what_has_left_the_ring_is_counted(daemon):
    made = daemon(TREE, coppice="event_history = 64")
    made.wait_node("shop", state="running")
    flood(made.client(), 200)
    last = newest(made)
    page = made.call("events", since=10)
    assert page["lost"] == last - 64 - 10 and numbers(page["events"]) == list(range(last - 63, last + 1))
    assert made.call("events")["lost"] == 0
    assert made.call("events", since=last - 64)["lost"] == 0
    late = Subscriber(made, since=10)
    assert late.began == {"at_event": last, "lost": last - 64 - 10}
    late.until_number(last)
    assert_whole(late.events, last - 63)


def until_lost(follow):
    while not any("lost" in event for event in follow.events):
        assert follow.take(), "closed"
    return next(event for event in follow.events if "lost" in event)


# ---- from a status to what comes after ----

def test_status_and_what_follows_leave_no_gap(served):
    over = threading.Event()

    def hurt():
        client = served.client()
        while not over.is_set():
            client.call("restart", path="still", wait=True)
            client.call("restart", path="shop/web", wait=True)

    other = threading.Thread(target=hurt)
    other.start()
    try:
        for _ in range(10):
            status = served.client().call("status")
            known = {node["path"]: node["incarnation"] for node in status["nodes"]}
            follow = Subscriber(served, since=status["at_event"])
            assert follow.began["lost"] == 0 and follow.began["at_event"] >= status["at_event"]
            started = [follow.until(type="child.started") for _ in range(4)]
            assert_whole(follow.events, status["at_event"] + 1)
            for event in started:  # the first may be in the status already: that was written while the daemon went on
                assert event["incarnation"] in (known[event["path"]], known[event["path"]] + 1)
                known[event["path"]] = event["incarnation"]
            follow.client.close()
    finally:
        over.set()
        other.join()


def test_resumes_after_the_engine_was_killed(served):
    got, since, kills = [], 0, 0
    while kills < 5:
        follow = Subscriber(served, since=since)
        assert follow.began["lost"] == 0
        if kills:
            follow.until(type="engine.recovered", generation=kills + 1)
        served.call("restart", path="still")
        os.kill(served.engine(), signal.SIGKILL)
        served.kept = None
        follow.rest()
        got += follow.events
        since = got[-1]["number"]
        kills += 1
    end = Subscriber(served, since=since)
    end.until(type="engine.recovered", generation=6)
    got += end.events
    assert numbers(got) == list(range(1, len(got) + 1))
    assert served.call("events", since=0, limit=10000)["events"][:len(got)] == got
    recovered = [event for event in got if event["type"] == "engine.recovered"]
    assert [event["generation"] for event in recovered] == [2, 3, 4, 5, 6]


# ---- one connection ----

def test_requests_are_answered_in_order_among_events(daemon):
    """FIELD 2.G.3: an event may come before the answer."""
    made = daemon(TREE + "[child:many]\ncommand = /bin/sleep 1000\ninstances = 600\nautostart = no\n")
    made.wait_node("shop", state="running")
    follow = Subscriber(made)
    asked = []
    for round_ in range(30):
        asked += [follow.ask("status"), follow.ask("restart", path="still"), follow.ask("nonsense"), follow.ask("ping")]
        if round_ % 10 == 9:
            follow.client.send(b"garbage\n\n[]\n")
    while len(follow.replies) < len(asked) + 6:
        assert follow.take()
    assert [reply["id"] for reply in follow.replies if reply["id"] is not None] == asked
    assert sorted(reply["error"]["code"] for reply in follow.replies if reply["id"] is None) == [-32700] * 3 + [-32600] * 3
    assert len(follow.replies[0]["result"]["nodes"]) > 600
    last = newest(made)
    follow.until_number(last)
    assert_whole(follow.events, follow.began["at_event"] + 1)


def test_events_come_while_a_request_waits(served):
    follow = Subscriber(served)
    number = follow.ask("start", path="long", wait=True)
    started = follow.until(type="child.started", path="long")
    assert not follow.replies
    os.kill(started["pid"], signal.SIGTERM)
    follow.until(type="child.exited", path="long")
    while not follow.replies:
        assert follow.take()
    assert follow.replies[0]["id"] == number and follow.replies[0]["error"]["code"] == 4


def test_a_batch_that_waits_is_not_broken_up(served):
    follow = Subscriber(served)
    batch = [{"jsonrpc": "2.0", "id": 1, "method": "ping"},
             {"jsonrpc": "2.0", "id": 2, "method": "start", "params": {"path": "long", "wait": True, "timeout": "0.2s"}}]
    follow.client.send(json.dumps(batch).encode() + b"\n")
    while not follow.replies:
        assert follow.take()
    assert [reply["id"] for reply in follow.replies[0]] == [1, 2]
    follow.until_number(newest(served))
    assert_whole(follow.events, follow.began["at_event"] + 1)


def test_second_subscribe_replaces_the_first(served):
    follow = Subscriber(served)
    again = follow.call("subscribe", types=["child.started"], since=0)
    assert again["lost"] == 0
    seen = len(follow.events)
    served.call("restart", path="still", wait=True)
    follow.until(type="child.started", path="still", incarnation=2)
    whole = served.call("events", types=["child.started"])["events"]
    assert follow.events[seen:] == whole


def test_subscriber_that_shuts_its_writing_end(served):
    """As `printf … | nc -N -U control.sock` does it."""
    engine = served.engine()
    before = len(descriptors(engine))
    follow = Subscriber(served)
    follow.client.socket.shutdown(socket.SHUT_WR)
    flood(served.client(), 10)
    follow.until_number(newest(served))
    assert_whole(follow.events, follow.began["at_event"] + 1)
    follow.client.close()
    flood(served.client(), 1)
    until("the connection closed", lambda: len(descriptors(engine)) <= before)


def test_subscribers_that_go_leave_nothing(served):
    engine = served.engine()
    before = len(descriptors(engine))
    for _ in range(50):
        Subscriber(served, since=0).client.close()
    until("the connections closed", lambda: len(descriptors(engine)) <= before)
    assert served.engine() == engine


def test_subscribers_that_go_in_two_steps_leave_nothing(served):
    """Their end cannot be read, and there may never be an event again."""
    engine = served.engine()
    before = len(descriptors(engine))
    for _ in range(50):
        client = served.client()
        client.send(b'{"jsonrpc":"2.0","id":1,"method":"subscribe"}\n')
        client.socket.shutdown(socket.SHUT_WR)
        assert b"at_event" in client.line()
        client.close()
    until("the connections closed", lambda: len(descriptors(engine)) <= before)


def test_subscriber_without_events_wakes_nobody(served):
    followers = [Subscriber(served) for _ in range(20)]

    def wakeups():
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[1])
                   for task in pathlib.Path(f"/proc/{engine}/task").iterdir())

    def quiet():
        before = wakeups()
        time.sleep(0.3)  # what is measured
        return wakeups() == before

    engine = served.engine()
    until("0.3 s in which the engine sleeps", quiet)
    assert all(not select.select([one.client.socket], [], [], 0)[0] for one in followers)


# ---- many, and slow ones ----

class Crowd:
    """Subscribers whose lines are counted and not parsed."""

    def __init__(self, served, count):
        self.sockets, self.rests, self.last, self.lost, self.whole = [], [], [], [], True
        for _ in range(count):
            client = served.client()
            self.last.append(client.call("subscribe")["at_event"])
            self.sockets.append(client.socket)
            self.rests.append(b"")
            self.lost.append(0)

    def read(self, index, data):
        lines = (self.rests[index] + data).split(b"\n")
        self.rests[index] = lines.pop()
        for line in lines:
            lost, number = NUMBER.search(line).groups()
            self.lost[index] += int(lost or 0)
            self.whole = self.whole and int(number) == self.last[index] + int(lost or 0) + 1
            self.last[index] = int(number)

    def until(self, number):
        """Everybody has got this far."""
        index_of = {sock: index for index, sock in enumerate(self.sockets)}
        while behind := [sock for sock in self.sockets if self.last[index_of[sock]] < number]:
            ready = select.select(behind, [], [], 20)[0]
            assert ready, f"{len(behind)} of {len(self.sockets)} subscribers do not get as far as event {number}"
            for sock in ready:
                data = sock.recv(1 << 18)
                assert data, "closed"
                self.read(index_of[sock], data)


def private_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"^Private_\w+:\s*(\d+) kB", text, re.M))


def test_two_hundred_subscribers_half_of_them_deaf(daemon):
    """The storm goes on when the readers have read it, so that nothing depends on how fast they are."""
    made = daemon(TREE, coppice="event_history = 256")
    made.wait_node("shop", state="running")
    readers, deaf = Crowd(made, 100), Crowd(made, 100)
    begin, client, engine = readers.last[0], made.client(), made.engine()
    before = private_kib(engine)
    for _ in range(24):
        flood(client, 64)
        readers.until(newest(made))
    last = newest(made)
    assert last - begin > 1500
    if "asan" not in BUILD.name:  # which keeps what is freed
        assert private_kib(engine) - before < 8192
    assert readers.whole and set(readers.last) == {last} and not any(readers.lost)
    old = made.node("still")["pid"]
    os.kill(old, signal.SIGKILL)
    made.wait_node("still", state="running", pid=lambda pid: pid not in (None, old))
    last = newest(made)
    deaf.until(last)
    assert deaf.whole and set(deaf.last) == {last} and all(deaf.lost)
    readers.until(last)
    assert made.engine() == engine


def test_slow_reader_gets_what_it_lost_told(daemon):
    made = daemon(TREE, coppice="event_history = 128")
    made.wait_node("shop", state="running")
    slow = Subscriber(made)
    client = made.client()
    told = 0
    for _ in range(3):
        flood(client, 1500)
        until_lost(slow)
        slow.until_number(newest(made))
        lost = sum(event.get("lost", 0) for event in slow.events)
        assert lost > told
        told = lost
    assert_whole(slow.events, slow.began["at_event"] + 1)
    assert len(slow.events) + told == newest(made) - slow.began["at_event"]
