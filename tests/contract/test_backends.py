"""What every backend promises, on every store that it can use."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.docker.connected import docker_session
from wfnb import Resources, current_attempt, task
from wfnb.choices import Choices
from wfnb.errors import (
    BackendError,
    CallError,
    ErrorRecord,
    RunCancelledError,
    SerialisationError,
    TaskError,
)
from wfnb.runner import Run
from wfnb.session import Session
from wfnb.storage import RunId, keys
from wfnb.storage.outputs import shared_folder
from wfnb.workers import inline

PATIENCE_SECONDS = 60.0
MIB = 1 << 20
CHOICES = {
    "inline on memory": Choices(store="memory", backend="inline"),
    "inline on redis": Choices(backend="inline"),
    "process on redis": Choices(backend="process", workers=2),
}
IN_CONTAINERS = "docker on redis"
SEEN_BY_TASKS = ("numpy", "pytest")
"""What this module imports and the kernel has: in containers it has to be asked for."""

Pair = namedtuple("Pair", "left right")


@pytest.fixture(
    scope="module",
    params=[*CHOICES, pytest.param(IN_CONTAINERS, marks=pytest.mark.docker)],
)
def sessions(request: pytest.FixtureRequest) -> Iterator[Session]:
    """One for the module: its workers stay warm."""
    if request.param == IN_CONTAINERS:
        with docker_session(workers=2, requirements=SEEN_BY_TASKS) as session:
            yield session
        return
    session = Session(CHOICES[request.param])
    session.connection()
    yield session
    session.close()


@pytest.fixture
def session(sessions: Session) -> Session:
    return sessions


@pytest.fixture
def process(session: Session) -> Session:
    """A session whose tasks run in processes that may die."""
    if session.connection().backend.name == "inline":
        pytest.skip("an inline task that dies takes its caller along")
    return session


def result(session: Session, *targets: Any) -> Any:
    return session.run(*targets, timeout=PATIENCE_SECONDS)


def failed(run: Run) -> list[ErrorRecord]:
    assert run.wait(PATIENCE_SECONDS)
    assert run.status == "failed"
    return run.errors


@dataclass
class Box:
    content: Any
    label: str = "box"


@dataclass(frozen=True, slots=True)
class FrozenBox:
    content: Any


@dataclass
class Derived:
    parts: list[Any]
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = len(self.parts)


@task
def same(value: Any) -> Any:
    return value


@task
def add(*numbers: int) -> int:
    return sum(numbers)


@task
def both(left: Any, right: Any = None) -> Any:
    return left, right


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: [1, t(2), [t([3])]],
        lambda t: (t(1), (2, t((3,)))),
        lambda t: {t("key"): 1, "other": t({"a": 2}), (t("x"), 1): 3},
        lambda t: {t(1), 2, t((3, 4))},
        lambda t: frozenset({t("a"), "b"}),
        lambda t: Pair(t(1), Pair(t(None), 2)),
        lambda t: Box(t([1]), label=t("named")),
        lambda t: FrozenBox((t(1), FrozenBox(t(2)))),
        lambda t: {FrozenBox(t(1)): "frozen as a key"},
        lambda t: Derived([t(1), 2]),
        lambda t: defaultdict(list, a=[t(1)]),
        lambda t: OrderedDict([("z", t(1)), ("a", 2)]),
        lambda t: Counter({"a": t(3)}),
        lambda t: [[[[[[[[[[t("deep")]]]]]]]]]],
    ],
)
def test_outputs_at_any_depth_are_as_if_written_there(
    session: Session, wrap: Callable[[Callable[[Any], Any]], Any]
) -> None:
    expected = wrap(lambda value: value)
    found = result(session, same(wrap(same)))
    assert found == expected
    assert type(found) is type(expected)
    left, right = result(session, both(wrap(same), right=wrap(same)))
    assert left == right == expected


def test_none_is_a_result_like_any_other(session: Session) -> None:
    assert result(session, same(same(None)), same([same(None)])) == (None, [None])


def test_targets_come_in_the_form_they_were_asked_for(session: Session) -> None:
    one, two = same(1), same(2)
    assert result(session, one) == 1
    assert result(session, one, two, one) == (1, 2, 1)
    assert result(session, [two, one]) == [2, 1]
    assert result(session, (one,)) == (1,)


def test_a_task_used_twice_runs_once(session: Session) -> None:
    @task
    def token() -> bytes:
        return os.urandom(16)

    one = token()
    (left, right), alone = result(session, both(one, same(one)), one)
    assert left == right == alone


def test_a_task_may_be_run_again_and_nothing_has_piled_up(session: Session) -> None:
    one = add(1)
    for _ in range(3):
        run = session.start(add(one, one))
        assert run.result(PATIENCE_SECONDS) == 2
        assert run.graph.ids == ("add-0", "add-1")


def test_an_object_given_twice_is_one_object_in_the_task(session: Session) -> None:
    @task
    def is_same(left: Any, right: Any) -> bool:
        return left is right

    shared, holding = Box(1), [same(1)]
    assert result(session, is_same(shared, shared), is_same(holding, holding)) == (True, True)


def test_what_a_task_does_to_its_inputs_is_seen_by_nobody_else(session: Session) -> None:
    @task
    def make() -> Any:
        return [np.zeros(3), {"a": [1]}]

    @task
    def spoil(value: Any) -> Any:
        array, words = value
        array += 1
        words["a"].append(2)
        return value

    made = make()
    for found in result(session, [spoil(made) for _ in range(6)]):
        assert (found[0] == 1).all()
        assert found[1] == {"a": [1, 2]}
    assert result(session, spoil(made), made)[1][1] == {"a": [1]}


@pytest.mark.parametrize("size", [1, 5_000, 200_000])
def test_what_a_task_does_to_a_constant_is_seen_by_nobody_else(session: Session, size: int) -> None:
    @task
    def spoil(numbers: list[int], box: Box, array: Any) -> Any:
        numbers.append(1)
        box.content.append(1)
        array += 1
        return len(numbers), len(box.content), array[0]

    numbers, box, array = [0] * size, Box([0]), np.zeros(size)
    calls = [spoil(numbers, box, array) for _ in range(6)]
    assert result(session, calls) == [(size + 1, 2, 1)] * 6
    assert (len(numbers), len(box.content), array[0]) == (size, 1, 0)


def test_a_retried_task_gets_its_constants_as_they_were(session: Session) -> None:
    @task(retries=2)
    def grow(numbers: list[int]) -> int:
        numbers.append(1)
        if current_attempt().attempt < 3:
            raise ValueError
        return len(numbers)

    assert result(session, grow([])) == 1


@pytest.mark.parametrize("size", [10, 10_000, 200_000])
def test_an_array_that_is_returned_twice_is_two_values(session: Session, size: int) -> None:
    board = np.zeros(size)

    @task
    def write(number: int, *_after: Any) -> Any:
        board[:] = number
        return board

    first = write(1)
    second = write(2, same(0))
    assert [value[-1] for value in result(session, [first, second, write(3)])] == [1, 2, 3]


def test_task_functions_called_inside_a_task_are_plain_calls(session: Session) -> None:
    @task
    def outer(number: int) -> int:
        inner = add(number, 1)
        assert type(inner) is int
        return inner

    assert result(session, outer(1)) == 2


def test_a_task_knows_which_attempt_it_is(session: Session) -> None:
    @task
    def who() -> Any:
        return current_attempt()

    run = session.start(who(), who())
    found = run.result(PATIENCE_SECONDS)
    assert [(a.run, a.task, a.attempt) for a in found] == [
        (run.id, "who-0", 1),
        (run.id, "who-1", 1),
    ]
    assert current_attempt() is None


def test_a_chain_a_fan_in_and_a_fan_out_are_no_matter_of_size(session: Session) -> None:
    end = add(0)
    for _ in range(2_000):
        end = add(end, 1)
    wide = [add(end, n) for n in range(1_000)]
    assert result(session, add(*wide), add(*wide[:3])) == (2_499_500, 6_003)


def test_a_chain_of_20_000_and_a_fan_of_10_000_run_in_processes(process: Session) -> None:
    end = add(0)
    for _ in range(20_000):
        end = add(end, 1)
    wide = [add(end, n) for n in range(10_000)]
    assert result(process, add(*wide)) == 10_000 * 20_000 + sum(range(10_000))


@pytest.mark.parametrize("size", [MIB, 10 * MIB])
def test_large_outputs_arrive_whole(session: Session, size: int) -> None:
    @task
    def make(start: int) -> Any:
        return np.arange(start, start + size // 8)

    @task
    def total(*arrays: Any) -> int:
        return sum(int(array.sum()) for array in arrays)

    arrays = [np.arange(start, start + size // 8) for start in range(3)]
    expected = sum(int(array.sum()) for array in arrays)
    made = [make(start) for start in range(3)]
    assert result(session, total(*made)) == expected
    assert (result(session, same(made[2])) == arrays[2]).all()


def test_attempts_follow_until_one_succeeds(session: Session) -> None:
    @task(retries=3, retry_delay=0.01)
    def flaky() -> int:
        if current_attempt().attempt < 3:
            raise ConnectionError(f"attempt {current_attempt().attempt}")
        return current_attempt().attempt

    run = session.start(add(flaky(), 1))
    assert run.result(PATIENCE_SECONDS) == 4
    assert [(r.task, r.attempt, r.kind) for r in run.errors] == [
        ("flaky-0", 1, "raised"),
        ("flaky-0", 2, "raised"),
    ]


def test_attempts_end_with_the_retries(session: Session) -> None:
    @task(retries=2)
    def always() -> None:
        raise ValueError("never")

    records = failed(session.start(always()))
    assert [record.attempt for record in records] == [1, 2, 3]


class OddError(Exception):
    """Cannot be pickled, nor made again from its arguments."""

    def __init__(self, code: int, *, lock: Any) -> None:
        super().__init__(f"code {code}")
        self.lock = lock


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("raise_it", "type_name", "message"),
    [
        (lambda: 1 / 0, "ZeroDivisionError", "division by zero"),
        (lambda: sys.exit(3), "SystemExit", "3"),
        (lambda: (_ for _ in ()).throw(OddError(7, lock=threading.Lock())), "OddError", "code 7"),
        (lambda: (_ for _ in ()).throw(Mute()), "Mute", "<str() of this Mute failed>"),
        (lambda: (_ for _ in ()).throw(GeneratorExit("out")), "GeneratorExit", "out"),
        (lambda: [][1], "IndexError", "list index out of range"),
    ],
    ids=["plain", "exit", "odd", "mute", "generator exit", "index"],
)
def test_whatever_a_task_raises_is_told_in_words(
    session: Session, raise_it: Callable[[], Any], type_name: str, message: str
) -> None:
    (record,) = failed(session.start(task(raise_it, name="raiser")()))
    assert record.type.rpartition(".")[2] == type_name
    assert record.message == message
    assert (record.task, record.kind, record.attempt) == ("raiser-0", "raised", 1)


def test_a_traceback_has_the_users_lines_and_no_others(session: Session) -> None:
    def helper(number: int) -> float:
        return 1 / number

    @task
    def divide(number: int) -> float:
        return helper(number)

    (record,) = failed(session.start(divide(0)))
    assert "return helper(number)" in record.traceback
    assert "return 1 / number" in record.traceback
    assert record.traceback.count('File "') == 2
    assert record.traceback.count(__file__) == 2


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: (n for n in range(3)), "generator"),
        (threading.Lock, "lock"),
        (lambda: {"file": open(os.devnull)}, "TextIOWrapper"),  # noqa: SIM115, PTH123
        (lambda: type(os)("made_here"), "made_here"),
    ],
    ids=["generator", "lock", "file", "module"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_result_that_cannot_travel_fails_its_task_by_name_and_once(
    session: Session, make: Callable[[], Any], named: str
) -> None:
    @task(retries=5)
    def give() -> Any:
        return make()

    records = failed(session.start(give()))
    assert [(r.kind, r.type, r.attempt) for r in records] == [
        ("not-serialisable", "SerialisationError", 1)
    ]
    assert "the result of give-0" in records[0].message
    assert named in records[0].message
    gc.collect()  # an open file says good-bye here, not in the next test


def test_an_output_that_does_not_fit_where_it_goes_fails_its_reader_alone(session: Session) -> None:
    run = session.start(same({same([1])}), same(2))
    (record,) = failed(run)
    assert (record.task, record.kind) == ("same-1", "raised")
    assert "a set cannot be made anew" in record.message
    assert run.tasks.loc["same-2", "state"] == "done"


def test_arguments_that_do_not_fit_are_refused_at_the_call(session: Session) -> None:
    known = len(session.runs())
    with pytest.raises(CallError, match="both"):
        both()
    assert len(session.runs()) == known


def test_what_cannot_travel_is_refused_before_anything_is_written(session: Session) -> None:
    lock = threading.Lock()

    @task
    def locked() -> bool:
        return lock.locked()

    before = contents(session)
    for target, words in (
        (locked(), "locked-0: .*`lock`"),
        (both(1, {"x": [lock]}), r"both-0 \(both\): right\['x'\]\[0\]"),
        (both(same(1), right=[same(2), lock]), r"both-0 \(both\): right\[1\]"),
    ):
        with pytest.raises(SerialisationError, match=words):
            session.start(target)
    assert contents(session) == before


def contents(session: Session) -> set[Any]:
    """The keys of every run in a Redis, or the runs in memory; pools beat meanwhile."""
    client = getattr(session.store, "client", None) or getattr(session.store, "_client", None)
    if client is None:
        return {run for run, _ in session.store.runs()}
    names = client.scan_iter(keys.prefix(RunId("*")) + "*", count=1000)
    return {name for name in names if not name.startswith(b"wfnb:pool")}


def test_several_failures_are_told_and_the_rest_has_run(session: Session) -> None:
    @task
    def fail(number: int) -> None:
        raise ValueError(number)

    run = session.start(add(fail(1), add(1)), fail(2), add(2, 3))
    with pytest.raises(TaskError, match="2 of 5 tasks failed") as caught:
        run.result(PATIENCE_SECONDS)
    assert {record.task for record in caught.value.records} == {"fail-0", "fail-1"}
    states = dict(run.tasks["state"])
    assert states["add-2"] == "done"
    assert "upstream-failed" in states.values()


def test_a_timeout_is_kept_or_refused(session: Session) -> None:
    @task(timeout=0.2, retries=1)
    def endless() -> None:
        while True:
            pass

    if session.connection().backend.name == "inline":
        with pytest.raises(BackendError, match=r"endless-0 has a timeout.*process"):
            session.start(endless())
        return
    records = failed(session.start(endless()))
    assert [record.kind for record in records] == ["timeout", "timeout"]


def test_a_run_that_was_cancelled_says_so(session: Session) -> None:
    run = session.start(add(add(1), 2))
    run.cancel()
    if run.status == "cancelled":
        with pytest.raises(RunCancelledError, match=r"resume\(\)"):
            run.result(PATIENCE_SECONDS)
        assert run.resume().result(PATIENCE_SECONDS) == 3
    else:
        assert run.result(PATIENCE_SECONDS) == 3


def test_a_run_can_be_come_back_to(session: Session) -> None:
    run = session.start(add(add(1), 2), same("x"))
    assert session.attach(run.id).result(PATIENCE_SECONDS) == (3, "x")
    assert run.result(PATIENCE_SECONDS) == (3, "x")


@pytest.mark.parametrize(
    ("die", "words"),
    [
        (lambda: os._exit(7), "exit code 7"),
        (lambda: __import__("ctypes").string_at(0), "SIGSEGV"),
        (lambda: os.kill(os.getpid(), 9), "SIGKILL"),
        (lambda: os.abort(), "SIGABRT"),
    ],
    ids=["exit", "segfault", "kill", "abort"],
)
def test_a_task_that_takes_its_worker_along_fails_and_the_others_do_not(
    process: Session, die: Callable[[], Any], words: str
) -> None:
    @task(on_worker_lost="fail")
    def deadly() -> Any:
        return die()

    run = process.start(deadly(), *[add(n) for n in range(20)])
    (record,) = failed(run)
    assert (record.task, record.kind) == ("deadly-0", "lost")
    assert words in record.message
    assert (
        run.timeline.counts == {"done": 20, "failed": 1}
        or list(run.tasks["state"]).count("done") == 20
    )


def test_a_task_that_loses_its_worker_once_is_run_again(process: Session) -> None:
    @task
    def unlucky() -> int:
        if current_attempt().attempt == 1:
            os._exit(1)
        return 5

    run = process.start(unlucky())
    assert run.result(PATIENCE_SECONDS) == 5
    assert [record.kind for record in run.errors] == ["lost"]


def test_all_that_a_task_says_is_in_its_log(process: Session) -> None:
    @task
    def talk(word: str) -> None:
        sys.stdout.write(f"{word} written\n")
        sys.stderr.write(f"{word} complained\n")
        os.write(1, f"{word} from below\n".encode())
        subprocess.run(["echo", f"{word} from a child"], check=True)

    run = process.start([talk(word) for word in ("one", "two", "three")])
    assert run.wait(PATIENCE_SECONDS)
    for number, word in enumerate(("one", "two", "three")):
        lines = sorted(run.log(f"talk-{number}").splitlines())
        assert lines == [
            f"{word} {said}" for said in ("complained", "from a child", "from below", "written")
        ]


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory is a folder on Linux only")
def test_large_outputs_lie_in_shared_memory_smaller_ones_do_not(process: Session) -> None:
    if not process.connection().backend.sees_files:
        pytest.skip("containers have no file in common: their outputs are in the store")

    @task
    def make(size: int) -> bytes:
        return b"x" * size

    @task
    def look(run: Any, *_inputs: bytes) -> list[int]:
        return sorted(path.stat().st_size for path in shared_folder(run).iterdir())

    @task
    def own_run() -> Any:
        return RunId(current_attempt().run)

    large = [make(MIB), make(10 * MIB)]
    run = process.start(look(own_run(), *large, make(100_000)), *[same(one) for one in large])
    sizes, *values = run.result(PATIENCE_SECONDS)
    assert [len(value) for value in values] == [MIB, 10 * MIB]
    assert all(size >= MIB for size in sizes)
    assert not shared_folder(RunId(run.id)).exists() or not any(
        shared_folder(RunId(run.id)).iterdir()
    )


def test_resources_of_a_task_do_not_change_its_result(session: Session) -> None:
    @task(resources=Resources(cpus=1, memory="2GB"))
    def big() -> int:
        return 1

    assert result(session, add(big(), same(2))) == 3


HEARD = threading.Event()


@task
def long_for_inline() -> bool:
    return HEARD.wait(PATIENCE_SECONDS)


def test_an_inline_worker_is_heard_of_while_a_task_takes_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a pool that looks after all runs gives it up, and the task is executed again."""
    HEARD.clear()
    monkeypatch.setattr(inline, "BEAT_SECONDS", 0.001)
    session = Session(Choices(store="memory", backend="inline"))
    monkeypatch.setattr(session.store, "beat", lambda run, identity: HEARD.set())
    assert session.run(long_for_inline(), timeout=PATIENCE_SECONDS) is True
    session.close()
