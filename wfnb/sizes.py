"""How many tasks a graph has for people, who wrote calls and maps, not what is made of them."""

from __future__ import annotations

from collections.abc import Collection

from wfnb.graph import Graph, TaskId
from wfnb.growth import GrowingGraph


def size_of(graph: Graph) -> tuple[int, int]:
    """How many tasks, and how many maps whose items are not known yet."""
    planned = graph.as_planned
    if not planned.maps:
        return len(graph), 0
    tasks, maps = len(planned) - len(planned.maps) - len(planned.maps_of), 0
    for at in planned.maps:
        if isinstance(graph, GrowingGraph) and graph.is_expanded(at):
            tasks += graph.expansions[planned.ids[planned.maps[at].splitter]]
        else:
            maps += 1
    return tasks, maps


def written(graph: Graph, tasks: Collection[TaskId]) -> int:
    """How many of these people wrote: each item, and each map that never got to split."""
    planned = graph.as_planned
    beside = {planned.ids[at] for at in planned.maps_of}
    beside.update(
        planned.ids[at]
        for at, call in planned.maps.items()
        if planned.ids[call.splitter] not in tasks
    )
    return sum(task not in beside for task in tasks)


def sized(tasks: int, maps: int) -> str:
    """In words: 3 tasks + map."""
    counted = "1 task" if tasks == 1 else f"{tasks:,} tasks"
    if not maps:
        return counted
    if not tasks:
        return "1 map" if maps == 1 else f"{maps:,} maps"
    return f"{counted} + {plus(maps)}"


def plus(maps: int) -> str:
    """What a total leaves out: map, or 2 maps."""
    return "map" if maps == 1 else f"{maps:,} maps"
