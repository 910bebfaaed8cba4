"""What a planner decides: where each task of a graph runs, and with what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from wfnb.errors import PlanError
from wfnb.graph import Graph, Options, TaskId
from wfnb.growth import map_id
from wfnb.legality import refuse_illegal
from wfnb.metrics import Table, table_of
from wfnb.needs import options_of
from wfnb.resources import Resources, bytes_of
from wfnb.timeline import Timeline

_MEMORY = re.compile(r"[^@+]*cpu-(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One planner decision about one task."""

    resources: Resources = Resources()
    worker: str | None = None
    """None lets any idle worker take it."""
    environment: str = ""
    """Name of the packages that stand before the kernel's; "" for none. Filled in when it is clear
    what is missing, see wfnb.preparing."""

    @property
    def queue(self) -> str:
        """Where workers look for it: their own name's queue, or that of their size and packages."""
        if self.worker is not None:
            return f"@{self.worker}"
        memory = self.resources.memory_bytes
        size = f"{self.resources.cpus:g}cpu"
        size = size if memory is None else f"{size}-{memory}"
        size = f"{size}-net" if self.resources.network else size
        return f"{size}+{self.environment}" if self.environment else size


def memory_of(queue: str) -> int | None:
    """The limit of its workers, as `Placement.queue` wrote it; None of a named worker's queue."""
    found = _MEMORY.match(queue)
    return found and int(found[1])


def resized(resources: Resources, memory_bytes: int) -> Resources:
    """With another limit, in words if these say it exactly."""
    words = f"{memory_bytes / 1e6:.6f}".rstrip("0").rstrip(".") + "MB"
    return replace(resources, memory=words if bytes_of(words) == memory_bytes else memory_bytes)


def with_more_memory(placement: Placement, options: Options) -> Placement | None:
    """For an attempt that follows one which ran out of memory; None where nothing is said of it."""
    memory_bytes = placement.resources.memory_bytes
    if memory_bytes is None or options.more_memory is None:
        return None
    more = resized(placement.resources, round(memory_bytes * options.more_memory))
    return replace(placement, resources=more, worker=None)


class Outlook(Protocol):
    """What a plan is expected to come to; wfnb.simulator makes it."""

    makespan_seconds: float
    up_bytes: float
    down_bytes: float

    @property
    def workers(self) -> Sequence[str]: ...

    @property
    def cold_starts(self) -> int: ...

    @property
    def warm_starts(self) -> int: ...

    @property
    def cpu_seconds(self) -> float:
        """Of all calls together."""

    @property
    def gb_seconds(self) -> float:
        """Memory limits in GB (10^9) x seconds that tasks occupy their workers."""

    @property
    def timeline(self) -> Timeline: ...


