"""The planner that tries many plans: what it tries, for how long, and what it settles on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.forecasting import INSTANT, drawn
from tests.plannable import CASES, LINK, Case, drawn_at_random, planned
from wfnb.forecast import Forecast, Site
from wfnb.plan import Plan
from wfnb.planners import auto, planner_named
from wfnb.planners.scoring import affordable
from wfnb.planners.terms import Terms
from wfnb.simulator import makespan_of


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, float]]:
    """Every plan that it has had simulated, with what came of it."""
    told: list[tuple[Plan, float]] = []

    def noted(plan: Plan, forecast: Forecast) -> float:
        told.append((plan, makespan_of(plan, forecast)))
        return told[-1][1]

    monkeypatch.setattr(auto, "makespan_of", noted)
    return told


def roomy(seed: int = 1, *, budget_seconds: float = 0.1) -> Case:
    its = Case(graph=drawn(drawn_at_random(30, seed)))
    return replace(its, terms=Terms(budget_seconds=budget_seconds))


def test_it_takes_the_best_of_all_it_has_played(played: list[tuple[Plan, float]]) -> None:
    plan = planned("auto", roomy())
    assert len({id(one) for one, _ in played}) == len(played) > 10
    assert min(played, key=lambda one: one[1])[0] is plan


def test_it_plays_no_more_plans_than_its_budget_affords(played: list[tuple[Plan, float]]) -> None:
    its = roomy(budget_seconds=0.03)
    planned("auto", its)
    assert 2 <= len(played) <= affordable(its.forecast(its.graph), 0.03) == 20


def test_no_schedule_is_played_twice(played: list[tuple[Plan, float]]) -> None:
    planned("auto", roomy())
    plans = [(one.queue_at, one.order) for one, _ in played]
    assert len(set(plans)) == len(plans)


def test_a_plan_for_anybody_competes(played: list[tuple[Plan, float]]) -> None:
    """Durations that nobody can tell apart, and a store that nobody waits for: it cannot lose."""
    graph = drawn({f"a-{n}": "" for n in range(20)})
    site = Site(link=INSTANT, workers=4, idle=4)
    its = Case(graph=graph, site=site, seconds=1.0, bytes=0.0, terms=Terms(budget_seconds=0.05))
    assert played == []
    assert planned("auto", its).workers == ()
    assert len(played) > 1


def test_it_climbs_beyond_its_portfolio(monkeypatch: pytest.MonkeyPatch) -> None:
    """3 and 3 on one worker, 2, 2 and 2 on the other: no list scheduler finds that."""
    graph = drawn(dict.fromkeys("abcde", ""))
    site = Site(link=LINK, workers=2, idle=2)
    seconds = {"a": 3.0, "b": 3.0, "c": 2.0, "d": 2.0, "e": 2.0}
    its = Case(graph=graph, site=site, seconds=seconds, bytes=0.0, terms=Terms(budget_seconds=0.2))
    best = makespan_of(planned("auto", its), its.forecast(graph))
    monkeypatch.setattr(auto._Search, "_climb", lambda *_: None)
    assert best == pytest.approx(6.0, abs=0.1)
    assert makespan_of(planned("auto", its), its.forecast(graph)) == pytest.approx(7.0, abs=0.1)


def test_more_workers_than_help_are_not_used() -> None:
    """A worker that must be started takes longer to come than the one that is there to do all."""
    graph = drawn({"a": "", "b": "", "c": ""})
    site = Site(link=INSTANT, workers=8, idle=1, cold_seconds=100.0)
    its = Case(graph=graph, site=site, seconds=1.0, bytes=0.0, terms=Terms(budget_seconds=0.1))
    plan = planned("auto", its)
    assert makespan_of(plan, its.forecast(graph)) == pytest.approx(3.0)


def test_where_nothing_can_be_tried_anybody_takes_a_task() -> None:
    plan = planned("auto", CASES["no time to search"])
    assert plan.workers == ()
    assert "no time to try plans" in plan.notes[0]


def test_without_a_budget_it_searches_for_longer_what_runs_for_longer() -> None:
    def trials(seconds: float) -> int:
        its = replace(roomy(), seconds=seconds)
        return affordable(its.forecast(its.graph), None)

    assert trials(0.001) == trials(0.1) == 200
    assert trials(10.0) == 500
    assert trials(1e6) == 2000


def test_a_planner_is_asked_for_its_level_of_caution() -> None:
    asked = []

    class Noting(Case):
        def forecast(self, graph, *, sla="mean"):  # type: ignore[no-untyped-def, override]
            asked.append(sla)
            return super().forecast(graph, sla=sla)

    its = Noting(graph=CASES["random 1"].graph)
    for name in ("auto", "heft", "simple", "uniform", "nonuniform"):
        planner_named(name, Terms(sla="p90", budget_seconds=0.0)).plan(its.graph, its)
    assert asked == ["p90"] * 5
