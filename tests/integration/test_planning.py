"""Planning on real workers: what is predicted before a run, and what came of it."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.sessions import PATIENCE_SECONDS, session
from tests.waiting import wait_until
from wfnb import task
from wfnb.calibration import FirstLook, is_due
from wfnb.errors import PlanError
from wfnb.freezing import freeze
from wfnb.graph import Task
from wfnb.history.reading import moves_of
from wfnb.plan import Placement, Plan
from wfnb.planners import PLANNERS
from wfnb.resources import Resources
from wfnb.runner import Run
from wfnb.session import Session
from wfnb.simulator import CAUSES

__all__ = ["session"]


@task
def load(n: int) -> bytes:
    time.sleep(0.02)
    return bytes(n)


@task
def work(content: bytes) -> int:
    time.sleep(0.05)
    return len(content)


@task
def held(gate: Path) -> int:
    while not gate.exists():
        time.sleep(0.01)
    return 1


@task
def total(counts: list[int]) -> int:
    return sum(counts)


@task(duration=5)
def slow(number: int) -> int:
    return number


def flow() -> Task:
    return total([work(load(1000 + n)) for n in range(4)])


def ran(session: Session, *targets: object, **how: object) -> Run:
    run = session.start(*targets, **how)
    run.result(PATIENCE_SECONDS)
    return run


def test_a_plan_before_there_is_a_connection_predicts_nothing_and_starts_no_server():
    unconnected = Session()
    plan = unconnected.plan(flow(), planner="heft")
    assert plan.outlook is None
    assert unconnected._store is None
    assert plan.notes == ("nothing is known of these tasks yet: any worker may take any of them",)


def test_what_never_ran_is_called_a_guess_and_what_ran_is_not(session: Session):
    session.store.runs()
    plan = session.plan(flow(), planner="heft")
    assert "never run, a guess of 0.1 s each" in plan.foresight.notes(plan)[0]
    assert plan.frame()["is_guess"].all()
    assert "a guess: work has never run" in str(plan.explain("work-0"))
    ran(session, flow())
    plan = session.plan(flow(), planner="heft")
    assert plan.foresight.notes(plan) == ()
    assert not plan.frame()["is_guess"].any()
    assert plan.frame().loc["work-0", "call_seconds"] == pytest.approx(0.05, rel=0.5)
    assert "from 4 samples of 1 runs" in str(plan.explain("work-0"))


def test_a_later_percentile_is_never_predicted_to_be_done_sooner(session: Session):
    for _ in range(2):
        ran(session, flow())
    levels = ["p5", "p50", "p90", "p99"]
    plans = [session.plan(flow(), planner="heft", sla=sla) for sla in levels]
    calls = [plan.frame()["call_seconds"] for plan in plans]
    assert all((less <= more).all() for less, more in pairwise(calls))
    ends = [plan.outlook.makespan_seconds for plan in plans]
    assert ends == sorted(ends)


def test_all_planners_are_compared_and_any_of_them_runs(session: Session):
    ran(session, flow())
    comparison = session.compare(flow())
    assert len(comparison.frame()) == len(PLANNERS)
    assert session.run(comparison["minmin"], timeout=PATIENCE_SECONDS) == 4006
    assert session.last.plan.planner == "minmin"


def test_planned_and_real_stand_side_by_side_for_each_task_and_cause(session: Session):
    ran(session, flow())
    run = ran(session, flow(), planner="heft")
    hindsight = run.compare_to_plan()
    frame = hindsight.frame()
    assert set(frame.index) == set(run.graph)
    for cause in CAUSES:
        assert (frame[f"{cause}_seconds"] >= -1e-6).all()
        assert (frame[f"planned_{cause}_seconds"] >= -1e-6).all()
    assert frame["planned_execution_seconds"]["work-0"] == pytest.approx(0.05, rel=0.5)
    assert frame["execution_seconds"]["work-0"] >= 0.05
    assert (frame["worker"] != "").all()
    assert hindsight.critical_path[-1] == "total-0"
    assert repr(hindsight).splitlines()[0].split() == ["critical", "path", "planned", "real"]


def test_what_was_thought_to_take_longer_has_a_positive_error(session: Session):
    run = ran(session, [slow(n) for n in range(2)], planner="heft")
    hindsight = run.compare_to_plan()
    assert hindsight.error > 1
    assert "too long" in repr(hindsight)
    ran(session, [work(load(n)) for n in range(2)])
    plan = session.plan([load(n) for n in range(2)], planner="heft")
    object.__setattr__(plan.outlook, "makespan_seconds", 1e-6)
    early = ran(session, plan).compare_to_plan()
    assert -1 < early.error < 0
    assert "too short" in repr(early)


def test_what_is_predicted_after_a_run_is_no_prediction(session: Session):
    run = ran(session, flow())
    with pytest.raises(PlanError, match="nothing was predicted for this run"):
        run.compare_to_plan()


def test_a_plan_by_hand_has_an_outlook_too_once_there_is_a_connection(session: Session):
    graph = freeze([flow()])
    by_hand = Plan(graph, dict.fromkeys(graph, Placement(worker="alone")))
    ran(session, flow())
    plan = session.plan(by_hand)
    assert plan.planner == "by hand"
    assert plan.outlook.workers == ("alone",)
    assert "critical path" in repr(ran(session, plan).compare_to_plan())


def test_an_outlook_stays_what_it_was_before_the_run(session: Session):
    plan = session.plan(flow(), planner="heft")
    session.store.runs()
    plan = session.plan(flow(), planner="heft")
    before = plan.outlook.makespan_seconds
    run = ran(session, plan)
    assert run.plan.foreseen is plan.outlook
    assert plan.outlook.makespan_seconds == before


def test_sizes_to_choose_from_are_given_by_plans_to_tasks_that_declare_none():
    with_sizes = Session()
    sizes = (Resources(memory="1GB"), Resources(cpus=2, memory="2GB"))
    with_sizes.connect("memory", "inline", configurations=sizes)
    frame = with_sizes.plan(flow(), planner="simple").frame()
    assert set(frame["resources"]) <= {str(size) for size in sizes}
    with_sizes.close()


def test_a_store_is_calibrated_behind_the_first_connect_and_not_again(session: Session):
    connection = session.connection()
    first = FirstLook(session.address, connection.signer, place="first", idle_seconds=0.01)
    wait_until(lambda: not first._thread.is_alive())
    measured = moves_of(session.store, "first")["hand-off"]
    assert not is_due(session.store, place="first")
    again = FirstLook(session.address, connection.signer, place="first", idle_seconds=0.01)
    wait_until(lambda: not again._thread.is_alive())
    assert moves_of(session.store, "first")["hand-off"] == measured


def test_nothing_is_calibrated_while_a_run_goes_on(session: Session, tmp_path: Path):
    gate = tmp_path / "gate"
    run = session.start(held(gate))
    connection = session.connection()
    look = FirstLook(session.address, connection.signer, place="elsewhere", idle_seconds=0.01)
    time.sleep(0.2)  # time in which it would have begun
    assert is_due(session.store, place="elsewhere")
    gate.touch()
    run.result(PATIENCE_SECONDS)
    wait_until(lambda: not is_due(session.store, place="elsewhere"))
    look.close()


def test_a_connect_that_is_closed_leaves_nothing_behind_that_would_calibrate():
    session = Session()
    session.connect(workers=2)
    looks = [one for one in session._closing if isinstance(one, FirstLook)]
    session.close()
    assert len(looks) == 1
    assert not looks[0]._thread.is_alive()
