"""Plans on a virtual clock: cases small enough to be computed by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.forecasting import INSTANT, Fixed, drawn
from wfnb.errors import PlanError
from wfnb.forecast import Link, Site
from wfnb.graph import Graph
from wfnb.plan import Placement, Plan
from wfnb.resources import Resources
from wfnb.simulator import CAUSES, Simulated, makespan_of, simulate
from wfnb.storage import Lane
from wfnb.timeline import TaskState

LINK = Link(
    up_latency_seconds=0.01,
    up_bytes_per_second=1e6,
    down_latency_seconds=0.02,
    down_bytes_per_second=2e6,
)
CHAIN = {"a": "", "b": "a", "c": "b"}
FOUR = {"a": "", "b": "", "c": "", "d": ""}


def placed(graph: Graph, workers: str | dict[str, str] = "") -> Plan:
    """On named workers, "w1 w2" in the order of the tasks, or by task; on any without."""
    if isinstance(workers, str):
        workers = dict(zip(graph, workers.split(), strict=False))
    return Plan(graph, {task: Placement(worker=workers.get(task)) for task in graph})


def expected(inputs: dict[str, str], workers: str = "", **words: object) -> Simulated:
    graph = drawn(inputs)
    return simulate(placed(graph, workers), Fixed(graph=graph, **words))  # type: ignore[arg-type]


# Reports and transfers


def test_a_chain_takes_its_calls_and_a_report_after_each() -> None:
    site = Site(link=INSTANT, hand_off_seconds=0.1, warm_seconds=0.5, idle=1)
    found = expected(CHAIN, site=site)
    assert found.makespan_seconds == pytest.approx(0.5 + 3 * 1.1)
    assert (found.cold_starts, found.warm_starts) == (0, 1)


def test_short_tasks_that_follow_each_other_are_reported_together() -> None:
    site = Site(link=INSTANT, hand_off_seconds=0.1)
    assert expected(CHAIN, site=site, seconds=1e-5).makespan_seconds == pytest.approx(0.10003)


def test_an_output_for_another_worker_goes_up_and_comes_down() -> None:
    site = Site(link=LINK, hand_off_seconds=0.1, workers=2, idle=2)
    found = expected({"a": "", "b": "a"}, "w1 w2", site=site, bytes={"a": 1e6})
    up, down = 0.01 + 1.0, 0.02 + 0.5
    assert found.makespan_seconds == pytest.approx(1 + up + 0.1 + down + 1 + 0.1)
    assert (found.up_bytes, found.down_bytes) == (1e6, 1e6)


def test_small_inputs_come_along_with_the_claim_and_cost_no_trip() -> None:
    site = Site(link=LINK, workers=2, idle=2)
    found = expected({"a": "", "b": "a"}, "w1 w2", site=site, bytes={"a": 1e4})
    assert found.makespan_seconds == pytest.approx(1 + 0.01 + 0.005 + 1)


def test_many_small_inputs_are_asked_for_in_one_trip() -> None:
    inputs = {f"a-{n}": "" for n in range(9)}
    graph = drawn(inputs | {"b": " ".join(inputs)})
    site = Site(link=LINK, workers=2, idle=2)
    plan = placed(graph, dict.fromkeys(inputs, "w1") | {"b": "w2"})
    forecast = Fixed(graph=graph, site=site, bytes={"a": 1e4})
    found = simulate(plan, forecast).stretch(graph.ids[-1])
    assert found.download_seconds == pytest.approx(0.02 + 9e4 / 2e6)


def test_a_planned_worker_moves_nothing_that_only_its_own_tasks_read() -> None:
    site = Site(link=LINK, hand_off_seconds=0.1)
    found = expected(CHAIN, "w1 w1 w1", site=site, bytes={"a": 1e6, "b": 1e6})
    assert found.makespan_seconds == pytest.approx(3 * 1.1)
    assert (found.up_bytes, found.down_bytes) == (0, 0)


def test_a_flexible_worker_saves_what_it_reads_next_itself() -> None:
    found = expected({"a": "", "b": "a"}, site=Site(link=LINK), bytes={"a": 1e6})
    assert found.makespan_seconds == pytest.approx(1 + 1.01 + 1)
    assert (found.up_bytes, found.down_bytes) == (1e6, 0)


def test_making_bytes_of_values_and_values_of_bytes_takes_time() -> None:
    link = replace(INSTANT, dump_bytes_per_second=1e6, load_bytes_per_second=2e6)
    found = expected({"a": "", "b": "a"}, site=Site(link=link), bytes={"a": 1e6})
    assert found.makespan_seconds == pytest.approx(1 + 1 + 0.5 + 1)
    assert found.timeline["b"].sample.load_seconds == pytest.approx(0.5)  # type: ignore[union-attr]
    assert found.timeline["a"].sample.save_seconds == pytest.approx(1.0)  # type: ignore[union-attr]


# What is shared


def test_two_flows_share_the_store_until_the_smaller_one_is_over() -> None:
    link = replace(INSTANT, up_bytes_per_second=1e6, down_bytes_per_second=1e6)
    site = Site(link=link, store_bytes_per_second=1e6, workers=3, idle=3)
    found = expected(
        {"a": "", "b": "", "c": "a b"}, "w1 w2 w3", site=site, bytes={"a": 1e6, "b": 5e5}
    )
    assert found.stretch("b").upload_seconds == pytest.approx(1.0)  # type: ignore[arg-type]
    assert found.stretch("a").upload_seconds == pytest.approx(1.5)  # type: ignore[arg-type]
    assert found.makespan_seconds == pytest.approx(1 + 1.5 + 1.5 + 1)


def test_ups_and_downs_do_not_share() -> None:
    link = replace(INSTANT, up_bytes_per_second=1e6, down_bytes_per_second=1e6)
    site = Site(link=link, store_bytes_per_second=1e6, workers=3, idle=3)
    inputs = {"a": "", "b": "a", "c": "", "d": "c"}
    workers = {"a": "w1", "b": "w2", "c": "w3", "d": "w1"}
    graph = drawn(inputs)
    forecast = Fixed(
        graph=graph, site=site, seconds={"a": 1, "b": 1, "c": 2, "d": 1}, bytes={"a": 1e6, "c": 1e6}
    )
    found = simulate(placed(graph, workers), forecast)
    assert found.stretch("b").download_seconds == pytest.approx(1.0)  # type: ignore[arg-type]
    assert found.stretch("c").upload_seconds == pytest.approx(1.0)  # type: ignore[arg-type]


def test_calls_share_the_cpus_when_there_are_too_few() -> None:
    site = Site(link=INSTANT, workers=4, idle=4, cpus=2)
    assert expected(FOUR, site=site).makespan_seconds == pytest.approx(2.0)


def test_calls_that_wait_for_something_else_do_not_share_cpus() -> None:
    site = Site(link=INSTANT, workers=4, idle=4, cpus=2)
    assert expected(FOUR, site=site, cpu=0.0).makespan_seconds == pytest.approx(1.0)
    assert expected(FOUR, site=site, cpu=0.5).makespan_seconds == pytest.approx(1.0)


# Workers


def test_no_more_workers_are_at_work_at_once_than_there_may_be() -> None:
    found = expected(FOUR, site=Site(link=INSTANT, workers=2))
    assert found.makespan_seconds == pytest.approx(2.0)
    assert found.workers == ("w1", "w2")


def test_a_fan_out_takes_those_that_are_idle_and_starts_the_others() -> None:
    site = Site(link=INSTANT, workers=2, idle=1, warm_seconds=0.1, cold_seconds=2.0)
    found = expected(FOUR, site=site)
    assert found.makespan_seconds == pytest.approx(3.1)
    assert (found.cold_starts, found.warm_starts) == (1, 1)
    assert found.order("w1") == ("a", "b", "d")


def test_a_worker_that_has_left_meets_the_next_launch_warm() -> None:
    site = Site(link=INSTANT, workers=1, warm_seconds=0.1, cold_seconds=2.0)
    found = expected({"a": "", "b": "a"}, "w1 w2", site=replace(site, workers=2))
    assert found.makespan_seconds == pytest.approx(2.0 + 1 + 0.1 + 1)
    assert (found.cold_starts, found.warm_starts) == (1, 1)
    assert len(found.timeline.crew.labels) == 2


def test_lanes_of_a_backend_say_how_many_may_serve_a_queue() -> None:
    graph = drawn(FOUR)
    forecast = Fixed(graph=graph, site=Site(link=INSTANT, workers=4, idle=4))
    lanes = {"1cpu": Lane(limit=1, pool="p")}
    assert simulate(placed(graph), forecast, lanes=lanes).makespan_seconds == pytest.approx(4.0)


def test_workers_of_another_pool_make_way_when_there_is_no_room() -> None:
    graph = drawn({"a": "", "b": "a"})
    places = {"a": Placement(), "b": Placement(environment="pandas")}
    site = Site(link=INSTANT, workers=1, idle=1, warm_seconds=0.1, cold_seconds=2.0)
    found = simulate(Plan(graph, places), Fixed(graph=graph, site=site))
    assert found.makespan_seconds == pytest.approx(0.1 + 1 + 2.0 + 1)


def test_a_plan_that_nobody_may_execute_is_refused_by_name() -> None:
    graph = drawn({"a": "", "b": "a"})
    lanes = {"1cpu": Lane(limit=0, pool="p")}
    with pytest.raises(PlanError, match="nobody may ever execute a, b"):
        simulate(placed(graph), Fixed(graph=graph), lanes=lanes)


def test_named_workers_that_wait_leave_room_for_others() -> None:
    graph = drawn({"a": "", "b": "", "c": "a b", "d": "c", "e": "c"})
    plan = placed(graph, {"a": "one", "b": "two", "d": "one", "e": "two"})
    assert makespan_of(plan, Fixed(graph=graph, site=Site(link=INSTANT, workers=2))) == 3.0


def test_a_container_of_one_size_is_not_warm_for_another() -> None:
    graph = drawn({"a": "", "b": "a"})
    places = {"a": Placement(), "b": Placement(resources=Resources(cpus=2))}
    site = Site(link=INSTANT, workers=2, warm_seconds=0.1, cold_seconds=2.0)
    forecast = Fixed(graph=graph, site=site)
    assert makespan_of(Plan(graph, places), forecast) == pytest.approx(2.0 + 1 + 0.1 + 1)
    sized = replace(forecast, site=replace(site, is_sized=True))
    assert makespan_of(Plan(graph, places), sized) == pytest.approx(2.0 + 1 + 2.0 + 1)


def test_an_empty_graph_is_over_at_once() -> None:
    graph = drawn({})
    found = simulate(Plan(graph, {}), Fixed(graph=graph))
    assert (found.makespan_seconds, found.critical_path) == (0.0, ())


# What is told of it


def diamond() -> Simulated:
    site = Site(
        link=LINK,
        store_bytes_per_second=1.5e6,
        hand_off_seconds=0.1,
        warm_seconds=0.3,
        cold_seconds=0.7,
        workers=3,
        idle=1,
    )
    inputs = {"a": "", "b": "a", "c": "a", "d": "b c", "e": "d"}
    return expected(inputs, site=site, seconds={"c": 2.0}, bytes=5e5)


def test_the_critical_path_adds_up_to_the_makespan() -> None:
    found = diamond()
    path = found.critical_path
    assert [part.task for part in path] == ["a", "c", "d", "e"]
    assert path[0].ready_seconds == 0.0
    assert path[-1].end_seconds == pytest.approx(found.makespan_seconds)
    for before, part in pairwise(path):
        assert before.end_seconds == pytest.approx(part.ready_seconds)
    assert set(found.causes) == set(CAUSES)
    assert sum(found.causes.values()) == pytest.approx(found.makespan_seconds)


def test_waits_are_told_by_their_cause() -> None:
    site = Site(link=INSTANT, workers=1, cold_seconds=2.0)
    found = expected({"a": "", "b": ""}, site=site)
    assert (found.stretch("a").start_seconds, found.stretch("a").queue_seconds) == (2.0, 0.0)  # type: ignore[arg-type]
    assert (found.stretch("b").start_seconds, found.stretch("b").queue_seconds) == (2.0, 1.0)  # type: ignore[arg-type]


def test_no_cause_is_negative() -> None:
    for part in diamond().stretches():
        assert all(part.seconds(cause) >= -1e-9 for cause in CAUSES)


def test_the_timeline_is_that_of_a_run_that_is_done() -> None:
    found = diamond()
    timeline = found.timeline
    assert timeline.status == "done"
    assert timeline.end_seconds == found.makespan_seconds
    assert set(timeline.counts) == {TaskState.DONE}
    assert {span.worker for span in timeline.spans} == {"w1", "w2"}
    spans = {span.task: span for span in timeline.spans}
    for at, task in enumerate(found.graph):
        for read in found.graph.inputs_at[at]:
            assert spans[found.graph.ids[read]].end_seconds <= spans[task].start_seconds  # type: ignore[operator]


def test_costs_are_counted() -> None:
    graph = drawn({"a": "", "b": "a"})
    size = Placement(resources=Resources(cpus=2, memory="2GB"))
    forecast = Fixed(graph=graph, cpu=1.5, scales=True)
    found = simulate(Plan(graph, dict.fromkeys(graph, size)), forecast)
    assert found.cpu_seconds == pytest.approx(3.0)
    assert found.gb_seconds == pytest.approx(2 * 2 * 0.5)
    assert found.worker_seconds == pytest.approx(1.0)


def test_the_cheap_question_has_the_same_answer() -> None:
    graph = drawn({"a": "", "b": "a", "c": "a", "d": "b c"})
    forecast = Fixed(graph=graph, site=Site(link=LINK, workers=2), bytes=1e5)
    plan = placed(graph)
    assert makespan_of(plan, forecast) == simulate(plan, forecast).makespan_seconds


# Determinism

SCRIPT = """
from dataclasses import replace
from tests.forecasting import NOWHERE, Fixed, drawn
from wfnb.plan import Placement, Plan
from wfnb.simulator import simulate

def wide(seed):
    inputs = {f"a-{n}": "" for n in range(6)} | {f"b-{n}": f"a-{n} a-{n % 5}" for n in range(5)}
    graph = drawn(inputs)
    site = replace(NOWHERE, workers=3, store_bytes_per_second=1e5, hand_off_seconds=0.01)
    plan = Plan(graph, dict.fromkeys(graph, Placement()))
    return simulate(plan, Fixed(graph=graph, site=site, bytes=1e5), seed=seed)

def told(found):
    return f"{found.makespan_seconds!r} {[found.order(worker) for worker in found.workers]}"
"""
names: dict[str, Any] = {}
exec(SCRIPT, names)  # the very same here and in another process
wide, told = names["wide"], names["told"]


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_every_process_gives_the_same_answer(hash_seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{SCRIPT}print(told(wide(0)))"],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == told(wide(0))


def test_a_seed_shuffles_only_what_happens_at_the_same_instant() -> None:
    shares = [told(wide(seed)) for seed in (0, 1, 2, 3, 3)]
    assert len(set(shares)) > 1
    assert shares[-1] == shares[-2]
