"""Runs from end to end, when something in them goes wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.sessions import PATIENCE_SECONDS, session
from wfnb import Resources, task
from wfnb.errors import BackendError, TaskError
from wfnb.session import Session

__all__ = ["session"]


@task
def divide(left: int, right: int) -> float:
    return left / right


@task
def refuse(number: int) -> None:
    raise ValueError(f"not {number}")


@task
def total(*numbers: float) -> float:
    return sum(numbers)


def test_a_failure_shows_the_users_own_frames_and_a_remedy(session: Session) -> None:
    run = session.start(total(divide(1, 0), divide(1, 2)))
    with pytest.raises(TaskError) as caught:
        run.result(PATIENCE_SECONDS)
    message = str(caught.value)
    assert "1 of 3 tasks failed" in message
    assert "1 more needed their outputs" in message
    assert "return left / right" in message
    assert 'run.log("divide-0")' in message
    assert f"{os.sep}wfnb{os.sep}runner" not in message
    assert [record.task for record in caught.value.records] == ["divide-0"]
    assert run.tasks.loc["total-0", "state"] == "upstream-failed"
    assert run.tasks.loc["divide-1", "state"] == "done"


def test_of_many_failures_five_are_shown(session: Session) -> None:
    run = session.start([refuse(n) for n in range(8)])
    with pytest.raises(TaskError, match="and 3 more") as caught:
        run.result(PATIENCE_SECONDS)
    assert str(caught.value).count("remedy:") == 5
    assert len(caught.value.records) == len(run.errors) == 8


def test_failures_that_are_alike_are_told_once(session: Session) -> None:
    run = session.start([divide(1, 0) for _ in range(8)])
    with pytest.raises(TaskError, match="8 tasks failed like this") as caught:
        run.result(PATIENCE_SECONDS)
    assert str(caught.value).count("remedy:") == 1
    assert len(caught.value.records) == 8


def test_a_wait_never_raises_for_a_failed_task(session: Session) -> None:
    run = session.start(divide(1, 0))
    assert run.wait(PATIENCE_SECONDS)
    assert run.status == "failed"
    assert repr(run) == f"<run {run.id}: failed, 1 task>"


def test_resume_runs_only_what_is_missing(session: Session, tmp_path: Path) -> None:
    flag, calls = tmp_path / "flag", tmp_path / "calls"

    @task
    def first() -> int:
        with calls.open("a") as file:
            file.write("x")
        return 20

    @task
    def second(number: int) -> int:
        if not flag.exists():
            raise FileNotFoundError(flag.name)
        return number + 22

    run = session.start(second(first()))
    with pytest.raises(TaskError, match="FileNotFoundError"):
        run.result(PATIENCE_SECONDS)
    flag.touch()
    assert run.resume().result(PATIENCE_SECONDS) == 42
    assert calls.read_text() == "x"
    assert [record.type for record in run.errors] == ["FileNotFoundError"]
    assert set(run.tasks["state"]) == {"done"}


def test_a_failed_attempt_is_followed_by_its_retries(session: Session, tmp_path: Path) -> None:
    @task(retries=2)
    def flaky() -> int:
        tries = len(list(tmp_path.iterdir()))
        (tmp_path / str(tries)).touch()
        if tries < 2:
            raise ConnectionError(f"try {tries}")
        return tries

    run = session.start(flaky())
    assert run.result(PATIENCE_SECONDS) == 2
    assert [(record.attempt, record.message) for record in run.errors] == [
        (1, "try 0"),
        (2, "try 1"),
    ]
    assert run.tasks.loc["flaky-0", "attempt"] == 3


def test_a_task_that_takes_too_long_is_stopped(session: Session) -> None:
    @task(timeout=0.3)
    def endless() -> None:
        while True:
            pass

    run = session.start(endless())
    with pytest.raises(TaskError, match="give it longer"):
        run.result(PATIENCE_SECONDS)
    assert [record.kind for record in run.errors] == ["timeout"]


@pytest.mark.skipif(sys.platform != "linux", reason="resident sizes are read from /proc")
def test_a_task_that_takes_too_much_memory_is_stopped(session: Session) -> None:
    @task(resources=Resources(memory="200MB"))
    def hungry() -> int:
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1_000_000)))

    run = session.start(hungry())
    with pytest.raises(TaskError, match="memory"):
        run.result(PATIENCE_SECONDS)
    assert {record.kind for record in run.errors} == {"memory"}


def test_a_task_that_kills_its_worker_is_tried_elsewhere_and_then_fails(session: Session) -> None:
    @task
    def deadly() -> None:
        sys.stdout.write("last words")
        sys.stdout.flush()
        os._exit(11)

    run = session.start(total(divide(1, 2)), deadly())
    with pytest.raises(TaskError, match="its worker died"):
        run.result(PATIENCE_SECONDS)
    assert [record.kind for record in run.errors] == ["lost"] * 3
    assert "last words" in run.log("deadly-0")
    assert run.tasks.loc["total-0", "state"] == "done"


def test_at_most_once_means_no_second_attempt(session: Session) -> None:
    @task(on_worker_lost="fail")
    def deadly() -> None:
        os._exit(11)

    run = session.start(deadly())
    assert run.wait(PATIENCE_SECONDS)
    assert [record.kind for record in run.errors] == ["lost"]


def test_a_result_that_cannot_travel_is_an_error_of_its_task(session: Session) -> None:
    @task
    def generate():
        return (n for n in range(3))

    run = session.start(generate())
    with pytest.raises(TaskError, match="generate-0"):
        run.result(PATIENCE_SECONDS)
    assert {record.kind for record in run.errors} == {"not-serialisable"}


def test_an_exception_that_cannot_be_pickled_is_told_all_the_same(session: Session) -> None:
    class OddError(Exception):
        def __init__(self, code: int, *, hint: str) -> None:
            super().__init__(f"code {code}, {hint}")

    @task
    def odd() -> None:
        raise OddError(7, hint="no hint")

    run = session.start(odd())
    with pytest.raises(TaskError, match="code 7, no hint"):
        run.result(PATIENCE_SECONDS)


def test_what_no_worker_here_has_room_for_is_refused_at_the_start(session: Session) -> None:
    @task(resources=Resources(cpus=10_000))
    def huge() -> None: ...

    with pytest.raises(BackendError, match="huge-0 wants 10000 cpus"):
        session.start(huge())
