"""What limits and other runs do to a run on local processes: more memory, and turns."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mortals import end_pool
from tests.redis_server import RedisServer
from tests.sessions import PATIENCE_SECONDS
from tests.waiting import wait_until
from wfnb import Resources, current_attempt, task
from wfnb.choices import Choices
from wfnb.errors import TaskError
from wfnb.events import TaskDone, WorkerJoined
from wfnb.runner import Run
from wfnb.session import Session
from wfnb.workers.driver import TIRED_SECONDS
from wfnb.workers.process import pool_key

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads resident sizes from /proc")


@pytest.fixture
def alone(redis_server: RedisServer) -> Iterator[Session]:
    """On a pool of one slot, which nobody else uses."""
    session = Session(Choices(store=redis_server.url, workers=1))
    yield session
    session.close()
    end_pool(pool_key(redis_server.url))


def swell() -> int:
    """The first attempt stays until it is stopped; a later one long enough for it to be."""
    hoard = os.urandom(1000) * 150_000
    time.sleep(60 if current_attempt().attempt == 1 else 1)
    return len(hoard)


@task
def tick(seconds: float) -> None:
    time.sleep(seconds)


def done_of(run: Run) -> list[TaskDone]:
    return [event for event in run.events() if isinstance(event, TaskDone)]


@on_linux
def test_a_task_that_ran_out_of_memory_ends_well_with_more(alone: Session) -> None:
    hungry = task(resources=Resources(memory="100MB"), more_memory=2)(swell)
    run = alone.start(hungry())
    assert run.result(PATIENCE_SECONDS) == 150_000_000
    (record,) = run.errors
    assert (record.kind, record.attempt) == ("memory", 1)
    assert "its limit is 100.0 MB" in record.message
    assert record.message.endswith("; the next attempt gets 200.0 MB")
    assert run.tasks.loc["swell-0", "attempt"] == 2


@on_linux
def test_a_task_that_may_not_have_more_fails_and_is_told_both_figures(alone: Session) -> None:
    hungry = task(resources=Resources(memory="100MB"))(swell)
    run = alone.start(hungry())
    with pytest.raises(TaskError, match=r"used 1\d\d\.\d MB and its limit is 100\.0 MB"):
        run.result(PATIENCE_SECONDS)
    assert len(run.errors) == 1


@on_linux
def test_more_is_a_limit_too(alone: Session) -> None:
    hungry = task(resources=Resources(memory="100MB"), more_memory=1.2)(swell_for_ever)
    run = alone.start(hungry())
    with pytest.raises(TaskError, match=r"its limit is 120\.0 MB"):
        run.result(PATIENCE_SECONDS)
    first, second = run.errors
    assert [record.kind for record in (first, second)] == ["memory", "memory"]


def swell_for_ever() -> None:
    hoard = os.urandom(1000) * 150_000
    time.sleep(60 + len(hoard))


def test_runs_take_turns_so_that_a_short_one_does_not_wait_for_a_long_one(alone: Session) -> None:
    """The long one would take four turns, the short one takes a part of one."""
    long = alone.start([tick(0.05) for _ in range(round(4 * TIRED_SECONDS / 0.05))])
    wait_until(lambda: bool(done_of(long)), description="the long run has the worker")
    short = alone.start([tick(0.001) for _ in range(5)])
    short.result(PATIENCE_SECONDS)
    long.result(PATIENCE_SECONDS)
    end = max(event.at_seconds for event in done_of(short))
    before = sum(event.at_seconds < end for event in done_of(long))
    assert 0 < before < len(done_of(long)) / 2
    joined = [event.is_cold for event in long.events() if isinstance(event, WorkerJoined)]
    assert len(joined) > 1
    assert not any(joined[1:])
    assert {event.attempt for event in done_of(long)} == {1}
    assert len(done_of(long)) == len(long.tasks)


def test_a_run_alone_keeps_its_worker_however_tired(alone: Session) -> None:
    run = alone.start([tick(0.05) for _ in range(round(1.5 * TIRED_SECONDS / 0.05))])
    run.result(PATIENCE_SECONDS)
    assert len([event for event in run.events() if isinstance(event, WorkerJoined)]) == 1


def test_a_worker_started_for_a_run_is_cold_and_warm_for_the_next(alone: Session) -> None:
    first = alone.start(tick(0))
    first.result(PATIENCE_SECONDS)
    second = alone.start(tick(0))
    second.result(PATIENCE_SECONDS)
    assert [list(run.launches["is_cold"]) for run in (first, second)] == [[True], [False]]
    (cold,), (warm,) = (list(run.launches["waited_seconds"]) for run in (first, second))
    assert 0 <= warm < cold < PATIENCE_SECONDS
    assert (first.usage.cold_launches, second.usage.warm_launches) == (1, 1)
    assert Path(first.launches["label"][0]).name


def test_what_a_run_used_is_in_its_tables_and_in_sum(alone: Session) -> None:
    limited = task(resources=Resources(memory="500MB"))(occupy)
    run = alone.start([limited(0.4), tick(0.001)])
    run.result(PATIENCE_SECONDS)
    tasks = run.tasks
    assert tasks.loc["occupy-0", "memory_bytes"] == 500_000_000
    seconds = tasks.loc["occupy-0", "seconds"]
    assert seconds >= 0.4
    assert tasks.loc["occupy-0", "gb_seconds"] == pytest.approx(0.5 * seconds, rel=1e-3)
    assert tasks.loc[["tick-0"], ["memory_bytes", "gb_seconds"]].isna().all(axis=None)
    assert run.usage.gb_seconds == pytest.approx(tasks["gb_seconds"].sum())
    assert run.usage.cpu_seconds == pytest.approx(tasks["cpu_seconds"].sum())
    assert "GB-s, 2 launches" in str(run.usage)


def occupy(seconds: float) -> None:
    time.sleep(seconds)
