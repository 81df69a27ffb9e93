"""`listen`: sockets that outlive children and engines, and children that are started by what comes to them."""

import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading

import pytest

from conftest import ROOT, descriptors, until

SERVER = f"/usr/bin/python3 -S -E {ROOT}/tests/helpers/server.py"
QUICK = "backoff = none\n"


def free_port(kind=socket.SOCK_STREAM, family=socket.AF_INET):
    with socket.socket(family, kind) as one:
        one.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return one.getsockname()[1]


def child(name, listen, *keys, arguments=""):
    return f"[child:{name}]\ncommand = {SERVER} {arguments}\nlisten = {listen}\n" + "".join(f"{key}\n" for key in keys)


def connect(address):
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), timeout=20)
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(20)
    one.connect(str(address))
    return one


def ask(address, what=b"hello\n"):
    """What the server says of itself; None when it died instead."""
    with connect(address) as one:
        try:
            one.sendall(what)
            line = one.makefile().readline()
        except (ConnectionResetError, BrokenPipeError):
            return None
        return json.loads(line) if line else None


def sockets_of(pid):
    return sorted(target for target in descriptors(pid).values() if target.startswith("socket:"))


# --- what a child is given


@pytest.mark.parametrize("threaded", [False, True])
def test_descriptors(daemon, threaded):
    """It gets its own sockets as descriptors 3 and on, by name, told by its own number, and nothing else; its descriptor of
    `ready` keeps clear of them (FIELD 2.C.11)."""
    one = daemon("", start=False)
    port, other = free_port(), free_port()
    ready = one.dir / "ready"
    keys = ["ready = fd:6", "directory = /tmp"] if threaded else ["ready = fd:6"]
    script = f"sh -c 'readlink /proc/self/fd/6 >{ready}; echo >&6; exec 6>&-; LISTEN_PID=$$ exec {SERVER}'"
    one.write_config(
        child("a:b", f"tcp:127.0.0.1:{port}, unix:{one.dir}/s, tcp:127.0.0.1:{other}", *keys).replace(SERVER, script)
        + child("c", f"unix:{one.dir}/c")
    )
    one.start().ready()
    one.wait_node("a:b", state="running")
    told = ask(port)
    assert told["count"] == 3 and told["names"] == "a_b:a_b:a_b"
    assert told["open"] == [0, 1, 2, 3, 4, 5], told
    assert told["blocking"] == [True, True, True]
    assert ask(one.dir / "s") == told and ask(other) == told
    assert ready.read_text().startswith("pipe:")
    told = ask(one.dir / "c")
    assert told["open"] == [0, 1, 2, 3] and told["names"] == "c" and told["pid"] == one.node("c")["pid"]


def test_pid(daemon):
    """LISTEN_PID is its own number in each of its starts, also with a file of variables, and whatever we were given ourselves."""
    one = daemon("", start=False, env={"LISTEN_PID": "7", "LISTEN_FDS": "9", "LISTEN_FDNAMES": "x"})
    (one.dir / "env").write_text("LISTEN_PID=1\nA=1\n")
    one.write_config(
        "[supervisor:/]\nintensity = 100\n"
        + child("a", f"unix:{one.dir}/a", QUICK, f"env_file = {one.dir}/env")
        + child("b", f"unix:{one.dir}/b", QUICK)
        + child("t", f"unix:{one.dir}/t%i", QUICK, "instances = 2")
        + f"[child:none]\ncommand = sh -c 'echo \"$LISTEN_PID$LISTEN_FDS$LISTEN_FDNAMES.\" >{one.dir}/none; exec sleep 1000'\n"
    )
    one.start().ready()
    for path, name in (("a", "a"), ("b", "b"), ("t1", "t@1"), ("t2", "t@2")):
        for _ in range(3):
            told = ask(one.dir / path)
            assert told["count"] == 1 and told["pid"] == one.wait_node(name, state="running")["pid"]
            assert ask(one.dir / path, b"die") is None
            one.wait_node(name, state="running", pid=lambda pid: pid and pid != told["pid"])
    assert until("the other's", lambda: (one.dir / "none").exists() and (one.dir / "none").read_text()) == ".\n"


