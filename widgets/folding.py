"""Big graphs, folded: the tasks of one function and level become one node with a count."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wfnb.graph import Graph, TaskId
from wfnb.widgets.layout import Edge, levels

ELEMENTS = 150
"""More than this many nodes neither fit a page nor a reader."""
ROWS = 20
"""More nodes than this in one column make a picture to scroll, not to see."""

_Key = tuple[int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Tasks shown as one node; a fold of one is the task itself."""

    id: str
    name: str
    """The task's id, or the function's name, or how many functions."""
    level: int
    members: tuple[TaskId, ...]

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    folds: tuple[Fold, ...]
    edges: Mapping[Edge, int]
    """How many edges of the graph each edge between folds stands for."""
    tasks: int
    levels: int


def fold(graph: Graph, *, at_most: int = ELEMENTS, rows: int = ROWS) -> Folded:
    """Show the graph as at most `at_most` nodes, unfolded wherever it is small enough."""
    ids, called = graph.ids, graph.functions
    functions = {task: called[at].name for task, at in zip(ids, graph.function_at, strict=True)}
    inputs = zip(ids, graph.inputs_at, strict=True)
    edges = [(ids[at], end) for end, ats in inputs for at in ats]
    return fold_nodes(functions, edges, at_most=at_most, rows=rows)


def fold_nodes(
    functions: Mapping[TaskId, str],
    edges: Sequence[tuple[TaskId, TaskId]],
    *,
    at_most: int,
    rows: int,
) -> Folded:
    """`functions` names the function of every node, in an order that respects the edges."""
    level = levels(list(functions), edges)
    depth = len(set(level.values()))
    bands = -(-depth // at_most)
    if bands > 1:
        keys: dict[TaskId, _Key] = {task: (level[task] // bands, "", -1) for task in functions}
    else:
        keys = _by_function(functions, level, at_most=at_most, rows=rows)
    members: dict[_Key, list[TaskId]] = {}
    for task, key in keys.items():
        members.setdefault(key, []).append(task)
    folds = {key: _fold(key, tasks, functions) for key, tasks in members.items()}
    names = {task: folds[key].id for task, key in keys.items()}
    pairs = Counter((names[start], names[end]) for start, end in edges)
    return Folded(
        folds=tuple(folds.values()),
        edges={pair: count for pair, count in pairs.items() if pair[0] != pair[1]},
        tasks=len(functions),
        levels=depth,
    )


def _by_function(
    functions: Mapping[TaskId, str], level: Mapping[str, int], *, at_most: int, rows: int
) -> dict[TaskId, _Key]:
    """Fold only groups above the largest size with which the picture still fits."""
    sizes = Counter((level[task], name) for task, name in functions.items())
    steps = sorted(set(sizes.values()) | {1})
    fits = bisect_left(
        steps, 1, key=lambda size: 1 - _fits(sizes, size, at_most=at_most, rows=rows)
    )
    keep = steps[max(0, fits - 1)]
    others = _overfull(sizes, at_most)
    keys: dict[TaskId, _Key] = {}
    for serial, (task, name) in enumerate(functions.items()):
        at = level[task]
        if (at, name) in others:
            keys[task] = (at, "", -1)
        else:
            keys[task] = (at, name, -1 if sizes[at, name] > keep else serial)
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


def _fold(key: _Key, members: Iterable[TaskId], functions: Mapping[TaskId, str]) -> Fold:
    level, name, _ = key
    tasks = tuple(members)
    if len(tasks) == 1:
        return Fold(id=tasks[0], name=tasks[0], level=level, members=tasks)
    called = {functions[task] for task in tasks}
    shown = name or (called.pop() if len(called) == 1 else f"{len(called)} functions")
    return Fold(id=f"{name}@{level}", name=shown, level=level, members=tasks)
