"""A store in this process: the protocol as an executable specification.

The inline backend and the simulator use it. Values may be any objects: it never looks into them,
except for pointers, which are bytes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from wfnb.errors import ErrorRecord, StoreError
from wfnb.graph import TaskId
from wfnb.storage import expanding, recovery, transitions
from wfnb.storage.ledger import Chunks, Launchpad, Ledger
from wfnb.storage.memory_feed import about
from wfnb.storage.records import (
    ANY_TASK,
    Ask,
    Claim,
    Expansion,
    Finished,
    Identity,
    Joined,
    Opening,
    Reaped,
    Reply,
    Request,
    RunId,
    Seat,
    Seed,
    Start,
)
from wfnb.storage.reuse_memory import MemoryReuse

CHUNK_SECONDS = 3600.0
SMALL_GRAPH_BYTES = 16 * 1024


class MemoryStore(MemoryReuse):
    """Thread-safe. `clock` decides about leases, retries and expiry; waits are in real seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._chunks: dict[RunId, dict[str, Chunks]] = defaultdict(dict)
        self._launchpads: dict[str, Launchpad] = defaultdict(Launchpad)
        self._pools: dict[str, tuple[float, dict[str, str]]] = {}

    def close(self) -> None:
        """Nothing is open."""

    # A worker in a run

    def join(
        self, request: Request, label: str, *, want: int = 0, age_seconds: float | None = None
    ) -> Joined | None:
        with self._writing(request.run) as run:
            return transitions.join(run, request, label, want, age_seconds)

    def claim(self, run: RunId, ask: Ask) -> Reply:
        with self._changed:
            reply = transitions.claim(self._ledger(run), ask)
            self._changed.notify_all()
        return reply

    def complete(self, run: RunId, finished: Sequence[Finished], ask: Ask) -> Reply:
        with self._changed:
            self._learn(ledger := self._ledger(run), ask)
            reply = transitions.complete(ledger, finished, ask)
            self._changed.notify_all()
        return reply

    def expand(self, run: RunId, splitter: Finished, expansion: Expansion, ask: Ask) -> Reply:
        with self._writing(run) as ledger:
            self._learn(ledger, ask)
            return expanding.expand(ledger, splitter, expansion, ask)

    def fail(self, run: RunId, ask: Ask, record: ErrorRecord) -> bool:
        with self._writing(run) as ledger:
            return transitions.fail(ledger, ask, record)

    def release(self, run: RunId, ask: Ask, tasks: Sequence[Claim]) -> None:
        with self._writing(run) as ledger:
            transitions.release(ledger, ask, tasks)

    def await_ready(self, run: RunId, queue: str, *, block_seconds: float) -> None:
        def may_be_ready() -> bool:
            ledger = self._runs.get(run)
            return ledger is None or ledger.status != "running" or bool(ledger.ready.get(queue))

        self._wait(may_be_ready, block_seconds)

    # Anybody for a run

    def beat(self, run: RunId, identity: Identity) -> int:
        with self._writing(run) as ledger:
            return recovery.beat(ledger, identity)

    def reap(self, run: RunId) -> Reaped:
        with self._writing(run) as ledger:
            return recovery.reap(ledger, _lost("its worker was not heard of for 10 s"))

    def abandon(self, run: RunId, identity: Identity, record: ErrorRecord | None) -> Reaped:
        with self._writing(run) as ledger:
            return recovery.abandon(ledger, identity, record or _lost("its worker died", task=""))

    def cancel(self, run: RunId) -> bool:
        with self._writing(run) as ledger:
            return recovery.cancel(ledger)

    def resume(self, run: RunId, generation: int, seed: Seed) -> int:
        with self._writing(run) as ledger:
            return recovery.resume(ledger, generation, seed)

    def crew(self, run: RunId) -> Mapping[str, Seat]:
        with self._writing(run) as ledger:
            return recovery.crew(ledger)

    def audit(self, run: RunId) -> Mapping[str, int]:
        with self._writing(run) as ledger:
            return recovery.audit(ledger)

    # Whole runs

    def open_run(self, opening: Opening) -> bool:
        with self._changed:
            if opening.run in self._runs:
                raise StoreError(f"there is a run named {opening.run} already")
            ledger = Ledger(opening, self._chunks[opening.run], self._launchpads)
            ledger.now = ledger.created = self._clock()
            self._runs[opening.run] = ledger
            travels = opening.graph if len(opening.graph) <= SMALL_GRAPH_BYTES else b""
            ledger.sow(opening.seed, travels)
            ledger.publish()
            self._changed.notify_all()
            alive = self.pools()
        return all(lane.pool in alive for lane in opening.lanes.values())

    def graph(self, run: RunId) -> bytes:
        return self._known(run).opening.graph

    def plan(self, run: RunId) -> bytes:
        return self._known(run).opening.plan

    def constants(self, run: RunId, hashes: Sequence[str]) -> list[bytes]:
        known = self._runs[run].opening.constants if run in self._runs else {}
        try:
            return [known[content] for content in hashes]
        except KeyError:
            message = f"a constant of {run} is gone: the run was dropped, start it again"
            raise StoreError(message) from None

    def runs(self) -> Sequence[tuple[RunId, Mapping[str, str]]]:
        with self._changed:
            found = sorted(self._runs.items(), key=lambda item: (item[1].touched, item[0]))
            return [(name, about(run)) for name, run in reversed(found)]

    def active_runs(self) -> Sequence[RunId]:
        with self._changed:
            found = sorted((run.touched, name) for name, run in self._runs.items())
            return [name for _, name in found if self._runs[name].status == "running"]

    def drop(self, run: RunId) -> None:
        with self._changed:
            for part in (self._runs, self._chunks, self._logs):
                part.pop(run, None)
            self._changed.notify_all()

    # Outputs

    def put(self, run: RunId, outputs: Mapping[str, Sequence[bytes | memoryview]]) -> None:
        for name, chunks in outputs.items():
            parts = [bytes(part) if isinstance(part, memoryview) else part for part in chunks]
            with self._changed:
                self._chunks[run][name] = Chunks(parts, self._clock() + CHUNK_SECONDS)

    def get(self, run: RunId, name: str, chunks: int) -> list[bytes]:
        with self._changed:
            found = self._chunks.get(run, {}).get(name)
            parts = found.parts[:chunks] if found and found.deadline > self._clock() else []
        if len(parts) < chunks:
            raise StoreError(f"the output {name} of {run} is gone: `resume` computes it again")
        return parts

    def whole(self, run: RunId, outputs: Mapping[str, int]) -> set[str]:
        with self._changed:
            known, now = self._chunks.get(run, {}), self._clock()
            there = {
                name: len(found.parts) for name, found in known.items() if found.deadline > now
            }
            return {name for name, chunks in outputs.items() if there.get(name, -1) >= chunks}

    def results(self, run: RunId, tasks: Sequence[TaskId]) -> list[bytes | None]:
        with self._changed:
            ledger = self._runs.get(run)
            return [ledger.output(task) if ledger else None for task in tasks]

    def await_results(
        self, run: RunId, tasks: Sequence[TaskId], *, timeout_seconds: float
    ) -> tuple[str, list[bytes | None]]:
        status = self.wait_for_end(run, timeout_seconds=timeout_seconds)
        return status, self.results(run, tasks) if status == "done" else []

    def pointers(self, run: RunId) -> Mapping[TaskId, bytes]:
        with self._changed:
            ledger = self._runs.get(run)
            return ledger.results | ledger.values if ledger else {}

    def expansions(self, run: RunId) -> Mapping[TaskId, int]:
        with self._changed:
            return dict(self._runs[run].expansions) if run in self._runs else {}

    # Launches

    def take_request(self, pools: Sequence[str], *, block_seconds: float) -> Request | None:
        def next_request() -> Request | None:
            for pool in pools:
                if waiting := self._launchpads[pool].requests:
                    return waiting.popleft()
            return None

        return self._wait(next_request, block_seconds)

    def return_request(self, pool: str, request: Request) -> None:
        with self._changed:
            self._launchpads[pool].requests.appendleft(request)
            self._changed.notify_all()

    def waiting(self, pools: Sequence[str]) -> Sequence[int]:
        with self._changed:
            return [len(self._launchpads[pool].requests) for pool in pools]

    def starts(self, pool: str) -> Sequence[Start]:
        with self._changed:
            return list(self._launchpads[pool].starts)

    def announce(self, pool: str, about: Mapping[str, str], *, ttl_seconds: float) -> None:
        with self._changed:
            self._pools.pop(pool, None)
            if ttl_seconds > 0:
                self._pools[pool] = (self._clock() + ttl_seconds, dict(about))

    def pools(self) -> Mapping[str, Mapping[str, str]]:
        with self._changed:
            now = self._clock()
            return {pool: about for pool, (end, about) in self._pools.items() if end > now}


def _lost(message: str, *, task: str = ANY_TASK) -> ErrorRecord:
    return ErrorRecord(task=task, attempt=0, kind="lost", type="WorkerLost", message=message)
