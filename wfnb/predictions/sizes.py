"""How many bytes flow along a graph, and how many items its maps get, before it has run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wfnb.arguments import Arguments, Nested
from wfnb.graph import Graph
from wfnb.predictions.functions import FunctionHistory
from wfnb.predictions.robust import median
from wfnb.versions import given_bytes, number_given

GUESSED_ITEMS = 10
GUESSED_BYTES = 1024
"""Returned by what nothing is known of."""
_ELEMENT_BYTES = 30
_STEEP = {"constant": 0.0, "linear": 1.0}


@dataclass(frozen=True, slots=True)
class Sizes:
    """By the positions of tasks."""

    read: Sequence[float]
    """Bytes, with those of arguments beside outputs, or a number; of a map, what one item reads."""
    written: Sequence[float]
    """Of a map, what one item returns; of a task that splits, all elements."""
    items: Mapping[int, int]
    """Of tasks that split."""
    guessed: frozenset[int]
    """Tasks that split whose items nobody knows or has counted."""


def sizes_of(
    graph: Graph,
    functions: Mapping[int, FunctionHistory],
    counted: Mapping[int, Sequence[tuple[str, int]]],
) -> Sizes:
    graph = graph.as_planned
    many = given_bytes(graph) or (0,) * len(graph)
    given = [size or number_given(graph, at) for at, size in enumerate(many)]
    items = {at: _items(graph, at, counted) for at in graph.maps_of}
    counts = {at: count for at, (count, _) in items.items()}
    read, written = list(map(float, given)), [0.0] * len(graph)
    known: dict[tuple[int, float], float] = {}
    for at, inputs in enumerate(graph.inputs_at):
        if at in graph.maps:
            read[at] += _of_item(graph, at, counts, written)
        elif at in graph.maps_of:
            inputs = inputs[: graph.maps[graph.maps_of[at][0]].iterated]
            read[at] += sum([_value(graph, i, counts, written) for i in inputs])
            written[at] = read[at] or float(counts[at] * _ELEMENT_BYTES)
            continue
        else:
            read[at] += sum([_value(graph, i, counts, written) for i in inputs])
        function = graph.maps[at].function if at in graph.maps else graph.function_at[at]
        key = function, read[at]
        if key not in known:
            known[key] = _written(graph, function, functions, read[at])
        written[at] = known[key]
    guessed = frozenset(at for at, (_, is_guess) in items.items() if is_guess)
    return Sizes(read, written, counts, guessed)


def _value(graph: Graph, at: int, counts: Mapping[int, int], written: Sequence[float]) -> float:
    """Of what others read: of a map, the whole list."""
    call = graph.maps.get(at)
    return written[at] * counts[call.splitter] if call is not None else written[at]


def _of_item(graph: Graph, at: int, counts: Mapping[int, int], written: Sequence[float]) -> float:
    """Its element, or what the item that it follows returned, and what all items read."""
    call = graph.maps[at]
    if call.over is not None:
        own = written[call.over]
    else:
        own = written[call.splitter] / max(1, counts[call.splitter])
    return own + sum([_value(graph, read, counts, written) for read in call.constants])


def _written(
    graph: Graph, function: int, functions: Mapping[int, FunctionHistory], read: float
) -> float:
    history, io = functions.get(function), graph.functions[function].options.io
    if history is not None:
        return max(0.0, math.exp(history.output.curve.at(read)) - 1)
    steep = _STEEP.get(io or "constant", 0.0) if ":" not in (io or "") else float((io or "")[6:])
    return max(read, 1.0) ** steep if steep else GUESSED_BYTES


def _items(
    graph: Graph, at: int, counted: Mapping[int, Sequence[tuple[str, int]]]
) -> tuple[int, bool]:
    """What is written there, else what the last run had, else what the author guesses."""
    if (known := _count(graph.arguments_at[at])) is not None:
        return known, False
    calls = [graph.maps[of_map] for of_map in graph.maps_of[at]]
    for call in calls:
        if past := counted.get(call.function):
            newest = [(float(count), 1.0) for run, count in past if run == past[0][0]]
            return round(median(newest)), False
    expected = [call.expected for call in calls if call.expected is not None]
    return (expected[0] if expected else GUESSED_ITEMS), True


def _count(arguments: Arguments) -> int | None:
    """As many as the shortest iterable has, where all are there and not nested."""
    if len(arguments) != 2 or arguments[1].get("depth", 1) != 1 or not arguments[0]:
        return None
    counts = [_length(value) for value in arguments[0]]
    return None if None in counts else min(counts)  # type: ignore[type-var]


def _length(value: Any) -> int | None:
    value = value.template if type(value) is Nested else value
    is_plain = type(value) in (list, tuple, range, str, bytes, dict, set, frozenset)
    return len(value) if is_plain else None
