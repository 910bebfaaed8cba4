"""Workers that cannot do what a run asks of them say so, and leave things as they found them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sessions import PATIENCE_SECONDS, session
from tests.waiting import wait_until
from wfnb import task
from wfnb.choices import Choices
from wfnb.errors import BackendError, TaskError
from wfnb.session import Session
from wfnb.storage import outputs
from wfnb.workers.poolfiles import files_of

__all__ = ["session"]


@task
def zeros(count: int) -> bytes:
    return bytes(count)


@task
def leave(folder: str) -> int:
    os.chdir(folder)
    return os.getpid()


@task
def place() -> tuple[int, str]:
    return os.getpid(), str(Path.cwd())


def test_an_output_too_big_for_any_store_fails_its_task_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outputs, "MOST_BYTES", 1000)
    session = Session(Choices(store="memory", backend="inline"))
    with pytest.raises(TaskError, match="write it to a file and return the path") as caught:
        session.run(zeros(2000), timeout=PATIENCE_SECONDS)
    session.close()
    assert [record.kind for record in caught.value.records] == ["not-serialisable"]


def test_a_run_with_another_key_than_its_workers_fails_with_both_fingerprints(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run(place(), timeout=PATIENCE_SECONDS)  # the pool has its key by now
    monkeypatch.delenv("WFNB_KEY_FILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    other = Session(Choices(workers=2))
    with pytest.raises(TaskError, match="was not written with this key") as caught:
        other.run(place(), timeout=PATIENCE_SECONDS)
    ours, theirs = (made.connection().signer.fingerprint for made in (session, other))
    other.close()
    (record,) = caught.value.records
    assert record.kind == "refused"
    assert ours in record.message
    assert theirs in record.message


def test_each_run_begins_in_its_clients_folder_wherever_the_last_one_went(
    session: Session, tmp_path: Path
) -> None:
    gone = set(session.run([leave(str(tmp_path)) for _ in range(4)], timeout=PATIENCE_SECONDS))
    places: list[tuple[int, str]] = []

    def one_of_them_has_served() -> bool:
        """The pool may have more workers, if an earlier test wanted them."""
        places.extend(session.run([place() for _ in range(8)], timeout=PATIENCE_SECONDS))
        return bool(gone & {worker for worker, _ in places})

    wait_until(one_of_them_has_served, description="a worker that left its folder serves again")
    assert {folder for _, folder in places} == {str(Path.cwd())}


def test_a_state_folder_that_cannot_be_made_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    files = files_of("some pool")
    assert files.pid() is None
    with pytest.raises(BackendError, match=r"file.*cannot be made.*set XDG_STATE_HOME"):
        files.open_log()
