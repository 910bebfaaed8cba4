"""Which logs a page is sent, and when: those it asks for, and in idle moments those it might."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import islice
from threading import Lock
from typing import Any, Protocol

from wfnb.graph import TaskId
from wfnb.timeline import Span, TaskState
from wfnb.widgets.ansi import safe_lines

Message = dict[str, Any]

FETCHED = 6
"""Logs read at each refresh besides the one that is watched: 50 a second cost 1 % of a core."""
SILENT = 2
"""After so many tasks of a family that printed nothing, one of its logs is read at a time."""
UNASKED_LINES = 300
"""A log nobody has opened yet is sent as its last lines."""
UNASKED_LOGS = 2000
HEAVY = 200_000
"""Characters; a log of more is looked at less often."""
_PRINTING = (TaskState.FAILED, TaskState.RETRYING, TaskState.RUNNING)
"""States in which there may be something new to read."""


class Printed(Protocol):
    def log(self, task: str, attempt: int | None = None) -> str: ...


class LogFeed:
    """A click is answered from what the page has, for a busy kernel hears of it too late.

    So logs are sent before anybody asks: first of tasks that failed or run, these by turns as long
    as they run, then of those that ended; a few at each refresh.
    """

    def __init__(self, run: Printed) -> None:
        self._run = run
        self._lock = Lock()
        self._watched: TaskId | None = None
        self._sent: dict[TaskId, str] = {}
        """Task -> its whole text as it was when it was last sent."""
        self._due: deque[TaskId] = deque()
        self._later: deque[TaskId] = deque()
        """Due as well, but of families that print nothing."""
        self._silent: Counter[str] = Counter()
        self._seen: dict[TaskId, tuple[int, TaskState]] = {}
        self._running: dict[TaskId, None] = {}
        """In the order in which they are looked at."""
        self._skips = 0

    def watch(self, task: TaskId | None) -> None:
        """Somebody has this log before their eyes: it is sent whole, and followed."""
        with self._lock:
            self._watched = task
            if task is not None:
                self._sent.pop(task, None)

    def take(self, changed: Sequence[Span], *, is_over: bool) -> Message:
        """The lines that are new in a few logs; `changed` are the spans that differ from before.

        As {"l": {task: lines}, "q": tasks that have printed nothing until their end}.
        """
        self._note(changed)
        with self._lock:
            watched = self._watched
        told: dict[TaskId, Message] = {}
        quiet: list[TaskId] = []
        for task in self._next(watched, is_over=is_over):
            attempt, state = self._seen[task]
            lines = self._fresh(task, is_watched=task == watched)
            if lines is not None:
                told[task] = {"attempt": attempt, **lines}
                self._silent[_family(task)] = 0
            elif task not in self._sent and (is_over or state not in _PRINTING):
                quiet.append(task)
                self._silent[_family(task)] += 1
        return {"l": told, "q": quiet}

    @property
    def has_more(self) -> bool:
        """Whether some log has not been looked at yet."""
        return bool(self._due or self._later)

    def _note(self, changed: Sequence[Span]) -> None:
        """Put tasks whose attempt or state has changed in the queue, the loudest first."""
        for span in changed:
            now = (span.attempt, span.state)
            if not span.attempt or self._seen.get(span.task) == now:
                continue
            self._seen[span.task] = now
            self._running.pop(span.task, None)
            if span.state is TaskState.RUNNING:
                self._running[span.task] = None
            elif span.state in _PRINTING:
                self._due.appendleft(span.task)
                self._silent[_family(span.task)] = 0
            elif len(self._seen) <= UNASKED_LOGS:
                self._due.append(span.task)

    def _next(self, watched: TaskId | None, *, is_over: bool) -> Iterable[TaskId]:
        chosen: dict[TaskId, None] = {}
        if watched is not None and watched in self._seen and (is_over or self._is_due(watched)):
            chosen[watched] = None
        for at, task in enumerate(list(islice(self._running, FETCHED // 2))):
            self._running[task] = self._running.pop(task)  # to the end of the line
            if task != watched and self._is_due(task) and not (at and self._is_silent(task)):
                chosen[task] = None
        while self._due and len(chosen) <= FETCHED:
            task = self._due.popleft()
            if self._is_silent(task):
                self._later.append(task)
            else:
                chosen[task] = None
        for _ in range(FETCHED if is_over else 1):
            if self._later:
                chosen[self._later.popleft()] = None
        return list(chosen)

    def _is_silent(self, task: TaskId) -> bool:
        return self._silent[_family(task)] >= SILENT

    def _is_due(self, task: TaskId) -> bool:
        """A long log costs more to look at, each time as a whole."""
        if len(self._sent.get(task, "")) <= HEAVY:
            return True
        self._skips = (self._skips + 1) % 16
        return not self._skips

    def _fresh(self, task: TaskId, *, is_watched: bool) -> Message | None:
        text, before = self._run.log(task), self._sent.get(task)
        if text == (before or ""):
            return None
        self._sent[task] = text
        lines = safe_lines(text)
        if before is None or not text.startswith(before):
            at = 0 if is_watched else max(0, len(lines) - UNASKED_LINES)
            return {"at": at, "lines": lines[at:], "of": len(lines)}
        # The last line may have been unfinished: it is said again.
        at = max(0, len(safe_lines(before)) - 1)
        return {"at": at, "lines": lines[at:], "of": len(lines)}


def _family(task: TaskId) -> str:
    """Tasks that do the same: what one of them prints the others print too, mostly.

    Items of a map are apart from its list, and from what splits: these print nothing.
    """
    base, is_item, _ = task.partition("[")
    if base.endswith(".items"):
        return ".items"
    return f"{base.rpartition('-')[0] or base}{is_item}"
