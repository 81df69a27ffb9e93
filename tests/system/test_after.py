"""`after`: starts that wait until other nodes are ready, wherever those stand, and go on by themselves."""

import os
import signal

from conftest import until

SLOW = "start_timeout = 60s\n"


def gated(name, directory, *keys):
    """A child that is ready when the test has made a file of its name."""
    script = "while [ ! -e $0 ]; do sleep 0.01; done; echo >&3; exec sleep 1000"
    path = directory / name.replace("/", ".")
    return f"[child:{name}]\ncommand = sh -c '{script}' {path}\nready = fd:3\n{SLOW}" + "".join(f"{key}\n" for key in keys)


def plain(name, *keys):
    return f"[child:{name}]\ncommand = sleep 1000\n" + "".join(f"{key}\n" for key in keys)


def test_chain(daemon):
    """Each waits for the next, and a word of the last starts them all, one after the other (FIELD 1.C.16, 1.C.17)."""
    one = daemon("", start=False)
    one.write_config(plain("a", "after = b") + plain("b", "after = c") + gated("c", one.dir))
    one.start()
    one.wait_node("c", state="starting")
    for name, other in (("a", "b"), ("b", "c")):
        node = one.wait_node(name, state="waiting", reason="after", waits_for=other)
        assert node["incarnation"] == 0
    why = " ".join(one.call("why", path="a")["text"])
    assert "b, which it comes after, is not ready (after)" in why and "It starts by itself" in why
    (one.dir / "c").touch()
    for name in "abc":
        one.wait_node(name, state="running", incarnation=1)
    started = [event["path"] for event in one.call("events", types=["child.ready"])["events"]]
    assert started == ["c", "b", "a"]


def test_templates_and_supervisors(daemon):
    """A template is ready when all its instances are, a supervisor when all is that it waits for; a one-shot when it is done
    (FIELD 1.C.16)."""
    one = daemon("", start=False)
    one.write_config(
        "[supervisor:/]\nstart_order = parallel\n"
        + plain("a", "after = web, shop, once")
        + gated("web", one.dir, "instances = 2").replace(f"{one.dir}/web", f"{one.dir}/web%i")
        + "[supervisor:shop]\n"
        + gated("shop/db", one.dir)
        + f"[child:once]\ncommand = sh -c 'while [ ! -e {one.dir}/once ]; do sleep 0.01; done'\nready = exit\n{SLOW}"
        + plain("many", "after = a", "instances = 3")
    )
    one.start()
    for name, waited in (("web1", "web@2"), ("web2", "shop"), ("shop.db", "once")):
        (one.dir / name).touch()
        assert one.wait_node("a", waits_for=waited)["state"] == "waiting"
        assert [one.node(f"many@{i}")["reason"] for i in (1, 2, 3)] == ["after"] * 3
    (one.dir / "once").touch()
    for name in ("a", "many@1", "many@2", "many@3"):
        one.wait_node(name, state="running", incarnation=1)


def test_later(daemon):
    """What it comes after may go and fail: a running child is left alone. A start waits until it is back, also one that an
    operator asks for, and goes on by itself (FIELD 1.B.11)."""
    one = daemon("", start=False)
    one.write_config(plain("a", "after = b", "backoff = none") + gated("b", one.dir, "backoff = none"))
    one.start()
    (one.dir / "b").touch()
    pid = one.wait_node("a", state="running")["pid"]
    one.call("stop", path="b", wait=True)
    assert one.node("a")["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    one.wait_node("a", state="waiting", reason="after", waits_for="b")
    one.call("start", path="a")
    assert one.node("a")["state"] == "waiting"
    one.kill_engine()
    one.wait_node("a", state="waiting", reason="after", waits_for="b")
    one.call("start", path="b")
    one.wait_node("a", state="running", incarnation=2)
    one.call("stop", path="a", wait=True)
    one.call("stop", path="b", wait=True)
    one.call("start", path="a")
    one.wait_node("a", state="waiting", reason="after")
    one.call("stop", path="a", wait=True)  # a wish that is taken back
    one.call("start", path="b", wait=True)
    assert one.node("a")["state"] == "stopped"


def test_status_tells(daemon, build):
    """What people see says for whom it waits."""
    import subprocess

    one = daemon("", start=False)
    one.write_config(plain("a", "after = b") + gated("b", one.dir))
    one.start()
    one.wait_node("a", state="waiting")
    shown = subprocess.run([build / "bin/coppicectl", "-s", one.socket, "status"], capture_output=True, text=True, timeout=20)
    assert "waits for b" in shown.stdout, shown.stdout
    assert until("a's key", lambda: one.call("show", path="a")["values"].get("after")) == "b"
