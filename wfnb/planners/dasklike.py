"""The plan that Dask's scheduler would make, as far as it can be told beforehand.

Its rules, from the documentation of dask.distributed: tasks in a static depth-first order; a ready
task goes to the worker with the least occupancy plus time to fetch what it lacks; workers that run
out of work steal from those that have more than enough.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from wfnb.graph import Graph
from wfnb.planners.board import Board, Slot
from wfnb.planners.costs import Costs


def as_dask_would(graph: Graph, costs: Costs) -> Board:
    board, priority = Board(graph, costs), depth_first(graph)
    missing = [len(inputs) for inputs in graph.inputs_at]
    ready = [(0.0, priority[at], at) for at, count in enumerate(missing) if not count]
    heapify(ready)
    while ready:
        _, _, at = heappop(ready)
        board.put(at, _chosen(board, at))
        for reader in graph.readers_at[at]:
            missing[reader] -= 1
            if not missing[reader]:
                since = max(board.end[read] for read in graph.inputs_at[reader])
                heappush(ready, (since, priority[reader], reader))
    return board


def _chosen(board: Board, at: int) -> Slot:
    """Of workers that hold an input, and the idlest one: that which begins first.

    An idle worker steals the task where that ends it sooner, moving its inputs included.
    """
    costs, inputs = board.costs, board.graph.inputs_at[at]
    able = [m for m, calls in enumerate(costs.calls) if calls[at] != float("inf")]
    idlest = min(able, key=board.free_from)
    holders = {board.machine_at[read] for read in inputs}.intersection(able)
    slots = [board.on(at, machine) for machine in sorted(holders | {idlest})]
    return min(slots, key=lambda slot: (slot.begin, slot.end, slot.machine))


def depth_first(graph: Graph) -> list[int]:
    """Each task's place in an order that finishes one branch before it begins the next."""
    height = [0] * len(graph)
    for at in range(len(graph) - 1, -1, -1):
        readers = graph.readers_at[at]
        height[at] = 1 + max([height[reader] for reader in readers]) if readers else 0
    missing = [len(inputs) for inputs in graph.inputs_at]
    stack = sorted(
        (at for at, count in enumerate(missing) if not count), key=lambda at: (height[at], -at)
    )
    place, count = [0] * len(graph), 0
    while stack:
        at = stack.pop()
        place[at], count = count, count + 1
        free = []
        for reader in graph.readers_at[at]:
            missing[reader] -= 1
            if not missing[reader]:
                free.append(reader)
        stack += sorted(free, key=lambda reader: (height[reader], -reader))
    return place
