"""Records of past runs, on Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import redis

from wfnb.storage import keys
from wfnb.storage.history import Part, Recorded
from wfnb.storage.scripts import Scripts, translated


class RedisHistory:
    """What a RedisStore knows of runs that may be long gone."""

    _client: redis.Redis
    _scripts: Scripts

    def record(self, parts: Sequence[Part]) -> None:
        self._scripts.call("record", keys.HISTORY, json.dumps(parts))

    def known_records(self, families: Sequence[str]) -> list[Mapping[str, float]]:
        pipe = self._client.pipeline(transaction=False)
        for family in families:
            pipe.hgetall(f"{keys.HISTORY}of:{family}")
        with translated():
            found = pipe.execute() if families else []
        return [{rest.decode(): int(ms) / 1000 for rest, ms in its.items()} for its in found]

    def recorded(self, names: Sequence[str]) -> list[Recorded]:
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.lrange(f"{keys.HISTORY}at:{name}", 0, -1)
            pipe.hgetall(f"{keys.HISTORY}old:{name}")
        with translated():
            found = pipe.execute() if names else []
        return [
            Recorded(
                [sample.decode() for sample in samples],
                {int(bucket): float(count) for bucket, count in old.items()},
            )
            for samples, old in zip(found[::2], found[1::2], strict=True)
        ]

    def forget_history(self) -> int:
        count, is_more = 0, 1
        while is_more:
            went, is_more = self._scripts.call("forget_history", keys.HISTORY)
            count += went
        return count
