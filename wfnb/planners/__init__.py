"""Who decides where tasks run: the Planner protocol, and the planners known by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wfnb.errors import PlanError
from wfnb.graph import Graph, TaskId
from wfnb.plan import Plan
from wfnb.planners.uniform import Uniform
from wfnb.resources import Resources


class Predictor(Protocol):
    """What past runs say about a task that has not run yet."""

    def call_seconds(self, graph: Graph, task: TaskId, *, resources: Resources) -> float | None:
        """None when nothing is known."""
        ...


class Planner(Protocol):
    """Places every task of a graph; the same graph and history give the same plan."""

    name: str

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan: ...


PLANNERS: dict[str, Callable[[Resources], Planner]] = {"uniform": Uniform}
"""By name. Each is made from the size of worker that a task gets which asks for none."""


def register(name: str, make: Callable[[Resources], Planner]) -> None:
    """Make a planner known by name, as in `wfnb.run(target, planner=name)`."""
    PLANNERS[name] = make


def planner_named(name: str, default: Resources) -> Planner:
    try:
        return PLANNERS[name](default)
    except KeyError:
        known = ", ".join(sorted(PLANNERS))
        raise PlanError(f"no planner is named {name!r}; there is {known}") from None
