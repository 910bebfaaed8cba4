"""What a worker does, as steps; a driver carries them out, for real or on a virtual clock.

The script knows the graph and what it was told, nothing else: no time, no values, no store. So a
simulator that drives it does what workers do, and a test can stop it at any step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from wfnb.batch import SHORT_SECONDS, Batch
from wfnb.role import Role
from wfnb.steps import (
    Call,
    Called,
    Complete,
    Expand,
    Fail,
    Load,
    Release,
    Save,
    Script,
    Step,
    Take,
    Wait,
)
from wfnb.storage.records import Claim, Reply
from wfnb.tasks import TaskId

MOST_CLAIMS = 64
"""What one call takes at most; it keeps the store's answer to others short."""
PATIENCE_SECONDS = 0.02
"""So much work may wait for a busy worker before it is given back for others."""
MOST_PREFERRED = 16
"""Of a planned worker's tasks to come: so many are named at a time, the plan's next ones."""


class Agenda:
    """What a planned worker has to do, in the order of the plan; empty where there is none."""

    def __init__(self, role: Role) -> None:
        order = role.order_at if role.is_planned else None
        own = filter(role.may_take, range(len(order or ())))
        self._ids = role.graph.ids
        self._left = [] if order is None else sorted(own, key=order.__getitem__)
        self._begun: set[int] = set()
        """Of what is left in the list."""

    def begin(self, at: int) -> None:
        """It is not to come any more. If it fails, it comes when it is ready again."""
        if not self._left:
            return
        self._begun.add(at)
        if len(self._begun) > MOST_PREFERRED:
            self._left = [to_come for to_come in self._left if to_come not in self._begun]
            self._begun.clear()

    def next_few(self) -> list[TaskId]:
        ids, begun = self._ids, self._begun
        near = self._left[: len(begun) + MOST_PREFERRED]
        return [ids[at] for at in near if at not in begun][:MOST_PREFERRED]


@dataclass(slots=True)
class Shift:
    """What a worker has before it, and how much it takes at a time."""

    role: Role
    agenda: Agenda
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
    shift = Shift(role, Agenda(role))
    if reply is None:
        reply = yield Take(shift.want, shift.agenda.next_few())
    while reply.status in ("go", "wait"):
        if reply.status == "wait":
            yield Wait()
            reply = yield Take(shift.want, shift.agenda.next_few(), shift.short)
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
        if role.splits(at):
            if not batch.finished:
                return (yield from _split(shift, claim))
            todo.appendleft(claim)
            break
        shift.agenda.begin(at)
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
            reply: Reply = yield Take(1, _preferred(shift, batch), shift.short)
            yield from _accept(shift, reply.claims)
    return (yield from _report(shift, batch))


def _split(shift: Shift, claim: Claim) -> Generator[Step, Any, Reply]:
    """A task whose report makes a map's items: it travels alone."""
    at = shift.role.graph.position[claim.task]
    shift.agenda.begin(at)
    called: Called = yield Call(at, claim.attempt)
    if called.is_ok:
        want = max(0, shift.want - len(shift.todo))
        reply: Reply = yield Expand(claim, want, shift.short, shift.agenda.next_few())
        return reply
    yield Fail(claim)
    return (yield from _report(shift, Batch(shift.role)))


def _report(shift: Shift, batch: Batch) -> Generator[Step, Any, Reply]:
    if shift.todo and shift.has_too_much(batch):
        yield Release(list(shift.todo))
        shift.todo.clear()
    shift.learn(batch)
    want = max(0, shift.want - len(shift.todo))
    if batch.finished:
        return (yield from _complete(batch, want, _preferred(shift, batch), shift.short))
    if shift.todo:
        return Reply(status="go")
    reply: Reply = yield Take(want, shift.agenda.next_few(), shift.short)
    return reply


def _preferred(shift: Shift, batch: Batch) -> Sequence[TaskId]:
    return shift.agenda.next_few() or batch.siblings()


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
        reply = yield Take(1, shift.agenda.next_few())
    return reply
