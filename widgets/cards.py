"""What a picture says about each node of a folded graph, before anybody draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wfnb.graph import Graph, TaskId
from wfnb.timeline import TaskState, Timeline
from wfnb.widgets.folding import Fold
from wfnb.widgets.palette import LOOKS, in_words, overall, succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One node as it will be read: a task, or a fold of many."""

    name: str
    note: str
    """The small second line: a worker's name, or counts; may be empty."""
    tooltip: str
    counts: Mapping[TaskState, int]
    tasks: int
    is_target: bool

    @property
    def state(self) -> TaskState | None:
        return overall(self.counts)

    @property
    def is_folded(self) -> bool:
        return self.tasks > 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What a timeline tells about a graph's tasks; empty when there is no timeline."""

    states: Mapping[TaskId, TaskState]
    workers: Mapping[TaskId, str]

    @property
    def counts(self) -> Counter[TaskState]:
        return Counter(self.states.values())

    def counts_of(self, tasks: Iterable[TaskId]) -> Counter[TaskState]:
        return Counter(self.states[task] for task in tasks if task in self.states)


def seen(graph: Graph, timeline: Timeline | None) -> Seen:
    """Take the last word on every task; what needs a failed one is upstream-failed."""
    if timeline is None:
        return Seen({}, {})
    states: dict[TaskId, TaskState] = dict.fromkeys(graph.ids, TaskState.WAITING)
    workers: dict[TaskId, str] = {}
    for span in timeline.spans:
        if span.task in states:
            states[span.task] = span.state
            if span.worker is not None:
                workers[span.task] = span.worker
    failed = [task for task, state in states.items() if state is TaskState.FAILED]
    for task in graph.descendants(failed) if failed else ():
        if states[task] is TaskState.WAITING:
            states[task] = TaskState.UPSTREAM_FAILED
    return Seen(states, workers)


def card(fold: Fold, known: Seen, *, targets: frozenset[TaskId]) -> Card:
    tasks = fold.members
    counts = known.counts_of(tasks)
    return Card(
        name=fold.name,
        note=_fold_note(counts, len(tasks)) if len(tasks) > 1 else known.workers.get(tasks[0], ""),
        tooltip=_tooltip(fold, known, counts),
        counts=counts,
        tasks=len(tasks),
        is_target=not targets.isdisjoint(tasks),
    )


def _fold_note(counts: Mapping[TaskState, int], tasks: int) -> str:
    if not counts:
        return f"{tasks:,} tasks"
    failed = counts.get(TaskState.FAILED, 0)
    done = f"{succeeded(counts):,} / {tasks:,}"
    return f"{done} · {failed:,} failed" if failed else f"{done} done"


def _tooltip(fold: Fold, known: Seen, counts: Mapping[TaskState, int]) -> str:
    tasks = fold.members
    if len(tasks) > 1:
        what = f"{fold.name}: {len(tasks):,} tasks, {tasks[0]} to {tasks[-1]}"
        return f"{what}; {in_words(counts)}" if counts else what
    words: Iterable[str] = (LOOKS[state].word for state in counts)
    on = (f"on {known.workers[task]}" for task in tasks if task in known.workers)
    return ", ".join([fold.name, *words, *on])
