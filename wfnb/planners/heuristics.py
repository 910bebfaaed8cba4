"""The classic list schedulers, as functions: costs in, a board with every task on it out."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from wfnb.graph import Graph
from wfnb.planners.board import Board
from wfnb.planners.costs import Costs
from wfnb.planners.ranks import by_rank, downward, optimistic_costs, upward

COMPARED = 8


def heft(graph: Graph, costs: Costs) -> Board:
    """Topcuoglu, Hariri, Wu 2002: by upward rank, where it ends first."""
    return Board(graph, costs).schedule(by_rank(upward(graph, costs)))


def cpop(graph: Graph, costs: Costs) -> Board:
    """Of the same paper: the critical path on the one machine that does it soonest."""
    up, down = upward(graph, costs), downward(graph, costs)
    urgency = [up[at] + down[at] for at in range(len(graph))]
    path = _critical_path(graph, urgency)
    chosen = min(
        range(costs.machines), key=lambda machine: sum(costs.calls[machine][at] for at in path)
    )
    board = Board(graph, costs)
    for at in _in_order(graph, urgency):
        own = at in path and costs.calls[chosen][at] != float("inf")
        board.put(at, board.on(at, chosen) if own else board.best(at))
    return board


def peft(graph: Graph, costs: Costs) -> Board:
    """Arabnejad and Barbosa 2014: looks one step ahead by what is left at best."""
    left = optimistic_costs(graph, costs)
    mean = [sum(column) / len(left) for column in zip(*left, strict=True)]
    board = Board(graph, costs)
    for at in _in_order(graph, mean):
        board.put(at, board.best(at, [after[at] for after in left]))
    return board


def minmin(graph: Graph, costs: Costs) -> Board:
    """Level by level, always what can be done soonest (Ibarra and Kim 1977)."""
    return _level_by_level(graph, costs, 1)


def maxmin(graph: Graph, costs: Costs) -> Board:
    """Of the same paper: always that which is done last even where it is done soonest."""
    return _level_by_level(graph, costs, -1)


def _level_by_level(graph: Graph, costs: Costs, sign: int) -> Board:
    """A level is all that only reads what lies in those before it.

    Of those that looked best when they were looked at last, the few first are compared anew: each
    task that is put makes others end later, none sooner.
    """
    board = Board(graph, costs)
    for level in _levels(graph):
        ready = [(sign * board.best(at).end, at) for at in level]
        heapify(ready)
        while ready:
            few = [heappop(ready)[1] for _ in range(min(COMPARED, len(ready)))]
            slots = {at: board.best(at) for at in few}
            at = min(few, key=lambda task: (sign * slots[task].end, task))
            board.put(at, slots.pop(at))
            for other, slot in slots.items():
                heappush(ready, (sign * slot.end, other))
    return board


def _levels(graph: Graph) -> list[list[int]]:
    depth, levels = [0] * len(graph), list[list[int]]()
    for at, inputs in enumerate(graph.inputs_at):
        depth[at] = 1 + max([depth[read] for read in inputs]) if inputs else 0
        if depth[at] == len(levels):
            levels.append([])
        levels[depth[at]].append(at)
    return levels


def _critical_path(graph: Graph, urgency: list[float]) -> set[int]:
    starts = [at for at, inputs in enumerate(graph.inputs_at) if not inputs]
    at = max(starts, key=lambda start: urgency[start], default=None)
    path = set[int]()
    while at is not None:
        path.add(at)
        readers = graph.readers_at[at]
        at = max(readers, key=lambda reader: urgency[reader], default=None)
    return path


def _in_order(graph: Graph, urgency: list[float]) -> list[int]:
    """The most urgent first of those whose inputs have been named before."""
    missing = [len(inputs) for inputs in graph.inputs_at]
    ready = [(-urgency[at], at) for at, count in enumerate(missing) if not count]
    heapify(ready)
    order = []
    while ready:
        _, at = heappop(ready)
        order.append(at)
        for reader in graph.readers_at[at]:
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, (-urgency[reader], reader))
    return order
