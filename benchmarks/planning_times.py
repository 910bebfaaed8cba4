"""How long planners take on graphs of many tasks; CPU seconds, so that others do not count."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from benchmarks.planning_cases import Exact, Workflow, shared_store
from wfnb.graph import Function, Graph, TaskId
from wfnb.planners import PLANNERS, planner_named
from wfnb.planners.terms import Terms

NEAR = 200
"""A task reads some of so many before it."""
MOST_INPUTS = 3
FUNCTIONS = "abcdefgh"


def of_size(count: int, *, seed: int = 1) -> Workflow:
    random = Random(seed)
    inputs = []
    for at in range(count):
        near = range(max(0, at - NEAR), at)
        inputs.append(tuple(sorted(random.sample(near, min(at, random.randint(0, MOST_INPUTS))))))
    graph = Graph(
        functions=tuple(Function(name, len) for name in FUNCTIONS),
        ids=tuple(TaskId(f"t-{at}") for at in range(count)),
        function_at=tuple(at % len(FUNCTIONS) for at in range(count)),
        arguments_at=[()] * count,
        inputs_at=tuple(inputs),
        targets=(),
    )
    kinds = [random.uniform(0.1, 5.0) for _ in FUNCTIONS]
    seconds = [kinds[at % len(FUNCTIONS)] for at in range(count)]
    edges = [[10**6] * len(its) for its in inputs]
    return Workflow(f"{count:,} random tasks", graph, seconds, [10**6] * count, edges)


def planning_seconds(counts: Sequence[int], *, limit_seconds: float) -> dict[str, dict[str, float]]:
    """By planner and size; a planner is not asked for more once it has taken longer than that."""
    found: dict[str, dict[str, float]] = {name: {} for name in sorted(PLANNERS)}
    for count in counts:
        workflow = of_size(count)
        assert len(workflow.graph.readers_at) == len(workflow.graph.position)  # made beforehand
        forecast = Exact(workflow, shared_store(125e6, workers=8))
        for name, its in found.items():
            if any(seconds > limit_seconds for seconds in its.values()):
                continue
            begun = time.process_time()
            planner_named(name, Terms()).plan(workflow.graph, forecast)
            its[f"{count:,} tasks, s"] = time.process_time() - begun
    return found
