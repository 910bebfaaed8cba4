"""What watchers read from a store in this process: events, the end of a run, errors, logs."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Condition
from typing import Any, TypeVar

from wfnb.errors import ErrorRecord, RunNotFoundError
from wfnb.events import EventId
from wfnb.graph import TaskId
from wfnb.storage.ledger import Ledger
from wfnb.storage.output_log import OutputLog
from wfnb.storage.records import Opening, RunId, Seed, Snapshot

_MOST_READ = 10_000
_Found = TypeVar("_Found")


class MemoryFeed:
    """The reading side of a MemoryStore, and its lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = Condition()
        self._runs: dict[RunId, Ledger] = {}
        self._logs: dict[RunId, dict[TaskId, dict[int, OutputLog]]] = {}

    def events(
        self, run: RunId, after: EventId, *, block_seconds: float = 0.0
    ) -> list[tuple[EventId, bytes]]:
        at_ms, _, number = after.partition("-")
        last = (int(at_ms), int(number or 0))

        def following() -> list[tuple[EventId, bytes]]:
            events = self._runs[run].events if run in self._runs else []
            first = bisect_right(events, last, key=lambda event: event[:2])
            found = events[first : first + _MOST_READ]
            return [(EventId(f"{ms}-{serial}"), entry) for ms, serial, entry in found]

        return self._wait(following, block_seconds)

    def note(self, run: RunId, entry: str) -> None:
        with self._writing(run) as ledger:
            ledger.record(json.dumps({"at": ledger.now, **json.loads(entry)}))

    def wait_for_end(self, run: RunId, *, timeout_seconds: float) -> str:
        def has_ended() -> bool:
            return run not in self._runs or self._runs[run].status != "running"

        self._wait(has_ended, timeout_seconds)
        with self._changed:
            return self._runs[run].status if run in self._runs else "unknown"

    def snapshot(self, run: RunId) -> Snapshot:
        with self._changed:
            ledger = self._known(run)
            last = ledger.events[-1][:2] if ledger.events else (0, 0)
            return Snapshot(
                status=ledger.status,
                generation=ledger.generation,
                states=dict(ledger.state),
                last_event=EventId(f"{last[0]}-{last[1]}"),
                about=about(ledger),
                expansions=dict(ledger.expansions),
            )

    def errors(self, run: RunId) -> Mapping[TaskId, Sequence[ErrorRecord]]:
        with self._changed:
            found = self._runs[run].errors if run in self._runs else {}
            return {task: list(records) for task, records in found.items()}

    def append_log(
        self, run: RunId, task: TaskId, attempt: int, text: bytes, *, at: int | None = None
    ) -> None:
        with self._changed:
            if run in self._runs:
                attempts = self._logs.setdefault(run, {}).setdefault(task, {})
                attempts.setdefault(attempt, OutputLog()).append(text, at=at)

    def log(self, run: RunId, task: TaskId, attempt: int | None = None) -> bytes:
        with self._changed:
            attempts = self._logs.get(run, {}).get(task, {})
            found = attempts.get(max(attempts, default=0) if attempt is None else attempt)
            return found.shown() if found else b""

    @contextmanager
    def _writing(self, run: RunId) -> Iterator[Ledger]:
        with self._changed:
            yield self._ledger(run)
            self._changed.notify_all()

    def _ledger(self, run: RunId) -> Ledger:
        ledger = self._runs.get(run) or _unknown(run)
        ledger.now = self._clock()
        return ledger

    def _known(self, run: RunId) -> Ledger:
        if run not in self._runs:
            raise RunNotFoundError(f"no run is named {run}; wfnb.runs() lists those there are")
        return self._runs[run]

    def _wait(self, look: Callable[[], _Found], seconds: float) -> _Found:
        """What `look` found, as soon as it is something."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := look()):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return look()
            return found


def about(run: Ledger) -> dict[str, str]:
    told: dict[str, Any] = {
        **run.opening.about,
        "generation": run.generation,
        "status": run.status,
        "keep": run.opening.keep_seconds,
        "queue": run.opening.queue,
        "tasks": run.tasks,
        "created": int(run.created * 1000),
        "active": run.active,
        "done": run.done,
        "failed": run.failed,
    }
    if run.ended_at is not None:
        told["ended"] = int(run.ended_at * 1000)
    return {name: str(value) for name, value in told.items()}


def _unknown(run: RunId) -> Ledger:
    """What every transition finds in place of a run that is not there: an ended one."""
    nothing: dict[Any, Any] = {}
    opening = Opening(
        run=run,
        graph=b"",
        plan=b"",
        seed=Seed(ready=nothing, missing=nothing),
        queue="",
        queues=nothing,
        lanes=nothing,
        policies=nothing,
        constants=nothing,
        about=nothing,
        tasks=0,
        keep_seconds=0,
    )
    ledger = Ledger(opening, {}, {})
    ledger.status = "unknown"
    return ledger
