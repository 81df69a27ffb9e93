"""Scenarios of tests/otp on the real daemon: its starts and stops must be those of the core (which check-otp compares with Erlang's)."""

import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, ROOT

OTP = ROOT / "tests/otp"
GENERATED = 48  # of a fixed seed
# what the daemon does its own way, by kind (tests/otp/departures): calls, several things at once, retries beside each other
NOT_ALIKE = {"terminate_child", "restart_child", "start_child", "delete_child", "call", "several", "several_supervisors",
             "start_crash", "stop_crash_siblings", "too_slow", "wait"}


def departures():
    rows = [line.split("|") for line in (OTP / "departures").read_text().splitlines() if line and line[0] != "#"]
    assert all(len(row) == 6 for row in rows)
    return [[cell.strip() for cell in row] for row in rows]


DEPARTING = {name for row in departures() for name in row[5].split()}


def seconds(path):
    return sum(step.get("ms", 0) for step in json.loads(path.read_text())["steps"]) / 1000


# Those with waits, of several real seconds, are left to the core.
NAMED = sorted(path for path in (OTP / "scenarios").glob("*.json") if seconds(path) == 0)
BATCHES = 8


def run(*command):
    return subprocess.run([str(word) for word in command], env={**os.environ, "BUILD": str(BUILD)}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)


def differing(files, directory):
    """The names of those in which daemon and core differ, and what the comparison says of them."""
    for driver, where in ((["--daemon"], "daemon"), ([], "core")):
        done = run(OTP / "play", *driver, "-o", directory / where, *files)
        assert done.returncode == 0, done.stderr
    names = run(OTP / "compare", "--names", directory / "core", directory / "daemon")
    text = run(OTP / "compare", "--most", "1000", directory / "core", directory / "daemon").stdout
    assert f"{len(files)} scenarios" in text, text
    return set(names.stdout.split()), text


@pytest.mark.parametrize("batch", range(BATCHES))
def test_named(batch, tmp_path):
    """One for each rule of OTP: equal, but for the departures that the table names."""
    files = NAMED[batch::BATCHES]
    found, text = differing(files, tmp_path)
    assert found <= DEPARTING, text


@pytest.mark.parametrize("batch", range(4))
def test_generated(batch, tmp_path):
    assert run(OTP / "generate", "--seed", 4, "--count", 900, "--wait", 0, tmp_path / "all").returncode == 0
    files = sorted((tmp_path / "all").glob("*.json"))
    alike = [path for path in files if not NOT_ALIKE & set(json.loads(path.read_text())["tags"])][:GENERATED]
    assert len(alike) == GENERATED
    found, text = differing(alike[batch::4], tmp_path)
    assert not found, text


def test_departures_have_tests():
    """Every row of the table names a test that there is, and scenarios that there are."""
    for row in departures():
        file, function = row[3].split(": ")
        assert re.search(rf"cmocka_unit_test\(\s*{function}\)", (ROOT / file).read_text()), row[0]
        for name in row[5].split():
            assert (OTP / "scenarios" / f"{name}.json").exists(), name


def test_no_scenario(tmp_path):
    """What is no scenario is said, with the file, by both drivers."""
    for number, text in enumerate(("", "{", "[]", "{}", '{"tree": {"type": "worker", "id": "a"}, "steps": []}',
                                   '{"tree": {"type": "supervisor", "id": "r", "children": []}, "steps": [{"op": "jump"}]}')):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        for driver in ([], ["--daemon"]):
            done = run(OTP / "play", *driver, path)
            assert done.returncode == 1 and str(path) in done.stderr and "Traceback" not in done.stderr, (text, driver, done)
