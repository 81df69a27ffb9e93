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


def scenario(*children, steps=()):
    return json.dumps({"tree": {"type": "supervisor", "id": "r", "children": list(children)}, "steps": list(steps)})


def test_refused(tmp_path):
    """Ids are unique, nobody crashes itself when told to stop, and what a number must be is said."""
    a = {"type": "worker", "id": "a"}
    path = tmp_path / "x.json"
    for text, said in ((scenario(a, a), "a: two have this id"),
                       (scenario(a, {"type": "supervisor", "id": "s", "children": [a]}), "a: two have this id"),
                       (scenario({"type": "supervisor", "id": "r"}), "r: two have this id"),
                       (scenario({**a, "stop": {"crash": ["a"]}}), 'a: "stop" crashes itself'),
                       (scenario(a, steps=[{"op": "wait", "ms": 1000000001}]), 'step 1: a wait: "ms" is no whole number')):
        path.write_text(text)
        done = run(OTP / "play", path)
        assert done.returncode == 1 and said in done.stderr, (text, done)


def test_more_restarts_than_are_counted(tmp_path):
    path = tmp_path / "x.json"
    tree = {"type": "supervisor", "id": "r", "intensity": 70000, "period_s": 3600,
            "children": [{"type": "worker", "id": "a", "start": {"fail_from": 2}}]}
    path.write_text(json.dumps({"tree": tree, "steps": [{"op": "exit", "who": [["a", "crash"]]}]}))
    done = run(OTP / "play", "-o", tmp_path, path)
    assert done.returncode == 1 and "more than 65535 restarts" in done.stderr, done


def test_files(tmp_path):
    """Which files are played: of any name, from pipes, from directories; two of one name are refused."""
    text = scenario({"type": "worker", "id": "a"})
    (tmp_path / "empty").mkdir()
    for name in ("plain", "-dash.json", "x.json"):
        (tmp_path / name).write_text(text)
    (tmp_path / "empty" / "x.json").write_text(scenario())
    where = tmp_path / "out"
    assert run(OTP / "play", "-o", where, tmp_path / "plain", tmp_path / "x.json", tmp_path / "x.json").returncode == 0
    assert sorted(path.name for path in where.iterdir()) == ["plain.trace", "x.trace"]
    assert run("sh", "-c", f"cd {tmp_path} && {OTP}/play -- -dash.json && cat plain | {OTP}/play /dev/stdin").stdout.count("boot") == 2
    done = run(OTP / "play", "-o", where, tmp_path / "x.json", tmp_path / "empty")
    assert done.returncode == 65 and "two scenarios of one name" in done.stderr, done
    (tmp_path / "empty" / "x.json").unlink()
    done = run(OTP / "play", tmp_path / "empty")
    assert done.returncode == 66 and "no scenarios" in done.stderr, done


def compare(directory, theirs, ours, *again):
    """What compare says of a trace of steps, each the list of who starts (a below r, b and c below s), and of those played again."""
    tree = {"id": "r", "state": "running", "children": [{"id": "a", "state": "running"}, {"id": "s", "state": "running", "children": [
        {"id": "b", "state": "running"}, {"id": "c", "state": "running"}]}]}
    for name, steps in (("otp", theirs), ("core", ours), *((f"again{i}", one) for i, one in enumerate(again))):
        lines = [{"step": n, "op": "wait", "result": "ok", "events": [["start", id, n + 1] for id in ids], "state": tree}
                 for n, ids in enumerate(steps)]
        (directory / name).mkdir(exist_ok=True)
        (directory / name / "x.trace").write_text("\n".join(map(json.dumps, lines)))
    races = [word for i in range(len(again)) for word in ("--races", directory / f"again{i}")]
    done = run(OTP / "compare", *races, directory / "otp", directory / "core")
    return done.returncode, done.stdout.splitlines()[-1].split("compared: ")[1]


def test_judged_by_step(tmp_path):
    """A race in one step hides nothing in another; what Erlang has in either order may come in either order."""
    assert compare(tmp_path, ["ab", "bc"], ["ab", "bc"]) == (0, "0 differ")
    assert compare(tmp_path, ["ab"], ["ba"]) == (1, "1 differ")
    assert compare(tmp_path, ["ab"], ["ba"], ["ba"]) == (0, "0 differ")
    assert compare(tmp_path, ["abc"], ["bac"], ["bca"]) == (0, "0 differ")
    assert compare(tmp_path, ["ab", "ab"], ["ba", "ab"], ["ba", "ba"]) == (0, "0 differ")
    # what one supervisor does has one order
    assert compare(tmp_path, ["abc"], ["cba"], ["bca"]) == (0, "0 differ, 1 left out for a race")
    # a difference before, and after, a step that hangs on a race
    assert compare(tmp_path, ["bc", "ab"], ["cb", "ab"], ["bc", "b"]) == (1, "1 differ")
    assert compare(tmp_path, ["ab", "bc"], ["ba", "cb"], ["ba", "bc"]) == (1, "1 differ")
    assert compare(tmp_path, ["ab", "bc"], ["a", "bc"], ["b", "bc"]) == (0, "0 differ, 1 left out for a race")


def test_no_trace(tmp_path):
    """Alternatives are not known by the names of scenarios, and what is no trace is said."""
    for name in ("b.trace", "b~1.trace"):
        (tmp_path / name).write_text('{"step":0,"op":"boot","result":"%s","events":[],"state":null}' % name)
    assert "2 scenarios" in run(OTP / "compare", tmp_path, tmp_path).stdout
    for text in ("x", "[]", '{"step":0}', '{"step":0,"op":"boot","result":"ok","events":[1],"state":null}'):
        path = tmp_path / "no"
        path.write_text(text)
        done = run(OTP / "compare", path, path)
        assert done.returncode == 2 and "not a trace" in done.stderr and "Traceback" not in done.stderr, (text, done)
