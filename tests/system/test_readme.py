"""The tour in the README, typed in by somebody without privileges, on a terminal: each command does what it says there.

What the README shows of the output has to come; PIDs, times and the widths of columns may differ. A paragraph that ends
in "NAME:" and a block without commands is a file; all other blocks are commands behind "$ " and what they print.
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import time

import pytest
from conftest import BUILD, PATIENCE, ROOT, until

README = (ROOT / "README").read_text()
TITLE = "A tour\n------\n"
PROMPT = "tour\x01%s\x02"  # nothing prints that; %s is the exit status
STATUSES = {"coppiced -c typo.conf --check": 78}  # what does not end with 0
LOOKS = re.compile(r"coppicectl (tree|status|why|events|ping)\b")  # may be asked again until it is as shown
COLOUR = re.compile(r"\033\[[0-9;?]*[a-zA-Z]")


def blocks():
    """The tour as it is typed: ("file", name, text) and ("command", line, lines of output or [])."""
    text = README[README.index(TITLE) + len(TITLE) :]
    text = text[: re.search(r"^.+\n---+$", text, re.M).start()]
    name, found = None, []
    for part in re.findall(r"(?:^(?:    .*)?\n)+|(?:^(?! {4}|$).*\n)+", text, re.M):
        if not part.strip():
            continue
        if not part.lstrip("\n").startswith("    "):
            name = (re.findall(r"(\S+):\n$", part) or [None])[0]
            continue
        lines = [line[4:] for line in part.strip("\n").split("\n")]
        if not lines[0].startswith("$ "):
            found.append(("file", name, "\n".join(lines) + "\n"))
            continue
        for line in lines:
            if line.startswith("$ "):
                found.append(("command", line[2:], []))
            elif line:
                found[-1][2].append(line)
    return found


WILD = re.compile(
    r"(?P<any>^\.\.\.$)|(?P<date>\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<span>(?:\d[\d.]*(?:ms|[smhd]))+\b)|(?P<pid>\d{3,})|(?P<blank>\s+)", re.M)
PATTERNS = {"any": r"(?s:.*)", "date": r"[\dT:.-]+Z", "span": r"(?:\d[\d.]*(?:ms|[smhd]))+", "pid": r"\d+", "blank": r"\s+"}


def fits(shown, lines):
    """Whether the lines are those of the README, but for times, PIDs and blanks; "..." there stands for any number of lines."""
    text, result, at = "\n".join(shown), "", 0
    for match in WILD.finditer(text):
        result += re.escape(text[at : match.start()]) + PATTERNS[match.lastgroup]
        at = match.end()
    result = (result + re.escape(text[at:])).replace(PATTERNS["any"] + r"\s+", PATTERNS["any"])
    return re.fullmatch(rf"\s*{result}\s*", "\n".join(lines) + "\n") is not None


class Shell:
    """An interactive bash on a terminal of 80 columns."""

    def __init__(self, directory, **user):
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        mode = termios.tcgetattr(follower)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(follower, termios.TCSANOW, mode)
        (directory / "run").mkdir(mode=0o700)
        if user:
            os.chown(directory, user["user"], user["group"])
            os.chown(directory / "run", user["user"], user["group"])
        env = {"PATH": os.environ["PATH"], "HOME": str(directory), "TMPDIR": str(directory), "TERM": "xterm", "LC_ALL": "C.UTF-8",
               "XDG_RUNTIME_DIR": str(directory / "run"), "PS1": PROMPT % "$?"}
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "--noediting", "-i"], stdin=follower, stdout=follower, stderr=follower, env=env,
            cwd=directory, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **user)
        os.close(follower)
        self.answer()

    def answer(self):
        """What comes until the next prompt: exit status and lines."""
        text, deadline = "", time.monotonic() + PATIENCE
        while not (end := re.search(PROMPT % r"(\d+)", text)):
            assert select.select([self.leader], [], [], max(0, deadline - time.monotonic()))[0], f"no prompt comes after {text!r}"
            text += os.read(self.leader, 65536).decode(errors="replace")
        lines = COLOUR.sub("", text[: end.start()]).replace("\r", "").split("\n")
        return int(end[1]), [line for line in lines if line and not re.match(r"\[1\]", line)]  # [1]: the shell on its jobs

    def run(self, line):
        os.write(self.leader, line.encode() + b"\n")
        return self.answer()

    def uptime(self, path):
        _, lines = self.run(f"coppicectl --json status {path}")
        return json.loads("".join(lines))["result"]["nodes"][0].get("uptime_s", 0)

    def close(self):
        """Stops the daemon, if the tour has not, and leaves."""
        self.run("kill $! 2>/dev/null; wait")
        os.write(self.leader, b"exit\n")
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            os.close(self.leader)


@pytest.fixture
def shell():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="tour-", dir="/tmp"))  # short: a socket is in there
    directory.chmod(0o755)
    # a copy, since the build may be where nobody else comes
    for part in ("bin", "libexec"):
        shutil.copytree(BUILD / part, directory / "build" / part)
    one = Shell(directory, **({"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}))
    yield one
    one.close()
    shutil.rmtree(directory)


def test_the_tour(shell):
    here = pathlib.Path(f"/proc/{shell.process.pid}/cwd")
    for kind, what, shown in blocks():
        if kind == "file":
            (here / what).write_text(shown)
            continue
        if what.startswith(("rm ", "coppicectl signal ")):  # nobody types so quickly that it has not run for stable_after
            until(lambda: f"a second of running: {shell.run('coppicectl status')}", lambda: shell.uptime("web/store") > 1.1)
        deadline = time.monotonic() + PATIENCE
        while True:
            status, lines = shell.run(what)
            good = status == STATUSES.get(what, 0) and fits(shown, lines)
            if good or not LOOKS.match(what) or time.monotonic() > deadline:
                break
        assert good, "\n".join([f"$ {what}", "--- in the README:", *shown, f"--- it printed, with status {status}:", *lines])
        if what.endswith("&"):  # ... nor that it does not answer yet
            until("the daemon", lambda: shell.run("coppicectl ping")[0] == 0)
    assert (here / "life.svg").read_text().rstrip().endswith("</svg>") and "web/page@2" in (here / "tree.dot").read_text()


def test_it_is_no_long_read():
    assert README.count("\n") < 220 and max(map(len, README.splitlines())) <= 84
