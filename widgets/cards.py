"""What a picture says about each node of a folded graph, before anybody draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from wfnb.graph import Graph, TaskId
from wfnb.timeline import ENDED, TaskState, Timeline
from wfnb.widgets.counting import Tally, tally
from wfnb.widgets.folding import Fold
from wfnb.widgets.nodes import MapNode
from wfnb.widgets.palette import LOOKS, STALE, SUCCEEDED, in_words, overall, succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One node as it will be read: a task, a map, or a fold of many."""

    name: str
    note: str
    """The small second line: a worker's name, or counts; may be empty."""
    words: str
    """The same for a listing: states, and whether it is stale."""
    tooltip: str
    counts: Mapping[TaskState, int]
    """Of the tasks that people count."""
    state: TaskState | None
    """The one to show; None when nothing has run."""
    tasks: int
    is_folded: bool
    """Whether it is drawn as several: a fold of many, and a map however many items it has."""
    is_map: bool
    is_target: bool
    stale: int = 0
    """How many of its tasks are stale."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a timeline tells about a graph's tasks; empty when there is no timeline."""

    states: Mapping[TaskId, TaskState]
    workers: Mapping[TaskId, str]
    tally: Tally

    @property
    def counts(self) -> Counter[TaskState]:
        """Of all cards together."""
        return self.tally.seen

    def counts_of(self, tasks: Iterable[TaskId]) -> Counter[TaskState]:
        states = self.states
        return Counter([states[task] for task in tasks if task in states] if states else ())


def seen(graph: Graph, timeline: Timeline | None) -> Seen:
    """Take the last word on every task; what needs a failed one is upstream-failed."""
    if timeline is None:
        return Seen({}, {}, Tally())
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
    return Seen(states, workers, tally(graph, states))


def card(
    fold: Fold, known: Seen, *, targets: frozenset[TaskId], stale: Collection[TaskId] = ()
) -> Card:
    counts = known.counts_of(fold.counted)
    state = _map_state(fold, fold.map, known, counts) if fold.map else overall(counts)
    if state is None and not fold.counted:
        state = overall(known.counts_of(fold.members))
    is_folded = not fold.map.is_unfolded if fold.map else len(fold) > 1
    tasks = len(fold.counted) if is_folded else 1
    changed = _stale(fold, stale, tasks)
    note, mark = _note(fold, known, counts, state), _stale_words(changed, tasks)
    return Card(
        name=fold.name,
        note=" · ".join(filter(None, (note, mark))),
        words="  ".join(filter(None, (_words(fold, counts, note), mark))),
        tooltip="; ".join(filter(None, (_tooltip(fold, known, counts, note), mark))),
        counts=counts,
        state=state,
        tasks=tasks,
        is_folded=is_folded,
        is_map=fold.map is not None,
        is_target=not targets.isdisjoint(fold.members),
        stale=changed,
    )


def _map_state(
    fold: Fold, shown: MapNode, known: Seen, counts: Counter[TaskState]
) -> TaskState | None:
    """The items' own, as long as the list is not all that is missing; before, what splits."""
    own = known.states.get(shown.id)
    if own is None:
        return None
    if counts:
        return overall(counts + Counter([own]))
    splitter = known.states.get(shown.splitter, own) if shown.splitter else own
    return own if own in SUCCEEDED or splitter in SUCCEEDED else splitter


def _note(fold: Fold, known: Seen, counts: Mapping[TaskState, int], state: TaskState | None) -> str:
    if fold.map is not None:
        return _map_note(fold.map, counts, state)
    if len(fold) > 1:
        return _fold_note(counts, len(fold.counted))
    return known.workers.get(fold.members[0], "")


def _map_note(shown: MapNode, counts: Mapping[TaskState, int], state: TaskState | None) -> str:
    if shown.is_unfolded:
        return "list of its items"
    if shown.items is not None:
        return _fold_note(counts, shown.items) if shown.items else "no items"
    if state in ENDED:
        return "failed to split" if state is TaskState.FAILED else LOOKS[state].word
    return "splitting" if state is TaskState.RUNNING else "items not known yet"


def _words(fold: Fold, counts: Mapping[TaskState, int], note: str) -> str:
    if counts:
        return in_words(counts) if len(fold) > 1 else "".join(LOOKS[s].word for s in counts)
    return note if fold.map is not None and not fold.map.items else ""


def _fold_note(counts: Mapping[TaskState, int], tasks: int) -> str:
    if not counts:
        return f"{tasks:,} {'task' if tasks == 1 else 'tasks'}" if tasks else "maps"
    failed = counts.get(TaskState.FAILED, 0)
    done = f"{succeeded(counts):,} / {tasks:,}"
    return f"{done} · {failed:,} failed" if failed else f"{done} done"


def _tooltip(fold: Fold, known: Seen, counts: Mapping[TaskState, int], note: str) -> str:
    tasks, told = fold.members, in_words(counts)
    if fold.map is not None:
        return "; ".join(filter(None, (f"{fold.map.id}: {fold.name}", told or note)))
    if len(tasks) > 1:
        what = f"{fold.name}: {len(fold.counted):,} tasks, {tasks[0]} to {tasks[-1]}"
        return f"{what}; {told}" if told else what
    states: Iterable[str] = (LOOKS[state].word for state in counts)
    on = (f"on {known.workers[task]}" for task in tasks if task in known.workers)
    return ", ".join([fold.name, *states, *on])


def _stale(fold: Fold, stale: Collection[TaskId], tasks: int) -> int:
    if not stale:
        return 0
    if fold.map is not None and fold.map.id in stale:
        return max(1, tasks)
    return sum(task in stale for task in fold.counted)


def _stale_words(stale: int, tasks: int) -> str:
    if not stale:
        return ""
    return STALE.word if stale >= tasks else f"{stale:,} {STALE.word}"
