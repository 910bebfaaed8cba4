"""Messages to a page: merged while they wait, numbered, and few; and the sum of all, for newcomers.

A server drops what comes too fast, and a page may be loaded at any time. So at most twenty messages
a second leave, each with a number, and whoever misses one is given everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import Any

Message = dict[str, Any]

MOST_OFTEN_SECONDS = 0.06
LOG_LINES = 300
"""What a newcomer is told of each log; it asks for the rest when somebody reads it."""


class Mailbox:
    """Takes parts of the picture from any thread.

    `g` the graph, `w` the workers, `c` what they use: each replaces what was told before. `r`
    facts of the run and `d` rows of tasks by number: each fact and row replaces its predecessor.
    `e` errors and `q` tasks that printed nothing: those told before stay. `l` lines of logs, from
    a given one on. `reset` forgets rows, workers, errors and logs first.
    """

    def __init__(
        self, send: Callable[[Message], None], *, most_often_seconds: float = MOST_OFTEN_SECONDS
    ) -> None:
        self._send = send
        self._pause = most_often_seconds
        self._lock = Lock()
        self._all: Message = {}
        self._waiting: Message = {}
        self._number = 0
        # As if just sent: what is put together with a graph's first picture leaves with it.
        self._sent_at = time.monotonic()
        self._timer: Timer | None = None
        self._holders = 0
        self._is_closed = False

    def put(self, message: Message) -> None:
        if not message:
            return
        with self._lock:
            merge(self._all, message)
            self._all.pop("reset", None)
            merge(self._waiting, message)
            self._soon()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is put meanwhile leaves as one message, whatever goes wrong between."""
        with self._lock:
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                self._soon()

    def flush(self) -> None:
        """Send what waits, now."""
        with self._lock:
            self._leave()

    def whole(self) -> Message:
        """The picture as it is, with the number of the last message that is part of it.

        What still waits is part of it too: it will come again, and changes nothing.
        """
        with self._lock:
            told = _written(self._all)
            told["l"] = {name: _latest(log) for name, log in told.get("l", {}).items()}
            return {"t": "all", "seq": self._number, **told}

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _soon(self) -> None:
        if self._timer is not None or self._holders:
            return
        wait = self._sent_at + self._pause - time.monotonic()
        if wait <= 0:
            self._leave()  # a timer would be a thread for each message
        elif self._waiting and not self._is_closed:
            self._timer = Timer(wait, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def _leave(self) -> None:
        self._timer = None
        if self._waiting and not self._is_closed:
            self._number += 1
            self._sent_at = time.monotonic()
            waiting, self._waiting = self._waiting, {}
            # Within the lock, so that numbers leave in order.
            self._send({"t": "p", "seq": self._number, **_written(waiting)})


def merge(into: Message, message: Message) -> None:
    """Let `into` say what it and `message`, one after the other, would have said."""
    if message.get("reset"):
        kept: Message = {part: into[part] for part in ("g", "r") if part in into}
        into.clear()
        into.update(kept, reset=True)
    for part, value in message.items():
        if part == "d":
            into.setdefault("d", {}).update((row[0], row) for row in value)
        elif part == "r":
            into.setdefault("r", {}).update(value)
        elif part in ("e", "q"):
            into[part] = [*into.get(part, ()), *value]
        elif part == "l":
            logs = into.setdefault("l", {})
            for name, log in value.items():
                logs[name] = _joined(logs.get(name), log)
        else:
            into[part] = value


def _joined(before: Message | None, log: Message) -> Message:
    if before is None or log["at"] == 0 or log["attempt"] != before["attempt"]:
        return log
    if log["at"] < before["at"]:
        return log
    lines = [*before["lines"][: log["at"] - before["at"]], *log["lines"]]
    return {**log, "at": before["at"], "lines": lines}


def _latest(log: Message) -> Message:
    cut = max(0, len(log["lines"]) - LOG_LINES)
    return {**log, "at": log["at"] + cut, "lines": log["lines"][cut:]} if cut else log


def _written(told: Message) -> Message:
    written = dict(told)
    if "d" in told:
        written["d"] = list(told["d"].values())
    return written
