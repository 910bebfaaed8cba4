"""A store on a Redis server, shared by workers anywhere."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, cast

import redis

from wfnb.errors import ErrorRecord, RunNotFoundError, StoreError
from wfnb.events import EventId
from wfnb.graph import TaskId
from wfnb.storage import keys
from wfnb.storage.feed import RedisFeed
from wfnb.storage.launches import RedisLaunches
from wfnb.storage.records import (
    Ask,
    Claim,
    Finished,
    Identity,
    Joined,
    Opening,
    Reaped,
    Reply,
    Request,
    RunId,
    Seed,
    Snapshot,
)
from wfnb.storage.scripts import Scripts, translated

_SMALL_GRAPH_BYTES = 16 * 1024
_CHUNK_SECONDS = 3600


class RedisStore(RedisFeed, RedisLaunches):
    """Every decision is taken inside a Lua verb; this class packs words and unpacks answers."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._scripts = Scripts(client)

    def close(self) -> None:
        self._client.close()
        self._client.connection_pool.disconnect()

    # A worker in a run

    def join(self, request: Request, label: str) -> Joined | None:
        words = (request.serial, request.generation, label)
        answer = self._call("join", request.run, *words)
        if not answer:
            return None
        return Joined(
            identity=Identity(answer[0].decode()),
            generation=answer[1],
            queue=answer[2].decode(),
        )

    def claim(self, run: RunId, ask: Ask) -> Reply:
        return _reply(self._call("claim", run, _ask(ask)))

    def complete(self, run: RunId, finished: Sequence[Finished], ask: Ask) -> Reply:
        items = [
            (
                f.task,
                f.attempt,
                int(f.became),
                int(f.held),
                int(f.is_target),
                f.unread,
                f.readers,
                f.reads,
                f.note,
            )
            for f in finished
        ]
        work = json.dumps({"items": items, "hints": ask.hints})
        results = [f.result or b"" for f in finished]
        return _reply(self._call("complete", run, _ask(ask), work, *results))

    def fail(self, run: RunId, ask: Ask, record: ErrorRecord) -> bool:
        words = (ask.identity, ask.generation, record.task, record.attempt)
        message = f"{record.type}: {record.message}"[:500]
        return bool(self._call("fail", run, *words, message, json.dumps(asdict(record))))

    def release(self, run: RunId, ask: Ask, tasks: Sequence[Claim]) -> None:
        words = [word for claim in tasks for word in (claim.task, claim.attempt)]
        self._call("release", run, ask.identity, ask.generation, *words)

    def await_ready(self, run: RunId, queue: str, *, block_seconds: float) -> None:
        if block_seconds > 0:  # to Redis 0 means for ever
            with translated():
                self._client.blpop([f"{keys.prefix(run)}wake:{queue}"], timeout=block_seconds)

    # Anybody for a run

    def beat(self, run: RunId, identity: Identity) -> int:
        return cast(int, self._call("beat", run, identity))

    def reap(self, run: RunId) -> Reaped:
        message = "its worker was not heard of for 10 s"
        workers, tasks, launches, due_ms = self._call("reap", run, _lost(message))
        due = None if due_ms < 0 else due_ms / 1000
        return Reaped(workers=workers, tasks=tasks, launches=launches, next_due_seconds=due)

    def abandon(self, run: RunId, identity: Identity, record: ErrorRecord | None) -> Reaped:
        blamed = record.task if record else ""
        words = json.dumps(asdict(record)) if record else _lost("its worker died")
        workers, tasks, launches = self._call("abandon", run, identity, words, blamed)
        return Reaped(workers=workers, tasks=tasks, launches=launches)

    def cancel(self, run: RunId) -> bool:
        return bool(self._call("cancel", run, _nonce()))

    def resume(self, run: RunId, generation: int, seed: Seed) -> int:
        words = (generation, seed.done, json.dumps(_seed(seed)), _nonce())
        return cast(int, self._call("resume", run, *words))

    def audit(self, run: RunId) -> Mapping[str, int]:
        wrong = self._call("audit", run)
        return {name.decode(): by for name, by in zip(wrong[::2], wrong[1::2], strict=True)}

    # Whole runs

    def open_run(self, opening: Opening) -> bool:
        words = {
            "run": opening.run,
            "keep": opening.keep_seconds,
            "queue": opening.queue,
            "tasks": opening.tasks,
            "about": _flat(opening.about),
            "lanes": [w for q, lane in opening.lanes.items() for w in (q, f"{lane.limit} {lane.pool}")],
            "queues": _flat(opening.queues),
            "policies": _policies(opening),
            "constants": list(opening.constants),
            "pools": sorted({lane.pool for lane in opening.lanes.values()}),
            "seed": _seed(opening.seed),
            "nonce": _nonce(),
        }
        travels = opening.graph if len(opening.graph) <= _SMALL_GRAPH_BYTES else b""
        blobs = (opening.graph, opening.plan, travels, *opening.constants.values())
        answer = self._call("open_run", opening.run, json.dumps(words), *blobs)
        if answer < 0:
            raise StoreError(f"there is a run named {opening.run} already")
        return bool(answer)

    def graph(self, run: RunId) -> bytes:
        return self._stored(run, "graph")

    def plan(self, run: RunId) -> bytes:
        return self._stored(run, "plan")

    def constants(self, run: RunId, hashes: Sequence[str]) -> list[bytes]:
        if not hashes:
            return []
        with translated():
            found = self._client.mget([keys.constant(run, content) for content in hashes])
        if None in found:
            raise StoreError(f"a constant of {run} is gone: the run was dropped, start it again")
        return cast(list[bytes], found)

    def runs(self) -> Sequence[tuple[RunId, Mapping[str, str]]]:
        with translated():
            names = [RunId(n.decode()) for n in self._client.zrevrange(keys.RUNS, 0, -1)]
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(f"{keys.prefix(name)}meta")
            found = pipe.execute()
        return [(name, _texts(about)) for name, about in zip(names, found, strict=True) if about]

    def active_runs(self) -> Sequence[RunId]:
        with translated():
            return [RunId(name.decode()) for name in self._client.zrange(keys.ACTIVE, 0, -1)]

    def drop(self, run: RunId) -> None:
        with translated():
            self._client.unlink(f"{keys.prefix(run)}meta")  # first: nobody writes to a run without
            for found in _in_parts(self._client.scan_iter(f"{keys.prefix(run)}*", count=1000)):
                self._client.unlink(*found)
            self._client.zrem(keys.RUNS, run)
            self._client.zrem(keys.ACTIVE, run)

    def snapshot(self, run: RunId) -> Snapshot:
        meta, states, last = self._call("snapshot", run)
        if not meta:
            raise RunNotFoundError(f"no run is named {run}; wfnb.runs() lists those there are")
        about = _texts(dict(zip(meta[::2], meta[1::2], strict=True)))
        return Snapshot(
            status=about["status"],
            generation=int(about["generation"]),
            states=cast(
                Mapping[TaskId, str], _texts(dict(zip(states[::2], states[1::2], strict=True)))
            ),
            last_event=EventId(last.decode()),
            about=about,
        )

    # Outputs

    def put(self, run: RunId, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        with translated():
            pipe = self._client.pipeline(transaction=False)
            for number, chunk in enumerate(chunks):
                pipe.set(keys.chunk(run, name, number), chunk, ex=_CHUNK_SECONDS)
            pipe.execute()

    def get(self, run: RunId, name: str, chunks: int) -> list[bytes]:
        with translated():
            pipe = self._client.pipeline(transaction=False)
            for number in range(chunks):
                pipe.get(keys.chunk(run, name, number))
            found = pipe.execute()
        if None in found:
            raise StoreError(f"the output {name} of {run} is gone: `resume` computes it again")
        return cast(list[bytes], found)

    def results(self, run: RunId, tasks: Sequence[TaskId]) -> list[bytes | None]:
        if not tasks:
            return []
        with translated():
            pipe = self._client.pipeline(transaction=False)
            pipe.hmget(f"{keys.prefix(run)}results", *tasks)
            pipe.hmget(f"{keys.prefix(run)}values", *tasks)
            results, values = pipe.execute()
        return [result or value for result, value in zip(results, values, strict=True)]

    def pointers(self, run: RunId) -> Mapping[TaskId, bytes]:
        with translated():
            pipe = self._client.pipeline(transaction=False)
            pipe.hgetall(f"{keys.prefix(run)}values")
            pipe.hgetall(f"{keys.prefix(run)}results")
            values, results = pipe.execute()
        return {TaskId(task.decode()): found for task, found in (values | results).items()}

    def _call(self, verb: str, run: RunId, *args: Any) -> Any:
        return self._scripts.call(verb, keys.prefix(run), *args)

    def _stored(self, run: RunId, what: str) -> bytes:
        with translated():
            found = self._client.get(keys.prefix(run) + what)
        if found is None:
            raise RunNotFoundError(f"no run is named {run}; wfnb.runs() lists those there are")
        return cast(bytes, found)


def _nonce() -> str:
    """Of a call: when its reply gets lost, the connection repeats it with the same words."""
    return secrets.token_hex(8)


def _ask(ask: Ask) -> str:
    return json.dumps(
        {
            "identity": ask.identity,
            "generation": ask.generation,
            "queue": ask.queue,
            "want": ask.want,
            "nonce": ask.nonce,
            "prefer": ask.prefer,
            "stay": ask.stay,
        }
    )


def _reply(answer: list[Any]) -> Reply:
    status, claims, inputs, refused, dropped = answer
    return Reply(
        status=cast(Literal["go", "wait", "left", "stop"], status.decode()),
        claims=tuple(
            [
                Claim(TaskId(claims[i].decode()), int(claims[i + 1]))
                for i in range(0, len(claims), 2)
            ]
        ),
        inputs={TaskId(inputs[i].decode()): inputs[i + 1] for i in range(0, len(inputs), 2)},
        refused=tuple([TaskId(task.decode()) for task in refused]),
        dropped=tuple(dropped),
    )


def _seed(seed: Seed) -> dict[str, Any]:
    return {
        "ready": [[queue, list(tasks)] for queue, tasks in seed.ready.items()],
        "missing": _flat(seed.missing),
        "forget": list(seed.forget),
    }


def _policies(opening: Opening) -> list[str]:
    words = []
    for task, policy in opening.policies.items():
        about = {
            "retries": policy.retries,
            "delay": policy.retry_delay_seconds,
            "lost": policy.on_worker_lost,
        }
        words += [task, json.dumps(about)]
    return words


def _lost(message: str) -> str:
    record = ErrorRecord(task="$TASK$", attempt=0, kind="lost", type="WorkerLost", message=message)
    return json.dumps(asdict(record))


def _flat(pairs: Mapping[Any, Any]) -> list[Any]:
    return [word for pair in pairs.items() for word in pair]


def _texts(found: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in found.items()}


def _in_parts(names: Any, size: int = 1000) -> Any:
    part = []
    for name in names:
        part.append(name)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
