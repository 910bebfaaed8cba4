"""Both stores under one contract: how tests make them, reach into them, and play a worker."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from tests.waiting import wait_until
from wfnb.errors import ErrorRecord
from wfnb.events import START, Event, Sample, done_note, read_entry
from wfnb.storage import (
    Ask,
    Claim,
    Expansion,
    Finished,
    Joined,
    Lane,
    Opening,
    Policy,
    Reply,
    RunId,
    Seed,
    Store,
    keys,
)
from wfnb.storage.memory import MemoryStore
from wfnb.storage.redis import RedisStore

DONE = frozenset({"done", "expanded", "skipped", "reused"})
RUN = RunId("r")
QUEUE, POOL = "1cpu", "pool"
_serials = itertools.count()


class Stored:
    """A store, and what a test does behind its back: let time pass, look at what is there."""

    store: Store

    def expire_leases(self) -> None: ...

    def make_retries_due(self) -> None: ...

    def make_launches_overdue(self) -> None: ...

    def let_launches_wait(self, seconds: int) -> None:
        """As if they had been asked for so long ago."""

    def requests(self) -> list[tuple[str, str]]:
        """Run and serial of those on the launch list, in order."""
        raise NotImplementedError

    def make_chunks_expire(self) -> None:
        """As an hour would."""

    def let_a_moment_pass(self) -> None:
        """So that what happens next is later."""

    @contextmanager
    def full(self) -> Iterator[None]:
        """No memory is left, where a store has a limit."""
        yield

    def crew(self) -> dict[str, int]:
        """Counters "alive:queue" and "asked:queue", and what they should be as "real ..."."""
        raise NotImplementedError

    def chunk_names(self) -> set[str]: ...

    def is_empty(self) -> bool:
        """Nothing of the run is left."""
        raise NotImplementedError


class StoredInMemory(Stored):
    def __init__(self) -> None:
        self.now = 1_795_000_000.0
        self.store = self.memory = MemoryStore(clock=lambda: self.now)

    def _ledger(self) -> Any:
        return self.memory._runs[RUN]

    def expire_leases(self) -> None:
        run = self._ledger()
        run.leases.update(dict.fromkeys(run.leases, 0.0))

    def make_retries_due(self) -> None:
        run = self._ledger()
        run.delayed.update(dict.fromkeys(run.delayed, 0.0))

    def make_launches_overdue(self) -> None:
        run = self._ledger()
        run.asked = {serial: (0.0, queue) for serial, (_, queue) in run.asked.items()}

    def let_launches_wait(self, seconds: int) -> None:
        run = self._ledger()
        run.asked = {serial: (due - seconds, queue) for serial, (due, queue) in run.asked.items()}

    def requests(self) -> list[tuple[str, str]]:
        return [(r.run, r.serial) for r in self.memory._launchpads[POOL].requests]

    def make_chunks_expire(self) -> None:
        self.now += 3600.0

    def let_a_moment_pass(self) -> None:
        self.now += 0.001

    def crew(self) -> dict[str, int]:
        run = self._ledger()
        counts = {f"alive:{q}": n for q, n in run.alive.items()}
        counts |= {f"asked:{q}": n for q, n in run.asked_for.items()}
        seats = [run.seats[identity] for identity in run.leases]
        return counted(counts, seats, [queue for _, queue in run.asked.values()])

    def chunk_names(self) -> set[str]:
        now = self.now
        return {name for name, c in self.memory._chunks[RUN].items() if c.deadline > now}

    def is_empty(self) -> bool:
        memory = self.memory
        return not any(RUN in part for part in (memory._runs, memory._chunks, memory._logs))


class StoredInRedis(Stored):
    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.store = RedisStore(client)

    @contextmanager
    def full(self) -> Iterator[None]:
        self.client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            self.client.config_set("maxmemory", 0)

    def _all_of(self, name: str) -> dict[bytes, bytes]:
        return self.client.hgetall(keys.prefix(RUN) + name)

    def _rewind(self, name: str) -> None:
        key = keys.prefix(RUN) + name
        for member in self.client.zrange(key, 0, -1):
            self.client.zadd(key, {member: 0})

    def expire_leases(self) -> None:
        self._rewind("leases")

    def make_retries_due(self) -> None:
        self._rewind("delayed")

    def make_launches_overdue(self) -> None:
        self._put_off(lambda _: 0)

    def let_launches_wait(self, seconds: int) -> None:
        self._put_off(lambda due: due - 1000 * seconds)

    def _put_off(self, changed: Callable[[int], int]) -> None:
        for serial, words in self._all_of("asked").items():
            due, _, queue = words.decode().partition(" ")
            self.client.hset(keys.prefix(RUN) + "asked", serial, f"{changed(int(due))} {queue}")

    def requests(self) -> list[tuple[str, str]]:
        found = self.client.lrange(keys.launches(POOL), 0, -1)
        return [tuple(words.decode().split("\n")[:2]) for words in found]

    def make_chunks_expire(self) -> None:
        for key in self.client.scan_iter(keys.prefix(RUN) + "out:*"):
            if self.client.ttl(key) <= 3600:
                self.client.delete(key)

    def crew(self) -> dict[str, int]:
        counts = {name.decode(): int(n) for name, n in self._all_of("crew").items()}
        leased = self.client.zrange(keys.prefix(RUN) + "leases", 0, -1)
        seats = self._all_of("seats")
        asked = [w.decode().partition(" ")[2] for w in self._all_of("asked").values()]
        return counted(counts, [seats[identity].decode() for identity in leased], asked)

    def chunk_names(self) -> set[str]:
        found = self.client.scan_iter(keys.prefix(RUN) + "out:*")
        return {key.decode().split(":out:")[1].rpartition(":")[0] for key in found}

    def let_a_moment_pass(self) -> None:
        began = self.client.time()
        wait_until(lambda: self.client.time() > (began[0], began[1] + 1000))

    def is_empty(self) -> bool:
        left = list(self.client.scan_iter(f"wfnb:{RUN}:*"))
        return not left and self.client.zscore(keys.RUNS, RUN) is None


def counted(counts: dict[str, int], alive: list[str], asked: list[str]) -> dict[str, int]:
    """Differences only: nothing if the counters are right."""
    real = [f"alive:{queue}" for queue in alive] + [f"asked:{queue}" for queue in asked]
    names = {*counts, *real}
    return {n: d for n in names if (d := counts.get(n, 0) - real.count(n))}


@contextmanager
def watched(stored: Stored) -> Any:
    """After the test the counters must be right; they decide when a run ends."""
    yield stored
    for run in stored.store.active_runs():
        assert stored.store.audit(run) == {}
        if run == RUN:
            assert stored.crew() == {}


@dataclass
class Shape:
    """A graph as tests write it: task -> inputs, in order."""

    inputs: Mapping[str, Sequence[str]]
    queues: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Task that splits -> its maps, each following the one before; all of them are in `inputs`."""

    @classmethod
    def of_maps(cls, *maps: str, queues: Mapping[str, str] | None = None) -> Shape:
        """One group of maps, and "end", which reads the last."""
        splitter = f"{maps[0]}.items"
        inputs = {splitter: [], **{name: [splitter] for name in maps}, "end": [maps[-1]]}
        return cls(inputs, queues or {}, {splitter: maps})

    def queue_of(self, task: str) -> str:
        return self.queues.get(map_of(task), QUEUE)

    def readers(self, task: str) -> list[str]:
        if task == map_of(task):
            return [reader for reader, inputs in self.inputs.items() if task in inputs]
        of = map_of(task)
        (group,) = [maps for maps in self.maps.values() if of in maps]
        following = group[group.index(of) + 1 :][:1]
        return [*(f"{name}{task.removeprefix(of)}" for name in following), of]

    def reads(self, task: str, expansions: Mapping[str, int] | None = None) -> list[str]:
        """What must be done before. The first map's items read their elements only."""
        of = map_of(task)
        splitter, group = next(((s, m) for s, m in self.maps.items() if of in m), ("", []))
        if not splitter or (task == of and splitter not in (expansions or {})):
            return list(self.inputs[task])
        if task == of:
            return [f"{of}[{i}]" for i in range((expansions or {})[splitter])]
        before = group[: group.index(of)][-1:]
        return [f"{name}{task.removeprefix(of)}" for name in before]

    def tasks(self, expansions: Mapping[str, int]) -> list[str]:
        """With the items that there are."""
        items = [
            f"{name}[{i}]"
            for splitter, count in expansions.items()
            for name in self.maps[splitter]
            for i in range(count)
        ]
        return [*self.inputs, *items]

    def seed(
        self,
        states: Mapping[str, str] | None = None,
        expansions: Mapping[str, int] | None = None,
        *,
        reused: Mapping[str, bytes] | None = None,
    ) -> Seed:
        """From scratch, or to go on with what is done; items of maps that fold again are not."""
        known = expansions or {}
        kept = {task for task, count in known.items() if states and states.get(task) == "expanded"}
        there = self.tasks({task: count for task, count in known.items() if task in kept})
        done = {t for t, state in (states or {}).items() if state in DONE and t in there}
        reused = {task: result for task, result in (reused or {}).items() if task not in done}
        open_ = {t: known[t] for t in kept}
        left = {
            task: [i for i in self.reads(task, open_) if i not in done and i not in reused]
            for task in there
            if task not in done and task not in reused
        }
        ready: dict[str, list[str]] = {}
        for task, missing in left.items():
            if not missing:
                ready.setdefault(self.queue_of(task), []).append(task)
        return Seed(
            ready=ready,
            missing={t: len(m) for t, m in left.items() if len(m) > 1},
            forget=[task for task in states or () if task not in done],
            done=len(done) + len(reused),
            tasks=len(there) if known else None,
            reused=reused,
        )

    def opening(
        self,
        *,
        limit: int = 8,
        policies: Mapping[str, Policy] | None = None,
        run: RunId = RUN,
        reused: Mapping[str, bytes] | None = None,
        **about: Any,
    ) -> Opening:
        queues = {QUEUE, *self.queues.values()}
        words = {
            "graph": b"the graph",
            "plan": b"the plan",
            "constants": {},
            "about": {"owner": "me"},
            "keep_seconds": 100_000,
        }
        return Opening(
            run=run,
            seed=self.seed(reused=reused),
            queue=QUEUE,
            queues=self.queues,
            lanes={
                queue: Lane(limit=1 if queue.startswith("@") else limit, pool=POOL)
                for queue in sorted(queues)
            },
            policies=policies or {},
            tasks=len(self.inputs),
            **(words | about),
        )


