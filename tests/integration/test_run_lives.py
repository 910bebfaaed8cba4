"""A run outlives whoever started it; waiting, leaving, coming back, stopping."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psutil
import pytest

from tests.sessions import PATIENCE_SECONDS, session
from tests.waiting import wait_until
from wfnb import cli, task
from wfnb.choices import Choices
from wfnb.errors import (
    BackendError,
    RunCancelledError,
    RunNotFoundError,
    RunTimeoutError,
    WaitInterrupted,
)
from wfnb.session import Session

__all__ = ["session"]


@task
def gate(path: str) -> str:
    """Wait for a file, and tell what is in it."""
    while not Path(path).exists():
        time.sleep(0.01)
    return Path(path).read_text()


@task
def shout(text: str) -> str:
    return text.upper()


@pytest.fixture
def interrupted() -> Iterator[None]:
    """A KeyboardInterrupt after a third of a second."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_wait_that_is_too_short_leaves_the_run_alone(session: Session, tmp_path: Path) -> None:
    run = session.start(shout(gate(str(tmp_path / "gate"))))
    assert not run.wait(0.05)
    with pytest.raises(RunTimeoutError, match="it goes on"):
        run.result(0.05)
    (tmp_path / "gate").write_text("late")
    assert run.result(PATIENCE_SECONDS) == "LATE"


def test_interrupting_stops_the_wait_and_says_how_to_go_on(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str], interrupted: None
) -> None:
    run = session.start(gate(str(tmp_path / "gate")))
    with pytest.raises(WaitInterrupted):
        run.wait()
    assert f"wfnb.attach('{run.id}')" in capsys.readouterr().out
    (tmp_path / "gate").write_text("still there")
    assert run.result(PATIENCE_SECONDS) == "still there"


def test_cancelling_ends_the_running_task_within_a_second(session: Session, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    @task
    def endless() -> None:
        pid_file.write_text(str(os.getpid()))
        while True:
            time.sleep(60)

    run = session.start(shout(endless()))
    wait_until(lambda: pid_file.exists() and pid_file.read_text(), timeout_seconds=PATIENCE_SECONDS)
    pid = int(pid_file.read_text())
    assert run.cancel()
    wait_until(lambda: not psutil.pid_exists(pid), timeout_seconds=2, description="task killed")
    with pytest.raises(RunCancelledError, match="resume"):
        run.result(PATIENCE_SECONDS)
    assert run.status == "cancelled"
    assert set(run.tasks["state"]) == {"cancelled"}
    assert not run.cancel()


def test_a_cancelled_run_goes_on_where_it_was(session: Session, tmp_path: Path) -> None:
    run = session.start(shout(gate(str(tmp_path / "gate"))))
    assert not run.wait(0.3)
    assert run.cancel()
    (tmp_path / "gate").write_text("again")
    assert run.resume().result(PATIENCE_SECONDS) == "AGAIN"


def test_resuming_a_run_that_is_done_changes_nothing(session: Session) -> None:
    run = session.start(shout("once"))
    assert run.result(PATIENCE_SECONDS) == "ONCE"
    assert run.resume().result(PATIENCE_SECONDS) == "ONCE"


def test_a_run_is_taken_up_by_another_session(session: Session, tmp_path: Path) -> None:
    run = session.start([shout(gate(str(tmp_path / "gate")))])
    other = Session()
    try:
        again = other.attach(run.id)
        assert again.graph.ids == run.graph.ids
        assert again.plan.placements == run.plan.placements
        (tmp_path / "gate").write_text("taken up")
        assert again.result(PATIENCE_SECONDS) == ["TAKEN UP"]
        assert run.id in [known.id for known in other.runs()]
    finally:
        other.close()


def test_a_run_outlives_the_process_that_started_it(session: Session, tmp_path: Path) -> None:
    script = tmp_path / "starter.py"
    script.write_text(
        "import os, sys, time, wfnb\n"
        "@wfnb.task\n"
        "def wait(path):\n"
        "    while not os.path.exists(path): time.sleep(0.01)\n"
        "    return open(path).read()\n"
        "run = wfnb.start(wait(sys.argv[1]))\n"
        "sys.stdout.write(run.id)\n"
        "sys.stdout.flush()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    starter = subprocess.run(
        [sys.executable, script, tmp_path / "gate"], capture_output=True, text=True, check=False
    )
    assert starter.returncode == -signal.SIGKILL, starter.stderr
    run = session.attach(starter.stdout)
    (tmp_path / "gate").write_text("alive")
    assert run.result(PATIENCE_SECONDS) == "alive"


def test_a_run_that_nobody_knows_is_said_to_be_unknown(session: Session) -> None:
    with pytest.raises(RunNotFoundError, match="nobody-00000000"):
        session.attach("nobody-00000000")


def test_a_run_that_is_dropped_while_somebody_waits_is_no_hang(
    session: Session, tmp_path: Path
) -> None:
    run = session.start(gate(str(tmp_path / "gate")))
    session.store.drop(run.id)
    (tmp_path / "gate").touch()
    with pytest.raises(RunNotFoundError, match="no longer in the store"):
        run.result(PATIENCE_SECONDS)


def test_inline_tasks_run_in_this_process_and_may_be_debugged() -> None:
    session = Session(Choices(backend="inline"))
    try:
        assert session.run(task(os.getpid)()) == os.getpid()
        with pytest.raises(BackendError, match="timeout"):
            session.start(task(timeout=1)(os.getpid)())
    finally:
        session.close()


def test_the_command_line_lists_and_drops_runs(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    run = session.start(shout("x"))
    run.wait(PATIENCE_SECONDS)
    assert cli.main(["runs"]) == 0
    assert run.id in capsys.readouterr().out
    assert cli.main(["gc"]) == 0
    assert run.id not in capsys.readouterr().out
    assert cli.main(["gc", "--keep-days", "0"]) == 0
    assert f"dropped run {run.id}, done" in capsys.readouterr().out
    assert session.runs() == ()


def test_the_doctor_tries_everything_and_finds_it_well(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    known = len(session.runs())
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note"}
    for subject in ("Python", "store", "worker", "Docker", "JupyterLab", "widgets"):
        assert any(line[6:].startswith(subject) for line in lines), subject
    assert len(session.runs()) == known
