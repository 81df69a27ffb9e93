"""What a program asks of its start, beside files and identity (coppice.conf(5), As whom, Resource limits, Files of variables).

Each key is looked up in /proc; each step fails somewhere here, and then nothing is executed. Steps that no surroundings make
fail are refused by a filter. tests/unit/engine/test_child_rights.c has every row of the table.
"""

import os
import pathlib
import pwd
import resource
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import COPPICECTL, COPPICED, HELPERS, until
from test_children import CHILD, ROOMY, assert_lively, hung_mount, own_user, section

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
TOUCH = "/usr/bin/touch"


@pytest.fixture
def mark():
    """What must not be executed makes this file, whoever it is; its directory is open to all."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="coppice-mark-"))
    place.chmod(0o777)
    yield place / "ran"
    shutil.rmtree(place)


def limits(pid):
    """{"Max open files": (soft, hard), …}"""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]:
        found[line[:26].strip()] = tuple(line[26:68].split()[:2])
    return found


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def niceness(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[16])


def oom_score(pid):
    return int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text())


def capability_sets(pid):
    found = status(pid)
    return {name: int(found[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def first_cpu():
    return min(os.sched_getaffinity(0))


def environment(pid):
    return dict(one.split("=", 1) for one in pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0") if one)


def running(d, path, **wanted):
    """Its PID, once exec is quite through: a start is over a moment before the program has its rights and environment."""
    pid = d.wait_node(path, state="running", **wanted)["pid"]
    def is_through():
        try:
            return environment(pid).get("COPPICE_PATH") == path
        except PermissionError:  # half-made it is nobody's to look at
            return False
    until(f"the environment of {path}", is_through)
    return pid


def as_user(user, group=None):
    return ["setpriv", f"--reuid={user}", f"--regid={group or user}", "--clear-groups"]


def unprivileged(daemon, user, **kwargs):
    """A daemon of that user's, not started yet."""
    d = daemon(start=False, wrapper=as_user(user), **kwargs)
    os.chown(d.dir, user, user)
    d.dir.chmod(0o755)
    return d


def start_with(d, config):
    d.write_config(config)
    d.config.chmod(0o644)
    return d.start()


# --- what is asked for is there ----------------------------------------------------------------------------------

ALL = {
    "limit.nofile": "100:200", "limit.core": "0", "limit.as": "4G:infinity", "limit.cpu": "1h:1d", "limit.fsize": "10M",
    "limit.data": "2G", "limit.stack": "1M:2M", "limit.memlock": "0:64K", "limit.nproc": "50:60", "limit.sigpending": "70",
    "limit.msgqueue": "1K", "limit.rttime": "200ms:1s", "limit.rtprio": "0", "limit.nice": "0", "limit.locks": "9",
    "limit.rss": "1G", "nice": "7", "oom_score_adj": "321", "no_new_privileges": "yes",
}
WANTED = {
    "Max open files": ("100", "200"), "Max core file size": ("0", "0"), "Max address space": (str(4 << 30), "unlimited"),
    "Max cpu time": ("3600", "86400"), "Max file size": (str(10 << 20),) * 2, "Max data size": (str(2 << 30),) * 2,
    "Max stack size": (str(1 << 20), str(2 << 20)), "Max locked memory": ("0", "65536"), "Max processes": ("50", "60"),
    "Max pending signals": ("70", "70"), "Max msgqueue size": ("1024", "1024"), "Max realtime timeout": ("200000", "1000000"),
    "Max realtime priority": ("0", "0"), "Max nice priority": ("0", "0"), "Max file locks": ("9", "9"),
    "Max resident set": (str(1 << 30),) * 2,
}


def assert_all(pid, cpu):
    assert limits(pid) == WANTED
    assert niceness(pid) == 7 and oom_score(pid) == 321
    found = status(pid)
    assert found["NoNewPrivs"] == "1" and found["Cpus_allowed_list"] == str(cpu)


