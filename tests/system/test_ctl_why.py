"""coppicectl show and why."""
import json
import re

import pytest
from conftest import until
from ctl_server import Error, node, run, serve  # noqa: F401 (serve is a fixture)
from test_coppicectl import on_terminal
from test_screens import columns_of
from test_screens import on_terminal as screen_of

NOW = 1764000000

WHY = {
    "path": "shop/db",
    "kind": "child",
    "state": "restarting",
    "reason": "exited",
    "wanted": "up",
    "budgets": [
        {"path": "shop", "intensity": 5, "period_s": 60, "used": 3, "left": 2, "next_free_in_s": 12.04, "on_limit": "escalate"},
        {"path": "/", "intensity": 10, "period_s": 3600, "used": 0, "left": 10, "on_limit": "backoff"},
    ],
    "events": [
        {"number": 6, "type": "node.state", "path": "shop/db", "from": "running", "state": "restarting", "reason": "exited"},
        {"number": 7, "type": "child.exited", "path": "shop/db", "incarnation": 3, "exit": {"signal": "KILL"}, "uptime_s": 5},
    ],
    "text": ["Start 3 was killed by signal KILL.", "It starts again in 3 s."],
}


def test_why_is_a_readable_text(serve):
    done = run(serve(lambda request: WHY).path, "why", "shop/db")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines() == [
        "shop/db is restarting (exited)",
        "  Start 3 was killed by signal KILL.",
        "  It starts again in 3 s.",
        "",
        "  BUDGET  USED                  NEXT FREE   WHEN SPENT",
        "  shop    3 of 5 in 1m          in 12s      escalate",
        "  /       0 of 10 in 1h         -           backoff",
        "",
        "  LAST EVENTS",
        "  0s ago      killed by SIGKILL after 5s (start 3)",
    ]


def test_the_state_has_its_colour_on_a_terminal(serve):
    path = serve(lambda request: WHY).path
    assert re.search("\033\\[33m[^\033]*restarting\033\\[0m", on_terminal(path, "why", "shop/db"))
    assert "\033" not in on_terminal(path, "why", "shop/db", NO_COLOR="1")


@pytest.mark.parametrize("columns", [30, 60, 80, 300])
def test_sentences_are_folded_to_the_width_of_the_terminal(serve, columns):
    """And to nothing elsewhere: programs read lines."""
    sentence = "shop/db has been waiting to be restarted for 4s: it exited with status 3, " + "and 東京 so on " * 8 + "here."
    path = serve(lambda request: {**WHY, "text": [sentence, "Short."]}).path
    lines = screen_of(path, columns, "why", "shop/db", NO_COLOR="1").splitlines()
    folded = lines[1 : lines.index("  Short.")]
    assert all(columns_of(line) <= columns and line.startswith("  ") and line == line.rstrip() for line in folded)
    assert " ".join(line[2:] for line in folded) == sentence and (len(folded) > 1) == (columns < 300)
    event = lines[lines.index("  LAST EVENTS") + 1 :]
    assert event == (["  0s ago      killed by", " " * 14 + "SIGKILL after 5s", " " * 14 + "(start 3)"] if columns == 30
                     else ["  0s ago      killed by SIGKILL after 5s (start 3)"])
    assert f"  {sentence}\n" in run(path, "why", "shop/db").stdout


def test_several_and_patterns(serve):
    def answer(request):
        if request["method"] == "status":
            return {"nodes": [node("web@1"), node("web@2"), node("db")], "at_event": 1}
        if request["params"]["path"] == "nobody":
            return Error(1, "there is no node", hint="did you mean")
        return {"path": request["params"]["path"], "state": "running", "text": ["It runs."]}

    server = serve(answer)
    done = run(server.path, "why", "web@*", "nobody", "db")
    assert done.returncode == 1 and done.stderr == "coppicectl: there is no node\ncoppicectl: did you mean\n"
    assert done.stdout == "\n".join(f"{path} is running\n  It runs.\n" for path in ("web@1", "web@2", "db"))
    done = run(server.path, "why", "--json", "web@*")
    assert [json.loads(text)["result"]["path"] for text in done.stdout.splitlines()] == ["web@1", "web@2"]


def test_show_is_like_a_file(serve):
    values = {"command": "sh -c 'a = b'", "stop": "TERM 5s KILL"}
    done = run(serve(lambda request: {"path": "shop/db", "kind": "child", "values": values}).path, "show", "shop/db")
    assert done.returncode == 0
    assert done.stdout == "[child:shop/db]\ncommand = sh -c 'a = b'\nstop    = TERM 5s KILL\n"


