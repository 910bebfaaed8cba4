"""Planners: known by name, and every one places every task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.forecasting import drawn
from tests.plannable import Case
from wfnb.errors import PlanError
from wfnb.freezing import freeze
from wfnb.graph import Graph, Options, TaskId
from wfnb.language import task
from wfnb.plan import Placement, Plan
from wfnb.planners import PLANNERS, planner_named, register
from wfnb.planners.terms import Terms
from wfnb.resources import Resources
from wfnb.simulator import simulate

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


# What is no plan


def four(*workers: str | None, **words: Any) -> Plan:
    return Plan(
        drawn(dict.fromkeys("abcd", "")),
        {
            TaskId(name): Placement(worker=worker)
            for name, worker in zip("abcd", workers, strict=True)
        },
        **words,
    )


def test_a_worker_has_one_size() -> None:
    its = drawn({"a": "", "b": ""})
    places = {
        TaskId("a"): Placement(worker="w1"),
        TaskId("b"): Placement(worker="w1", resources=BIG),
    }
    with pytest.raises(PlanError, match=r"w1 is 1 cpu for a, but b wants 2 cpus.*different worker"):
        Plan(its, places)


def test_a_worker_has_one_environment() -> None:
    its = drawn({"a": "", "b": ""})
    places = {
        TaskId("a"): Placement(worker="w1"),
        TaskId("b"): Placement(worker="w1", environment="x"),
    }
    with pytest.raises(PlanError, match="b needing nothing: put them on different workers"):
        Plan(its, places)


def test_a_task_that_the_graph_has_not_is_named() -> None:
    its = drawn({"a": ""})
    with pytest.raises(PlanError, match="placed b, and the graph has no such task"):
        Plan(its, {TaskId("a"): Placement(), TaskId("b"): Placement()})


@pytest.mark.parametrize("worker", ["", "a b", "w:1", "@w1", "ä", "w" * 65])
def test_a_workers_name_is_one_that_queues_can_have(worker: str) -> None:
    with pytest.raises(PlanError, match="b is on a worker named"):
        four("w1", worker, None, "w2")


def test_more_workers_than_a_pool_can_have_are_refused() -> None:
    its = drawn({f"a-{n}": "" for n in range(65)})
    places = {task: Placement(worker=f"w{at}") for at, task in enumerate(its)}
    with pytest.raises(PlanError, match="names 65 workers, and there may be 64: put more"):
        Plan(its, places)
    last = its.ids[-1]
    with pytest.raises(PlanError, match="names 64 workers, and there may be 63 beside tasks for"):
        Plan(its, places | {last: Placement()})
    assert len(Plan(its, places | {last: Placement(worker="w0")}).workers) == 64


def test_there_is_room_for_those_who_wait_and_for_those_they_wait_for() -> None:
    assert four("w1", "w2", "w3", None).at_once(2) == 5
    assert four("w1", "w2", "w3", "w1").at_once(2) == 3
    assert four("w1", "w2", "w1", "w1").at_once(4) == 4
    assert four(None, None, None, None).at_once(4) == 4


def test_a_task_that_may_move_to_more_memory_needs_room_besides() -> None:
    hungry = Resources(memory="100MB")
    options = Options(resources=hungry, more_memory=2.0)
    its = drawn({"a": ""})
    its = replace(its, functions=(replace(its.functions[0], options=options),))
    place = Placement(worker="w1", resources=hungry)
    assert Plan(its, {TaskId("a"): place}).at_once(1) == 2


def test_a_plan_that_leaves_a_task_to_anybody_ends_though_all_named_workers_wait() -> None:
    inputs = {"a": "", "b": "", "m": "a b", "d": "m a", "e": "m b"}
    workers = {"a": "w1", "b": "w2", "d": "w1", "e": "w2"}
    its = Case(graph=drawn(inputs)).at(workers=2)
    plan = Plan(its.graph, {task: Placement(worker=workers.get(task)) for task in its.graph})
    assert {part.worker for part in simulate(plan, its.forecast(its.graph)).stretches()} == {
        "w1",
        "w2",
        "w3",
    }