@pytest.mark.parametrize("root", [pytest.param(True, marks=needs_root), False], ids=["root", "user"])
def test_all_but_capabilities(daemon, root):
    """Any user can have these. Another engine starts it with the same; siblings have what the daemon has."""
    d = daemon(start=False) if root or os.geteuid() else unprivileged(daemon, own_user())
    asked = {**ALL, "cpu_affinity": first_cpu()}
    start_with(d, section("all", **asked) + section("plain") + section("few", limit__core="0"))
    assert_all(running(d, "all"), first_cpu())
    plain, few, daemons = running(d, "plain"), running(d, "few"), d.pid
    assert status(plain)["NoNewPrivs"] == "0" and niceness(plain) == niceness(daemons)
    assert oom_score(plain) == oom_score(daemons)
    assert status(plain)["Cpus_allowed_list"] == status(daemons)["Cpus_allowed_list"]
    own = limits(daemons)
    own["Max open files"] = tuple(str(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    assert limits(plain) == own
    assert limits(few) == {**own, "Max core file size": ("0", "0")}
    # FIELD 2.C.11: neither we nor our engine have any of it
    assert limits(d.engine())["Max core file size"] == limits(daemons)["Max core file size"]
    assert niceness(d.engine()) == niceness(daemons) and oom_score(d.engine()) == oom_score(daemons)
    assert status(d.engine())["NoNewPrivs"] == "0"
    d.kill_engine()
    old = d.node("all")["pid"]
    os.kill(old, signal.SIGKILL)
    pid = running(d, "all", pid=lambda pid: pid not in (None, old))
    assert_all(pid, first_cpu())
    assert status(d.engine())["NoNewPrivs"] == "0" and d.stop() == 0


NET, NICE = 1 << 10, 1 << 23  # CAP_NET_BIND_SERVICE, CAP_SYS_NICE


@needs_root
def test_capabilities(daemon):
    """In all five sets, whoever the user is; what it executes has them too. Without the key root's are the daemon's."""
    user = own_user()
    whom = {"user": user, "group": user}
    few = "CAP_NET_BIND_SERVICE, sys_nice"
    d = daemon(section("root", capabilities=few) + section("user", capabilities=few, **whom)
               + section("none", capabilities="", **whom) + section("none-root", capabilities="")
               + section("plain") + section("plain-user", **whom)
               + section("shell", "/bin/sh -c '/bin/sleep 1000; true'", capabilities=few, **whom))
    nodes = {path: running(d, path) for path in
             ("root", "user", "none", "none-root", "plain", "plain-user", "shell")}
    for path in ("root", "user", "shell"):
        assert set(capability_sets(nodes[path]).values()) == {NET | NICE}, path
    for path in ("none", "none-root"):
        assert set(capability_sets(nodes[path]).values()) == {0}, path
    grandchild = until("the shell's child", lambda: pathlib.Path(
        f"/proc/{nodes['shell']}/task/{nodes['shell']}/children").read_text().split())[0]
    assert set(capability_sets(grandchild).values()) == {NET | NICE}
    mine = capability_sets(d.pid)
    assert capability_sets(nodes["plain"]) == mine
    plain = capability_sets(nodes["plain-user"])
    assert plain["CapBnd"] == mine["CapBnd"] and plain["CapEff"] == plain["CapPrm"] == plain["CapAmb"] == 0
    assert os.stat(f"/proc/{nodes['user']}").st_uid == user
    assert capability_sets(d.engine()) == mine
    d.kill_engine()
    d.call("restart", path="user", wait=True)
    assert set(capability_sets(running(d, "user")).values()) == {NET | NICE}
    assert d.stop() == 0


@needs_root
def test_capability_is_of_use(daemon):
    """A user's program may do what only sys_nice allows, and may not without."""
    user = own_user()
    keys = {"user": user, "group": user, "restart": "temporary", "log": "null"}
    probe = "/usr/bin/python3 -c 'import os; os.nice(-1)'"
    d = daemon(section("may", probe, capabilities="sys_nice", **keys) + section("may-not", probe, **keys))
    assert d.wait_node("may", state="finished")["exit"]["code"] == 0
    assert d.wait_node("may-not", exit=lambda exit: exit)["exit"]["code"] == 1


@needs_root
def test_no_new_privileges_is_of_use(daemon):
    """A set-user-ID program is one more program then; FIELD 2.C.13."""
    user = own_user()
    d = daemon(start=False)
    d.dir.chmod(0o755)
    program = d.dir / "program"
    program.write_bytes(pathlib.Path("/bin/sleep").read_bytes())
    program.chmod(0o4755)
    if os.statvfs(d.dir).f_flag & os.ST_NOSUID:
        pytest.skip("nosuid here")
    whom = {"user": user, "group": user}
    start_with(d, section("plain", f"{program} 1000", **whom) + section("safe", f"{program} 1000", no_new_privileges="yes", **whom))
    assert status(running(d, "plain"))["Uid"].split()[1] == "0"
    assert status(running(d, "safe"))["Uid"].split()[1] == str(user)


# --- who needs no right ------------------------------------------------------------------------------------------


@needs_root
def test_start_as_oneself_needs_no_right(daemon):
    """user, group and groups that are the daemon's own already, by name, by number: nothing is set, nothing can fail."""
    entry = pwd.getpwnam("nobody")
    d = daemon(start=False, wrapper=as_user(entry.pw_uid, entry.pw_gid))
    os.chown(d.dir, entry.pw_uid, entry.pw_gid)
    start_with(d, section("name", user="nobody", groups="") + section("number", user=entry.pw_uid, group=entry.pw_gid))
    for path in ("name", "number"):
        found = status(running(d, path))
        assert found["Uid"].split() == [str(entry.pw_uid)] * 4 and found["Gid"].split() == [str(entry.pw_gid)] * 4
        assert environment(d.node(path)["pid"])["USER"] == "nobody"


@needs_root
def test_root_that_may_not_change_groups(daemon):
    """As in many containers: what is right already is left alone."""
    d = daemon(section("one", user="0", group="0", groups=", ".join(map(str, os.getgroups()))),
               wrapper=[HELPERS / "refuse", "setgroups", "EPERM", "setresgid", "EPERM", "setresuid", "EPERM", "--"])
    d.wait_node("one", state="running")


# --- what fails is not executed ----------------------------------------------------------------------------------

RIGHTS = {
    "limit": ({"limit.nofile": "1000000000"}, "setting resource limits", "EPERM", "CAP_SYS_RESOURCE"),
    "nice": ({"nice": "-1"}, "setting the nice value", "EACCES", "CAP_SYS_NICE"),
    "oom": ({"oom_score_adj": "-1"}, "setting oom_score_adj", "EACCES", "CAP_SYS_RESOURCE"),
    "cpu": ({"cpu_affinity": "1023"}, "setting the CPUs that it may run on", "EINVAL", "none of these CPUs"),
    "bounding": ({"capabilities": ""}, "giving up capabilities", "EPERM", "no_new_privileges"),
    "some": ({"capabilities": "kill"}, "giving up capabilities", "EPERM", "CAP_SETPCAP"),
}


@needs_root
def test_what_takes_rights(daemon, mark):
    """An unprivileged user's daemon says at which step, why, and what to do; --check says it before."""
    user = own_user()
    d = unprivileged(daemon, user)
    start_with(d, ROOMY + section("steady") + "".join(
        section(name, f"{TOUCH} {mark}", **row[0]) for name, row in RIGHTS.items()))
    for name, (_, step, error, advice) in RIGHTS.items():
        assert d.wait_node(name, state="restarting")["start_error"] == {"step": step, "error": error}, name
        d.wait_log(rf"\b{name}: .*{step}: .*\({error}\); .*{advice}")
        assert advice in " ".join(d.call("why", path=name)["text"])
    assert_lively(d, "steady")
    assert not mark.exists()
    said = subprocess.run([*d.wrapper, COPPICED, "--check", "-c", d.config], capture_output=True, text=True)
    assert said.returncode == 0
    for name in RIGHTS:
        assert f"warning: [child:{name}] " in said.stderr, name
    assert "[child:steady]" not in said.stderr
    assert d.stop() == 0


PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 8, 24, 38, 47
REFUSED = {
    "no_new_privileges": (f"prctl@0={PR_SET_NO_NEW_PRIVS}", {"no_new_privileges": "yes"}, "forbidding new privileges"),
    "drop": (f"prctl@0={PR_CAPBSET_DROP}", {"capabilities": "kill"}, "giving up capabilities"),
    "keep": (f"prctl@0={PR_SET_KEEPCAPS}", {"capabilities": "kill", "user": 54321, "group": 54321}, "setting capabilities"),
    "capset": ("capset", {"capabilities": "kill"}, "setting capabilities"),
    "ambient": (f"prctl@0={PR_CAP_AMBIENT}", {"capabilities": "kill"}, "setting capabilities"),
    "groups": ("setgroups", {"user": 54321, "group": 54321, "groups": "7"}, "setting supplementary groups"),
    "group": ("setresgid", {"user": 54321, "group": 54321}, "setting the group"),
    "user": ("setresuid", {"user": 54321, "group": 54321}, "setting the user"),
    "affinity": ("sched_setaffinity", {"cpu_affinity": "0-1023"}, "setting the CPUs that it may run on"),
    "nice": ("setpriority", {"nice": "0"}, "setting the nice value"),
}


@needs_root
@pytest.mark.parametrize("name", REFUSED)
def test_step_that_is_refused(daemon, name, mark):
    """Nothing is executed with rights other than those asked for (FIELD 2.C.13, 2.C.14); others run, also after kill -9."""
    call, keys, step = REFUSED[name]
    d = daemon(start=False, wrapper=[HELPERS / "refuse", call, "EPERM", "--"])
    start_with(d, ROOMY + section("one", f"{TOUCH} {mark}", **keys) + section("steady"))
    steady = running(d, "steady")
    assert d.wait_node("one", state="restarting")["start_error"] == {"step": step, "error": "EPERM"}
    d.kill_engine()
    d.wait_node("one", streak=lambda n: n >= 2, start_error={"step": step, "error": "EPERM"})
    assert not mark.exists() and d.node("steady")["pid"] == steady


@needs_root
def test_capability_that_nobody_has(daemon, mark):
    d = daemon(start=False, wrapper=["setpriv", "--bounding-set", "-kill"])
    start_with(d, section("one", f"{TOUCH} {mark}", capabilities="kill, chown") + section("other", capabilities="chown"))
    assert d.wait_node("one", state="restarting")["start_error"] == {"step": "setting capabilities", "error": "EPERM"}
    d.wait_log(r"one: .*coppiced has not all of them itself")
    assert set(capability_sets(running(d, "other")).values()) == {1}
    assert not mark.exists()


@needs_root
def test_as_many_processes_as_the_user_may_have(daemon, mark):
    """With more than the limit there already nothing is executed (the kernel does not count the new one itself)."""
    user = own_user()
    keys = {"user": user, "group": user, "limit.nproc": "1"}
    d = daemon(ROOMY + section("c0", **keys) + section("c1", **keys) + section("more", f"{TOUCH} {mark}", **keys)
               + section("root", limit__nproc="0"))
    for path in ("c0", "c1", "root"):
        d.wait_node(path, state="running")
    d.wait_node("more", state="restarting", start_error={"step": "executing the command", "error": "EAGAIN"})
    d.wait_log(r"more: .*limit\.nproc")
    assert not mark.exists()
    d.call("stop", path="c1", wait=True)
    until("a start", mark.exists)


# --- env_file ----------------------------------------------------------------------------------------------------


def test_env_file_is_read_at_each_start(daemon):
    """Its variables replace the daemon's, those of the child's own section win; %i differs (FIELD 1.F.24)."""
    d = daemon(start=False, env={"DAEMONS": "old", "KEPT": "kept", "OWN": "the daemon's"})
    file = d.dir / "env-1"
    file.write_text("# first\nDAEMONS=new\nOWN=file\nTWICE=1\nTWICE='2\n3'\nCOPPICE_PATH=x\nNOTIFY_SOCKET=y\n")
    file.chmod(0o600)
    start_with(d, section("clear", env_file=f"-{d.dir}/missing", clear_env="yes")
               + section("clear-file", env_file=f"-{file}", clear_env="yes")
               + section("web", env_file=f"{d.dir}/env-%i", instances=1, env__OWN="its own", ready="notify", start_timeout="1h"))
    pid = d.wait_node("web@1", pid=lambda pid: pid)["pid"]
    found = until("exec", lambda: environment(pid) if b"sleep" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() else None)
    assert (found["DAEMONS"], found["KEPT"], found["OWN"], found["TWICE"]) == ("new", "kept", "its own", "2\n3")
    assert found["COPPICE_PATH"] == "web@1" and found["COPPICE_INSTANCE"] == "1" and found["NOTIFY_SOCKET"] != "y"
    assert set(environment(running(d, "clear"))) == {"PATH", "COPPICE_PATH"}
    found = environment(running(d, "clear-file"))
    assert set(found) == {"PATH", "COPPICE_PATH", "DAEMONS", "OWN", "TWICE", "NOTIFY_SOCKET"} and found["OWN"] == "file"
    file.write_text("DAEMONS=newer\n")
    d.kill_engine()
    d.call("restart", path="clear-file", wait=True)
    assert environment(running(d, "clear-file"))["DAEMONS"] == "newer"
    (d.dir / "missing").write_text("A=1\n")
    d.call("restart", path="clear", wait=True)
    assert environment(running(d, "clear"))["A"] == "1"


@needs_root
def test_env_file_is_read_as_the_daemon(daemon):
    user = own_user()
    d = daemon(start=False)
    (d.dir / "secret").write_text("SECRET=1\n")
    (d.dir / "secret").chmod(0o600)
    start_with(d, section("one", "/usr/bin/env", env_file=d.dir / "secret", user=user, group=user, log="file",
                          log_file=d.dir / "out", restart="temporary"))
    d.wait_node("one", state="finished")
    assert "SECRET=1\n" in (d.dir / "out").read_text()


ENV_STEP = "reading env_file"


def test_env_files_that_cannot_be(daemon, mark):
    """No variable is better than a wrong one: nothing is executed; --check tells the line."""
    d = daemon(start=False)
    files = {"missing": ("ENOENT", None), "dir": ("EISDIR", None), "fifo": ("EINVAL", "no regular file"),
             "line": ("EBADMSG", "--check"), "big": ("EFBIG", "65536 bytes"), "nul": ("EBADMSG", None),
             "many": ("E2BIG", None), "below/plain/x": ("ENOTDIR", None), "device": ("EINVAL", None), "loop": ("ELOOP", None)}
    (d.dir / "dir").mkdir()
    os.mkfifo(d.dir / "fifo")
    (d.dir / "line").write_text("A=1\n\nexport B=2\n")
    (d.dir / "big").write_text("A=1\n" * 16385)
    (d.dir / "nul").write_bytes(b"A=1\0\n")
    (d.dir / "many").write_text("".join(f"V{i}=\n" for i in range(4100)))
    (d.dir / "below").mkdir()
    (d.dir / "below/plain").write_text("")
    os.symlink("/dev/zero", d.dir / "device")
    os.symlink(d.dir / "loop", d.dir / "loop")
    (d.dir / "full").write_text("A=1\n" * 16384)
    start_with(d, ROOMY + section("steady") + section("full", env_file=d.dir / "full") + "".join(
        section(name.replace("/", "-"), f"{TOUCH} {mark}", env_file=d.dir / name) for name in files))
    for name, (error, advice) in files.items():
        path = name.replace("/", "-")
        assert d.wait_node(path, state="restarting")["start_error"] == {"step": ENV_STEP, "error": error}, name
        d.wait_log(rf"\b{path}: .*{ENV_STEP} {d.dir}.*: .*\({error}\).*{advice or ''}")
    d.wait_node("full", state="running")
    assert_lively(d, "steady")
    assert not mark.exists()
    said = subprocess.run([COPPICED, "--check", "-c", d.config], capture_output=True, text=True)
    assert f'[child:line] env_file: "{d.dir}/line", line 3: ' in said.stderr and "[child:full]" not in said.stderr
    for name in ("missing", "dir", "fifo", "big", "nul", "device"):
        assert f"warning: [child:{name}] env_file: " in said.stderr, name
    assert d.stop() == 0


def test_env_file_that_never_answers(daemon, mark):
    """A failed start after start_timeout, and nobody else's business."""
    d = daemon(start=False)
    with hung_mount(d.dir / "hung", "deaf"):
        start_with(d, ROOMY + section("hung", f"{TOUCH} {mark}", env_file=f"-{d.dir}/hung/env", start_timeout="300ms")
                   + section("steady"))
        error = {"step": "starting it took too long and was given up", "error": "ETIMEDOUT"}
        d.wait_node("hung", state="restarting", start_error=error)
        assert_lively(d, "steady")
        assert d.stop() == 0
    assert not mark.exists()


def test_who_it_is(daemon):
    """COPPICE_PATH and COPPICE_INSTANCE are its own, not those of a daemon that is itself supervised."""
    d = daemon("[supervisor:shop]\n" + section("shop/web", instances=2, env__COPPICE_PATH="mine") + section("one"),
               env={"COPPICE_PATH": "outer@9", "COPPICE_INSTANCE": "9"})
    for number in (1, 2):
        found = environment(running(d, f"shop/web@{number}"))
        assert found["COPPICE_PATH"] == f"shop/web@{number}" and found["COPPICE_INSTANCE"] == str(number)
    found = environment(running(d, "one"))
    assert found["COPPICE_PATH"] == "one" and "COPPICE_INSTANCE" not in found


# --- show --------------------------------------------------------------------------------------------------------


def test_show(daemon):
    d = daemon(section("one", nice="3", limit__nofile="100:200", cpu_affinity=first_cpu(), capabilities="")
               if os.geteuid() == 0 else section("one", nice="3", limit__nofile="100:200", cpu_affinity=first_cpu()))
    shown = d.call("show", path="one")["values"]
    assert shown["nice"] == "3" and shown["limit.nofile"] == "100:200" and shown["cpu_affinity"] == str(first_cpu())
    assert "limit.core" not in shown
    shown = d.call("show", path="one", effective=True)["values"]
    assert shown["limit.nofile"]["value"] == "100:200" and shown["limit.nofile"]["origin"].startswith(str(d.config))
    assert shown["limit.nproc"]["origin"] == "built in" and shown["no_new_privileges"] == {"value": "no", "origin": "built in"}
    assert shown["oom_score_adj"]["value"] == str(oom_score(d.pid))
    assert set(shown) >= {f"limit.{name}" for name in
                          "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()}
    said = subprocess.run([COPPICECTL, "show", "one"], env={**d.env, "COPPICE_SOCKET": str(d.socket)}, capture_output=True, text=True)
    assert said.returncode != 0 or "limit.nofile" in said.stdout
