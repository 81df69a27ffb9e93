"""Everything that the control socket says, in many states of the tree, is as `help` says that it is."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import ROOT, Client, until
from test_reaper_lost import UNKNOWN, orphan  # pylint: disable=unused-import

jsonschema = pytest.importorskip("jsonschema")

PAGE = ROOT / "man/coppice-api.7"

# One node in each state that there is, for each reason that lasts.
TREE = """
[supervisor:/]
intensity = 1000
start_order = parallel

[child:steady]
command = /bin/sleep 1000

[child:patient]
command = /bin/sleep 1000

[child:off]
command = /bin/sleep 1000
autostart = no

[child:delayed]
command = /bin/false
backoff_delay = 1h
backoff_max = 1h

[child:wrong]
command = /nonexistent/program
backoff_delay = 1h
backoff_max = 1h

[child:dumped]
command = /bin/sh -c "kill -SEGV $$"
restart = temporary

[child:done]
command = /bin/true
ready = exit

[child:job]
command = /bin/false
restart = temporary

[child:early]
command = /bin/false
ready = exit
restart = temporary

[child:refused]
command = /bin/false
no_restart_exit = 1

[child:slow]
command = /bin/sleep 1000
ready = exit
start_timeout = infinity

[child:deaf]
command = /bin/sh -c 'trap "" TERM; echo up > deaf; while :; do sleep 0.05; done'
stop_command = /bin/sleep 1000
hook_timeout = 1m
stop = TERM infinity

[child:many]
command = /bin/sleep 100%i
instances = 3

[child:none]
command = /bin/sleep 1000
instances = 0

[supervisor:row]
strategy = rest_for_one


[child:row/first]
command = /bin/sleep 1000
ready = exit
start_timeout = infinity

[child:row/second]
command = /bin/sleep 1000

[supervisor:full]
intensity = 0
period = 1h
on_limit = backoff

[child:full/bad]
command = /bin/false

[supervisor:lost]
intensity = 0
on_limit = give_up
strategy = one_for_all

[child:lost/bad]
command = /bin/false

[child:lost/good]
command = /bin/sleep 1000

[supervisor:over]
intensity = 0
on_limit = terminate

