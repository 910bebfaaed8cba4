"""A graph in at most 20 lines of text: for terminals, and for notebooks that nbval compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wfnb.graph import Graph, TaskId
from wfnb.timeline import Timeline
from wfnb.widgets.cards import Seen, seen
from wfnb.widgets.layout import Edge, levels
from wfnb.widgets.palette import LOOKS, in_words, overall
from wfnb.widgets.svg import shorten

_LINES = 20
_WIDTH = 100


@dataclass(slots=True)
class _Row:
    """One line of the listing: one task, or all tasks of one function."""

    name: str
    tasks: list[TaskId] = field(default_factory=list)
    readers: dict[str, None] = field(default_factory=dict)
    """Names of the rows that read this one: a dict, for its order."""


def graph_text(graph: Graph, timeline: Timeline | None = None) -> str:
    """List size, shape and states; task by task when few, by function when many."""
    known = seen(graph, timeline)
    is_small = len(graph) <= _LINES - 2
    names = {task: task if is_small else graph.function_name(task) for task in graph}
    rows: dict[str, _Row] = {}
    for task, name in names.items():
        row = rows.setdefault(name, _Row(name))
        row.tasks.append(task)
    for end in graph:
        for start in graph.inputs(end):
            if names[start] != names[end]:
                rows[names[start]].readers[names[end]] = None
    lines = [_headline(graph), *_listing(list(rows.values()), known), *_targets(graph)]
    return "\n".join(_cut(line) for line in lines)


def _headline(graph: Graph) -> str:
    edges: list[Edge] = [(start, end) for end in graph for start in graph.inputs(end)]
    depth = len(set(levels(graph.ids, edges).values()))
    used = len(set(graph.function_at))
    counted = (_count(len(graph), "task"), _count(used, "function"), _count(depth, "level"))
    return f"graph of {', '.join(counted)}"


def _listing(rows: Sequence[_Row], known: Seen) -> Iterable[str]:
    room = _LINES - 2
    shown = rows if len(rows) <= room else rows[: room - 1]
    name_width = max((len(_short(row.name)) for row in shown), default=0)
    size_width = max((len(_size(row)) for row in shown), default=0)
    for row in shown:
        name, size = _short(row.name).ljust(name_width), _size(row).rjust(size_width)
        yield "  ".join(
            part for part in (_mark(row, known), name, size, _notes(row, known)) if part
        )
    rest = rows[len(shown) :]
    if rest:
        tasks = _count(sum(len(row.tasks) for row in rest), "task")
        yield f"  … {_count(len(rest), 'more function')}, {tasks}"


def _mark(row: _Row, known: Seen) -> str:
    counts = known.counts_of(row.tasks)
    state = overall(counts)
    return f" {LOOKS[state].icon}" if state is not None else " "


def _notes(row: _Row, known: Seen) -> str:
    counts = known.counts_of(row.tasks)
    states = in_words(counts) if len(row.tasks) > 1 else "".join(LOOKS[s].word for s in counts)
    readers = [_short(name) for name in row.readers]
    if len(readers) > 3:
        readers = [*readers[:2], f"{len(readers) - 2} more"]
    arrow = f"-> {', '.join(readers)}" if readers else ""
    return "  ".join(part for part in (states, arrow) if part)


def _targets(graph: Graph) -> Iterable[str]:
    names = [_short(task) for task in graph.targets[:3]]
    if len(graph.targets) > 3:
        names = [*names[:2], f"{len(graph.targets) - 2:,} more"]
    if names:
        yield f"target{'s' if len(graph.targets) > 1 else ''}: {', '.join(names)}"


def _size(row: _Row) -> str:
    return f"x {len(row.tasks):,}" if len(row.tasks) > 1 else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _short(name: str) -> str:
    return shorten(name, width=28.0, size=1.0)


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