class Foresight(Protocol):
    """Who knows what a plan is expected to come to, and why; wfnb.planning has it."""

    def outlook(self, plan: Plan) -> Outlook: ...

    def notes(self, plan: Plan) -> Sequence[str]:
        """What people should know of how the outlook came about."""

    def rows(self, plan: Plan) -> Iterable[Mapping[str, object]]:
        """Of each task, with the items that its maps are expected to have."""

    def explain(self, plan: Plan, task: TaskId) -> object:
        """Which samples and which model gave the task's time; prints as text."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A graph and a placement for each of its tasks; refuses to exist if one is missing."""

    graph: Graph
    placements: Mapping[TaskId, Placement]
    planner: str = "by hand"
    notes: tuple[str, ...] = field(default=())
    """What the planner wants said, such as that it had no history to predict from."""
    order: tuple[int, ...] | None = None
    """Each task's turn among those of its named worker, which takes of what is ready the task with
    the lowest number; None: as they become ready."""
    foresight: Foresight | None = field(default=None, repr=False)
    """Plays the plan before it runs; None where nothing can be said."""

    def __post_init__(self) -> None:
        refuse_illegal(
            self.planner,
            self.graph,
            self.placements,
            order=self.order,
            leaves_some=lambda: self.leaves_some_to_anybody,
        )

    def __repr__(self) -> str:
        return f"<plan by {self.planner}: {len(self.graph)} tasks>"

    @cached_property
    def outlook(self) -> Outlook | None:
        """What it is expected to come to, by what was known when this was first asked for."""
        return None if self.foresight is None else self.foresight.outlook(self)

    @property
    def foreseen(self) -> Outlook | None:
        """The outlook, if anybody has asked for it: what was said before a run."""
        return vars(self).get("outlook")

    @property
    def timeline(self) -> Timeline | None:
        """What is expected to happen when and where."""
        return None if self.outlook is None else self.outlook.timeline

    def frame(self) -> Table:
        """One row a task: where it would run, with what, when, for how long, how sure that is."""
        return table_of(self._known.rows(self), index="id")

    def explain(self, task: str) -> object:
        """Why a task is expected to take so long."""
        return self._known.explain(self, TaskId(task))

    @property
    def _known(self) -> Foresight:
        if self.foresight is None:
            raise PlanError("nothing is predicted of this plan: wfnb.connect() first, then plan")
        return self.foresight

    @cached_property
    def queue_at(self) -> tuple[str, ...]:
        """Each task's queue."""
        places = [self.placements[task] for task in self.graph]
        kinds = {id(place): place for place in places}
        queues = {kind: place.queue for kind, place in kinds.items()}
        return tuple([queues[id(place)] for place in places])

    @cached_property
    def first_of_each(self) -> tuple[tuple[TaskId, Placement], ...]:
        """Each placement that an attempt may have, with its first task: backends size workers so.

        Those for attempts after one that ran out of memory come last.
        """
        graph, first = self.graph, dict[int, tuple[TaskId, Placement]]()
        for task in graph:
            placement = self.placements[task]
            first.setdefault(id(placement), (task, placement))
        more: dict[str, tuple[TaskId, Placement]] = {}
        if any(function.options.more_memory for function in graph.functions):
            for at, task in enumerate(graph):
                bigger = with_more_memory(self.placements[task], options_of(graph, at))
                if bigger is not None:
                    more.setdefault(bigger.queue, (task, bigger))
        return *first.values(), *more.values()

    def resources_of(self, task: TaskId) -> Resources:
        """An item's are its map's."""
        return self.placements[map_id(task) or task].resources

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """Of which there must be workers; "" stands for the kernel's own packages."""
        kinds = {id(place): place for place in map(self.placements.__getitem__, self.graph)}
        return tuple(sorted({place.environment for place in kinds.values()}))

    @property
    def sizes(self) -> dict[str, Resources]:
        """Of the workers of each queue."""
        return {place.queue: place.resources for _, place in self.first_of_each}

    @property
    def workers(self) -> tuple[str, ...]:
        """The planned workers; none when every task may run anywhere."""
        named = (self.placements[task].worker for task in self.graph)
        return tuple(dict.fromkeys(worker for worker in named if worker is not None))

    def at_once(self, workers: int) -> int:
        """So many there must be at once where `workers` may serve one queue, or a run stands still.

        Named ones stay while tasks of theirs are to come, and may wait for what the others do.
        """
        named = len(self.workers)
        return workers + named if named and self.leaves_some_to_anybody else max(workers, named)

    @cached_property
    def leaves_some_to_anybody(self) -> bool:
        """Whether some attempt may be one for any worker of its size."""
        return any(place.worker is None for _, place in self.first_of_each)

    def in_turn(self, ready: Mapping[str, Sequence[TaskId]]) -> Mapping[str, Sequence[TaskId]]:
        """Tasks by queue, those of each in the plan's order."""
        if self.order is None:
            return ready
        order, position = self.order, self.graph.position
        return {
            queue: sorted(tasks, key=lambda task: order[position[task]])
            for queue, tasks in ready.items()
        }
