"""The supervisors under measurement, each behind the same few verbs: start, stop, and what it costs."""
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import time

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
BEAT = f"{BUILD}/tests/bench/beat"
SUBSCRIBERS = f"{BUILD}/tests/bench/subscribers"
RECORD = struct.Struct("qq")


class Fifo:
    """Where the measured children report their birth: (PID, monotonic ns)."""

    def __init__(self, path):
        self.path = path
        if not os.path.exists(path):
            os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)

    def beats(self, count, seconds=120):
        """Waits for that many births; returns them."""
        births, deadline = [], time.monotonic() + seconds
        while len(births) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f"only {len(births)} of {count} children came up in {seconds} s")
            data = os.read(self.fd, RECORD.size * min(4096, count - len(births)))
            births += RECORD.iter_unpack(data)
        return births

    def beat(self):
        return self.beats(1)[0]

    def drain(self, seconds):
        """Counts births for that long."""
        count, deadline = 0, time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                count += len(os.read(self.fd, RECORD.size * 4096)) // RECORD.size
        return count

    def close(self):
        os.close(self.fd)


def proc_field(pid, file, key):
    with open(f"/proc/{pid}/{file}", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(key):
                return int(line.split()[1])
    raise KeyError(key)


class Subject:
    """A supervisor with `idle` sleeping children and one victim (or, with mode exit, `idle` children that end at once)."""

    name = ""

    def __init__(self, scratch, idle, mode=""):
        self.scratch = os.path.join(scratch, f"{self.name}-{idle}-{mode or 'idle'}-{time.monotonic_ns()}")
        os.mkdir(self.scratch)
        self.idle, self.mode = idle, mode
        self.fifo = Fifo(f"{self.scratch}/births")
        self.process = None
        self.victim = 0
        self.pids = []

    def start(self, wait=True):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with open(f"{self.scratch}/log", "wb") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if wait:
            births = self.fifo.beats(self.idle)
            self.pids = [pid for pid, _ in births]
            self.victim = self.pids[-1]

    def command(self):
        raise NotImplementedError

    def processes(self):
        return {self.name: self.process.pid}

    def cpu_seconds(self):
        """CPU of the supervisor's own processes, to the nanosecond (schedstat), threads included."""
        total = 0
        for pid in self.processes().values():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                    total += int(stat.read().split()[0])
        return total / 1e9

    def stop(self):
        if self.process is not None:
            self.end()
            self.process.wait(timeout=120)
        self.fifo.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def end(self):
        """Ends the supervisor and all it has started."""
        self.process.kill()
        for pid in descendants_by_argument(self.fifo.path):
            kill_quietly(pid)


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def descendants_by_argument(argument):
    """PIDs of our own children: those that have this run's FIFO on their command line."""
    needle = argument.encode()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as line:
                    if needle in line.read():
                        yield int(entry)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue


class Floor(Subject):
    name = "floor"

    def command(self):
        return [f"{BUILD}/tests/bench/floor", str(self.idle), BEAT, self.fifo.path] + ([self.mode] if self.mode else [])


class FloorOfSessions(Floor):
    """The floor with a session for each child, as every supervisor here has it."""

    name = "floor -s"

    def command(self):
        command = super().command()
        return [command[0], "-s", *command[1:]]


class Coppice(Subject):
    """Without cgroups, as the floor and the others; with `restless` children more that end 0.1 s after each start."""

    name = "coppice"
    root = "none"

    def __init__(self, scratch, idle, mode="", restless=0):
        super().__init__(scratch, idle, mode)
        self.restless = restless

    def command(self):
        config = f"{self.scratch}/coppice.conf"
        with open(config, "w", encoding="ascii") as out:
            out.write(
                f"[coppice]\ncontrol_socket = {self.scratch}/s\n" + (f"cgroup_root = {self.root}\n" if self.root else "") +
                "[supervisor:/]\nintensity = 65535\nperiod = 1ms\nstart_order = parallel\n"
                f"[child:beat]\ncommand = {BEAT} {self.fifo.path} {self.mode}\ninstances = {self.idle}\n"
                "backoff = none\nlog = null\nstop = KILL\n")
            if self.restless:
                out.write(
                    f"[child:restless]\ncommand = {BEAT} /dev/null nap\ninstances = {self.restless}\n"
                    "backoff = none\nlog = null\nstop = KILL\n")
        return [f"{BUILD}/bin/coppiced", "-c", config]

    def call(self, method, **params):
        """One request on a connection of its own."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{self.scratch}/s")
            control.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            return json.loads(control.makefile("rb").readline())["result"]

    def newest_event(self):
        return self.call("status", path="/")["at_event"]

    def children_of_reaper(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as line:
            return [int(pid) for pid in line.read().split()]

    def processes(self):
        engine = next(pid for pid in self.children_of_reaper() if is_engine(pid))
        return {"reaper": self.process.pid, "engine": engine}

    def private_kib(self):
        return {
            name: proc_field(pid, "smaps_rollup", "Private_Clean:") + proc_field(pid, "smaps_rollup", "Private_Dirty:")
            for name, pid in self.processes().items()
        }

    def voluntary_switches(self):
        return sum(
            proc_field(f"{pid}/task/{task}", "status", "voluntary_ctxt_switches:")
            for pid in self.processes().values() for task in os.listdir(f"/proc/{pid}/task"))

    def ctl_seconds(self, args):
        begin = time.monotonic()
        subprocess.run([f"{BUILD}/bin/coppicectl", "-s", f"{self.scratch}/s"] + args, stdout=subprocess.DEVNULL, check=False)
        return time.monotonic() - begin

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            super().end()


def is_engine(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe").endswith("coppice-engine")
    except OSError:
        return False


class CoppiceWithCgroups(Coppice):
    """As it comes: a cgroup for each child, where there are any."""

    name = "coppice-in-cgroups"
    root = ""


class Subscribers:
    """Connections that have subscribed to all events of a Coppice: those that read, and deaf ones."""

    def __init__(self, coppice, reading, deaf):
        self.process = subprocess.Popen([SUBSCRIBERS, f"{coppice.scratch}/s", str(reading), str(deaf)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise OSError("the subscribers could not subscribe")

    def finish(self, event):
        """Lets all get as far as that event; what they have got."""
        out, _ = self.process.communicate(f"{event}\n", timeout=60)
        return json.loads(out)


class Service(Subject):
    """One of those that want a directory with a `run` script for each service."""

    program = ""

    @classmethod
    def installed(cls):
        return shutil.which(cls.program) is not None

    def write_services(self, directory):
        for number in range(self.idle):
            service = f"{directory}/s{number:05}"
            os.makedirs(service)
            with open(f"{service}/run", "w", encoding="ascii") as run:
                run.write(f"#!/bin/sh\nexec {BEAT} {self.fifo.path}\n")
            os.chmod(f"{service}/run", 0o755)

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        for needle in (self.scratch, self.fifo.path):
            for pid in descendants_by_argument(needle):
                kill_quietly(pid)
        for pid in members_of_directory(self.scratch):
            kill_quietly(pid)


def members_of_directory(directory):
    """PIDs of supervisors (runsv, s6-supervise) that work in a directory below this one."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.readlink(f"/proc/{entry}/cwd").startswith(directory):
                    yield int(entry)
            except OSError:
                continue


class Runit(Service):
    name = "runit"
    program = "runsvdir"

    def command(self):
        self.write_services(f"{self.scratch}/services")
        return ["runsvdir", f"{self.scratch}/services"]


class S6(Service):
    name = "s6"
    program = "s6-svscan"

    def command(self):
        self.write_services(f"{self.scratch}/services")
        return ["s6-svscan", "-c", "1000", f"{self.scratch}/services"]


class Supervisord(Service):
    name = "supervisord"
    program = "supervisord"

    def command(self):
        config = f"{self.scratch}/supervisord.conf"
        with open(config, "w", encoding="ascii") as out:
            out.write(
                f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={self.scratch}/pid\n"
                f"minfds=1024\n[program:beat]\ncommand={BEAT} {self.fifo.path}\nnumprocs={self.idle}\n"
                "process_name=%(process_num)05d\nstdout_logfile=NONE\nstderr_logfile=NONE\nstartsecs=0\nautorestart=true\n")
        return ["supervisord", "-c", config]


PEERS = (Runit, S6, Supervisord)
