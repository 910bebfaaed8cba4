"""Whole runs and their outputs on Redis."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import redis

from wfnb.errors import RunNotFoundError, StoreError
from wfnb.events import EventId
from wfnb.graph import TaskId
from wfnb.storage import keys
from wfnb.storage.records import Opening, RunId, Seed, Snapshot
from wfnb.storage.scripts import Scripts, translated

_SMALL_GRAPH_BYTES = 16 * 1024
_CHUNK_SECONDS = 3600


class RedisRuns:
    """What a RedisStore knows of runs as wholes: opening, resuming, reading, dropping."""

    _client: redis.Redis
    _scripts: Scripts

    def open_run(self, opening: Opening) -> bool:
        words = {
            "run": opening.run,
            "keep": opening.keep_seconds,
            "queue": opening.queue,
            "tasks": opening.tasks,
            "about": _flat(opening.about),
            "lanes": _flat({q: f"{lane.limit} {lane.pool}" for q, lane in opening.lanes.items()}),
            "queues": _flat(opening.queues),
            "policies": _policies(opening),
            "constants": list(opening.constants),
            "pools": sorted({lane.pool for lane in opening.lanes.values()}),
            "seed": _seed(opening.seed),
            "nonce": nonce(),
        }
        travels = opening.graph if len(opening.graph) <= _SMALL_GRAPH_BYTES else b""
        reused = opening.seed.reused.values()
        blobs = (opening.graph, opening.plan, travels, *opening.constants.values(), *reused)
        answer = self._call("open_run", opening.run, json.dumps(words), *blobs)
        if answer < 0:
            raise StoreError(f"there is a run named {opening.run} already")
        return bool(answer)

    def resume(self, run: RunId, generation: int, seed: Seed) -> int:
        tasks = "" if seed.tasks is None else seed.tasks
        words = (generation, tasks, json.dumps(_seed(seed)), nonce(), *seed.reused.values())
        return cast(int, self._call("resume", run, *words))

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
            found: Any = self._client.zrevrange(keys.RUNS, 0, -1)
            names = [RunId(name.decode()) for name in found]
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(f"{keys.prefix(name)}meta")
            found = pipe.execute()
        return [(name, _texts(about)) for name, about in zip(names, found, strict=True) if about]

    def active_runs(self) -> Sequence[RunId]:
        with translated():
            names: Any = self._client.zrange(keys.ACTIVE, 0, -1)
        return [RunId(name.decode()) for name in names]

    def drop(self, run: RunId) -> None:
        with translated():
            self._client.unlink(f"{keys.prefix(run)}meta")  # first: nobody writes to a run without
            for found in _in_parts(self._client.scan_iter(f"{keys.prefix(run)}*", count=1000)):
                self._client.unlink(*found)
            self._client.zrem(keys.RUNS, run)
            self._client.zrem(keys.ACTIVE, run)

    def snapshot(self, run: RunId) -> Snapshot:
        meta, states, last, expansions = self._call("snapshot", run)
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
            expansions=_expansions(zip(expansions[::2], expansions[1::2], strict=True)),
        )

    def put(self, run: RunId, outputs: Mapping[str, Sequence[bytes | memoryview]]) -> None:
        with translated():
            pipe = self._client.pipeline(transaction=False)
            for name, chunks in outputs.items():
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

    def whole(self, run: RunId, outputs: Mapping[str, int]) -> set[str]:
        there: set[str] = set()
        for part in _in_parts(outputs.items()):
            pipe = self._client.pipeline(transaction=False)
            for name, chunks in part:
                pipe.exists(*[keys.chunk(run, name, number) for number in range(chunks)])
            with translated():
                counts = pipe.execute()
            there |= {name for (name, chunks), n in zip(part, counts, strict=True) if n == chunks}
        return there

    def results(self, run: RunId, tasks: Sequence[TaskId]) -> list[bytes | None]:
        if not tasks:
            return []
        with translated():
            pipe = self._client.pipeline(transaction=False)
            pipe.hmget(f"{keys.prefix(run)}results", *tasks)
            pipe.hmget(f"{keys.prefix(run)}values", *tasks)
            results, values = pipe.execute()
        return [result or value for result, value in zip(results, values, strict=True)]

    def await_results(
        self, run: RunId, tasks: Sequence[TaskId], *, timeout_seconds: float
    ) -> tuple[str, list[bytes | None]]:
        prefix = keys.prefix(run)
        pipe = self._client.pipeline(transaction=False)
        pipe.xread({f"{prefix}over": "0-0"}, block=max(1, round(timeout_seconds * 1000)))
        pipe.hget(f"{prefix}meta", "status")
        pipe.hmget(f"{prefix}results", *tasks)
        with translated():
            _, status, results = pipe.execute()
        return "unknown" if status is None else status.decode(), results

    def pointers(self, run: RunId) -> Mapping[TaskId, bytes]:
        with translated():
            pipe = self._client.pipeline(transaction=False)
            pipe.hgetall(f"{keys.prefix(run)}values")
            pipe.hgetall(f"{keys.prefix(run)}results")
            values, results = pipe.execute()
        return {TaskId(task.decode()): found for task, found in (results | values).items()}

    def expansions(self, run: RunId) -> Mapping[TaskId, int]:
        with translated():
            found: Any = self._client.hgetall(f"{keys.prefix(run)}expansions")
        return _expansions(found.items())

    def _call(self, verb: str, run: RunId, *args: Any) -> Any:
        return self._scripts.call(verb, keys.prefix(run), *args)

    def _stored(self, run: RunId, what: str) -> bytes:
        with translated():
            found = self._client.get(keys.prefix(run) + what)
        if found is None:
            raise RunNotFoundError(f"no run is named {run}; wfnb.runs() lists those there are")
        return cast(bytes, found)


def nonce() -> str:
    """Of a call: when its reply gets lost, the connection repeats it with the same words."""
    return secrets.token_hex(8)


def _seed(seed: Seed) -> dict[str, Any]:
    return {
        "ready": [[queue, list(tasks)] for queue, tasks in seed.ready.items()],
        "missing": _flat(seed.missing),
        "forget": list(seed.forget),
        "done": seed.done,
        "reused": list(seed.reused),
    }


def _expansions(pairs: Iterable[tuple[bytes, bytes]]) -> dict[TaskId, int]:
    return {TaskId(task.decode()): int(count) for task, count in pairs}


def _policies(opening: Opening) -> list[str]:
    words = []
    for task, policy in opening.policies.items():
        about = {
            "retries": policy.retries,
            "delay": policy.retry_delay_seconds,
            "lost": policy.on_worker_lost,
        }
        if policy.more:
            about["more"] = policy.more
        words += [task, json.dumps(about)]
    return words


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
