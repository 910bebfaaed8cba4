"""Plans with an outlook, and plans side by side: what is said of them, and from what."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.forecasting import drawn
from tests.plannable import BIG, Case
from wfnb.errors import PlanError
from wfnb.forecast import Forecast
from wfnb.graph import Graph
from wfnb.panels import Offers
from wfnb.plan import Plan
from wfnb.planners import PLANNERS
from wfnb.planners.terms import Terms
from wfnb.planning import Comparison, compare, planned
from wfnb.session import Session
from wfnb.views import picture
from wfnb.widgets.chart_comparison import comparison_chart, comparison_frame
from wfnb.widgets.plan_text import plan_text

FORK = {"a": "", "b-1": "a", "b-2": "a", "b-3": "a", "b-4": "a", "c": "b-1 b-2 b-3 b-4"}
TERMS = Terms(budget_seconds=0.002)


class Counted(Case):
    """A predictor that counts how often it was asked."""

    asked: list[str]

    def forecast(self, graph: Graph, *, sla: str = "mean") -> Forecast:
        vars(self).setdefault("asked", []).append(sla)
        return super().forecast(graph, sla=sla)


@pytest.fixture
def case() -> Counted:
    return Counted(graph=drawn(FORK))


@pytest.fixture
def comparison(case: Case) -> Comparison:
    return compare(case.graph, case, TERMS)


# One plan


def test_a_planner_and_its_outlook_read_the_history_once(case: Counted):
    plan = planned(case.graph, "heft", TERMS, case)
    assert plan.outlook is not None
    plan.frame()
    assert case.asked == ["mean"]


def test_an_outlook_is_worked_out_once_and_only_when_asked_for(case: Counted):
    plan = planned(case.graph, "wukong", TERMS, case)
    assert plan.foreseen is None
    assert plan.outlook is plan.outlook
    assert plan.foreseen is plan.outlook
    assert plan.timeline is plan.timeline


def test_a_frame_has_a_row_for_each_task_with_what_is_predicted_of_it(case: Counted):
    plan = planned(case.graph, "heft", TERMS, case)
    frame = plan.frame()
    assert set(frame.index) == set(case.graph)
    assert frame.loc["b-1", "call_seconds"] == 0.3
    assert frame.loc["b-1", "low_seconds"] <= 0.3 <= frame.loc["b-1", "high_seconds"]
    assert frame.loc["a", "output_bytes"] == 1e6
    assert frame.loc["c", "worker"] == plan.placements["c"].worker
    assert frame["end_seconds"].max() <= plan.outlook.makespan_seconds
    assert (frame.loc["c", "start_seconds"] >= frame.loc["b-1", "end_seconds"]) or (
        frame.loc["c", "worker"] == frame.loc["b-1", "worker"]
    )


def test_a_plan_says_its_planner_time_cost_and_workers_in_words(case: Counted):
    plan = planned(case.graph, "heft", TERMS, case)
    text = picture(plan).text
    assert text.startswith("plan by heft: predicted ")
    assert "4.70 CPU-s" in text  # 1.0 + 4 x 0.3 + 2.5
    assert f"{len(plan.outlook.workers)} workers" in text
    assert "graph of 6 tasks" in text


def test_a_plan_with_limited_memory_is_paid_in_gigabyte_seconds(case: Counted):
    plan = planned(case.graph, "heft", replace(TERMS, default=BIG), case)
    assert f"{plan.outlook.gb_seconds:,.2f} GB-s" in plan_text(plan)
    assert plan.outlook.gb_seconds > 8 * 4.7 / 4  # four CPUs are four times as fast


def test_a_plan_made_before_there_is_a_connection_says_that_nothing_is_known(case: Counted):
    plan = planned(case.graph, "heft", TERMS, None)
    assert plan.outlook is None
    assert plan.timeline is None
    assert "nothing is predicted: connect first" in plan_text(plan)
    assert "nothing is known of these tasks yet" in plan_text(plan)
    with pytest.raises(PlanError, match=r"wfnb\.connect\(\) first"):
        plan.frame()
    with pytest.raises(PlanError, match=r"wfnb\.connect\(\) first"):
        plan.explain("a")


def test_a_predictor_without_reasons_says_so(case: Counted):
    plan = planned(case.graph, "wukong", TERMS, case)
    with pytest.raises(PlanError, match="without reasons"):
        plan.explain("a")


# Plans side by side


def test_compared_plans_stand_in_the_order_of_their_ends(comparison: Comparison):
    ends = [plan.outlook.makespan_seconds for plan in comparison]
    assert ends == sorted(ends)
    assert comparison.best is next(iter(comparison))


def test_every_planner_has_one_row(comparison: Comparison):
    frame = comparison.frame()
    assert sorted(frame.index) == sorted(PLANNERS)
    assert (frame["makespan_seconds"] > 0).all()
    assert len(repr(comparison).splitlines()) == 1 + len(PLANNERS)


def test_only_those_that_are_named_are_compared(case: Counted):
    found = compare(case.graph, case, TERMS, ("wukong", "heft"))
    assert sorted(found.frame().index) == ["heft", "wukong"]
    assert case.asked == ["mean"]


def test_a_plan_is_taken_out_by_its_planner(comparison: Comparison):
    assert comparison["peft"].planner == "peft"
    with pytest.raises(PlanError, match="'best' was not compared; there is auto"):
        comparison["best"]


def test_a_comparison_shows_gigabyte_seconds_only_where_memory_is_limited(case: Counted):
    assert "GB-s" not in repr(compare(case.graph, case, TERMS, ("heft",)))
    assert "GB-s" in repr(compare(case.graph, case, replace(TERMS, default=BIG), ("heft",)))


def test_a_chart_of_plans_has_a_bar_for_each_time_and_cost(comparison: Comparison):
    bars = comparison_frame(comparison.frame())
    assert len(bars) == 2 * len(PLANNERS)
    assert bars.groupby("measure")["share"].max().tolist() == [1.0, 1.0]
    json.dumps(comparison_chart(comparison.frame()).to_dict(), allow_nan=False)
    assert comparison.chart().description == f"plans by {len(PLANNERS)} planners"


# What the bar of a plan's panel asks for


class Asked(Session):
    """Notes what was planned and run."""

    def plan(self, *targets, planner=None, **how):
        return targets[0], planner

    def start(self, *targets, planner=None, **how):
        return targets[0], planner


def test_the_bar_runs_the_very_plan_that_it_shows(case: Counted):
    plan = planned(case.graph, "heft", TERMS, case)
    offers = Offers(Asked(), (plan.graph,), given=plan)
    assert offers.planner == "heft"
    assert offers.start("heft") == (plan, "heft")
    assert offers.start("peft") == (plan.graph, "peft")
    assert offers.plan("peft") == (plan.graph, "peft")


def test_the_bar_offers_a_plan_by_hand_too(case: Counted):
    heft = planned(case.graph, "heft", TERMS, case)
    plan = Plan(case.graph, heft.placements)
    assert "by hand" in Offers(Asked(), (plan.graph,), given=plan).planners
