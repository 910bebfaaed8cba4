"""Plans against plans: in the model of list schedulers, and on a store that all share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.planning_cases import CLASSICAL_RATE, SPEEDS, Exact, Workflow, shared_store
from benchmarks.planning_peer import Peer, PeerPlan, bookings_of, infeasible
from wfnb.plan import Plan
from wfnb.planners import planner_named
from wfnb.planners.auto import HEURISTICS
from wfnb.planners.climbing import climbed
from wfnb.planners.terms import Terms
from wfnb.simulator import makespan_of

TRIES = 400
"""Of auto's search, where nothing is simulated."""
WORKERS = 8
Row = dict[str, float]


@dataclass(slots=True)
class Scores:
    """Rows by name of a workflow; figures are ratios, or seconds where a unit says so."""

    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, name: str, row: Mapping[str, float | None]) -> Row:
        self.rows[name] = {key: value for key, value in row.items() if value is not None}
        return self.rows[name]

    def values(self, column: str) -> list[float]:
        return [row[column] for row in self.rows.values() if column in row]

    def table(self) -> str:
        """With the geometric mean and the range of each column below."""
        columns = list(dict.fromkeys(column for row in self.rows.values() for column in row))
        lines = [f"| workflow | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for name, row in self.rows.items():
            cells = [f"{row[column]:.4g}" if column in row else "-" for column in columns]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        means = [f"**{mean(self.values(column)):.4g}**" for column in columns]
        ranges = [span(self.values(column)) for column in columns]
        lines.append(f"| geometric mean | {' | '.join(means)} |")
        lines.append(f"| lowest .. highest | {' | '.join(ranges)} |")
        return "\n".join(lines)


def mean(values: Sequence[float]) -> float:
    """Geometric; of positive figures."""
    known = [value for value in values if value > 0]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else float("nan")


def span(values: Sequence[float]) -> str:
    return f"{min(values):.4g} .. {max(values):.4g}" if values else "-"


def least(plans: Iterable[PeerPlan]) -> PeerPlan | None:
    return min(plans, key=lambda plan: plan.makespan, default=None)


def classical(workflow: Workflow, peer: Peer | None) -> Row:
    """Makespans over that of the peer's best plan, or over the lower bound without one."""
    costs = workflow.classical_costs(SPEEDS, CLASSICAL_RATE)
    boards = {heuristic.__name__: heuristic(workflow.graph, costs) for heuristic in HEURISTICS}
    boards["auto's search"] = climbed(list(boards.values()), tries=TRIES)
    for name, board in boards.items():
        trouble = infeasible(workflow, bookings_of(board), SPEEDS, CLASSICAL_RATE)
        if trouble:
            raise AssertionError(f"{workflow.name}: {name}: {trouble}")
    bound = workflow.lower_bound(SPEEDS)
    best = peer and least(peer.plans(workflow, SPEEDS, CLASSICAL_RATE))
    unit = best.makespan if best else bound
    shown = {name.removeprefix("as_").removeprefix("by_"): b.makespan for name, b in boards.items()}
    return {
        "tasks": float(len(workflow.graph)),
        "bound": bound / unit,
        **{name: makespan / unit for name, makespan in shown.items()},
    }


def shared(
    workflow: Workflow, rate: float, peer: Peer | None, *, budget_seconds: float | None
) -> Row:
    """How many times longer others take than auto's plan, on workers that are alike."""
    forecast = Exact(workflow, shared_store(rate, workers=WORKERS))
    terms = Terms(budget_seconds=budget_seconds)
    seconds = {
        name: makespan_of(planned(name, forecast, terms), forecast)
        for name in ("auto", "heft", "wukong", "uniform")
    }
    row = {
        "tasks": float(len(workflow.graph)),
        "auto s": seconds["auto"],
        **{f"{name}/auto": seconds[name] / seconds["auto"] for name in seconds if name != "auto"},
    }
    theirs = peer.plans(workflow, [1.0] * WORKERS, rate) if peer else []
    if theirs:
        best = min(makespan_of(plan.plan(workflow), forecast) for plan in theirs)
        row["best saga/auto"] = best / seconds["auto"]
    return row


def planned(name: str, forecast: Exact, terms: Terms) -> Plan:
    return planner_named(name, terms).plan(forecast.graph, forecast)
