"""From schedules to plans: workers get names, maps go to whoever is idle."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from wfnb.forecast import Forecast
from wfnb.graph import Graph, TaskId
from wfnb.legality import MOST_WORKERS
from wfnb.plan import Placement, Plan
from wfnb.planners.board import Board
from wfnb.planners.costs import Costs, Machines, costs_of
from wfnb.planners.terms import Terms, size_by_function
from wfnb.resources import Resources

NO_HISTORY = "nothing is known of these tasks yet: any worker may take any of them"


def flexible(graph: Graph, chosen: Resources, *, planner: str, notes: Sequence[str] = ()) -> Plan:
    """Any worker of its size may take any task: who makes one ready goes on with it."""
    by_function = [Placement(resources=size) for size in size_by_function(graph, chosen)]
    placements = {
        task: by_function[function]
        for task, function in zip(graph.ids, graph.function_at, strict=True)
    }
    return Plan(graph, placements, planner=planner, notes=tuple(notes))


def plan_of(board: Board, machines: Machines, *, planner: str) -> Plan:
    """Each task on the worker that its machine becomes, in the order of their begins there.

    Workers are numbered as they come up. The items of a map are taken by whoever is idle.
    """
    graph, sizes = board.graph, machines.sizes
    known: dict[int, Placement] = {}
    anywhere: dict[Resources, Placement] = {}
    placements: dict[TaskId, Placement] = {}
    for at, (task, machine) in enumerate(zip(graph.ids, board.machine_at, strict=True)):
        size = sizes[machine]
        if at in graph.maps:
            placements[task] = anywhere.setdefault(size, Placement(resources=size))
            continue
        if machine not in known:
            known[machine] = Placement(resources=size, worker=f"w{len(known) + 1}")
        placements[task] = known[machine]
    return Plan(graph, placements, planner=planner, order=tuple(turns(board)))


def turns(board: Board) -> list[int]:
    """Each task's place in the order of begins; of equals, an input comes before what reads it."""
    turn = [0] * len(board.begin)
    for place, at in enumerate(sorted(range(len(turn)), key=board.begin.__getitem__)):
        turn[at] = place
    return turn


def canonical(board: Board, machines: Machines) -> Hashable:
    """The same for schedules that differ in nothing but the names of machines of one size."""
    names: dict[int, int] = {}
    where = [names.setdefault(machine, len(names)) for machine in board.machine_at]
    return tuple(machines.sizes[machine] for machine in names), tuple(where), tuple(turns(board))


def machines_for(
    graph: Graph, forecast: Forecast, terms: Terms, *, workers: int | None = None
) -> tuple[Machines, Resources]:
    """The workers that a plan may name, and the size of those tasks that declare none."""
    count = workers or terms.workers or forecast.site.workers
    kinds = len(set(size_by_function(graph, terms.largest))) or 1
    count = max(1, min(count, (MOST_WORKERS - 1) // kinds))
    return Machines.of(graph, terms.largest, count), terms.largest


def scheduled(
    graph: Graph,
    forecast: Forecast,
    terms: Terms,
    *,
    workers: int | None = None,
    inflation: float = 1.0,
) -> tuple[Machines, Costs]:
    machines, chosen = machines_for(graph, forecast, terms, workers=workers)
    return machines, costs_of(graph, forecast, machines, chosen=chosen, inflation=inflation)