class Worker:
    """Says what a real one would; `at` joins it for the next launch request."""

    def __init__(self, store: Store, joined: Joined, run: RunId = RUN) -> None:
        self.store, self.joined, self.run = store, joined, run
        self.identity = joined.identity
        self.mine: list[Claim] = []

    @classmethod
    def at(cls, store: Store, *, label: str = "", run: RunId = RUN) -> Worker:
        while request := store.take_request([POOL], block_seconds=0):
            joined = store.join(request, label or f"host:{next(_serials)}")
            if joined:
                return cls(store, joined, run)
        raise AssertionError("no launch was asked for")

    def ask(self, *, want: int = 1, nonce: str = "", **words: Any) -> Ask:
        return Ask(
            identity=self.identity,
            generation=self.joined.generation,
            queue=self.joined.queue,
            want=want,
            nonce=nonce or f"n{next(_serials)}",
            **words,
        )

    def _took(self, reply: Reply) -> Reply:
        self.mine += reply.claims
        return reply

    def claim(self, **words: Any) -> Reply:
        return self._took(self.store.claim(self.run, self.ask(**words)))

    def tasks(self, **words: Any) -> list[str]:
        return [claim.task for claim in self.claim(**words).claims]

    def complete(self, *finished: Finished, **words: Any) -> Reply:
        return self._took(self.store.complete(self.run, finished, self.ask(**words)))

    def expand(self, splitter: Finished, expansion: Expansion, **words: Any) -> Reply:
        return self._took(self.store.expand(self.run, splitter, expansion, self.ask(**words)))

    def fail(self, task: str, attempt: int = 1, **words: Any) -> bool:
        record = error(task, attempt, **words)
        return self.store.fail(self.run, self.ask(), record)


