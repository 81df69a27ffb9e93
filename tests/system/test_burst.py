"""What concerns very many children at once is done a little at a time, and nothing of it is lost."""

import json
import re
import threading

from conftest import HELPERS, until

COUNT = 700
CHILD = f"""
[child:many]
command = {HELPERS}/child %s sleep 600000
instances = {COUNT}
stop = TERM 600s KILL
"""


def many(daemon, verbs="", **kwargs):
    made = daemon(CHILD % verbs, **kwargs)
    until("all up", lambda: made.node("/")["state"] == "running", timeout=60)
    return made



def test_a_stop_of_very_many_holds_nobody_up(daemon):
    """The second request is answered between the first one's signals, not after all of them."""
    made = many(daemon)
    client = made.client()
    client.send(b'{"jsonrpc":"2.0","id":1,"method":"stop","params":{"path":"/"}}\n'
                b'{"jsonrpc":"2.0","id":2,"method":"drain","params":{"path":"many@1"}}\n')
    made.wait_node("/", state="stopped")
    at = {}
    for event in made.call("events", types=["operator.*", "child.exited"], limit=10000)["events"]:
        at[event["type"]] = event["at"]  # the last one's
    asked, other, last = at["operator.stop"], at["operator.drain"], at["child.exited"]
    assert other - asked < (last - asked) / 2, (asked, other, last)


def test_an_engine_that_dies_between_the_signals_of_a_stop_loses_none(daemon):
    made = many(daemon)
    made.call("stop", path="/")
    made.kill_engine()
    made.wait_node("/", state="stopped", timeout=60)
    assert not made.children()
    ends = re.findall(r"many@(\d+): killed by SIGTERM", made.log())
    assert sorted(map(int, ends)) == list(range(1, COUNT + 1))


def test_a_reader_gets_every_event_of_a_stop_of_very_many(daemon):
    """They are more than it has told the daemon to remember, and all decided in one moment."""
    made = many(daemon, "ignore TERM", coppice="event_history = 16")
    follower = made.client()
    follower.call("subscribe", types=["node.state"])
    stopping, lost = set(), []

    def follow():
        while len(stopping) < COUNT:
            event = json.loads(follower.line())["params"]
            if event["state"] == "stopping" and event["path"] != "/":
                stopping.add(event["path"])
            lost.extend([event] if "lost" in event else [])

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    made.call("stop", path="/")
    reader.join(60)
    assert len(stopping) == COUNT and lost == []
    made.call("stop", path="/", now=True)
    made.wait_node("/", state="stopped", timeout=60)
