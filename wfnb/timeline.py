"""Which task ran where and when: measured by workers, simulated, or predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from wfnb.events import (
    Event,
    NoWorkers,
    RunEnded,
    Sample,
    TaskClaimed,
    TaskDone,
    TaskEvent,
    TaskExpanded,
    TaskFailed,
    TaskReturned,
    TaskReused,
    WorkerJoined,
    WorkerLeft,
    WorkerLost,
)
from wfnb.graph import Graph, TaskId
from wfnb.growth import GrowingGraph


class TaskState(Enum):
    WAITING = "waiting"  #: an input is missing
    QUEUED = "queued"  #: ready for a worker
    PREPARING = "preparing"  #: what it requires is being installed
    RUNNING = "running"  #: a worker has claimed it
    RETRYING = "retrying"  #: it failed and waits for its next attempt
    HELD = "held"  #: done, its output in a worker's memory
    DONE = "done"  #: its output is stored, or was read by all its readers
    REUSED = "reused"  #: an earlier run's output serves
    EXPANDED = "expanded"  #: a map that became its items
    SKIPPED = "skipped"  #: a filter left it out
    FAILED = "failed"  #: its last attempt failed
    UPSTREAM_FAILED = "upstream-failed"  #: something it needs failed
    CANCELLED = "cancelled"  #: the run was cancelled before it ended


ENDED = frozenset(
    {
        TaskState.DONE,
        TaskState.REUSED,
        TaskState.EXPANDED,
        TaskState.SKIPPED,
        TaskState.FAILED,
        TaskState.UPSTREAM_FAILED,
        TaskState.CANCELLED,
    }
)
ACTIVE = frozenset({TaskState.QUEUED, TaskState.PREPARING, TaskState.RUNNING, TaskState.RETRYING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One task in time; its last attempt's, where there were several."""

    task: TaskId
    state: TaskState = TaskState.WAITING
    worker: str | None = None
    attempt: int = 0
    start_seconds: float | None = None
    end_seconds: float | None = None
    sample: Sample | None = None


@dataclass(slots=True)
class Crew:
    """The workers of a run: name -> where it is, and whether it is at work."""

    labels: dict[str, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    launches: list[WorkerJoined] = field(default_factory=list)
    """In the order in which workers joined; one that came back has several."""

    def record(self, event: Event) -> None:
        if isinstance(event, WorkerJoined):
            self.labels[event.worker] = event.label
            self.present.add(event.worker)
            self.launches.append(event)
        elif isinstance(event, (WorkerLeft, WorkerLost)):
            self.present.discard(event.worker)


class Timeline:
    """Grows by `record`; what it shows at any moment is whole: every task has a span."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.crew = Crew()
        self.status = "running"
        self.trouble = ""
        """Why nobody works on it, while that is so."""
        self.start_seconds: float | None = None
        self.end_seconds: float | None = None
        self._spans = {task: Span(task=task) for task in graph}

    def record(self, event: Event) -> None:
        if self.start_seconds is None:
            self.start_seconds = event.at_seconds
        if isinstance(event, TaskEvent):
            self._record_task(event)
        elif isinstance(event, RunEnded):
            self.status, self.end_seconds, self.trouble = event.status, event.at_seconds, ""
        elif isinstance(event, (NoWorkers, WorkerJoined)):
            self.trouble = event.reason if isinstance(event, NoWorkers) else ""
        self.crew.record(event)

    def _record_task(self, event: TaskEvent) -> None:
        task, attempt, at = event.task, event.attempt, event.at_seconds
        match event:
            case TaskExpanded(count=count, sample=sample):
                self.expand({task: count})
                self._end(event, TaskState.EXPANDED, sample)
            case TaskDone(how=how, sample=sample):
                self._end(event, TaskState(how), sample)
            case TaskClaimed(worker=worker):
                self._change(
                    task,
                    state=TaskState.RUNNING,
                    attempt=attempt,
                    worker=worker,
                    start_seconds=at,
                    end_seconds=None,
                )
            case TaskReused():
                self._change(task, state=TaskState.REUSED)
            case TaskFailed(is_final=is_final):
                state = TaskState.FAILED if is_final else TaskState.RETRYING
                self._change(task, state=state, attempt=attempt, end_seconds=at)
            case TaskReturned():
                self._change(task, state=TaskState.QUEUED, end_seconds=None)

    def _end(self, event: TaskEvent, state: TaskState, sample: Sample) -> None:
        self._change(
            event.task,
            state=state,
            attempt=event.attempt,
            worker=event.worker,
            start_seconds=sample.start_seconds,
            end_seconds=sample.end_seconds,
            sample=sample,
        )

    def expand(self, expansions: Mapping[TaskId, int]) -> None:
        """Give maps their items, those they were not known to have."""
        graph = self.graph
        if isinstance(graph, GrowingGraph) and graph.expand({**graph.expansions, **expansions}):
            known = self._spans
            self._spans = {task: known.get(task) or Span(task=task) for task in graph}

    def correct(self, states: Mapping[TaskId, TaskState]) -> None:
        """Take the store's word: events may be lost, states are the truth."""
        for task, state in states.items():
            if task in self._spans and self._spans[task].state is not state:
                self._change(task, state=state)

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple(self._spans.values())

    def __getitem__(self, task: TaskId) -> Span:
        return self._spans[task]

    @property
    def counts(self) -> Counter[TaskState]:
        return Counter(span.state for span in self._spans.values())

    @property
    def is_over(self) -> bool:
        return self.status != "running"

    def _change(self, task: TaskId, **change: object) -> None:
        span = self._spans.get(task)
        if span is not None:
            self._spans[task] = replace(span, **change)  # type: ignore[arg-type]


def derived_states(
    graph: Graph, stored: Mapping[TaskId, str], status: str
) -> dict[TaskId, TaskState]:
    """Every task's state from what the store says of some.

    A task that the store does not mention waits; what depends on a failed task is upstream-failed,
    and what had not ended when a run was cancelled is cancelled: both follow, so neither is stored.
    """
    states = {
        task: TaskState(stored[task].partition(" ")[0]) if task in stored else TaskState.WAITING
        for task in graph
    }
    failed: Iterable[TaskId] = [t for t, state in states.items() if state is TaskState.FAILED]
    for task in graph.descendants(failed):
        if states[task] is TaskState.WAITING:
            states[task] = TaskState.UPSTREAM_FAILED
    if status == "cancelled":
        for task, state in states.items():
            if state not in ENDED and state is not TaskState.HELD:
                states[task] = TaskState.CANCELLED
    return states
