"""The backend of local processes: sees that this host has pools, and says who may ask them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from wfnb.backend import Ground
from wfnb.errors import BackendError
from wfnb.plan import Placement, Plan
from wfnb.preparing import prepare_all
from wfnb.storage import Lane, RunId, Store, address
from wfnb.workers.hostpool import MOST_WORKERS, HostPool, key_of
from wfnb.workers.lanes import Room, lanes_of


class ProcessBackend:
    """Workers on this host, in pools that all its clients share: one for each environment.

    `workers` is how many may serve one queue of a run at once, as many as there are CPUs by
    default; a living pool that has fewer grows.
    """

    name = "process"
    sees_files = True
    terms: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, store: Store, url: str, *, workers: int | None = None) -> None:
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            raise BackendError(f"workers={workers}: give a number from 1 to {MOST_WORKERS}")
        self._store = store
        self._url = url
        self._workers = workers or cpus()
        self.pool = pool_key(url)
        self._pools: dict[str, HostPool] = {}

    def lanes(self, plan: Plan) -> Mapping[str, Lane]:
        room = Room(cpus(), memory_bytes())
        lanes = lanes_of(plan, workers=self._workers, room=room, launches=self._launches)
        wanted = plan.at_once(self._workers)
        if wanted > cpus():
            for environment in plan.environments:
                self._pool(environment).want(wanted)
        return lanes

    @property
    def ground(self) -> Ground:
        place = "host" if address.parse(self._url).is_local else "net"
        return Ground(
            place=place,
            pools=(self.pool,),
            workers=self._workers,
            cpus=cpus(),
            idle=self._workers,
        )

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

    @property
    def host_pool(self) -> HostPool:
        """The one for tasks that require nothing."""
        return self._pool("")

    def _launches(self, placement: Placement) -> str:
        return self._pool(placement.environment).key

    def _pool(self, environment: str) -> HostPool:
        if environment not in self._pools:
            self._pools[environment] = host_pool(self._url, environment, slots=self._workers)
        return self._pools[environment]


def pool_key(url: str, environment: str = "") -> str:
    """The launch list of this host's pool for a store: one per environment a task could notice.

    `environment` is the name of what stands before the packages that the kernel has.
    """
    return key_of("process", url, (sys.prefix,)) + (f"+{environment}" if environment else "")


def host_pool(url: str, environment: str = "", *, slots: int) -> HostPool:
    key = pool_key(url, environment)
    command = ["-m", "wfnb.workers", "pool", "--pool", key, "--slots", str(slots)]
    command += ["--environment", environment] if environment else []
    return HostPool(key, command, variables={"WFNB_STORE": url})


def cpus() -> int:
    """Those that this process may use, not those the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
