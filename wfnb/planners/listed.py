"""Planners that put one task after the other on a board of machines."""

from __future__ import annotations

from collections.abc import Callable

from wfnb.forecast import Forecast, Predictor
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.planners.board import Board
from wfnb.planners.costs import Costs
from wfnb.planners.foresighted import Foresighted
from wfnb.planners.placing import flexible, plan_of, scheduled
from wfnb.planners.terms import Terms

Heuristic = Callable[[Graph, Costs], Board]


class Listed(Foresighted):
    """One list scheduler, by name. All its workers are of the largest size that may be given."""

    def __init__(self, name: str, heuristic: Heuristic, terms: Terms) -> None:
        super().__init__(terms)
        self.name = name
        self._heuristic = heuristic

    def foreseeing(self, graph: Graph, forecast: Forecast) -> Plan:
        machines, costs = scheduled(graph, forecast, self._terms)
        return plan_of(self._heuristic(graph, costs), machines, planner=self.name)


class Wukong:
    """No worker is named: who finishes the last input of a task goes on with it, others are asked.

    As in WUKONG (Carver et al. 2020, doi:10.1145/3419111.3421286), whose workers become and invoke.
    """

    name = "wukong"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan:
        """`predictor` is not asked: where a task runs is decided when it is ready."""
        return flexible(graph, self._terms.largest, planner=self.name)
