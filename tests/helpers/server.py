"""A server that is given its sockets as sd_listen_fds(3) has it: python3 server.py [ANSWERS [STATUS]]

Each connection (or datagram) is answered with a line of JSON that tells who answers. After ANSWERS of them it ends with STATUS.
A connection that sends "die" first is not answered: it dies by KILL. "none" as ANSWERS: it takes nothing and ends at once.
"""

import json
import os
import select
import signal
import socket
import sys

answers = sys.argv[1] if len(sys.argv) > 1 else "inf"
status = int(sys.argv[2]) if len(sys.argv) > 2 else 0
if answers == "none":
    sys.exit(status)
count = int(os.environ["LISTEN_FDS"]) if os.environ.get("LISTEN_PID") == str(os.getpid()) else 0
sockets = [socket.socket(fileno=3 + i) for i in range(count)]
about = json.dumps({
    "pid": os.getpid(), "uid": os.getuid(), "names": os.environ.get("LISTEN_FDNAMES"), "count": count,
    "open": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")),
    "blocking": [os.get_blocking(one.fileno()) for one in sockets],
}).encode() + b"\n"

left = float(answers)
while left > 0 and sockets:
    one = select.select(sockets, [], [])[0][0]
    if one.type == socket.SOCK_DGRAM:
        _, sender = one.recvfrom(1000)
        one.sendto(about, sender)
    else:
        other, _ = one.accept()
        if other.recv(1000).startswith(b"die"):
            os.kill(os.getpid(), signal.SIGKILL)
        other.sendall(about)
        other.close()
    left -= 1
sys.exit(status)
