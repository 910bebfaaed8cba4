"""A Redis of its own behind lines of limited rate: one for what goes up, one for the rest."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from types import TracebackType

from tests.redis_server import REDIS_6, executable

PIECE_BYTES = 32 * 1024
LATE_SECONDS = 0.0005
"""Shorter pauses than this are made up for later: nobody sleeps so briefly."""
START_SECONDS = 10.0


def own_address() -> str:
    """Of this machine in its network; or loopback, where workers would share files instead."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])
    return "127.0.0.1"


class Line:
    """One direction: bytes of all connections follow each other at its rate."""

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._free_at = 0.0
        self._lock = threading.Lock()
        self.moved_bytes = 0

    def carry(self, size: int) -> None:
        """Return when so many bytes would have arrived."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + size / self._rate
            self.moved_bytes += size
            wait = self._free_at - time.monotonic()
        if wait > LATE_SECONDS:
            time.sleep(wait)


class ThrottledRedis:
    """`with ThrottledRedis(rate) as store:` then `store.url`; for processes that can wait."""

    def __init__(self, bytes_per_second: float) -> None:
        self.up, self.down = Line(bytes_per_second), Line(bytes_per_second)
        self._password = secrets.token_hex(16)
        self._folder = tempfile.mkdtemp(prefix="wf", dir="/tmp")
        self._socket_path = f"{self._folder}/redis.sock"

    def __enter__(self) -> ThrottledRedis:
        options = {
            "port": "0",
            "unixsocket": self._socket_path,
            "dir": self._folder,
            "save": "",
            "appendonly": "no",
            "requirepass": self._password,
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        self._process = subprocess.Popen([executable(REDIS_6), *words], stdout=subprocess.DEVNULL)
        self._door = socket.create_server((own_address(), 0))
        host, port = self._door.getsockname()
        self.url = f"redis://:{self._password}@{host}:{port}"
        self._to_redis().close()
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._door.close()
        self._process.terminate()
        self._process.wait(START_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _to_redis(self) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            inside = socket.socket(socket.AF_UNIX)
            try:
                inside.connect(self._socket_path)
                return inside
            except OSError:
                inside.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _welcome(self) -> None:
        with suppress(OSError):  # the door has been closed
            while True:
                outside, _ = self._door.accept()
                outside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                inside = self._to_redis()
                for line, source, to in (
                    (self.up, outside, inside),
                    (self.down, inside, outside),
                ):
                    threading.Thread(target=_pump, args=(line, source, to), daemon=True).start()


def _pump(line: Line, source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            line.carry(len(piece))
            to.sendall(piece)
    for end in (source, to):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
