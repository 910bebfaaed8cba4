"""Forecasts that say what a test tells them to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wfnb.forecast import Link, Site
from wfnb.graph import Function, Graph, TaskId
from wfnb.resources import Resources

INSTANT = Link(
    up_latency_seconds=0.0,
    up_bytes_per_second=float("inf"),
    down_latency_seconds=0.0,
    down_bytes_per_second=float("inf"),
)
"""Nothing takes time on it."""
NOWHERE = Site(link=INSTANT)
"""One worker, which is there at once."""


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """What each function, or task, takes on one CPU; twice as fast on two, if it `scales`."""

    graph: Graph
    site: Site = NOWHERE
    seconds: float | Mapping[str, float] = 1.0
    """Of all, or by the name of a function or of a task."""
    cpu: float | Mapping[str, float] | None = None
    """None: as long as it takes."""
    bytes: float | Mapping[str, float] = 0.0
    counts: int | Mapping[str, int] = 3
    """Items of maps, by the name of the task that splits."""
    scales: bool = False
    sla: str = "mean"
    notes: Sequence[str] = field(default=())

    def call_seconds(self, at: int, resources: Resources) -> float:
        return self._said(self.seconds, at, 1.0) / (resources.cpus if self.scales else 1)

    def cpu_seconds(self, at: int, resources: Resources) -> float:
        if self.cpu is None:
            return self._said(self.seconds, at, 1.0)
        return self._said(self.cpu, at, 0.0)

    def interval(self, at: int, resources: Resources) -> tuple[float, float]:
        seconds = self.call_seconds(at, resources)
        return seconds, seconds

    def output_bytes(self, at: int) -> float:
        return self._said(self.bytes, at, 0.0)

    def is_guess(self, at: int) -> bool:
        return False

    def items(self, at: int) -> int:
        expected = [self.graph.maps[gather].expected for gather in self.graph.maps_of[at]]
        said = int(self._said(self.counts, at, 3))
        return next((count for count in expected if count is not None), said)

    def _said(self, said: float | Mapping[str, float], at: int, default: float) -> float:
        if not isinstance(said, Mapping):
            return said
        graph = self.graph
        task = graph.ids[at]
        if task in said:
            return said[task]
        function = graph.maps[at].function if at in graph.maps else graph.function_at[at]
        return said.get(graph.functions[function].name, default)


def drawn(inputs: Mapping[str, str], targets: Sequence[str] = ()) -> Graph:
    """A graph of tasks, each with the names of what it reads, space between; "f-0" calls f."""
    names = list(inputs)
    functions = {name.rpartition("-")[0] or name: None for name in names}
    made = {name: Function(name, len) for name in functions}
    places = {name: at for at, name in enumerate(made)}
    reads = {name: inputs[name].split() for name in names}
    read = {one for some in reads.values() for one in some}
    return Graph(
        functions=tuple(made.values()),
        ids=tuple(map(TaskId, names)),
        function_at=tuple(places[name.rpartition("-")[0] or name] for name in names),
        arguments_at=[()] * len(names),
        inputs_at=tuple(tuple(names.index(one) for one in reads[name]) for name in names),
        targets=tuple(TaskId(name) for name in targets or [n for n in names if n not in read]),
        names=dict(enumerate(map(TaskId, names))),
    )
