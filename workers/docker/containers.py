"""The containers of one fleet on one daemon: made, started, told who they are, and taken away."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from wfnb.errors import BackendError
from wfnb.workers.docker import reach
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.hardening import configuration
from wfnb.workers.docker.images import BUILD_COMMAND
from wfnb.workers.docker.kinds import Kind
from wfnb.workers.docker.letter import Letter
from wfnb.workers.docker.reach import Way, way_to

FLEET, KIND, VERSION, MEMORY = "wfnb.pool", "wfnb.kind", "wfnb.version", "wfnb.memory"
"""Labels."""
STOP_SECONDS = 3
LAST_LINES = 12
_EVENTS = ("die", "oom", "kill", "destroy")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a daemon has to give."""

    cpus: int
    memory_bytes: int
    at_seconds: float
    """By its own clock, now."""


@dataclass(frozen=True, slots=True)
class Found:
    """A container as its daemon lists it."""

    id: str
    kind: Kind
    memory_bytes: int
    is_running: bool
    created_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """How a container has ended, as far as its daemon knows."""

    exit_code: int
    was_oom: bool
    """Sticky: also of a process that died long before the container did."""
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to a container."""

    id: str
    what: str
    """die, oom, kill or destroy."""
    at_seconds: float
    code: int = 0
    """Of die the exit code, of kill the signal."""


class Containers:
    """Of one fleet, known by their labels to whoever has its key. Raises BackendError."""

    def __init__(self, daemon: Daemon, fleet: str) -> None:
        self.daemon = daemon
        self._fleet = fleet

    @property
    def is_near(self) -> bool:
        """Whether its containers can be given files of this host: it is asked on a local socket."""
        return str(self.daemon.client.api.base_url) == "http+docker://localhost"

    def machine(self) -> Machine:
        with self.daemon.translated("the Docker daemon does not say what its machine has"):
            about = self.daemon.client.api.info()
        now = datetime.fromisoformat(about["SystemTime"]).timestamp()
        return Machine(int(about["NCPU"]), int(about["MemTotal"]), now)

    def way(self, store_url: str, *, is_open: bool) -> Way:
        gateways = self._gateways()
        if reach.wants_our_network(store_url, gateways):
            self._make_network()
            gateways = self._gateways()
        return way_to(
            store_url,
            is_near=self.is_near,
            gateways=gateways,
            is_open=is_open,
            daemon=self.daemon.name,
        )

    def start(
        self, kind: Kind, *, memory_bytes: int, way: Way, letter: Callable[[str], Letter]
    ) -> str:
        """The id of a container that runs and has got its letter; nothing is left of a failure."""
        labels = {
            FLEET: self._fleet,
            KIND: str(kind),
            VERSION: version("wfnb"),
            MEMORY: str(memory_bytes),
        }
        config = configuration(kind, memory_bytes=memory_bytes, way=way, labels=labels)
        with (
            self.daemon.translated(f"a container of {kind.image} cannot be started"),
            ExitStack() as stack,
        ):
            api = self.daemon.client.api
            made: str = self._created(api, kind, config)
            stack.callback(self.remove, made)
            _begin(api, made, letter(made).to_line())
            stack.pop_all()
        return made

    def found(self) -> list[Found]:
        with self.daemon.translated("containers cannot be listed"):
            listed = self.daemon.client.api.containers(all=True, filters=self._ours())
        return [_found(about) for about in listed]

    def fate(self, container: str) -> Fate | None:
        """None if it is gone."""
        try:
            with self.daemon.translated(f"container {container[:12]} cannot be looked up"):
                about = self.daemon.client.api.inspect_container(container)
        except BackendError as error:
            if _is_missing(error):
                return None
            raise
        state = about["State"]
        memory = int(about["HostConfig"]["Memory"])
        return Fate(exit_code=state["ExitCode"], was_oom=state["OOMKilled"], memory_bytes=memory)

    def last_words(self, container: str) -> str:
        """What it said when the store was not there to hear it; "" if it is gone."""
        with (
            suppress(BackendError),
            self.daemon.translated(f"container {container[:12]} has no log"),
        ):
            said: bytes = self.daemon.client.api.logs(container, tail=LAST_LINES)
            return said.decode(errors="replace").strip()
        return ""

    def stop(self, container: str) -> None:
        """Let it give its work back, then remove it."""
        with suppress(BackendError), self.daemon.translated(f"{container[:12]} cannot be stopped"):
            self.daemon.client.api.stop(container, timeout=STOP_SECONDS)
        self.remove(container)

    def remove(self, container: str) -> None:
        """Also one that runs, and one that is gone."""
        try:
            with self.daemon.translated(f"container {container[:12]} cannot be removed"):
                self.daemon.client.api.remove_container(container, force=True, v=True)
        except BackendError as error:
            # 409: somebody else removes it just now.
            if not _is_missing(error) and _status(error) != 409:
                raise

    def follow(self, since_seconds: float) -> Any:
        """For `notices`: what happens from then on, by the daemon's clock.

        It may be closed from any thread, which ends the reading.
        """
        filters = {**self._ours(), "type": "container", "event": list(_EVENTS)}
        with self.daemon.translated("the Docker daemon tells of no events"):
            since = f"{since_seconds:.6f}"
            return self.daemon.client.api.events(since=since, filters=filters, decode=True)

    def notices(self, stream: Any) -> Iterator[Notice]:
        """Ends, or raises BackendError, when the daemon goes."""
        with self.daemon.translated("the Docker daemon tells of no more events"):
            for entry in stream:
                yield _notice(entry)

    def leave(self) -> None:
        """Take away the network that was made for this fleet, unless somebody else uses it."""
        with suppress(BackendError), self.daemon.translated("networks cannot be removed"):
            for network in self.daemon.client.api.networks(filters=self._ours()):
                self.daemon.client.api.remove_network(network["Id"])

    def _ours(self) -> dict[str, Any]:
        return {"label": f"{FLEET}={self._fleet}"}

    def _created(self, api: Any, kind: Kind, config: Mapping[str, Any]) -> str:
        try:
            with self.daemon.translated(f"a container of {kind.image} cannot be made"):
                name = f"wfnb-{secrets.token_hex(4)}"
                return str(api.create_container_from_config(config, name=name)["Id"])
        except BackendError as error:
            if _is_missing(error) and self.daemon.image(kind.image) is None:
                host = "" if self.daemon.url is None else f" --host {self.daemon.url}"
                message = f"the image {kind.image} is not on {self.daemon.name}: "
                remedy = f"make one with `{BUILD_COMMAND}{host}`"
                raise BackendError(f"{message}{remedy}") from error
            raise

    def _gateways(self) -> dict[str, str]:
        with self.daemon.translated("networks cannot be listed"):
            networks = self.daemon.client.api.networks()
        return {
            part["Gateway"]: network["Name"]
            for network in networks
            if network["Internal"]
            for part in network["IPAM"]["Config"] or ()
            if "Gateway" in part
        }

    def _make_network(self) -> None:
        ipam = {"Driver": "default", "Config": [{"Subnet": reach.SUBNET, "Gateway": reach.GATEWAY}]}
        with self.daemon.translated(f"the network {reach.NETWORK} cannot be made"):
            self.daemon.client.api.create_network(
                reach.NETWORK,
                driver="bridge",
                internal=True,
                check_duplicate=True,
                ipam=ipam,
                labels={FLEET: self._fleet},
            )


def _begin(api: Any, container: str, line: bytes) -> None:
    """Start it with the letter on its standard input, which neither `inspect` nor a log shows."""
    attached = api.attach_socket(container, params={"stdin": 1, "stream": 1})
    with closing(attached), closing(getattr(attached, "_response", attached)):
        plain: socket.socket = getattr(attached, "_sock", attached)
        plain.sendall(line)
        api.start(container)


def _found(about: Mapping[str, Any]) -> Found:
    labels = about["Labels"]
    return Found(
        id=about["Id"],
        kind=Kind.parse(labels[KIND]),
        memory_bytes=int(labels[MEMORY]),
        is_running=about["State"] in ("running", "paused"),
        created_seconds=float(about["Created"]),
    )


def _notice(entry: Mapping[str, Any]) -> Notice:
    what = entry["Action"]
    about = entry["Actor"]["Attributes"]
    code = about.get("exitCode" if what == "die" else "signal", "0")
    at = entry.get("timeNano", time.time_ns()) / 1e9
    return Notice(entry["Actor"]["ID"], what, at, int(code) if code.isdecimal() else 0)


def _is_missing(error: BackendError) -> bool:
    return _status(error) == 404


def _status(error: BackendError) -> int | None:
    """Of the daemon's answer, if it was one."""
    return getattr(error.__cause__, "status_code", None)
