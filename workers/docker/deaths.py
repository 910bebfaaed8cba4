"""What is said of a container that has died: by what its daemon told, not by its exit code alone.

137 is SIGKILL from anywhere: by the kernel for memory, by hand, by a daemon that was restarted. And
Docker calls a container OOM-killed as soon as any process in it was, however long before its end.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

from wfnb.errors import ErrorRecord
from wfnb.graph import TaskId
from wfnb.storage import Ask, RunId, Seat, Store
from wfnb.storage.records import ANY_TASK
from wfnb.workers.docker.containers import Fate, Notice

OOM_SECONDS = 3.0
"""An end that comes so soon after a process was killed for memory is because of it."""
CAUSE_SECONDS = 0.15
"""For what comes after the end and tells why: the removal that killed a container."""


@dataclass(slots=True)
class Evidence:
    """What was seen of one container, as it comes."""

    oom_at: float | None = None
    killed_by: int = 0
    """The signal that somebody had Docker send."""
    is_removed: bool = False
    died_at: float | None = None
    was_away: bool = False
    """Its daemon was, when it died."""

    def take(self, notice: Notice) -> None:
        if notice.what == "oom":
            self.oom_at = notice.at_seconds
        elif notice.what == "kill":
            self.killed_by = notice.code
        elif notice.what == "destroy":
            self.is_removed = True
        if notice.what in ("die", "destroy"):
            self.died_at = self.died_at or notice.at_seconds


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a container died, for the record of what it was doing."""

    kind: str
    type: str
    how: str
    is_outside: bool = False
    """Nothing that its task did."""
    words: str = ""


def verdict_of(evidence: Evidence, fate: Fate | None, words: str) -> Verdict:
    """`fate` is None of a container that is gone already."""
    how = _from_outside(evidence, fate)
    if how:
        return Verdict("lost", "WorkerLost", how, is_outside=True, words=words)
    if fate is not None and _is_oom(evidence, fate):
        limit = f"{fate.memory_bytes / 1e6:,.1f} MB"
        how = (
            f"used more than its limit of {limit}, at a peak of {limit}, and the kernel killed it: "
            "give it more, @task(resources=Resources(memory=...))"
        )
        return Verdict("memory", "MemoryLimitExceeded", how, words=words)
    return Verdict("lost", "WorkerLost", _by_exit(fate), words=words)


def tell(store: Store, label: str, verdict: Verdict | None) -> bool:
    """Give up a dead worker wherever it was at work; False if it was nowhere. Raises StoreError.

    Without a verdict, nobody is to blame.
    """
    was_at_work = False
    for run in store.active_runs():
        seat = store.crew(run).get(label)
        if seat is not None:
            was_at_work = True
            _give_up(store, run, seat, _record(seat, verdict, label) if verdict else None)
    return was_at_work


def _give_up(store: Store, run: RunId, seat: Seat, record: ErrorRecord | None) -> None:
    if record is not None and record.kind == "memory" and record.task in seat.claims:
        # The task's own doing: its retries count, not the workers that it may lose.
        ask = Ask(
            identity=seat.identity, generation=seat.generation, queue=seat.queue, want=0, nonce=""
        )
        if store.fail(run, ask, record):
            record = None
    store.abandon(run, seat.identity, record)


def _record(seat: Seat, verdict: Verdict, label: str) -> ErrorRecord:
    """Which of several short tasks it was at, nobody knows any more."""
    tasks = list(seat.claims)
    task = tasks[0] if len(tasks) == 1 else TaskId("") if verdict.is_outside else ANY_TASK
    name = task if len(tasks) == 1 else "one of several tasks"
    if verdict.kind == "memory":
        message = f"{name} {verdict.how}"
    else:
        message = f"the worker died while it ran {name}: {label} {verdict.how}"
    return ErrorRecord(
        task=task,
        attempt=seat.claims.get(task, 0),
        kind=verdict.kind,
        type=verdict.type,
        message=message,
        stderr=verdict.words,
        worker=seat.identity,
        at_seconds=time.time(),
    )


def _from_outside(evidence: Evidence, fate: Fate | None) -> str:
    if evidence.was_away:
        if fate is None:
            return "was gone when its Docker daemon was there again"
        return f"ended while its Docker daemon was restarted or away ({_code(fate.exit_code)})"
    if evidence.is_removed or fate is None:
        return "was removed by hand (docker rm)"
    if evidence.killed_by and fate.exit_code in (128 + evidence.killed_by, 137):
        return f"was killed from outside wfnb, through Docker ({_name(evidence.killed_by)})"
    return ""


def _is_oom(evidence: Evidence, fate: Fate) -> bool:
    if evidence.died_at is None:  # nobody looked
        return fate.was_oom
    return evidence.oom_at is not None and evidence.died_at - evidence.oom_at <= OOM_SECONDS


def _by_exit(fate: Fate | None) -> str:
    if fate is not None and fate.exit_code == 137:
        return "was killed (SIGKILL), not by Docker and not for its memory"
    return f"ended by itself ({_code(fate.exit_code)})" if fate is not None else "is gone"


def _code(exit_code: int) -> str:
    return _name(exit_code - 128) if exit_code > 128 else f"exit code {exit_code}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
