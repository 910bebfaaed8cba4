"""What runs took, in sum and as data frames; pandas is imported when the first one is asked for.

Seconds are seconds, bytes are bytes. A CPU-s is a second of one CPU at work for a task's call; a
GB-s is a second in which a worker whose limit is one GB (10^9 bytes) is occupied by a task, in
loading, calling and saving, however much of the memory it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from wfnb.errors import WfnbError
from wfnb.events import Sample
from wfnb.graph import Graph, TaskId
from wfnb.resources import Resources
from wfnb.timeline import Span, Timeline

if TYPE_CHECKING:
    import pandas

Table: TypeAlias = "pandas.DataFrame"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run has used, by the last attempt of each task that has ended well."""

    cpu_seconds: float
    gb_seconds: float
    """Of tasks whose memory is limited; others count as nothing."""
    cold_launches: int
    """Workers that were started for a launch that waited for them."""
    warm_launches: int

    def __str__(self) -> str:
        launches = self.cold_launches + self.warm_launches
        counted = "1 launch" if launches == 1 else f"{launches:,} launches"
        used = f"{self.cpu_seconds:,.2f} CPU-s, {self.gb_seconds:,.2f} GB-s"
        return f"{used}, {counted} ({self.cold_launches:,} cold)"


def usage_of(timeline: Timeline, resources_of: Callable[[TaskId], Resources]) -> Usage:
    samples = [(span.sample, resources_of(span.task)) for span in timeline.spans if span.sample]
    cold = sum(launch.is_cold for launch in timeline.crew.launches)
    return Usage(
        cpu_seconds=sum(sample.cpu_seconds for sample, _ in samples),
        gb_seconds=sum(_gb_seconds(sample, size) or 0.0 for sample, size in samples),
        cold_launches=cold,
        warm_launches=len(timeline.crew.launches) - cold,
    )


def launches_frame(timeline: Timeline) -> Table:
    """One row for each time that a worker joined, in that order.

    `waited_seconds` is from when the launch was asked for; a worker that was started for it
    `is_cold`.
    """
    rows = [
        (launch.worker, launch.label, launch.at_seconds, launch.waited_seconds, launch.is_cold)
        for launch in timeline.crew.launches
    ]
    frame: Table = _pandas().DataFrame(rows, columns=list(_LAUNCHES)).astype(_LAUNCHES)
    frame["at"] = _pandas().to_datetime(frame["at"], unit="s", utc=True)
    return frame


_LAUNCHES = {
    "worker": "object",
    "label": "object",
    "at": "float64",
    "waited_seconds": "float64",
    "is_cold": "bool",
}


def tasks_frame(timeline: Timeline, resources_of: Callable[[TaskId], Resources]) -> Table:
    """One row a task, in the graph's order, under its id; missing values for what has not run."""
    graph = timeline.graph
    rows = [_row(span, graph, resources_of(span.task)) for span in timeline.spans]
    frame: Table = _pandas().DataFrame(rows, columns=list(_COLUMNS)).set_index("id")
    frame = frame.astype({name: kind for name, kind in _COLUMNS.items() if name != "id"})
    for name in ("start", "end"):
        frame[name] = _pandas().to_datetime(frame[name], unit="s", utc=True)
    return frame


_COLUMNS = {
    "id": "object",
    "function": "object",
    "state": "object",
    "worker": "object",
    "attempt": "int64",
    "start": "float64",
    "end": "float64",
    "seconds": "float64",
    "cpu_seconds": "float64",
    "gb_seconds": "float64",
    "input_bytes": "Int64",
    "output_bytes": "Int64",
    "memory_bytes": "Int64",
    "resources": "object",
}


def _row(span: Span, graph: Graph, resources: Resources) -> tuple[object, ...]:
    sample = span.sample
    seconds = None
    if span.start_seconds is not None and span.end_seconds is not None:
        seconds = span.end_seconds - span.start_seconds
    return (
        span.task,
        graph.function_name(span.task),
        span.state.value,
        span.worker,
        span.attempt,
        span.start_seconds,
        span.end_seconds,
        seconds,
        sample and sample.cpu_seconds,
        sample and _gb_seconds(sample, resources),
        sample and sample.input_bytes,
        sample and sample.output_bytes,
        resources.memory_bytes,
        str(resources),
    )


def _gb_seconds(sample: Sample, resources: Resources) -> float | None:
    memory_bytes = resources.memory_bytes
    return None if memory_bytes is None else memory_bytes / 1e9 * sample.occupied_seconds


def table_of(rows: Iterable[Mapping[str, object]], *, index: str) -> Table:
    """A frame of these rows, under one of their columns."""
    frame: Table = _pandas().DataFrame(list(rows)).set_index(index)
    return frame


def _pandas() -> ModuleType:
    try:
        import pandas
    except ImportError as error:
        raise WfnbError("tables need pandas: `pip install wfnb[notebook]`") from error
    return pandas
