"""What workers report; the only thing widgets and metrics are made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NewType

from wfnb.graph import TaskId

EventId = NewType("EventId", str)
START = EventId("0-0")


@dataclass(slots=True)
class Sample:
    """What one attempt took. Instants are the worker's clock, only shown; durations are its own.

    Not frozen: one is made for every task, and what saving took is known last.
    """

    start_seconds: float
    load_seconds: float = 0.0
    call_seconds: float = 0.0
    cpu_seconds: float = 0.0
    save_seconds: float = 0.0
    input_bytes: int = 0
    output_bytes: int = 0

    @property
    def occupied_seconds(self) -> float:
        """For so long its worker could do nothing else."""
        return self.load_seconds + self.call_seconds + self.save_seconds

    @property
    def end_seconds(self) -> float:
        return self.start_seconds + self.occupied_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at_seconds: float
    """By the store's clock."""
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOpened(Event):
    """The run began, or was resumed under a new generation."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    status: str
    """done, failed or cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWorkers(Event):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJoined(Event):
    label: str
    """Host, process or container of the worker."""
    waited_seconds: float | None = None
    """Since it was asked for; None where that is not known."""
    is_cold: bool = False
    """Whether it was started for this launch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLeft(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost(Event):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent(Event):
    task: TaskId
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClaimed(TaskEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDone(TaskEvent):
    sample: Sample
    how: str = "done"
    """done, held, skipped or reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExpanded(TaskEvent):
    """A task has split iterables: its maps have so many items each."""

    count: int
    sample: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReused(TaskEvent):
    """It need not run: an earlier run's output serves, its own or that of what reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(TaskEvent):
    message: str
    is_final: bool
    """False when the task will be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReturned(TaskEvent):
    """Given back unfinished: released, or its worker was lost."""


HOW = ("done", "held", "skipped", "reused")


def done_note(task: str, attempt: int, sample: Sample, *, how: str = "done") -> str:
    """One finished task as it stands in an entry's "done" list; "expanded" ends with a count."""
    return (
        f'["{task}",{attempt},{sample.start_seconds:.6f},{sample.load_seconds:.6f},'
        f"{sample.call_seconds:.6f},{sample.cpu_seconds:.6f},{sample.save_seconds:.6f},"
        f"{sample.input_bytes},{sample.output_bytes},{HOW.index(how)}]"
    )


def read_entry(entry: bytes | str) -> Iterator[Event]:
    """The events of one stream entry: a JSON object written by one transition.

    {"at": s, "w": worker, "opened": generation, "joined": label, "waited": s, "cold": 0 or 1,
    "done": [...], "expanded": [[done's words, count]], "reused": [task, ...], "failed": [...],
    "returned": [[task, attempt]], "claimed": [[task, attempt]], "left": 1, "lost": reason,
    "none": reason, "ended": status}; each part is optional.
    """
    note: dict[str, Any] = json.loads(entry)
    at, worker = note["at"], note.get("w", "")
    if "opened" in note:
        yield RunOpened(at_seconds=at, generation=note["opened"])
    if "joined" in note:
        yield WorkerJoined(
            at_seconds=at,
            worker=worker,
            label=note["joined"],
            waited_seconds=note.get("waited"),
            is_cold=bool(note.get("cold")),
        )
    yield from _task_events(note, at, worker)
    if "left" in note:
        yield WorkerLeft(at_seconds=at, worker=worker)
    if "lost" in note:
        yield WorkerLost(at_seconds=at, worker=worker, reason=note["lost"])
    if "none" in note:
        yield NoWorkers(at_seconds=at, reason=note["none"])
    if "ended" in note:
        yield RunEnded(at_seconds=at, status=note["ended"])


def _task_events(note: dict[str, Any], at: float, worker: str) -> Iterator[TaskEvent]:
    for task in note.get("reused", ()):
        yield TaskReused(at_seconds=at, task=task)
    for task, attempt, *sample, how in note.get("done", ()):
        yield TaskDone(
            at_seconds=at,
            worker=worker,
            task=task,
            attempt=attempt,
            sample=Sample(*sample),
            how=HOW[how],
        )
    for (task, attempt, *sample, _), count in note.get("expanded", ()):
        yield TaskExpanded(
            at_seconds=at,
            worker=worker,
            task=task,
            attempt=attempt,
            sample=Sample(*sample),
            count=count,
        )
    for task, attempt, message, final in note.get("failed", ()):
        yield TaskFailed(
            at_seconds=at,
            worker=worker,
            task=task,
            attempt=attempt,
            message=message,
            is_final=bool(final),
        )
    for task, attempt in note.get("returned", ()):
        yield TaskReturned(at_seconds=at, worker=worker, task=task, attempt=attempt)
    for task, attempt in note.get("claimed", ()):
        yield TaskClaimed(at_seconds=at, worker=worker, task=task, attempt=attempt)
