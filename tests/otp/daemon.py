"""Plays scenarios with the real daemon and real processes, and prints their traces (tests/otp/play --daemon calls it).

Every worker is a process (tests/helpers/actor) that asks the director, which is this program, whether it comes up, tells it
when it gets TERM, and ends when the director says so. What the daemon does is learnt from its events.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 30.0
LEEWAY_MS = 20000
MOST_INTENSITY = 65535
STABLE = {"running", "stopped", "finished", "failed"}
CRASHED = 1
TOLD = {"crash": (CRASHED, "crash"), "normal": (0, "normal"), "shutdown": (0, "shutdown")}


class Refused(Exception):
    """It is no scenario, and that has been said."""


class Broken(Exception):
    """The scenario cannot be played."""


# --- scenarios

CALLS = ("terminate_child", "restart_child", "delete_child")


def refused(spec, supervisor):
    """Whether Erlang refuses a child's spec."""
    return bool(spec.get("significant")) and (
        spec.get("restart", "permanent") == "permanent" or supervisor.get("auto_shutdown", "never") == "never")


def refused_children(spec):
    return any(refused(child, spec) for child in spec.get("children", []))


class Place:
    """A node of the daemon, and who it is in the scenario."""

    def __init__(self, spec, parent, number, added):
        self.spec, self.parent, self.added = spec, parent, added
        self.id = spec["id"]
        self.name = "n%d" % number
        self.path = self.name if parent is None or parent.parent is None else parent.path + "/" + self.name
        self.children = []
        # one that Erlang would refuse to start is played as a worker that never comes up
        self.supervisor = spec.get("type") == "supervisor" and not refused_children(spec)
        self.here = not added  # in its supervisor's list
        self.n = 0
        self.cause = "stopped"
        self.state, self.failed = "stopped", False
        if parent is None:
            self.path = "/"

    def overruns(self):
        """Whether it takes longer to stop than it may."""
        stop = self.spec.get("stop", "graceful")
        slow = stop.get("slow_ms", 0) if isinstance(stop, dict) else 0
        return stop == "ignore_term" or slow > self.spec.get("shutdown", 5000)

    def section(self, actor, stage):
        spec = self.spec
        lines = ["[%s:%s]" % ("supervisor" if self.supervisor else "child", self.path)]
        if self.parent is not None:
            lines += ["backoff = none", "restart = " + spec.get("restart", "permanent"), "significant = " + ("yes" if spec.get("significant") else "no")]
            if self.added:
                lines.append("autostart = no")
        if self.supervisor:
            lines += ["strategy = " + spec.get("strategy", "one_for_one"), "intensity = %d" % min(spec.get("intensity", 1), MOST_INTENSITY),
                      "period = %ds" % spec.get("period_s", 5), "auto_shutdown = " + spec.get("auto_shutdown", "never"),
                      "on_limit = escalate", "on_start_failure = abort"]
        else:
            shutdown = spec.get("shutdown", 5000)
            stop = {"brutal_kill": "KILL", 0: "KILL", "infinity": "TERM infinity"}.get(shutdown)
            if stop is None:
                # whether it ends in its time must not hang on how fast this machine is
                stop = "TERM %dms KILL" % (shutdown if self.overruns() else shutdown + LEEWAY_MS)
            lines += ["command = %s %s %s" % (actor, stage, self.name), "ready = fd:3", "start_timeout = 60s", "stop = " + stop]
        return "\n".join(lines) + "\n"


# --- the daemon

class Link:
    """Lines of a socket."""

    def __init__(self, made):
        self.socket, self.rest = made, b""
        self.closed = False

    def lines(self):
        """What has come."""
        try:
            more = self.socket.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return []
        except ConnectionError:
            more = b""
        self.closed = not more
        *whole, self.rest = (self.rest + more).split(b"\n")
        return whole

    def fileno(self):
        return self.socket.fileno()


def connect(path, popen):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(path)
            return Link(made)
        except (FileNotFoundError, ConnectionRefusedError):
            made.close()
            if popen.poll() is not None:
                return None
            time.sleep(0.003)
    raise Broken("the daemon's socket does not come")


