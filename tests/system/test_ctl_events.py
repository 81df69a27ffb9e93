"""coppicectl events: against a server that sends what the test wants, and against a real daemon."""
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest
from conftest import until
from ctl_server import CTL, Error, clean, node, run, serve  # noqa: F401 (serve is a fixture)
from test_coppicectl import on_terminal

AT = 1764000000.5  # 2025-11-24T16:00:00.500Z


def event(number, kind="child.started", path="shop/db", severity="info", **more):
    return {"number": number, "at": AT + number, "type": kind, "severity": severity, "path": path, **more}


def line(one):
    return json.dumps({"jsonrpc": "2.0", "method": "event", "params": one}).encode() + b"\n"


SOME = [
    event(1, pid=41, incarnation=1),
    event(2, "child.ready", after_s=1.25, incarnation=1),
    event(3, "child.exited", severity="warning", exit={"signal": "SEGV", "core_dumped": True}, uptime_s=75.2, incarnation=1),
    event(4, "child.exited", exit={"code": 3}, uptime_s=0.012, incarnation=2),
    event(5, "child.restarting", streak=2, delay_s=59.791, reason="exited"),
    event(6, "child.start_failed", step="executing the command", error="ENOENT", hint="look there", incarnation=3),
    event(7, "node.state", state="failed", reason="no_restart_exit", **{"from": "running"}),
    event(8, "supervisor.restarting", path="shop", failed="shop/db", delay_s=0),
    event(9, "supervisor.limit", path="shop", severity="error", action="backoff", wait_s=5),
    event(10, "supervisor.escalated", path="shop", severity="error", reason="escalate"),
    event(11, "operator.stop", uid=1000, pid=77),
    event(12, "engine.recovered", path="/", generation=2),
    event(13, "lease.lost", lease=7, why="it\nended"),
]

WORDS = [
    "shop/db: started (pid 41, start 1)",
    "shop/db: ready after 1.2s",
    "shop/db: killed by SIGSEGV (core dumped) after 1m15s (start 1)",
    "shop/db: exited with status 3 after 12ms (start 2)",
    "shop/db: restarting in 59.7s (exited, failure 2 in a row)",
    "shop/db: could not start: executing the command: No such file or directory (ENOENT); look there (start 3)",
    "shop/db: failed (no_restart_exit)",
    "shop: restarting the group of shop/db",
    "shop: restart intensity reached: waiting 5s",
    "shop: escalated (escalate)",
    "shop/db: asked to stop by uid 1000 (pid 77)",
    "/: engine recovered: number 2",
    'shop/db: lease.lost (lease 7, why "it\\nended")',
]


def ring(events, oldest=0):
    """`events` of a ring that has lost those before number `oldest`."""
    def answer(request):
        params = request.get("params", {})
        since = params.get("since", -1)
        found = [e for e in events if e["number"] > since and e["number"] >= oldest]
        found = found[: params["limit"]] if since >= 0 else found[-params["limit"] :]
        lost = len([e for e in events if since < e["number"] < oldest]) if since >= 0 else 0
        return {"events": found, "next": found[-1]["number"] if found else max(since, 0), "lost": lost}
    return answer


def test_a_line_an_event(serve):
    done = run(serve(ring(SOME)).path, "events")
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert [text.split(None, 2)[2] for text in lines] == WORDS
    assert lines[0] == "2025-11-24T16:00:01.500Z info    shop/db: started (pid 41, start 1)"
    assert lines[8].startswith("2025-11-24T16:00:09.500Z error   shop: ")


def test_json_is_an_event_a_line_as_it_came(serve):
    text = '{"number":1,  "at":1764000000.5,"odd":1e2,"path":"a"}'
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"lost":0,"events":[%s],"next":1}}\n' % text.encode()
    done = run(serve(lambda request: answer).path, "events", "--json")
    assert done.stdout == text + "\n" and done.returncode == 0


def test_severities_have_colours_on_a_terminal(serve):
    path = serve(ring(SOME)).path
    assert "\033[1;31merror\033[0m   shop: " in on_terminal(path, "events")
    assert "\033" not in on_terminal(path, "events", NO_COLOR="1")


