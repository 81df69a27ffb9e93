"""`coppiced --check` and `--help keys`, as people run them: good files are good without a word, wrong ones say why."""

import os
import re
import subprocess

import pytest

from conftest import COPPICED, ROOT


def coppiced(*arguments, **more):
    return subprocess.run([COPPICED, *arguments], capture_output=True, timeout=60, **more)


def check(tmp_path, text):
    config = tmp_path / "t.conf"
    config.write_bytes(text.encode() if isinstance(text, str) else text)
    done = coppiced("--check", "-c", config, cwd=tmp_path)
    return done.returncode, done.stdout.decode(), done.stderr.decode().replace(str(tmp_path) + "/", "")


def manual_configuration():
    """The example of coppice.conf(5), with users and programs that are here."""
    text = (ROOT / "man/coppice.conf.5").read_text()
    text = text[text.index(".Sh EXAMPLES\n.Bd -literal\n") :].split("\n.Ed\n")[0]
    text = "\n".join(line for line in text.splitlines() if not line.startswith("."))
    return re.sub("child.user .*", "", text).replace("/usr/bin/redis-server", "sleep").replace("/srv/shop/web", "sleep")


def test_what_the_manual_shows_is_good(tmp_path):
    status, out, err = check(tmp_path, manual_configuration())
    assert (status, err) == (0, ""), err
    assert out.startswith(f"{tmp_path}/t.conf: OK: ")


@pytest.mark.parametrize("name", ["coppice.conf", "demo/demo.conf"])
def test_what_is_in_etc_is_good(name):
    done = coppiced("--check", "-c", ROOT / "etc" / name, env={**os.environ, "DEMO_DIR": "/tmp"})
    if os.geteuid() == 0 and b"root would run" in done.stderr:
        pytest.skip("the sources belong to others")
    assert (done.returncode, done.stderr) == (0, b"")


def test_files_that_are_not_there(tmp_path):
    """Warnings: they may come by the time they are needed."""
    (tmp_path / "not-a-program").write_text("")
    status, out, err = check(
        tmp_path,
        f"[child:a]\ncommand = {tmp_path}/nothing\ndirectory = {tmp_path}/t.conf\nstdin = {tmp_path}\n"
        f"log_file = {tmp_path}\n[child:b]\ncommand = {tmp_path}/not-a-program\nlog_file = {tmp_path}/new.log\n",
    )
    assert status == 0 and ": OK: " in out
    assert [line.split(": ", 1)[0] for line in err.splitlines()] == [f"t.conf:{n}" for n in (2, 3, 4, 5, 7)]
    for line, said in zip(
        err.splitlines(),
        ["No such file or directory", "is no directory", "is a directory", "is a directory", "is not executable: chmod +x"],
    ):
        assert ": warning: [child:" in line and said in line


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0" * 4096,
        b"\xff\xfe[\0c\0",
        bytes(range(256)) * 64,
        b"[" * 100000,
        b"[child:a]\ncommand = x\n" + b" y\n" * 100000,
        b"".join(b"[supervisor:%s]\n" % b"/".join([b"s"] * n) for n in range(1, 200)),
        b"[child:" + b"n" * 65000 + b"]\ncommand = A=" + b"x" * 65000 + b"\nstop = " + b"TERM 1s " * 8000 + b"\n",
    ],
    ids=["nothing", "NULs", "UTF-16", "all bytes", "brackets", "a long value", "depth", "long words"],
)
def test_no_file_is_too_odd(tmp_path, text):
    """Each is told of or taken; none ends the program otherwise."""
    status, out, err = check(tmp_path, text)
    assert status in (0, 78)
    assert (status == 0) == (": OK: " in out)
    assert status == 0 or err.startswith("t.conf")
    assert "\0" not in err and len(err) < 2000000


def test_help_keys():
    done = coppiced("--help", "keys")
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert all(len(line) <= 80 for line in text.splitlines())
    table = re.findall(r'^KEY\(\w+, \.name = "([^"]+)"', (ROOT / "src/config/keys.def").read_text(), re.M)
    assert len(table) > 100
    for name in table:
        assert re.search(rf"^  {re.escape(name)}", text, re.M), name
