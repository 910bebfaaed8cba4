"""A named worker takes of what is ready what the plan has first: its own script sees to that."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.forecasting import INSTANT, drawn
from tests.plannable import CASES, Case, drawn_at_random, planned
from wfnb.errors import PlanError
from wfnb.forecast import Site
from wfnb.graph import Graph, TaskId
from wfnb.plan import Placement, Plan
from wfnb.role import Role
from wfnb.script import MOST_PREFERRED, Agenda, work
from wfnb.signing import Signer
from wfnb.simulator import Simulated, simulate
from wfnb.steps import Take
from wfnb.storage import Identity, RunId
from wfnb.storage.graphs import load_graph
from wfnb.storage.opening import load_plan, opening_of
from wfnb.storage.records import Lane

SIGNER, RUN = Signer(b"s" * 32), RunId("run")
SITE = Site(link=INSTANT, workers=3, idle=3)


def on_one_worker(graph: Graph, *order: int) -> Plan:
    return Plan(graph, dict.fromkeys(graph, Placement(worker="w1")), order=order)


def agenda(plan: Plan, queue: str = "@w1") -> Agenda:
    return Agenda(Role(plan.graph, Identity("w1:1"), plan.queue_at, queue, plan.order))


def random_case(seed: int) -> Case:
    graph, random = drawn(drawn_at_random(40, seed)), Random(seed)
    seconds = {task: random.uniform(0.5, 5) for task in graph.ids}
    return Case(graph=graph, site=SITE, seconds=seconds, bytes=0.0)


def refuse_others_before(plan: Plan, played: Simulated) -> None:
    """Whenever a worker began a task, none of its own that was ready has an earlier turn."""
    assert plan.order is not None
    graph, order = plan.graph, plan.order
    parts = {part.task: part for part in played.stretches()}
    begun = {task: part.end_seconds - part.execution_seconds for task, part in parts.items()}
    for worker in plan.workers:
        own = [task for task in graph if plan.placements[task].worker == worker]
        for task in own:
            for other in own:
                if order[graph.position[other]] < order[graph.position[task]]:
                    is_late = begun[other] > begun[task]
                    assert not is_late or parts[other].ready_seconds > begun[task] - 1e-9


def test_ready_tasks_are_taken_in_the_plans_order_not_as_they_became_ready() -> None:
    graph = drawn({"a": "", "b": "", "c": "", "d": "a"})
    plan = on_one_worker(graph, 2, 0, 3, 1)
    played = simulate(plan, Case(graph=graph, site=SITE).forecast(graph))
    assert played.order("w1") == ("b", "a", "d", "c")


def test_what_has_just_become_ready_waits_for_its_turn() -> None:
    graph = drawn({"a": "", "b": "a", "c": "", "d": ""})
    played = simulate(on_one_worker(graph, 0, 3, 1, 2), Case(graph=graph).forecast(graph))
    assert played.order("w1") == ("a", "c", "d", "b")


def test_without_an_order_readers_come_first_as_ever() -> None:
    graph = drawn({"a": "", "b": "a", "c": "", "d": ""})
    plan = replace(on_one_worker(graph, 0, 3, 1, 2), order=None)
    assert simulate(plan, Case(graph=graph).forecast(graph)).order("w1") == ("a", "b", "c", "d")


def test_a_worker_does_not_wait_for_a_task_that_is_not_ready() -> None:
    graph = drawn({"a": "", "b": "a", "c": ""})
    places = {"a": Placement(worker="w2"), "b": Placement(worker="w1"), "c": Placement(worker="w1")}
    plan = Plan(graph, places, order=(0, 1, 2))
    its = Case(graph=graph, site=SITE, seconds=1.0)
    assert simulate(plan, its.forecast(graph)).order("w1") == ("c", "b")


@pytest.mark.parametrize("name", ["heft", "peft", "cpop", "minmin", "dask", "auto", "uniform"])
@pytest.mark.parametrize("seed", range(4))
def test_of_what_is_ready_a_worker_takes_what_the_plan_has_first(name: str, seed: int) -> None:
    its = random_case(seed)
    plan = planned(name, its)
    if plan.workers:
        refuse_others_before(plan, simulate(plan, its.forecast(its.graph)))


@pytest.mark.parametrize("seed", range(6))
def test_where_nothing_is_waited_for_the_simulated_order_is_the_plans(seed: int) -> None:
    random = Random(seed)
    graph = drawn({f"a-{n}": "" for n in range(30)})
    seconds = {task: random.uniform(0.5, 5) for task in graph.ids}
    its = Case(graph=graph, site=SITE, seconds=seconds, bytes=0.0)
    plan = planned("heft", its)
    played = simulate(plan, its.forecast(graph))
    assert plan.order is not None
    for worker in plan.workers:
        own = [task for task in graph if plan.placements[task].worker == worker]
        own.sort(key=lambda task: plan.order[graph.position[task]])  # type: ignore[index]
        assert played.order(worker) == tuple(own)


# The agenda


def test_an_agenda_names_the_next_few_of_its_workers_tasks() -> None:
    graph = drawn({f"a-{n}": "" for n in range(40)})
    its = agenda(on_one_worker(graph, *reversed(range(40))))
    assert its.next_few() == [f"a-{n}" for n in range(39, 39 - MOST_PREFERRED, -1)]
    for at in range(20, 40):
        its.begin(at)
    assert its.next_few() == [f"a-{n}" for n in range(19, 3, -1)]
    for at in range(20):
        its.begin(at)
    assert its.next_few() == []


def test_a_task_that_cannot_begin_yet_stays_first_on_the_agenda() -> None:
    graph = drawn({f"a-{n}": "" for n in range(200)})
    its = agenda(on_one_worker(graph, *range(200)))
    for at in range(1, 190):
        its.begin(at)
    assert its.next_few()[:2] == ["a-0", "a-190"]


def test_others_tasks_are_not_on_the_agenda() -> None:
    graph = drawn({"a": "", "b": "", "c": ""})
    places = {"a": Placement(worker="w1"), "b": Placement(worker="w2"), "c": Placement()}
    plan = Plan(graph, places, order=(2, 1, 0))
    assert agenda(plan).next_few() == ["a"]
    assert agenda(plan, "1cpu").next_few() == []


def test_a_flexible_worker_names_nothing_and_so_does_one_without_an_order() -> None:
    graph = drawn({"a": "", "b": ""})
    flexible = Role(graph, Identity("w1:1"), None, "1cpu", (1, 0))
    unordered = Role(graph, Identity("w1:1"), None, "@w1")
    for role in (flexible, unordered):
        step = next(work(role))
        assert isinstance(step, Take)
        assert list(step.prefer) == []


# Where it is kept


def opened(plan: Plan) -> tuple[Plan, tuple[int, ...] | None]:
    """As its client reads it again, and what its workers are told."""
    lanes = {queue: Lane(limit=1, pool="p") for queue in dict.fromkeys(plan.queue_at)}
    opening = opening_of(plan, lanes, run=RUN, signer=SIGNER, about={}, keep_seconds=9)
    order_at = load_graph(opening.graph, SIGNER, RUN).order_at
    again = load_plan(opening.plan, plan.graph, SIGNER, RUN)
    return again, None if order_at is None else tuple(order_at)


def test_the_order_travels_with_the_plan_and_with_the_graph() -> None:
    graph = drawn({"a": "", "b": "", "c": "a"})
    again, told = opened(on_one_worker(graph, 1, 0, 2))
    assert again.order == told == (1, 0, 2)


def test_workers_of_a_flexible_plan_are_told_no_order() -> None:
    graph = drawn({"a": "", "b": ""})
    again, told = opened(Plan(graph, dict.fromkeys(graph, Placement()), order=(1, 0)))
    assert (again.order, told) == ((1, 0), None)


def test_the_first_tasks_are_queued_in_the_plans_order() -> None:
    graph = drawn({"a": "", "b": "", "c": ""})
    plan = on_one_worker(graph, 2, 0, 1)
    lanes = {"@w1": Lane(limit=1, pool="p")}
    opening = opening_of(plan, lanes, run=RUN, signer=SIGNER, about={}, keep_seconds=9)
    assert opening.seed.ready == {"@w1": ["b", "c", "a"]}


def test_an_order_must_have_a_turn_for_each_task() -> None:
    graph = drawn({"a": "", "b": ""})
    with pytest.raises(PlanError, match="an order of 1 turns for 2 tasks"):
        on_one_worker(graph, 0)


@pytest.mark.parametrize("name", ["wukong", "auto"])
def test_a_plan_for_anybody_has_no_order(name: str) -> None:
    plan = planned(name, CASES["no time to search"])
    assert (plan.workers, plan.order) == ((), None)


def test_a_turn_belongs_to_its_task() -> None:
    plan = planned("heft", CASES["random 0"])
    assert plan.order is not None
    assert sorted(plan.order) == list(range(len(plan.graph)))
    position = plan.graph.position
    for task in plan.graph:
        for read in plan.graph.inputs(TaskId(task)):
            assert plan.order[position[read]] < plan.order[position[task]]
