"""What a planner decides: where each task of a graph runs, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from wfnb.errors import PlanError
from wfnb.graph import Graph, TaskId
from wfnb.resources import Resources


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


@dataclass(frozen=True, eq=False)
class Plan:
    """A graph and a placement for each of its tasks; refuses to exist if one is missing."""

    graph: Graph
    placements: Mapping[TaskId, Placement]
    planner: str = "by hand"
    notes: tuple[str, ...] = field(default=())
    """What the planner wants said, such as that it had no history to predict from."""

    def __post_init__(self) -> None:
        missing = [task for task in self.graph if task not in self.placements]
        if missing:
            some = ", ".join(missing[:3])
            message = f"{self.planner} placed {len(missing)} tasks nowhere, {some} among them"
            raise PlanError(message)
        first: dict[str, TaskId] = {}
        for task in self.graph:
            worker = self.placements[task].worker
            if worker is not None:
                _refuse_to_mix(self, worker, first.setdefault(worker, task), task)

    def __repr__(self) -> str:
        return f"<plan by {self.planner}: {len(self.graph)} tasks>"

    @cached_property
    def queue_at(self) -> tuple[str, ...]:
        """Each task's queue."""
        known: dict[int, str] = {}
        queues = []
        for task in self.graph:
            placement = self.placements[task]
            queue = known.get(id(placement))
            if queue is None:
                queue = known[id(placement)] = placement.queue
            queues.append(queue)
        return tuple(queues)

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """Of which there must be workers; "" stands for the kernel's own packages."""
        kinds = {id(place): place for place in map(self.placements.__getitem__, self.graph)}
        return tuple(sorted({place.environment for place in kinds.values()}))

    @property
    def workers(self) -> tuple[str, ...]:
        """The planned workers; none when every task may run anywhere."""
        named = (self.placements[task].worker for task in self.graph)
        return tuple(dict.fromkeys(worker for worker in named if worker is not None))


def _refuse_to_mix(plan: Plan, worker: str, first: TaskId, task: TaskId) -> None:
    one, other = plan.placements[first], plan.placements[task]
    if one is other:
        return
    if one.resources != other.resources:
        raise PlanError(
            f"worker {worker} is {one.resources}, but {task} wants {other.resources}: "
            "a worker has one size"
        )
    if one.environment != other.environment:
        needs = [
            " and ".join(plan.graph.options(t).requirements) or "nothing" for t in (first, task)
        ]
        raise PlanError(
            f"worker {worker} has task {first} needing {needs[0]} and {task} needing {needs[1]}: "
            "put them on different workers"
        )
