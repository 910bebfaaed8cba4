"""What a worker does, as steps; a driver carries them out, for real or on a virtual clock.

The script knows the graph and what it was told, nothing else: no time, no values, no store. So a
simulator that drives it does what workers do, and a test can stop it at any step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from wfnb.graph import Graph, TaskId
from wfnb.steps import Call, Called, Complete, Fail, Load, Release, Save, Script, Step, Take, Wait
from wfnb.storage.records import Claim, Finished, Identity, Reply

MOST_CLAIMS = 64
MOST_FINISHED = 128
"""What one call takes and reports at most; it keeps the store's answer to others short."""
SHORT_SECONDS = 0.002
"""So long may finished tasks wait to be reported with the next ones."""
PATIENCE_SECONDS = 0.02
"""So much work may wait for a busy worker before it is given back for others."""
TRANSFER_BYTES_PER_SECOND = 5e8
"""A big output may wait as long as it would take to move it: its reader may come up here."""
BIG_BYTES = 64 * 1024
_MOST_SIBLINGS = 8


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

    def is_limited(self, at: int) -> bool:
        """Claimed before it starts: only of a claim the store can say that it broke its limits."""
        options = self.graph.functions[self.graph.function_at[at]].options
        return options.timeout_seconds is not None or options.resources.memory_bytes is not None


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
        # What was tried before may have gone down with a reader that it became: that is claimed
        # first now, or one that kills its workers would do so for ever.
        return [reader for reader in readers if self._is_complete(reader)] if attempt == 1 else []

    def is_due(self) -> bool:
        if len(self.finished) >= MOST_FINISHED:
            return True
        return self.seconds > SHORT_SECONDS + self.waiting_bytes / TRANSFER_BYTES_PER_SECOND

    def to_save(self) -> list[Finished]:
        """Outputs that somebody will read who has not read them in this batch.

        Those that only this planned worker's own tasks read are held: saved nowhere, only marked.
        What a held one was made from is read again if this worker is lost: it stays as long.
        """
        left, held = [], set[int]()
        for at in reversed(self.finished):
            record = self.finished[at]
            record.unread = self._reading[at]
            if held:
                record.unread += sum(reader in held for reader in self.role.graph.readers_at[at])
            if not record.is_target and not record.unread:
                continue
            left.append(record)
            if self._stays_here(at):
                record.held = True
                held.add(at)
        return left[::-1]

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
        return not self.role.is_careful(reader) and not self.role.is_limited(reader)


@dataclass(slots=True)
class Shift:
    """What a worker has before it, and how much it takes at a time."""

    role: Role
    want: int = 1
    todo: deque[Claim] = field(default_factory=deque)
    short: list[str] = field(default_factory=list)
    """Names of the functions that are known to be short: tasks of others come one at a time."""
    _spent: dict[str, tuple[float, int]] = field(default_factory=dict)

    def note(self, at: int, called: Called) -> None:
        """What a call took; the mean of a function decides."""
        graph = self.role.graph
        name = graph.functions[graph.function_at[at]].name
        seconds, calls = self._spent.get(name, (0.0, 0))
        self._spent[name] = seconds, calls = seconds + called.seconds, calls + 1
        is_short = seconds <= calls * SHORT_SECONDS / 2
        if is_short != (name in self.short):
            self.short.append(name) if is_short else self.short.remove(name)

    def learn(self, batch: Batch) -> None:
        """Take what fits a short batch, at most twice what was taken last: trust grows slowly."""
        if not batch.finished:
            self.want = 1
            return
        each = batch.seconds / len(batch.finished)
        fitting = MOST_CLAIMS if each <= 0 else int(SHORT_SECONDS / each)
        self.want = max(1, min(2 * self.want, fitting, MOST_CLAIMS))

    def has_too_much(self, batch: Batch) -> bool:
        """Claims were thought to be shorter than they are: others may have them."""
        return len(self.todo) * batch.seconds > PATIENCE_SECONDS * max(len(batch.finished), 1)


def work(role: Role, reply: Reply | None = None) -> Script:
    """From joining a run to leaving it: claim, load, call, save, complete; again.

    `reply` is what joining was answered, if it claimed a task at once.
    """
    shift = Shift(role)
    if reply is None:
        reply = yield Take(shift.want)
    while reply.status in ("go", "wait"):
        if reply.status == "wait":
            yield Wait()
            reply = yield Take(shift.want, (), shift.short)
            continue
        yield from _accept(shift, reply.claims)
        reply = yield from _carry_out(shift)


def _accept(shift: Shift, claims: Sequence[Claim]) -> Script:
    graph = shift.role.graph
    shift.todo.extend(claims)
    if any(graph.inputs_at[graph.position[claim.task]] for claim in claims):
        yield Load(claims)


def _carry_out(shift: Shift) -> Generator[Step, Any, Reply]:
    """Execute claims, and what becomes ready by them alone, until it is time to report."""
    role, todo = shift.role, shift.todo
    batch, own = Batch(role), deque[int]()
    while todo or own:
        became = bool(own)
        claim = Claim(role.graph.ids[own.pop()], 1) if own else todo.popleft()
        at = role.graph.position[claim.task]
        called: Called = yield Call(at, claim.attempt)
        shift.note(at, called)
        if called.is_ok:
            own.extend(reversed(batch.add(at, claim.attempt, called, became=became)))
        elif became:
            return (yield from _fail_own(shift, batch, claim))
        else:
            yield Fail(claim)
        if batch.is_due() or (role.is_careful(at) and batch.finished):
            break
        if not todo and not own and batch.waiting_bytes:
            # A big output waits for its reader: best is what the reader misses, or what there is.
            reply: Reply = yield Take(1, batch.siblings(), shift.short)
            yield from _accept(shift, reply.claims)
    return (yield from _report(shift, batch))


def _report(shift: Shift, batch: Batch) -> Generator[Step, Any, Reply]:
    if shift.todo and shift.has_too_much(batch):
        yield Release(list(shift.todo))
        shift.todo.clear()
    shift.learn(batch)
    want = max(0, shift.want - len(shift.todo))
    if batch.finished:
        return (yield from _complete(batch, want, batch.siblings(), shift.short))
    if shift.todo:
        return Reply(status="go")
    reply: Reply = yield Take(want, (), shift.short)
    return reply


def _complete(
    batch: Batch, want: int, prefer: Sequence[TaskId], short: Sequence[str]
) -> Generator[Step, Any, Reply]:
    if to_save := batch.to_save():
        yield Save(to_save)
    reply: Reply = yield Complete(list(batch.finished.values()), want, prefer, short)
    return reply


def _fail_own(shift: Shift, batch: Batch, claim: Claim) -> Generator[Step, Any, Reply]:
    """A task that was run unasked failed: claim it with the report of its inputs, then fail it."""
    reply = yield from _complete(batch, 1, [claim.task], ())
    shift.want = 1
    if reply.status == "go" and [granted.task for granted in reply.claims] == [claim.task]:
        yield Fail(reply.claims[0])
        if shift.todo:
            return Reply(status="go")
        reply = yield Take(1)
    return reply
