"""Who decides where tasks run: the Planner protocol, and the planners known by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from wfnb.errors import PlanError
from wfnb.forecast import Predictor
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.planners.auto import Auto
from wfnb.planners.dasklike import as_dask_would
from wfnb.planners.heuristics import cpop, heft, minmin, peft
from wfnb.planners.listed import Listed, Wukong
from wfnb.planners.nonuniform import Nonuniform
from wfnb.planners.simple import Simple
from wfnb.planners.terms import Terms
from wfnb.planners.uniform import Uniform


class Planner(Protocol):
    """Places every task of a graph; the same graph and history give the same plan."""

    name: str

    def plan(self, graph: Graph, predictor: Predictor | None) -> Plan: ...


PLANNERS: dict[str, Callable[[Terms], Planner]] = {
    "auto": Auto,
    "cpop": partial(Listed, "cpop", cpop),
    "dask": partial(Listed, "dask", as_dask_would),
    "heft": partial(Listed, "heft", heft),
    "minmin": partial(Listed, "minmin", minmin),
    "nonuniform": Nonuniform,
    "peft": partial(Listed, "peft", peft),
    "simple": Simple,
    "uniform": Uniform,
    "wukong": Wukong,
}
"""By name. Each is made from terms: sizes to choose from, workers, caution, time to search."""


def register(name: str, make: Callable[[Terms], Planner]) -> None:
    """Make a planner known by name, as in `wfnb.run(target, planner=name)`."""
    PLANNERS[name] = make


def planner_named(name: str, terms: Terms) -> Planner:
    try:
        return PLANNERS[name](terms)
    except KeyError:
        known = ", ".join(sorted(PLANNERS))
        raise PlanError(f"no planner is named {name!r}; there is {known}") from None
