"""Where numbers are scarce a PID is given again within the same tick of the clock: each end must still be its own process's."""

import os
import re

import pytest

from conftest import until

# pid_max belongs to the namespace from Linux 6.14 on; before it would be the whole machine's
KERNEL = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", 'echo 345 > /proc/sys/kernel/pid_max && exec "$@"', "sh"]

TREE = """
[supervisor:/]
on_limit = backoff
[supervisor:storm]
intensity = 65535
period = 1s
child.backoff = none
child.log = null
[child:storm/direct]
command = /bin/sh -c "sleep 0.01 & exit 3"
instances = 30
# directory: started by a spawner thread
[child:storm/threaded]
command = /bin/sh -c "sleep 0.01 & exit 3"
directory = /
instances = 30
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(KERNEL < (6, 14), reason="pid_max is the machine's")
def test_numbers_given_again_at_once(daemon):
    d = daemon(TREE, wrapper=NAMESPACE)
    d.wait_node("storm", state="running")

    def incarnations():
        return {path: node["incarnation"] for path, node in d.nodes("storm").items() if node["kind"] == "child"}

    for _ in range(20):
        before = incarnations()
        # one whose end was given to another, or to nobody, would never start again
        until(lambda: [d.node(path) for path, now in incarnations().items() if now <= before[path]],
              lambda: all(now > before[path] + 20 for path, now in incarnations().items()))
    # (failed starts do not tell of an exit; what did exit, did so with 3, or 2 where the shell could not fork)
    ends = {node["exit"].get("code") for node in d.nodes("storm").values() if "exit" in node}
    assert ends <= {2, 3}, ends
    d.call("stop", path="storm", wait=True)
    d.call("shutdown")
    assert d.wait() == 0
