"""Who worked on what and when, as bars in lanes: few enough to draw, however many tasks ran."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from wfnb.timeline import TaskState, Timeline
from wfnb.widgets.svg import clean

MOST_LANES = 40
ANYBODY = "any worker"
"""The lane of what no worker is named for."""

_AT_WORK = frozenset({TaskState.RUNNING, TaskState.PREPARING})
_NOT_AT_WORK = frozenset({TaskState.WAITING, TaskState.QUEUED, TaskState.RETRYING})
_FAR = 1e8
"""Seconds since 1970 rather than since the start of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stretch of time in one lane: a task's, or that of several with the same state."""

    lane: str
    start: float
    """Seconds since the start of the run, like `end`."""
    end: float
    state: TaskState | None
    """None when it is only planned."""
    task: str
    function: str = ""
    attempt: int = 1
    tasks: int = 1

    @property
    def name(self) -> str:
        """What to write on it."""
        if self.tasks > 1:
            return f"{self.tasks:,} tasks"
        return f"{self.task} ↻{self.attempt}" if self.attempt > 1 else self.task


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """What one chart shows: measured or planned."""

    bars: Sequence[Bar] = ()
    end: float = 0.0
    """When the last of them ends; now, while something runs."""
    is_live: bool = False
    """Something is at work: its bar ends now, and only for now."""

    @property
    def workers(self) -> list[str]:
        return sorted({bar.lane for bar in self.bars}, key=natural)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A bar as it is read from a timeline or a table: seconds of a clock, perhaps without end."""

    task: str
    function: str
    state: TaskState | None
    worker: str | None
    attempt: int
    start: float | None
    end: float | None


def bars_of(timeline: Timeline, *, origin: float | None = None, now: float | None = None) -> Bars:
    """Read what has run, and what runs until `now`; of several attempts the last is known.

    A run starts at its first event, unless there is another `origin`.
    """
    graph = timeline.graph
    stretches = [
        Stretch(
            task=span.task,
            function=graph.function_name(span.task),
            state=span.state,
            worker=span.worker,
            attempt=span.attempt,
            start=span.start_seconds,
            end=span.end_seconds,
        )
        for span in timeline.spans
        if span.start_seconds is not None
    ]
    until = timeline.end_seconds if timeline.is_over else now
    return bars(stretches, origin=timeline.start_seconds if origin is None else origin, now=until)


def bars(
    stretches: Iterable[Stretch], *, origin: float | None = None, now: float | None = None
) -> Bars:
    """Count from the start of the run; a clock that is behind moves the start, not the bar.

    What is at work ends `now`: the present by default, or the last known moment when the times
    are not those of a clock.
    """
    drawn = [stretch for stretch in stretches if _is_drawn(stretch)]
    starts = [each.start for each in drawn if each.start is not None]
    if not starts:
        return Bars()
    zero = min(starts) if origin is None else min(origin, *starts)
    last = max([*starts, *(each.end for each in drawn if each.end is not None)])
    if now is None:
        now = time.time() if zero > _FAR else last
    made, is_live = [], False
    for each in drawn:
        is_open = each.state in _AT_WORK and each.end is None
        is_live = is_live or is_open
        end = each.end if each.end is not None else (now if is_open else last)
        made.append(_bar(each, zero=zero, end=end))
    return Bars(bars=made, end=max(bar.end for bar in made), is_live=is_live)


def _is_drawn(stretch: Stretch) -> bool:
    """What was given back unfinished keeps its start, but nobody is at it."""
    if stretch.start is None:
        return False
    return stretch.end is not None or stretch.state not in _NOT_AT_WORK


def _bar(stretch: Stretch, *, zero: float, end: float) -> Bar:
    start = (stretch.start or 0.0) - zero
    return Bar(
        lane=ANYBODY if stretch.worker is None else clean(stretch.worker),
        start=start,
        end=max(start, end - zero),
        state=stretch.state,
        task=clean(stretch.task),
        function=clean(stretch.function),
        attempt=stretch.attempt,
    )


# Lanes


@cache
def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Order names as people do: w2 before w10."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]", name)
    return tuple((0, int(p), "") if p.isascii() and p.isdigit() else (1, 0, p) for p in parts)


def lanes_of(workers: Sequence[str], *, most: int = MOST_LANES) -> dict[str, str]:
    """Name each worker's lane, in their order; neighbours share one when there are too many."""
    size = -(-len(workers) // most)
    if size < 2:
        return {worker: worker for worker in workers}
    lanes = {}
    for first in range(0, len(workers), size):
        group = workers[first : first + size]
        lane = group[0] if len(group) == 1 else f"{group[0]} … {group[-1]}"
        lanes.update(dict.fromkeys(group, lane))
    return lanes


def in_lanes(found: Sequence[Bar], lanes: Mapping[str, str], *, most: int) -> list[Bar]:
    """Give the bars of each lane; where several share one or they are too many, by steps of time.

    In a step one bar stands for all tasks of one state that began in it, as long as the lane's
    workers were at them; so nothing overlaps, and no failure is lost. Steps are as short as `most`
    bars allow: it must be at least the number of lanes and states.
    """
    crew = Counter(lanes.values())
    if len(found) <= most and len(crew) == len(lanes):
        return sorted(found, key=lambda bar: (_is_loud(bar), bar.start))
    steps: dict[tuple[str, int], _Step] = {}
    end = max((bar.end for bar in found), default=0.0)
    bins = 1 << (2 * most // max(1, len(crew))).bit_length()
    while not steps or sum(map(len, steps.values())) > most:
        steps = _steps(found, lanes, end / bins or 1.0)
        if bins == 1:
            break
        bins //= 2
    return [bar for (lane, _), step in steps.items() for bar in _side_by_side(step, lane, crew)]


_Step = dict[TaskState | None, list[Bar]]


def _is_loud(bar: Bar) -> bool:
    """To be drawn last, over what it may overlap."""
    return bar.state is TaskState.FAILED


def _steps(
    found: Sequence[Bar], lanes: Mapping[str, str], length: float
) -> dict[tuple[str, int], _Step]:
    steps: dict[tuple[str, int], _Step] = {}
    for bar in found:
        step = steps.setdefault((lanes[bar.lane], int(bar.start / length)), {})
        step.setdefault(bar.state, []).append(bar)
    return steps


def _side_by_side(step: _Step, lane: str, crew: Mapping[str, int]) -> Iterator[Bar]:
    groups = sorted(step.values(), key=lambda group: min(bar.start for bar in group))
    start = min(bar.start for group in groups for bar in group)
    end = max(bar.end for group in groups for bar in group)
    lengths = [sum(bar.end - bar.start for bar in group) / crew[lane] for group in groups]
    # A worker that claims several at once is at all of them: together they last no longer.
    squeeze = min(1.0, (end - start) / (sum(lengths) or 1.0))
    for group, length in zip(groups, lengths, strict=True):
        yield _union(group, lane=lane, start=start, end=start + length * squeeze)
        start += length * squeeze


def _union(group: Sequence[Bar], *, lane: str, start: float, end: float) -> Bar:
    first = group[0]
    functions = {bar.function for bar in group}
    return Bar(
        lane=lane,
        start=start,
        end=end,
        state=first.state,
        task=first.task,
        function=first.function if len(functions) == 1 else "several",
        attempt=max(bar.attempt for bar in group),
        tasks=sum(bar.tasks for bar in group),
    )


# Shares of time


def busy_shares(found: Sequence[Bar], lanes: Mapping[str, str], *, steps: int) -> list[list[float]]:
    """Tell how busy each lane was in each of `steps` equal steps, from 0 to 1; lanes in order."""
    names = list(dict.fromkeys(lanes.values()))
    row = {name: at for at, name in enumerate(names)}
    end = max((bar.end for bar in found), default=0.0)
    step = end / steps or 1.0
    busy = [[0.0] * steps for _ in names]
    for bar in found:
        line = busy[row[lanes[bar.lane]]]
        for at in range(int(bar.start / step), min(steps, int(bar.end / step) + 1)):
            line[at] += max(0.0, min(bar.end, (at + 1) * step) - max(bar.start, at * step))
    crew = [list(lanes.values()).count(name) for name in names]
    return [
        [min(1.0, seconds / step / size) for seconds in line]
        for line, size in zip(busy, crew, strict=True)
    ]