def finished(shape: Shape, task: str, attempt: int = 1, **words: Any) -> Finished:
    about: dict[str, Any] = {
        "readers": shape.readers(task),
        "result": f"output of {task}".encode(),
        "note": done_note(task, attempt, Sample(1.0), how=how(**words)),
    }
    return Finished(task=task, attempt=attempt, **(about | words))


def how(*, held: bool = False, how: str = "done", **_: Any) -> str:
    return "held" if held else how


def expansion(shape: Shape, splitter: str, count: int, **words: Any) -> Expansion:
    elements = [f"element {i}".encode() for i in range(count)]
    about: dict[str, Any] = {"maps": shape.maps[splitter], "elements": elements}
    return Expansion(count=count, **(about | words))


def map_of(task: str) -> str:
    return task.partition("[")[0]


def error(task: str, attempt: int = 1, **words: Any) -> ErrorRecord:
    about = {"kind": "raised", "type": "ValueError", "message": 'it "broke"'}
    return ErrorRecord(task=task, attempt=attempt, **(about | words))


def pointer(name: str, chunks: int = 1, at: str = "chunks") -> bytes:
    return json.dumps({"at": at, "name": name, "chunks": chunks}).encode()


def states(store: Store, run: RunId = RUN) -> dict[str, str]:
    return dict(store.snapshot(run).states)


def told(store: Store, run: RunId = RUN) -> list[Event]:
    return [event for _, entry in store.events(run, START) for event in read_entry(entry)]


def launches_asked(store: Store) -> list[str]:
    """Empties the launch list."""
    queues = []
    while request := store.take_request([POOL], block_seconds=0):
        queues.append(request.queue)
    return queues


def run_to_end(store: Store, shape: Shape, *, count: int = 3) -> str:
    """Whatever is left is worked off; what is still to split makes `count` items of each map."""
    while store.snapshot(RUN).status == "running":
        store.reap(RUN)
        worker = Worker.at(store)
        claims = [*worker.claim(want=4).claims]
        while claims:
            items = [finished(shape, c.task, c.attempt) for c in claims]
            splits = [item for item in items if item.task in shape.maps]
            reply = worker.complete(*[item for item in items if item not in splits], want=4)
            claims = [*reply.claims]
            for item in splits:
                made = worker.expand(item, expansion(shape, item.task, count), want=4)
                claims += made.claims
    return store.snapshot(RUN).status
