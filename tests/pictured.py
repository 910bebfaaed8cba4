"""Graphs and timelines to draw, by hand: no functions that do anything, no run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wfnb.graph import Function, Graph, TaskId
from wfnb.timeline import TaskState, Timeline

Row = tuple[str, str, Sequence[str]]


def graph_of(rows: Sequence[Row]) -> Graph:
    """A graph from (task, function, inputs), in an order that respects the inputs."""
    functions = list(dict.fromkeys(function for _, function, _ in rows))
    position = {task: at for at, (task, _, _) in enumerate(rows)}
    read = {task for _, _, inputs in rows for task in inputs}
    return Graph(
        functions=tuple(Function(name, print) for name in functions),
        ids=tuple(TaskId(task) for task, _, _ in rows),
        function_at=tuple(functions.index(function) for _, function, _ in rows),
        arguments_at=tuple(() for _ in rows),
        inputs_at=tuple(tuple(position[task] for task in inputs) for _, _, inputs in rows),
        targets=tuple(TaskId(task) for task, _, _ in rows if task not in read),
    )


def five() -> Graph:
    return graph_of(
        [
            ("load", "load", []),
            ("clean", "clean", ["load"]),
            ("train", "train", ["clean"]),
            ("score", "score", ["train", "clean"]),
            ("report", "report", ["score"]),
        ]
    )


def tree(leaves: int) -> Graph:
    """A fan-in of pairs."""
    rows: list[Row] = [(f"count-{leaf}", "count", []) for leaf in range(leaves)]
    layer = [task for task, _, _ in rows]
    merges = 0
    while len(layer) > 1:
        merged = []
        for first in range(0, len(layer), 2):
            rows.append((f"merge-{merges}", "merge", layer[first : first + 2]))
            merged.append(f"merge-{merges}")
            merges += 1
        layer = merged
    return graph_of(rows)


def chain(length: int) -> Graph:
    return graph_of([(f"step-{n}", "step", [f"step-{n - 1}"] if n else []) for n in range(length)])


def grid(columns: int, rows: int, *, functions: int = 1) -> Graph:
    """Layers in which every task reads two tasks of the layer before."""
    return graph_of(
        [
            (
                f"t{column}-{row}",
                f"f{column}-{row % functions}",
                [f"t{column - 1}-{at % rows}" for at in {row, (row * 7 + 3) % rows}]
                if column
                else [],
            )
            for column in range(columns)
            for row in range(rows)
        ]
    )


def timeline_of(graph: Graph, states: Mapping[str, TaskState]) -> Timeline:
    timeline = Timeline(graph)
    timeline.correct({TaskId(task): state for task, state in states.items()})
    return timeline
