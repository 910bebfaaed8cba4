"""What a simulation writes down while it goes, in columns: one entry a task."""

from __future__ import annotations

from dataclasses import dataclass, field

NEVER = -1.0


@dataclass(slots=True)
class Stay:
    """One worker in the run, from a launch to its leaving."""

    label: str
    worker: str
    """Its name in the run."""
    is_cold: bool
    begun_seconds: float
    """When the launch was begun to be met: the worker's start, or the end of its idling."""
    joined_seconds: float
    left_seconds: float | None = None


@dataclass(slots=True)
class Record:
    """Instants of every task, in virtual seconds; those that have not come are below 0."""

    claimed: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    """When its inputs were at its worker."""
    started: list[float] = field(default_factory=list)
    called: list[float] = field(default_factory=list)
    """When its call had ended."""
    reported: list[float] = field(default_factory=list)
    """When others could know of it."""
    save_seconds: list[float] = field(default_factory=list)
    by: list[Stay | None] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    up_bytes: float = 0.0
    down_bytes: float = 0.0
    end_seconds: float = 0.0

    def add(self, tasks: int) -> None:
        for column in (self.claimed, self.loaded, self.started, self.called, self.reported):
            column += [NEVER] * tasks
        self.save_seconds += [0.0] * tasks
        self.by += [None] * tasks
