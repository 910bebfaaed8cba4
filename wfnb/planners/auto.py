"""The automatic planner: many plans, each played by the simulator; the best, and then a better."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from wfnb.forecast import Forecast
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.planners.board import Board
from wfnb.planners.climbing import climbers
from wfnb.planners.costs import Costs, Machines
from wfnb.planners.dasklike import as_dask_would
from wfnb.planners.foresighted import Foresighted
from wfnb.planners.heuristics import cpop, heft, maxmin, minmin, peft
from wfnb.planners.locality import by_first_input, by_locality
from wfnb.planners.placing import canonical, flexible, plan_of, scheduled
from wfnb.planners.scoring import affordable
from wfnb.planners.terms import Terms, strength, with_size
from wfnb.simulator import makespan_of

INFLATIONS = (1.0, 4.0, 16.0, 0.0)
"""How much dearer than one transfer what goes through the store is thought to be."""
HEURISTICS = (heft, by_locality, peft, minmin, maxmin, as_dask_would, by_first_input, cpop)
NO_TIME = "there is no time to try plans of so many tasks: each is taken by whoever is idle"
BOARD_TRIALS = 0.02
"""What a schedule on one more machine takes, in simulations of a plan."""
LARGE_TASKS = 5_000
"""A schedule of so many tasks takes as long as a simulation: boards do not get cheaper."""
WORTH_SIMULATING = 1.1
"""A schedule that is by so much longer in the costs' model than the best one is not looked at."""


class Auto(Foresighted):
    """A portfolio of schedulers, times ideas of the store's speed, sizes and numbers of workers.

    What is left of the budget goes into climbing from the best of them; see wfnb.planners.climbing.
    """

    name = "auto"

    def foreseeing(self, graph: Graph, forecast: Forecast) -> Plan:
        terms = self._terms
        trials = affordable(forecast, terms.budget_seconds)
        if trials < 2:
            return flexible(graph, terms.largest, planner=self.name, notes=[NO_TIME])
        return _Search(graph, forecast, terms, trials).result()


class _Search:
    """The best plan so far, and how many more may be simulated."""

    def __init__(self, graph: Graph, forecast: Forecast, terms: Terms, trials: float) -> None:
        self._graph, self._forecast, self._terms = graph, forecast, terms
        self._left = trials
        self._seen: set[Hashable] = set()
        self._best = flexible(graph, terms.largest, planner=Auto.name)
        self._seconds = self._score(self._best)
        self._named_seconds = float("inf")
        self._from: tuple[Board, Machines] | None = None
        """What the best of those plans was made of that name workers; and how long it takes."""

    def result(self) -> Plan:
        """Half of the budget is for the portfolio."""
        half = self._left / 2
        for board, machines in self._candidates():
            self._try(board, machines)
            if self._left < half:
                break
        if self._from is not None and self._graph.ids:
            self._climb(*self._from)
        return self._best

    def _candidates(self) -> Iterator[tuple[Board, Machines]]:
        """The likeliest first, for the budget may end anywhere."""
        for machines, costs in self._models():
            for heuristic in HEURISTICS:
                self._left -= self._price(costs)
                yield heuristic(self._graph, costs), machines

    def _models(self) -> Iterator[tuple[Machines, Costs]]:
        terms, graph = self._terms, self._graph
        most = terms.workers or self._forecast.site.workers
        counts = [most, *(count for count in (most // 2, 1, most // 4) if 1 <= count < most)]
        for count in dict.fromkeys(counts):
            for size in sorted(terms.sizes, key=strength, reverse=True):
                one = with_size(terms, size)
                for inflation in INFLATIONS:
                    yield scheduled(graph, self._forecast, one, workers=count, inflation=inflation)

    def _climb(self, board: Board, machines: Machines) -> None:
        """Walks in turns: the costs' model says what is worth playing, the simulator what is up."""
        walks, price = climbers(board), self._price(board.costs)
        while True:
            for climber in walks:
                self._left -= price
                if self._left < 1:
                    return
                recipe, board = climber.proposal()
                promising = board.makespan <= WORTH_SIMULATING * climber.board.makespan
                if promising and self._try(board, machines):
                    climber.step_up(recipe, board)

    def _price(self, costs: Costs) -> float:
        return BOARD_TRIALS * costs.machines + len(self._graph) / LARGE_TASKS

    def _try(self, board: Board, machines: Machines) -> bool:
        """Whether it makes the best plan so far of those that name workers."""
        key = canonical(board, machines)
        if key in self._seen or self._left < 1:
            return False
        self._seen.add(key)
        plan = plan_of(board, machines, planner=Auto.name)
        seconds = self._score(plan)
        if seconds < self._seconds:
            self._best, self._seconds = plan, seconds
        if seconds >= self._named_seconds:
            return False
        self._named_seconds, self._from = seconds, (board, machines)
        return True

    def _score(self, plan: Plan) -> float:
        self._left -= 1
        return makespan_of(plan, self._forecast)