def test_show_effective_has_origins(serve):
    values = {
        "command": {"value": "sleep 1", "origin": "/etc/coppice/coppice.conf:7"},
        "env.PATH": {"value": "x" * 50, "origin": "built in"},
        "groups": {"value": "", "origin": "built in"},
    }
    done = run(serve(lambda request: {"path": "/", "kind": "supervisor", "values": values}).path, "show", "--effective", "/")
    assert done.stdout.splitlines() == [
        "[supervisor:/]",
        "command  = sleep 1  # /etc/coppice/coppice.conf:7",
        "env.PATH = " + "x" * 50 + "  # built in",
        "groups   =          # built in",
    ]


@pytest.mark.parametrize("command", ["why", "show"])
@pytest.mark.parametrize("result", [b"7", b"[]", b"null", b'"x"'])
def test_garbled_answers(serve, command, result):
    done = run(serve(lambda request: b'{"jsonrpc":"2.0","id":1,"result":' + result + b"}\n").path, command, "x")
    assert done.returncode == 1 and "makes no sense" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("command", ["why", "show"])
@pytest.mark.parametrize(
    "result",
    [
        {},
        {"text": 7, "budgets": {}, "events": "x", "values": [1]},
        {"text": [7, None, "a\x1b[31m\nb"], "budgets": [1, {"path": 7, "used": "x", "period_s": -1e300, "next_free_in_s": 1e300}], "events": [3, {}]},
        {"path": 1, "state": [], "since_at": "x", "values": {"a": 1, "b": {"value": {}}, "c\x1b": "d\x1b"}},
    ],
)
def test_odd_members_do_no_harm(serve, command, result):
    """From a daemon of another version."""
    done = run(serve(lambda request: result).path, command, "x")
    assert done.returncode == 0 and done.stderr == "" and "\x1b" not in done.stdout


# --- a real daemon


def test_a_crash_loop_is_explained(daemon):
    one = daemon(
        "[supervisor:shop]\nintensity = 3\nperiod = 1h\non_limit = backoff\n"
        "[child:shop/bad]\ncommand = sh -c 'exit 7'\nbackoff = none\nbackoff_max = 1h\n"
    ).ready()
    one.wait_node("shop/bad", state="restarting", reason="limit")
    done = run(one.socket, "why", "shop/bad")
    assert done.returncode == 0 and done.stderr == ""
    title, *rest = done.stdout.splitlines()
    assert title.startswith("shop/bad is restarting (limit), for ")
    assert re.search(r"^  shop +3 of 3 in 1h +in \S+ +backoff$", done.stdout, re.M)
    assert "exited with status 7" in done.stdout and "\n  LAST EVENTS\n" in done.stdout
    assert max(map(len, rest)) < 160


def test_reset_gives_a_new_chance(daemon):
    one = daemon("[child:bad]\ncommand = sh -c 'exit 7'\nno_restart_exit = 7\n").ready()
    failed = one.wait_node("bad", state="failed")
    done = run(one.socket, "reset", "bad")
    assert done.returncode == 0 and done.stdout.startswith("bad: ")
    until("another attempt", lambda: one.node("bad")["incarnation"] > failed["incarnation"])


def test_drain(daemon):
    one = daemon("[child:a]\ncommand = sleep 1000\n").ready()
    one.wait_node("a", state="running")
    assert run(one.socket, "drain", "a").returncode == 0 and one.node("a")["drained"]
    assert run(one.socket, "restart", "a").returncode == 0 and not one.node("a").get("drained")


def test_what_show_prints_is_a_file(daemon):
    """The lines for a child make the same child."""
    text = "[child:a]\ncommand = sh -c 'sleep 1000; echo \"a = b\" # c'\nstop = INT 1s KILL\nenv.A = %n ${HOME}\n"
    one = daemon(text).ready()
    shown = run(one.socket, "show", "a")
    assert shown.returncode == 0 and shown.stdout.startswith("[child:a]\n")
    other = daemon(shown.stdout).ready()
    again = run(other.socket, "show", "a")
    assert again.stdout == shown.stdout and "INT 1s KILL" in again.stdout


def test_show_effective_names_the_line(daemon):
    one = daemon("[defaults]\nstop = KILL\n[supervisor:shop]\nchild.umask = 077\n[child:shop/a]\ncommand = sleep 1000\n").ready()
    lines = one.config.read_text().splitlines()
    shown = run(one.socket, "show", "--effective", "shop/a").stdout
    for key, line in [("stop", "stop = KILL"), ("umask", "child.umask = 077"), ("command", "command = sleep 1000")]:
        assert re.search(rf"^{key} += .* # \S*:{lines.index(line) + 1}$", shown, re.M), (key, shown)
    assert re.search(r"^restart += permanent +# built in$", shown, re.M)