class Actor(Link):
    """A worker's process."""

    def __init__(self, made):
        super().__init__(made)
        self.place, self.pid = None, 0
        self.up = False  # heard of by the daemon's event
        self.came_up = False  # it may be told to stop before that event is here
        self.n = self.refused = 0
        self.fate = "killed"
        self.ends_at = None

    def tell(self, order):
        try:
            self.socket.sendall(order)
        except OSError:
            pass

    def end(self, fate):
        """It ends; returns when it is dead."""
        self.fate = fate
        self.tell(bytes([ord("x"), TOLD[fate][0]]))

    def wait_dead(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if is_dead(self.pid):
                return
            time.sleep(0.0005)
        raise Broken("%s does not end" % self.place.id)


def is_dead(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def is_reaped(pid):
    return not os.path.exists("/proc/%d" % pid)


class Stage:
    """A daemon, its workers, and what has happened."""

    def __init__(self, scenario, build):
        self.scenario, self.build = scenario, build
        self.places = []
        self.tree = self.add(scenario["tree"], None, False)
        self.steps = []
        for step in scenario.get("steps", []):
            call = step if step["op"] == "start_child" else step.get("call", {})
            supers = [place for place in self.places if place.id == call.get("sup") and place.supervisor]
            added = []
            if call.get("op") == "start_child":
                added = [self.add(call["spec"], one, True) for one in supers if not refused(call["spec"], one.spec)]
            self.steps.append((step, added))
        self.of_path = {place.path: place for place in self.places}
        self.of_name = {place.name: place for place in self.places}
        self.attempts, self.starts = collections.Counter(), collections.Counter()
        self.actors = []  # alive, or not known by the daemon to be dead
        self.starting = []  # places whose processes have not been answered, in the order in which the daemon made them
        self.answering = None
        self.events, self.last = [], 0
        self.calling = None  # the place that is started for a call
        self.over = False
        self.boot_failed = False
        self.stream = self.control = None
        self.engine = 0
        self.requests, self.answered = 0, {}

    def add(self, spec, parent, added):
        place = Place(spec, parent, len(self.places), added)
        self.places.append(place)
        if parent is not None:
            parent.children.append(place)
        if place.supervisor:
            for child in spec.get("children", []):
                self.add(child, place, False)
        return place

    # --- its life

    def begin(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="otp-"))
        self.path = str(self.dir / "s")
        stage = str(self.dir / "a")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(stage)
        listener.listen(1000)
        listener.setblocking(False)
        self.listener = listener
        config = "[coppice]\ncontrol_socket = %s\nruntime_dir = %s\nshutdown_timeout = infinity\nevent_history = 100000\n" % (self.path, self.dir)
        actor = self.build / "tests/helpers/actor"
        config += "".join(place.section(actor, stage) for place in self.places)
        (self.dir / "c").write_text(config)
        with open(self.dir / "log", "wb") as log:
            self.popen = subprocess.Popen([self.build / "bin/coppiced", "-c", self.dir / "c"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stream = connect(self.path, self.popen)
        self.control = connect(self.path, self.popen) if self.stream else None
        if self.control is None:
            raise Broken("the daemon has ended:\n" + (self.dir / "log").read_text())
        self.send(self.stream, "subscribe", since=0)
        self.engine = self.call("ping")["engine_pid"]
        self.stream.socket.setblocking(False)

    def finish(self):
        # killed, engine first, while the reaper cannot make another; the actors end with their sockets
        if self.popen.poll() is None:
            os.kill(self.popen.pid, signal.SIGSTOP)
            try:
                if self.engine:
                    os.kill(self.engine, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.popen.kill()
            self.popen.wait()
        for link in [self.listener, self.stream, self.control] + self.actors:
            if link is not None:
                getattr(link, "socket", link).close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def send(self, link, method, **params):
        self.requests += 1
        request = {"jsonrpc": "2.0", "id": self.requests, "method": method, "params": params}
        try:
            link.socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            link.closed = True
        return self.requests

    def reply(self, request):
        """The answer; meanwhile all goes on. None when the daemon has ended."""
        deadline = time.monotonic() + PATIENCE
        while not self.control.closed:
            self.pump(0.05)
            if request in self.answered:
                return self.answered.pop(request)
            if time.monotonic() > deadline:
                raise Broken("the daemon does not answer")
        return None

    def call(self, method, **params):
        answer = self.reply(self.send(self.control, method, **params))
        return answer and answer.get("result", answer)

    # --- what happens

    def pump(self, timeout):
        links = [link for link in (self.stream, self.control) if not link.closed]
        now = time.monotonic()
        due = [actor.ends_at for actor in self.actors if actor.ends_at is not None]
        if due:
            timeout = max(0, min(timeout, min(due) - now))
        readable = select.select([self.listener] + links + [actor for actor in self.actors if not actor.closed], [], [], timeout)[0]
        # the daemon's own word first: who has gone is no more
        for link in (self.stream, self.control):
            if link in readable:
                for line in link.lines():
                    self.heard(json.loads(line))
        if self.listener in readable:
            made = self.listener.accept()[0]
            self.actors.append(Actor(made))
        for actor in list(self.actors):
            if actor in readable:
                for line in actor.lines():
                    self.said(actor, line)
        for actor in self.actors:
            if actor.ends_at is not None and actor.ends_at <= time.monotonic():
                actor.ends_at = None
                actor.end("shutdown")
        if self.stream.closed and not self.over:
            self.popen.wait(PATIENCE)
            self.over = True
        if self.answering is None and self.starting:
            actor = self.current(self.starting[0])
            if actor:
                self.starting.pop(0)
                self.answer(actor)

    def heard(self, line):
        if "id" in line:
            self.answered[line["id"]] = line
            return
        event = line["params"]["event"] if "event" in line["params"] else line["params"]
        if event.get("lost"):
            raise Broken("events were lost")
        self.last = event["number"]
        place = self.of_path.get(event.get("path"))
        if place is None:
            return
        if place.supervisor:
            if event["type"] == "node.state":
                self.supervisor(place, event)
        elif event["type"] == "child.started":
            self.starting.append(place)
        elif event["type"] == "child.ready":
            self.ready(place)
        elif event["type"] == "child.exited":
            self.exited(place, event)

    def supervisor(self, place, event):
        place.state = event["state"]
        if event["state"] == "starting":
            self.starts[place.id] += 1
            place.n = self.starts[place.id]
            place.cause, place.failed = "stopped", False
            for child in place.children:
                child.here = not child.added
            self.events.append(["supervisor_start", place.id, place.n])
        elif event["state"] == "stopping":
            reason = event.get("reason", "")
            if reason == "intensity" and place.spec.get("intensity", 1) > MOST_INTENSITY:
                raise Broken("more than %d restarts in a period: coppice counts no more" % MOST_INTENSITY)
            place.cause = {"intensity": "intensity", "auto_shutdown": "auto_shutdown", "start_aborted": "start_failed"}.get(reason, "stopped")
            place.cause = "start_failed" if place.failed else place.cause
        elif event["from"] == "stopping":
            reason = "start_failed" if place.cause == "start_failed" else "shutdown"
            self.events.append(["supervisor_exit", place.id, place.n, reason, place.cause])
            if place is self.tree:
                self.boot_failed = place.cause == "start_failed"
                self.over = True

    def current(self, place):
        return next((actor for actor in self.actors if actor.place is place), None)

    def ready(self, place):
        actor = next(actor for actor in self.actors if actor.place is place and not actor.up)
        actor.up = True
        self.starts[place.id] += 1
        place.n = actor.n = self.starts[place.id]
        self.events.append(["start", place.id, actor.n])
        if self.answering is actor:
            self.answering = None

    def exited(self, place, event):
        actor = self.current(place)
        if place in self.starting:
            self.starting.remove(place)
        if actor is None:
            return
        if actor.up:
            self.events.append(["stop", place.id, actor.n, actor.fate])
        elif actor.refused:
            self.events.append(["start_failed", place.id, actor.refused])
        if self.answering is actor:
            self.answering = None
        actor.socket.close()
        self.actors.remove(actor)

    def said(self, actor, line):
        if line == b"T":
            self.told(actor)
            return
        name, pid = line.decode().split()
        actor.place, actor.pid = self.of_name[name], int(pid)

    def running(self, id):
        return next((actor for actor in self.actors if actor.place and actor.place.id == id and actor.up and not is_dead(actor.pid)), None)

    def crash(self, ids):
        """Those of them that run; the list of them, dead."""
        dead = []
        for id in ids:
            actor = self.running(id)
            if actor:
                actor.end("crash")
                actor.wait_dead()
                dead.append(actor)
        return dead

    def told(self, actor):
        """It was told to stop."""
        stop = actor.place.spec.get("stop", "graceful")
        if not actor.came_up:
            actor.end("shutdown")
        elif stop == "crash":
            actor.end("crash")
        elif isinstance(stop, dict) and "slow_ms" in stop:
            actor.ends_at = time.monotonic() + stop["slow_ms"] / 1000
        elif stop != "ignore_term":
            if isinstance(stop, dict):
                self.crash(stop.get("crash", []))
            actor.end("shutdown")

    def answer(self, actor):
        """Whether it comes up."""
        self.answering = actor
        place = actor.place
        if place.spec.get("type") == "supervisor":
            actor.end("crash")
            return
        self.attempts[place.id] += 1
        attempt = self.attempts[place.id]
        start = place.spec.get("start", "ok")
        start = start if isinstance(start, dict) else {}
        for dead in self.crash(start.get("crash", {}).get(str(attempt), [])):
            self.wait("the end of %s to be heard of" % dead.place.id, lambda dead=dead: dead not in self.actors or self.over)
        if attempt in start.get("fail", []) or attempt >= start.get("fail_from", attempt + 1):
            actor.refused = attempt
            if self.is_called(place):
                self.send(self.stream, "stop", path=self.calling.path)  # no retry: it is told to stop, and ends
            else:
                actor.end("crash")
        else:
            actor.came_up = True
            actor.tell(b"r")

    def is_called(self, place):
        """Whether its failed start fails what is being started for a call: then that supervisor has failed, and all between."""
        line = [place]
        while line[-1] is not self.calling:
            above = line[-1].parent
            if above is None or self.calling is None or above.state != "starting":
                return False
            line.append(above)
        for each in line:
            each.failed = True
        return True

    def wait(self, what, look, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while not look():
            self.pump(0.02)
            if time.monotonic() > deadline:
                raise Broken("waited in vain for " + what)

    # --- quiet

    def is_quiet(self):
        if self.over:
            return self.stream.closed
        if self.starting or self.answering or any(actor.ends_at is not None for actor in self.actors):
            return False
        before = self.last
        answer = self.call("status")
        newest = self.call("events", limit=1)
        if self.over or answer is None or newest is None:
            return False
        if newest["events"] and newest["events"][-1]["number"] != before or self.last != before:
            return False
        self.nodes = {node["path"]: node for node in answer["nodes"]}
        if any(node["state"] not in STABLE for node in self.nodes.values()):
            return False
        return all(actor.place and actor.up and not is_dead(actor.pid) for actor in self.actors)

    def quiet(self):
        self.wait("quiet: " + self.scenario.get("name", ""), lambda: self.pump(0.001) or self.is_quiet())

    # --- steps

    def up(self, place):
        return not self.over and self.nodes.get(place.path, {}).get("state") in ("running", "starting")

    def present(self, place):
        return place.here and (place.spec.get("restart") != "temporary" or place.parent is None or self.up(place))

    def state(self, place):
        up = self.up(place)
        out = {"id": place.id, "state": "running" if up else "stopped"}
        if place.spec.get("type") == "supervisor":
            out["children"] = [self.state(child) for child in place.children if self.present(child)] if up else []
        return out

    def look(self):
        answer = self.call("status") if not self.over else None
        self.nodes = {node["path"]: node for node in answer["nodes"]} if answer else {}

    def prepare(self, call, added):
        """What to ask of the daemon: (result) or (None, method, place)."""
        supers = [place for place in self.places if place.supervisor and place.id == call["sup"] and self.is_here(place)]
        if not supers:
            return "no_supervisor", None, None
        sup = supers[0]
        id = call["spec"]["id"] if call["op"] == "start_child" else call["id"]
        place = next((child for child in sup.children if child.id == id and self.present(child)), None)
        up = place is not None and (self.up(place))
        if call["op"] == "start_child":
            if refused(call["spec"], sup.spec):
                return "bad_spec", None, None
            if place:
                return "already_started" if up else "already_present", None, None
            return None, "start", next(one for one in added if one.parent is sup)
        if not place:
            return "not_found", None, None
        if call["op"] == "terminate_child":
            return None, "stop", place
        if up:
            return "running", None, None
        return None, "start" if call["op"] == "restart_child" else "delete", place

    def is_here(self, place):
        while place is not None:
            if not (place.here and self.up(place)):
                return False
            place = place.parent
        return True

    def operate(self, call, added, wait=True):
        """Sends the request; returns what makes a result of the answer."""
        result, method, place = self.prepare(call, added)
        if result:
            return lambda: result
        sup, n = place.parent, place.parent.n
        if method == "start":
            place.here = True
            self.calling = place
        elif method == "delete":
            place.here = False
        request = self.send(self.control, "start" if method == "start" else "stop", path=place.path, wait=wait)
        answer = None if wait else self.reply(request)

        def finish(answer=answer):
            if wait:
                answer = self.reply(request)
            self.calling = None
            if answer is None or (sup.n != n and method == "start") or (method != "start" and "error" in answer):
                return "no_supervisor"
            if method == "start":
                self.quiet()
                if not self.up(place):
                    place.here = call["op"] != "start_child"
                    return "start_failed"
            return "ok"
        return finish

    def exits(self, step, added):
        """Ends, with the daemon held: by its engine, to which the reaper goes on telling who has died and in which order. For a
        call that comes first the reaper is held, so that the engine hears of the call but of no death."""
        call, first = step.get("call"), step.get("call_first", False)
        self.look()
        held = self.popen.pid if first else self.engine
        result = {}
        sups = {place: place.n for place in self.places if call and place.id == call["sup"] and self.is_here(place)}
        ready = None
        if not self.over:
            os.kill(held, signal.SIGSTOP)
        try:
            for id, how in step["who"]:
                actor = None if self.over else self.running(id)
                result[id] = "ok" if actor else "not_running"
                if actor:
                    actor.end(how)
                    actor.wait_dead()
                    if not first:
                        self.wait_reaped(actor.pid)
            if call and first:
                ready = self.operate(call, added, False)
        finally:
            if not self.over:
                os.kill(held, signal.SIGCONT)
        if call and not first:
            self.quiet()
            ended = self.over or any(place.n != n for place, n in sups.items()) or not all(self.is_here(place) for place in sups)
            ready = (lambda: "no_supervisor") if ended else self.operate(call, added)
        if call:
            result["call"] = ready()
        self.quiet()
        return result

    def wait_reaped(self, pid):
        """The reaper tells the engine in the order in which it reaps; but it may not be able to now."""
        deadline = time.monotonic() + 1
        while not is_reaped(pid) and time.monotonic() < deadline:
            time.sleep(0.0005)

    def step(self, step, added):
        op = step["op"]
        if op == "exit":
            return self.exits(step, added)
        if op == "wait":
            end = time.monotonic() + step["ms"] / 1000
            while time.monotonic() < end and not self.over:
                self.pump(end - time.monotonic())
        elif op == "shutdown":
            if not self.over:
                self.send(self.control, "shutdown")
                self.wait("the daemon's end", lambda: self.over and self.stream.closed)
        else:
            self.look()
            if self.over:
                return "no_supervisor"
            result = self.operate(step, added)()
            self.quiet()
            return result
        self.quiet()
        return "ok"

    def line(self, number, op, result):
        line = {"step": number, "op": op, "result": result, "events": self.events, "state": self.state(self.tree),
                "starts": {id: n for id, n in self.starts.items() if n}}
        self.events = []
        return json.dumps(line, separators=(",", ":"))

    def play(self):
        if refused_children(self.scenario["tree"]):
            yield json.dumps({"step": 0, "op": "boot", "result": "bad_spec", "events": [], "state": {"id": self.tree.id, "state": "stopped", "children": []}, "starts": {}})
            self.over = True
            return
        self.begin()
        try:
            self.nodes = {}
            self.quiet()
            yield self.line(0, "boot", "start_failed" if self.boot_failed else "ok")
            for number, (step, added) in enumerate(self.steps, 1):
                yield self.line(number, step["op"], self.step(step, added))
        finally:
            self.finish()


def play_file(path, directory, build):
    # what a scenario is stands once, in play
    checked = subprocess.run([build / "tests/otp/play", "-n", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if checked.returncode:
        raise Refused
    with open(path, encoding="utf-8") as file:
        scenario = json.load(file)
    with contextlib.ExitStack() as files:
        out = sys.stdout
        if directory is not None:
            out = files.enter_context(open(directory / (pathlib.Path(path).name.removesuffix(".json") + ".trace"), "w", encoding="utf-8"))
        for line in Stage(scenario, build).play():
            print(line, file=out)


def main():
    parser = argparse.ArgumentParser(prog="play --daemon")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("-o", dest="out", type=pathlib.Path)
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    failed = 0
    for path in options.files:
        try:
            play_file(path, options.out, options.build)
        except Refused:
            failed = 1
        except (Broken, OSError, ValueError, KeyError) as error:
            print("play: %s: %s: %s" % (path, type(error).__name__, error), file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