@pytest.mark.parametrize(
    "args, params",
    [
        ((), {"limit": 1000}),
        (("-n", "3"), {"limit": 3}),
        (("shop/db",), {"limit": 1000, "path": "shop/db"}),
        (("--severity", "warning"), {"limit": 1000, "severity": "warning"}),
        (("--type", "child.exited,supervisor.*"), {"limit": 1000, "types": ["child.exited", "supervisor.*"]}),
        (("--since", "13"), {"limit": 1000, "since": 13}),
    ],
)
def test_what_is_asked_for(serve, args, params):
    server = serve(ring(SOME))
    assert run(server.path, "events", *args).returncode == 0
    assert server.asked("events") == [params]


def test_since_takes_all_pages_and_tells_what_is_lost(serve):
    many = [event(number, pid=number) for number in range(1, 2600)]
    server = serve(ring(many, oldest=200))
    done = run(server.path, "events", "--since", "100")
    assert done.stdout.count("\n") == 2400 and len(server.asked("events")) == 4
    assert done.stderr.startswith("coppicectl: 99 events are lost\n") and done.returncode == 0
    done = run(server.path, "events", "--since", "0", "-n", "5")
    assert [int(text.split("pid ")[1].split(",")[0]) for text in done.stdout.splitlines()] == [2595, 2596, 2597, 2598, 2599]
    done = run(server.path, "events", "-n", "2000")
    assert done.stdout.count("\n") == 2000 and done.stderr == ""


def test_since_a_while_ago(serve):
    import time

    now = time.time()
    events = [{**event(number), "at": now - 100 * (10 - number)} for number in range(1, 11)]
    done = run(serve(ring(events)).path, "events", "--since", "5m", "--json")
    assert [json.loads(text)["number"] for text in done.stdout.splitlines()] == [8, 9, 10]


def test_several_paths_and_patterns(serve):
    def answer(request):
        if request["method"] == "status":
            return {"nodes": [node("shop"), node("shop/db"), node("shop/web@1"), node("shop/web@2"), node("shopper")], "at_event": 1}
        return ring([event(number, path=path) for number, path in enumerate(
            ["shop/db", "shop/web@1", "shopper", "shop", "shop/web@2", "/"], 1)])(request)

    path = serve(answer).path

    def numbers(*args):
        done = run(path, "events", "--json", *args)
        assert done.returncode == 0, done
        return [json.loads(text)["number"] for text in done.stdout.splitlines()]

    assert numbers("shop/db", "/shop/web/") == [1, 2, 5]
    assert numbers("shop/web@*") == [2, 5]
    assert numbers("shop/db", "shopper") == [1, 3]
    assert run(path, "events", "nothing@*").returncode == 1


@pytest.mark.parametrize(
    "args, words",
    [
        (("--since", "soon"), "neither a number nor a duration"),
        (("--since", "infinity"), "neither a number nor a duration"),
        (("--since", "-1"), "neither a number nor a duration"),
        (("-n", "many"), "--lines"),
        (("-n", "-1"), "--lines"),
        (("--severity", "bad"), "info, notice, warning and error"),
        (("--exec",), "needs a value"),
        (("--folow",), 'did you mean "--follow"?'),
    ],
)
def test_wrong_usage(args, words):
    done = run("/nowhere", "events", *args)
    assert done.returncode == 2 and done.stdout == "" and words in done.stderr and len(done.stderr.splitlines()) <= 2, done


# --- following


class Following:
    """A coppicectl events -f whose output is read while it runs."""

    def __init__(self, path, *args, **more):
        self.popen = subprocess.Popen(
            [CTL, "-s", path, "events", "-f", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean(), **more)
        self.lines, self.errors = [], []
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.popen.stdout, self.lines), (self.popen.stderr, self.errors))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(stream, lines):
        for text in stream:
            lines.append(text.rstrip("\n"))

    def wait_lines(self, count):
        return until(lambda: f"{count} lines; there are {self.lines} and {self.errors}", lambda: len(self.lines) >= count and self.lines)

    def end(self, number=signal.SIGINT):
        """Its exit status after that signal, 0 for none."""
        if number:
            self.popen.send_signal(number)
        status = self.popen.wait(20)
        for thread in self.threads:
            thread.join(20)
        return status


@pytest.fixture
def follow():
    """follow(path, …) → a Following; ended after the test."""
    made = []

    def start(*args, **more):
        made.append(Following(*args, **more))
        return made[-1]

    yield start
    for one in made:
        if one.popen.poll() is None:
            one.popen.kill()
            one.popen.wait()


