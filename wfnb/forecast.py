"""What is expected of a graph's tasks: the words between predictors, the simulator and planners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wfnb.graph import Graph
from wfnb.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How bytes travel between a worker and the store: latency + bytes / bandwidth each way.

    Up and down differ, and so do making bytes of a value and a value of bytes, which take CPU.
    """

    up_latency_seconds: float
    up_bytes_per_second: float
    down_latency_seconds: float
    down_bytes_per_second: float
    dump_bytes_per_second: float = float("inf")
    load_bytes_per_second: float = float("inf")

    def up_seconds(self, size_bytes: float) -> float:
        return self.up_latency_seconds + size_bytes / self.up_bytes_per_second

    def down_seconds(self, size_bytes: float) -> float:
        return self.down_latency_seconds + size_bytes / self.down_bytes_per_second

    def dump_seconds(self, size_bytes: float) -> float:
        return size_bytes / self.dump_bytes_per_second

    def load_seconds(self, size_bytes: float) -> float:
        return size_bytes / self.load_bytes_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a run takes place: its links, what all of them share, and what is paid per step."""

    link: Link
    """Of each worker."""
    store_bytes_per_second: float = float("inf")
    """Of the store, shared by all transfers that go on at once, each way."""
    hand_off_seconds: float = 0.0
    """One report to the store that hands out what comes next."""
    warm_seconds: float = 0.0
    """From the request for a worker until it has joined, where one is idle."""
    cold_seconds: float = 0.0
    """The same, where one must be started."""
    workers: int = 1
    """That may be at work at once."""
    idle: int = 0
    """Workers that are there when a run begins: they are met warm."""
    is_sized: bool = False
    """Whether workers are made for one size, as containers are: no other is warm for it."""
    cpus: float = float("inf")
    """Of all workers together: what is busy beyond them shares them."""


class Counts(Protocol):
    """What is expected of the maps of a graph."""

    def items(self, at: int) -> int:
        """How many items the maps get for which the task in this place splits."""
        ...


class Forecast(Counts, Protocol):
    """What is expected of one graph, at one level of caution (mean, or a percentile of time).

    What is said of the place of a map holds for each of its items; the output of a task that
    splits is all the elements together.
    """

    graph: Graph
    site: Site

    @property
    def sla(self) -> str:
        """mean, or a percentile such as p90."""
        ...

    def call_seconds(self, at: int, resources: Resources) -> float:
        """Of the task in this place of the graph, from its inputs being there to its result."""
        ...

    def cpu_seconds(self, at: int, resources: Resources) -> float: ...

    def interval(self, at: int, resources: Resources) -> tuple[float, float]:
        """Between these, in 9 of 10 cases, lies its call."""
        ...

    def output_bytes(self, at: int) -> float: ...

    def is_guess(self, at: int) -> bool:
        """Whether nothing is known of its function but what it declares."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What people should know of how this was made."""
        ...


class Predictor(Protocol):
    """What past runs say about graphs that have not run yet."""

    def forecast(self, graph: Graph, *, sla: str = "mean") -> Forecast: ...
