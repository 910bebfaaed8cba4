"""What `wfnb.run` and its like are: the verbs of the default session."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfnb.plan import Plan
from wfnb.resources import Resources
from wfnb.signing import load_key
from wfnb.workers.process import cpus, host_pool

if TYPE_CHECKING:
    from wfnb.listing import RunTable
    from wfnb.planning import Comparison
    from wfnb.runner import Run
    from wfnb.session import Session

_SESSION = "wfnb.session"


def connect(  # noqa: PLR0913  all that a connection may be told
    store: str | None = None,
    backend: str = "process",
    *,
    workers: int | None = None,
    resources: Resources | None = None,
    requirements: str | Iterable[str] = (),
    image: str | None = None,
    hosts: str | Iterable[str] = (),
    build: bool = False,
    configurations: Iterable[Resources] = (),
) -> Session:
    """Use this store and backend from now on. No store means a private Redis, started for you.

    `workers` at most work on a run at once; `resources` is the size of the worker that a task gets
    which asks for none; `requirements` are packages that every task needs, or a requirements.txt.
    For backend "docker", `image` is what containers are made of (none: what `wfnb image build`
    made), `hosts` are other daemons than this machine's, and `build=True` builds what is missing.
    `configurations` are sizes that planners may choose from, for tasks that declare none.
    """
    is_private = store in (None, "embedded")
    is_likely = workers is None or (type(workers) is int and 1 <= workers <= cpus())
    session = _session_for(backend if is_private and is_likely else None, slots=workers)
    return session.connect(
        store,
        backend,
        workers=workers,
        resources=resources,
        requirements=requirements,
        image=image,
        hosts=hosts,
        build=build,
        configurations=configurations,
    )


def run(
    *targets: Any,
    planner: str | None = None,
    sla: str = "mean",
    backend: str | None = None,
    timeout: float | None = None,
    fresh: bool = False,
) -> Any:
    """Plan, run, wait; the target's value, or the values of several in the form given.

    With `fresh`, tasks with `reuse=True` are computed even if nothing has changed.
    """
    session = _session_for(backend or "process")
    return session.run(
        *targets, planner=planner, sla=sla, backend=backend, timeout=timeout, fresh=fresh
    )


def start(
    *targets: Any,
    planner: str | None = None,
    sla: str = "mean",
    backend: str | None = None,
    fresh: bool = False,
) -> Run:
    """Plan, hand over to the workers, and return at once."""
    session = _session_for(backend or "process")
    return session.start(*targets, planner=planner, sla=sla, backend=backend, fresh=fresh)


def plan(*targets: Any, planner: str | None = None, sla: str = "mean") -> Plan:
    """Where each task would run, and after `connect` what that would come to; nothing runs.

    `sla` is how careful predictions are: mean, or a percentile of time such as p90.
    """
    return _session().plan(*targets, planner=planner, sla=sla)


def compare(*targets: Any, planners: Sequence[str] = (), sla: str = "mean") -> Comparison:
    """What every planner, or each of these, would make of it, side by side; nothing runs."""
    return _session().compare(*targets, planners=planners, sla=sla)


def attach(run: str) -> Run:
    """Come back to a run by its id, from any kernel."""
    return _session().attach(run)


def runs() -> RunTable:
    """The runs that the store knows, the latest first."""
    return _session().runs()


def export(path: str | os.PathLike[str], *targets: Any) -> Path:
    """Write the draft, or these tasks, or a graph, plan or run, to a file, as its suffix says.

    .py is a script that runs without a notebook, .json WfFormat 1.5, .mmd Mermaid, .svg a picture.
    """
    return _session().export(path, *targets)


def build() -> None:
    """A form to build tasks by hand, in a notebook; it writes the cell that does the same."""
    _session().build()


def show(thing: Any = None) -> None:
    """Draw a task, graph, plan, run or the draft: a picture in a notebook, elsewhere text."""
    _session().show(thing)


def _session() -> Session:
    session: Session = import_module(_SESSION).default_session()
    return session


def _session_for(backend: str | None, *, slots: int | None = None) -> Session:
    """At the very first, a pool starts while the rest of wfnb is imported: both take long."""
    if _SESSION in sys.modules or backend != "process":
        return _session()
    is_coming = _start_pool("embedded", slots or cpus())
    session = _session()
    if is_coming:
        session.expect_pool()
    return session


def _start_pool(url: str, slots: int) -> bool:
    load_key(create=True)  # workers read it, and must find it
    return host_pool(url, slots=slots).start()
