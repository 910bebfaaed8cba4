"""Between transitions that ask for workers and the pools that start them, on Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from wfnb.storage import keys
from wfnb.storage.records import Request, RunId, Start
from wfnb.storage.scripts import translated

_REQUEST_SECONDS = 86_400


class RedisLaunches:
    """The launch side of a RedisStore. Requests are hints: a run repeats those that get lost."""

    _client: redis.Redis

    def take_request(self, pools: Sequence[str], *, block_seconds: float) -> Request | None:
        lists = [keys.launches(pool) for pool in pools]
        with translated():
            if block_seconds > 0:
                found = cast(Any, self._client.blpop(lists, timeout=block_seconds))
                words = found and found[1]
            else:  # to Redis 0 means for ever
                words = next(filter(None, map(self._client.lpop, lists)), None)
        if words is None:
            return None
        run, serial, queue, generation, graph = cast(bytes, words).split(b"\n", 4)
        return Request(
            run=RunId(run.decode()),
            serial=serial.decode(),
            queue=queue.decode(),
            generation=int(generation),
            graph=graph,
        )

    def return_request(self, pool: str, request: Request) -> None:
        head = f"{request.run}\n{request.serial}\n{request.queue}\n{request.generation}\n"
        with translated():
            pipe = self._client.pipeline()
            pipe.lpush(keys.launches(pool), head.encode() + request.graph)
            pipe.expire(keys.launches(pool), _REQUEST_SECONDS)
            pipe.execute()

    def waiting(self, pools: Sequence[str]) -> Sequence[int]:
        with translated():
            pipe = self._client.pipeline(transaction=False)
            for pool in pools:
                pipe.llen(keys.launches(pool))
            return pipe.execute()

    def starts(self, pool: str) -> Sequence[Start]:
        with translated():
            found = cast("list[bytes]", self._client.lrange(keys.STARTS + pool, 0, -1))
        return [
            Start(waited_seconds=waited, is_cold=bool(cold), at_seconds=at)
            for waited, cold, at in map(json.loads, found)
        ]

    def announce(self, pool: str, about: Mapping[str, str], *, ttl_seconds: float) -> None:
        with translated():
            if ttl_seconds <= 0:
                self._client.hdel(keys.POOLS, pool)
                return
            seconds, micros = cast(Any, self._client.time())
            deadline_ms = seconds * 1000 + micros // 1000 + round(ttl_seconds * 1000)
            self._client.hset(keys.POOLS, pool, f"{deadline_ms} {json.dumps(dict(about))}")

    def pools(self) -> Mapping[str, Mapping[str, str]]:
        with translated():
            pipe = self._client.pipeline(transaction=False)
            pipe.time()
            pipe.hgetall(keys.POOLS)
            (seconds, micros), found = pipe.execute()
        now_ms = seconds * 1000 + micros // 1000
        alive = {}
        for pool, words in found.items():
            deadline_ms, _, about = words.decode().partition(" ")
            if int(deadline_ms) > now_ms:
                alive[pool.decode()] = json.loads(about)
        return alive
