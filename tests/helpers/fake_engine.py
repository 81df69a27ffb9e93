#!/usr/bin/python3
"""Stands in for coppice-engine, so that the reaper is tested alone: speaks src/wire/link.h on descriptor 3.

What it does is in the file named by -c: Python, run with the names below. What it tells goes to the FIFO beside
that file (FILE.told), a JSON object a line, which the test reads.
"""
import array
import json
import os
import signal
import socket
import struct
import sys
import time

EXITS, SIGNAL, STORE, DROP, COMMITTED, RECOVERED, HANDED_OVER, LEAVE, SHUTDOWN_TIMEOUT = 1, 2, 16, 17, 18, 19, 20, 21, 22


def arguments(words):
    found = {"role": words[0], "stored": {}, "hold": False}
    i = 1
    while i < len(words) and words[i] != "--":
        if words[i] == "--hold":
            found["hold"] = True
            i += 1
        elif words[i] == "--store":
            key, fd = words[i + 1].split("=")
            found["stored"][key] = int(fd)
            i += 2
        else:
            found[words[i].lstrip("-")] = int(words[i + 1])
            i += 2
    found["rest"] = words[i + 1:]
    return found


if sys.argv[1] == "compile":
    print(json.dumps({"argv": sys.argv[1:], "ignored": open("/proc/self/status").read().count("SigIgn")}))
    sys.exit(3)

args = arguments(sys.argv[1:])
generation = args["generation"]
script = args["rest"][args["rest"].index("-c") + 1]
link = None
out = os.open(script + ".told", os.O_WRONLY | os.O_CLOEXEC)


def tell(**fields):
    os.write(out, (json.dumps(dict(fields, generation=generation)) + "\n").encode())


def receive(flags=0):
    """The next message: ("exits", first, [(pid, status, user_us, system_us, rss)]) or ("signal", number)."""
    data = link.recv(65536, flags)
    kind, count, _ = struct.unpack_from("HHI", data)
    if kind == EXITS:
        first, = struct.unpack_from("Q", data, 8)
        assert len(data) == 16 + 40 * count
        return "exits", first, [struct.unpack_from("iiQQQ", data, 16 + 40 * i) for i in range(count)]
    assert kind == SIGNAL and len(data) == 16
    return "signal", struct.unpack_from("q", data, 8)[0]


def send(kind, value=0):
    link.send(struct.pack("HHIq", kind, 0, 0, value))


def store(key, fd):
    link.sendmsg([struct.pack("HHI16s", STORE, 0, 0, key.encode())],
                 [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


def drop(key):
    link.send(struct.pack("HHI16s", DROP, 0, 0, key.encode()))


def leave(status, how=0):
    link.send(struct.pack("HHIii", LEAVE, 0, 0, how, status))


def child(do):
    """A process whose parent is the reaper (as with CLONE_PARENT) runs do() and exits with its result; its PID."""
    come, go = os.pipe()
    middle = os.fork()
    if middle == 0:
        pid = os.fork()
        if pid == 0:
            os.close(come)
            os.close(go)
            link.close()
            os.setsid()
            code = 99
            try:
                code = do()
            finally:
                os._exit(code or 0)
        os.write(go, struct.pack("i", pid))
        os._exit(0)
    os.waitpid(middle, 0)
    pid, = struct.unpack("i", os.read(come, 4))
    os.close(come)
    os.close(go)
    return pid


def commit_and_recover():
    send(COMMITTED)
    send(RECOVERED)


try:
    link = socket.socket(fileno=3)
    link.setblocking(True)
    exec(compile(open(script).read(), script, "exec"), globals())
except SystemExit:
    raise
except BaseException as problem:
    tell(problem=repr(problem))
    raise
