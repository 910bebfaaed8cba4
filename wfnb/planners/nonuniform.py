"""The non-uniform planner: workers of several sizes, as large as each must be and no larger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wfnb.forecast import Forecast, Predictor
from wfnb.graph import Graph
from wfnb.plan import Placement, Plan
from wfnb.planners.heuristics import heft
from wfnb.planners.locality import by_locality
from wfnb.planners.placing import NO_HISTORY, flexible, plan_of, scheduled
from wfnb.planners.scoring import affordable, best_of
from wfnb.planners.terms import Terms, declared, strength, with_size
from wfnb.resources import Resources
from wfnb.simulator import Simulated, simulate

SLACK = 1 + 1e-9


class Nonuniform:
    """Begins with the size that is done first, then changes whole workers.

    Those off the critical path get smaller while the makespan does not grow; those on it larger,
    where the makespan falls by more than the cost rises. The simulator says what comes of it.
    """

    name = "nonuniform"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan:
        """Without a predictor any worker may take any task."""
        terms = self._terms
        if predictor is None:
            return flexible(graph, terms.largest, planner=self.name, notes=[NO_HISTORY])
        forecast = predictor.forecast(graph, sla=terms.sla)
        plan = best_of(self._beginnings(graph, forecast), forecast)
        if len(terms.sizes) == 1:
            return plan
        trials = max(2, affordable(forecast, terms.budget_seconds))
        return _larger(*_smaller(plan, forecast, terms, trials), forecast, terms)

    def _beginnings(self, graph: Graph, forecast: Forecast) -> Iterator[Plan]:
        for size in sorted(self._terms.sizes, key=strength, reverse=True):
            machines, costs = scheduled(graph, forecast, with_size(self._terms, size))
            for heuristic in (heft, by_locality):
                yield plan_of(heuristic(graph, costs), machines, planner=self.name)


def _smaller(plan: Plan, forecast: Forecast, terms: Terms, trials: int) -> tuple[Plan, int]:
    now = simulate(plan, forecast)
    limit = now.makespan_seconds * SLACK
    for size in sorted(terms.sizes, key=strength):
        critical = _critical(plan, now)
        for worker in _changeable(plan):
            if worker in critical or not trials:
                continue
            if strength(_size_of(plan, worker)) <= strength(size):
                continue
            trials -= 1
            changed = _resized(plan, worker, size)
            then = simulate(changed, forecast)
            if then.makespan_seconds <= limit:
                plan, now = changed, then
                critical = _critical(plan, now)
    return plan, trials


def _larger(plan: Plan, trials: int, forecast: Forecast, terms: Terms) -> Plan:
    now = simulate(plan, forecast)
    for size in sorted(terms.sizes, key=strength):
        for worker in sorted(_critical(plan, now).intersection(_changeable(plan))):
            if not trials or strength(_size_of(plan, worker)) >= strength(size):
                continue
            trials -= 1
            changed = _resized(plan, worker, size)
            then = simulate(changed, forecast)
            gain = now.makespan_seconds / max(then.makespan_seconds, 1e-12)
            price = _cost(then.gb_seconds, then.cpu_seconds) / max(
                _cost(now.gb_seconds, now.cpu_seconds), 1e-12
            )
            if gain > SLACK and gain > price:
                plan, now = changed, then
    return plan


def _cost(gb_seconds: float, cpu_seconds: float) -> float:
    """Where no memory is limited only CPUs cost."""
    return gb_seconds or cpu_seconds


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
