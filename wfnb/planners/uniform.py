"""The uniform planner: one size for all that declare none, workers by locality."""

from __future__ import annotations

from wfnb.forecast import Predictor
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.planners.locality import by_locality
from wfnb.planners.placing import NO_HISTORY, flexible, plan_of, scheduled
from wfnb.planners.scoring import best_of
from wfnb.planners.terms import Terms, with_size


class Uniform:
    """Of several sizes to choose from, it takes the one with which the graph is done first."""

    name = "uniform"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan:
        """Without a predictor any worker may take any task."""
        terms = self._terms
        if predictor is None:
            return flexible(graph, terms.largest, planner=self.name, notes=[NO_HISTORY])
        forecast = predictor.forecast(graph, sla=terms.sla)
        plans = []
        for size in terms.sizes:
            machines, costs = scheduled(graph, forecast, with_size(terms, size))
            plans.append(plan_of(by_locality(graph, costs), machines, planner=self.name))
        return best_of(plans, forecast)
