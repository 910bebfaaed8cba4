"""One run as a store keeps it: its tasks, queues, workers and outputs, and what changes them all.

What prelude.lua, seeding.lua and handing.lua say, in Python: read it first to understand those.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from wfnb.errors import ErrorRecord
from wfnb.graph import TaskId
from wfnb.storage.hand import Hand
from wfnb.storage.records import (
    LAUNCH_SECONDS,
    MOST_STARTS,
    Claim,
    Identity,
    Opening,
    Reply,
    Request,
    Seed,
    Start,
)

MOST_EVENTS = 100_000
MOST_INPUT_BYTES = 1024 * 1024
NEVER = -1
"""Inputs that a task is said to miss when it may not become ready again: the count only falls."""

Entry = tuple[TaskId, str]
"""A ready task, and its inputs if they are to come along."""


class Held(NamedTuple):
    """An output that lies only in the memory of this worker."""

    identity: Identity
    attempt: int
    readers: Sequence[TaskId]
    reads: Sequence[TaskId]
    how: str


class Chunks:
    """An output's parts by number, until the deadline."""

    def __init__(self, parts: list[Any], deadline: float) -> None:
        self.parts = parts
        self.deadline = deadline


class Launchpad:
    """A pool's launch list, and how those that were on it were met, the latest first."""

    def __init__(self) -> None:
        self.requests: deque[Request] = deque()
        self.starts: deque[Start] = deque(maxlen=MOST_STARTS)


