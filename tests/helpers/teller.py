#!/usr/bin/python3
"""A child that tells about itself, as its script says: teller.py SCRIPT [ARGUMENT…]

SCRIPT is Python, run with the names below. What it reports goes to SCRIPT.told, a JSON value a line, which the test reads;
what it waits for are files beside the script.
"""
import array
import json
import os
import select
import signal
import socket
import sys
import time

SCRIPT = sys.argv[1]
ARGUMENTS = sys.argv[2:]


def address():
    text = os.environ["NOTIFY_SOCKET"]
    return "\0" + text[1:] if text.startswith("@") else text


def connect():
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.connect(address())
    return channel


def tell(*lines, fds=()):
    """One datagram; lines are text or bytes."""
    data = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    with connect() as channel:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        channel.sendmsg([data], rights)


def barrier(seconds=20):
    """Whether all that was told before is handled by now, as sd_notify_barrier(3) asks."""
    mine, theirs = os.pipe()
    tell("BARRIER=1", fds=[theirs])
    os.close(theirs)
    poll = select.poll()
    poll.register(mine, 0)
    over = bool(poll.poll(seconds * 1000))
    os.close(mine)
    return over


def report(value):
    with open(SCRIPT + ".told", "a") as file:
        file.write(json.dumps(value) + "\n")


def wait_for(name):
    """Until the test has made that file."""
    path = os.path.join(os.path.dirname(SCRIPT), name)
    while not os.path.exists(path):
        time.sleep(0.005)


def rest():
    while True:
        signal.pause()


def fork(function):
    """A process that does that and ends; its PID."""
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    return pid


with open(SCRIPT) as text:
    exec(compile(text.read(), SCRIPT, "exec"))
