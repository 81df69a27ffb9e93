"""What `status` and `tree` look like: the demo's tree, plain and coloured, narrow and wide, as text files beside this one.

screens/demo.json is what a real daemon answered after some mischief with etc/demo's tree, with longer times; since_at counts from
now. `python3 tests/system/test_screens.py --write` makes the files anew from the coppicectl in BUILD: then look at them.
"""
import fcntl
import itertools
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata

import pytest
from ctl_server import CTL, Server, clean, node, run, serve  # noqa: F401 (serve is a fixture)

SCREENS = pathlib.Path(__file__).parent / "screens"
CASES = list(itertools.product(("status", "tree"), (80, 140), ("plain", "colour")))
NODES = json.loads((SCREENS / "demo.json").read_text())


def demo(request):
    """The demo's tree; what has just happened stays so, whatever the clock does."""
    now = time.time()
    nodes = [{**one, "since_at": now + (one["since_at"] or 60)} for one in NODES]
    path = request.get("params", {}).get("path", "/")
    return {"nodes": [one for one in nodes if path == "/" or (one["path"] + "/").startswith(path + "/")], "at_event": 7}


def on_terminal(path, columns, *args, **env):
    """What coppicectl prints to a terminal so wide."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = clean(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
    with subprocess.Popen([CTL, "-s", path, *args], stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        text = b""
        while True:
            try:
                more = os.read(leader, 65536)
            except OSError:  # EIO: nobody has the other end any more
                break
            if not more:
                break
            text += more
        assert process.wait(timeout=20) == 0, text
    os.close(leader)
    return text.decode().replace("\r\n", "\n")


def screen(path, command, columns, look):
    return on_terminal(path, columns, command, **({"NO_COLOR": "1"} if look == "plain" else {}))


def columns_of(line):
    line = re.sub(r"\033\[[0-9;]*m", "", line)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.mark.parametrize("command, columns, look", CASES)
def test_the_demo_looks_like_this(serve, command, columns, look):
    shown = screen(serve(demo).path, command, columns, look)
    assert shown == (SCREENS / f"{command}-{columns}-{look}.txt").read_text(), "see the head of this file"
    assert all(columns_of(line) <= columns for line in shown.splitlines())


def test_elsewhere_than_on_a_terminal_it_is_as_it_always_is(serve):
    path = serve(demo).path
    for command in ("status", "tree"):
        text = run(path, command, env={"COLUMNS": "40", "TERM": "xterm", "LC_ALL": "C.UTF-8"}).stdout
        assert text.isascii() and "\033" not in text
        assert text == (SCREENS / f"{command}-pipe.txt").read_text()
        assert "exit status 1; next try in 0.3s; 3 failures in a row" in text  # nothing is left out


@pytest.mark.parametrize("columns", [1, 5, 12, 20, 27, 33, 40, 47, 56, 64, 72, 95, 110, 300])
def test_no_line_is_too_long(serve, columns):
    path = serve(demo).path
    for command in ("status", "tree"):
        for env in ({}, {"LC_ALL": "C"}, {"TERM": "dumb"}):
            text = on_terminal(path, columns, command, **env)
            assert max(map(columns_of, text.splitlines())) <= columns, text
            assert ("LC_ALL" not in env and "TERM" not in env) or text.replace("\033", "").isascii()
            if columns >= 56:  # what matters is there, and whole
                assert "exit 1; next try in 0.3s" in text or "exit status 1; next try in 0.3s" in text


def test_where_the_terminal_does_not_know_its_size(serve):
    path = serve(demo).path
    assert max(map(columns_of, on_terminal(path, 0, "status", COLUMNS="50").splitlines())) <= 50
    assert on_terminal(path, 0, "status", COLUMNS="x") == on_terminal(path, 80, "status")


def test_long_paths_lose_their_middle(serve):
    long = "shop/" + "a-rather-long-name-for-a-supervisor/" * 3 + "and-its-child@17"
    path = serve(lambda request: {"nodes": [node("/"), node(long, "failed", exit={"code": 7})], "at_event": 1}).path
    shown = on_terminal(path, 80, "status", NO_COLOR="1")
    row = next(line for line in shown.splitlines() if "failed" in line)
    assert re.search(r"failed      shop/a-\S*…\S*child@17  .*exit status 7$", row), shown
    assert long in run(path, "status").stdout


WILD = [
    node("/"),
    node("日本/" + "東京" * 30, pid=12, status_text="データベース" * 20),
    node("ko\u0308ln", "restarting", reason="\x1b[31mred", next_start_in_s=1),
    node("shop", "failed", start_error={"step": "exec\u202e", "error": "\x9b2J\x7f"}),
    node("status", status_text="line\nfeed\ttab \x07 bell", pid=3),
]


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_wide_and_wild_texts(serve, columns):
    path = serve(lambda request: {"nodes": WILD, "at_event": 1}).path
    for command in ("status", "tree"):
        for locale in ("C.UTF-8", "C"):
            text = on_terminal(path, columns, command, LC_ALL=locale)
            assert max(map(columns_of, text.splitlines())) <= columns
            rest = re.sub(r"\033\[[0-9;]*m", "", text).replace("\n", "")
            assert not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in rest), repr(rest)
            assert locale != "C" or rest.isascii()
        piped = run(path, command).stdout
        assert "東京" * 30 in piped and not any(unicodedata.category(c) in ("Cc", "Cf") for c in piped.replace("\n", ""))


def test_bytes_that_are_no_text(serve):
    line = b'{"jsonrpc":"2.0","id":1,"result":{"nodes":[{"path":"a\xff\xc3","state":"run\xe4ning"}]}}\n'
    shown = on_terminal(serve(lambda request: line).path, 80, "status", NO_COLOR="1")
    assert "run?ning    a??" in shown


def test_the_summary_names_who_failed(serve):
    path = serve(demo).path
    assert on_terminal(path, 140, "status", NO_COLOR="1").splitlines()[-1].endswith("1 stopped — coppicectl why lab/steady")
    assert on_terminal(path, 80, "tree", "shop", LC_ALL="C", NO_COLOR="1").splitlines()[-1] == "6 nodes: 5 running, 1 stopped"
    assert "nodes:" not in run(path, "status").stdout


def test_a_narrow_summary_tells_of_the_failed_first(serve):
    """What does not fit is no half word."""
    path = serve(demo).path
    for columns in range(20, 80):
        for locale in ("C.UTF-8", "C"):
            lines = on_terminal(path, columns, "status", NO_COLOR="1", LC_ALL=locale).splitlines()
            line = next(line for line in lines if line.startswith("24 nodes"))
            assert re.fullmatch(r"24 nodes(: 1 failed(, \d+ (restarting|running|finished|stopped))*)?(, (…|\.\.\.))?", line), line
            assert columns_of(line) <= columns and (columns < 24 or "1 failed" in line)
    line = on_terminal(path, 40, "status", NO_COLOR="1").splitlines()[-2]
    assert line == "24 nodes: 1 failed, 1 restarting, …"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="coppice-") as directory:
        server = Server(pathlib.Path(directory) / "control.sock", demo)
        for command, columns, look in CASES:
            (SCREENS / f"{command}-{columns}-{look}.txt").write_text(screen(server.path, command, columns, look))
        for command in ("status", "tree"):
            (SCREENS / f"{command}-pipe.txt").write_text(run(server.path, command).stdout)