class Stream:
    """A daemon with events: `feed` sends, `cut` ends all subscriptions as the death of an engine does."""

    def __init__(self):
        self.events, self.changed, self.generation = [], threading.Condition(), 0

    def feed(self, *events):
        with self.changed:
            self.events += events
            self.changed.notify_all()

    def cut(self):
        with self.changed:
            self.generation += 1
            self.changed.notify_all()

    def answer(self, request):
        if request["method"] == "events":
            return ring(self.events)(request)
        return self.subscribed(request.get("params", {}))

    def subscribed(self, params):
        generation = self.generation
        position = len([e for e in self.events if e["number"] <= params["since"]]) if "since" in params else len(self.events)
        yield {"at_event": self.events[-1]["number"] if self.events else 0, "lost": 0}
        while True:
            with self.changed:
                if not self.changed.wait_for(lambda: self.generation != generation or len(self.events) > position, 60):
                    return
                news, position = self.events[position:], len(self.events)
                if self.generation != generation:
                    yield None
            for one in news:
                yield line(one)


def test_follow_begins_with_the_last_ten(serve, follow):
    stream = Stream()
    stream.feed(*[event(number) for number in range(1, 31)])
    server = serve(stream.answer)
    one = follow(server.path, "--json", "--type", "child.*", "shop/db")
    one.wait_lines(10)
    until("the subscription", lambda: server.asked("subscribe"))
    stream.feed(event(31), event(32))
    assert [json.loads(text)["number"] for text in one.wait_lines(12)] == list(range(21, 33))
    assert server.asked("subscribe") == [{"types": ["child.*"], "path": "shop/db", "since": 30}]
    assert one.end() == 0 and one.errors == []


def test_nothing_is_lost_or_doubled_when_the_engine_is_replaced(serve, follow):
    stream = Stream()
    server = serve(stream.answer)
    one = follow(server.path, "--json", "-n", "0")
    until("the subscription", lambda: server.asked("subscribe"))
    for turn in range(5):
        stream.feed(event(10 * turn + 1), event(10 * turn + 2))
        one.wait_lines(4 * turn + 2)
        stream.cut()
        stream.feed(event(10 * turn + 3), event(10 * turn + 4))
        one.wait_lines(4 * turn + 4)
    assert [json.loads(text)["number"] for text in one.lines] == [10 * turn + i for turn in range(5) for i in (1, 2, 3, 4)]
    assert [params.get("since") for params in server.asked("subscribe")][1:] == [2, 12, 22, 32, 42]
    assert one.end(signal.SIGTERM) == 0 and one.errors == []


def test_lost_events_are_told(serve, follow):
    stream = Stream()
    server = serve(stream.answer)
    one = follow(server.path, "-n", "0")
    until("the subscription", lambda: server.asked("subscribe"))
    stream.feed(event(1), event(9, lost=7))
    one.wait_lines(2)
    assert one.end() == 0
    assert one.errors[0] == "coppicectl: 7 events are lost" and len(one.errors) == 2


def test_the_end_of_the_daemon_ends_the_following(serve, follow):
    stream = Stream()
    server = serve(stream.answer)
    one = follow(server.path, "-n", "0")
    until("the subscription", lambda: server.asked("subscribe"))
    stream.feed(event(1))
    one.wait_lines(1)
    server.close()
    stream.cut()
    assert one.end(0) == 4 and len(one.lines) == 1 and "has ended" in one.errors[0]


