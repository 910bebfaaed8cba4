"""What watchers read from Redis: events, the end of a run, errors, logs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from wfnb.errors import ErrorRecord
from wfnb.events import EventId
from wfnb.graph import TaskId
from wfnb.storage import keys
from wfnb.storage.output_log import TAIL_BYTES, shown
from wfnb.storage.records import RunId
from wfnb.storage.scripts import Scripts, translated

MOST_EVENTS = 100_000


class RedisFeed:
    """The reading side of a RedisStore; what it writes are hints and logs, never state."""

    _client: redis.Redis
    _scripts: Scripts

    def events(
        self, run: RunId, after: EventId, *, block_seconds: float = 0.0
    ) -> list[tuple[EventId, bytes]]:
        stream = keys.prefix(run) + "events"
        block = round(block_seconds * 1000) or None
        with translated():
            found = cast(Any, self._client.xread({stream: after}, count=10_000, block=block))
        entries = found[0][1] if found else []
        return [(EventId(at.decode()), entry[b"e"]) for at, entry in entries]

    def note(self, run: RunId, entry: str) -> None:
        stream = keys.prefix(run) + "events"
        with translated():
            seconds, micros = self._client.time()
            note = {"at": seconds + micros / 1e6, **json.loads(entry)}
            self._client.xadd(stream, {"e": json.dumps(note)}, maxlen=MOST_EVENTS, nomkstream=True)

    def wait_for_end(self, run: RunId, *, timeout_seconds: float) -> str:
        prefix = keys.prefix(run)
        with translated():
            if timeout_seconds > 0:
                block = max(1, round(timeout_seconds * 1000))
                found = cast(Any, self._client.xread({prefix + "over": "0-0"}, block=block))
                if found:
                    return cast(bytes, found[0][1][-1][1][b"status"]).decode()
            status = self._client.hget(prefix + "meta", "status")
        return "unknown" if status is None else cast(bytes, status).decode()

    def errors(self, run: RunId) -> Mapping[TaskId, Sequence[ErrorRecord]]:
        with translated():
            found = cast(Any, self._client.hgetall(keys.prefix(run) + "errors"))
        return {
            TaskId(task.decode()): [ErrorRecord(**record) for record in json.loads(records)]
            for task, records in found.items()
        }

    def append_log(
        self, run: RunId, task: TaskId, attempt: int, text: bytes, *, at: int | None = None
    ) -> None:
        self._scripts.call(
            "append_log", keys.prefix(run), task, attempt, text, -1 if at is None else at
        )

    def log(self, run: RunId, task: TaskId, attempt: int | None = None) -> bytes:
        prefix = keys.prefix(run)
        with translated():
            if attempt is None:
                known = self._client.hget(prefix + "logs", task)
                if known is None:
                    return b""
                attempt = int(cast(bytes, known))
            name = f"{prefix}log:{task}:{attempt}"
            pipe = self._client.pipeline()
            pipe.get(name)
            pipe.lrange(name + ":tail", 0, -1)
            pipe.get(name + ":size")
            head, tail, size = pipe.execute()
        return shown(head or b"", b"".join(tail)[-TAIL_BYTES:], int(size or 0))
