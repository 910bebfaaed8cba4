"""The backend of local processes: makes sure that this host has a pool, and says who may ask it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from wfnb.errors import BackendError
from wfnb.graph import TaskId
from wfnb.plan import Placement, Plan
from wfnb.storage import Lane, RunId, Store, address, serverfiles
from wfnb.workers.poolfiles import PoolFiles, files_of

PROTOCOL_VERSION = 1
"""Of what workers and clients say to each other through the store."""
MOST_WORKERS = 64
TRUSTED_SECONDS = 2.0
"""A beat that was seen counts for so long; so does a pool that was just started."""
START_SECONDS = 10.0


class ProcessBackend:
    """Workers on this host, in a pool that all its clients share.

    `workers` is how many may serve one run at once, as many as there are CPUs by default; a living
    pool that has fewer grows.
    """

    name = "process"

    def __init__(self, store: Store, url: str, *, workers: int | None = None) -> None:
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            raise BackendError(f"workers={workers}: give a number from 1 to {MOST_WORKERS}")
        self._store = store
        self._url = url
        self._workers = workers or cpus()
        self.pool = pool_key(url)
        self._files = files_of(self.pool)
        self._seen_at = self._started_at = float("-inf")

    def lanes(self, plan: Plan) -> Mapping[str, Lane]:
        planned = len(plan.workers)
        if planned > MOST_WORKERS:
            raise BackendError(
                f"the plan names {planned} workers, and a host's pool has at most {MOST_WORKERS}: "
                "plan fewer"
            )
        lanes: dict[str, Lane] = {}
        for task, placement in _first_of_each(plan):
            if placement.queue not in lanes:
                limit = self._workers if placement.worker is None else 1
                lanes[placement.queue] = Lane(limit=limit, pool=self.pool)
            _refuse_too_big(task, placement)
        self._workers_wanted(max(self._workers, planned))
        return lanes

    def serve(self) -> None:
        now = time.monotonic()
        if now - max(self._seen_at, self._started_at) < TRUSTED_SECONDS:
            return
        # One that was killed is still announced for a while, but its lock is gone with it.
        if self._files.pid() is not None and self.pool in self._store.pools():
            self._seen_at, self._started_at = now, float("-inf")
            return
        if self._files.pid() is not None and now - self._started_at < START_SECONDS:
            return
        self._refuse_if_it_failed()
        start_pool(self._files, self._url, pool=self.pool, slots=self._workers)
        self._started_at = now

    def work(self, run: RunId, *, timeout_seconds: float) -> None:
        """Workers do it in processes of their own."""

    def close(self) -> None:
        """The pool stays: other clients may use it, and it goes by itself."""

    def _workers_wanted(self, count: int) -> None:
        if count > cpus():
            self._files.want(count)

    def _refuse_if_it_failed(self) -> None:
        if self._started_at == float("-inf"):
            return
        self._started_at = float("-inf")
        raise BackendError(
            f"the pool of workers was started, but does not answer; its log ends with:\n"
            f"{self._files.log_tail()}"
        )


def pool_key(url: str) -> str:
    """The launch list of this host's pool for a store: one per environment a task could notice."""
    place = address.parse(url)
    if place.is_embedded:
        store = str(serverfiles.default_state_dir())
    else:
        store = f"{place.host}:{place.port}{place.path}/{place.db}"
    words = (*_environment(), store, str(os.getuid()))
    environment = hashlib.sha256("|".join(words).encode()).hexdigest()[:12]
    return f"process:{os.uname().nodename}:{environment}"


def start_pool(files: PoolFiles, url: str, *, pool: str, slots: int) -> None:
    """Start it and return; it is nobody's child, and has only this process's environment."""
    command = [sys.executable, "-P", "-m", "wfnb.workers", "pool"]
    command += ["--pool", pool, "--slots", str(slots)]
    log = files.open_log()
    try:
        subprocess.run(
            # The shell ends at once, so that no zombie of ours remains when the pool ends.
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path("/"),
            # Not an argument: those can be read by every user of the machine.
            env={**os.environ, "WFNB_STORE": url},
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BackendError(f"the pool of workers cannot be started: {error}") from error
    finally:
        os.close(log)


def cpus() -> int:
    """Those that this process may use, not those the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@cache
def _environment() -> tuple[str, ...]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (python, str(PROTOCOL_VERSION), version("dill"), sys.prefix)


def _first_of_each(plan: Plan) -> list[tuple[TaskId, Placement]]:
    """Most tasks share a placement: look at each of those once."""
    first: dict[int, tuple[TaskId, Placement]] = {}
    for task in plan.graph:
        placement = plan.placements[task]
        if id(placement) not in first:
            first[id(placement)] = (task, placement)
    return list(first.values())


def _refuse_too_big(task: TaskId, placement: Placement) -> None:
    wanted = placement.resources
    if wanted.cpus > cpus():
        raise BackendError(
            f"{task} wants {wanted.cpus:g} cpus, and this host has {cpus()}: "
            "give it Resources with fewer cpus, or a larger host"
        )
    if wanted.memory_bytes is not None and wanted.memory_bytes > memory_bytes():
        raise BackendError(
            f"{task} wants {wanted.memory}, and this host has {memory_bytes() / 1e9:,.1f} GB: "
            "give it Resources with less memory, or a larger host"
        )
