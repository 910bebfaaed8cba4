"""What one worker is doing, in memory that it shares with the pool."""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass
from struct import Struct

from wfnb.storage import Request, RunId

# Native order and size: these fields are written by one store each, "<q" would go byte by byte.
_RUN = Struct("@qq128s160sq")
_TASK = Struct("@qqddq192sq")
_RUN_AT = 64
_TASK_AT = _RUN_AT + 2 * 320
_REQUEST = Struct("@q128s160s32s192s")
_REQUEST_AT = _TASK_AT + 2 * 240
CELL_BYTES = 2048

_ENTERED, _STARTED, _PID, _LOG_START, _LOG_SHIPPED, _IS_PLANNED, _KILLS, _IS_ASKED = range(8)
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker on its way into a run."""

    request: Request
    """Without the graph."""
    label: str
    """As what it joins, or has just joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """A moment of one worker. Without a run or a task, their fields are empty."""

    pid: int
    run: str = ""
    identity: str = ""
    generation: int = 0
    joins: int = 0
    """Runs that the slot has entered: tells a busy slot from an idle one seen twice."""
    is_planned: bool = False
    """In a run, as a worker that waits there for its own tasks."""
    calls: int = 0
    """Tasks that the slot has begun, in all runs."""
    task: str = ""
    attempt: int = 0
    started: float = 0.0
    """By time.monotonic(), which all processes of a host share."""
    deadline: float | None = None
    memory_bytes: int | None = None
    asked: Asked | None = None
    """What it has taken and not begun; only of a dead worker."""
    kills: int = 0
    """What `kills_from` was told last."""
    log_start: int = 0
    """Where the output of the current task begins."""
    log_shipped: int = 0
    """Up to where it has been sent to the store."""


class Cell:
    """One slot's cell: its worker alone writes, the pool reads.

    Each record is written twice over: into the copy that nobody reads, then made the current one
    by one word. So a worker killed in mid-write leaves its last whole record, and a reader that was
    overtaken finds it by the word.
    """

    __slots__ = ("_at", "_memory", "_runs", "_tasks", "_words")

    def __init__(self, memory: mmap.mmap, slot: int) -> None:
        self._memory = memory
        self._at = slot * CELL_BYTES
        self._words = memoryview(memory)[self._at : self._at + _RUN_AT].cast("q")
        self._runs, self._tasks = self._words[_ENTERED], self._words[_STARTED]

    def occupy(self, pid: int) -> None:
        """A new worker takes the slot; whatever its predecessor was doing is over."""
        self._runs, self._tasks = self._words[_ENTERED], self._words[_STARTED]
        self.leave()
        self._words[_PID] = pid

    def take(self, request: Request, label: str) -> None:
        """A request was taken, which somebody else must have if this worker dies before `enter`."""
        self._words[_IS_ASKED] = 0
        _REQUEST.pack_into(
            self._memory,
            self._at + _REQUEST_AT,
            request.generation,
            request.run.encode(),
            request.queue.encode(),
            request.serial.encode(),
            label.encode(),
        )
        self._words[_IS_ASKED] = 1

    def enter(self, run: str, identity: str, generation: int, *, is_planned: bool = False) -> None:
        serial = self._runs = (self._runs + 1) | 1
        self._words[_IS_PLANNED] = is_planned
        at = self._at + _RUN_AT + (serial >> 1 & 1) * _RUN.size
        _RUN.pack_into(
            self._memory, at, serial, generation, run.encode(), identity.encode(), serial
        )
        self._words[_ENTERED] = serial
        self._words[_IS_ASKED] = 0

    def leave(self) -> None:
        self.stop()
        self._words[_IS_ASKED] = 0
        self._runs += self._runs & 1
        self._words[_ENTERED] = self._runs

    def start(
        self,
        task: str,
        attempt: int,
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        """Blame this task from now on, until another starts or `stop`."""
        serial = self._tasks = (self._tasks + 1) | 1
        now = time.monotonic()
        _TASK.pack_into(
            self._memory,
            self._at + _TASK_AT + (serial >> 1 & 1) * _TASK.size,
            serial,
            attempt,
            now,
            _NEVER if timeout_seconds is None else now + timeout_seconds,
            memory_bytes or 0,
            task.encode(),
            serial,
        )
        self._words[_STARTED] = serial

    def stop(self) -> None:
        self._tasks += self._tasks & 1
        self._words[_STARTED] = self._tasks

    def kills_from(self, count: int) -> None:
        """So many processes were killed for memory here before what the worker does next."""
        self._words[_KILLS] = count

    def log_from(self, offset: int) -> None:
        """The current task's output begins here, and none of it is shipped."""
        self._words[_LOG_SHIPPED] = offset
        self._words[_LOG_START] = offset

    def shipped(self, offset: int) -> None:
        self._words[_LOG_SHIPPED] = offset

    def view(self) -> CellView:
        """What the worker does now, or did last if it is dead. Never a mixture of two moments."""
        while True:
            found = self._look()
            if found is not None:
                return found

    def _look(self) -> CellView | None:
        runs, tasks = self._words[_ENTERED], self._words[_STARTED]
        run = _RUN.unpack_from(self._memory, self._at + _RUN_AT + (runs >> 1 & 1) * _RUN.size)
        task_at = self._at + _TASK_AT + (tasks >> 1 & 1) * _TASK.size
        task = _TASK.unpack_from(self._memory, task_at)
        log_start, log_shipped = self._words[_LOG_START], self._words[_LOG_SHIPPED]
        pid, calls, kills = self._words[_PID], (tasks + 1) >> 1, self._words[_KILLS]
        # One step further and the copy that was read is still whole; two, and it may be torn.
        if self._words[_STARTED] - tasks > 1 or self._words[_ENTERED] != runs:
            return None
        if not runs & 1:
            return self._outside_runs(runs >> 1, calls)
        in_task = tasks & 1
        # The stamps at both ends matter where a processor lets stores overtake each other.
        if not run[0] == run[4] == runs or (in_task and not task[0] == task[6] == tasks):
            return None
        return CellView(
            pid=pid,
            run=_text(run[2]),
            identity=_text(run[3]),
            generation=run[1],
            joins=(runs + 1) >> 1,
            is_planned=bool(self._words[_IS_PLANNED]),
            calls=calls,
            kills=kills,
            task=_text(task[5]) if in_task else "",
            attempt=task[1] if in_task else 0,
            started=task[2] if in_task else 0.0,
            deadline=task[3] if in_task and task[3] != _NEVER else None,
            memory_bytes=task[4] or None if in_task else None,
            log_start=log_start,
            log_shipped=log_shipped,
        )

    def _outside_runs(self, joins: int, calls: int) -> CellView:
        words = self._words
        return CellView(
            pid=words[_PID],
            joins=joins,
            calls=calls,
            asked=self._asked(),
            kills=words[_KILLS],
            log_start=words[_LOG_START],
        )

    def _asked(self) -> Asked | None:
        if not self._words[_IS_ASKED]:
            return None
        words = _REQUEST.unpack_from(self._memory, self._at + _REQUEST_AT)
        run, queue, serial, label = map(_text, words[1:])
        request = Request(run=RunId(run), serial=serial, queue=queue, generation=words[0])
        return Asked(request, label)


def make_cells(count: int) -> list[Cell]:
    """Cells that this process and those it forks from now on share."""
    memory = mmap.mmap(-1, count * CELL_BYTES)
    return [Cell(memory, slot) for slot in range(count)]


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="replace")
