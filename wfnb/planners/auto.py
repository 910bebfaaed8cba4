"""The automatic planner: many plans, each played by the simulator; the best, and then a better."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from wfnb.forecast import Forecast, Predictor
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.planners.board import Board
from wfnb.planners.costs import Machines
from wfnb.planners.dasklike import as_dask_would
from wfnb.planners.heuristics import cpop, heft, minmin, peft
from wfnb.planners.locality import by_first_input, by_locality
from wfnb.planners.placing import NO_HISTORY, flexible, named, scheduled
from wfnb.planners.scoring import affordable
from wfnb.planners.terms import Terms, strength, with_size
from wfnb.simulator import makespan_of

INFLATIONS = (1.0, 4.0, 16.0, 0.0)
"""How much dearer than one transfer what goes through the store is thought to be."""
HEURISTICS = (heft, by_locality, peft, minmin, as_dask_would, by_first_input, cpop)
TOO_LARGE = "so many tasks are not simulated: each is taken by whoever is idle"


class Auto:
    """A portfolio of schedulers, times ideas of the store's speed, sizes and numbers of workers.

    What is left of the budget goes into moving tasks of the best plan from worker to worker.
    """

    name = "auto"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan:
        """Without a predictor any worker may take any task."""
        terms = self._terms
        if predictor is None:
            return flexible(graph, terms.largest, planner=self.name, notes=[NO_HISTORY])
        forecast = predictor.forecast(graph, sla=terms.sla)
        trials = affordable(forecast, terms.budget_seconds)
        if trials < 2:
            return flexible(graph, terms.largest, planner=self.name, notes=[TOO_LARGE])
        return _Search(graph, forecast, terms, trials).result(self.name)


class _Search:
    """The best plan so far, and how many more may be simulated."""

    def __init__(self, graph: Graph, forecast: Forecast, terms: Terms, trials: int) -> None:
        self._graph, self._forecast, self._terms = graph, forecast, terms
        self._trials = trials
        self._seen: set[tuple[int, ...]] = set()
        self._best = flexible(graph, terms.largest, planner=Auto.name)
        self._seconds = self._score(self._best)
        self._at: list[int] = []
        """Each task's machine in the best plan; nothing if that is flexible."""
        self._machines = Machines(())

    def result(self, planner: str) -> Plan:
        for board, machines in self._candidates():
            if not self._trials:
                break
            self._try(list(board.machine_at), machines)
        if self._at:
            self._improve()
        return self._best

    def _score(self, plan: Plan) -> float:
        self._trials -= 1
        return makespan_of(plan, self._forecast)

    def _try(self, machine_at: list[int], machines: Machines) -> bool:
        key = (hash(machines.sizes), *machine_at)
        if key in self._seen:
            return False
        self._seen.add(key)
        plan = named(self._graph, machine_at, machines.sizes, planner=Auto.name)
        seconds = self._score(plan)
        if seconds >= self._seconds:
            return False
        self._best, self._seconds = plan, seconds
        self._at, self._machines = machine_at, machines
        return True

    def _candidates(self) -> Iterator[tuple[Board, Machines]]:
        """The likeliest first, for the budget may end anywhere."""
        terms, graph = self._terms, self._graph
        most = terms.workers or self._forecast.site.workers
        counts = [most, *(count for count in (most // 2, 1, most // 4) if 1 <= count < most)]
        for size in sorted(terms.sizes, key=strength, reverse=True):
            for count in dict.fromkeys(counts):
                for inflation in INFLATIONS:
                    machines, costs = scheduled(
                        graph,
                        self._forecast,
                        with_size(terms, size),
                        workers=count,
                        inflation=inflation,
                    )
                    for heuristic in HEURISTICS:
                        yield heuristic(graph, costs), machines

    def _improve(self) -> None:
        """Single tasks, some with all their inputs, go where an input or a reader is."""
        random, graph = Random(len(self._graph)), self._graph
        for _ in range(4 * self._trials):  # some of these will have been tried before
            if not self._trials:
                return
            at = random.randrange(len(graph))
            goal = self._near(at, random)
            moved = list(self._at)
            group = (at, *graph.inputs_at[at]) if random.random() < 0.5 else (at,)
            for task in group:
                if self._machines.sizes[moved[task]] == self._machines.sizes[goal]:
                    moved[task] = goal
            self._try(moved, self._machines)

    def _near(self, at: int, random: Random) -> int:
        """A machine of the task's size: rather one of an input or a reader than any."""
        graph, sizes = self._graph, self._machines.sizes
        same = [machine for machine, size in enumerate(sizes) if size == sizes[self._at[at]]]
        near = [self._at[other] for other in (*graph.inputs_at[at], *graph.readers_at[at])]
        return random.choice([machine for machine in near if machine in same] or same)
