"""Where workers run; implementations live in wfnb.workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wfnb.plan import Plan
from wfnb.signing import Signer
from wfnb.storage import Lane, RunId, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What predictions have to know of where a backend's workers are."""

    place: str
    """"host" where big outputs pass through this host's memory, else "net"."""
    pools: tuple[str, ...]
    """Launch lists, whose start-ups count here."""
    workers: int
    """That may be at work at once."""
    cpus: float
    """Of all of them together."""
    idle: int = 0
    """That are there when a run begins."""


class Backend(Protocol):
    """Makes workers exist for the launches that runs ask for; it never tells them what to do."""

    name: str
    sees_files: bool
    """Whether its workers have this host's files: the user's modules, the folder, shared memory."""

    @property
    def terms(self) -> Mapping[str, Any]:
        """What another client must be told to serve the runs of this one; JSON, mostly {}."""
        ...

    @property
    def ground(self) -> Ground: ...

    def equip(
        self,
        plan: Plan,
        tell: Callable[[str], None],
        *,
        workflow: tuple[str, ...] = (),
        fresh: bool = False,
    ) -> Plan:
        """Have what the tasks require, and `workflow` for all; the plan that says where it is.

        Raises RequirementsError, or BackendError where nothing can be installed.
        """
        ...

    def lanes(self, plan: Plan) -> Mapping[str, Lane]:
        """For each queue of the plan, how many workers may serve it and where to ask for them.

        Raises BackendError for a task that no worker here can have room for.
        """
        ...

    def serve(self, plan: Plan | None = None) -> None:
        """See that launch requests are being met: start a pool if none is alive. Cheap when one is.

        For the workers that this plan needs, or those that most plans do. Raises BackendError with
        the reason if none can be started.
        """
        ...

    def work(self, run: RunId, *, timeout_seconds: float) -> None:
        """Do the run's work in the calling thread, where that is the backend's way; else return."""
        ...

    def close(self) -> None:
        """Let go of what this object holds; workers that others may use go on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a client reaches a run through."""

    store: Store
    backend: Backend
    signer: Signer

    @property
    def about(self) -> dict[str, str]:
        """What another client must know to come back to a run through the same."""
        terms = json.dumps(dict(self.backend.terms))
        return {"backend": self.backend.name, "terms": terms, "key": self.signer.fingerprint}
