"""Planners: known by name, and every one places every task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from wfnb.errors import PlanError
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.language import task
from wfnb.plan import Placement, Plan
from wfnb.planners import PLANNERS, planner_named, register
from wfnb.planners.terms import Terms
from wfnb.resources import Resources

BIG = Resources(cpus=2, memory="1GiB")


@task
def small(*inputs: Any) -> None: ...


@task(resources=BIG)
def big(*inputs: Any) -> None: ...


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(PLANNERS)
    yield
    PLANNERS.clear()
    PLANNERS.update(before)


def graph() -> Graph:
    return freeze([big(small(), small())])


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_every_planner_places_every_task(name: str) -> None:
    plan = planner_named(name, Terms()).plan(graph(), None)
    assert set(plan.placements) == set(graph())
    assert plan.planner == name


def test_uniform_binds_no_task_to_a_worker_and_gives_it_what_it_declares() -> None:
    plan = planner_named("uniform", Terms()).plan(graph(), None)
    assert plan.placements["big-0"].resources == BIG
    assert plan.placements["small-0"].resources == Resources()
    assert plan.workers == ()


def test_a_task_that_declares_nothing_gets_the_size_asked_for() -> None:
    plan = planner_named("uniform", Terms(default=Resources(memory="1GB"))).plan(graph(), None)
    assert plan.placements["small-0"].resources == Resources(memory="1GB")
    assert plan.placements["big-0"].resources == BIG


def test_an_unknown_planner_is_named_with_those_there_are() -> None:
    with pytest.raises(PlanError, match="no planner is named 'best'; there is auto"):
        planner_named("best", Terms())


@pytest.mark.usefixtures("registry")
def test_a_planner_of_ones_own_is_registered_by_name() -> None:
    class Alone:
        name = "alone"

        def plan(self, graph: Graph, predictor: object) -> Plan:
            return Plan(graph, dict.fromkeys(graph, Placement(worker="w1")), planner=self.name)

    register("alone", lambda terms: Alone())
    assert planner_named("alone", Terms()).plan(graph(), None).workers == ("w1",)


def test_a_plan_that_forgets_a_task_cannot_exist() -> None:
    with pytest.raises(PlanError, match="placed 2 tasks nowhere"):
        Plan(graph(), {graph().ids[0]: Placement()})
