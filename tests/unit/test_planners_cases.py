"""Every planner on sixty graphs: a legal plan each time, which the simulator plays to its end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.plannable import CASES, Case, digest, planned
from wfnb.plan import Plan
from wfnb.planners import PLANNERS, planner_named
from wfnb.planners.terms import declared
from wfnb.simulator import simulate

SCRIPT = "from tests.plannable import digest; print(digest())"


def refuse_unasked_sizes(plan: Plan, case: Case) -> None:
    """Each task has the size that it declares, or one of those to choose from."""
    for task in plan.graph:
        wanted = plan.graph.options(task).resources
        allowed = [wanted] if declared(wanted) else case.terms.sizes
        assert plan.placements[task].resources in allowed


def test_there_are_sixty_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES)
def test_each_planner_makes_a_plan_that_comes_to_its_end(case: str) -> None:
    for name in sorted(PLANNERS):
        its = CASES[case]
        plan = planned(name, its)
        assert plan.planner == name
        assert len(plan.workers) < 64
        refuse_unasked_sizes(plan, its)
        played = simulate(plan, its.forecast(its.graph))
        done = {stretch.task for stretch in played.stretches()}
        assert done.issuperset(its.graph)


@pytest.mark.parametrize("case", ["random 2", "to choose and declared", "a map beside tasks"])
@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_without_a_predictor_every_task_goes_to_anybody(name: str, case: str) -> None:
    plan = planner_named(name, CASES[case].terms).plan(CASES[case].graph, None)
    assert (plan.workers, plan.order) == ((), None)
    refuse_unasked_sizes(plan, CASES[case])
    assert plan.notes or name == "wukong"


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_every_process_makes_the_same_plans(hash_seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(["", *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest()
