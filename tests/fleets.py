"""A fleet of a test's own: its process, its containers, and runs that they serve."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from tests.waiting import wait_until
from wfnb import Resources
from wfnb.freezing import freeze
from wfnb.plan import Placement, Plan
from wfnb.runner import Connection, Run, start
from wfnb.signing import Signer, load_key
from wfnb.storage import Lane, Store
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.fleetfiles import FLEET_VARIABLE, want_kinds
from wfnb.workers.docker.kinds import FleetTerms, Kind, launch_list
from wfnb.workers.docker.letter import label_of
from wfnb.workers.poolfiles import files_of

SMALL = Resources(memory="128MB")
PATIENCE_SECONDS = 40.0
MOST_WORKERS = 16
"""Of one run; the fleet's own bound is what tests are about."""


class Fleet:
    """`with Fleet(...) as fleet`: its process runs; afterwards nothing of it does."""

    name = "docker"
    sees_files = False
    terms: dict[str, Any] = {}  # noqa: RUF012  a backend's, for runs

    def __init__(self, store: Store, image: str, *, url: str = "embedded", **terms: Any) -> None:
        self.store = store
        self.image = image
        self.url = url
        self.key = f"docker:test:{os.urandom(4).hex()}"
        self.fleet_terms = FleetTerms(key=self.key, **{"workers": 2, **terms})
        self.files = files_of(self.key)
        self.process: subprocess.Popen[bytes] | None = None

    # What a backend is to a run

    def equip(self, plan, tell, **words):
        return plan

    def lanes(self, plan):
        places = [plan.placements[task] for task in plan.graph]
        want_kinds(self.key, [self.kind(place.resources) for place in places])
        return {place.queue: self._lane(place) for place in places}

    def serve(self, plan=None):
        """The test starts it."""

    def work(self, run, *, timeout_seconds):
        """Containers do."""

    def close(self):
        """The test does."""

    def kind(self, resources=SMALL):
        return Kind.of(self.image, resources)

    def list(self, resources=SMALL):
        return launch_list(self.key, self.kind(resources))

    def _lane(self, place):
        limit = MOST_WORKERS if place.worker is None else 1
        return Lane(limit=limit, pool=self.list(place.resources))

    # Its process

    def start(self) -> None:
        command = [sys.executable, "-P", "-m", "wfnb.workers.docker", "fleet", "--key", self.key]
        surroundings = {"WFNB_STORE": self.url, FLEET_VARIABLE: self.fleet_terms.to_json()}
        log = self.files.open_log()
        environment = {**os.environ, **surroundings}
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        os.close(log)
        process = self.process
        wait_until(
            lambda: self.files.pid() == process.pid or process.poll() is not None,
            timeout_seconds=PATIENCE_SECONDS,
            description="the fleet is there, or one was already",
        )

    def kill(self) -> None:
        """As a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def __enter__(self) -> Self:
        load_key(create=True)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(f"the fleet's log:\n{self.files.log_tail()}\n")
        for run in self.store.active_runs():
            self.store.cancel(run)
        self.stop()

    # What a test asks

    def run(self, *tasks: Any, resources: Resources = SMALL, plan: Any = None) -> Run:
        signer = Signer(load_key(create=True))
        connection = Connection(store=self.store, backend=self, signer=signer)
        return start(plan or _planned(freeze(tasks), resources), connection)

    def containers(
        self, resources: Resources | None = None, *, is_running: bool = True
    ) -> list[str]:
        """Ids of those that live, or of all, the newest first."""
        labels = [f"wfnb.pool={self.key}"]
        labels += [] if resources is None else [f"wfnb.kind={self.kind(resources)}"]
        with Daemon(*self.fleet_terms.hosts[:1]) as daemon:
            listed = daemon.client.api.containers(all=not is_running, filters={"label": labels})
        return [about["Id"] for about in listed]

    def at_work(self) -> str:
        """The id of a container that is at a task, as soon as there is one."""
        found: list[str] = []

        def look() -> bool:
            labels = [
                label
                for run in self.store.active_runs()
                for label, seat in self.store.crew(run).items()
                if seat.claims
            ]
            found[:] = [one for one in self.containers() if label_of(one) in labels]
            return bool(found)

        wait_until(look, timeout_seconds=PATIENCE_SECONDS, description="a container is at a task")
        return found[0]

    def announced(self, resources: Resources | None = None) -> dict[str, str]:
        name = self.key if resources is None else self.list(resources)
        return dict(self.store.pools().get(name, {}))


def _planned(graph, resources):
    """Any container may do any task, of this size where a task names none."""
    own = {task: graph.options(task).resources for task in graph}
    sizes = {task: own[task] if own[task] != Resources() else resources for task in graph}
    return Plan(graph, {task: Placement(resources=sizes[task]) for task in graph})


@contextmanager
def inspected(container: str) -> Iterator[dict[str, Any]]:
    with Daemon() as daemon:
        yield daemon.client.api.inspect_container(container)
