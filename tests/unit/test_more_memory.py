"""Where an attempt goes that follows one which ran out of memory, and what its limit is."""

from __future__ import annotations

from typing import Any

import pytest

from wfnb import task
from wfnb.batch import Batch
from wfnb.errors import OptionError
from wfnb.freezing import freeze
from wfnb.graph import Graph, Options
from wfnb.language import TaskFunction
from wfnb.plan import Placement, Plan, memory_of, resized, with_more_memory
from wfnb.planners.listed import Wukong
from wfnb.planners.terms import Terms
from wfnb.resources import Resources
from wfnb.role import Role
from wfnb.signing import Signer
from wfnb.steps import Called
from wfnb.storage import Identity, Lane, Opening, RunId
from wfnb.storage.graphs import load_graph
from wfnb.storage.opening import opening_of
from wfnb.workers.bench import options_in

SIGNER = Signer(bytes(32))
RUN = RunId("r")


@task(resources=Resources(cpus=2, memory="100MB"), more_memory=1.5)
def hungry(number: int = 0) -> int:
    return number


@task(resources=Resources(cpus=2, memory="100MB"))
def modest(number: int) -> int:
    return number


@task(more_memory=3)
def unlimited(number: int = 0) -> int:
    return number


def opened(graph: Graph) -> Opening:
    plan = Wukong(Terms()).plan(graph, None)
    lanes = {place.queue: Lane(limit=1, pool="pool") for _, place in plan.first_of_each}
    words = {"run": RUN, "signer": SIGNER, "about": {}, "keep_seconds": 100}
    return opening_of(plan, lanes, **words)


@pytest.mark.parametrize("factor", [1, 0.5, True, "2", float("inf"), float("nan")])
def test_what_is_no_factor_above_one_is_refused(factor: object) -> None:
    with pytest.raises(OptionError, match=r"more_memory=.*above 1, such as 1\.5"):
        task(more_memory=factor)(print)


@pytest.mark.parametrize("cpus", [1, 0.5, 1e-5, 64])
@pytest.mark.parametrize("memory", [None, "512MB", 7, "2GiB"])
@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("environment", ["", "env-12cpu-34"])
def test_a_queue_tells_the_memory_of_its_workers(
    *, cpus: float, memory: str | None, network: bool, environment: str
) -> None:
    resources = Resources(cpus=cpus, memory=memory, network=network)
    queue = Placement(resources=resources, environment=environment).queue
    assert memory_of(queue) == resources.memory_bytes


def test_a_named_workers_queue_tells_nothing_of_its_memory() -> None:
    assert memory_of(Placement(resources=Resources(memory="1GB"), worker="1cpu-5").queue) is None


@pytest.mark.parametrize("memory_bytes", [1, 150_000_000, 402_653_184, 3 * 2**30])
def test_a_size_is_said_in_words_only_if_they_are_exact(memory_bytes: int) -> None:
    made = resized(Resources(cpus=2, memory="1MB"), memory_bytes)
    assert (made.cpus, made.memory_bytes) == (2, memory_bytes)
    assert resized(Resources(), 150_000_000).memory == "150MB"


def test_more_memory_is_all_that_differs() -> None:
    placement = Placement(resources=Resources(2, "100MB"), worker="w1", environment="env")
    more = with_more_memory(placement, Options(more_memory=1.5))
    assert more == Placement(resources=Resources(2, "150MB"), environment="env")
    assert with_more_memory(placement, Options()) is None
    assert with_more_memory(Placement(), Options(more_memory=1.5)) is None


def test_a_plan_names_every_size_that_an_attempt_may_have() -> None:
    plan = Wukong(Terms()).plan(freeze([modest(hungry()), unlimited()]), None)
    sizes = [(task, place.resources.memory) for task, place in plan.first_of_each]
    assert sizes == [
        ("hungry-0", "100MB"),
        ("modest-0", "100MB"),
        ("unlimited-0", None),
        ("hungry-0", "150MB"),
    ]
    assert [*plan.sizes] == ["2cpu-100000000", "1cpu", "2cpu-150000000"]


def test_a_map_may_have_more_memory_for_its_items() -> None:
    plan = Wukong(Terms()).plan(freeze([hungry.map([1, 2])]), None)
    more = [task for task, place in plan.first_of_each if place.resources.memory == "150MB"]
    opening = opened(plan.graph)
    assert more == ["hungry-0"]
    assert {task: policy.more for task, policy in opening.policies.items()} == {
        "hungry-0": "2cpu-150000000"
    }


def test_a_run_is_opened_with_where_there_is_more() -> None:
    opening = opened(freeze([modest(hungry()), unlimited()]))
    assert {task: policy.more for task, policy in opening.policies.items() if policy.more} == {
        "hungry-0": "2cpu-150000000"
    }


def test_there_is_no_more_where_the_backend_has_no_room_for_it() -> None:
    plan = Wukong(Terms()).plan(freeze([hungry()]), None)
    lanes = {"2cpu-100000000": Lane(limit=1, pool="pool")}
    opening = opening_of(plan, lanes, run=RUN, signer=SIGNER, about={}, keep_seconds=100)
    assert [policy.more for policy in opening.policies.values()] == [""]


def test_workers_with_more_know_that_other_tasks_are_not_theirs() -> None:
    """Though all of them are in one queue."""
    opening = opened(freeze([modest(hungry())]))
    stored = load_graph(opening.graph, SIGNER, RUN)
    role = Role(stored.graph, Identity("w1:1"), stored.queue_at, "2cpu-150000000")
    assert not any(map(role.may_take, range(len(stored.graph))))


def test_what_may_need_more_is_claimed_before_it_starts_and_its_inputs_are_stored() -> None:
    graph = freeze([unlimited(modest(1))])
    plan = Plan(graph, dict.fromkeys(graph, Placement(worker="w1")))
    role = Role(graph, Identity("w1:1"), plan.queue_at, "@w1")
    at = graph.position["unlimited-0"]
    assert role.is_limited(at)
    assert role.may_move(at)


@pytest.mark.parametrize(("reader", "is_held"), [(unlimited, False), (modest, True)])
def test_what_may_be_read_elsewhere_is_not_held_by_a_named_worker(
    *, reader: TaskFunction[..., Any], is_held: bool
) -> None:
    graph = freeze([reader(modest(1))])
    plan = Plan(graph, dict.fromkeys(graph, Placement(worker="w1")))
    batch = Batch(Role(graph, Identity("w1:1"), plan.queue_at, "@w1"))
    batch.add(0, 1, Called(is_ok=True, seconds=0.1), became=False)
    assert [record.held for record in batch.to_save()] == [is_held]


@pytest.mark.parametrize(
    ("queue", "memory"),
    [("2cpu-100000000", "100MB"), ("2cpu-150000000", "150MB"), ("2cpu", "100MB"), ("@w1", "100MB")],
)
def test_the_limit_of_an_attempt_is_that_of_the_queue_it_was_claimed_from(
    queue: str, memory: str
) -> None:
    options = options_in(queue, hungry.described.options)
    assert options.resources == Resources(2, memory)


def test_a_task_without_a_limit_gets_none_by_its_queue() -> None:
    """It may start before it is claimed, and could not be told of then."""
    options = unlimited.described.options
    assert options_in("1cpu-500000000", options) is options
