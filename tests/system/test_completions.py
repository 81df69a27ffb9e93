"""The shells' completion: what coppicectl says can come next, and real shells that ask it."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from conftest import until
from ctl_server import BUILD, clean, daemon, node, run, serve  # noqa: F401 (serve is a fixture)

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTRIB = ROOT / "contrib/completions"
METHODS = {"methods": [{"name": "ping", "doc": "who answers"}, {"name": "status", "doc": "nodes"}]}


def answer(request):
    return METHODS if request["method"] == "help" else daemon(request)


def offered(path, *words):
    done = run(path, "complete", "--", *words)
    assert done.returncode == 0 and done.stderr == "", done
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def test_commands_and_options_are_those_of_the_tables(serve):
    path = serve(answer).path
    listed = re.findall(r"^  ([a-z]+) ", run(path, "help").stdout, re.M)
    assert offered(path, "") == listed
    assert offered(path, "help", "") == listed and offered(path, "help", "help", "") == []
    everywhere = re.findall(r"--([a-z-]+)", run(path, "help").stdout.partition("Options")[2])
    assert offered(path, "--") == ["--" + name for name in dict.fromkeys(everywhere) if name in ("socket", "json", "help", "version")]
    for command in listed:
        own = re.findall(r"^ +(?:-\w, )?--([a-z-]+)", run(path, "help", command).stdout.partition("Examples:")[0], re.M)
        assert offered(path, command, "-")[4:] == ["--" + name for name in own], command
    assert "stop\tstop nodes; they stay down until they are started again\n" in run(path, "complete", "--", "st").stdout


@pytest.mark.parametrize(
    "words, expected",
    [
        (("st",), ["status", "start", "stop"]),
        (("nonsense", ""), []),
        (("stop", "--nonsense", ""), []),
        (("stop", "--n"), ["--no-wait", "--now"]),
        (("--json", "stop", "shop/"), ["shop/db", "shop/web", "shop/web@1", "shop/web@2"]),
        (("stop", "shop/web@"), ["shop/web@1", "shop/web@2"]),
        (("stop", "--", "--n"), []),
        (("stop", "--timeout", "5s", "se"), ["setup"]),
        (("stop", "--timeout", ""), []),
        (("start", "shop", "se"), ["setup"]),
        (("ping", ""), []),
        (("raw", ""), ["ping", "status"]),
        (("raw", "ping", ""), []),
        (("check", "x"), [":file"]),
        (("-s", ""), [":file"]),
        (("--socket=/ru",), [":file"]),
        (("events", "--exec", "x"), [":program"]),
        (("events", "--severity", ""), ["info", "notice", "warning", "error"]),
        (("events", "--severity=w"), ["--severity=warning"]),
        (("events", "-fn5", "se"), ["setup"]),
        (("events", "-fn", ""), []),
        (("events", "--type", "supervisor.es"), ["supervisor.escalated"]),
        (("events", "--type=child.*,operator.st"), ["--type=child.*,operator.start", "--type=child.*,operator.stop"]),
        (("signal", "shop/db", "US"), ["USR1", "USR2"]),
        (("signal", "se"), ["setup"]),
        (("signal", "US"), []),
    ],
)
def test_what_can_come_next(serve, words, expected):
    assert offered(serve(answer).path, *words) == expected


def test_event_types_are_those_there_are():
    table = (ROOT / "src/engine/event_types.def").read_text()
    types = re.findall(r'^X\(\w+, "([a-z_.]+)"', table, re.M)
    shown = offered("/nowhere", "events", "--type", "")
    assert len(types) > 10 and {one for one in shown if "*" not in one} == set(types)
    assert {one for one in shown if "*" in one} == {one.split(".")[0] + ".*" for one in types}


def test_without_a_daemon_it_is_silent(tmp_path, serve):
    for path in ("/nowhere/at/all", tmp_path):
        assert offered(path, "stop", "") == [] and offered(path, "raw", "") == []
    assert offered(serve(lambda request: b"nonsense\n").path, "stop", "") == []


def test_a_silent_daemon_is_not_waited_for(serve):
    def never(request):
        time.sleep(8)

    start = time.monotonic()
    assert offered(serve(never).path, "stop", "") == []
    assert time.monotonic() - start < 7


def test_the_socket_on_the_line_is_asked(serve, tmp_path):
    path = serve(answer).path
    for words in (("-s", path), ("--socket", path), (f"--socket={path}",), (f"-s{path}",)):
        assert offered("/nowhere", *words, "stop", "set") == ["setup"]


def test_wild_names_do_no_harm(serve):
    names = ["$(touch x)", "`touch x`", "a b", "*", "q\"'\\", "\x1b]0;x\x07", "日本"]
    assert offered(serve(lambda request: {"nodes": [node(name) for name in names]}).path, "stop", "") == ["日本"]


# --- bash


def test_the_scripts_are_sound():
    subprocess.run(["bash", "-n", CONTRIB / "coppicectl.bash"], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "bash", "-e", "SC2034,SC2207", CONTRIB / "coppicectl.bash"], check=True)
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", CONTRIB / "_coppicectl"], check=True)


def bash_completes(path, line, breaks=None):
    """COMPREPLY for a line, with the variables that bash would set."""
    script = """
        compopt() { :; }
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        _coppicectl coppicectl "" ""
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    env = clean(COPPICE_SOCKET=str(path), PATH=os.path.join(os.path.abspath(BUILD), "bin") + ":" + os.environ["PATH"])
    if breaks is not None:
        script = f"COMP_WORDBREAKS='{breaks}'\n" + script
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", CONTRIB / "coppicectl.bash", line], capture_output=True, text=True, env=env, timeout=30
    )
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def test_bash_with_its_variables(serve):
    path = serve(answer).path
    assert bash_completes(path, "coppicectl sta") == ["status", "start"]
    assert bash_completes(path, "coppicectl stop shop/d") == ["shop/db"]
    assert bash_completes(path, "coppicectl stop 'shop/d") == ["shop/db"]
    assert bash_completes(path, "coppicectl stop shop/web@1 shop/d") == ["shop/db"]
    assert bash_completes(path, "coppicectl stop shop/web@", breaks=" =@:") == ["@1", "@2"]  # readline keeps what is before
    assert bash_completes(path, "coppicectl stop shop/web@", breaks=" =") == ["shop/web@1", "shop/web@2"]
    assert bash_completes(path, "coppicectl events --severity=e", breaks=" =") == ["error"]
    assert bash_completes(path, "coppicectl events --severity=e", breaks=" ") == ["--severity=error"]
    assert bash_completes("/nowhere", "coppicectl stop ") == []


