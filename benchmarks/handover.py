"""What this machine takes to wake another process: the floor under every latency."""

from __future__ import annotations

import os
import socket
import statistics
import time

ROUNDS, TRIPS = 5, 2000


def handover_us() -> float:
    """Microseconds of one round trip of a byte between two processes, over a unix socket."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        while theirs.recv(1):
            theirs.send(b".")
        os._exit(0)
    theirs.close()
    try:
        return round(statistics.median(_round(ours) for _ in range(ROUNDS)), 1)
    finally:
        ours.close()
        os.waitpid(pid, 0)


def _round(link: socket.socket) -> float:
    begin = time.perf_counter()
    for _ in range(TRIPS):
        link.send(b".")
        link.recv(1)
    return (time.perf_counter() - begin) / TRIPS * 1e6
