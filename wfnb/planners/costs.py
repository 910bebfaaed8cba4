"""What list schedulers reckon with: each task on each machine, and moving what it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wfnb.forecast import Forecast
from wfnb.graph import Graph
from wfnb.planners.terms import size_by_function
from wfnb.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of one graph on some machines; all in seconds."""

    calls: Sequence[Sequence[float]]
    """Per machine, of each task; machines of one size share a list. Infinite where it may not run.
    """
    send: Sequence[Sequence[float]]
    """Of each task's inputs: from their end until they can be read on another machine."""
    fetch: Sequence[float]
    """Of each task: how long reading its output keeps another machine busy."""
    starts: Sequence[float]
    """Per machine: when it can begin at all."""

    @property
    def machines(self) -> int:
        return len(self.calls)


@dataclass(frozen=True, slots=True)
class Machines:
    """The workers that a plan may name: their sizes, the first of each size the first to use."""

    sizes: tuple[Resources, ...]

    @classmethod
    def of(cls, graph: Graph, chosen: Resources, count: int) -> Machines:
        """So many of each size that some task of the graph needs."""
        kinds = dict.fromkeys(size_by_function(graph, chosen)) or {chosen: None}
        return cls(tuple(size for size in kinds for _ in range(count)))


def costs_of(
    graph: Graph,
    forecast: Forecast,
    machines: Machines,
    *,
    chosen: Resources,
    inflation: float = 1.0,
) -> Costs:
    """By a forecast. `inflation` makes what goes through the store dearer than one transfer is.

    A worker moves bytes itself: reading keeps it busy, and what it writes others read when it is
    written.
    """
    site, link, count = forecast.site, forecast.site.link, len(graph)
    sizes = [forecast.output_bytes(at) for at in range(count)]
    by_function = size_by_function(graph, chosen)
    allowed = [by_function[function] for function in graph.function_at]
    lists = {
        size: [
            _call(graph, forecast, at, size) if allowed[at] == size else float("inf")
            for at in range(count)
        ]
        for size in dict.fromkeys(machines.sizes)
    }
    up = [
        inflation * (link.up_seconds(size) + link.dump_seconds(size)) + site.hand_off_seconds
        for size in sizes
    ]
    down = [inflation * (link.down_seconds(size) + link.load_seconds(size)) for size in sizes]
    return Costs(
        calls=[lists[size] for size in machines.sizes],
        send=[[up[read] for read in inputs] for inputs in graph.inputs_at],
        fetch=down,
        starts=[site.warm_seconds] * len(machines.sizes),
    )


def _call(graph: Graph, forecast: Forecast, at: int, size: Resources) -> float:
    """A map's items go to whoever is idle: it takes what they take side by side."""
    call = graph.maps.get(at)
    seconds = forecast.call_seconds(at, size)
    if call is None:
        return seconds
    return seconds * max(1, forecast.items(call.splitter)) / max(1, forecast.site.workers)
