"""What a worker does, as steps; a driver carries them out, for real or on a virtual clock.

The script knows the graph and what it was told, nothing else: no time, no values, no store. So a
simulator that drives it does what workers do, and a test can stop it at any step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wfnb.graph import Graph, TaskId
from wfnb.storage.records import Claim, Finished, Identity, Reply

MOST_TASKS = 64
"""What one call reports or takes at most; it keeps the store's answer to others short."""
SHORT_SECONDS = 0.002
"""So long may finished tasks wait to be reported with the next ones."""
TRANSFER_BYTES_PER_SECOND = 5e8
"""A big output may wait as long as it would take to move it: its reader may come up here."""
BIG_BYTES = 64 * 1024
_MOST_SIBLINGS = 8


@dataclass(frozen=True, slots=True)
class Take:
    """Ask for up to `want` ready tasks; answered by a Reply."""

    want: int
    prefer: Sequence[TaskId] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """Have the inputs of these tasks here."""

    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True)
class Call:
    """Execute one task; answered by a Called."""

    at: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Called:
    is_ok: bool
    seconds: float
    output_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Save:
    """Have these outputs where others can read them; each record gets its result."""

    finished: Sequence[Finished]


@dataclass(frozen=True, slots=True)
class Complete:
    """Report finished tasks and ask for the next; answered by a Reply."""

    finished: Sequence[Finished]
    want: int
    prefer: Sequence[TaskId] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """Report the attempt whose call has just not been ok."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Release:
    """Give claims back untouched, for others to take."""

    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True)
class Wait:
    """Until this planned worker's queue may have something."""


Step: TypeAlias = Take | Load | Call | Save | Complete | Fail | Release | Wait
Script: TypeAlias = Generator[Step, Any, None]


@dataclass(frozen=True, slots=True)
class Role:
    """Who carries the script out, in which run."""

    graph: Graph
    identity: Identity
    queue_at: Sequence[str] | None
    """Each task's queue; None if all tasks are in this worker's own."""
    queue: str

    @property
    def is_planned(self) -> bool:
        return self.queue.startswith("@")

    def may_take(self, at: int) -> bool:
        return self.queue_at is None or self.queue_at[at] == self.queue

    def is_careful(self, at: int) -> bool:
        """At most once: claimed before it starts, alone, and reported as soon as it has ended."""
        options = self.graph.functions[self.graph.function_at[at]].options
        return options.on_worker_lost == "fail"


@dataclass(slots=True)
class Batch:
    """Tasks finished here and not reported yet."""

    role: Role
    finished: dict[int, Finished] = field(default_factory=dict)
    seconds: float = 0.0
    waiting_bytes: int = 0
    """Of big outputs whose only reader may well come up here."""
    _left: dict[int, int] = field(default_factory=dict)
    _reading: dict[int, int] = field(default_factory=dict)

    def add(self, at: int, attempt: int, called: Called, *, became: bool) -> list[int]:
        """Take a finished task in; returns the readers whose every input is now in this batch."""
        graph = self.role.graph
        readers = graph.readers_at[at]
        self.finished[at] = Finished(
            task=graph.ids[at],
            attempt=attempt,
            became=became,
            readers=[graph.ids[reader] for reader in readers],
            is_target=graph.is_target_at[at],
        )
        self._reading[at] = len(readers)
        self.seconds += called.seconds
        if called.output_bytes >= BIG_BYTES and self._has_near_reader(at):
            self.waiting_bytes += called.output_bytes
        for read in graph.inputs_at[at]:
            if read in self._reading:
                self._reading[read] -= 1
        return [reader for reader in readers if self._is_complete(reader)]

    def is_due(self) -> bool:
        if len(self.finished) >= MOST_TASKS:
            return True
        return self.seconds > SHORT_SECONDS + self.waiting_bytes / TRANSFER_BYTES_PER_SECOND

    def to_save(self) -> list[Finished]:
        """Outputs that somebody will read who has not read them in this batch.

        Those that only this planned worker's own tasks read are held: saved nowhere, only marked.
        """
        left = [
            (at, record)
            for at, record in self.finished.items()
            if record.is_target or self._reading[at] > 0
        ]
        for at, record in left:
            if self._stays_here(at):
                record.held, record.unread = True, self._reading[at]
        return [record for _, record in left]

    def siblings(self) -> list[TaskId]:
        """What the readers of this batch's big outputs miss: it is best computed here."""
        if not self.waiting_bytes:
            return []
        graph = self.role.graph
        wanted = [
            graph.ids[other]
            for at in self.finished
            if self._reading[at] > 0 and self._has_near_reader(at)
            for other in graph.inputs_at[graph.readers_at[at][0]]
            if other not in self.finished
        ]
        return wanted[:_MOST_SIBLINGS]

    def _stays_here(self, at: int) -> bool:
        if not self.role.is_planned or self.finished[at].is_target:
            return False
        return all(map(self.role.may_take, self.role.graph.readers_at[at]))

    def _has_near_reader(self, at: int) -> bool:
        readers = self.role.graph.readers_at[at]
        return len(readers) == 1 and len(self.role.graph.inputs_at[readers[0]]) <= _MOST_SIBLINGS

    def _is_complete(self, reader: int) -> bool:
        graph = self.role.graph
        left = self._left.get(reader)
        if left is None:
            left = len(graph.inputs_at[reader])
        self._left[reader] = left - 1
        if left > 1 or not self.role.may_take(reader):
            return False
        return not self.role.is_careful(reader)