class Shell:
    """An interactive shell on a terminal."""

    def __init__(self, directory, path, *argv):
        self.pid, self.leader = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            search = os.path.join(os.path.abspath(BUILD), "bin") + ":" + os.environ["PATH"]
            env = clean(COPPICE_SOCKET=str(path), PATH=search, TERM="dumb", PS1="> ", HISTFILE="", INPUTRC="/dev/null", HOME=str(directory))
            os.execvpe(argv[0], argv, env)
        self.text = ""

    def wait(self, pattern):
        def look():
            while select.select([self.leader], [], [], 0)[0]:
                try:
                    self.text += os.read(self.leader, 65536).decode(errors="replace")
                except OSError:
                    break
            return re.search(pattern, self.text)
        return until(lambda: f"{pattern!r} in {self.text!r}", look)

    def type(self, text):
        os.write(self.leader, text.encode())

    def line(self, text, pattern):
        """What comes of a line with tabs in it, whose command is put behind an echo; the line is carried out."""
        self.text = ""
        self.type(text + "\n")
        return self.wait(pattern)

    def close(self):
        os.close(self.leader)  # SIGHUP
        os.waitpid(self.pid, 0)


def test_bash_by_hand(serve, tmp_path):
    """Where readline begins a word is its own affair: so somebody types. A function in place of coppicectl prints what it gets."""
    (tmp_path / "some-file").write_text("")
    shell = Shell(tmp_path, serve(answer).path, "bash", "--norc", "--noprofile", "-i")
    try:
        shell.wait("> ")
        shell.type(f"source {CONTRIB}/coppicectl.bash; bind 'set enable-bracketed-paste off' 'set bell-style none'; echo re''ady\n")
        shell.wait("ready")
        # What is carried out is not coppicectl but `coppicectl () { … }`, defined in a way that keeps the completion's own calls.
        shell.type('coppicectl() { if [[ $1 = complete ]]; then command coppicectl "$@"; else printf "got<%s>" "$*"; fi; }; echo de""fined\n')
        shell.wait("defined")
        shell.line("coppicectl resta\t shop/d\t", "got<restart shop/db ?>")
        shell.line("coppicectl stop shop/web@\t2", "got<stop shop/web@2>")
        shell.line("coppicectl stop shop/web@1\t set\t", "got<stop shop/web@1 setup ?>")
        shell.line("coppicectl events --severity=wa\t", "got<events --severity=warning ?>")
        shell.line("coppicectl events --type child.exi\t", "got<events --type child.exited ?>")
        shell.line("coppicectl check som\t", "got<check some-file ?>")
        shell.line("coppicectl stop 'shop/d\t", "got<stop shop/db ?>")
        shell.line("coppicectl stop $(touch evil) `touch evil` shop/d\t\x15echo do''ne", "done")
        assert not (tmp_path / "evil").exists()
    finally:
        shell.close()


def test_zsh_by_hand(serve, tmp_path):
    if not shutil.which("zsh"):
        pytest.skip("no zsh")
    shutil.copy(CONTRIB / "_coppicectl", tmp_path)
    (tmp_path / "some-file").write_text("")
    shell = Shell(tmp_path, serve(answer).path, "zsh", "-f", "-i")
    try:
        shell.type(f"PS1='> '; fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -D; unsetopt beep; echo re''ady\n")
        shell.wait("ready")
        shell.type('coppicectl() { if [[ $1 = complete ]]; then command coppicectl "$@"; else printf "got<%s>" "$*"; fi; }; echo de""fined\n')
        shell.wait("defined")
        shell.line("coppicectl resta\t shop/d\t", "got<restart shop/db ?>")
        shell.line("coppicectl stop shop/web@\t2", "got<stop shop/web@2>")
        shell.line("coppicectl events --severity=wa\t", "got<events --severity=warning ?>")
        shell.line("coppicectl check som\t", "got<check some-file ?>")
        shell.line("coppicectl stop $(touch evil) `touch evil` shop/d\t\x15echo do''ne", "done")
        assert not (tmp_path / "evil").exists()
    finally:
        shell.close()
