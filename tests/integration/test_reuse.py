"""What was computed is not computed again: across runs, sessions and processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sessions import PATIENCE_SECONDS
from wfnb import SKIP, task
from wfnb.choices import Choices
from wfnb.errors import TaskError
from wfnb.freezing import freeze
from wfnb.reusing import known_values
from wfnb.session import Session
from wfnb.signing import Signer
from wfnb.storage import RunId, keys
from wfnb.storage.memory import MemoryStore

CHOICES = {
    "inline on memory": Choices(store="memory", backend="inline"),
    "process on redis": Choices(workers=2),
}


@pytest.fixture(params=CHOICES)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    session = Session(CHOICES[request.param])
    session.clear_reusable()
    yield session
    session.clear_reusable()
    session.close()


@pytest.fixture
def calls(tmp_path: Path) -> str:
    """A folder: of a file whose path is in the code, size and time would be part of the code."""
    return str(tmp_path)


def note(log: str, word: object) -> None:
    with Path(log, "calls").open("a") as file:
        file.write(f"{word}\n")


def noted(log: str) -> list[str]:
    file = Path(log, "calls")
    words = sorted(file.read_text().split()) if file.exists() else []
    file.unlink(missing_ok=True)
    return words


def workflow(calls: str, *, count: int = 3, scale: int = 2) -> Any:
    @task(reuse=True)
    def source(n: int) -> list[int]:
        note(calls, "source")
        return [*range(n)]

    @task(reuse=True)
    def scaled(x: int, by: int) -> int:
        note(calls, f"scaled-{x}")
        return x * by

    @task(reuse=True)
    def total(values: list[int]) -> int:
        note(calls, "total")
        return sum(values)

    return total(scaled.map(source(count), by=scale))


def run(session: Session, target: Any, *, fresh: bool = False) -> Any:
    return session.run(target, timeout=PATIENCE_SECONDS, fresh=fresh)


def states(session: Session) -> dict[str, str]:
    assert session.last is not None
    return {span.task: span.state.value for span in session.last.timeline.spans}


def test_the_same_again_runs_nothing(session: Session, calls: str) -> None:
    assert run(session, workflow(calls)) == 6
    assert noted(calls) == ["scaled-0", "scaled-1", "scaled-2", "source", "total"]
    assert run(session, workflow(calls)) == 6
    assert noted(calls) == []
    assert set(states(session).values()) == {"reused"}


def test_fresh_runs_everything(session: Session, calls: str) -> None:
    run(session, workflow(calls))
    noted(calls)
    assert run(session, workflow(calls), fresh=True) == 6
    assert "total" in noted(calls)
    assert states(session)["total-0"] == "done"


def test_a_change_runs_what_depends_on_it(session: Session, calls: str) -> None:
    run(session, workflow(calls))
    noted(calls)
    assert run(session, workflow(calls, scale=5)) == 15
    assert noted(calls) == ["scaled-0", "scaled-1", "scaled-2", "total"]
    assert states(session)["source-0"] == "reused"


def test_of_a_longer_map_only_the_new_items_run(session: Session, calls: str) -> None:
    run(session, workflow(calls))
    noted(calls)
    assert run(session, workflow(calls, count=5)) == 20
    assert noted(calls) == ["scaled-3", "scaled-4", "source", "total"]
    found = states(session)
    assert [found[f"scaled-0[{n}]"] for n in range(5)] == ["reused"] * 3 + ["done"] * 2


def test_items_that_were_left_out_are_left_out_again(session: Session, calls: str) -> None:
    def odd(count: int) -> Any:
        @task(reuse=True)
        def kept(x: int) -> Any:
            note(calls, x)
            return x if x % 2 else SKIP

        return kept.map(list(range(count)))

    assert run(session, odd(4)) == [1, 3]
    noted(calls)
    assert run(session, odd(6)) == [1, 3, 5]
    assert noted(calls) == ["4", "5"]
    assert states(session)["kept-0[0]"] == "skipped"


def test_only_what_asks_for_it_is_reused(session: Session, calls: str) -> None:
    plain = task(lambda: note(calls, "plain"))
    impure = task(reuse=True, pure=False)(lambda: note(calls, "impure"))
    after = task(reuse=True)(lambda value: note(calls, "after"))
    for _ in range(2):
        run(session, [plain(), after(impure())])
    assert noted(calls) == ["after", "after", "impure", "impure", "plain", "plain"]


def test_none_and_large_values_are_reused(session: Session, calls: str) -> None:
    def made(size: int) -> Any:
        note(calls, size)
        return b"x" * size if size else None

    make = task(reuse=True)(made)
    expected = [None, b"x" * 10_000, b"x" * 2_000_000]
    for _ in range(2):
        assert run(session, [make(0), make(10_000), make(2_000_000)]) == expected
    assert noted(calls) == ["0", "10000", "2000000"]


def test_a_failure_is_not_kept_and_what_was_done_is(session: Session, calls: str) -> None:
    def failing(*, is_mended: bool) -> Any:
        first = task(reuse=True)(lambda: note(calls, "first"))

        @task(reuse=True)
        def second(_value: Any, is_fine: bool) -> int:  # noqa: FBT001
            note(calls, "second")
            return 1 if is_fine else 1 // 0

        return second(first(), is_mended)

    with pytest.raises(TaskError):
        run(session, failing(is_mended=False))
    assert run(session, failing(is_mended=True)) == 1
    assert noted(calls) == ["first", "second", "second"]


def test_what_is_kept_can_be_listed_and_cleared(session: Session, calls: str) -> None:
    run(session, workflow(calls))
    kept = session.reusable()
    assert {"total-0", "source-0", "scaled-0", "scaled-0[2]"} <= {one.task for one in kept}
    assert "total-0" in repr(kept)
    assert session.clear_reusable() == len(kept)
    assert repr(session.reusable()).startswith("nothing is kept")
    noted(calls)
    run(session, workflow(calls))
    assert "source" in noted(calls)


def test_resume_computes_again_what_is_no_longer_kept(session: Session, tmp_path: Path) -> None:
    made = task(reuse=True)(lambda n: list(range(n)))

    @task
    def picky(values: list[int], folder: str) -> int:
        return len(values) if Path(folder, "mended").exists() else 1 // 0

    run(session, made(5_000))
    with pytest.raises(TaskError):
        run(session, picky(made(5_000), str(tmp_path)))
    assert states(session)["lambda-0"] == "reused"
    (tmp_path / "mended").touch()
    session.clear_reusable()
    assert session.last is not None
    assert session.last.resume().result(PATIENCE_SECONDS) == 5_000


def test_values_under_other_names_than_their_own_are_not_taken(
    session: Session, calls: str
) -> None:
    """Whoever may write to the store has all of them change places."""
    run(session, workflow(calls))
    store: Any = session.store
    if isinstance(store, MemoryStore):
        founds = [kept.found for kept in store._kept.values()]
        for kept, found in zip(store._kept.values(), founds[1:] + founds[:1], strict=True):
            kept.found = found
    else:
        there = store._client.hgetall(f"{keys.REUSE}found")
        founds = list(there.values())
        moved = zip(there, founds[1:] + founds[:1], strict=True)
        store._client.hset(f"{keys.REUSE}found", mapping=dict(moved))
    noted(calls)
    assert run(session, workflow(calls, count=4)) == 12
    assert noted(calls) == ["scaled-0", "scaled-1", "scaled-2", "scaled-3", "source", "total"]


def test_what_another_key_signed_is_as_if_it_were_not_there(session: Session, calls: str) -> None:
    run(session, workflow(calls))
    noted(calls)
    about: Any = session.connection()
    other = Signer(bytes(32))
    graph = freeze([workflow(calls)])
    assert known_values(graph, about.store, about.signer, RunId("r")).results
    assert not known_values(graph, about.store, other, RunId("r")).results


def test_a_reused_run_can_be_taken_up_and_resumed(session: Session, calls: str) -> None:
    run(session, workflow(calls))
    run(session, workflow(calls))
    assert session.last is not None
    again = session.attach(session.last.id)
    assert again.result(PATIENCE_SECONDS) == 6
    assert again.resume().result(PATIENCE_SECONDS) == 6
    assert len(noted(calls)) == 5
