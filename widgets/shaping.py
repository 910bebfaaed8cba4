"""What a page is told of a graph: names, inputs, needs, maps, predictions, and where cards lie."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from wfnb.graph import Function, Graph, MapCall, TaskId
from wfnb.plan import Placement
from wfnb.timeline import Timeline
from wfnb.widgets.ansi import safe_line
from wfnb.widgets.nodes import items_of
from wfnb.widgets.placing import placed, runs

Message = dict[str, Any]
Numbers = Mapping[TaskId, int]
"""By which a page knows tasks, in the order of the numbers."""

_Told = TypeVar("_Told", bound=Hashable)


def shaped(
    graph: Graph,
    number: Numbers,
    *,
    placements: Mapping[TaskId, Placement],
    stale: Collection[TaskId] = (),
    predicted: Timeline | None = None,
) -> Message:
    at = [graph.at(task) for task in number]
    placed_as = [placements.get(graph.ids[graph.base(row)]) for row in at]
    sizes, size = _coded([str(place.resources) if place else "" for place in placed_as])
    packages, package = _coded([place.environment if place else "" for place in placed_as])
    items = _items(graph, number)
    told: Message = {
        "ids": [0 if n in items else safe_line(task) for task, n in number.items()],
        "functions": [safe_line(function.name) for function in graph.functions],
        "fn": [graph.function_at[row] for row in at],
        "needs": [_needs(function) for function in graph.functions],
        "sizes": [safe_line(text) for text in sizes],
        "size": size,
        "in": [
            0 if n in items else [number[graph.ids[read]] for read in graph.inputs_at[row]]
            for n, row in enumerate(at)
        ],
        "targets": [number[task] for task in graph.targets],
        "stale": [number[task] for task in stale if task in number],
        "maps": [
            _map(graph, number, gather, call) for gather, call in graph.as_planned.maps.items()
        ],
        "view": placed(graph, number),
    }
    if packages != [""]:
        told |= {"packages": [safe_line(text) for text in packages], "package": package}
    if predicted is not None:
        told["planned"] = planned(predicted, number)
    return told


def planned(predicted: Timeline, number: Numbers) -> Message:
    """Bars of a simulated run that begins at 0. A task of number -1 is told by its id."""
    lanes: dict[str, int] = {}
    rows: list[list[Any]] = []
    for span in predicted.spans:
        start, end = span.start_seconds, span.end_seconds
        if start is None or end is None:
            continue
        lane = lanes.setdefault(safe_line(span.worker or "anybody"), len(lanes))
        row = [number.get(span.task, -1), lane, round(start, 4), round(end, 4)]
        rows.append(row if span.task in number else [*row, safe_line(span.task)])
    return {"lanes": list(lanes), "rows": rows, "end": max((row[3] for row in rows), default=0.0)}


def _needs(function: Function) -> list[list[str]]:
    """What its author has asked for: words for people, in pairs."""
    options = function.options
    facts = {
        "requirements": ", ".join(options.requirements),
        "retries": str(options.retries) if options.retries else "",
        "timeout": f"{options.timeout_seconds:g} s" if options.timeout_seconds else "",
        "reuse": "computed once, then reused" if options.reuse else "",
    }
    return [[name, safe_line(text)] for name, text in facts.items() if text]


def _map(graph: Graph, number: Numbers, gather: int, call: MapCall) -> Message:
    """A map by the numbers of its list, of what splits and of its items; -1 for none."""
    ids, items = graph.ids, items_of(graph, gather)
    return {
        "at": number[ids[gather]],
        "splitter": number[ids[call.splitter]],
        "over": -1 if call.over is None else number[ids[call.over]],
        "constants": [number[ids[read]] for read in call.constants],
        "items": None if items is None else runs(number[item] for item in items),
        "expected": call.expected,
    }


def _items(graph: Graph, number: Numbers) -> set[int]:
    """A page knows by itself what they are called and wait for, and they may be 100,000."""
    found = [items_of(graph, gather) or () for gather in graph.as_planned.maps]
    return {number[item] for items in found for item in items}


def _coded(values: Sequence[_Told]) -> tuple[list[_Told], list[int]]:
    """Each value once, and for each row which it is."""
    at: dict[_Told, int] = {}
    rows = [at.setdefault(value, len(at)) for value in values]
    return list(at), rows
