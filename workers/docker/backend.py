"""The backend of containers: sees that images and the fleet are there, and says what is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from wfnb.backend import Ground
from wfnb.errors import BackendError
from wfnb.plan import Placement, Plan
from wfnb.preparing import prepare_all
from wfnb.resources import Resources
from wfnb.storage import Lane, RunId, Store
from wfnb.workers.docker.context import this_client
from wfnb.workers.docker.fleetfiles import FLEET_VARIABLE, want_kinds
from wfnb.workers.docker.kinds import FleetTerms, Kind, launch_list
from wfnb.workers.docker.stock import Stock
from wfnb.workers.hostpool import MOST_WORKERS, HostPool, key_of
from wfnb.workers.lanes import lanes_of


def _be_quiet(line: str) -> None:
    del line


class DockerBackend:
    """Workers in containers of the size that the plan says, kept ready by this host's fleet.

    `workers` is how many may serve one queue of a run at once, and how many containers the fleet
    lets work, as many as there are CPUs by default; a living fleet that has fewer grows.
    """

    name = "docker"
    sees_files = False

    def __init__(  # noqa: PLR0913  all that a connection may be told of containers
        self,
        store: Store,
        url: str,
        *,
        workers: int | None = None,
        default: Resources | None = None,
        image: str | None = None,
        hosts: tuple[str, ...] = (),
        build: bool = False,
        fleet: str | None = None,
        tell: Callable[[str], object] = _be_quiet,
    ) -> None:
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            raise BackendError(f"workers={workers}: give a number from 1 to {MOST_WORKERS}")
        self._store = store
        self._url = url
        self._given = workers
        self._default = Placement(resources=default or Resources())
        self._hosts = hosts
        self._stock = Stock(hosts, image=image, is_built=build, tell=tell)
        self._known_fleet = fleet

    @property
    def terms(self) -> Mapping[str, Any]:
        image, hosts = self._stock.worker_image, list(self._hosts)
        return {"image": image, "hosts": hosts, "fleet": self.key}

    @property
    def ground(self) -> Ground:
        """Most workers of a first run must be started; later ones find those of before."""
        pools = (self._launches(self._default),)
        cpus = float(self._stock.cpus)
        return Ground(place="net", pools=pools, workers=self._workers, cpus=cpus)

    def equip(
        self,
        plan: Plan,
        tell: Callable[[str], None],
        *,
        workflow: tuple[str, ...] = (),
        fresh: bool = False,
    ) -> Plan:
        """Install what is required into layers on top of the workers' image."""
        furnish = self._stock.layer
        return prepare_all(plan, tell, workflow=workflow, fresh=fresh, furnish=furnish)

    def lanes(self, plan: Plan) -> Mapping[str, Lane]:
        """Also asks for the containers, for they take longer to come than the graph to write."""
        room = self._stock.room
        lanes = lanes_of(plan, workers=self._workers, room=room, launches=self._launches)
        self.serve(plan)
        return lanes

    def serve(self, plan: Plan | None = None) -> None:
        places = [place for _, place in plan.first_of_each] if plan else [self._default]
        kinds = {self._launches(place): self._kind(place) for place in places}
        want_kinds(self.key, list(kinds.values()))
        self.host_pool.want(plan.at_once(self._workers) if plan else self._workers)
        told = self.host_pool.serve(self._store)
        for name in (self.key, *kinds):
            trouble = told.get(name, {}).get("trouble")
            if trouble:
                raise BackendError(f"no container can be started: {trouble}")

    def work(self, run: RunId, *, timeout_seconds: float) -> None:
        """Workers do it in containers."""

    def close(self) -> None:
        """The fleet stays: other clients may use its containers, and they go when idle."""

    @cached_property
    def key(self) -> str:
        """Of the fleet: the one that has served a run, or this kernel's."""
        return self._known_fleet or fleet_key(self._url, self._hosts)

    @cached_property
    def host_pool(self) -> HostPool:
        """The fleet."""
        terms = FleetTerms(key=self.key, hosts=self._hosts, workers=self._workers)
        command = ["-m", "wfnb.workers.docker", "fleet", "--key", self.key]
        variables = {"WFNB_STORE": self._url, FLEET_VARIABLE: terms.to_json()}
        return HostPool(self.key, command, variables=variables)

    @property
    def _workers(self) -> int:
        return self._given or self._stock.cpus

    def _kind(self, place: Placement) -> Kind:
        return Kind.of(place.environment or self._stock.worker_image, place.resources)

    def _launches(self, place: Placement) -> str:
        return launch_list(self.key, self._kind(place))


def fleet_key(url: str, hosts: tuple[str, ...] = ()) -> str:
    """Of the fleet that serves this user's clients of a store on these daemons."""
    named = hosts or (os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT") or "",)
    # One of another wfnb would not have loaded what this one's workers call in the store.
    return key_of("docker", url, (this_client().digest, *named))