def test_families(daemon):
    """IPv4, IPv6, both, UDP."""
    one = daemon("", start=False)
    port, both = free_port(), free_port()
    udp = free_port(socket.SOCK_DGRAM)
    six = pathlib.Path("/proc/net/if_inet6").exists() and "lo" in pathlib.Path("/proc/net/if_inet6").read_text()
    addresses = [f"tcp:127.0.0.1:{port}", f"tcp:{both}", f"udp:127.0.0.1:{udp}"] + ([f"tcp:[::1]:{port}"] if six else [])
    one.write_config(child("a", " ".join(addresses)))
    one.start().ready()
    assert ask(port)["count"] == len(addresses)
    assert ask(both)["count"] == len(addresses)
    if six:
        for where in (port, both):
            with socket.create_connection(("::1", where), timeout=20) as connection:
                connection.sendall(b"hello")
                assert json.loads(connection.makefile().readline())["count"] == len(addresses)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(20)
        asking.sendto(b"hello", ("127.0.0.1", udp))
        assert json.loads(asking.recv(1000))["count"] == len(addresses)


def test_privileges(daemon):
    """A port that only root may open, for a child that is not root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    port = next((port for port in range(700, 1000) if not is_taken(port)), None)
    one = daemon(child("a", f"tcp:127.0.0.1:{port}", "user = nobody")).ready()
    assert ask(port)["uid"] == 65534
    assert one.node("a")["state"] == "running"


def is_taken(port):
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


# --- UNIX sockets


def test_unix(daemon):
    """Mode and owner are as they are to be, directories are made, what is dead is replaced, and nothing is left behind."""
    one = daemon("", start=False)
    root = os.geteuid() == 0
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(one.dir / "dead"))
    owner = ":1:nogroup" if root else ""
    one.write_config(
        child("a", f"unix:{one.dir}/new/deep/s:0604{owner}, unix:{one.dir}/dead, unix:{one.dir}/all:0777"), ""
    )
    one.start().ready()
    assert ask(one.dir / "dead")["count"] == 3
    about = (one.dir / "new/deep/s").stat()
    assert stat.S_IMODE(about.st_mode) == 0o604
    if root:
        assert about.st_uid == 1 and about.st_gid != 0
    assert stat.S_IMODE((one.dir / "dead").stat().st_mode) == 0o660
    assert stat.S_IMODE((one.dir / "all").stat().st_mode) == 0o777
    assert one.stop() == 0
    assert not any((one.dir / name).exists() for name in ("new/deep/s", "dead", "all"))


def test_what_others_put_there_stays(daemon):
    """Who has taken the file away and listens there now keeps it."""
    one = daemon("", start=False)
    one.write_config(child("a", f"unix:{one.dir}/s") + child("b", f"unix:{one.dir}/t"))
    one.start().ready()
    assert ask(one.dir / "s")["count"] == 1
    (one.dir / "s").rename(one.dir / "old")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(one.dir / "s"))
        other.listen()
        assert one.stop() == 0
        assert (one.dir / "s").is_socket()
    assert not (one.dir / "t").exists()


def test_in_the_way(daemon):
    """What somebody else listens on is not taken: the start fails and says so, and goes on by itself once it is free."""
    one = daemon("", start=False)
    with socket.socket(socket.AF_UNIX) as other, socket.socket() as busy:
        other.bind(str(one.dir / "s"))
        other.listen()
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        (one.dir / "plain").write_text("mine")
        one.write_config(
            child("a", f"unix:{one.dir}/s", "backoff = fixed", "backoff_delay = 20ms")
            + child("b", f"tcp:127.0.0.1:{port}", "backoff = fixed", "backoff_delay = 20ms")
            + child("c", f"unix:{one.dir}/plain", "restart = temporary")
        )
        one.write_config("[supervisor:/]\nintensity = 10000\n" + one.config.read_text().split("\n\n", 1)[1])
        one.start().ready()
        one.wait_node("a", state="restarting", reason="start_failed")
        one.wait_node("c", state="failed")
        failed = one.call("events", types=["child.start_failed"], path="b")["events"][0]
        assert "opening its sockets" in failed["step"] and "EADDRINUSE" in str(failed)
        assert one.node("c")["start_error"] == {"step": "opening its sockets", "error": "EEXIST"}
        assert len(one.wait_log(rf"b: cannot listen on tcp:127.0.0.1:{port}: Address already in use")) == 1
        assert re.search(r"c: cannot listen on .*plain: File exists", one.log())
    (one.dir / "s").unlink()
    one.wait_node("a", state="running")
    one.wait_node("b", state="running")
    assert ask(one.dir / "s") and ask(port)
    assert (one.dir / "plain").read_text() == "mine"
    one.wait_log(rf"b: listens on tcp:127.0.0.1:{port} now")


# --- never closed


class Knocking:
    """Connects again and again from a thread; every connection must be let in."""

    def __init__(self, address):
        self.address, self.count, self.refused, self.over = address, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            try:
                ask(self.address)
                self.count += 1
            except OSError as error:
                self.refused.append(error)
                return

    def end(self):
        self.over.set()
        self.thread.join(60)
        assert not self.refused, self.refused
        return self.count


def test_restarts_under_load(daemon):
    """Fifty restarts, and the engine killed in the middle: nobody is refused, and the sockets are the same."""
    one = daemon("", start=False)
    port = free_port()
    one.write_config(
        "[supervisor:/]\nintensity = 1000\n" + child("a", f"tcp:127.0.0.1:{port}, unix:{one.dir}/s", QUICK, "stop = KILL")
    )
    one.start().ready()
    inodes = set(sockets_of(ask(port)["pid"])) & set(sockets_of(one.pid))
    assert len(inodes) == 2
    knocking = [Knocking(port), Knocking(one.dir / "s")]
    try:
        for i in range(50):
            pid = one.wait_node("a", state="running")["pid"]
            if i == 25:
                one.kill_engine()
            if i % 2:
                os.kill(pid, signal.SIGKILL)
            else:
                one.call("restart", path="a")
            one.wait_node("a", state="running", pid=lambda new: new and new != pid)
    finally:
        counts = [each.end() for each in knocking]
    assert min(counts) > 0
    assert inodes <= set(sockets_of(ask(port)["pid"]))
    assert inodes <= set(sockets_of(one.pid)) and inodes <= set(sockets_of(one.engine()))
    # also while it is stopped they queue
    one.call("stop", path="a", wait=True)
    with connect(port) as waiting:
        waiting.sendall(b"hello")
        one.call("start", path="a")
        assert json.loads(waiting.makefile().readline())["count"] == 2


def test_many(daemon):
    """More than the reaper keeps are refused when the files are read; as many as it keeps are kept."""
    one = daemon("", start=False)
    keys = ["instances = 500", "autostart = no"]
    one.write_config(child("a", f"unix:{one.dir}/a%i unix:{one.dir}/b%i", *keys))
    one.start().ready()
    one.ready()
    inodes = sockets_of(one.pid)
    assert len(inodes) >= 1000
    one.kill_engine()
    assert set(inodes) == set(sockets_of(one.pid))
    one.call("start", path="a@500")
    assert ask(one.dir / "b500")["count"] == 2
    assert one.stop() == 0
    assert not list(one.dir.glob("a*")) and not list(one.dir.glob("b*"))
    one.write_config(child("a", f"unix:{one.dir}/a%i unix:{one.dir}/b%i", "instances = 501"))
    assert one.start().wait() == 78
    assert "more than the 1000 sockets of a daemon" in one.log()


# --- on demand


def waits(one, name="a"):
    return one.wait_node(name, state="waiting", reason="demand")


def test_on_demand(daemon):
    """The first connection starts it, its normal end makes it wait for the next; its supervisor is up without it, and so are
    those behind it."""
    one = daemon("", start=False)
    one.write_config(
        "[supervisor:s]\nstrategy = one_for_all\n"
        + child("s/a", f"unix:{one.dir}/s", "on_demand = yes", arguments="2")
        + "[child:b]\ncommand = sleep 1000\nafter = s\n"
    )
    one.start().ready()
    assert waits(one, "s/a")["waits_for"] == f"unix:{one.dir}/s"
    one.wait_node("s", state="running")
    one.wait_node("b", state="running")
    why = " ".join(one.call("why", path="s/a")["text"])
    assert f"waiting for a connection" in why and f"what comes to unix:{one.dir}/s starts it (on_demand)" in why
    for incarnation in (1, 2, 3):
        first, second = ask(one.dir / "s"), ask(one.dir / "s")
        assert first["pid"] == second["pid"]
        assert waits(one, "s/a")["incarnation"] == incarnation
        if incarnation == 2:
            one.kill_engine()
    assert one.node("s/a")["restarts"] == 0


def test_while_no_engine_lives(daemon):
    """What comes while no engine looks is found by the next one."""
    one = daemon("", start=False)
    one.write_config(child("a", f"unix:{one.dir}/s", "on_demand = yes"))
    one.start().ready()
    waits(one)
    os.kill(one.engine(), signal.SIGKILL)
    assert ask(one.dir / "s")["pid"] == one.wait_node("a", state="running")["pid"]


def test_demand_by_datagram(daemon):
    one = daemon("", start=False)
    port = free_port(socket.SOCK_DGRAM)
    one.write_config(child("a", f"udp:127.0.0.1:{port}", "on_demand = yes", arguments="1"))
    one.start().ready()
    for incarnation in (1, 2):
        assert waits(one)["incarnation"] == incarnation - 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(20)
            asking.sendto(b"hello", ("127.0.0.1", port))
            assert json.loads(asking.recv(1000))["count"] == 1


def test_drain(daemon):
    """What is drained is not started by connections, which wait; an operator's start takes them up, and ends the drain."""
    one = daemon("", start=False)
    one.write_config(child("a", f"unix:{one.dir}/s", "on_demand = yes", arguments="1"))
    one.start().ready()
    waits(one)
    one.call("drain", path="a")
    with connect(one.dir / "s") as waiting:
        waiting.sendall(b"hello")
        one.kill_engine()
        assert one.node("a")["state"] == "waiting" and one.node("a")["drained"]
        one.call("start", path="a")
        assert json.loads(waiting.makefile().readline())["count"] == 1
    assert waits(one)["incarnation"] == 1
    ask(one.dir / "s")
    assert waits(one)["incarnation"] == 2


