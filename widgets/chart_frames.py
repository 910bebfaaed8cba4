"""Tables in, tables out: what each chart shows, in at most as many rows as it can show.

Nothing here imports pandas: tables come from `Run.tasks`, and new ones are made by their type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, isnan, log
from typing import Any

from wfnb.errors import OptionError
from wfnb.metrics import Table
from wfnb.timeline import TaskState
from wfnb.widgets.chart_bars import (
    Bar,
    Bars,
    Stretch,
    bars,
    busy_shares,
    in_lanes,
    lanes_of,
)
from wfnb.widgets.palette import LOOKS, SUCCEEDED
from wfnb.widgets.svg import clean

PLANNED = ("id", "worker", "start", "end")
"""Columns of a planned table: a row a task, seconds since the start of the run."""
MOST_ROWS = 1000
"""Bars or points of one chart. Altair refuses more than 5,000."""
MOST_NAMES = 200
"""Names and signs written on bars, the longest ones: a name takes 2 ms to draw."""
MOST_FUNCTIONS = 24
STEPS = 60
"""Steps of time of the utilisation."""
THE_REST = "other functions"

_MEASURED = ("function", "state", "worker", "attempt", "start", "end")
BAR_COLUMNS = (
    "kind",
    "id",
    "function",
    "state",
    "worker",
    "attempt",
    "start",
    "end",
    "seconds",
    "tasks",
    "sign",
    "label",
)
_SHARE_COLUMNS = ("worker", "start", "end", "share")


def real_bars(frame: Table, *, now: float | None = None) -> Bars:
    """Read a table such as `Run.tasks`; `start` and `end` are instants, or seconds."""
    table = _with_id(frame, _MEASURED)
    columns = [table[name].tolist() for name in ("id", "function", "state", "worker", "attempt")]
    times = [_seconds(table[name]) for name in ("start", "end")]
    return bars(
        (
            Stretch(
                task=str(task),
                function=_text(function) or "",
                state=TaskState(state),
                worker=_text(worker),
                attempt=int(attempt),
                start=start,
                end=end,
            )
            for task, function, state, worker, attempt, start, end in zip(
                *columns, *times, strict=True
            )
        ),
        now=now,
    )


def planned_bars(planned: Table | None) -> Bars:
    """Read a planned table: columns `PLANNED`."""
    if planned is None:
        return Bars()
    table = _with_id(planned, PLANNED[1:])
    columns = [table[name].tolist() for name in ("id", "worker")]
    times = [_seconds(table[name]) for name in ("start", "end")]
    return bars(
        (
            Stretch(
                task=str(task),
                function="",
                state=None,
                worker=_text(worker),
                attempt=1,
                start=start,
                end=end,
            )
            for task, worker, start, end in zip(*columns, *times, strict=True)
        ),
        origin=0.0,
    )


def timeline_frame(frame: Table, real: Bars, planned: Bars) -> Table:
    """Put what was planned and what happened in one table, a row a bar, planned ones first."""
    lanes = lanes_of(sorted_workers(real, planned))
    ghosts = in_lanes(planned.bars, lanes, most=MOST_ROWS)
    drawn = in_lanes(real.bars, lanes, most=MOST_ROWS)
    lengths = sorted((bar.end - bar.start for bar in drawn), reverse=True)
    least = lengths[MOST_NAMES] if len(lengths) > MOST_NAMES else -1.0
    rows = [
        *(_bar_row(bar, kind="planned") for bar in ghosts),
        *(_bar_row(bar, kind="real", named=bar.end - bar.start > least) for bar in drawn),
    ]
    return _table(frame, rows, BAR_COLUMNS)


def sorted_workers(real: Bars, planned: Bars) -> list[str]:
    """Those who work, as people count, and then those who should have."""
    return list(dict.fromkeys([*real.workers, *planned.workers]))


def utilisation_frame(frame: Table, real: Bars) -> Table:
    """Tell for each lane and each step of time which share of it was spent on tasks."""
    lanes = lanes_of(real.workers)
    step = real.end / STEPS or 1.0
    shares = busy_shares(real.bars, lanes, steps=STEPS)
    rows = [
        (lane, at * step, (at + 1) * step, share)
        for lane, line in zip(dict.fromkeys(lanes.values()), shares, strict=True)
        for at, share in enumerate(line)
    ]
    return _table(frame, rows, _SHARE_COLUMNS)


def duration_frame(frame: Table) -> Table:
    """Sum up the times of the tasks that succeeded, a row a function, the longest in all first."""
    table = _with_id(frame, ("function", "state", "seconds"))
    table = table[table["state"].isin(_words(SUCCEEDED)) & table["seconds"].notna()]
    table = table.assign(function=_few_functions(table, MOST_FUNCTIONS))
    groups = table.groupby("function", sort=False)["seconds"]
    summary = groups.agg(tasks="count", total="sum", least="min", median="median", most="max")
    summary = summary.assign(quarter=groups.quantile(0.25), three_quarters=groups.quantile(0.75))
    ranked: Table = summary.sort_values("total", ascending=False).reset_index()
    return ranked.astype({"function": "object"})


def duration_points(frame: Table) -> Table:
    """Give single tasks' times, to be drawn behind the summary; evenly chosen when too many."""
    table = _with_id(frame, ("function", "state", "seconds"))
    table = table[table["state"].isin(_words(SUCCEEDED)) & table["seconds"].notna()]
    table = table.assign(function=_few_functions(table, MOST_FUNCTIONS))
    table = table.sort_values(["function", "seconds"])[["id", "function", "state", "seconds"]]
    chosen: Table = table.iloc[_evenly(len(table), MOST_ROWS)].reset_index(drop=True)
    return chosen


