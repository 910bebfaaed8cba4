"""Plans are carried out: each that may exist comes to its end, simulated and for real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.forecasting import drawn
from tests.plannable import BIG, CASES, SMALL, Case, drawn_at_random, planned
from tests.sessions import PATIENCE_SECONDS, session
from wfnb import task
from wfnb.choices import Choices
from wfnb.errors import PlanError
from wfnb.graph import Graph
from wfnb.plan import Placement, Plan
from wfnb.planners import PLANNERS, register
from wfnb.runner import Run
from wfnb.session import Session
from wfnb.simulator import simulate

__all__ = ["session"]

SIZES = (None, BIG, SMALL)
WORKERS = (None, "w1", "w2", "left", "right")


@task
def nap(milliseconds: float, *inputs: int) -> int:
    time.sleep(milliseconds / 1000)
    return 1 + sum(inputs)


@task
def numbers(*inputs: int) -> list[int]:
    return [*range(6)]


@task
def total(values: list[int], *inputs: int) -> int:
    return sum(values) + sum(inputs)


class Drawn:
    """Each task on a worker that is drawn for it, in an order that is drawn too."""

    name = "drawn"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def plan(self, graph: Graph, predictor: object) -> Plan:
        random = Random(self._seed)
        places = {name: Placement(worker=name) for name in WORKERS}
        turns = list(range(len(graph)))
        random.shuffle(turns)
        chosen = {task: places[random.choice(WORKERS)] for task in graph}
        return Plan(graph, chosen, planner=self.name, order=tuple(turns))


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(PLANNERS)
    yield
    PLANNERS.clear()
    PLANNERS.update(before)


# No legal plan that a run cannot finish


@st.composite
def plans(draw: st.DrawFn) -> tuple[Case, Plan | None]:
    """Any graph, any placements; None where the checks refuse them."""
    if draw(st.booleans()):
        graph = drawn(drawn_at_random(draw(st.integers(0, 14)), draw(st.integers(0, 99))))
    else:
        graph = CASES[draw(st.sampled_from([name for name in CASES if "map" in name]))].graph
    sizes = {worker: draw(st.sampled_from(SIZES)) or SMALL for worker in WORKERS}
    chosen = {}
    for one in graph:
        worker = draw(st.sampled_from(WORKERS))
        size = sizes[worker] if worker else draw(st.sampled_from(SIZES)) or SMALL
        environment = draw(st.sampled_from(["", "", "", "pandas"])) if worker is None else ""
        chosen[one] = Placement(resources=size, worker=worker, environment=environment)
    if chosen and draw(st.integers(0, 9)) == 0:
        chosen[next(iter(chosen))] = Placement(resources=BIG, worker="w1")
    turns = draw(st.none() | st.permutations(range(len(graph))))
    its = Case(graph=graph, counts=draw(st.integers(0, 5)), seconds=draw(st.floats(0, 2)))
    its = its.at(
        workers=draw(st.integers(1, 4)), idle=draw(st.integers(0, 2)), is_sized=draw(st.booleans())
    )
    try:
        return its, Plan(graph, chosen, order=None if turns is None else tuple(turns))
    except PlanError:
        return its, None


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_every_plan_that_may_exist_comes_to_its_end(drawn: tuple[Case, Plan | None]) -> None:
    its, plan = drawn
    if plan is None:
        return
    played = simulate(plan, its.forecast(plan.graph))
    assert {part.task for part in played.stretches()}.issuperset(plan.graph)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 30), st.integers(0, 999), st.integers(1, 6), st.sampled_from(sorted(PLANNERS))
)
def test_every_planner_can_plan_every_graph(count: int, seed: int, workers: int, name: str) -> None:
    its = Case(graph=drawn(drawn_at_random(count, seed, most=5))).at(workers=workers)
    played = simulate(planned(name, its), its.forecast(its.graph))
    assert len(list(played.stretches())) == count


# For real


def woven() -> list[Any]:
    """Branches that need each other, a map among them."""
    first, second = nap(5), nap(10)
    middle = nap(5, first, second)
    left, right = nap(5, first, middle), nap(5, second, middle)
    listed = total(nap.map(numbers(left)), right)
    return [nap(1, left, right, listed), *[nap(3, middle) for _ in range(6)]]


def finished(session: Session, planner: str) -> Run:
    run = session.start(woven(), planner=planner)
    assert run.wait(PATIENCE_SECONDS), f"{planner} hangs: {run.timeline.counts}"
    return run


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("seed", range(5))
def test_workers_that_are_drawn_by_lot_finish_a_run(session: Session, seed: int) -> None:
    """With tasks for anybody among them, and more named workers than the pool has places."""
    plain = finished(session, "wukong").result()
    register("drawn", lambda terms: Drawn(seed))
    assert finished(session, "drawn").result() == plain


@pytest.mark.usefixtures("registry")
def test_named_workers_all_of_which_wait_for_a_task_for_anybody(session: Session) -> None:
    class Odd:
        name = "odd"

        def plan(self, graph: Graph, predictor: object) -> Plan:
            workers = ["w1", "w2", None, "w1", "w2"]
            places = zip(graph, workers, strict=True)
            return Plan(graph, {task: Placement(worker=worker) for task, worker in places})

    register("odd", lambda terms: Odd())
    first, second = nap(5), nap(5)
    middle = nap(5, first, second)
    run = session.start([nap(5, middle, first), nap(5, middle, second)], planner="odd")
    assert run.wait(PATIENCE_SECONDS)
    assert run.result() == [5, 5]


@pytest.mark.usefixtures("registry")
def test_a_worker_does_what_is_ready_in_the_plans_order(session: Session) -> None:
    class Backwards:
        name = "backwards"

        def plan(self, graph: Graph, predictor: object) -> Plan:
            place = Placement(worker="w1")
            turns = tuple(reversed(range(len(graph))))
            return Plan(graph, dict.fromkeys(graph, place), order=turns)

    register("backwards", lambda terms: Backwards())
    run = session.start([nap(5, nap(5)) for _ in range(8)], planner="backwards")
    assert run.wait(PATIENCE_SECONDS)
    spans = sorted(run.timeline.spans, key=lambda span: span.start_seconds or 0.0)
    done = [run.graph.position[span.task] for span in spans]
    assert done == backwards_by_hand(run.graph)


def backwards_by_hand(graph: Graph) -> list[int]:
    done: list[int] = []
    while len(done) < len(graph):
        ready = [
            at
            for at, inputs in enumerate(graph.inputs_at)
            if at not in done and all(read in done for read in inputs)
        ]
        done.append(max(ready))
    return done


@pytest.mark.usefixtures("registry")
def test_a_resumed_run_keeps_the_plan_and_its_order(session: Session) -> None:
    register("drawn", lambda terms: Drawn(1))
    run = session.start(woven(), planner="drawn")
    assert run.wait(PATIENCE_SECONDS)
    other = Session(Choices(workers=2))
    try:
        again = other.attach(run.id)
        assert again.plan.order == run.plan.order
        assert again.plan.placements == run.plan.placements
    finally:
        other.close()
