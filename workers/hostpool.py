"""A process of this host that serves launch lists: who needs it starts it, and it outlives them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from wfnb.errors import BackendError
from wfnb.storage import Store, address, serverfiles
from wfnb.workers.poolfiles import PoolFiles, files_of

PROTOCOL_VERSION = 1
"""Of what workers and clients say to each other through the store."""
MOST_WORKERS = 64
TRUSTED_SECONDS = 2.0
"""A beat that was seen counts for so long; so does a process that was just started."""
START_SECONDS = 10.0
_NEVER = float("-inf")


class HostPool:
    """A client's view of the one process of its key on this host.

    `command` is what python runs, `variables` what it must not be told by arguments: those can be
    read by every user of the machine.
    """

    def __init__(self, key: str, command: Sequence[str], *, variables: Mapping[str, str]) -> None:
        self.key = key
        self._command = command
        self._variables = variables
        self._files = files_of(key)
        self._seen_at = self._started_at = _NEVER
        self._about: Mapping[str, Mapping[str, str]] = {}

    def serve(self, store: Store) -> Mapping[str, Mapping[str, str]]:
        """Start it if it is not alive; return at once in any case, with what pools told lately."""
        now = time.monotonic()
        if now - max(self._seen_at, self._started_at) < TRUSTED_SECONDS:
            return self._about
        # One that was killed is still announced for a while, but its lock is gone with it.
        if self._files.pid() is not None:
            self._about = store.pools()
            if self.key in self._about:
                self._seen_at, self._started_at = now, _NEVER
                return self._about
            if now - self._started_at < START_SECONDS:
                return {}
        self._refuse_if_it_failed()
        _start(self._files, self._command, self._variables)
        self._about, self._started_at = {}, now
        return self._about

    def start(self) -> bool:
        """Start it; False if there is one, which may not answer yet."""
        if self._files.pid() is not None:
            return False
        _start(self._files, self._command, self._variables)
        return True

    def become(self, *more: str) -> NoReturn:
        """Be it, in place of this process: for those who want to see it in their terminal."""
        command = [sys.executable, "-P", *self._command, *more]
        os.execve(sys.executable, command, {**os.environ, **self._variables})

    @property
    def pid(self) -> int | None:
        """Of the living one."""
        return self._files.pid()

    def want(self, workers: int) -> None:
        """Have it make room for so many, if it has less."""
        self._files.want(workers)

    def _refuse_if_it_failed(self) -> None:
        if self._started_at == _NEVER:
            return
        self._started_at = _NEVER
        raise BackendError(
            f"the pool of workers was started, but does not answer; its log ends with:\n"
            f"{self._files.log_tail()}"
        )


def _start(files: PoolFiles, command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Start it and return; it is nobody's child, and has only this process's environment."""
    log = files.open_log()
    try:
        subprocess.run(
            # The shell ends at once, so that no zombie of ours remains when the pool ends.
            ["/bin/sh", "-c", '"$@" &', "sh", sys.executable, "-P", *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path("/"),
            env={**os.environ, **variables},
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BackendError(f"the pool of workers cannot be started: {error}") from error
    finally:
        os.close(log)


def key_of(backend: str, url: str, words: Sequence[str]) -> str:
    """Names what serves this user's clients of a store; `words` are what workers must agree on."""
    place = address.parse(url)
    if place.is_embedded:
        store = str(serverfiles.default_state_dir())
    else:
        store = f"{place.host}:{place.port}{place.path}/{place.db}"
    agreed = "|".join((*_kernel(), *words, store, str(os.getuid())))
    return f"{backend}:{os.uname().nodename}:{hashlib.sha256(agreed.encode()).hexdigest()[:12]}"


@cache
def _kernel() -> tuple[str, ...]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (python, str(PROTOCOL_VERSION), version("wfnb"), version("dill"))
