"""The uniform planner: one size for all that declare none, workers by locality."""

from __future__ import annotations

from wfnb.forecast import Forecast
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.planners.foresighted import Foresighted
from wfnb.planners.locality import by_locality
from wfnb.planners.placing import plan_of, scheduled
from wfnb.planners.scoring import best_of
from wfnb.planners.terms import with_size


class Uniform(Foresighted):
    """Of several sizes to choose from, it takes the one with which the graph is done first."""

    name = "uniform"

    def foreseeing(self, graph: Graph, forecast: Forecast) -> Plan:
        terms = self._terms
        plans = []
        for size in terms.sizes:
            machines, costs = scheduled(graph, forecast, with_size(terms, size))
            plans.append(plan_of(by_locality(graph, costs), machines, planner=self.name))
        return best_of(plans, forecast)
