"""Debian's nginx, redis-server, PostgreSQL and cron, run by the examples in etc/examples as they stand: started, killed, reloaded and stopped; as
root, and as the user that they are of. In a directory of their own, and on ports of their own.
"""

import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest
from conftest import ROOT, children, process, until

EXAMPLES = ROOT / "etc/examples"
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
as_root = os.geteuid() == 0
WHO = ["root", "own user"] if as_root else ["own user"]


def needs(program, package):
    """Skips where it is not installed; in .ci/run it is."""
    if not shutil.which(program, path=f"{PATH}:{POSTGRES}"):
        assert not os.environ.get("CI"), f"{package} is to be installed here"
        pytest.skip(f"{package} is not installed")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def as_user(name):
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--init-groups", "--"]


class Service:
    """An example's daemon, in a directory that belongs to its user."""

    def __init__(self, daemon, name, user, who, files, env=None, **kwargs):
        self.user = user if as_root else pwd.getpwuid(os.getuid()).pw_name
        self.path, wrapper = name, as_user(self.user) if as_root and who == "own user" else kwargs.pop("wrapper", ())
        self.d = daemon((EXAMPLES / f"{name}.conf").read_text(), start=False, wrapper=wrapper, **kwargs)
        self.d.env = {"PATH": PATH, "COPPICE_TEST": self.d.token, "LC_ALL": "C", **(env or {})}
        self.d.dir.chmod(0o755)
        self.dir = self.d.dir / "own"
        self.dir.mkdir()
        for file, text in files.items():
            (self.dir / file).write_text(text.replace("@DIR@", str(self.dir)))
        self.own(self.dir if who == "root" else self.d.dir)

    def own(self, place):
        """Root trusts no configuration that is somebody else's."""
        for one in (place, *place.rglob("*")) if as_root else ():
            shutil.chown(one, self.user, pwd.getpwnam(self.user).pw_gid)

    def start(self):
        self.d.start()
        return self.running()

    def running(self):
        return self.d.wait_node(self.path, state="running")["pid"]

    def kill(self):
        """kill -9 of its main process: another one runs, soon."""
        old = self.running()
        os.kill(old, signal.SIGKILL)
        return self.d.wait_node(self.path, state="running", pid=lambda pid: pid not in (None, old))["pid"]

    def reload(self):
        """HUP, with which it goes on."""
        pid = self.running()
        self.d.call("signal", path=self.path, signal="HUP")
        assert self.d.node(self.path)["pid"] == pid
        return pid

    def stop(self, ends):
        """By its example's sequence, without any KILL; nothing of it is left. Then a shutdown."""
        begin, pid = time.monotonic(), self.running()
        self.d.call("stop", path=self.path, wait=True)
        assert self.d.node(self.path)["state"] == "stopped" and not process(pid)
        assert time.monotonic() - begin < 20
        last = re.findall(rf"{self.path}: (exited|killed).*", self.d.log())[-1]
        assert re.findall(rf"{self.path}: ((?:exited|killed)[^(]*) after", self.d.log())[-1] == ends, last
        assert self.d.stop() == 0
        until(lambda: f"nothing to be left but {self.d.family()}", lambda: not self.d.family())


