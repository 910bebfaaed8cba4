"""How urgent each task is: the orders in which list schedulers take tasks."""

from __future__ import annotations

from collections.abc import Sequence

from wfnb.graph import Graph
from wfnb.planners.costs import Costs


def mean_calls(costs: Costs) -> list[float]:
    """Of each task, over the machines on which it may run."""
    count = len(costs.fetch)
    kinds: dict[int, tuple[Sequence[float], int]] = {}
    for calls in costs.calls:
        kinds[id(calls)] = (calls, kinds.get(id(calls), (calls, 0))[1] + 1)
    if len(kinds) == 1:
        return list(costs.calls[0])
    means = []
    for at in range(count):
        known = [(calls[at], many) for calls, many in kinds.values() if calls[at] != float("inf")]
        means.append(sum(call * many for call, many in known) / sum(many for _, many in known))
    return means


def upward(graph: Graph, costs: Costs) -> list[float]:
    """From each task's begin to the end of all, along the longest way: HEFT's rank."""
    rank, after = mean_calls(costs), [0.0] * len(graph)
    for at in range(len(graph) - 1, -1, -1):
        rank[at] += after[at]
        for read, send in zip(graph.inputs_at[at], costs.send[at], strict=True):
            way = send + costs.fetch[read] + rank[at]
            if way > after[read]:
                after[read] = way
    return rank


def downward(graph: Graph, costs: Costs) -> list[float]:
    """From the begin of all to each task's, along the longest way: CPOP's other rank."""
    means, rank = mean_calls(costs), [0.0] * len(graph)
    for at, inputs in enumerate(graph.inputs_at):
        for read, send in zip(inputs, costs.send[at], strict=True):
            way = rank[read] + means[read] + send + costs.fetch[read]
            if way > rank[at]:
                rank[at] = way
    return rank


def by_rank(rank: Sequence[float]) -> list[int]:
    """The most urgent first; of equals, the one that is written first, so inputs come first."""
    return sorted(range(len(rank)), key=lambda at: (-rank[at], at))


def optimistic_costs(graph: Graph, costs: Costs) -> list[list[float]]:
    """PEFT's table: per machine and task, the least time that is left after the task is done.

    Arabnejad and Barbosa 2014, doi:10.1109/TPDS.2013.57.
    """
    kinds = {id(calls): calls for calls in costs.calls}
    left = {kind: [0.0] * len(graph) for kind in kinds}
    for at in range(len(graph) - 1, -1, -1):
        least = min(left[kind][at] + calls[at] for kind, calls in kinds.items())
        for read, send in zip(graph.inputs_at[at], costs.send[at], strict=True):
            away = least + send + costs.fetch[read]
            for kind, calls in kinds.items():
                way = min(left[kind][at] + calls[at], away)
                if way > left[kind][read]:
                    left[kind][read] = way
    return [left[id(calls)] for calls in costs.calls]
