"""The model of list schedulers, and what its independent check finds wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.forecasting import Fixed, drawn
from wfnb.errors import PlanError
from wfnb.plan import Placement, Plan
from wfnb.simulator import Booking, Network, refuse_infeasible, schedule_makespan, schedule_of

GRAPH = drawn({"a": "", "b": "", "c": "a", "d": "b c"})
FORECAST = Fixed(graph=GRAPH, seconds={"a": 2.0, "b": 1.0, "c": 1.0, "d": 3.0}, bytes=10.0)
NETWORK = Network(speeds={"slow": 0.5, "fast": 2.0}, bytes_per_second=5.0)
PLAN = Plan(
    GRAPH,
    {
        "a": Placement(worker="fast"),
        "b": Placement(worker="slow"),
        "c": Placement(worker="fast"),
        "d": Placement(worker="fast"),
    },
)


def test_speeds_and_bandwidth_make_the_schedule() -> None:
    schedule = schedule_of(PLAN, FORECAST, NETWORK)
    assert schedule.bookings == (
        Booking("a", "fast", 0.0, 1.0),  # type: ignore[arg-type]
        Booking("b", "slow", 0.0, 2.0),  # type: ignore[arg-type]
        Booking("c", "fast", 1.0, 1.5),  # type: ignore[arg-type]
        Booking("d", "fast", 4.0, 5.5),  # type: ignore[arg-type]
    )
    assert schedule_makespan(PLAN, FORECAST, NETWORK) == 5.5


def test_a_given_order_is_kept() -> None:
    graph = drawn({"a": "", "b": "", "c": "a"})
    plan = Plan(graph, dict.fromkeys(graph, Placement(worker="fast")))
    forecast = Fixed(graph=graph)
    first = schedule_of(plan, forecast, NETWORK, order=[1, 0, 2])
    assert [booking.start_seconds for booking in first.bookings] == [0.5, 0.0, 1.0]
    with pytest.raises(PlanError, match="has c before its input a"):
        schedule_of(plan, forecast, NETWORK, order=[1, 2, 0])


def test_a_task_without_a_worker_is_refused() -> None:
    plan = Plan(GRAPH, dict.fromkeys(GRAPH, Placement()))
    with pytest.raises(PlanError, match="a is placed on None: place it on one of slow, fast"):
        schedule_makespan(plan, FORECAST, NETWORK)


WRONG: dict[str, Callable[[dict[str, Booking]], list[Booking]]] = {
    "c is booked 0 times": lambda its: [its[task] for task in "abd"],
    "c is booked 2 times": lambda its: [*its.values(), its["c"]],
    "no such worker": lambda its: [*(its[t] for t in "abc"), replace(its["d"], worker="x")],
    "d is booked from 4 s for 1 s": lambda its: [
        *(its[task] for task in "abc"),
        replace(its["d"], end_seconds=5.0),
    ],
    "d starts at 3.5 s, and its input b is there at 4 s": lambda its: [
        *(its[task] for task in "abc"),
        replace(its["d"], start_seconds=3.5, end_seconds=5.0),
    ],
    "slow has b and a at the same time": lambda its: [
        Booking(its["a"].task, "slow", 0.0, 4.0),
        its["b"],
        replace(its["c"], start_seconds=6.0, end_seconds=6.5),
        replace(its["d"], start_seconds=6.5, end_seconds=8.0),
    ],
}


@pytest.mark.parametrize("message", WRONG)
def test_what_nobody_could_do_is_found(message: str) -> None:
    booked = {b.task: b for b in schedule_of(PLAN, FORECAST, NETWORK).bookings}
    with pytest.raises(PlanError, match=message):
        refuse_infeasible(
            WRONG[message](booked),  # type: ignore[arg-type]
            GRAPH,
            NETWORK,
            seconds=[2.0, 1.0, 1.0, 3.0],
            output_bytes=[10.0] * 4,
        )
