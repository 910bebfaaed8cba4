"""The simple planner: the largest size for all, then less for what does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wfnb.forecast import Forecast, Predictor
from wfnb.graph import Graph, TaskId
from wfnb.plan import Placement, Plan
from wfnb.planners.locality import by_first_input
from wfnb.planners.placing import NO_HISTORY, flexible, plan_of, scheduled
from wfnb.planners.terms import Terms, declared, strength
from wfnb.resources import Resources

MOST_TRIALS = 200
Moves = Sequence[Sequence[float]]
"""Of each task's inputs, the seconds to move them."""


class Simple:
    """Each task on its first input's worker; off the critical path, tasks get smaller workers."""

    name = "simple"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan:
        """Without a predictor any worker may take any task."""
        terms = self._terms
        if predictor is None:
            return flexible(graph, terms.largest, planner=self.name, notes=[NO_HISTORY])
        forecast = predictor.forecast(graph, sla=terms.sla)
        machines, costs = scheduled(graph, forecast, terms)
        plan = plan_of(by_first_input(graph, costs), machines, planner=self.name)
        smaller = sorted(set(terms.sizes) - {terms.largest}, key=strength)
        return _downgraded(plan, forecast, smaller, costs.send) if smaller else plan


def _downgraded(plan: Plan, forecast: Forecast, smaller: Sequence[Resources], moves: Moves) -> Plan:
    """Tasks with most slack first, several at once, fewer if the critical path would grow."""
    graph, paths = plan.graph, _Paths(plan, forecast, moves)
    open_ = [at for at in range(len(graph)) if not declared(graph.options(graph.ids[at]).resources)]
    for size in smaller:
        groups = [sorted(open_, key=paths.slack, reverse=True)]
        trials = 0
        while groups and trials < MOST_TRIALS:
            group, trials = groups.pop(), trials + 1
            if paths.fits(group, size):
                paths.take(group, size)
                open_ = [at for at in open_ if at not in set(group)]
            elif len(group) > 1:
                half = len(group) // 2
                groups += [group[half:], group[:half]]
    return replace(plan, placements=paths.placements(plan))


class _Paths:
    """The longest ways through the graph, as sizes of tasks change."""

    def __init__(self, plan: Plan, forecast: Forecast, moves: Moves) -> None:
        self._graph, self._forecast, self._moves = plan.graph, forecast, moves
        self._size = [plan.placements[task].resources for task in plan.graph]
        self._calls = [forecast.call_seconds(at, size) for at, size in enumerate(self._size)]
        self._through = self._longest(self._calls)
        self._limit = max(self._through, default=0.0) * (1 + 1e-9)
        self._changed: set[int] = set()

    def slack(self, at: int) -> float:
        return self._limit - self._through[at]

    def fits(self, group: Sequence[int], size: Resources) -> bool:
        return max(self._longest(self._with(group, size)), default=0.0) <= self._limit

    def take(self, group: Sequence[int], size: Resources) -> None:
        self._calls = self._with(group, size)
        self._through = self._longest(self._calls)
        self._changed.update(group)
        for at in group:
            self._size[at] = size

    def placements(self, plan: Plan) -> dict[TaskId, Placement]:
        """What was downgraded is no longer bound to the worker of its input."""
        known = {size: Placement(resources=size) for size in set(self._size)}
        return {
            task: known[self._size[at]] if at in self._changed else plan.placements[task]
            for at, task in enumerate(self._graph)
        }

    def _with(self, group: Sequence[int], size: Resources) -> list[float]:
        calls = list(self._calls)
        for at in group:
            calls[at] = self._forecast.call_seconds(at, size)
        return calls

    def _longest(self, calls: Sequence[float]) -> list[float]:
        """Of each task, the longest way through it."""
        graph, moves, count = self._graph, self._moves, len(calls)
        before, after = [0.0] * count, [0.0] * count
        for at, inputs in enumerate(graph.inputs_at):
            for read, move in zip(inputs, moves[at], strict=True):
                before[at] = max(before[at], before[read] + calls[read] + move)
        for at in range(count - 1, -1, -1):
            for read, move in zip(graph.inputs_at[at], moves[at], strict=True):
                after[read] = max(after[read], move + calls[at] + after[at])
        return [before[at] + calls[at] + after[at] for at in range(count)]
