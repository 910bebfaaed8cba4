"""Who works on a run, as a table: where, in what, how long it took to come, what it uses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from wfnb.listing import sparse_table
from wfnb.loads import Load
from wfnb.timeline import ENDED, TaskState, Timeline

NOTHING = Load()
_HEADINGS = (
    *("worker", "where", "image", "cpus", "CPU %", "memory MB", "limit MB"),
    *("start", "waited ms", "tasks", "busy s", "state"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One worker of a run, and what it uses if that is known."""

    worker: str
    label: str
    is_here: bool
    is_cold: bool | None
    """Whether it was started for its last launch; None where that is not known."""
    waited_seconds: float | None
    """From its last launch being asked for until it was there."""
    tasks: int
    busy_seconds: float
    load: Load


class CrewTable(tuple[Member, ...]):
    """In the order in which they came; shows itself as a table of text, units in its headings."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self:
            return "no worker has come yet"
        return sparse_table(_HEADINGS, [_row(member) for member in self])


def crew_of(timeline: Timeline, loads: Mapping[str, Load]) -> CrewTable:
    """`loads` by label, as `Loads.look` gives them."""
    crew = timeline.crew
    last = {launch.worker: launch for launch in crew.launches}
    tasks: Counter[str] = Counter()
    busy: dict[str, float] = defaultdict(float)
    for span in timeline.spans:
        if span.worker is not None and span.state in ENDED and span.state is not TaskState.REUSED:
            tasks[span.worker] += 1
            busy[span.worker] += span.sample.occupied_seconds if span.sample else 0.0
    return CrewTable(
        Member(
            worker=worker,
            label=label,
            is_here=worker in crew.present,
            is_cold=last[worker].is_cold if worker in last else None,
            waited_seconds=last[worker].waited_seconds if worker in last else None,
            tasks=tasks[worker],
            busy_seconds=busy[worker],
            load=loads.get(label, NOTHING),
        )
        for worker, label in crew.labels.items()
    )


def _row(member: Member) -> tuple[str, ...]:
    load = member.load
    return (
        member.worker,
        member.label,
        load.image,
        _shown(load.cpus, "g"),
        _shown(load.cpu_percent, ".0f"),
        megabytes(load.memory_bytes),
        megabytes(load.limit_bytes),
        "" if member.is_cold is None else ("cold" if member.is_cold else "warm"),
        _shown(member.waited_seconds and 1000 * member.waited_seconds, ",.0f"),
        f"{member.tasks:,}",
        f"{member.busy_seconds:,.2f}",
        load.state if member.is_here else "gone",
    )


def megabytes(size_bytes: int | None) -> str:
    return _shown(size_bytes and size_bytes / 1e6, ",.0f")


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
