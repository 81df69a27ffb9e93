"""Process 1 of a container with nothing but itself: pivot_root, a root that cannot be written, a user without a name, no capabilities; with and
without /proc and /dev; and the OCI bundle of contrib/container under runc and crun, where the kernel lets them (FIELD 1.A.3, 1.A.4, 1.A.5, 2.C.16).
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import uuid

import pytest
from conftest import BUILD, HELPERS, PATIENCE, ROOT, children, family, process, until

CONTAINER = ROOT / "contrib/container"
CONTAINED = ROOT / "tests/helpers/contained.py"
pytestmark = [pytest.mark.skipif("asan" in BUILD.name, reason="the sanitizers' own runtime needs /proc, and files"),
              pytest.mark.skipif(not shutil.which("busybox"), reason="needs busybox (busybox-static)")]


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """The root of a container, made from this machine's programs as contrib/container says."""
    place = tmp_path_factory.mktemp("container") / "root"
    subprocess.run([CONTAINER / "rootfs", place, BUILD / "bin"], check=True)
    shutil.copy(HELPERS / "orphans", place / "bin")
    shutil.copy(CONTAINER / "app.conf", place / "etc")
    return place


class Contained:
    """A coppiced in there, and what stands in front of it."""

    def __init__(self, root, options, args):
        self.token = uuid.uuid4().hex
        self.popen = subprocess.Popen(
            [sys.executable, CONTAINED, root, *options, "--", "/bin/coppiced", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={"PATH": "/bin", "COPPICE_TEST": self.token})

    @property
    def first(self):
        """The PID that its process 1 has out here."""
        return until("process 1", lambda: next((one.pid for one in children(self.popen.pid) if one.name == "coppiced"), None))

    def engine(self):
        return until("an engine", lambda: next((one.pid for one in children(self.first) if one.name == "coppice-engine" and not one.zombie), None))

    def line(self):
        return self.popen.stdout.readline().decode().strip()

    def end(self, timeout=PATIENCE):
        """Status, output and errors."""
        out, errors = self.popen.communicate(timeout=timeout)
        if self.popen.returncode == 99:
            pytest.skip(errors.decode())
        return self.popen.returncode, out.decode(), errors.decode()

    def clean_up(self):
        self.popen.kill()
        self.popen.communicate()
        until("its end", lambda: not family(self.token))


@pytest.fixture
def contained(root):
    made = []

    def make(*args, options=()):
        made.append(Contained(root, options, args))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()


BARE = [(), ("no-proc",), ("no-dev",), ("no-proc", "no-dev")]


@pytest.mark.parametrize("options", BARE, ids=lambda options: " ".join(options) or "complete")
def test_a_command(contained, options):
    """What it does not need it does not miss, and only what cannot be had is told of, once."""
    status, out, errors = contained("--", "/bin/sh", "-c", "echo $$; id -u; touch /x 2>&1; exit 5", options=options).end()
    lines = out.splitlines()
    assert status == 5, errors
    assert lines[1:] == ["12345", "touch: /x: Read-only file system"]
    assert len(errors.splitlines()) == ("no-proc" in options), errors


@pytest.mark.parametrize("options", BARE[:2], ids=lambda options: " ".join(options) or "complete")
def test_the_engine_is_killed(contained, options):
    one = contained("--", "/bin/sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done", options=options)
    if one.line() != "up":
        one.end()
    for _ in range(2):
        old = one.engine()
        os.kill(old, signal.SIGKILL)
        until("another engine", lambda old=old: one.engine() != old)
    one.popen.terminate()
    status, _, errors = one.end()
    assert status == 9, errors
    assert len(re.findall("taken over|takes over|recovered|was ended by signal", errors)) >= 2, errors


def test_a_tree(contained):
    """Of the recipe: both of its children run, and come back; a shutdown is status 0."""
    one = contained("-c", "/etc/app.conf")
    if one.popen.poll() == 99:
        one.end()

    def running():
        return {kid.pid for kid in children(one.first) if kid.name in ("busybox", "sh", "httpd") and not kid.zombie and not kid.half_made}
    before = until("two children", lambda: len(found := running()) == 2 and found)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until("two others", lambda: len(found := running()) == 2 and not found & before)
    one.popen.terminate()
    status, out, errors = one.end()
    assert (status, out) == (0, ""), errors
    assert "control socket" not in errors


def test_a_socket_that_cannot_be_made(contained):
    """It says so once, and the rest works."""
    status, out, errors = contained("--set", "control_socket=/run/coppice/s", "--", "/bin/sh", "-c", "echo ran").end()
    assert (status, out) == (0, "ran\n"), errors
    assert len(re.findall("control socket /run/coppice/s: ", errors)) == 1 and len(errors.splitlines()) == 1, errors


def test_a_burst_of_orphans(contained):
    """10,000 that end at once: all are waited for, and the command's status is still its own (FIELD 2.C.1)."""
    script = "orphans 10000 | wc -l; while [ $(ls /proc 2>/dev/null | grep -c '^[0-9]') -gt 9 ]; do sleep 0.01; done; exit 7"
    status, out, errors = contained("--", "/bin/busybox", "sh", "-c", script).end(60)
    assert (status, out.strip(), errors) == (7, "10000", "")


def test_no_program(contained):
    status, _, errors = contained("--", "nginx").end()
    assert status == 127 and "ENOENT" in errors


# --- runc and crun


def runtime(name):
    """How it is called so that it can work without cgroups of its own."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return [path] + (["--cgroup-manager=disabled"] if name == "crun" else [])


@pytest.fixture
def bundle(root, tmp_path):
    """bundle(args, terminal?) → the directory of a bundle that runs these."""
    def make(*args):
        config = json.loads((CONTAINER / "config.json").read_text())
        config["process"]["args"] = list(args) or config["process"]["args"]
        config["root"]["path"] = str(root)
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path
    return make


@pytest.fixture
def container(request):
    """container(runtime, bundle) → its process; skips where the kernel does not let the runtime make one."""
    made = []

    def make(name, place, trial):
        command, ident = runtime(name), f"coppice-{uuid.uuid4().hex}"
        if os.geteuid() != 0:
            pytest.skip("needs root")
        if trial:
            done = subprocess.run([*command, "run", "--bundle", place, ident + "-trial"], capture_output=True, text=True, timeout=60)
            if done.returncode != 42:
                pytest.skip(f"{name} makes no containers here: {done.stderr.strip()[-200:]}")
            return None
        popen = subprocess.Popen([*command, "run", "--bundle", place, ident], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        made.append((command, ident, popen))
        return popen

    yield make
    for command, ident, popen in made:
        subprocess.run([*command, "delete", "--force", ident], capture_output=True, timeout=60)
        popen.kill()
        popen.communicate()


@pytest.mark.parametrize("name", ["runc", "crun"])
def test_oci_runtime(bundle, container, name):
    """A command's status comes through; a tree of the bundle as it stands begins, and TERM ends it with 0."""
    container(name, bundle("/bin/busybox", "sh", "-c", "exit 42"), True)
    popen = container(name, bundle("/bin/coppiced", "--", "/bin/sh", "-c", "echo $$ $(id -u); touch /x 2>/dev/null; exit 6"), False)
    out, errors = popen.communicate(timeout=60)
    assert (popen.returncode, out.split()[1], errors) == (6, b"12345", b"")
    popen = container(name, bundle(), False)
    line = b""
    while b"/: running" not in line:
        line = popen.stderr.readline()
        assert line, "it has ended"
    first = until("process 1", lambda: next((one for one in children(popen.pid) if one.name == "coppiced"), None))
    assert pathlib.Path(f"/proc/{first.pid}/status").read_text().split("CapEff:")[1].split()[0] == "0" * 16
    os.kill(first.pid, signal.SIGTERM)
    _, errors = popen.communicate(timeout=60)
    assert popen.returncode == 0, errors
    assert process(first.pid) is None
