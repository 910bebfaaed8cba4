"""A store on a Redis server, shared by workers anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, cast

import redis

from wfnb.errors import ErrorRecord
from wfnb.graph import TaskId
from wfnb.storage import keys
from wfnb.storage.feed import RedisFeed
from wfnb.storage.history_redis import RedisHistory
from wfnb.storage.launches import RedisLaunches
from wfnb.storage.records import (
    ANY_TASK,
    Ask,
    Claim,
    Expansion,
    Finished,
    Identity,
    Joined,
    Reaped,
    Reply,
    Request,
    RunId,
    Seat,
)
from wfnb.storage.reuse_redis import RedisReuse
from wfnb.storage.runs import RedisRuns, nonce
from wfnb.storage.scripts import Scripts, translated


class RedisStore(RedisRuns, RedisFeed, RedisLaunches, RedisReuse, RedisHistory):
    """Every decision is taken inside a Lua verb; this class packs words and unpacks answers."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._scripts = Scripts(client)

    def teach(self) -> None:
        """For those who serve workers: these may not load what they call."""
        self._scripts.teach()

    def close(self) -> None:
        self._client.close()
        self._client.connection_pool.disconnect()

    # A worker in a run

    def join(
        self, request: Request, label: str, *, want: int = 0, age_seconds: float | None = None
    ) -> Joined | None:
        age = "" if age_seconds is None else age_seconds
        words = (request.serial, request.generation, label, want, age)
        answer = self._call("join", request.run, *words)
        if not answer:
            return None
        return Joined(
            identity=Identity(answer[0].decode()),
            generation=answer[1],
            queue=answer[2].decode(),
            first=_reply(answer[3]) if want else None,
        )

    def claim(self, run: RunId, ask: Ask) -> Reply:
        return _reply(self._call("claim", run, _ask(ask)))

    def complete(self, run: RunId, finished: Sequence[Finished], ask: Ask) -> Reply:
        items = [_item(record) for record in finished]
        work = json.dumps({"items": items, "hints": ask.hints, "learned": ask.learned})
        notes = "".join([f"{record.note}\n" for record in finished])
        results = [record.result or b"" for record in finished]
        return _reply(self._call("complete", run, _ask(ask), work, notes, *results))

    def expand(self, run: RunId, splitter: Finished, expansion: Expansion, ask: Ask) -> Reply:
        more = {"hints": ask.hints, "learned": ask.learned}
        work = json.dumps(_expanded(splitter, expansion) | more)
        result = splitter.result or b""
        return _reply(self._call("expand", run, _ask(ask), work, result, *expansion.elements))

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
        blamed = "" if record is None else "*" if record.task == ANY_TASK else record.task
        words = json.dumps(asdict(record)) if record else _lost("its worker died")
        workers, tasks, launches = self._call("abandon", run, identity, words, blamed)
        return Reaped(workers=workers, tasks=tasks, launches=launches)

    def cancel(self, run: RunId) -> bool:
        return bool(self._call("cancel", run, nonce()))

    def crew(self, run: RunId) -> Mapping[str, Seat]:
        generation, *words = self._call("crew", run)
        return {
            label.decode(): Seat(
                identity=Identity(identity.decode()),
                generation=generation,
                queue=queue.decode(),
                claims={claim.task: claim.attempt for claim in _claims(claims)},
            )
            for label, identity, queue, claims in zip(*[iter(words)] * 4, strict=True)
        }

    def audit(self, run: RunId) -> Mapping[str, int]:
        wrong = self._call("audit", run)
        return {name.decode(): by for name, by in zip(wrong[::2], wrong[1::2], strict=True)}


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
            "short": ask.short,
            "tired": ask.tired,
        }
    )


def _item(record: Finished) -> tuple[Any, ...]:
    """As complete.lua reads it; most tasks are plain, and short to write and to parse."""
    if record.became or record.held or record.is_target or record.unread or record.reads:
        flags = (int(record.became), int(record.held), int(record.is_target))
        how = () if record.how == "done" else (record.how,)
        head = (record.task, record.attempt, record.readers)
        return (*head, *flags, record.unread, record.reads, *how)
    if record.how != "done":
        return record.task, record.attempt, record.readers, 0, 0, 0, 0, (), record.how
    return record.task, record.attempt, record.readers


def _expanded(splitter: Finished, expansion: Expansion) -> dict[str, Any]:
    return {
        "task": splitter.task,
        "attempt": splitter.attempt,
        "target": int(splitter.is_target),
        "unread": splitter.unread,
        "reads": splitter.reads,
        "note": splitter.note,
        "count": expansion.count,
        "maps": expansion.maps,
        "hint": expansion.hint,
    }


def _reply(answer: list[Any]) -> Reply:
    status, claims, inputs, refused, dropped = answer
    return Reply(
        status=cast(Literal["go", "wait", "left", "stop"], status.decode()),
        claims=_claims(claims),
        inputs={TaskId(inputs[i].decode()): inputs[i + 1] for i in range(0, len(inputs), 2)},
        refused=tuple([TaskId(task.decode()) for task in refused]),
        dropped=tuple(dropped),
    )


def _claims(words: list[bytes]) -> tuple[Claim, ...]:
    pairs = zip(words[::2], words[1::2], strict=True)
    return tuple([Claim(TaskId(task.decode()), int(attempt)) for task, attempt in pairs])


def _lost(message: str) -> str:
    record = ErrorRecord(task=ANY_TASK, attempt=0, kind="lost", type="WorkerLost", message=message)
    return json.dumps(asdict(record))
