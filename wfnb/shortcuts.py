"""What `wfnb.run` and its like are: the verbs of the default session."""

from __future__ import annotations

from typing import Any

from wfnb.listing import RunTable
from wfnb.plan import Plan
from wfnb.resources import Resources
from wfnb.runner import Run
from wfnb.session import Session, default_session


def connect(
    store: str | None = None,
    backend: str = "process",
    *,
    workers: int | None = None,
    resources: Resources | None = None,
) -> Session:
    """Use this store and backend from now on. No store means a private Redis, started for you."""
    return default_session().connect(store, backend, workers=workers, resources=resources)


def run(
    *targets: Any,
    planner: str | None = None,
    backend: str | None = None,
    timeout: float | None = None,
) -> Any:
    """Plan, run, wait; the target's value, or the values of several in the form given."""
    return default_session().run(*targets, planner=planner, backend=backend, timeout=timeout)


def start(*targets: Any, planner: str | None = None, backend: str | None = None) -> Run:
    """Plan, hand over to the workers, and return at once."""
    return default_session().start(*targets, planner=planner, backend=backend)


def plan(*targets: Any, planner: str | None = None) -> Plan:
    """Where each task would run; nothing runs."""
    return default_session().plan(*targets, planner=planner)


def attach(run: str) -> Run:
    """Come back to a run by its id, from any kernel."""
    return default_session().attach(run)


def runs() -> RunTable:
    """The runs that the store knows, the latest first."""
    return default_session().runs()


def show(thing: Any = None) -> None:
    """Draw a task, graph, plan, run or the draft: a picture in a notebook, elsewhere text."""
    default_session().show(thing)
