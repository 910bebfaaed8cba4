"""A Redis connection of a few lines: importing redis-py costs as much as a thousand PINGs."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from wfnb.errors import StoreError

Reply = str | int | bytes | None


class Wire:
    """RESP2 over one unix socket, one command at a time, replies without arrays.

    Raises OSError when the server is not there, StoreError with its words when it refuses.
    """

    def __init__(self, socket_path: str, *, timeout_seconds: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_seconds)
        self._replies = self._socket.makefile("rb")
        try:
            self._socket.connect(socket_path)
        except OSError:
            self.close()
            raise

    def call(self, *words: str | bytes) -> Reply:
        encoded = [word.encode() if isinstance(word, str) else word for word in words]
        parts = [b"*%d\r\n" % len(encoded)]
        parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]
        self._socket.sendall(b"".join(parts))
        return self._read()

    def close(self) -> None:
        self._replies.close()
        self._socket.close()

    def _read(self) -> Reply:
        line = self._replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, text = line[:1], line[1:-2]
        if kind == b"-":
            raise StoreError(text.decode(errors="replace"))
        if kind == b"+":
            return text.decode()
        count = int(text)
        if kind == b":":
            return count
        if count < 0:
            return None
        return self._replies.read(count + 2)[:-2]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
