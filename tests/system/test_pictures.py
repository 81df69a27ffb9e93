"""`plot` and `graph`: well-formed, in order, escaped, of a sensible size, and what they show is what happened."""
import os
import pty
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest
from ctl_server import CTL, Error, clean, node, run, serve  # noqa: F401 (serve is a fixture)

SVG = "{http://www.w3.org/2000/svg}"
NOW = time.time()
WILD = "a<b>&\"'\\c]]>"


class Ring:
    """Events, and nodes, for the server to answer with."""

    def __init__(self, nodes):
        self.nodes, self.events = nodes, []

    def add(self, at, path, kind, **more):
        number = len(self.events) + 1
        self.events.append({"number": number, "at": NOW - 100 + at, "type": kind, "severity": "info", "path": path, **more})

    def state(self, at, path, before, after):
        self.add(at, path, "node.state", **{"from": before, "state": after})

    def __call__(self, request):
        if request["method"] == "events":
            assert request["params"]["limit"] >= 4096
            return {"events": self.events, "next": len(self.events), "lost": 0}
        return {"nodes": self.nodes, "at_event": len(self.events)}


def example():
    ring = Ring([node("/", kind="supervisor", strategy="one_for_one"), node("shop", kind="supervisor", strategy="rest_for_one"),
                 node("shop/db", pid=7), node("shop/web", "failed"), node("quiet", pid=9)])
    ring.state(0, "shop/web", "stopped", "starting")
    ring.state(0, "shop/db", "stopped", "starting")
    ring.add(0, "shop/db", "child.started", pid=6)
    ring.add(2, "shop/db", "child.ready", after_s=2)
    ring.add(3, "shop/db", "child.exited", exit={"signal": "SEGV"}, uptime_s=3)
    ring.state(3, "shop/db", "running", "restarting")
    ring.add(4, "shop/db", "child.started", pid=7, incarnation=2)
    ring.add(4, "shop/db", "child.ready", after_s=0)
    ring.add(4.5, "/", "engine.recovered", generation=2)
    ring.add(5, "shop/web", "operator.stop", uid=0, pid=1)
    ring.state(5, "shop/web", "starting", "stopping")
    ring.add(6, "shop/web", "child.exited", exit={"signal": "TERM"}, uptime_s=1)
    ring.state(6, "shop/web", "stopping", "failed")
    ring.add(6, "shop", "supervisor.limit", action="escalate")
    return ring


def plot(path, *args):
    done = run(path, "plot", *args)
    assert done.returncode == 0 and done.stderr == "", done
    root = ElementTree.fromstring(done.stdout)
    assert root.tag == SVG + "svg"
    assert not re.search(r"<script|javascript:|\bon\w+=|href", done.stdout)
    return root


def rows(root):
    """The path of each row, and its shapes: (class, left, right)."""
    found = {}
    for group in root.iter(SVG + "g"):
        title = group.find(SVG + "title")
        if title is None:
            continue
        shapes = [(r.get("class"), float(r.get("x")), float(r.get("x")) + float(r.get("width"))) for r in group.iter(SVG + "rect")]
        for path in group.iter(SVG + "path"):
            x = float(re.match(r"M([\d.]+)", path.get("d"))[1])
            shapes.append((path.get("class"), x, path.find(SVG + "title").text))
        found[title.text] = shapes
    return found


def test_what_happened_is_what_is_drawn(serve):
    root = plot(serve(example()).path)
    shown = rows(root)
    assert list(shown) == ["shop", "shop/db", "shop/web"]  # in the tree's order; of the others nothing is known
    db = shown["shop/db"]
    bars = [shape for shape in db if isinstance(shape[2], float)]
    assert [bar[0] for bar in bars] == ["starting", "running", "restarting", "running"]
    assert all(one[2] == pytest.approx(two[1], abs=0.2) for one, two in zip(bars, bars[1:])), "without holes"
    second = (bars[0][2] - bars[0][1]) / 2
    assert bars[1][2] - bars[1][1] == pytest.approx(second, abs=0.2) and second > 100, "true to scale"
    assert [(kind, round((x - bars[0][1]) / second)) for kind, x, _ in db if kind == "fail"] == [("fail", 3)]
    assert [title for kind, _, title in db if kind == "fail"][0].startswith("killed by SIGSEGV after 3")
    assert [round((x - bars[0][1]) / second) for kind, x, _ in db if kind == "ready"] == [2, 4]
    web = [shape[0] for shape in shown["shop/web"]]
    assert web[:3] == ["starting", "stopping", "failed"] and "operator" in web
    assert "end" in web and "fail" not in web, "told to stop, it died as it should"
    assert [shape[0] for shape in shown["shop"]] == ["limit"]
    assert len([line for line in root.iter(SVG + "line") if line.get("class") == "engine"]) == 2  # one is the legend's
    words = [text.text for text in root.iter(SVG + "text")]
    assert any(re.fullmatch(r"\d+m\d\ds", word) for word in words), "the gap until now says how long it is"
    for word in ("running", "failed", "limit reached", "operator", "new engine", "0.0s", "1.0s"):
        assert word in words, word