def prediction_frame(frame: Table, planned: Table | None, *, functions: int) -> Table:
    """Give predicted and real seconds of each task that succeeded; the worst guesses never miss."""
    table = _with_id(frame, ("function", "state", "seconds"))
    if planned is not None:
        plan = _with_id(planned, PLANNED[1:])
        length = _floats(plan["end"]) - _floats(plan["start"])
        known = dict(zip(plan["id"].tolist(), length.tolist(), strict=True))
        table = table.assign(predicted_seconds=table["id"].map(known))
    if "predicted_seconds" not in table.columns:
        table = table.assign(predicted_seconds=float("nan"))
    table = table.astype({"predicted_seconds": "float64"})
    is_known = table["predicted_seconds"].notna() & table["seconds"].notna()
    table = table[is_known & table["state"].isin(_words(SUCCEEDED))]
    table = table.assign(function=_few_functions(table, functions))
    columns = ["id", "function", "state", "predicted_seconds", "seconds"]
    return _worst_and_some(table[columns].reset_index(drop=True))


def _worst_and_some(table: Table) -> Table:
    if len(table) <= MOST_ROWS:
        return table
    pairs = zip(table["predicted_seconds"].tolist(), table["seconds"].tolist(), strict=True)
    errors = [_error(predicted, real) for predicted, real in pairs]
    ranked = sorted(range(len(errors)), key=lambda at: -errors[at])
    worst, rest = ranked[: MOST_ROWS // 4], ranked[MOST_ROWS // 4 :]
    some = [rest[at] for at in _evenly(len(rest), MOST_ROWS - len(worst))]
    chosen: Table = table.iloc[sorted(worst + some)].reset_index(drop=True)
    return chosen


def _error(predicted: float, real: float) -> float:
    return abs(log(predicted / real)) if predicted > 0 < real else inf


def _few_functions(table: Table, most: int) -> list[str]:
    """Name each row's function; those that took the least time in all share one name."""
    names = [clean(_text(name) or "") for name in table["function"].tolist()]
    totals: dict[str, float] = {}
    for name, seconds in zip(names, table["seconds"].tolist(), strict=True):
        totals[name] = totals.get(name, 0.0) + seconds
    if len(totals) <= most:
        return names
    kept = set(sorted(totals, key=lambda name: -totals[name])[: most - 1])
    return [name if name in kept else THE_REST for name in names]


def _evenly(have: int, want: int) -> list[int]:
    if have <= want:
        return list(range(have))
    return [at * (have - 1) // (want - 1) for at in range(want)]


def _words(states: Iterable[TaskState]) -> list[str]:
    return [state.value for state in states]


# Rows and columns


def _bar_row(bar: Bar, *, kind: str, named: bool = False) -> tuple[object, ...]:
    look = LOOKS[bar.state] if bar.state is not None else None
    return (
        kind,
        bar.task,
        bar.function,
        look.word if look else kind,
        bar.lane,
        bar.attempt,
        bar.start,
        bar.end,
        bar.end - bar.start,
        bar.tasks,
        look.icon if look and named else "",
        bar.name,
    )


def _table(like: Table, rows: Sequence[Sequence[object]], columns: Sequence[str]) -> Table:
    made: Table = type(like)(list(rows), columns=list(columns))
    return made


def _with_id(frame: Table, needed: Sequence[str]) -> Table:
    table = frame.reset_index() if frame.index.name == "id" and "id" not in frame.columns else frame
    missing = [name for name in ("id", *needed) if name not in table.columns]
    if missing:
        raise OptionError(
            f"the table has no column {', '.join(missing)}: give a run's `tasks`, "
            f"and as plan a table with the columns {', '.join(PLANNED)}"
        )
    return table


def _floats(column: Any) -> Any:
    """Turn a column of instants into seconds since 1970; seconds stay what they are."""
    if getattr(column.dtype, "kind", "") != "M":
        return column.astype("float64")
    first = column.min()
    if not column.notna().any():
        return (column - first).dt.total_seconds()
    return (column - first).dt.total_seconds() + first.timestamp()


def _seconds(column: Any) -> list[float | None]:
    return [None if isnan(value) else value for value in _floats(column).tolist()]


def _text(value: object) -> str | None:
    """Names; what is missing is None, a NaN or pandas' own NA, by the column's kind."""
    return value if isinstance(value, str) else None
