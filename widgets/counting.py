"""How many tasks there are for people, who wrote calls and maps, not what wfnb makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from wfnb.graph import Graph, MapCall, TaskId
from wfnb.growth import GrowingGraph
from wfnb.timeline import ENDED, TaskState, Timeline
from wfnb.widgets.palette import SUCCEEDED


@dataclass(frozen=True, slots=True)
class Tally:
    """States of what people wrote: ordinary tasks, and the items of maps.

    The tasks that split, and those that make lists, are no tasks of theirs. A map counts as one
    task all the same if it ended without ever having items, or if only its list failed.
    """

    counts: Counter[TaskState] = field(default_factory=Counter)
    unsplit: Counter[TaskState] = field(default_factory=Counter)
    """Of maps that have no items yet: nobody knows how many tasks they are."""
    unlisted: Counter[TaskState] = field(default_factory=Counter)
    """Of the lists of the other maps, as far as they are missing."""

    @property
    def seen(self) -> Counter[TaskState]:
        """The states that a picture shows, with maps as one each while they have no items."""
        return self.counts + self.unsplit


def tally(graph: Graph, states: Mapping[TaskId, TaskState]) -> Tally:
    """`states` has those of all tasks of a graph, however they came to be."""
    found = Tally(Counter(states.values()))
    planned = graph.as_planned
    if not planned.maps:
        return found
    for at in (*planned.maps_of, *planned.maps):
        if planned.ids[at] in states:
            found.counts[states[planned.ids[at]]] -= 1
    for at, call in planned.maps.items():
        if _is_expanded(graph, at):
            _count_list(found, states.get(planned.ids[at], TaskState.WAITING))
        else:
            state = _unsplit(planned, at, call, states)
            (found.counts if state in ENDED else found.unsplit)[state] += 1
    if found.counts[TaskState.CANCELLED]:
        found.unlisted.pop(TaskState.CANCELLED, None)
    return found


def tally_of(timeline: Timeline) -> Tally:
    """Of a run as it is known now."""
    return tally(timeline.graph, {span.task: span.state for span in timeline.spans})


def _unsplit(
    planned: Graph, at: int, call: MapCall, states: Mapping[TaskId, TaskState]
) -> TaskState:
    """Of a map without items: what splits says it, unless the list is there or it follows."""
    state = states.get(planned.ids[at], TaskState.WAITING)
    if state in SUCCEEDED or call.over is not None:
        return state
    splitter = states.get(planned.ids[call.splitter], TaskState.WAITING)
    return state if splitter in SUCCEEDED else splitter


def _count_list(found: Tally, state: TaskState) -> None:
    """It may fail by itself, and be cancelled when all items are done; that has to be told."""
    if state is TaskState.FAILED:
        found.counts[state] += 1
    elif state not in SUCCEEDED and state is not TaskState.UPSTREAM_FAILED:
        found.unlisted[state] += 1


def _is_expanded(graph: Graph, gather: int) -> bool:
    return isinstance(graph, GrowingGraph) and graph.is_expanded(gather)