[child:over/bad]
command = /bin/false
"""

FEW = """
[child:steady]
command = /bin/sleep 1000
"""


# ---- schemas ----

def flat(schema, defs):
    """The schema with what its allOf refer to drawn into it, and closed: there are no members but those that it names."""
    if not isinstance(schema, dict):
        return [flat(one, defs) for one in schema] if isinstance(schema, list) else schema
    out = {key: value for key, value in schema.items() if key not in ("allOf", "if", "then", "else")}
    conditions = [{key: schema[key] for key in ("if", "then", "else") if key in schema}] if "if" in schema else []
    for part in schema.get("allOf", []):
        base = flat(defs[part["$ref"].rsplit("/", 1)[1]], defs)
        conditions += base.pop("allOf", [])
        out = {**base, **out, "properties": {**base["properties"], **out["properties"]},
               "required": base["required"] + out.get("required", [])}
    if conditions:
        out["allOf"] = conditions
    if "properties" in out:
        out["properties"] = {name: flat(value, defs) for name, value in out["properties"].items()}
        out["additionalProperties"] = False
    if "items" in out:
        out["items"] = flat(out["items"], defs)
    return out


class Checked:
    """Asks, and holds each answer against the schema that the daemon itself gives for it."""

    def __init__(self, served):
        self.served = served
        self.help = served.call("help")
        self.defs = self.help["$defs"]
        closed = {name: flat(schema, self.defs) for name, schema in self.defs.items()}
        self.methods = {method["name"]: method for method in self.help["methods"]}
        self.checks = {name: jsonschema.Draft202012Validator({**method["result"], "$defs": closed})
                       for name, method in self.methods.items()}
        self.params = {name: jsonschema.Draft202012Validator({**method["params"], "$defs": closed})
                       for name, method in self.methods.items()}
        self.error = jsonschema.Draft202012Validator({"$ref": "#/$defs/error", "$defs": closed})
        self.seen = set()  # (what, member)

    def fits(self, check, value, what):
        wrong = list(check.iter_errors(value))
        assert not wrong, f"{what}: {wrong[0].json_path}: {wrong[0].message}\n{json.dumps(value)[:3000]}"

    def note(self, value):
        """Remembers the members of every node in it."""
        if isinstance(value, list):
            for one in value:
                self.note(one)
        elif isinstance(value, dict):
            if isinstance(value.get("incarnation"), int) and "state" in value and "kind" in value:
                self.seen |= {("member", name) for name in value} | {("state", value["state"]), ("reason", value.get("reason"))}
            for one in value.values():
                self.note(one)

    def answer(self, line):
        """The answer to a line, whatever that is: its result or error has been held against its schema."""
        client = self.served.client()
        client.send(line + b"\n")
        reply = json.loads(client.line())
        client.close()
        assert reply["jsonrpc"] == "2.0" and set(reply) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}), reply
        if "error" in reply:
            self.fits(self.error, reply["error"], line[:200])
        return reply

    def __call__(self, method, **params):
        self.fits(self.params[method], params, f"parameters of {method}")
        reply = self.answer(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
        assert reply["id"] == 1
        if "result" in reply:
            self.fits(self.checks[method], reply["result"], f"{method} {params}")
            self.note(reply["result"])
        return reply.get("result", reply.get("error"))


@pytest.fixture(name="tree")
def fixture_tree(daemon):
    made = daemon(TREE)
    for path, wanted in {"steady": "running", "delayed": "restarting", "wrong": "restarting", "dumped": "finished",
                         "job": "finished", "early": "failed", "done": "finished", "refused": "failed", "slow": "starting", "full/bad": "restarting",
                         "lost/good": "failed", "over": "failed", "row/second": "waiting"}.items():
        made.wait_node(path, state=wanted)
    until("the trap", (made.dir / "deaf").exists)
    made.call("stop", path="deaf")
    made.wait_node("deaf", state="stopping")
    yield made
    if made.popen.poll() is None:
        made.client().call("shutdown", now=True)  # deaf would take its time


# ---- results ----

def read_all(ask):
    """Everything that only reads, of every node."""
    ask("ping")
    ask("help")
    ask("events", limit=10000)
    nodes = ask("status")["nodes"]
    tree = ask("tree")
    assert [node["path"] for node in walk(tree)] == [node["path"] for node in nodes]
    for node in nodes:
        assert "children" not in node
        assert ask("why", path=node["path"])["state"]
        assert ask("show", path=node["path"])["path"] == node["path"]
        assert ask("show", path=node["path"], effective=True)["values"]
        ask("status", path=node["path"], recursive=True)
        ask("tree", path=node["path"])
    return {node["path"]: node for node in nodes}


def walk(tree):
    yield tree
    for child in tree.get("children", []):
        yield from walk(child)


def test_schemas_are_schemas(tree):
    ask = Checked(tree)
    jsonschema.Draft202012Validator.check_schema(ask.help)
    for schema in ask.defs.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(ask.help)
    assert set(re.findall(r'"#/\$defs/(\w+)"', text)) <= set(ask.defs), "a reference to nothing"
    for method in ask.methods.values():
        for schema in method["params"]["properties"].values():
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema.get("description") or "$ref" in schema, method
        assert set(method["params"]["required"]) <= set(method["params"]["properties"])
        assert method["params"]["additionalProperties"] is False


def test_every_state_reads_as_its_schema_says(tree):
    ask = Checked(tree)
    nodes = read_all(ask)
    assert nodes["deaf"]["state"] == "stopping" and nodes["deaf"]["hook"] == "stop_command" and nodes["full/bad"]["reason"] == "limit"
    assert nodes["lost/good"]["reason"] == "given_up" and nodes["over"]["reason"] == "intensity"
    missing = set(ask.defs["node"]["properties"]) - {name for what, name in ask.seen if what == "member"} - {
        "status_text", "reloading", "drained"}  # tested where they come from
    assert not missing, "members of which this test has no example"
    states = {one["const"] for one in ask.defs["state"]["oneOf"]}
    assert states == {name for what, name in ask.seen if what == "state"}


def test_commands_answer_as_their_schemas_say(tree):
    ask = Checked(tree)
    assert ask("stop", path="deaf", now=True, wait=True)["state"] == "stopped"
    for path in ("steady", "many", "none", "row"):
        for method in ("stop", "start", "drain", "restart", "reset"):
            ask(method, path=path)
    assert len(ask("restart", path="many", wait=True)["nodes"]) == 3
    assert ask("restart", path="many@1", wait=True, timeout="10s")["state"] == "running"
    assert ask("restart", path="steady", group=True, wait=True, timeout=10.5)["incarnation"] > 1
    assert ask("stop", path="steady", now=True, wait=True)["exit"] == {"signal": "KILL", "core_dumped": False}
    assert ask("signal", path="many", signal="CONT")["nodes"]
    assert ask("signal", path="patient", signal=18, whole_tree=True)["pid"]
    ask("restart", path="/")
    ask("start", path="/")
    read_all(ask)
    assert ask("shutdown", action="exit", now=True, timeout="5s") == {"action": "exit"}
    assert tree.wait() == 0


def test_drained_until_it_is_started(tree):
    ask = Checked(tree)
    assert "drained" not in ask("status", path="steady")["nodes"][0]
    assert ask("drain", path="steady")["drained"] is True
    assert [node["drained"] for node in ask("drain", path="many")["nodes"]] == [True] * 3
    assert any("drained" in text for text in ask("why", path="many@2")["text"])
    tree.wait_log(rf"^.*many: drain asked by uid {os.getuid()} \(pid {os.getpid()}\)$")
    assert "drained" not in ask("start", path="steady")
    assert "drained" not in ask("restart", path="many@1") and ask("status", path="many@2")["nodes"][0]["drained"]


def test_reset_forgets_and_starts_what_a_limit_holds_back(tree):
    ask = Checked(tree)
    before = ask("status", path="delayed")["nodes"][0]
    after = ask("reset", path="delayed")
    assert before["streak"] == 1 and after["streak"] == 0 and after["state"] == "restarting", "its delay goes on"
    assert tree.node("full/bad")["incarnation"] == 1
    ask("reset", path="full/bad")
    tree.wait_node("full/bad", incarnation=2)
    ask("reset", path="lost/bad")
    tree.wait_node("lost/good", incarnation=2)
    assert ask("reset", path="off")["state"] == "stopped"
    ask("reset", path="over")
    tree.wait_node("over/bad", incarnation=2)
    tree.wait_log(rf"^.*over: reset asked by uid {os.getuid()} \(pid {os.getpid()}\)$")
    assert len(ask("reset", path="many")["nodes"]) == 3


SHOWN = """
[defaults]
start_timeout = 3s

