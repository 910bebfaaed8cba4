"""The Lua verbs: one transition each, sent by hash."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Any

import redis

from wfnb.errors import StoreError, StoreFullError

_SHARED = {
    "claim": ("handing", "answering"),
    "complete": ("handing", "answering", "dropping", "recording"),
    "expand": ("handing", "answering", "dropping", "recording"),
    "join": ("handing", "answering"),
    "fail": ("handing", "losing"),
    "release": ("handing", "losing"),
    "beat": (),
    "reap": ("handing", "losing"),
    "abandon": ("handing", "losing"),
    "cancel": (),
    "resume": ("handing", "seeding"),
    "open_run": ("handing", "seeding"),
    "snapshot": (),
    "audit": (),
    "crew": (),
    "append_log": (),
    "record": ("recording",),
    "forget_history": ("recording",),
    "keep_reusable": ("reusing",),
    "find_reusables": ("reusing",),
    "forget_reusables": ("reusing",),
    "bound_reusables": ("reusing",),
}
VERBS = tuple(_SHARED)
NOSCRIPT_SECONDS = 10.0
"""A worker may not load scripts: it waits this long for its pool to do it after a restart."""


@cache
def text_of(verb: str) -> str:
    parts = ("prelude", *_SHARED[verb], verb)
    return "\n".join((files(__package__) / f"{part}.lua").read_text() for part in parts)


@cache
def hash_of(verb: str) -> str:
    return hashlib.sha1(text_of(verb).encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """The verbs on one server."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def call(self, verb: str, prefix: str, *args: Any) -> Any:
        with translated():
            deadline = time.monotonic() + NOSCRIPT_SECONDS
            while True:
                try:
                    return self._client.evalsha(hash_of(verb), 1, prefix, *args)
                except redis.exceptions.NoScriptError:
                    if time.monotonic() > deadline:
                        raise
                    self._load()

    def teach(self) -> None:
        """Have the server know every verb: one that serves an older wfnb knows others, not ours.

        Workers' users may not; whoever serves them does it before they come.
        """
        with translated(), suppress(redis.exceptions.NoPermissionError):
            if not all(self._client.script_exists(*map(hash_of, VERBS))):
                self._load()

    def _load(self) -> None:
        """After a restart the server knows no script; a worker's user may not teach it."""
        try:
            for verb in VERBS:
                self._client.script_load(text_of(verb))
        except redis.exceptions.NoPermissionError:
            time.sleep(0.02)


@contextmanager
def translated() -> Iterator[None]:
    """Users never see a Redis exception: each becomes a StoreError that says what to do."""
    try:
        yield
    except redis.exceptions.OutOfMemoryError as error:
        raise StoreFullError from error
    except redis.exceptions.ReadOnlyError as error:
        message = "the store takes no writes now: its server is a replica or cannot write to disk"
        raise StoreError(message) from error
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
        raise StoreError(f"the store is away: {error}; what it was told is kept there") from error
    except redis.exceptions.RedisError as error:
        raise StoreError(f"the store refused: {error}") from error
