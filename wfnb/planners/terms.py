"""What a planner is made with: the sizes it may give, how many workers, how careful it shall be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wfnb.graph import Graph
from wfnb.resources import Resources

UNDECLARED = Resources()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The same for every planner; each takes from it what it needs."""

    default: Resources = UNDECLARED
    """For tasks that declare nothing, where there is nothing to choose."""
    configurations: tuple[Resources, ...] = ()
    """Sizes to choose from, for tasks that declare nothing; none: the default alone."""
    workers: int | None = None
    """That may be at work at once; None: as many as the place has where the run will be."""
    sla: str = "mean"
    """Of times that plans are judged by: mean, or a percentile such as p90."""
    budget_seconds: float | None = None
    """For planners that search: how long they may; None: by how long the run will take."""

    @property
    def sizes(self) -> tuple[Resources, ...]:
        return self.configurations or (self.default,)

    @property
    def largest(self) -> Resources:
        """Of the sizes to choose from, that with most CPUs, then memory."""
        return max(self.sizes, key=strength)


def strength(resources: Resources) -> tuple[float, float]:
    """To order sizes by: without a limit there is most memory."""
    memory = resources.memory_bytes
    return (resources.cpus, float("inf") if memory is None else memory)


def declared(resources: Resources) -> bool:
    """Whether a task says itself how large its worker must be."""
    return resources != UNDECLARED


def sizes_at(graph: Graph, chosen: Resources) -> list[Resources]:
    """Each task's size: what it declares, or else the chosen one."""
    by_function = size_by_function(graph, chosen)
    return [by_function[function] for function in graph.function_at]


def size_by_function(graph: Graph, chosen: Resources) -> Sequence[Resources]:
    wanted = [function.options.resources for function in graph.functions]
    return [size if declared(size) else chosen for size in wanted]


def with_size(terms: Terms, size: Resources) -> Terms:
    """With nothing else to choose."""
    return replace(terms, default=size, configurations=())
