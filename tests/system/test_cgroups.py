"""What holds a child's processes together and bounds them: cgroups where there are some, else what is known of whom is left.

On machines whose cgroups have no controllers the limits themselves are the business of tests/boot (case limits).
"""

import os
import pathlib
import shlex
import signal
import subprocess

import pytest

from conftest import COPPICECTL, HELPERS, process, until

CHILD = HELPERS / "child"
# Its own session, another in that, and one that has forgotten its parents: none is in the process group.
ESCAPE = (
    "setsid sh -c 'echo $$ > away; exec sleep 1000' & "
    "setsid setsid sh -c 'echo $$ > twice; exec env -i sleep 1000' & "
    "exec sleep 1000"
)


def own_cgroup():
    """The directory of the cgroup that we are in, if others can be made in it."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            root, point = before.split()[3:5]
            path = next(x[3:] for x in pathlib.Path("/proc/self/cgroup").read_text().splitlines() if x.startswith("0::"))
            if path.startswith(root.rstrip("/")):
                return pathlib.Path(point + path[len(root.rstrip("/")):])
    return None


@pytest.fixture
def cgroup():
    """A cgroup for the daemon of the test."""
    top = own_cgroup()
    if top is None:
        pytest.skip("no cgroups of version 2 here")
    path = top / f"coppice-test-{os.getpid()}"
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    yield path
    (path / "cgroup.kill").write_text("1")  # those that a test has left on purpose

    def gone():
        for below in sorted(path.rglob("*/"), key=lambda p: -len(p.parts)):
            try:
                below.rmdir()
            except OSError:
                pass
        try:
            path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
    until("the cgroup is empty", gone)


def pids(path):
    return [int(x) for x in (path / "cgroup.procs").read_text().split()]


def number(d, name):
    path = d.dir / name
    return int(until(name, lambda: path.exists() and path.read_text().strip()))


def alive(pid):
    found = process(pid)
    return found is not None and not found.zombie


def escaping(daemon, keys="", coppice=""):
    d = daemon(start=False)
    (d.dir / "escape").write_text(ESCAPE)
    d.write_config(f"[child:one]\ncommand = sh escape\nlog = null\n{keys}\n", coppice)
    d.start()
    away, twice = number(d, "away"), number(d, "twice")
    until("both are what they become", lambda: all(process(pid).argv == ["sleep", "1000"] for pid in (away, twice)))
    return d, away, twice


def test_mirror(daemon, cgroup):
    """The tree as directories; each child from its first instruction on in its own; nothing is left in the end."""
    d = daemon("[supervisor:shop]\n[child:shop/web]\ncommand = sleep 1000\ninstances = 2\n[child:one]\ncommand = sleep 1000\n",
               f"cgroup_root = {cgroup}")
    until("it runs", lambda: d.node("/")["state"] == "running")
    home, = cgroup.glob("coppice.*")
    assert pids(home / "tree/shop.n/web@2.n") == [d.node("shop/web@2")["pid"]]
    assert pids(home / "tree/one.n") == [d.node("one")["pid"]]
    ping = d.call("ping")
    assert sorted(pids(home / "self")) == sorted([ping["pid"], ping["engine_pid"]])
    d.call("stop", path="shop", wait=True)
    until("what is down has none", lambda: not (home / "tree/shop.n").exists())
    d.call("start", path="shop", wait=True)
    assert pids(home / "tree/shop.n/web@1.n") == [d.node("shop/web@1")["pid"]]
    os.kill(ping["engine_pid"], signal.SIGKILL)
    until("another engine", lambda: d.call("ping")["engine_pid"] != ping["engine_pid"])
    d.call("restart", path="one", wait=True)
    assert pids(home / "tree/one.n") == [d.node("one")["pid"]]
    assert d.stop() == 0
    assert not (home / "tree").exists()


def test_nothing_outlives(daemon, cgroup):
    """Who has gone to sessions of its own, and has no environment any more, goes with it, and is named (FIELD 2.C.8)."""
    d, away, twice = escaping(daemon, coppice=f"cgroup_root = {cgroup}")
    d.call("stop", path="one", wait=True)
    until("both are gone", lambda: not alive(away) and not alive(twice))
    until("the log names them", lambda: f"{twice} (sleep)" in d.log() and f"{away} (sleep)" in d.log())


def test_again_and_again(daemon, cgroup):
    """Linux 6.14 kills what is cloned into a cgroup in which others were killed: a restart has to do it otherwise."""
    d, away, twice = escaping(daemon, coppice=f"cgroup_root = {cgroup}")
    for _ in range(5):
        d.call("restart", path="one", wait=True)
        pid = d.node("one")["pid"]
        assert pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().endswith("/tree/one.n")
    assert d.node("one")["restarts"] == 0
    until("the first ones are gone", lambda: not alive(away) and not alive(twice))


def test_killed_engine_kills_too(daemon, cgroup):
    """What is to be killed stands in the checkpoint: the next engine does it if this one cannot."""
    d, away, twice = escaping(daemon, "restart = temporary", coppice=f"cgroup_root = {cgroup}")
    engine, pid = d.call("ping")["engine_pid"], d.node("one")["pid"]
    os.kill(engine, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.kill(engine, signal.SIGKILL)
    until("all are gone", lambda: not alive(away) and not alive(twice))


@pytest.mark.parametrize("full", [False, True])
def test_taken_away(daemon, cgroup, full):
    """Somebody removes what is empty, and the engine dies: the next one makes it again. Where it cannot, what has limits does
    not start without them."""
    keys = "command = sleep 1000\nautostart = no\n"
    d = daemon(f"[child:a]\n{keys}pids_max = 10\n[child:b]\n{keys}[child:c]\n{keys}", f"cgroup_root = {cgroup}").ready()
    d.call("start", path="c", wait=True)
    d.call("stop", path="c", wait=True)
    home = cgroup / f"coppice.{d.pid}"
    until("an empty tree", lambda: not (home / "tree/c.n").exists())
    (home / "tree").rmdir()
    if full:
        (home / "cgroup.max.descendants").write_text("1")
    d.kill_engine()
    d.call("start", path="b", wait=True)
    assert d.node("b")["state"] == "running" and (home / "tree/b.n").exists() != full
    d.call("start", path="a")
    d.wait_node("a", state=lambda state: state in ("running", "restarting"))
    assert (d.node("a")["state"] == "running") != full, d.log()
    if full:
        d.wait_log("no cgroups: those of the daemon cannot be opened any more.*; what has limits does not start")
        (home / "cgroup.max.descendants").write_text("max")
        d.kill_engine()
        d.wait_node("a", state="running")


@pytest.mark.parametrize("mode", ["group", "process"])
def test_less_is_killed(daemon, cgroup, mode):
    """kill_mode = group leaves who is in another one, process everybody."""
    d = daemon(start=False)
    (d.dir / "escape").write_text("sleep 1000 & echo $! > near; " + ESCAPE)
    d.write_config(f"[child:one]\ncommand = sh escape\nlog = null\nkill_mode = {mode}\n", f"cgroup_root = {cgroup}")
    d.start()
    near, away = number(d, "near"), number(d, "away")
    d.call("stop", path="one", wait=True)
    if mode == "group":
        until("its group is gone", lambda: not alive(near))
    assert alive(away) and alive(near) == (mode == "process")


def test_none(daemon):
    """Without cgroups: one line, `show --effective` tells of limits, all else works."""
    d = daemon("[child:one]\ncommand = sleep 1000\nmemory_max = 100M\npids_max = 7\n", "cgroup_root = none")
    until("the line", lambda: "not in force here: memory_max of one, pids_max of one (cgroup_root = none)" in d.log())
    until("it runs", lambda: d.node("one")["state"] == "running")
    shown = d.call("show", path="one", effective=True)["values"]["pids_max"]
    assert shown["value"] == "7" and shown["not_in_force"] == "no cgroups: cgroup_root = none"


def test_no_controllers(daemon, cgroup):
    if (cgroup / "cgroup.controllers").read_text().split():
        pytest.skip("there are controllers here; tests/boot has this machine's opposite")
    d = daemon("[child:one]\ncommand = sleep 1000\ncpu_max = 50%\n", f"cgroup_root = {cgroup}")
    until("the line", lambda: "not in force here: cpu_max of one (the cgroup that we are in has no controllers)" in d.log())
    until("it runs", lambda: d.node("one")["state"] == "running")
    shown = subprocess.run([COPPICECTL, "-s", d.socket, "show", "--effective", "one"], capture_output=True, text=True).stdout
    assert "cpu_max" in shown and "not in force here: no controller \"cpu\"" in shown


def test_wrong_root(daemon):
    """A cgroup_root that is none is said, and that is all."""
    d = daemon("[child:one]\ncommand = sleep 1000\n", "cgroup_root = /tmp")
    until("the line", lambda: "no cgroups: /tmp is no cgroup of version 2" in d.log())
    until("it runs", lambda: d.node("one")["state"] == "running")


def test_usage(daemon, cgroup):
    """All processes of a child count."""
    d, _, _ = escaping(daemon, coppice=f"cgroup_root = {cgroup}")
    until("three processes", lambda: d.node("one")["using"]["processes"] == 3)
    using = d.node("one")["using"]
    assert using["memory_bytes"] > 100000 and using["cpu_s"] < 10


def test_usage_without(daemon):
    d = daemon("[child:one]\ncommand = sleep 1000\n", "cgroup_root = none")
    until("it runs", lambda: d.node("one")["state"] == "running")
    assert d.node("one")["using"]["processes"] == 1


# --- without cgroups


def test_adopted(daemon):
    """Who has gone to a session of its own is known by its environment; who has none any more is named and left alone (FIELD 2.C.8)."""
    d, away, twice = escaping(daemon, coppice="cgroup_root = none")
    pid = d.node("one")["pid"]
    try:
        d.call("stop", path="one", wait=True)
        until("the one is gone", lambda: not alive(away))
        until("both are named", lambda: f"one: left over, and killed: {away} (sleep)" in d.log()
              and f"left alone: {twice} (sleep)" in d.log())
        assert alive(twice) and not alive(pid)
        assert d.log().count(f"({twice}") <= 1
    finally:
        os.kill(twice, signal.SIGKILL)


def test_adopted_of_the_living(daemon):
    """What a living child has sent away stays, whoever else ends; in a burst too."""
    d = daemon(start=False)
    (d.dir / "escape").write_text(ESCAPE.replace("env -i ", ""))
    d.write_config("[supervisor:/]\nintensity = 65535\n[child:one]\ncommand = sh escape\nlog = null\n"
                   "[child:two]\ncommand = sh -c 'setsid sleep 1001 & echo $! >> gone; exec sleep 0.02'\nlog = null\nbackoff = none\n", "cgroup_root = none")
    d.start()
    away, twice = number(d, "away"), number(d, "twice")
    until("twenty ends", lambda: d.node("two")["restarts"] >= 20)
    d.call("stop", path="two", wait=True)
    until("all that two had left are gone", lambda: not any(alive(int(x)) for x in (d.dir / "gone").read_text().split()))
    assert alive(away) and alive(twice)
    d.call("restart", path="one", wait=True)
    until("now they have gone", lambda: not alive(away) and not alive(twice))


def test_adopted_at_the_end(daemon):
    """None of them outlives the daemon: what its last children have left is looked for before it leaves."""
    d = daemon(start=False)
    (d.dir / "escape").write_text("setsid sleep 1000 & echo $! >> gone; exec sleep 1000")
    d.write_config("".join(f"[child:{name}]\ncommand = sh escape\nlog = null\n" for name in ("one", "two", "three")), "cgroup_root = none")
    d.start()
    until("all have sent one away", lambda: (d.dir / "gone").exists() and len((d.dir / "gone").read_text().split()) == 3)
    assert d.stop() == 0
    assert not any(alive(int(x)) for x in (d.dir / "gone").read_text().split())


def test_adopted_survive_an_engine(daemon):
    """A new engine looks for what was left when there was none."""
    d, away, _ = escaping(daemon, "restart = temporary", coppice="cgroup_root = none\n")
    engine, pid = d.call("ping")["engine_pid"], d.node("one")["pid"]
    os.kill(engine, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.kill(engine, signal.SIGKILL)
    until("it is gone", lambda: not alive(away))


def test_adopted_left(daemon):
    """kill_mode = group leaves those."""
    d, away, twice = escaping(daemon, "kill_mode = group", coppice="cgroup_root = none")
    try:
        d.call("stop", path="one", wait=True)
        d.call("start", path="one", wait=True)
        assert alive(away)
    finally:
        os.kill(away, signal.SIGKILL)
        os.kill(twice, signal.SIGKILL)
