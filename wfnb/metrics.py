"""Timelines as data frames; pandas is imported when the first one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from wfnb.errors import WfnbError
from wfnb.graph import Graph, TaskId
from wfnb.timeline import Span, Timeline

if TYPE_CHECKING:
    import pandas

Table: TypeAlias = "pandas.DataFrame"


def tasks_frame(timeline: Timeline, resources: Mapping[TaskId, str]) -> Table:
    """One row a task, in the graph's order, under its id; missing values for what has not run."""
    graph = timeline.graph
    rows = [_row(span, graph, resources[span.task]) for span in timeline.spans]
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
    "input_bytes": "Int64",
    "output_bytes": "Int64",
    "resources": "object",
}


def _row(span: Span, graph: Graph, resources: str) -> tuple[object, ...]:
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
        sample and sample.input_bytes,
        sample and sample.output_bytes,
        resources,
    )


def _pandas() -> ModuleType:
    try:
        import pandas
    except ImportError as error:
        raise WfnbError("tables need pandas: `pip install wfnb[notebook]`") from error
    return pandas
