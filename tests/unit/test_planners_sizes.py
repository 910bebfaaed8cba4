"""Planners with sizes to choose from: what is cheaper must not be later, nor the reverse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.forecasting import INSTANT, drawn
from tests.plannable import Case, drawn_at_random, sized
from wfnb.forecast import Site
from wfnb.plan import Plan
from wfnb.planners import planner_named
from wfnb.planners.scoring import best_of, cost_of
from wfnb.planners.terms import Terms, strength
from wfnb.resources import Resources
from wfnb.simulator import Simulated, simulate

BIG, MIDDLE, SMALL = (
    Resources(cpus=4, memory="4GB"),
    Resources(cpus=2, memory="2GB"),
    Resources(cpus=1, memory="1GB"),
)
SITE = Site(link=INSTANT, workers=2, idle=2)
LONG_AND_SHORT = {"a": "", "b": "a", "c": "", "d": "b c"}
SECONDS = {"a": 4.0, "b": 4.0, "c": 1.0, "d": 4.0}


def case(inputs: dict[str, str], seconds: Any, *sizes: Resources, workers: int = 2) -> Case:
    its = Case(graph=drawn(inputs), site=SITE, seconds=seconds, bytes=0.0).at(workers=workers)
    return its.among(*sizes)


def planned(name: str, its: Case) -> tuple[Plan, Simulated]:
    plan = planner_named(name, its.terms).plan(its.graph, its)
    return plan, simulate(plan, its.forecast(its.graph))


def with_one_size(name: str, its: Case) -> Simulated:
    """With no other size than the largest."""
    return planned(name, its.among(its.terms.largest))[1]


@pytest.mark.parametrize("name", ["simple", "nonuniform"])
def test_what_nobody_waits_for_gets_the_smallest_size_that_is_still_in_time(name: str) -> None:
    """The branch a, b takes 2 s on the largest; c takes 1 s on the smallest."""
    plan, played = planned(name, case(LONG_AND_SHORT, SECONDS, SMALL, BIG))
    assert {task: plan.placements[task].resources for task in plan.graph} == {
        "a": BIG,
        "b": BIG,
        "c": SMALL,
        "d": BIG,
    }
    assert played.makespan_seconds == pytest.approx(3.0)


def test_a_task_that_would_be_late_on_the_smallest_gets_one_in_between() -> None:
    its = case(LONG_AND_SHORT, SECONDS | {"c": 3.0}, SMALL, MIDDLE, BIG)
    plan, played = planned("simple", its)
    assert plan.placements["c"].resources == MIDDLE
    assert played.makespan_seconds == pytest.approx(3.0)


@pytest.mark.parametrize("name", ["simple", "nonuniform"])
@pytest.mark.parametrize("seed", range(6))
def test_smaller_sizes_make_it_cheaper_and_not_later(name: str, seed: int) -> None:
    graph = drawn_at_random(25, seed)
    seconds = {task: 0.5 + (at * 7 % 5) for at, task in enumerate(graph)}
    its = case(graph, seconds, SMALL, MIDDLE, BIG, workers=4)
    before, (_, after) = with_one_size(name, its), planned(name, its)
    assert after.makespan_seconds <= before.makespan_seconds * (1 + 1e-9)
    assert cost_of(after) <= cost_of(before) * (1 + 1e-9)


@pytest.mark.parametrize("name", ["simple", "nonuniform"])
def test_a_queue_before_smaller_workers_counts(name: str) -> None:
    """Ways through the graph alone would let all of these be small, as if they were alone."""
    inputs = {"a": ""} | {f"b-{n}": "" for n in range(6)} | {"c": "a"}
    its = case(inputs, {"a": 8.0, "b": 4.0, "c": 8.0}, SMALL, BIG)
    before, (_, after) = with_one_size(name, its), planned(name, its)
    assert after.makespan_seconds <= before.makespan_seconds * (1 + 1e-9)


def test_nonuniform_gives_a_larger_size_where_that_pays() -> None:
    """A task that is as fast on one CPU stays small; nothing is gained by four."""
    its = case({"a": "", "b": "a"}, 1.0, SMALL, BIG, workers=1)
    plan, played = planned("nonuniform", its)
    assert {place.resources for place in plan.placements.values()} == {BIG}
    assert played.makespan_seconds == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["simple", "nonuniform", "uniform", "auto"])
def test_a_declared_size_is_never_changed(name: str) -> None:
    graph = sized(LONG_AND_SHORT, c=BIG)
    its = Case(graph=graph, site=SITE, seconds=SECONDS, bytes=0.0).among(SMALL, MIDDLE)
    plan, _ = planned(name, its)
    assert plan.placements["c"].resources == BIG
    assert {plan.placements[task].resources for task in "abd"} <= {SMALL, MIDDLE}


def test_uniform_takes_the_size_that_is_done_first() -> None:
    plan, _ = planned("uniform", case(LONG_AND_SHORT, SECONDS, SMALL, BIG, MIDDLE))
    assert {place.resources for place in plan.placements.values()} == {BIG}


def test_auto_is_no_later_than_any_other_planner() -> None:
    its = case(drawn_at_random(30, 1), {"a": 1.0, "b": 4.0, "c": 2.0}, MIDDLE, BIG, workers=3)
    roomy = Case(
        graph=its.graph,
        site=its.site,
        seconds=its.seconds,
        bytes=0.0,
        terms=Terms(configurations=its.terms.configurations, budget_seconds=0.2),
    )
    _, best = planned("auto", roomy)
    for name in ("heft", "peft", "cpop", "minmin", "dask", "wukong"):
        other = planned(name, roomy)[1].makespan_seconds
        assert best.makespan_seconds <= other * (1 + 1e-9), name


def test_cost_is_memory_times_seconds_and_where_that_is_not_limited_cpus_times_seconds() -> None:
    its = case({"a": ""}, 4.0, BIG, workers=1)
    assert cost_of(planned("heft", its)[1]) == pytest.approx(4.0 * 1.0)
    its = its.among(Resources(cpus=2))
    assert cost_of(planned("heft", its)[1]) == pytest.approx(2 * 2.0)


def test_sizes_are_ordered_by_cpus_and_then_memory() -> None:
    endless = Resources(cpus=2)
    assert sorted([endless, BIG, SMALL, MIDDLE], key=strength) == [SMALL, MIDDLE, endless, BIG]


def test_of_equal_plans_the_first_is_best() -> None:
    its = case({"a": ""}, 1.0, SMALL)
    plans = [planned(name, its)[0] for name in ("heft", "cpop")]
    assert best_of(plans, its.forecast(its.graph)) is plans[0]