def test_failure_on_demand(daemon):
    """A failure is restarted without a connection, and given up as its policy says; stopped and failed ones are not started by
    what comes."""
    one = daemon("", start=False)
    one.write_config(
        "[supervisor:/]\nintensity = 3\non_limit = give_up\n"
        + child("a", f"unix:{one.dir}/s", "on_demand = yes", QUICK, arguments="1 3")
    )
    one.start().ready()
    waits(one)
    ask(one.dir / "s")
    for incarnation in (2, 3, 4):
        one.wait_node("a", state="running", incarnation=incarnation)
        ask(one.dir / "s")
    one.wait_node("a", state="failed", incarnation=4)
    with connect(one.dir / "s") as waiting:
        waiting.sendall(b"hello")
        assert cpu_of(one) < 50
        assert one.node("a")["state"] == "failed"
        one.call("start", path="a")
        assert json.loads(waiting.makefile().readline())["count"] == 1
    one.call("stop", path="a", wait=True)
    with connect(one.dir / "s"):
        assert cpu_of(one) < 50
        assert one.node("a")["state"] == "stopped"


def test_while_its_set_is_stopped(daemon):
    """Then it is not started, and it is not blamed for that; afterwards it is."""
    one = daemon("", start=False)
    one.write_config(
        "[supervisor:/]\nstrategy = one_for_all\nchild.backoff = none\n"
        + child("a", f"unix:{one.dir}/s", "on_demand = yes")
        + f"[child:b]\ncommand = /bin/sh -c 'trap \"\" TERM; echo >{one.dir}/trap; while :; do sleep 0.1; done'\n"
        "stop = TERM 1m KILL\n[child:c]\ncommand = sleep 1000\n"
    )
    one.start().ready()
    until("the trap", (one.dir / "trap").exists)
    os.kill(one.wait_node("c", state="running")["pid"], signal.SIGKILL)
    one.wait_node("b", state="stopping")
    with connect(one.dir / "s") as client:
        client.settimeout(0.3)
        client.sendall(b"hello\n")
        with pytest.raises(TimeoutError):
            client.recv(1)
        os.kill(one.node("b")["pid"], signal.SIGKILL)
        client.settimeout(20)
        assert client.recv(1) == b"{"
    assert "was started" not in one.log()


