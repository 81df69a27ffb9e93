"""The configuration in several files, profiles, and --dump, from outside."""

import os
import re
import subprocess

from conftest import COPPICED, until

MAIN = """
include = conf.d/*.conf
"""
TREE = """
[profile:patient]
start_timeout = 2m
env.FROM = profile
[defaults]
env.FROM = defaults
env.LITERAL = $${HOME} 100%%
[supervisor:shop]
child.profile = patient
[child:shop/web]
command = /bin/sh -c 'echo "$FROM, $LITERAL" >$0/web; exec sleep 1000' ${COPPICE_TEST_DIR}
"""


def write_parts(one):
    parts = one.dir / "conf.d"
    parts.mkdir()
    (parts / "20-b.conf").write_text("[child:b]\ncommand = sleep 1000\nautostart = no\n")
    (parts / "10-a.conf").write_text("[child:a]\ncommand = sleep 1000\nprofile = patient\nautostart = no\n[defaults]\numask = 027\n")
    (parts / "ignored.conf~").write_text("junk\n")
    return parts


def run(one, *args, **more):
    return subprocess.run([COPPICED, "-c", one.config, *args], capture_output=True, text=True, timeout=30, env=one.env, **more)


def make(daemon):
    one = daemon(TREE, coppice=MAIN, start=False)
    one.env["COPPICE_TEST_DIR"] = str(one.dir)
    write_parts(one)
    return one


def test_files_and_profiles_hold(daemon):
    """The tree has the children of all files, in their order; a profile's values come before [defaults]."""
    one = make(daemon).start().ready()
    one.wait_node("shop/web", state="running")
    assert list(one.nodes()) == ["/", "shop", "shop/web", "a", "b"]
    written = one.dir / "web"
    until("what the child writes", lambda: written.exists() and written.read_text() == "profile, ${HOME} 100%\n")
    assert written.stat().st_mode & 0o777 == 0o640  # umask: [defaults] of an included file


def test_dump_reads_as_the_same(daemon):
    """What --dump prints has all values and where they are from, and taken as a configuration it dumps the same."""
    one = make(daemon)
    first = run(one, "--dump")
    assert (first.returncode, first.stderr) == (0, "")
    part = one.dir / "conf.d/10-a.conf"
    assert re.search(rf"^\[child:a\]\n# {part}:2\ncommand = sleep 1000\n", first.stdout, re.M)
    assert f"# {part}:6\numask = 027\n" in first.stdout
    assert "start_timeout = 2m\n" in first.stdout
    assert "\nenv.LITERAL = $${HOME} 100%%\n" in first.stdout
    assert "\n#stop = TERM 5s KILL\n" in first.stdout
    one.config.write_text(first.stdout)
    second = run(one, "--dump")
    assert (second.returncode, second.stderr) == (0, "")
    values = [[line for line in text.splitlines() if not line.startswith("#")] for text in (first.stdout, second.stdout)]
    assert values[0] == values[1]
    started = one.start().ready()
    assert list(started.nodes()) == ["/", "shop", "shop/web", "a", "b"]


def test_errors_name_their_file(daemon):
    """Everything that is wrong is said at its place, in whichever file, and nothing starts or is dumped."""
    one = make(daemon)
    parts = one.dir / "conf.d"
    (parts / "20-b.conf").write_text("[child:a]\ncommand = x\n[child:c]\ncommand = x\nprofile = patent\n[defaults]\numask = 1\n")
    (parts / "30-c.conf").write_text("[coppice]\ninclude = ../coppice.conf gone.conf\n")
    (parts / "40.conf").mkdir()
    os.mkfifo(parts / "50.conf")
    wanted = [
        f'{parts}/20-b.conf:1: [child:a]: "a" is declared already, as [child:a] in {parts}/10-a.conf:1',
        f'{parts}/20-b.conf:5: [child:c] profile: there is no profile "patent" (did you mean "patient"?)',
        f"{parts}/20-b.conf:7: [defaults] umask: set already in {parts}/10-a.conf:6: take one of the two away",
        f"{parts}/30-c.conf:2: [coppice] include: files that include each other have no end",
        f'{parts}/30-c.conf:2: [coppice] include: there is no file "{parts}/gone.conf"',
        f"{parts}/40.conf: is a directory, not a file: name those in it, such as DIRECTORY/*.conf (included in {one.config}:4)",
        f"{parts}/50.conf: is a FIFO, not a file: name a file (included in {one.config}:4)",
    ]
    for args in ["--check"], ["--dump"], []:
        done = run(one, *args)
        assert (done.returncode, done.stdout) == (78, ""), done.stderr
        assert [text for text in wanted if text not in done.stderr] == [], done.stderr


def test_as_many_nodes_as_there_may_be(daemon):
    """coppice.conf(5): 100,000 nodes are started and listed; one more is an error that says where and what to do."""
    children = "[child:a]\ncommand = true\ninstances = 65535\n[child:b]\ncommand = true\ninstances = {}\n[defaults]\nautostart = no\n"
    one = daemon(children.format(34465), start=False)
    done = run(one)
    assert (done.returncode, done.stdout) == (78, "")
    assert re.search(r":\d+: \[child:b\] instances: makes 100001 nodes .* more than the 100000 of a tree: leave some out", done.stderr)
    one.config.write_text(one.config.read_text().replace("34465", "34464"))
    assert ": OK: 1 supervisor with the root, 99999 children\n" in run(one, "--check").stdout
    one.start().ready()
    assert len(one.nodes()) == 100000


def test_a_file_of_any_name(daemon):
    """Names of files are others' to choose: nothing of them acts on a terminal."""
    one = daemon("include = conf.d/*", coppice="", start=False)
    one.config.write_text("[coppice]\ninclude = conf.d/*\n")
    parts = one.dir / "conf.d"
    parts.mkdir()
    (parts / "\x1b[2J\u202e.conf").write_text("[child:a]\ncomand = x\n")
    done = run(one, "--check")
    assert f'{parts}/<U+001B>[2J<U+202E>.conf:2: [child:a] comand: no such key (did you mean "command"?)\n' == done.stderr