def answer(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
            return reply.read().decode()
    except (OSError, ValueError):
        return None


NGINX = """worker_processes 2;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path @DIR@/body; proxy_temp_path @DIR@/proxy; fastcgi_temp_path @DIR@/fastcgi; uwsgi_temp_path @DIR@/uwsgi; scgi_temp_path @DIR@/scgi;
	server { listen 127.0.0.1:PORT; location / { return 200 "TEXT"; } }
}
"""


@pytest.mark.parametrize("who", WHO)
def test_nginx(daemon, who):
    needs("nginx", "nginx")
    port = free_port()
    text = NGINX.replace("PORT", str(port))
    one = Service(daemon, "nginx", "www-data", who, {"nginx.conf": text.replace("TEXT", "one")})
    one.d.env["NGINX_CONF"] = str(one.dir / "nginx.conf")
    master = one.start()
    until("a page", lambda: answer(port) == "one")
    old = until("its workers", lambda: len(found := [kid.pid for kid in children(master)]) == 2 and found)
    one.kill()
    until("a page again", lambda: answer(port) == "one")
    until("the old workers to be gone", lambda: not any(map(process, old)))
    (one.dir / "nginx.conf").write_text(text.replace("TEXT", "two").replace("@DIR@", str(one.dir)))
    one.reload()
    until("the other page", lambda: answer(port) == "two")
    one.stop("exited with status 0")
    assert answer(port) is None


def redis(port, *words):
    """One command; its answer's lines, or None."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as to:
            to.sendall(b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)]))
            return to.recv(4096).decode().splitlines()
    except OSError:
        return None


@pytest.mark.parametrize("who", WHO)
def test_redis(daemon, who):
    """What was written is there after a stop and a start; HUP does it no harm."""
    needs("redis-server", "redis-server")
    port = free_port()
    one = Service(daemon, "redis", "redis", who, {"redis.conf": f"bind 127.0.0.1\nport {port}\ndir @DIR@\ndaemonize yes\nsave 3600 1\n"})
    one.d.env.update(REDIS_CONF=str(one.dir / "redis.conf"), REDIS_USER=one.user)
    pid = one.start()
    assert redis(port, "PING") == ["+PONG"], "it is ready when it says so"
    assert pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name == one.user
    one.kill()
    assert redis(port, "PING") == ["+PONG"]
    assert redis(port, "SET", "tree", "hazel") == ["+OK"]
    one.reload()
    one.d.call("stop", path="redis", wait=True)
    assert redis(port, "PING") is None
    one.d.call("start", path="redis")
    one.running()
    assert redis(port, "GET", "tree") == ["$5", "hazel"]
    one.stop("exited with status 0")


def query(place, text):
    done = subprocess.run(["psql", "-XAt", "-h", place, "-U", "coppice", "-c", text, "postgres"], capture_output=True, text=True,
                          env={"PATH": PATH, "PGCONNECT_TIMEOUT": "5"}, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@pytest.mark.parametrize("who", WHO)
def test_postgresql(daemon, who):
    """A stop is a fast shutdown: it does not wait for whoever is connected; what was committed outlives a kill."""
    needs("postgres", "postgresql")
    one = Service(daemon, "postgresql", "postgres", who, {})
    data = one.dir / "data"
    subprocess.run([*(as_user(one.user) if as_root else []), POSTGRES / "initdb", "--no-sync", "--no-locale", "-A", "trust", "-U", "coppice", "-D", data],
                   check=True, stdout=subprocess.DEVNULL, cwd=one.dir)
    settings = data / "postgresql.conf"
    text = f"listen_addresses = ''\nunix_socket_directories = '{one.dir}'\nfsync = off\nmax_connections = 10\nshared_buffers = 1MB\n"
    settings.write_text(text)
    one.own(one.dir)
    one.d.env.update(PG_DATA=str(data), PG_USER=one.user)
    one.start()
    assert query(one.dir, "CREATE TABLE trees AS SELECT 'hazel' AS name") == "SELECT 1", "it is ready when it says so"
    one.kill()
    assert query(one.dir, "SELECT name FROM trees") == "hazel"
    settings.write_text(text + "work_mem = 7MB\n")
    one.reload()
    until("the new setting", lambda: query(one.dir, "SHOW work_mem") == "7MB")
    client = subprocess.Popen(["psql", "-XAtq", "-h", one.dir, "-U", "coppice", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, env={"PATH": PATH})
    try:
        client.stdin.write("SELECT 'connected';\n")
        client.stdin.flush()
        assert client.stdout.readline() == "connected\n"
        one.stop("exited with status 0")
    finally:
        client.kill()
        client.communicate()


# Tables of its own only, and nothing of what a real one has in /run.
OWN_CRON = """mount --make-rprivate / && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/spool/cron && mkdir /var/spool/cron/crontabs &&
mount -t tmpfs tmpfs /etc/cron.d && : >/run/crontab && mount --bind /run/crontab /etc/crontab &&
echo "@reboot root touch $DIR/ran; exec sleep $NAP" >/etc/cron.d/test && exec "$@"
"""


@pytest.mark.skipif(not as_root, reason="cron is root's")
def test_cron(daemon):
    """A job that runs is not touched by cron's end."""
    needs("cron", "cron")
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no namespace of mounts here")
    one = Service(daemon, "cron", "root", "root", {}, wrapper=["unshare", "-m", "sh", "-ec", OWN_CRON, "sh"])
    nap = str(random.randrange(10**6, 10**9))  # no other test's
    one.d.env |= {"DIR": str(one.dir), "NAP": nap}
    one.start()
    until("its job to have begun", (one.dir / "ran").exists)
    job = until("its job", lambda: job_of(nap))
    one.kill()
    one.reload()
    assert process(job.pid) and not process(job.pid).zombie
    one.d.call("stop", path="cron", wait=True)
    assert process(job.pid) and not process(job.pid).zombie
    os.kill(job.pid, signal.SIGKILL)
    one.d.call("start", path="cron")
    one.stop("killed by SIGTERM")


def job_of(nap):
    """cron gives its jobs an environment of their own: this one is known by what it does."""
    found = (process(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return next((one for one in found if one and not one.zombie and one.argv == ["sleep", nap]), None)