def test_an_end_that_is_a_failure_is_marked_so(serve):
    """Whatever its status: what followed says whether it was one."""
    ring = Ring([node(path) for path in ("permanent", "transient", "slow", "member")])
    for path in ("permanent", "transient", "slow", "member"):
        ring.add(0, path, "child.started", pid=6)
    for path, state, reason in (("permanent", "restarting", "exited"), ("transient", "finished", "exited")):
        ring.add(2, path, "child.exited", exit={"code": 0}, uptime_s=2)
        ring.add(2, path, "node.state", **{"from": "running", "state": state, "reason": reason})
    for path, reason in (("slow", "start_timeout"), ("member", "group")):
        ring.add(1, path, "node.state", **{"from": "starting", "state": "stopping", "reason": reason})
        ring.add(2, path, "child.exited", exit={"signal": "TERM"}, uptime_s=2)
        ring.add(2, path, "node.state", **{"from": "stopping", "state": "restarting", "reason": reason})
    shown = rows(plot(serve(ring).path))
    marks = {path: [shape[0] for shape in shapes if shape[0] in ("end", "fail")] for path, shapes in shown.items()}
    assert marks == {"permanent": ["fail"], "transient": ["end"], "slow": ["fail"], "member": ["end"]}


def test_each_state_looks_different(serve):
    root = plot(serve(example()).path)
    style = root.find(SVG + "style").text
    looks = {}
    for bar in list(root.iter(SVG + "rect"))[-8:]:  # the legend's
        fill = re.findall(rf"[}},.]{bar.get('class')}(?:,[.a-z]+)?{{fill:(#\w+)", style.partition("@media")[0])[0]
        looks.setdefault((fill, bar.get("height")), []).append(bar.get("class"))
    assert len(looks) == 8, looks


def test_paths_choose_rows(serve):
    path = serve(example()).path
    assert list(rows(plot(path, "shop"))) == ["shop", "shop/db", "shop/web"]
    assert list(rows(plot(path, "shop/web"))) == ["shop/web"]
    assert list(rows(plot(path, "/shop/*"))) == ["shop/db", "shop/web"]


def test_nothing_to_draw(serve):
    path = serve(Ring([node("/")])).path
    for args in ((), ("nobody",)):
        done = run(path, "plot", *args)
        assert done.returncode == 1 and done.stdout == "" and "no events" in done.stderr and len(done.stderr.splitlines()) == 2


def test_a_terminal_is_no_canvas(serve):
    leader, follower = pty.openpty()
    done = subprocess.run([CTL, "-s", serve(example()).path, "plot"], stdout=follower, stderr=subprocess.PIPE, text=True, timeout=30, env=clean())
    os.close(leader)
    os.close(follower)
    assert done.returncode == 2 and "coppicectl plot > boot.svg" in done.stderr


@pytest.mark.parametrize("answer", [{}, {"events": 7}, {"events": [7, {"at": "x"}, {}]}, [], "x", Error(8, "not yet")])
def test_answers_that_are_none(serve, answer):
    done = run(serve(lambda request: answer).path, "plot")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("coppicectl: ")


def test_wild_names_and_words(serve):
    ring = Ring([node("/"), node(WILD), node("日本" * 40)])
    for path in (WILD, "日本" * 40, "gone\x07"):
        ring.state(1, path, "stopped", '"/><script>')
        ring.add(2, path, "child.start_failed", step="exec <&>", error="\x01\ufffe")
        ring.state(3, path, "starting", "failed")
    shown = rows(plot(serve(ring).path))
    assert list(shown) == [WILD, "日本" * 40, "gone?"]
    assert "exec <&>" in [shape[2] for shape in shown[WILD] if shape[0] == "fail"][0]


def test_ten_thousand_nodes_and_a_full_ring(serve):
    ring = Ring([node("/")] + [node("n%05d" % i, pid=i + 1) for i in range(10000)])
    for i in range(4096):
        ring.add(i / 100, "n%05d" % (i * 7919 % 10000), "child.exited" if i % 64 == 0 else "child.started", exit={"code": 1}, pid=1)
    start = time.monotonic()
    path = serve(ring).path
    root = plot(path)
    took = time.monotonic() - start
    shown = rows(root)
    assert 300 <= len(shown) <= 1000 and list(shown) == sorted(shown)
    assert sum(any(shape[0] == "fail" for shape in shapes) for shapes in shown.values()) == 64, "no failure is left out"
    assert float(root.get("height")) < 20500 and took < 20
    assert any("nodes are left out" in text.text for text in root.iter(SVG + "text"))
    chosen = next(iter(shown))
    assert list(rows(plot(path, chosen))) == [chosen]


