"""What the benchmark of plans reckons with; nothing is measured here."""

from __future__ import annotations

import pytest

from benchmarks.planning_cases import Exact, Workflow, shared_store
from benchmarks.planning_peer import PeerPlan, bookings_of, infeasible
from benchmarks.planning_scores import Scores, classical, mean, shared, span
from benchmarks.planning_times import of_size
from benchmarks.throttle import Line
from tests.forecasting import drawn
from wfnb.graph import TaskId
from wfnb.planners.heuristics import heft
from wfnb.simulator import Booking, makespan_of

SPEEDS = (1.0, 2.0)


def diamond() -> Workflow:
    graph = drawn({"a": "", "b": "a", "c": "a", "d": "b c"})
    edges = [[], [10], [10], [0, 20]]
    return Workflow("diamond", graph, [2.0, 4.0, 6.0, 2.0], [10, 20, 20, 0], edges)


def booked(*rows: tuple[str, str, float, float]) -> list[Booking]:
    return [Booking(TaskId(task), worker, start, end) for task, worker, start, end in rows]


GOOD = (("a", "m1", 0, 1), ("c", "m1", 1, 4), ("b", "m0", 2, 6), ("d", "m1", 8, 9))


def test_no_schedule_is_shorter_than_the_bound() -> None:
    assert diamond().lower_bound(SPEEDS) == 5.0
    assert diamond().lower_bound((1.0,)) == 14.0
    costs = diamond().classical_costs(SPEEDS, 10.0)
    assert heft(diamond().graph, costs).makespan >= 5.0


def test_bytes_go_from_worker_to_worker_at_the_rate() -> None:
    costs = diamond().classical_costs(SPEEDS, 10.0)
    assert costs.send == [[], [1.0], [1.0], [0.0, 2.0]]
    assert [calls[0] for calls in costs.calls] == [2.0, 1.0]


def test_a_feasible_schedule_is_found_so() -> None:
    assert infeasible(diamond(), booked(*GOOD), SPEEDS, 10.0) == ""
    ours = heft(diamond().graph, diamond().classical_costs(SPEEDS, 10.0))
    assert infeasible(diamond(), bookings_of(ours), SPEEDS, 10.0) == ""


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (GOOD[:3], "d is booked 0 times"),
        ((*GOOD[:2], ("b", "m0", 1.5, 5.5), GOOD[3]), "b starts before its input a has come"),
        ((GOOD[0], ("c", "m1", 0.5, 3.5), *GOOD[2:]), "c starts at 0.5 s"),
        ((*GOOD[:2], ("b", "m1", 3, 5), GOOD[3]), "at the same time"),
        ((("a", "m1", 0, 0.5), *GOOD[1:]), "takes 1 s on m1"),
    ],
)
def test_what_no_worker_could_do_is_found_so(
    rows: tuple[tuple[str, str, float, float], ...], told: str
) -> None:
    assert told in infeasible(diamond(), booked(*rows), SPEEDS, 10.0)


def test_a_peers_schedule_becomes_a_plan_with_its_mapping_and_its_order() -> None:
    plan = PeerPlan("theirs", booked(*GOOD), 0.1).plan(diamond())
    assert {task: place.worker for task, place in plan.placements.items()} == {
        "a": "m1",
        "b": "m0",
        "c": "m1",
        "d": "m1",
    }
    assert plan.order == (0, 2, 1, 3)
    assert makespan_of(plan, Exact(diamond(), shared_store(1e6, workers=2))) > 10.0


def test_without_a_peer_makespans_are_over_the_bound() -> None:
    row = classical(diamond(), None)
    assert row["bound"] == 1.0
    assert row["auto's search"] <= row["heft"]
    assert row["auto's search"] >= 1.0


def test_auto_is_the_measure_on_a_shared_store() -> None:
    row = shared(diamond(), 1e6, None, budget_seconds=0.01)
    assert row["heft/auto"] >= 1 - 1e-9
    assert "best saga/auto" not in row


def test_scores_are_told_with_mean_and_range() -> None:
    scores = Scores()
    scores.add("one", {"x": 2.0, "y": None})
    scores.add("two", {"x": 8.0, "y": 1.0})
    table = scores.table()
    assert "| one | 2 | - |" in table
    assert "| geometric mean | **4** | **1** |" in table
    assert "| lowest .. highest | 2 .. 8 | 1 .. 1 |" in table
    assert mean([]) != mean([])
    assert span([]) == "-"


def test_graphs_to_time_planners_with_have_as_many_tasks() -> None:
    workflow = of_size(300)
    assert len(workflow.graph) == len(workflow.seconds) == len(workflow.edges) == 300
    assert of_size(300).graph.inputs_at == workflow.graph.inputs_at


def test_a_line_carries_bytes_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("benchmarks.throttle.time.monotonic", lambda: 100.0)
    monkeypatch.setattr("benchmarks.throttle.time.sleep", slept.append)
    line = Line(1000.0)
    line.carry(500)
    line.carry(250)
    assert slept == [pytest.approx(0.5), pytest.approx(0.75)]
    assert line.moved_bytes == 750