class Ledger:
    """The store calls it under its lock, with `now` set to this transition's time."""

    def __init__(
        self,
        opening: Opening,
        chunks: dict[str, Chunks],
        launchpads: Mapping[str, Launchpad],
    ) -> None:
        self.opening = opening
        self.chunks = chunks
        self._launchpads = launchpads
        self.now = self.created = self.touched = 0.0
        self.ended_at: float | None = None
        self.status = "running"
        self.generation = 1
        self.active = self.done = self.failed = 0
        self.tasks = opening.tasks
        self.queues = dict(opening.queues)
        self.serials = self.joins = self.named = 0
        self.state: dict[TaskId, str] = {}
        self.attempts: dict[TaskId, int] = {}
        self.joined: dict[str, str] = {}
        self.workers: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.claims: dict[Identity, dict[TaskId, int]] = {}
        self.values: dict[TaskId, Any] = {}
        self.results: dict[TaskId, Any] = {}
        self.expansions: dict[TaskId, int] = {}
        self.errors: dict[TaskId, list[ErrorRecord]] = {}
        self.events: list[tuple[int, int, bytes]] = []
        self._told: list[str] = []
        self.forget_the_living()

    def forget_the_living(self) -> None:
        """What a generation leaves to the next is written in the other columns."""
        self.missing: dict[TaskId, int] = {}
        self.failures: dict[TaskId, int] = {}
        self.lost: dict[TaskId, int] = {}
        self.leases: dict[Identity, float] = {}
        self.seats: dict[Identity, str] = {}
        self.replies: dict[Identity, tuple[str, Reply]] = {}
        self.last_failed: dict[Identity, Claim] = {}
        self.delayed: dict[TaskId, float] = {}
        self.unread: dict[TaskId, int] = {}
        self.held: dict[TaskId, Held] = {}
        self.clear_queues()

    def clear_queues(self) -> None:
        self.ready: dict[str, deque[Entry]] = defaultdict(deque)
        self.alive: dict[str, int] = defaultdict(int)
        self.asked_for: dict[str, int] = defaultdict(int)
        self.asked: dict[str, tuple[float, str]] = {}

    # Events

    def tell(self, name: str, what: Any) -> None:
        self._told.append(f'"{name}":{json.dumps(what)}')

    def tell_done(self, notes: Sequence[str]) -> None:
        self._told.append('"done":[' + ",".join(notes) + "]")

    def tell_expanded(self, note: str, count: int) -> None:
        self._told.append(f'"expanded":[[{note},{count}]]')

    def tell_claims(self, name: str, claims: Iterable[Claim]) -> None:
        pairs = ",".join([f'["{claim.task}",{claim.attempt}]' for claim in claims])
        if pairs:
            self._told.append(f'"{name}":[{pairs}]')

    def publish(self, worker: str = "") -> None:
        """One entry for everything that this transition told."""
        if self._told:
            by = f'"w":{json.dumps(worker)},' if worker else ""
            self.record(f'{{"at":{self.now:.3f},{by}{",".join(self._told)}}}')
            self._told.clear()

    def record(self, entry: str) -> None:
        at_ms, number = int(self.now * 1000), 0
        if self.events and at_ms <= self.events[-1][0]:
            at_ms, number = self.events[-1][0], self.events[-1][1] + 1
        self.events.append((at_ms, number, entry.encode()))
        if len(self.events) > MOST_EVENTS + 1000:
            del self.events[:1000]

    # The beginning and the end

    def sow(self, seed: Seed, graph: bytes = b"") -> None:
        for task in seed.forget:
            self.expansions.pop(task, None)
        self.missing.update(seed.missing)
        self._reuse(seed.reused)
        for tasks in seed.ready.values():
            self.state.update(dict.fromkeys(tasks, "queued"))
        self.active, self.done = sum(map(len, seed.ready.values())), seed.done
        self.touched = self.now
        self.tell("opened", self.generation)
        if seed.reused:
            self.tell("reused", list(seed.reused))
        for queue, tasks in seed.ready.items():
            self.push(queue, [(task, "") for task in tasks], graph)
        if self.active == 0:
            self.count_active(0)

    def _reuse(self, reused: Mapping[TaskId, Any]) -> None:
        """Their inputs may have to run for others: that does not make them ready."""
        self.state.update(dict.fromkeys(reused, "reused"))
        self.missing.update(dict.fromkeys(reused, NEVER))
        for task in reused:
            self.values.pop(task, None)
        self.results.update({task: result for task, result in reused.items() if result != b""})

    def count_active(self, change: int) -> None:
        """Queued, running and retrying tasks keep a run going; at none it is over."""
        self.active += change
        if self.active <= 0 and self.status == "running":
            self.end("done" if self.done >= self.tasks else "failed")

    def end(self, status: str) -> None:
        self.status, self.ended_at = status, self.now
        self.missing.clear()
        self.delayed.clear()
        self.clear_queues()
        if status == "done":
            self.values.clear()
            self.unread.clear()
        self.tell("ended", status)

    # Ready tasks and launches

    def queue_of(self, task: TaskId) -> str:
        queues = self.queues
        return queues.get(map_of(task), self.opening.queue) if queues else self.opening.queue

    def launch(self, queue: str, wanted: int, graph: bytes = b"") -> int:
        lane = self.opening.lanes[queue]
        room = lane.limit - self.alive[queue] - self.asked_for[queue]
        count = max(0, min(room, wanted))
        for _ in range(count):
            self.serials += 1
            serial = str(self.serials)
            self.asked[serial] = (self.now + LAUNCH_SECONDS, queue)
            request = Request(
                run=self.opening.run,
                serial=serial,
                queue=queue,
                generation=self.generation,
                graph=graph,
            )
            self.launchpad(queue).requests.append(request)
        self.asked_for[queue] += count
        return count

    def launchpad(self, queue: str) -> Launchpad:
        return self._launchpads[self.opening.lanes[queue].pool]

    def launch_missing(self, queue: str) -> int:
        """Ask for as many workers as there are ready tasks, counting those asked for already."""
        return self.launch(queue, len(self.ready[queue]) - self.asked_for[queue])

    def push(self, queue: str, entries: Sequence[Entry], graph: bytes = b"") -> int:
        """To the head, first one first: depth first keeps what they read near."""
        self.ready[queue].extendleft(reversed(entries))
        return self.launch(queue, len(entries), graph)

    def enqueue(self, tasks: Sequence[TaskId], hints: Mapping[TaskId, str] | None = None) -> int:
        """Returns how many launches that asked for."""
        by_queue: dict[str, list[Entry]] = {}
        for task in tasks:
            entry = (task, hints.get(task, "") if hints else "")
            by_queue.setdefault(self.queue_of(task), []).append(entry)
            self.state[task] = "queued"
        return sum([self.push(queue, entries) for queue, entries in by_queue.items()])

    def is_queued(self, task: TaskId) -> bool:
        return self.state.get(task) == "queued"

    def pop(self, queue: str, hand: Hand) -> None:
        """Take until the hand is full. An entry may be stale or double: the state decides."""
        waiting = self.ready[queue]
        while waiting and hand.room:
            popped = [waiting.popleft() for _ in range(min(hand.room, len(waiting)))]
            entries = [(task, hint) for task, hint in popped if self.is_queued(task)]
            for at, (task, hint) in enumerate(entries):
                if task not in hand.taken and not hand.fits(task):
                    waiting.extendleft(reversed(entries[at:]))
                    return
                hand.taken.setdefault(task, hint)

    def take(self, identity: Identity, entries: Sequence[Entry]) -> list[Claim]:
        if not entries:
            return []
        mine = self.claims.setdefault(identity, {})
        claims = []
        for task, _ in entries:
            attempt = mine[task] = self.attempts.get(task, 0) + 1
            self.state[task] = f"running {attempt}"
            claims.append(Claim(task, attempt))
        return claims

    def inputs_of(self, entries: Sequence[Entry]) -> dict[TaskId, Any]:
        """What comes along with a claim: small outputs and pointers, a mebibyte at most."""
        found: dict[TaskId, Any] = {}
        size = 0
        for _, hint in entries:
            for word in hint.split():
                value = self.output(task := TaskId(word))
                if value is not None and task not in found and size < MOST_INPUT_BYTES:
                    found[task] = value
                    size += len(value) if isinstance(value, bytes) else 0
        return found

    # Outputs

    def output(self, task: TaskId) -> Any:
        value = self.values.get(task)
        return self.results.get(task) if value is None else value


def name_of(identity: Identity) -> str:
    return identity.rpartition(":")[0]


def map_of(task: TaskId) -> TaskId:
    """Items go by the queue and the policy of their map; any other task by its own."""
    return TaskId(task.rpartition("[")[0]) if task.endswith("]") else task