def test_of_a_real_daemon(daemon):
    one = daemon("[child:a]\ncommand = sleep 1000\n[child:b]\ncommand = false\nrestart = temporary\n")
    first = one.wait_node("a", state="running")["pid"]
    os.kill(first, signal.SIGKILL)
    one.wait_node("a", state="running", pid=lambda pid: pid not in (None, first))
    one.wait_node("b", state="finished")
    one.kill_engine()
    root = plot(one.socket)
    shown = rows(root)
    assert {"a", "b"} <= set(shown)
    assert any(kind == "fail" and "killed by SIGKILL" in str(title) for kind, _, title in shown["a"])
    assert [shape[0] for shape in shown["a"] if isinstance(shape[2], float)][-1] == "running"
    assert [shape[0] for shape in shown["b"] if isinstance(shape[2], float)][-1] == "finished"
    dot = check_dot(run(one.socket, "graph").stdout)
    assert set(dot) == {"/", "a", "b"}


# --- graph

NAME = r'"(?:[^"\\]|\\.)*"'


def unquote(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def check_dot(text):
    """Node → (attributes as text, parent or None); each line must be one that dot reads. dot itself is asked where it is."""
    lines = text.splitlines()
    assert lines[0] == "digraph coppice {" and lines[-1] == "}"
    nodes, ids = {}, []
    for line in lines[5:-1]:
        edge = re.fullmatch(rf"\t({NAME}) -> ({NAME});", line)
        one = re.fullmatch(rf"\t({NAME}) \[(label={NAME}(?:, \w+=(?:{NAME}|\d+))+)\];", line)
        assert edge or one, line
        if one:
            nodes[unquote(one[1])] = [one[2], None]
            ids.append(one[1][1:-1].replace('\\"', '"'))  # in a name, dot takes a backslash before " away and no other
        else:
            nodes[unquote(edge[2])][1] = unquote(edge[1])
    if shutil.which("dot"):
        done = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        drawn = ElementTree.fromstring(done.stdout)
        titles = [g.find(SVG + "title").text for g in drawn.iter(SVG + "g") if g.get("class") == "node"]
        assert sorted(titles) == sorted(ids)
    return nodes


def test_the_graph(serve):
    nodes = [
        node("/", kind="supervisor", strategy="one_for_one"),
        node("shop", kind="supervisor", strategy="rest_for_one", restarts=2),
        node("shop/db", pid=7),
        node("shop/web@1", "failed", exit={"signal": "SEGV"}, reason="given_up"),
        node("setup", "finished", exit={"code": 0}),
    ]

    def answer(request):
        path = request.get("params", {}).get("path", "/")
        return {"nodes": [one for one in nodes if path == "/" or one["path"].startswith(path)]}

    path = serve(answer).path
    shown = check_dot(run(path, "graph").stdout)
    assert {name: parent for name, (_, parent) in shown.items()} == {
        "/": None, "shop": "/", "shop/db": "shop", "shop/web@1": "shop", "setup": "/"}
    assert list(shown) == [one["path"] for one in nodes]
    assert r'label="shop\nrest_for_one\n2 restarts"' in shown["shop"][0] and "penwidth=2" in shown["shop"][0]
    assert r'label="db\npid 7"' in shown["shop/db"][0] and 'color="#2da44e"' in shown["shop/db"][0]
    assert r"web@1\nfailed: killed by SEGV; given up" in shown["shop/web@1"][0] and 'color="#cf222e"' in shown["shop/web@1"][0]
    assert {name: parent for name, (_, parent) in check_dot(run(path, "graph", "shop").stdout).items()} == {
        "shop": None, "shop/db": "shop", "shop/web@1": "shop"}
    assert '"nodes"' in run(path, "graph", "--json").stdout


def test_a_graph_of_wild_names(serve):
    names = [WILD, "\\", "\\N", 'q"', "日本", "a\\", "<b>html", "\x1b]0;x", "graph", "-> x;"]
    path = serve(lambda request: {"nodes": [node("/", state='"]', status_text='"\\'), *map(node, names)]}).path
    shown = check_dot(run(path, "graph").stdout)
    assert list(shown) == ["/"] + [name.replace("\x1b", "?") for name in names]


def test_the_graph_of_an_unknown_path(serve):
    done = run(serve(lambda request: Error(1, "there is no such node")).path, "graph", "x")
    assert done.returncode == 4 and done.stdout == ""
