"""A bad network in front of a Redis server: replies get lost, connections are cut."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from typing import Self

CHUNK_BYTES = 1 << 16


class FaultyProxy:
    """`with FaultyProxy(server.socket_path) as proxy`: clients use `proxy.url`.

    A lost reply: the server has carried the command out, the client sees its connection close.
    """

    def __init__(self, server_path: str) -> None:
        self._server_path = server_path
        self._folder = tempfile.mkdtemp(prefix="wf", dir="/tmp")
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._losing = 0
        self._lose_each = 0
        self._replies = 0
        self.lost_replies = 0
        self.url = f"unix://{self._folder}/proxy.sock"
        self._listener = socket.socket(socket.AF_UNIX)

    def lose_replies(self, count: int = 1) -> None:
        """The next `count` replies do not arrive."""
        with self._lock:
            self._losing = count

    def lose_each(self, nth: int) -> None:
        """From now on every nth reply does not arrive; 0 ends it."""
        with self._lock:
            self._lose_each, self._replies = nth, 0

    def cut(self) -> None:
        """Close every connection that is open now."""
        with self._lock:
            cut, self._open = self._open, []
        for end in cut:
            _close(end)

    def __enter__(self) -> Self:
        self._listener.bind(self.url.removeprefix("unix://"))
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._listener)
        self._threads[0].join()
        self.cut()
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._folder)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="faulty proxy")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with self._lock:
            self._open += [client, server]
        try:
            server.connect(self._server_path)
        except OSError:
            _close(client)
            _close(server)
            return
        self._start(self._pump, client, server, lambda: False)
        self._start(self._pump, server, client, self._loses_reply)

    def _pump(self, source: socket.socket, sink: socket.socket, loses: Callable[[], bool]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                if loses():
                    break
                sink.sendall(data)
        _close(source)
        _close(sink)

    def _loses_reply(self) -> bool:
        with self._lock:
            self._replies += 1
            by_rate = self._lose_each > 0 and self._replies % self._lose_each == 0
            lost = self._losing > 0 or by_rate
            self._losing = max(0, self._losing - 1)
            self.lost_replies += lost
        return lost


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