def cpu_of(one):
    """Ticks that the engine takes while a hundred requests are answered."""
    def ticks():
        fields = pathlib.Path(f"/proc/{engine}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    engine = one.engine()
    before = ticks()
    for _ in range(100):
        one.call("ping")
    return ticks() - before


def test_who_takes_nothing(daemon):
    """A child that ends without taking what has come is not started in circles without end."""
    one = daemon("", start=False)
    one.write_config(child("a", f"unix:{one.dir}/s", "on_demand = yes").replace(SERVER, "true"))
    one.start().ready()
    waits(one)
    with connect(one.dir / "s"):
        one.wait_log(r"a: was started 20 times within 2 s")
        assert waits(one)["incarnation"] <= 21
        one.wait_node("a", incarnation=lambda count: count > 20)
    starts = one.node("a")["incarnation"]
    assert starts <= 60


def test_hold(daemon):
    """During a hold nothing is started, by connections neither; its end takes them up."""
    one = daemon("", start=False, args=["--hold"])
    one.write_config(child("a", f"unix:{one.dir}/s", "on_demand = yes", arguments="1"))
    one.start().ready()
    one.ready()
    with connect(one.dir / "s") as waiting:
        waiting.sendall(b"hello")
        assert cpu_of(one) < 50
        assert one.node("a")["incarnation"] == 0
        one.call("start", path="/")
        assert json.loads(waiting.makefile().readline())["count"] == 1


def test_status_tells(daemon, build):
    one = daemon("", start=False)
    one.write_config(child("a", f"unix:{one.dir}/s:0666", "on_demand = yes"))
    one.start().ready()
    waits(one)
    shown = subprocess.run([build / "bin/coppicectl", "-s", one.socket, "status"], capture_output=True, text=True, timeout=20)
    assert "waits for a connection to unix:" in shown.stdout, shown.stdout


def test_demand_without_a_socket(daemon):
    """What cannot be opened is tried again by starts, also where a connection is to bring about the first one."""
    one = daemon("", start=False)
    (one.dir / "s").write_text("in the way")
    keys = ["on_demand = yes", "backoff = fixed", "backoff_delay = 20ms"]
    one.write_config("[supervisor:/]\nintensity = 10000\n" + child("a", f"unix:{one.dir}/s", *keys, arguments="1"))
    one.start()
    one.wait_node("a", state="restarting", reason="start_failed")
    (one.dir / "s").unlink()
    one.wait_node("a", state="running")
    ask(one.dir / "s")
    incarnation = waits(one)["incarnation"]
    ask(one.dir / "s")
    assert waits(one)["incarnation"] == incarnation + 1


def test_hooks_have_none(daemon):
    """A hook is no server: it gets neither the sockets nor the word of them."""
    one = daemon("", start=False)
    seen = one.dir / "seen"
    hook = f"pre_start = sh -c 'ls /proc/$$/fd >{seen}; env >>{seen}'"
    one.write_config(child("a", f"unix:{one.dir}/s", hook))
    one.start().ready()
    assert ask(one.dir / "s")["count"] == 1
    words = seen.read_text().split()
    assert "3" not in words and not [word for word in words if word.startswith("LISTEN_")], words


def test_reaper_lost(daemon):
    """The engine alone goes on with them, and removes their files in the end."""
    one = daemon("", start=False)
    one.write_config(child("a", f"unix:{one.dir}/s", QUICK) + child("b", f"unix:{one.dir}/d", "on_demand = yes", arguments="1"))
    one.start().ready()
    pid = ask(one.dir / "s")["pid"]
    engine = one.engine()
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    os.kill(pid, signal.SIGKILL)
    assert until("another server", lambda: (told := ask(one.dir / "s")) and told["pid"] != pid)
    for _ in range(2):
        assert ask(one.dir / "d")["count"] == 1
        waits(one, "b")
    os.kill(engine, signal.SIGTERM)
    until("its end", lambda: not (one.dir / "s").exists() and not (one.dir / "d").exists())