[supervisor:shop]
child.env.TZ = UTC
child.umask = 027

[child:shop/web]
command = /bin/sleep "100%i" %n
directory = /tmp
instances = 2
log = file
env.PORT = 80%i
env.RATE = 5%%

[child:shop/db]
command = /bin/sleep 1000
"""


def test_show_tells_what_is_set_and_where(daemon):
    made = daemon(SHOWN)
    ask = Checked(made)
    lines = made.config.read_text().splitlines()

    def origin(line):
        return f"{made.config}:{lines.index(line) + 1}"
    assert ask("show", path="/") == {"path": "/", "kind": "supervisor", "values": {}}
    template, second = ask("show", path="shop/web"), ask("show", path="shop/web@2")
    assert template["instances"] == 2 and template["path"] == "shop/web" and "instances" not in second
    assert template["values"]["env.PORT"] == "80%i" and template["values"]["env.RATE"] == "5%%"
    assert second["path"] == "shop/web@2" and second["values"]["env.PORT"] == "802" and second["values"]["env.RATE"] == "5%%"
    assert template["values"]["start_timeout"] == "3s" and "stop" not in template["values"]
    values = ask("show", path="shop/web@2", effective=True)["values"]
    assert values["command"] == {"value": "/bin/sleep 1002 web@2", "origin": origin('command = /bin/sleep "100%i" %n')}
    assert values["env.TZ"] == {"value": "UTC", "origin": origin("child.env.TZ = UTC")}
    assert values["umask"]["origin"] == origin("child.umask = 027")
    assert values["start_timeout"] == {"value": "3s", "origin": origin("start_timeout = 3s")}
    assert values["stop"] == {"value": "TERM 5s KILL", "origin": "built in"}
    assert values["log_file"]["value"].endswith("/shop.web@2.log") and values["log_file"]["origin"] == "built in"
    assert values["user"] == {"value": str(os.geteuid()), "origin": "built in"}
    assert ask("show", path="shop/web", effective=True)["values"]["log_file"]["value"].endswith("/shop.web@%i.log")
    values = ask("show", path="shop/db", effective=True)["values"]
    assert values["directory"] == {"value": str(made.dir), "origin": "built in"} and "instances" not in values
    assert values["log"] == {"value": "inherit", "origin": "built in"} and "log_file" not in values
    values = ask("show", path="/", effective=True)["values"]
    assert values["on_limit"] == {"value": "backoff", "origin": "built in"} and "command" not in values


def test_events_read_as_their_schema_says(tree):
    ask = Checked(tree)
    tree.kill_engine()
    events = ask("events")["events"]
    assert {"node.state", "child.started", "child.start_failed", "child.exited", "child.restarting", "supervisor.limit",
            "operator.stop", "engine.recovered"} <= {event["type"] for event in events}
    assert ask("events", since=events[-1]["number"], types=["child.*"], severity="error", limit=5)["events"] == []


def test_hold_reads_as_its_schema_says(daemon):
    made = daemon(TREE, args=["--hold"]).ready()
    ask = Checked(made)
    read_all(ask)
    for method in ("ping", "status", "tree"):
        assert ask(method)["hold"] is True
    assert ask("start", path="steady")["code"] == 9
    ask("start", path="/")
    made.wait_node("steady", state="running")
    assert "hold" not in ask("status")
    ask("shutdown", now=True)


def test_lost_status_and_lost_reaper_read_as_their_schemas_say(orphan):  # pylint: disable=redefined-outer-name
    lost = orphan("[child:one]\ncommand = /bin/sleep 1000\nbackoff = none\n", neglect=True)
    ask = Checked(lost.d)
    assert ask("ping")["reaper_lost"] is True and ask("tree")["notice"] and ask("status")["notice"]
    os.kill(lost.running()["one"], signal.SIGKILL)
    lost.d.wait_node("one", state="running", incarnation=2)
    assert ask("status", path="one")["nodes"][0]["exit"] == UNKNOWN
    read_all(ask)


# ---- the manual page's examples ----

def example(beginning):
    """The literal block of the manual page that begins so, as a reader sees it."""
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", PAGE.read_text(), re.M | re.S):
        if block.startswith(beginning):
            return block.replace("\\e", "\\")
    return pytest.fail(f"{PAGE} has no example that begins with {beginning}")


def test_ten_lines_of_python(daemon):
    made = daemon(FEW)
    made.wait_node("steady", state="running")
    client = example("import json, socket")
    assert len(client.splitlines()) == 10
    program = (client + example("for node in")).replace("/run/coppice/control.sock", str(made.socket))
    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "/ running\nsteady running\n"
    run = subprocess.run([sys.executable, "-I", "-c", program + 'call("stop", path="x")\n'], capture_output=True, text=True,
                         timeout=60, check=False)
    assert 'RuntimeError: there is no node "x"' in run.stderr


def has_netcat():
    """Whether nc is the one of OpenBSD, which knows sockets of this kind."""
    if not shutil.which("nc"):
        return False
    run = subprocess.run(["nc", "-h"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return "OpenBSD" in run.stdout + run.stderr


@pytest.mark.skipif(not has_netcat(), reason="needs netcat-openbsd")
def test_netcat(daemon):
    made = daemon(FEW).ready()
    command = example("$ printf")
    command = command[2 : command.index("\n{")].replace("/run/coppice/control.sock", str(made.socket))
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(run.stdout)["result"]["pid"] == made.pid
    # without -N it stays until the other end closes, or is told to go
    with subprocess.Popen(["nc", "-U", str(made.socket)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as netcat:
        netcat.stdin.write(call_line("tree") + b"\n")
        netcat.stdin.close()
        assert json.loads(netcat.stdout.readline())["result"]["path"] == "/"
        netcat.terminate()


# ---- errors ----

def listed_codes():
    """The error codes that the manual page names."""
    text = PAGE.read_text().split(".Sh ERROR CODES", 1)[1].split(".Sh ", 1)[0]
    return {int(number.replace("\\", "")) for number in re.findall(r"^\.It (\\?-?\d+)$", text, re.M)}


def call_line(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


# (line, code, path of data, a word of the hint); None: nothing of that kind
REFUSED = [
    (b"{", -32700, None, "JSON"),
    (b"[]", -32600, None, "jsonrpc"),
    (b"[" + b"1," * 20000 + b"1]", -32600, None, "several"),
    (b'{"jsonrpc":"2.0","id":1,"method":"stauts"}', -32601, None, "status"),
    (call_line("status", pth="/"), -32602, None, '"path"'),
    (call_line("status", path=1), -32602, None, None),
    (call_line("start"), -32602, None, None),
    (call_line("signal", path="steady", signal="NONE"), -32602, None, None),
    (call_line("tree", path="many"), -32602, "many", "instance"),
    (call_line("restart", path="many", group=True), -32602, "many", "instance"),
    (call_line("shutdown", action="explode"), -32602, None, None),
    (call_line("status", path="steadi"), 1, "steadi", '"steady"'),
    (call_line("status", path="many@9"), 1, "many@9", "3 instances"),
    (call_line("stop", path="many@0"), 1, "many@0", "3 instances"),
    (call_line("start", path="over/bad"), 3, "over", "start over"),
    (call_line("shutdown", action="reboot"), 3, None, "exit"),
    (call_line("start", path="wrong", wait=True), 4, "wrong", "policy"),
    (call_line("start", path="early", wait=True), 4, "early", "not tried again"),
    (call_line("start", path="slow", wait=True, timeout="20ms"), 5, "slow", "goes on"),
    (b"x" * (2 << 20), 7, None, "several"),
    (call_line("metrics"), 8, None, "help"),
    (call_line("signal", path="off", signal="HUP"), 11, "off", "status"),
    (call_line("signal", path="row", signal="HUP"), 11, "row", "child"),
]


@pytest.mark.parametrize("line, code, path, hint", REFUSED, ids=[f"{code} {line[:60]}" for line, code, _, _ in REFUSED])
def test_error_says_what_where_and_what_to_do(shared, line, code, path, hint):
    if code in (4, 5):
        shared.answer(call_line("stop", path=path, wait=True))
    error = shared.answer(line)["error"]
    data = error.get("data", {})
    assert (error["code"], data.get("path")) == (code, path), error
    assert (hint or "") in data.get("hint", ""), error
    assert code in listed_codes()


@pytest.fixture(name="shared", scope="module")
def fixture_shared():
    """One daemon for all errors: a refusal changes nothing."""
    from conftest import Daemon  # pylint: disable=import-outside-toplevel
    made = Daemon(TREE)
    made.wait_node("over", state="failed")
    yield Checked(made)
    made.call("shutdown", now=True)
    made.clean_up()


def test_error_codes_of_help_and_manual_are_the_same(shared):
    assert {one["const"] for one in shared.defs["error_code"]["oneOf"]} == listed_codes()
    assert {code for _, code, _, _ in REFUSED} | {2, 6, 9, 10, -32603} == listed_codes(), "2, 6, 9, 10: below; -32603: no memory"


def test_error_while_shutting_down(tree):
    ask = Checked(tree)
    ask("shutdown")
    error = ask("start", path="off")
    assert error["code"] == 6 and error["data"]["path"] == "off" and error["data"]["hint"]
    ask("shutdown", now=True)
    assert tree.wait() == 0


def test_error_of_too_many_connections(daemon):
    made = daemon(FEW, wrapper=["prlimit", "--nofile=256:256"]).ready()
    ask = Checked(made)
    made.kept.close()
    made.kept = None
    kept = []
    until("one to be turned away", lambda: kept.append(made.client()) or turned_away(ask, kept[-1]), pause=0)
    for client in kept:
        client.close()


def turned_away(ask, client):
    """Whether its first answer is error 10."""
    try:
        client.send(call_line("ping") + b"\n")
        reply = json.loads(client.line())
    except (BrokenPipeError, ConnectionResetError):
        return False
    if "error" in reply:
        ask.fits(ask.error, reply["error"], "connection")
        assert reply["error"]["code"] == 10 and reply["id"] is None
    return "error" in reply


def test_messages_name_no_library(daemon):
    """What is wrong with a line is said in words of the API."""
    client = daemon(FEW).ready().client()
    client.send(b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"path":"a\\u0000b"}}\n')
    error = json.loads(client.line())["error"]
    assert error["code"] == -32700 and "\\u0000" in error["message"] and "JSON_ALLOW" not in error["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_error_of_those_who_only_read(daemon):
    """FIELD 2.G.4: reading and changing are two rights."""
    made = daemon(FEW, coppice="control_mode = 0666").ready()
    made.dir.chmod(0o755)
    ask = Checked(made)
    for method in ask.methods.values():
        reply = as_nobody(made.socket, call_line(method["name"], path="steady", signal="TERM"))
        if not method["changes"]:
            assert reply.get("error", {}).get("code") != 2
            continue
        ask.fits(ask.error, reply["error"], method["name"])
        assert reply["error"]["code"] == 2 and "operators" in reply["error"]["data"]["hint"]


def as_nobody(path, line):
    """The answer that a user without any rights gets."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(54321, 54321, 54321)
            os.setresuid(54321, 54321, 54321)
            client = Client(path)
            client.send(line + b"\n")
            os.write(writable, client.line()[:65000])
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text)
