"""A graph in at most 20 lines of text: for terminals, and for notebooks that nbval compares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wfnb.graph import Graph, TaskId
from wfnb.sizes import size_of, sized
from wfnb.timeline import Timeline
from wfnb.widgets.cards import Card, Seen, card, seen
from wfnb.widgets.folding import one_node
from wfnb.widgets.layout import levels
from wfnb.widgets.nodes import Nodes, nodes_of
from wfnb.widgets.palette import LOOKS, STALE
from wfnb.widgets.svg import shorten

_LINES = 20
_WIDTH = 100


@dataclass(slots=True)
class _Row:
    """One line of the listing: one node, or all nodes of one function."""

    name: str
    nodes: list[TaskId] = field(default_factory=list)
    readers: dict[str, None] = field(default_factory=dict)
    """The rows that read this one: a dict, for its order."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A row as it will be read."""

    mark: str
    name: str
    size: str
    states: str
    readers: Sequence[str]


def graph_text(
    graph: Graph, timeline: Timeline | None = None, *, stale: Collection[TaskId] = ()
) -> str:
    """List size, shape and states; task by task when few, by function when many.

    A map is one task here, whose items are counted.
    """
    known, nodes = seen(graph, timeline), nodes_of(graph)
    rows = _rows(nodes)
    shown = {name: _card(row, nodes, known, frozenset(stale)) for name, row in rows.items()}
    lines = [_headline(graph, nodes), *_listing(rows, shown), *_targets(graph)]
    return "\n".join(_cut(line) for line in lines)


def _rows(nodes: Nodes) -> dict[str, _Row]:
    is_small = len(nodes.functions) <= _LINES - 2
    row_of = {node: str(node) if is_small else name for node, name in nodes.functions.items()}
    rows: dict[str, _Row] = {}
    for node, name in row_of.items():
        rows.setdefault(name, _Row(name)).nodes.append(node)
    for start, end in nodes.edges:
        if row_of[start] != row_of[end]:
            rows[row_of[start]].readers[row_of[end]] = None
    return rows


def _card(row: _Row, nodes: Nodes, known: Seen, stale: Collection[TaskId]) -> Card:
    whole = one_node(nodes, row.nodes, id=row.name, name=row.name)
    if len(row.nodes) == 1 and whole.map is None:
        whole = replace(whole, name=row.name)
    return card(whole, known, targets=frozenset(), stale=stale)


def _headline(graph: Graph, nodes: Nodes) -> str:
    planned = graph.as_planned
    inside = {*planned.maps, *planned.maps_of}
    used = {function for at, function in enumerate(planned.function_at) if at not in inside}
    used.update(call.function for call in planned.maps.values())
    depth = len(set(levels(list(nodes.functions), nodes.edges).values()))
    counted = (sized(*size_of(graph)), _count(len(used), "function"), _count(depth, "level"))
    return f"graph of {', '.join(counted)}"


def _listing(rows: Mapping[str, _Row], shown: Mapping[str, Card]) -> Iterable[str]:
    room = _LINES - 2
    names = list(rows) if len(rows) <= room else list(rows)[: room - 1]
    lines = [_line(shown[name], [shown[r].name for r in rows[name].readers]) for name in names]
    name_width = max((len(line.name) for line in lines), default=0)
    size_width = max((len(line.size) for line in lines), default=0)
    for line in lines:
        name, size = line.name.ljust(name_width), line.size.rjust(size_width)
        arrow = f"-> {', '.join(line.readers)}" if line.readers else ""
        yield "  ".join(part for part in (line.mark, name, size, line.states, arrow) if part)
    rest = list(rows)[len(names) :]
    if rest:
        tasks = _count(sum(shown[name].tasks for name in rest), "task")
        yield f"  … {_count(len(rest), 'more function')}, {tasks}"


def _line(shown: Card, readers: Sequence[str]) -> _Line:
    names = [_short(name) for name in readers]
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} more"]
    icon = LOOKS[shown.state].icon if shown.state is not None else STALE.icon * bool(shown.stale)
    return _Line(
        mark=f" {icon}" if icon else " ",
        name=_short(shown.name),
        size=f"x {shown.tasks:,}" if shown.tasks > 1 and not shown.is_map else "",
        states=shown.words,
        readers=names,
    )


def _targets(graph: Graph) -> Iterable[str]:
    names = [_short(task) for task in graph.targets[:3]]
    if len(graph.targets) > 3:
        names = [*names[:2], f"{len(graph.targets) - 2:,} more"]
    if names:
        yield f"target{'s' if len(graph.targets) > 1 else ''}: {', '.join(names)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _short(name: str) -> str:
    return shorten(name, width=28.0, size=1.0)


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
