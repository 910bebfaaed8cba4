"""Runs from end to end: embedded Redis, real worker processes, and the values that come back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.sessions import PATIENCE_SECONDS, session
from wfnb import task
from wfnb.errors import SerialisationError
from wfnb.events import RunEnded, TaskDone
from wfnb.language import current_attempt
from wfnb.session import Session
from wfnb.timeline import TaskState

__all__ = ["session"]

Pair = namedtuple("Pair", "left right")


@dataclass
class Box:
    content: Any
    label: str = "box"


@task
def add(*numbers: int) -> int:
    return sum(numbers)


@task
def same(value: Any) -> Any:
    return value


def test_a_tree_of_tasks_gives_its_value(session: Session) -> None:
    level = [add(n) for n in range(32)]
    while len(level) > 1:
        level = [add(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    assert session.run(level[0], timeout=PATIENCE_SECONDS) == sum(range(32))


def test_tasks_run_in_other_processes(session: Session) -> None:
    where = task(os.getpid)
    assert session.run(where(), timeout=PATIENCE_SECONDS) != os.getpid()


def test_values_come_in_the_form_they_were_asked_for(session: Session) -> None:
    one, two = add(1), add(2)
    assert session.run(one, two, timeout=PATIENCE_SECONDS) == (1, 2)
    assert session.run([one, two], timeout=PATIENCE_SECONDS) == [1, 2]
    assert session.run([one], timeout=PATIENCE_SECONDS) == [1]
    assert session.run(two, one, two, timeout=PATIENCE_SECONDS) == (2, 1, 2)


def test_none_is_a_value_like_any_other(session: Session) -> None:
    assert session.run(same(same(None)), timeout=PATIENCE_SECONDS) is None


def test_tasks_are_filled_in_at_any_depth(session: Session) -> None:
    value = {"a": [add(1), (add(2), {"b": add(3)})], "c": Box(Pair(add(4), 5)), "d": 6}
    expected = {"a": [1, (2, {"b": 3})], "c": Box(Pair(4, 5)), "d": 6}
    assert session.run(same(value), timeout=PATIENCE_SECONDS) == expected


def test_lambdas_closures_and_methods_travel(session: Session) -> None:
    factor = 3

    class Scale:
        def __init__(self, by: int) -> None:
            self.by = by

        @task
        def apply(self, number: int) -> int:
            return number * self.by

    times = task(lambda number: number * factor)
    assert session.run(Scale(5).apply(times(2)), timeout=PATIENCE_SECONDS) == 30


@pytest.mark.parametrize("size", [1_000, 100_000, 3_000_000])
def test_outputs_of_every_size_arrive_whole(session: Session, size: int) -> None:
    numbers = np.arange(size)
    total = task(np.sum)
    assert session.run(total(same(same(numbers))), timeout=PATIENCE_SECONDS) == numbers.sum()
    assert (session.run(same(numbers), timeout=PATIENCE_SECONDS) == numbers).all()


def test_a_long_chain_runs_without_recursion(session: Session) -> None:
    end = add(0)
    for _ in range(3_000):
        end = add(end, 1)
    assert session.run(end, timeout=PATIENCE_SECONDS) == 3_000


def test_what_a_task_prints_is_in_its_log(session: Session) -> None:
    @task
    def talk() -> None:
        sys.stdout.write("from python\n")
        os.write(2, b"from below\n")
        subprocess.run(["echo", "from a child"], check=True)

    run = session.start(talk())
    assert run.wait(PATIENCE_SECONDS)
    lines = run.log("talk-0").splitlines()
    assert sorted(lines) == ["from a child", "from below", "from python"]


def test_a_task_knows_its_attempt(session: Session) -> None:
    @task
    def who() -> Any:
        return current_attempt()

    run = session.start(who())
    attempt = run.result(PATIENCE_SECONDS)
    assert (attempt.run, attempt.task, attempt.attempt) == (run.id, "who-0", 1)


def test_the_table_of_tasks_has_a_row_for_each(session: Session) -> None:
    run = session.start(add(add(1), add(2)))
    assert run.result(PATIENCE_SECONDS) == 3
    table = run.tasks
    assert list(table.index) == ["add-0", "add-1", "add-2"]
    assert set(table["state"]) == {"done"}
    assert set(table["function"]) == {"add"}
    assert (table["attempt"] == 1).all()
    assert (table["seconds"] >= 0).all()
    assert (table["end"] >= table["start"]).all()


def test_timeline_and_events_tell_the_same(session: Session) -> None:
    run = session.start(add(add(1), add(2)))
    run.wait(PATIENCE_SECONDS)
    assert run.timeline.counts == {TaskState.DONE: 3}
    events = list(run.events())
    assert sum(isinstance(event, TaskDone) for event in events) == 3
    assert isinstance(events[-1], RunEnded)
    assert list(run.events(follow=True)) == events


def test_several_runs_go_at_once(session: Session) -> None:
    runs = [session.start(add(n, add(n))) for n in range(8)]
    assert [run.result(PATIENCE_SECONDS) for run in runs] == [2 * n for n in range(8)]
    assert len({run.id for run in runs}) == 8


def test_runs_are_awaited_without_blocking_the_loop(session: Session) -> None:
    async def both() -> Any:
        return await asyncio.gather(session.start(add(1)), session.start(add(2)))

    before = set(threading.enumerate())
    assert asyncio.run(both()) == [1, 2]
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_SECONDS)


def test_a_plan_made_before_runs_as_it_is(session: Session) -> None:
    plan = session.plan(add(1), add(2))
    assert session.run(plan, timeout=PATIENCE_SECONDS) == (1, 2)


def test_what_cannot_travel_is_named_before_anything_is_written(session: Session) -> None:
    lock = threading.Lock()
    known = len(session.runs())

    @task
    def locked() -> bool:
        return lock.locked()

    with pytest.raises(SerialisationError, match=r"locked-0(.|\n)*lock"):
        session.start(locked())
    with pytest.raises(SerialisationError, match="same-0"):
        session.start(same({"inner": lock}))
    assert len(session.runs()) == known
