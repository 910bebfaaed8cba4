"""Lanes: for each queue of a plan, how many workers may serve it, and where they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wfnb.errors import BackendError
from wfnb.graph import TaskId
from wfnb.plan import Placement, Plan
from wfnb.storage import Lane
from wfnb.workers.hostpool import MOST_WORKERS


@dataclass(frozen=True, slots=True)
class Room:
    """What one machine has for the workers of a task."""

    cpus: float
    memory_bytes: int
    place: str = "this host"

    def fits(self, placement: Placement) -> bool:
        wanted = placement.resources
        return wanted.cpus <= self.cpus and (wanted.memory_bytes or 0) <= self.memory_bytes

    def refuse_too_big(self, task: TaskId, placement: Placement) -> None:
        """Raises BackendError with the remedy."""
        wanted = placement.resources
        if wanted.cpus > self.cpus:
            raise BackendError(
                f"{task} wants {wanted.cpus:g} cpus, and {self.place} has {self.cpus:g}: "
                "give it Resources with fewer cpus, or a larger host"
            )
        if wanted.memory_bytes is not None and wanted.memory_bytes > self.memory_bytes:
            raise BackendError(
                f"{task} wants {wanted.memory}, and {self.place} has "
                f"{self.memory_bytes / 1e9:,.1f} GB: give it Resources with less memory, or a "
                "larger host"
            )


def lanes_of(
    plan: Plan, *, workers: int, room: Room, launches: Callable[[Placement], str]
) -> dict[str, Lane]:
    """`workers` may serve a queue that names none; `launches` tells a placement's launch list.

    Raises BackendError for a task without room, and for too many planned workers.
    """
    planned = len(plan.workers)
    if planned > MOST_WORKERS:
        raise BackendError(
            f"the plan names {planned} workers, and a pool has at most {MOST_WORKERS}: plan fewer"
        )
    lanes: dict[str, Lane] = {}
    asked = set(plan.queue_at)
    for task, placement in plan.first_of_each:
        if placement.queue in asked:
            room.refuse_too_big(task, placement)
        elif not room.fits(placement):
            continue  # of an attempt with more memory: then there is none
        if placement.queue not in lanes:
            limit = workers if placement.worker is None else 1
            lanes[placement.queue] = Lane(limit=limit, pool=launches(placement))
    return lanes
