"""The runs that a store knows, and the values that it keeps for reuse, as tables."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from wfnb.storage import Reusable, RunId, Store

MOST_SHOWN = 30
_KEPT = ("task", "function", "bytes", "used", "last used", "fingerprint")
_HEADINGS = ("run", "status", "tasks", "done", "failed", "started", "owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What can be said of a run without reading its graph."""

    id: RunId
    status: str
    tasks: int
    done: int
    failed: int
    created_seconds: float
    owner: str


class RunTable(tuple[RunSummary, ...]):
    """The latest first; shows itself as a table of text, of the first thirty."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self:
            return "no runs: wfnb.run(task) starts one"
        shown = table(_HEADINGS, [_row(run) for run in self[:MOST_SHOWN]])
        rest = len(self) - MOST_SHOWN
        return f"{shown}\n... and {rest:,} older ones" if rest > 0 else shown


def run_table(store: Store) -> RunTable:
    return RunTable(_summary(run, about) for run, about in store.runs())


class ReuseTable(tuple[Reusable, ...]):
    """The last used first; shows itself as a table of text, of the first thirty."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self:
            return "nothing is kept for reuse: cells are, and tasks with @task(reuse=True)"
        shown = table(_KEPT, [_kept_row(kept) for kept in self[:MOST_SHOWN]])
        rest = len(self) - MOST_SHOWN
        total = sum(kept.size_bytes for kept in self)
        more = f"\n... and {rest:,} more" if rest > 0 else ""
        return f"{shown}{more}\n{total:,} bytes in all; %wf reuse --clear drops them"


def reuse_table(store: Store) -> ReuseTable:
    return ReuseTable(store.reusables())


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, numbers to the right."""
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    to_right = [len(column) > 1 and all(map(_is_number, column[1:])) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, to_right, strict=True)
        ).rstrip()
        for line in (headings, *rows)
    ]
    return "\n".join(lines)


@cache
def this_user() -> str:
    """As runs name their owner."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())  # a container may have no name for its user
    return f"{user}@{socket.gethostname()}"


def sparse_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Without the columns that say nothing."""
    shown = [at for at, column in enumerate(zip(*rows, strict=True)) if any(column)]
    return table([headings[at] for at in shown], [[row[at] for at in shown] for row in rows])


def _summary(run: RunId, about: Mapping[str, str]) -> RunSummary:
    # Maps are no tasks, their items are. While it runs, nobody counts which of the two are done.
    tasks = int(about.get("tasks", 0)) - int(about.get("beside", 0))
    return RunSummary(
        id=run,
        status=about.get("status", "unknown"),
        tasks=tasks,
        done=min(tasks, int(about.get("done", 0))),
        failed=int(about.get("failed", 0)),
        created_seconds=int(about.get("created", 0)) / 1000,
        owner=about.get("owner", ""),
    )


def _row(run: RunSummary) -> tuple[str, ...]:
    started = datetime.fromtimestamp(run.created_seconds).astimezone()
    counts = (run.tasks, run.done, run.failed)
    numbers = tuple(f"{count:,}" for count in counts)
    return (run.id, run.status, *numbers, f"{started:%Y-%m-%d %H:%M:%S}", run.owner)


def _kept_row(kept: Reusable) -> tuple[str, ...]:
    used = datetime.fromtimestamp(kept.used_seconds).astimezone()
    numbers = (f"{kept.size_bytes:,}", f"{kept.uses:,}")
    return (kept.task, kept.function, *numbers, f"{used:%Y-%m-%d %H:%M:%S}", kept.fingerprint[:8])


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").isdecimal()
