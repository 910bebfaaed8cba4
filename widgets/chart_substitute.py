"""A timeline chart drawn by our own hand, from its own table, where vl-convert is missing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from wfnb.metrics import Table
from wfnb.timeline import TaskState
from wfnb.widgets.chart_bars import Bar, Bars
from wfnb.widgets.chart_frames import BAR_COLUMNS
from wfnb.widgets.timeline_svg import bars_svg


def redrawn(table: Any, *, note: str) -> str | None:
    """Draw the table of a timeline chart; None if it is of another chart."""
    if not set(BAR_COLUMNS) <= set(getattr(table, "columns", ())):
        return None
    found = {kind: _bars(table[table["kind"] == kind]) for kind in ("planned", "real")}
    counts: Counter[TaskState] = Counter()
    for bar in found["real"].bars:
        if bar.state is not None:
            counts[bar.state] += bar.tasks
    return bars_svg(found["real"], found["planned"], counts=counts, note=note)


def _bars(table: Table) -> Bars:
    columns = ("worker", "start", "end", "state", "id", "function", "attempt", "tasks")
    rows = zip(*(table[name].tolist() for name in columns), strict=True)
    made = [
        Bar(
            lane=lane,
            start=start,
            end=end,
            state=None if state == "planned" else TaskState(state),
            task=task,
            function=function,
            attempt=attempt,
            tasks=tasks,
        )
        for lane, start, end, state, task, function, attempt, tasks in rows
    ]
    return Bars(bars=made, end=max((bar.end for bar in made), default=0.0))
