"""What one attempt printed: the first mebibyte and the last, and how much fell between."""

from __future__ import annotations

HEAD_BYTES = TAIL_BYTES = 1024 * 1024


class OutputLog:
    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._size = 0

    def append(self, text: bytes, *, at: int | None = None) -> None:
        if at is not None:
            text = text[max(0, self._size - at) :]
        self._size += len(text)
        room = HEAD_BYTES - len(self._head)
        self._head += text[:room]
        self._tail += text[room:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def shown(self) -> bytes:
        return shown(bytes(self._head), bytes(self._tail[-TAIL_BYTES:]), self._size)


def shown(head: bytes, tail: bytes, size: int) -> bytes:
    left_out = size - len(head) - len(tail)
    if not left_out:
        return head + tail
    return b"%s\n... %d bytes left out ...\n%s" % (head, left_out, tail)
