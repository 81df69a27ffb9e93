"""The demo: it comes true, in good time, leaves nothing behind, and notices when something is not as it tells."""
import os
import re
import shutil
import subprocess
import tempfile
import time

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))


@pytest.fixture
def work():
    """A short path: sockets need one."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as directory:
        yield directory


def demo(directory, work):
    env = {**os.environ, "BUILD": BUILD, "TMPDIR": work}
    return subprocess.run([os.path.join(directory, "run")], capture_output=True, text=True, timeout=120, env=env)


def programs_below(path):
    """PIDs of processes that work in a directory below path."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/cwd" % pid).startswith(str(path)):
                found.append(pid)
        except OSError:
            pass
    return found


def test_the_demo_comes_true(work):
    start = time.monotonic()
    done = demo(os.path.join(ROOT, "etc/demo"), work)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - start < 60
    assert "All of this came true" in done.stdout and done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80
    # each strategy is told of, PIDs then and now, and how long it took
    for word in ("one_for_one", "one_for_all", "rest_for_one", "escalate"):
        assert word in done.stdout
    assert len(re.findall(r"^   \S+ +\d+  ->  +\d+ ", done.stdout, re.M)) == 13
    assert len(re.findall(r"\d+ ms|less than 1 ms", done.stdout)) >= 5
    assert os.listdir(work) == [] and programs_below(work) == []


def test_the_demo_notices_a_difference(tmp_path, work):
    copy = tmp_path / "demo"
    shutil.copytree(os.path.join(ROOT, "etc/demo"), copy)
    conf = copy / "demo.conf"
    text = conf.read_text()
    assert "backoff_delay  = 100ms" in text
    conf.write_text(text.replace("backoff_delay  = 100ms", "backoff_delay  = 60ms"))
    done = demo(str(copy), work)
    assert done.returncode == 1
    assert "NOT AS TOLD: delay 1 is" in done.stdout and "All of this came true" not in done.stdout
    assert "restarting in" in done.stdout.partition("NOT AS TOLD")[2]  # the log is shown
    assert programs_below(work) == []
