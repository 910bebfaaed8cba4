"""Maps on a virtual clock: items are executed that nobody knows yet; and runs once more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.forecasting import INSTANT, Fixed, drawn
from wfnb.errors import PlanError
from wfnb.forecast import Site
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.language import task
from wfnb.plan import Placement, Plan
from wfnb.simulator import Simulated, replay, simulate, site_of
from wfnb.timeline import TaskState, Timeline

SITE = Site(link=INSTANT, workers=3, idle=3, hand_off_seconds=0.01)
SECONDS = {"load": 1.0, "score": 2.0, "clean": 1.0, "total": 1.0, "score.items": 0.0}


@task
def load() -> Any: ...


@task
def score(one: Any) -> Any: ...


@task
def clean(one: Any) -> Any: ...


@task
def total(all_of_them: Any) -> Any: ...


def mapped(*, expected: int | None = None) -> Graph:
    scores = score.map(load(), expected=expected) if expected else score.map(load())
    return freeze([total(clean.map(scores))])


def simulated(graph: Graph, worker: str | None = None, **words: Any) -> Simulated:
    plan = Plan(graph, dict.fromkeys(graph, Placement(worker=worker)))
    return simulate(plan, Fixed(graph=graph, site=SITE, seconds=SECONDS, **words))


def test_a_map_gets_as_many_items_as_are_expected() -> None:
    found = simulated(mapped(), counts=6)
    items = [part for part in found.stretches() if part.task.startswith("score-0[")]
    assert len(items) == 6
    assert {part.execution_seconds for part in items} == {2.0}
    assert found.timeline.counts == {TaskState.DONE: 16, TaskState.EXPANDED: 1}
    assert len(mapped()) == 5


def test_the_authors_guess_counts() -> None:
    assert len(simulated(mapped(expected=4), counts=6).graph) == 5 + 2 * 4


def test_items_are_spread_over_workers_and_followed_one_by_one() -> None:
    found = simulated(mapped(), counts=3)
    steps = 1 + 0 + 2 + 1 + 0 + 1
    reports = 7  # the list of the scores is known a report before its last item is cleaned
    assert found.makespan_seconds == pytest.approx(steps + reports * 0.01)
    assert {part.worker for part in found.stretches() if "[" in part.task} == {"w1", "w2", "w3"}


def test_a_planned_worker_executes_all_items_itself() -> None:
    found = simulated(mapped(), "one", counts=3)
    assert found.makespan_seconds > 1 + 3 * 2 + 3 * 1 + 1
    assert found.workers == ("one",)


def test_a_map_of_nothing_ends() -> None:
    found = simulated(mapped(), counts=0)
    assert [part.task for part in found.critical_path][-1] == "total-0"
    assert found.makespan_seconds < 2.1


def test_the_critical_path_goes_through_the_last_item() -> None:
    found = simulated(mapped(), counts=4)
    path = [part.task for part in found.critical_path]
    assert path[2:4] == ["score-0[3]", "clean-0[3]"]
    assert sum(found.causes.values()) == pytest.approx(found.makespan_seconds)


def test_elements_and_lists_are_moved() -> None:
    found = simulated(mapped(), counts=4, bytes={"score": 1e6, "score-0.items": 4e5})
    assert found.up_bytes > 4e6 + 4e5
    assert found.down_bytes > 4e5


def test_items_share_the_cpus() -> None:
    graph = mapped()
    site = Site(link=INSTANT, workers=4, idle=4, cpus=2)
    seconds = SECONDS | {"load": 0.0, "total": 0.0, "clean": 0.0}
    plan = Plan(graph, dict.fromkeys(graph, Placement()))
    found = simulate(plan, Fixed(graph=graph, site=site, seconds=seconds, counts=4))
    assert found.makespan_seconds == pytest.approx(4 * 2 / 2)


# Once more


@dataclass(frozen=True)
class Past:
    plan: Plan
    timeline: Timeline


@pytest.mark.parametrize("worker", [None, "one"])
def test_what_was_simulated_is_replayed_as_it_was_in_the_same_place(worker: str | None) -> None:
    found = simulated(mapped(), worker, counts=5)
    again = replay(found, site=SITE)
    assert again.makespan_seconds == pytest.approx(found.makespan_seconds)
    assert [again.order(w) for w in again.workers] == [found.order(w) for w in found.workers]


def test_hand_offs_are_replayed_but_for_those_that_nobody_measures() -> None:
    """The reports that led to a launch or to the end."""
    found = simulated(mapped(), counts=5)
    missing = found.makespan_seconds - replay(found).makespan_seconds
    assert 0 <= missing < 2.5 * SITE.hand_off_seconds


def test_a_run_is_replayed_in_another_place_with_the_calls_that_it_had() -> None:
    found = simulated(mapped(), counts=5)
    alone = replay(found, site=Site(link=INSTANT))
    assert alone.makespan_seconds == pytest.approx(1 + 5 * 2 + 5 * 1 + 1)


def test_the_place_of_a_run_is_seen_from_it() -> None:
    inputs = {"a": "", "b": "a", "c": "b"}
    graph = drawn(inputs)
    site = Site(link=INSTANT, hand_off_seconds=0.25, warm_seconds=0.5, idle=1)
    plan = Plan(graph, dict.fromkeys(graph, Placement()))
    seen = site_of(simulate(plan, Fixed(graph=graph, site=site)).timeline)
    assert seen.hand_off_seconds == pytest.approx(0.25)
    assert seen.warm_seconds == pytest.approx(0.5)
    assert seen.workers == 1


def test_a_run_that_is_not_done_is_not_replayed() -> None:
    graph = drawn({"a": ""})
    plan = Plan(graph, dict.fromkeys(graph, Placement()))
    with pytest.raises(PlanError, match="this run is running: only one that is done"):
        replay(Past(plan, Timeline(graph)))
