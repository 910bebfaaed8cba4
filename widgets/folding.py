"""Big graphs, folded: the tasks of one function and level become one node with a count.

A map is one node from the start, with all its items.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from wfnb.graph import Graph, TaskId
from wfnb.sizes import size_of
from wfnb.widgets.layout import Edge, levels
from wfnb.widgets.nodes import MapNode, Nodes, nodes_of

ELEMENTS = 150
"""More than this many nodes neither fit a page nor a reader."""
ROWS = 20
"""More nodes than this in one column make a picture to scroll, not to see."""
_FOR_ITEMS = 3
"""One element in so many: what unfolded maps show of their items, so that the rest finds room."""

_Key = tuple[int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Tasks shown as one node; a fold of one is the task itself."""

    id: str
    name: str
    """The task's id, or the function's name, or how many functions; of a map, how many items."""
    level: int
    members: tuple[TaskId, ...]
    """All that it stands for; of a map the items first, then what makes the list and splits."""
    counted: tuple[TaskId, ...]
    """Those of them that people count: see `Tally`."""
    map: MapNode | None = None
    """None for what is no map, or several."""

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    folds: tuple[Fold, ...]
    edges: Mapping[Edge, int]
    """How many edges of the graph each edge between folds stands for."""
    tasks: int
    """As people count them: see `Tally`."""
    maps: int
    """Besides: those whose items are not known yet."""
    levels: int


def fold(
    graph: Graph, *, at_most: int = ELEMENTS, rows: int = ROWS, unfolded: Collection[TaskId] = ()
) -> Folded:
    """Show the graph as at most `at_most` nodes, unfolded wherever it is small enough.

    Of the maps in `unfolded`, by their ids, the items are nodes too: the first of them, and one
    node for all others where they are many.
    """
    nodes = nodes_of(graph, unfolded=unfolded, at_most=at_most // _FOR_ITEMS)
    level = levels(list(nodes.functions), nodes.edges)
    depth = len(set(level.values()))
    bands = -(-depth // at_most)
    if bands > 1:
        keys: dict[TaskId, _Key] = {
            task: (level[task] // bands, "", -1) for task in nodes.functions
        }
    else:
        keys = _by_function(nodes, level, at_most=at_most, rows=rows)
    groups: dict[_Key, list[TaskId]] = {}
    for node, key in keys.items():
        groups.setdefault(key, []).append(node)
    folds = {key: _fold(key, group, nodes) for key, group in groups.items()}
    tasks, maps = size_of(graph)
    return Folded(
        folds=tuple(folds.values()),
        edges=_edges(nodes, {node: folds[key].id for node, key in keys.items()}),
        tasks=tasks,
        maps=maps,
        levels=depth,
    )


def one_node(nodes: Nodes, group: Sequence[TaskId], *, id: str, name: str, level: int = 0) -> Fold:
    """These nodes as one; one alone keeps its own id and name."""
    units = nodes.units
    if len(group) == 1:
        unit = units.get(group[0])
        if unit is None:
            (task,) = members = tuple(group)
            return Fold(id=task, name=task, level=level, members=members, counted=members)
        return Fold(
            id=group[0],
            name=unit.name,
            level=level,
            members=unit.members,
            counted=unit.counted,
            map=unit.map,
        )
    if units.keys().isdisjoint(group):
        members = counted = tuple(group)
    else:
        parts = [units.get(node) for node in group]
        alone = [(node,) for node in group]
        pairs = list(zip(parts, alone, strict=True))
        members = tuple(task for unit, own in pairs for task in (unit.members if unit else own))
        counted = tuple(task for unit, own in pairs for task in (unit.counted if unit else own))
    return Fold(id=id, name=name, level=level, members=members, counted=counted)


def _edges(nodes: Nodes, names: Mapping[TaskId, str]) -> dict[Edge, int]:
    pairs = Counter([(names[start], names[end]) for start, end in nodes.edges])
    for (start, end), weight in nodes.weights.items():
        pairs[names[TaskId(start)], names[TaskId(end)]] += weight - 1
    return {pair: count for pair, count in pairs.items() if pair[0] != pair[1]}


def _by_function(
    nodes: Nodes, level: Mapping[str, int], *, at_most: int, rows: int
) -> dict[TaskId, _Key]:
    """Fold only groups above the largest size with which the picture still fits."""
    functions, fixed = nodes.functions, nodes.fixed
    sizes = Counter([(level[node], name) for node, name in functions.items() if node not in fixed])
    room = max(1, at_most - len(fixed))
    steps = sorted(set(sizes.values()) | {1})
    fits = bisect_left(steps, 1, key=lambda size: 1 - _fits(sizes, size, at_most=room, rows=rows))
    keep = steps[max(0, fits - 1)]
    others = _overfull(sizes, room)
    keys: dict[TaskId, _Key] = {}
    for serial, (node, name) in enumerate(functions.items()):
        at = level[node]
        if node in fixed:
            keys[node] = (at, name, serial)
        elif (at, name) in others:
            keys[node] = (at, "", -1)
        else:
            keys[node] = (at, name, -1 if sizes[at, name] > keep else serial)
    return keys


def _fits(sizes: Mapping[tuple[int, str], int], keep: int, *, at_most: int, rows: int) -> bool:
    tall: Counter[int] = Counter()
    for (level, _), size in sizes.items():
        tall[level] += 1 if size > keep else size
    return tall.total() <= at_most and max(tall.values(), default=0) <= rows


def _overfull(sizes: Mapping[tuple[int, str], int], at_most: int) -> frozenset[tuple[int, str]]:
    """Choose groups to lump together by level when even one node per group is too many."""
    if len(sizes) <= at_most:
        return frozenset()
    room = max(0, at_most - len({level for level, _ in sizes}))
    largest = sorted(sizes, key=lambda group: (-sizes[group], group))
    return frozenset(largest[room:])


def _fold(key: _Key, group: Sequence[TaskId], nodes: Nodes) -> Fold:
    level, name, _ = key
    called = {nodes.functions[node] for node in group} if not name else {name}
    shown = called.pop() if len(called) == 1 else f"{len(called)} functions"
    return one_node(nodes, group, id=f"{name}@{level}", name=shown, level=level)