def work(role: Role, reply: Reply | None = None) -> Script:
    """From joining a run to leaving it: claim, load, call, save, complete; again.

    `reply` is what joining was answered, if it claimed a task at once.
    """
    want = 1
    if reply is None:
        reply = yield Take(want)
    while reply.status in ("go", "wait"):
        if reply.status == "wait":
            yield Wait()
            reply = yield Take(want)
            continue
        want, reply = yield from _carry_out(role, reply.claims, want)


def _carry_out(
    role: Role, claims: Sequence[Claim], want: int
) -> Generator[Step, Any, tuple[int, Reply]]:
    """Execute claims, and what becomes ready by them alone, until it is time to report."""
    batch, todo, own = Batch(role), deque(claims), deque[int]()
    if any(role.graph.inputs_at[role.graph.position[claim.task]] for claim in claims):
        yield Load(claims)
    while todo or own:
        became = bool(own)
        claim = Claim(role.graph.ids[own.pop()], 1) if own else todo.popleft()
        at = role.graph.position[claim.task]
        called: Called = yield Call(at, claim.attempt)
        if called.is_ok:
            own.extend(reversed(batch.add(at, claim.attempt, called, became=became)))
        elif became:
            return (yield from _fail_own(batch, claim, todo))
        else:
            yield Fail(claim)
        if batch.is_due() or (role.is_careful(at) and batch.finished):
            break
        if not todo and not own and batch.waiting_bytes:
            todo.extend((yield from _take_near(batch)))
    return (yield from _report(batch, todo, want))


def _take_near(batch: Batch) -> Generator[Step, Any, Sequence[Claim]]:
    """While a big output waits for its reader: what the reader misses, or else what there is."""
    reply: Reply = yield Take(1, batch.siblings())
    if reply.claims:
        yield Load(reply.claims)
    return reply.claims


def _report(
    batch: Batch, todo: Sequence[Claim], want: int
) -> Generator[Step, Any, tuple[int, Reply]]:
    """Claims that are left were thought shorter than they are: others may have them."""
    if todo:
        yield Release(list(todo))
    want = _next_want(batch, want)
    if not batch.finished:
        reply: Reply = yield Take(want)
        return want, reply
    if to_save := batch.to_save():
        yield Save(to_save)
    reply = yield Complete(list(batch.finished.values()), want, batch.siblings())
    return want, reply


def _fail_own(
    batch: Batch, claim: Claim, todo: Sequence[Claim]
) -> Generator[Step, Any, tuple[int, Reply]]:
    """A task that was run unasked failed: claim it with the report of its inputs, then fail it."""
    if todo:
        yield Release(list(todo))
    if to_save := batch.to_save():
        yield Save(to_save)
    reply: Reply = yield Complete(list(batch.finished.values()), 1, [claim.task])
    if reply.status == "go" and [granted.task for granted in reply.claims] == [claim.task]:
        yield Fail(reply.claims[0])
        reply = yield Take(1)
    return 1, reply


def _next_want(batch: Batch, want: int) -> int:
    """As many tasks as fit a short batch, at most twice what was taken last: trust grows slowly."""
    if not batch.finished:
        return 1
    each = batch.seconds / len(batch.finished)
    fitting = MOST_TASKS if each <= 0 else int(SHORT_SECONDS / each)
    return max(1, min(2 * want, fitting, MOST_TASKS))
