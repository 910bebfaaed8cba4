"""Values kept for reuse, on Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from wfnb.storage import keys
from wfnb.storage.reuse import ENTRY_BYTES, MOST_BYTES, Reusable, gone
from wfnb.storage.scripts import Scripts, translated

_PUT_SECONDS = 3600
_MOST_ASKED = 5000


class RedisReuse:
    """What a RedisStore keeps from run to run."""

    _client: redis.Redis
    _scripts: Scripts
    _usual_bytes: int | None = None

    def find_reusables(self, fingerprints: Sequence[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        usual = self._usual_bound()
        for first in range(0, len(fingerprints), _MOST_ASKED):
            part = fingerprints[first : first + _MOST_ASKED]
            answer = self._scripts.call("find_reusables", keys.REUSE, usual, *part)
            found.update(zip((p.decode() for p in answer[::2]), answer[1::2], strict=True))
        return found

    def keep_reusable(
        self, about: Reusable, found: bytes, name: str, chunks: Sequence[bytes | memoryview]
    ) -> bool:
        words = json.dumps(
            {"task": about.task, "function": about.function, "bytes": about.size_bytes}
        )[:-1]
        size = about.size_bytes + ENTRY_BYTES + len(found) + len(words)
        entry = (about.fingerprint, size, len(chunks), name, found, words)
        if chunks:
            answer = self._scripts.call("keep_reusable", keys.REUSE, *entry, "ask")
            if answer != 1:
                return bool(answer)
            self._put(name, chunks)
        return bool(self._scripts.call("keep_reusable", keys.REUSE, *entry, "keep"))

    def read_reusable(self, name: str, chunks: int) -> list[bytes]:
        pipe = self._client.pipeline(transaction=False)
        for number in range(chunks):
            pipe.get(keys.reused_chunk(name, number))
        with translated():
            parts: list[bytes] = pipe.execute()
        if None in parts:
            raise gone(name)
        return parts

    def reusables(self) -> Sequence[Reusable]:
        self._scripts.call("find_reusables", keys.REUSE, self._usual_bound())  # old ones go
        pipe = self._client.pipeline()
        pipe.zrevrange(f"{keys.REUSE}used", 0, -1, withscores=True)
        pipe.hgetall(f"{keys.REUSE}about")
        pipe.hgetall(f"{keys.REUSE}uses")
        with translated():
            used, about, uses = pipe.execute()
        return [_reusable(name, at, about, uses) for name, at in used if name in about]

    def forget_reusables(self, fingerprints: Sequence[str] | None = None) -> int:
        if fingerprints is not None:
            answer = self._scripts.call("forget_reusables", keys.REUSE, "some", *fingerprints)
            return int(answer[0])
        count, went = 0, 1
        while went:
            answer = self._scripts.call("forget_reusables", keys.REUSE, "all")
            went = answer[1]
            count += answer[0]
        return count

    def bound_reusables(
        self, *, most_bytes: int | None = None, keep_seconds: float | None = None
    ) -> tuple[int, float]:
        words = ["" if word is None else word for word in (most_bytes, keep_seconds)]
        usual = self._usual_bound()
        most, kept = self._scripts.call("bound_reusables", keys.REUSE, usual, *words)
        return int(float(most)), float(kept)

    def _put(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for number, chunk in enumerate(chunks):
            pipe.set(keys.reused_chunk(name, number), chunk, ex=_PUT_SECONDS)
        with translated():
            pipe.execute()

    def _usual_bound(self) -> int:
        """A quarter of the server's memory, if that is less; 0 for a worker, who may not ask."""
        if self._usual_bytes is None:
            try:
                info: Any = self._client.info("memory")
            except redis.exceptions.RedisError:
                info = {}
            usual = info.get("maxmemory", 0) // 4 or MOST_BYTES
            self._usual_bytes = min(MOST_BYTES, usual) if info else 0
        return self._usual_bytes


def _reusable(
    name: bytes, used_ms: float, about: Mapping[bytes, bytes], uses: Mapping[bytes, bytes]
) -> Reusable:
    words = json.loads(about[name])
    return Reusable(
        fingerprint=name.decode(),
        task=words["task"],
        function=words["function"],
        size_bytes=words["bytes"],
        made_seconds=words["made"] / 1000,
        used_seconds=used_ms / 1000,
        uses=int(uses.get(name, 0)),
    )