def test_a_reader_that_goes_ends_it(serve, follow):
    """Also while nothing happens: nobody notices otherwise."""
    stream = Stream()
    server = serve(stream.answer)
    popen = subprocess.Popen([CTL, "-s", server.path, "events", "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean())
    until("the subscription", lambda: server.asked("subscribe"))
    popen.stdout.close()
    assert popen.wait(20) == 0 and popen.stderr.read() == b""
    popen.stderr.close()


def test_a_refusal_is_said(serve):
    answer = {"events": {"events": [], "next": 0, "lost": 0}, "subscribe": Error(1, "there is no node", hint="did you mean?")}
    done = run(serve(lambda request: answer[request["method"]]).path, "events", "-f", "shop")
    assert done.returncode == 1 and done.stderr == "coppicectl: there is no node\ncoppicectl: did you mean?\n"


def test_no_daemon(tmp_path):
    for args in (("-f",), ("-f", "-n", "0"), ()):
        done = run(str(tmp_path / "none"), "events", *args)
        assert done.returncode == 4 and len(done.stderr.splitlines()) <= 2


# --- --exec


def test_exec_gets_each_event_in_order(serve, follow, tmp_path):
    """FIELD 1.B.14: a hook after a restart, from outside: --exec with what happened on stdin and in the environment."""
    stream = Stream()
    stream.feed(event(1))
    server = serve(stream.answer)
    script = tmp_path / "script"
    script.write_text('read -r line; echo "$COPPICE_EVENT_NUMBER $COPPICE_EVENT_TYPE $COPPICE_EVENT_PATH $COPPICE_EVENT_SEVERITY '
                      '$COPPICE_EVENT_AT $line"\n')
    one = follow(server.path, "--exec", f". {script}")
    until("the subscription", lambda: server.asked("subscribe"))
    events = [event(number, "child.ready", after_s=1) for number in range(2, 40)]
    stream.feed(*events)
    texts = one.wait_lines(len(events))
    for text, told in zip(texts, events, strict=True):
        *words, at, rest = text.split(" ", 5)
        assert words == [str(told["number"]), "child.ready", "shop/db", "info"]
        assert float(at) == told["at"] and json.loads(rest) == told
    assert one.end() == 0 and one.errors == []


def test_a_slow_or_failing_command_loses_nothing(serve, follow, tmp_path):
    stream = Stream()
    server = serve(stream.answer)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    one = follow(server.path, "--exec", f"n=$COPPICE_EVENT_NUMBER; [ $n != 1 ] || read -r x <{gate}; echo $n; [ $n != 3 ] || exit 7")
    until("the subscription", lambda: server.asked("subscribe"))
    stream.feed(event(1))
    writer = open(gate, "w")  # comes when the command reads: it runs
    for turn in range(3):  # the engine may be replaced meanwhile
        stream.feed(*[event(100 * turn + number) for number in range(2, 102)])
        stream.cut()
        until("another subscription", lambda turn=turn: len(server.asked("subscribe")) == turn + 2)
    assert one.lines == []
    writer.write("go\n")
    writer.close()
    assert one.wait_lines(301) == [str(number) for number in range(1, 302)]
    until("the complaint", lambda: one.errors)
    assert one.errors == ["coppicectl: the command of --exec ended with status 7 for event 3; the next event goes on"]
    assert one.end() == 1


def test_exec_of_what_has_been(serve):
    server = serve(ring(SOME))
    done = run(server.path, "events", "--exec", "echo $COPPICE_EVENT_NUMBER; kill -9 $$", "-n", "2")
    assert done.stdout == "12\n13\n" and done.returncode == 1
    assert "was killed by signal 9 for event 12" in done.stderr


def test_an_interrupt_lets_the_command_end(serve, follow, tmp_path):
    """What was begun is finished, what waits is not begun."""
    stream = Stream()
    server = serve(stream.answer)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    one = follow(server.path, "--exec", f"echo begun; read -r x <{gate}; echo $x")
    until("the subscription", lambda: server.asked("subscribe"))
    stream.feed(event(1), event(2))
    one.wait_lines(1)
    one.popen.send_signal(signal.SIGTERM)
    gate.write_text("done\n")
    assert one.end(0) == 0 and one.lines == ["begun", "done"]


def test_the_end_of_the_daemon_lets_the_queue_be_worked_off(serve, follow, tmp_path):
    stream = Stream()
    server = serve(stream.answer)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    one = follow(server.path, "--exec", f"n=$COPPICE_EVENT_NUMBER; [ $n != 1 ] || read -r x <{gate}; echo $n")
    until("the subscription", lambda: server.asked("subscribe"))
    stream.feed(*[event(number) for number in range(1, 6)])
    with open(gate, "w") as writer:
        server.close()
        stream.cut()
        until("the end of the daemon to be noticed", lambda: one.errors)
        writer.write("go\n")
    assert one.end(0) == 4 and one.lines == ["1", "2", "3", "4", "5"]


def test_signals_and_descriptors_of_the_command(serve):
    """It starts as from a shell: nothing blocked or ignored, nothing open but 0, 1 and 2."""
    path = serve(ring(SOME)).path
    script = 'grep -E "^Sig(Blk|Ign)" /proc/self/status; ls /proc/self/fd | wc -l'
    done = run(path, "events", "-n", "1", "--exec", script, restore_signals=True)
    masks = done.stdout.split()
    assert masks[0] == "SigBlk:" and int(masks[1], 16) == 0
    assert masks[2] == "SigIgn:" and int(masks[3], 16) & (1 << (signal.SIGPIPE - 1)) == 0
    assert int(masks[4]) == 4  # ls has the directory open too


# --- a real daemon


def test_the_hook_of_giving_up_runs_once(daemon, follow):
    """FIELD 2.B.14: not at each retry, only when it is over."""
    one = daemon(
        "[supervisor:shop]\nrestart = temporary\nintensity = 3\nperiod = 1h\n"
        "[child:shop/bad]\ncommand = false\nautostart = no\nbackoff = none\n"
        "[child:good]\ncommand = sleep 1000\n"
    ).ready()
    after = one.wait_node("good", state="running") and one.call("events")["next"]
    script = 'echo "$COPPICE_EVENT_PATH gave up"'
    hook = follow(one.socket, "--since", str(after), "--type", "supervisor.escalated", "--exec", script)
    every = follow(one.socket, "--since", str(after), "--json", "--type", "child.*,supervisor.*")
    one.call("start", path="shop/bad")
    one.wait_node("shop", state="failed")
    assert hook.wait_lines(1) == ["shop gave up"]
    one.call("restart", path="good", wait=True)  # its events come behind those
    until("the last event", lambda: any('"good"' in text for text in every.lines))
    types = [json.loads(text)["type"] for text in every.lines]
    assert types.count("child.exited") >= 4 and types.count("supervisor.escalated") == 1
    assert one.stop() == 0
    assert hook.end(0) == 4 and hook.lines == ["shop gave up"]
    assert every.end(0) == 4


def test_a_hook_after_each_restart(daemon, follow):
    """FIELD 1.B.14: something is done each time a child has been restarted, and knows for which process."""
    one = daemon("[child:vpn]\ncommand = sleep 1000\nstable_after = 0\n").ready()
    script = 'sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"'
    pids = [one.wait_node("vpn", pid=bool)["pid"]]
    hook = follow(one.socket, "--since", "0", "--type", "child.started", "--exec", script, "vpn")
    for turn in range(3):
        assert hook.wait_lines(turn + 1) == [str(pid) for pid in pids]
        os.kill(pids[-1], signal.SIGKILL)
        pids.append(one.wait_node("vpn", pid=lambda pid: pid and pid != pids[-1])["pid"])
    assert hook.wait_lines(4) == [str(pid) for pid in pids]
    assert hook.end() == 0


def test_following_survives_the_death_of_the_engine(daemon, follow):
    """Every event once, in order, over three engines."""
    one = daemon("[child:a]\ncommand = sleep 1000\nstable_after = 0\n[child:b]\ncommand = sleep 1000\n").ready()
    one.wait_node("b", state="running")
    every = follow(one.socket, "--since", "0", "--json")
    for _ in range(3):
        one.call("restart", path="b", wait=True)
        one.kill_engine()
    last = one.call("events")["next"]
    until(lambda: f"event {last}: {every.lines[-3:]}, {every.errors}", lambda: every.lines and json.loads(every.lines[-1])["number"] >= last)
    numbers = [json.loads(text)["number"] for text in every.lines]
    assert numbers == list(range(1, numbers[-1] + 1))
    assert [json.loads(text)["generation"] for text in every.lines if '"engine.recovered"' in text] == [2, 3, 4]
    assert every.end() == 0 and every.errors == []


def test_words_of_the_log(daemon):
    """What the log says of a child, events says too."""
    one = daemon("[child:a]\ncommand = sh -c 'exit 3'\nbackoff_delay = 1h\n[child:b]\ncommand = /nonexistent/program\nbackoff_delay = 1h\n")
    one.ready()
    one.wait_node("a", state="restarting")
    one.wait_node("b", state="restarting")
    said = [text.split(": ", 1)[1] for text in one.log().splitlines() if " a: " in text or " b: " in text]
    done = run(one.socket, "events")
    shown = {text.split(None, 2)[2] for text in done.stdout.splitlines()}
    assert len(said) >= 5 and [text for text in said if text not in shown] == []
