"""Runs a command as process 1 of a container: contained.py ROOT [no-proc] [no-dev] [writable] -- COMMAND [ARGUMENT]...

New namespaces, pivot_root, a root that cannot be written, a user that nobody knows and no capabilities. Ends as process 1 ends; 99: there are
no such namespaces here.
"""

import ctypes
import os
import signal
import sys

USER = 12345
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 1, 2, 32, 4096, 16384, 1 << 18, 2
PR_SET_PDEATHSIG, PIVOT_ROOT = 1, {"x86_64": 155, "aarch64": 41}[os.uname().machine]
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    args = [arg.encode() if isinstance(arg, str) else ctypes.c_ulong(arg) if isinstance(arg, int) else arg for arg in args]
    if getattr(LIBC, name)(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)


def own_namespaces():
    uid, root = os.geteuid(), os.geteuid() == 0
    call("unshare", NEWNS | NEWUTS | NEWIPC | NEWPID | (0 if root else NEWUSER))
    if not root:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{USER} {uid} 1"), ("gid_map", f"{USER} {os.getegid()} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)


def enter(root, options):
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    call("mount", root, root, None, MS_BIND | MS_REC, None)
    os.chdir(root)
    if "no-proc" not in options:
        call("mount", "proc", "proc", "proc", MS_NOSUID, None)
    if "no-dev" not in options:
        if not os.path.exists("dev/null"):
            open("dev/null", "wb").close()
        call("mount", "/dev/null", "dev/null", None, MS_BIND, None)
    if "writable" not in options:
        call("mount", None, root, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
    call("syscall", PIVOT_ROOT, ".", ".")
    call("umount2", ".", MNT_DETACH)
    os.chdir("/")


def main():
    split = sys.argv.index("--")
    root, options, command = os.path.realpath(sys.argv[1]), sys.argv[2:split], sys.argv[split + 1:]
    try:
        own_namespaces()
    except OSError as problem:
        print(f"no namespaces: {problem}", file=sys.stderr)
        sys.exit(99)
    first = os.fork()
    if first == 0:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        enter(root, options)
        if os.getuid() == 0:
            os.setgroups([])
            os.setresgid(USER, USER, USER)
            os.setresuid(USER, USER, USER)
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a new identity has none
        os.execv(command[0], command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(first, number))
    status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    sys.exit(status if status >= 0 else 128 - status)


main()
