"""What wakes the fleet's loop: signals from outside, and what its threads post."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

from wfnb.workers.docker.dock import Message
from wfnb.workers.pool import listen_to_signals


class Doorbell:
    """Threads post, the loop waits and takes."""

    def __init__(self) -> None:
        self.signals = listen_to_signals()
        self.was_told = False
        """To end, by a signal."""
        self._ear, self._ring = os.pipe()
        os.set_blocking(self._ring, False)
        self._posted: SimpleQueue[Message] = SimpleQueue()

    def post(self, message: Message) -> None:
        self._posted.put(message)
        with suppress(BlockingIOError):  # it is full of rings: nobody sleeps
            os.write(self._ring, b"\0")

    def wait(self, seconds: float) -> bool:
        """For at most so long; False once a signal has come."""
        ready, _, _ = select.select([self.signals, self._ear], [], [], max(0.0, seconds))
        if self._ear in ready:
            os.read(self._ear, 4096)
        self.was_told = self.was_told or self.signals in ready
        return not self.was_told

    def posted(self) -> Iterator[Message]:
        """In the order in which it happened."""
        with suppress(Empty):
            while True:
                yield self._posted.get_nowait()
