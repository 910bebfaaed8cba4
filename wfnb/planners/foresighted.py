"""What planners that go by a forecast have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from wfnb.forecast import Forecast, Predictor
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.planners.placing import NO_HISTORY, flexible
from wfnb.planners.terms import Terms


class Foresighted(ABC):
    """Plans by what is expected of the tasks, at the caution that its terms ask for."""

    name: str

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan:
        """Without a predictor nothing can be foreseen: any worker may take any task."""
        terms = self._terms
        if predictor is None:
            return flexible(graph, terms.largest, planner=self.name, notes=[NO_HISTORY])
        return self.foreseeing(graph, predictor.forecast(graph, sla=terms.sla))

    @abstractmethod
    def foreseeing(self, graph: Graph, forecast: Forecast) -> Plan: ...
