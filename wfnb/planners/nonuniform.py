"""The non-uniform planner: workers of several sizes, as large as each must be and no larger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from wfnb.forecast import Forecast
from wfnb.graph import Graph
from wfnb.plan import Placement, Plan
from wfnb.planners.foresighted import Foresighted
from wfnb.planners.heuristics import heft
from wfnb.planners.locality import by_locality
from wfnb.planners.placing import plan_of, scheduled
from wfnb.planners.scoring import SLACK, affordable, best_of, cost_of
from wfnb.planners.terms import declared, strength, with_size
from wfnb.resources import Resources
from wfnb.simulator import Simulated, simulate


class Nonuniform(Foresighted):
    """Begins with the size that is done first, then changes whole workers.

    Those off the critical path get smaller while the makespan does not grow; those on it larger,
    where the makespan falls by more than the cost rises. The simulator says what comes of it.
    """

    name = "nonuniform"

    def foreseeing(self, graph: Graph, forecast: Forecast) -> Plan:
        terms = self._terms
        plan = best_of(self._beginnings(graph, forecast), forecast)
        if len(terms.sizes) == 1:
            return plan
        trials = affordable(forecast, terms.budget_seconds)
        return _Resizing(plan, forecast, trials).result(sorted(terms.sizes, key=strength))

    def _beginnings(self, graph: Graph, forecast: Forecast) -> Iterator[Plan]:
        for size in sorted(self._terms.sizes, key=strength, reverse=True):
            machines, costs = scheduled(graph, forecast, with_size(self._terms, size))
            for heuristic in (heft, by_locality):
                yield plan_of(heuristic(graph, costs), machines, planner=self.name)


class _Resizing:
    """A plan whose workers change size, one at a time, as long as that pays."""

    def __init__(self, plan: Plan, forecast: Forecast, trials: int) -> None:
        self._forecast = forecast
        self._trials = trials
        self.plan, self._now = plan, simulate(plan, forecast)

    def result(self, sizes: Sequence[Resources]) -> Plan:
        for size in sizes:
            for worker in _changeable(self.plan):
                if not self._is_critical(worker) and self._differs(worker, size) > 0:
                    self._try(worker, size, self._is_no_slower)
        for size in sizes:
            for worker in _changeable(self.plan):
                if self._is_critical(worker) and self._differs(worker, size) < 0:
                    self._try(worker, size, self._is_worth_it)
        return self.plan

    def _try(self, worker: str, size: Resources, pays: Callable[[Simulated], bool]) -> None:
        if not self._trials:
            return
        self._trials -= 1
        then = simulate(_resized(self.plan, worker, size), self._forecast)
        if pays(then):
            self.plan, self._now = then.plan, then

    def _is_no_slower(self, then: Simulated) -> bool:
        limit = self._now.makespan_seconds * SLACK
        return then.makespan_seconds <= limit and cost_of(then) <= cost_of(self._now) * SLACK

    def _is_worth_it(self, then: Simulated) -> bool:
        gain = self._now.makespan_seconds / max(then.makespan_seconds, 1e-12)
        return gain > SLACK and gain > cost_of(then) / max(cost_of(self._now), 1e-12)

    def _is_critical(self, worker: str) -> bool:
        return worker in _critical(self.plan, self._now)

    def _differs(self, worker: str, size: Resources) -> int:
        """Whether the worker is larger or smaller than this."""
        its, other = strength(_size_of(self.plan, worker)), strength(size)
        return (its > other) - (its < other)


def _critical(plan: Plan, now: Simulated) -> set[str]:
    """The named workers that the end waits for."""
    tasks = {stretch.task for stretch in now.critical_path}
    named = (plan.placements[task].worker for task in tasks if task in plan.placements)
    return {worker for worker in named if worker is not None}


def _changeable(plan: Plan) -> list[str]:
    """Workers none of whose tasks says how large it must be, the last named first."""
    fixed = {
        plan.placements[task].worker
        for task in plan.graph
        if declared(plan.graph.options(task).resources)
    }
    return [worker for worker in reversed(plan.workers) if worker not in fixed]


def _size_of(plan: Plan, worker: str) -> Resources:
    return next(place.resources for place in plan.placements.values() if place.worker == worker)


def _resized(plan: Plan, worker: str, size: Resources) -> Plan:
    place = Placement(resources=size, worker=worker)
    return replace(
        plan,
        placements={
            task: place if before.worker == worker else before
            for task, before in plan.placements.items()
        },
    )
