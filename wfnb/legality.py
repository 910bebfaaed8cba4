"""What no plan may say, for no run could carry it out: each thing with its remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from wfnb.errors import PlanError
from wfnb.graph import Graph, TaskId
from wfnb.resources import Resources

MOST_WORKERS = 64
"""That one plan may name: more than a pool will have."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Placed(Protocol):
    """A task's placement, as far as it matters here."""

    @property
    def resources(self) -> Resources: ...

    @property
    def worker(self) -> str | None: ...

    @property
    def environment(self) -> str: ...


Placements = Mapping[TaskId, Placed]


def refuse_illegal(
    planner: str,
    graph: Graph,
    placements: Placements,
    *,
    order: Sequence[int] | None,
    leaves_some: Callable[[], bool],
) -> None:
    """Raises PlanError. `leaves_some` tasks to any worker of their size: asked only if it matters.

    Nothing here says in which order named workers may wait for each other: each does what is ready,
    and a graph has no circles, so there is always one that can go on, given a place to do it.
    """
    _refuse_other_tasks(planner, graph, placements)
    if order is not None and len(order) != len(graph):
        raise PlanError(
            f"{planner} has an order of {len(order)} turns for {len(graph)} tasks: give each one"
        )
    first: dict[str, TaskId] = {}
    for task in graph:
        worker = placements[task].worker
        if worker is not None:
            _refuse_to_mix(graph, placements, first.setdefault(worker, task), task)
    _refuse_names(first)
    most = MOST_WORKERS - (len(first) >= MOST_WORKERS and leaves_some())
    if len(first) > most:
        besides = "" if most == MOST_WORKERS else " beside tasks for any worker"
        raise PlanError(
            f"{planner} names {len(first)} workers, and there may be {most}{besides}: put more "
            "tasks on one"
        )


def _refuse_other_tasks(planner: str, graph: Graph, placements: Placements) -> None:
    """Every task of the graph has a placement, and nothing else has."""
    missing = [task for task in graph if task not in placements]
    if missing:
        some = ", ".join(missing[:3])
        raise PlanError(
            f"{planner} placed {len(missing)} tasks nowhere, {some} among them: give each task of "
            "the graph a Placement"
        )
    if len(placements) > len(graph):
        some = ", ".join([task for task in placements if task not in graph][:3])
        raise PlanError(
            f"{planner} placed {some}, and the graph has no such task: plan this very graph, and "
            "leave out items of maps, which go where their map goes"
        )


def _refuse_names(first: Mapping[str, TaskId]) -> None:
    """`first` task of each worker."""
    for worker, task in first.items():
        if not _NAME.fullmatch(worker):
            raise PlanError(
                f"{task} is on a worker named {worker!r}: use letters, digits, '_', '.' and '-'"
            )


def _refuse_to_mix(graph: Graph, placements: Placements, first: TaskId, task: TaskId) -> None:
    one, other = placements[first], placements[task]
    if one is other:
        return
    worker = other.worker
    if one.resources != other.resources:
        raise PlanError(
            f"worker {worker} is {one.resources} for {first}, but {task} wants {other.resources}: "
            "a worker has one size, so put them on different workers"
        )
    if one.environment != other.environment:
        needs = [" and ".join(graph.options(t).requirements) or "nothing" for t in (first, task)]
        raise PlanError(
            f"worker {worker} has task {first} needing {needs[0]} and {task} needing {needs[1]}: "
            "put them on different workers"
        )
