"""The simple planner: the largest size for all, then less for what does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wfnb.forecast import Forecast
from wfnb.graph import Graph
from wfnb.plan import Placement, Plan
from wfnb.planners.foresighted import Foresighted
from wfnb.planners.locality import by_first_input
from wfnb.planners.placing import plan_of, scheduled
from wfnb.planners.scoring import SLACK
from wfnb.planners.terms import declared, strength
from wfnb.resources import Resources
from wfnb.simulator import makespan_of

MOST_TRIALS = 200
Moves = Sequence[Sequence[float]]
"""Of each task's inputs, the seconds to move them."""


class Simple(Foresighted):
    """Each task on its first input's worker; off the critical path, tasks get smaller workers."""

    name = "simple"

    def foreseeing(self, graph: Graph, forecast: Forecast) -> Plan:
        terms = self._terms
        machines, costs = scheduled(graph, forecast, terms)
        plan = plan_of(by_first_input(graph, costs), machines, planner=self.name)
        smaller = sorted(set(terms.sizes) - {terms.largest}, key=strength)
        return _downgraded(plan, forecast, smaller, costs.send) if smaller else plan


def _downgraded(plan: Plan, forecast: Forecast, smaller: Sequence[Resources], moves: Moves) -> Plan:
    """Tasks with most slack first, several at once, fewer if the critical path would grow."""
    graph, paths = plan.graph, _Paths(plan, forecast, moves)
    free = [not declared(function.options.resources) for function in graph.functions]
    open_ = [at for at, function in enumerate(graph.function_at) if free[function]]
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
    return _as_fast(plan, paths.changed, forecast)


def _as_fast(plan: Plan, changed: Mapping[int, Resources], forecast: Forecast) -> Plan:
    """With the first half of the changes, or the first quarter, where others stand in their way."""
    limit, several = makespan_of(plan, forecast) * SLACK, list(changed.items())
    while several:
        smaller = _with_sizes(plan, several)
        if makespan_of(smaller, forecast) <= limit:
            return smaller
        del several[len(several) // 2 :]
    return plan


def _with_sizes(plan: Plan, changed: Iterable[tuple[int, Resources]]) -> Plan:
    """What is downgraded is no longer bound to the worker of its input."""
    ids, placements = plan.graph.ids, dict(plan.placements)
    known: dict[Resources, Placement] = {}
    for at, size in changed:
        placements[ids[at]] = known.setdefault(size, Placement(resources=size))
    return replace(plan, placements=placements)


class _Paths:
    """The longest ways through the graph, as sizes of tasks change."""

    def __init__(self, plan: Plan, forecast: Forecast, moves: Moves) -> None:
        self._graph, self._forecast, self._moves = plan.graph, forecast, moves
        sizes = [plan.placements[task].resources for task in plan.graph]
        self._calls = [forecast.call_seconds(at, size) for at, size in enumerate(sizes)]
        self._through = self._longest(self._calls)
        self._limit = max(self._through, default=0.0) * (1 + 1e-9)
        self.changed: dict[int, Resources] = {}
        """The sizes of what was downgraded, that with most slack first."""

    def slack(self, at: int) -> float:
        return self._limit - self._through[at]

    def fits(self, group: Sequence[int], size: Resources) -> bool:
        return max(self._longest(self._with(group, size)), default=0.0) <= self._limit

    def take(self, group: Sequence[int], size: Resources) -> None:
        self._calls = self._with(group, size)
        self._through = self._longest(self._calls)
        self.changed |= dict.fromkeys(group, size)

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
