"""The backend of local processes: sees that this host has pools, and says who may ask them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from wfnb.errors import BackendError
from wfnb.graph import TaskId
from wfnb.plan import Placement, Plan
from wfnb.preparing import prepare_all
from wfnb.storage import Lane, RunId, Store, address, serverfiles
from wfnb.workers.poolfiles import PoolFiles, files_of

PROTOCOL_VERSION = 1
"""Of what workers and clients say to each other through the store."""
MOST_WORKERS = 64
TRUSTED_SECONDS = 2.0
"""A beat that was seen counts for so long; so does a pool that was just started."""
START_SECONDS = 10.0


class ProcessBackend:
    """Workers on this host, in pools that all its clients share: one for each environment.

    `workers` is how many may serve one queue of a run at once, as many as there are CPUs by
    default; a living pool that has fewer grows.
    """

    name = "process"
    sees_files = True

    def __init__(self, store: Store, url: str, *, workers: int | None = None) -> None:
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            raise BackendError(f"workers={workers}: give a number from 1 to {MOST_WORKERS}")
        self._store = store
        self._url = url
        self._workers = workers or cpus()
        self.pool = pool_key(url)
        self._pools: dict[str, HostPool] = {}

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
                pool = self._pool(placement.environment)
                lanes[placement.queue] = Lane(limit=limit, pool=pool.key)
            _refuse_too_big(task, placement)
        for environment in plan.environments:
            self._pool(environment).want(max(self._workers, planned))
        return lanes

    def equip(
        self,
        plan: Plan,
        tell: Callable[[str], None],
        *,
        workflow: tuple[str, ...] = (),
        fresh: bool = False,
    ) -> Plan:
        """Install what the kernel lacks into folders that stand before its own packages."""
        return prepare_all(plan, tell, workflow=workflow, fresh=fresh)

    def serve(self, plan: Plan | None = None) -> None:
        for environment in plan.environments if plan else ("",):
            self._pool(environment).serve(self._store)

    def work(self, run: RunId, *, timeout_seconds: float) -> None:
        """Workers do it in processes of their own."""

    def close(self) -> None:
        """The pools stay: other clients may use them, and they go by themselves."""

    def _pool(self, environment: str) -> HostPool:
        if environment not in self._pools:
            self._pools[environment] = HostPool(self._url, environment, slots=self._workers)
        return self._pools[environment]


class HostPool:
    """A client's view of the one pool of a store and an environment on this host."""

    def __init__(self, url: str, environment: str, *, slots: int) -> None:
        self.key = pool_key(url, environment)
        self._url = url
        self._environment = environment
        self._slots = slots
        self._files = files_of(self.key)
        self._seen_at = self._started_at = float("-inf")

    def serve(self, store: Store) -> None:
        """Start it if it is not alive; return at once in any case."""
        now = time.monotonic()
        if now - max(self._seen_at, self._started_at) < TRUSTED_SECONDS:
            return
        # One that was killed is still announced for a while, but its lock is gone with it.
        if self._files.pid() is not None and self.key in store.pools():
            self._seen_at, self._started_at = now, float("-inf")
            return
        if self._files.pid() is not None and now - self._started_at < START_SECONDS:
            return
        self._refuse_if_it_failed()
        start_pool(
            self._files, self._url, pool=self.key, slots=self._slots, environment=self._environment
        )
        self._started_at = now

    def want(self, workers: int) -> None:
        if workers > cpus():
            self._files.want(workers)

    def _refuse_if_it_failed(self) -> None:
        if self._started_at == float("-inf"):
            return
        self._started_at = float("-inf")
        raise BackendError(
            f"the pool of workers was started, but does not answer; its log ends with:\n"
            f"{self._files.log_tail()}"
        )


def pool_key(url: str, environment: str = "") -> str:
    """The launch list of this host's pool for a store: one per environment a task could notice.

    `environment` is the name of what stands before the packages that the kernel has.
    """
    place = address.parse(url)
    if place.is_embedded:
        store = str(serverfiles.default_state_dir())
    else:
        store = f"{place.host}:{place.port}{place.path}/{place.db}"
    words = (*_kernel(), store, str(os.getuid()))
    kernel = hashlib.sha256("|".join(words).encode()).hexdigest()[:12]
    return f"process:{os.uname().nodename}:{kernel}{f'+{environment}' if environment else ''}"


def start_pool(files: PoolFiles, url: str, *, pool: str, slots: int, environment: str = "") -> None:
    """Start it and return; it is nobody's child, and has only this process's environment."""
    command = [sys.executable, "-P", "-m", "wfnb.workers", "pool"]
    command += ["--pool", pool, "--slots", str(slots)]
    command += ["--environment", environment] if environment else []
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
def _kernel() -> tuple[str, ...]:
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
