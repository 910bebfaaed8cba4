"""Maps from end to end, on every store and backend: the items are known only at run time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sessions import PATIENCE_SECONDS
from wfnb import SKIP, task
from wfnb.choices import Choices
from wfnb.errors import BackendError, TaskError
from wfnb.session import Session
from wfnb.storage import keys
from wfnb.storage.memory import MemoryStore
from wfnb.timeline import TaskState

CHOICES = {
    "inline on memory": Choices(store="memory", backend="inline"),
    "inline on redis": Choices(backend="inline"),
    "process on redis": Choices(workers=2),
}


@pytest.fixture(params=CHOICES)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    session = Session(CHOICES[request.param])
    yield session
    session.close()


@task
def numbers(count: int) -> list[int]:
    return [*range(count)]


@task
def double(x: int, add: int = 0) -> int:
    return 2 * x + add


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def even(x: int) -> Any:
    return x if x % 2 == 0 else SKIP


@task
def array(x: int) -> Any:
    return np.full(50_000, x)


@task
def weigh(values: Any, beside: Any = None) -> int:
    return int(values.sum()) + (0 if beside is None else len(beside))


def run(session: Session, *targets: Any) -> Any:
    return session.run(*targets, timeout=PATIENCE_SECONDS)


def test_a_map_gives_the_list(session: Session) -> None:
    assert run(session, double.map(numbers(5), add=1)) == [1, 3, 5, 7, 9]


def test_a_reducer_reads_the_list(session: Session) -> None:
    assert run(session, total(double.map(numbers(100)))) == 9900


def test_maps_over_maps_and_all_of_them_as_targets(session: Session) -> None:
    once = double.map(numbers(4))
    twice = double.map(once, add=1)
    found = run(session, [once, twice, total(twice)])
    assert found == [[0, 2, 4, 6], [1, 5, 9, 13], 28]


def test_what_a_filter_leaves_out_is_neither_called_nor_listed(session: Session) -> None:
    assert run(session, double.map(even.map(numbers(6)))) == [0, 4, 8]
    states = session.last.timeline.counts if session.last else {}
    assert states[TaskState.SKIPPED] == 6


def test_empty_maps_are_empty_lists(session: Session) -> None:
    once = double.map(numbers(0))
    assert run(session, [once, double.map(once), total(once)]) == [[], [], 0]


def test_several_iterables_go_together_up_to_the_shortest(session: Session) -> None:
    assert run(session, double.map(numbers(3), [10, 20])) == [10, 22]


def test_a_plain_list_may_hold_tasks(session: Session) -> None:
    assert run(session, double.map([total(numbers(3)), 1])) == [6, 2]


def test_a_constant_may_depend_on_the_map_itself(session: Session) -> None:
    once = double.map(numbers(4))
    assert run(session, double.map(once, add=total(once))) == [12, 16, 20, 24]


def test_a_map_may_be_the_constant_of_another(session: Session) -> None:
    beside = double.map(numbers(3))
    assert run(session, weigh.map(array.map(numbers(2)), beside=beside)) == [3, 50_003]


def test_lists_of_lists_keep_their_form(session: Session) -> None:
    nested = task(lambda n: [[*range(k)] for k in range(n)])
    assert run(session, double.map(nested(4), depth=2)) == [[], [0], [0, 2], [0, 2, 4]]
    thrice = task(lambda: [[[1], [2, 3]], []])
    assert run(session, double.map(thrice(), depth=3)) == [[[2], [4, 6]], []]


def test_lists_that_items_return_are_joined(session: Session) -> None:
    repeat = task(lambda x: [x] * x)
    joined = repeat.map(numbers(4), flatten=True)
    assert run(session, joined, double.map(joined)) == ([1, 2, 2, 3, 3, 3], [2, 4, 4, 6, 6, 6])


def test_big_elements_and_big_results_travel(session: Session) -> None:
    arrays = array.map(numbers(6))
    assert run(session, total(weigh.map(arrays))) == 50_000 * 15
    whole = task(lambda parts: int(np.stack(parts).sum()))
    assert run(session, whole(arrays)) == 50_000 * 15


def test_nones_are_items_like_others(session: Session) -> None:
    nothing = task(lambda x: None)
    assert run(session, nothing.map(nothing.map(numbers(3)))) == [None, None, None]


def test_many_items(session: Session) -> None:
    assert run(session, total(double.map(double.map(numbers(2000))))) == 4 * sum(range(2000))


def test_a_failing_item_is_named_and_fails_what_needs_it_alone(session: Session) -> None:
    @task
    def fragile(x: int) -> int:
        return 1 // (x - 2)

    other = total(numbers(3))
    with pytest.raises(TaskError, match=r"fragile-0\[2\], attempt 1") as raised:
        run(session, total(fragile.map(numbers(4))), other)
    assert [record.task for record in raised.value.records] == ["fragile-0[2]"]
    assert session.last is not None
    timeline = session.last.timeline
    assert timeline["total-0"].state is TaskState.DONE  # type: ignore[index]
    assert timeline["fragile-0"].state is TaskState.UPSTREAM_FAILED  # type: ignore[index]
    assert timeline["fragile-0[3]"].state is TaskState.DONE  # type: ignore[index]


def test_items_are_tried_again_as_their_function_says(session: Session, tmp_path: Path) -> None:
    @task(retries=2)
    def shaky(x: int, folder: str) -> int:
        marks = [mark.name for mark in Path(folder).iterdir()]
        Path(folder, f"{x}-{len(marks)}").touch()
        if sum(mark.startswith(f"{x}-") for mark in marks) < 2:
            raise OSError("not yet")
        return x

    assert run(session, shaky.map(numbers(3), folder=str(tmp_path))) == [0, 1, 2]


def test_what_cannot_be_iterated_fails_by_name(session: Session) -> None:
    with pytest.raises(TaskError, match=r"double-0\.items.*was given a int"):
        run(session, double.map(total(numbers(3))))


def test_resume_runs_only_the_items_that_are_missing(session: Session, tmp_path: Path) -> None:
    @task
    def marked(x: int, folder: str) -> int:
        folder_of = Path(folder)
        with (folder_of / f"{x}").open("a") as file:
            file.write(".")
        if x == 3 and not (folder_of / "mended").exists():
            raise ValueError(x)
        return x

    follow = double.map(marked.map(numbers(6), folder=str(tmp_path)))
    with pytest.raises(TaskError):
        run(session, total(follow))
    (tmp_path / "mended").touch()
    assert session.last is not None
    assert session.last.resume().result(PATIENCE_SECONDS) == 30
    calls = {path.name: len(path.read_text()) for path in tmp_path.iterdir()}
    assert calls == {"0": 1, "1": 1, "2": 1, "3": 2, "4": 1, "5": 1, "mended": 0}


def test_resume_computes_again_what_is_no_longer_in_the_store(
    session: Session, tmp_path: Path
) -> None:
    @task
    def picky(values: Any, folder: str) -> Any:
        if values[0] == 3 and not Path(folder, "mended").exists():
            raise ValueError("not yet")
        return values

    heights = task(lambda arrays: [int(array[0]) for array in arrays])
    arrays = task(lambda: [np.full(10_000, n) for n in range(5)])()
    with pytest.raises(TaskError, match=r"picky-0\[3\]"):
        run(session, heights(picky.map(arrays, folder=str(tmp_path))))
    (tmp_path / "mended").touch()
    lose_chunks(session)
    assert session.last is not None
    assert session.last.resume().result(PATIENCE_SECONDS) == [0, 1, 2, 3, 4]


def lose_chunks(session: Session) -> None:
    """As a server does that is short of memory."""
    assert session.last is not None
    store: Any = session.store
    if isinstance(store, MemoryStore):
        store._chunks[session.last.id].clear()
    else:
        store._client.delete(*store._client.keys(f"{keys.prefix(session.last.id)}out:*"))


def test_a_map_that_could_not_be_split_counts_as_one_task(session: Session) -> None:
    with pytest.raises(TaskError, match=r"^1 of 3 tasks failed in run [\w-]+\n"):
        run(session, double.map(total(numbers(3))))
    with pytest.raises(TaskError, match=r"^1 of 1 task failed in run [\w-]+\n"):
        run(session, double.map([[1], 2], depth=2))


def test_what_follows_a_failed_item_is_counted_without_the_lists(session: Session) -> None:
    halved = task(lambda x: 1 // x)
    with pytest.raises(TaskError, match=r"1 of 9 tasks failed .*; 2 more needed"):
        run(session, total(double.map(halved.map(numbers(3)))), double(1))


def test_inline_refuses_a_time_limit_of_a_map(session: Session) -> None:
    if session.connection().backend.name != "inline":
        pytest.skip("processes can be stopped")
    slow = task(timeout=1)(lambda x: x)
    with pytest.raises(BackendError, match="lambda-0 has a timeout"):
        run(session, slow.map(numbers(3)))


def test_a_run_with_maps_can_be_taken_up_by_its_id(session: Session) -> None:
    run(session, double.map(numbers(3)))
    assert session.last is not None
    again = session.attach(session.last.id)
    assert again.result(PATIENCE_SECONDS) == [0, 2, 4]
    assert [span.state.value for span in again.timeline.spans] == [
        "done",
        "expanded",
        "done",
        "done",
        "done",
        "done",
    ]


def test_what_an_item_prints_is_its_log(session: Session) -> None:
    if session.connection().backend.name == "inline":
        pytest.skip("what an inline task prints goes to the caller")
    speak = task(lambda x: print(f"item {x}"))  # noqa: T201
    run(session, speak.map(numbers(2)))
    assert session.last is not None
    assert session.last.log("lambda-0[1]") == "item 1\n"
