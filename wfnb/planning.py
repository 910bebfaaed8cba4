"""From a graph to a plan with an outlook, and plans side by side: what a session is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from wfnb.answers import Answer, asked
from wfnb.backend import Connection
from wfnb.errors import PlanError
from wfnb.forecast import Forecast, Predictor
from wfnb.freezing import freeze
from wfnb.graph import Graph, TaskId
from wfnb.listing import sparse_table
from wfnb.metrics import Table, table_of
from wfnb.plan import Outlook, Plan
from wfnb.planners import PLANNERS, planner_named
from wfnb.planners.terms import Terms
from wfnb.predictions import Experience, Explanation, Known
from wfnb.predictions.explaining import in_words
from wfnb.simulator import Simulated, simulate

_HEADINGS = ("planner", "makespan", "GB-s", "CPU-s", "moved MB", "workers", "cold", "planned in")


def graph_of(targets: tuple[Any, ...]) -> tuple[Graph, Answer]:
    """What was asked for as a graph, and the form that its values are wanted in."""
    match targets:
        case (Graph() as graph,):
            return graph, Answer.read(None, graph)
        case _:
            tasks, answer = asked(targets)
            return freeze(tasks), answer


def predictor_of(connection: Connection) -> Experience:
    """What past runs on this store say of runs on this backend."""
    ground = connection.backend.ground
    return Experience(
        connection.store,
        place=ground.place,
        pools=ground.pools,
        workers=ground.workers,
        idle=ground.idle,
        cpus=ground.cpus,
    )


def planned(graph: Graph, planner: str, terms: Terms, predictor: Predictor | None) -> Plan:
    """The plan that this planner makes; what it is expected to come to is worked out when asked."""
    known = predictor and Remembered(predictor)
    plan = planner_named(planner, terms).plan(graph, known)
    return plan if known is None else with_outlook(plan, known, sla=terms.sla)


def with_outlook(plan: Plan, predictor: Predictor, *, sla: str) -> Plan:
    return replace(plan, foresight=Foreseen(predictor, sla=sla))


class Remembered:
    """Asks a predictor once, so that a plan and its outlook are told from the same history."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._known: dict[tuple[Graph, str], Forecast] = {}

    def forecast(self, graph: Graph, *, sla: str = "mean") -> Forecast:
        if (graph, sla) not in self._known:
            self._known[graph, sla] = self._predictor.forecast(graph, sla=sla)
        return self._known[graph, sla]


class Foreseen:
    """What a predictor makes of plans, at one level of caution."""

    def __init__(self, predictor: Predictor, *, sla: str) -> None:
        self._predictor = predictor
        self._sla = sla

    def outlook(self, plan: Plan) -> Simulated:
        return simulate(plan, self._forecast(plan))

    def notes(self, plan: Plan) -> Sequence[str]:
        return self._forecast(plan).notes

    def rows(self, plan: Plan) -> Iterator[dict[str, object]]:
        forecast, timeline = self._forecast(plan), plan.timeline
        assert timeline is not None, "it is what foresight makes of it"
        graph = timeline.graph
        for at, span in enumerate(timeline.spans):
            base = graph.base(at)
            resources = plan.resources_of(span.task)
            low, high = forecast.interval(base, resources)
            yield {
                "id": span.task,
                "function": graph.function_name(span.task),
                "worker": span.worker,
                "resources": str(resources),
                "start_seconds": span.start_seconds,
                "end_seconds": span.end_seconds,
                "call_seconds": forecast.call_seconds(base, resources),
                "low_seconds": low,
                "high_seconds": high,
                "output_bytes": round(forecast.output_bytes(base)),
                "is_guess": forecast.is_guess(base),
            }

    def explain(self, plan: Plan, task: TaskId) -> Explanation:
        forecast = self._forecast(plan)
        if not isinstance(forecast, Known):
            raise PlanError(f"{type(forecast).__name__} gives numbers without reasons")
        return forecast.explain(task, plan.resources_of(task))

    def _forecast(self, plan: Plan) -> Forecast:
        return self._predictor.forecast(plan.graph, sla=self._sla)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One planner's plan of a graph, and how long it took to make it."""

    plan: Plan
    planning_seconds: float


class Comparison:
    """Plans of one graph side by side; the one that is done first stands first."""

    def __init__(self, candidates: Iterable[Candidate], *, sla: str) -> None:
        self.sla = sla
        self.candidates = sorted(candidates, key=_makespan)

    def __repr__(self) -> str:
        return sparse_table(_HEADINGS, [_words(candidate) for candidate in self.candidates])

    def __iter__(self) -> Iterator[Plan]:
        return (candidate.plan for candidate in self.candidates)

    def __getitem__(self, planner: str) -> Plan:
        for plan in self:
            if plan.planner == planner:
                return plan
        known = ", ".join(plan.planner for plan in self)
        raise PlanError(f"planner {planner!r} was not compared; there is {known}")

    @property
    def best(self) -> Plan:
        """The one that is expected to be done first."""
        return self.candidates[0].plan

    def frame(self) -> Table:
        """One row a planner: seconds, GB (10^9) x seconds, bytes, and counts."""
        return table_of(map(_row, self.candidates), index="planner")

    def chart(self) -> Any:
        """Makespans and costs as bars, in a chart of Altair's."""
        return import_module("wfnb.widgets.chart_comparison").comparison_chart(self.frame())


def compare(
    graph: Graph, predictor: Predictor, terms: Terms, planners: Sequence[str] = ()
) -> Comparison:
    """All planners that there are, or these, on one graph; nothing runs."""
    known, found = Remembered(predictor), []
    known.forecast(graph, sla=terms.sla)  # read before anybody's time is taken
    for name in planners or sorted(PLANNERS):
        start = time.perf_counter()
        plan = planned(graph, name, terms, known)
        found.append(Candidate(plan=plan, planning_seconds=time.perf_counter() - start))
    return Comparison(found, sla=terms.sla)


def _makespan(candidate: Candidate) -> float:
    return _outlook(candidate).makespan_seconds


def _outlook(candidate: Candidate) -> Outlook:
    outlook = candidate.plan.outlook
    assert outlook is not None, "compared with a predictor"
    return outlook


def _words(candidate: Candidate) -> tuple[str, ...]:
    outlook = _outlook(candidate)
    return (
        candidate.plan.planner,
        in_words(outlook.makespan_seconds),
        f"{outlook.gb_seconds:,.2f}" if outlook.gb_seconds else "",
        f"{outlook.cpu_seconds:,.2f}",
        f"{(outlook.up_bytes + outlook.down_bytes) / 1e6:,.1f}",
        str(len(outlook.workers)),
        str(outlook.cold_starts),
        in_words(candidate.planning_seconds),
    )


def _row(candidate: Candidate) -> dict[str, object]:
    outlook = _outlook(candidate)
    return {
        "planner": candidate.plan.planner,
        "makespan_seconds": outlook.makespan_seconds,
        "gb_seconds": outlook.gb_seconds,
        "cpu_seconds": outlook.cpu_seconds,
        "moved_bytes": int(outlook.up_bytes + outlook.down_bytes),
        "workers": len(outlook.workers),
        "cold_starts": outlook.cold_starts,
        "warm_starts": outlook.warm_starts,
        "planning_seconds": candidate.planning_seconds,
    }
