"""The uniform planner: any worker may take any task, each with the resources it declares."""

from __future__ import annotations

from wfnb.graph import Graph
from wfnb.plan import Placement, Plan
from wfnb.resources import Resources

_UNDECLARED = Resources()


class Uniform:
    """Needs no history: whoever is idle takes what is ready."""

    name = "uniform"

    def __init__(self, default: Resources = _UNDECLARED) -> None:
        self._default = default

    def plan(self, graph: Graph, predictor: object = None) -> Plan:
        """`predictor` is not asked: nothing here depends on how long a task takes."""
        placements = [
            Placement(resources=self._size(function.options.resources))
            for function in graph.functions
        ]
        return Plan(
            graph,
            {task: placements[at] for task, at in zip(graph.ids, graph.function_at, strict=True)},
            planner=self.name,
        )

    def _size(self, declared: Resources) -> Resources:
        return self._default if declared == _UNDECLARED else declared
