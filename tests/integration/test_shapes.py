"""Sixty shapes of workflow, each against what plain Python makes of it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wfnb
from tests.sessions import session
from wfnb import SKIP, task
from wfnb.choices import Choices
from wfnb.errors import TaskError
from wfnb.session import Session
from wfnb.tasks import Function, Task

__all__ = ["session"]

PATIENCE_SECONDS = 90.0


@task
def one() -> int:
    return 1


@task
def add(*values: int) -> int:
    return sum(values)


@task
def gather(values: Any) -> Any:
    return values


@task
def count(n: int) -> list[int]:
    return [*range(n)]


@task
def twice(x: Any) -> Any:
    return x * 2


@task
def nothing(*_values: Any) -> None:
    return None


@task
def odd(x: int) -> Any:
    return x if x % 2 else SKIP


@task
def listed(x: int) -> list[int]:
    return [x] * x


@task
def shift(x: int, by: int = 0) -> int:
    return x + by


def chain(length: int) -> Any:
    last = one()
    for _ in range(length - 1):
        last = add(last, 1)
    return last


def tree(leaves: int) -> Any:
    level = [add(n) for n in range(leaves)]
    while len(level) > 1:
        level = [add(*level[at : at + 2]) for at in range(0, len(level), 2)]
    return level[0]


def butterfly(width: int) -> list[Any]:
    level: list[Any] = [add(n) for n in range(width)]
    step = 1
    while step < width:
        level = [add(level[n], level[n ^ step]) for n in range(width)]
        step *= 2
    return level


def ladder(rungs: int) -> Any:
    left, right = one(), one()
    for _ in range(rungs):
        left, right = add(left, right), add(right)
    return add(left, right)


def layers(width: int, depth: int) -> Any:
    level: list[Any] = [add(n) for n in range(width)]
    for _ in range(depth):
        level = [add(*level) for _ in range(width)]
    return add(*level)


def grid(rows: int, columns: int) -> Any:
    above: list[Any] = [one() for _ in range(columns)]
    for _ in range(rows):
        row = [add(above[0])]
        for at in range(1, columns):
            row.append(add(row[-1], above[at]))
        above = row
    return above[-1]


def paths(rows: int, columns: int) -> int:
    above = [1] * columns
    for _ in range(rows):
        row = [above[0]]
        for at in range(1, columns):
            row.append(row[-1] + above[at])
        above = row
    return above[-1]


def rungs(number: int) -> int:
    left = right = 1
    for _ in range(number):
        left += right
    return left + right


def shared(readers: int) -> Any:
    base = count(3)
    return [gather(base) for _ in range(readers)]


def every_second(n: int) -> Any:
    return odd.map(count(n))


def diamond() -> Any:
    top = add(1)
    return add(add(top, 1), add(top, 2))


def w_shape() -> list[Any]:
    a, b, c = add(1), add(2), add(3)
    return [add(a, b), add(b, c)]


def m_shape() -> Any:
    a, b = add(1), add(2)
    return [add(a), add(a, b), add(b)]


def hourglass(width: int) -> Any:
    waist = add(*[add(n) for n in range(width)])
    return [add(waist, n) for n in range(width)]


def skip_levels() -> Any:
    a = add(1)
    b = add(a, 1)
    c = add(a, b)
    d = add(a, b, c)
    return add(a, b, c, d)


def map_of_maps() -> Any:
    return gather(twice.map(twice.map(twice.map(count(5)))))


SHAPES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "one task": lambda: (one(), 1),
    "two tasks apart": lambda: ([one(), add(2)], [1, 2]),
    "pair": lambda: (add(one()), 1),
    "diamond": lambda: (diamond(), 5),
    "W": lambda: (w_shape(), [3, 5]),
    "M": lambda: (m_shape(), [1, 3, 2]),
    "butterfly of 8": lambda: (butterfly(8), [28] * 8),
    "butterfly of 32": lambda: (butterfly(32), [496] * 32),
    "ladder": lambda: (ladder(20), rungs(20)),
    "ladder, long": lambda: (ladder(300), rungs(300)),
    "tree of 64": lambda: (tree(64), sum(range(64))),
    "tree, uneven": lambda: (tree(37), sum(range(37))),
    "hourglass": lambda: (hourglass(9), [36 + n for n in range(9)]),
    "layers, dense": lambda: (layers(6, 4), 15 * 6**4),
    "grid": lambda: (grid(6, 6), paths(6, 6)),
    "levels skipped": lambda: (skip_levels(), 1 + 2 + 3 + 6),
    "many roots": lambda: (add(*[one() for _ in range(50)]), 50),
    "many sinks": lambda: ([add(n) for n in range(50)], [*range(50)]),
    "one read by many": lambda: (shared(60), [[0, 1, 2]] * 60),
    "one read twice by one": lambda: ((lambda a: add(a, a, a))(add(2)), 6),
    "fan-out of 10,000": lambda: (
        (lambda a: [add(a, n) for n in range(10_000)])(one()),
        [1 + n for n in range(10_000)],
    ),
    "fan-in of 10,000": lambda: (add(*[add(n) for n in range(10_000)]), sum(range(10_000))),
    "fan-out and in of 3,000": lambda: (
        (lambda a: add(*[add(a, n) for n in range(3000)]))(one()),
        3000 + sum(range(3000)),
    ),
    "chain of 2": lambda: (chain(2), 2),
    "chain of 1,000": lambda: (chain(1000), 1000),
    "chain of 100,000": lambda: (chain(100_000), 100_000),
    "ten chains": lambda: ([chain(n + 1) for n in range(10)], [n + 1 for n in range(10)]),
    "a target that another reads": lambda: (
        (lambda a: [a, add(a, 1)])(add(4)),
        [4, 5],
    ),
    "a target asked for twice": lambda: ((lambda a: [a, a])(add(4)), [4, 4]),
    "tasks in a list": lambda: (gather([one(), [add(2), {"x": add(3)}]]), [1, [2, {"x": 3}]]),
    "tasks in a tuple": lambda: (gather((one(), 2)), (1, 2)),
    "tasks as keys and values": lambda: (gather({add(1): add(2)}), {1: 2}),
    "empty list": lambda: (gather([]), []),
    "empty everything": lambda: (
        gather([[], (), {}, set(), "", b""]),
        [[], (), {}, set(), "", b""],
    ),
    "no arguments": lambda: (add(), 0),
    "None everywhere": lambda: (
        gather([nothing(), nothing(nothing(), nothing(None)), None]),
        [None, None, None],
    ),
    "None through a chain": lambda: (nothing(nothing(nothing())), None),
    "map": lambda: (twice.map(count(7)), [2 * n for n in range(7)]),
    "map of a plain list": lambda: (twice.map([1, "a", [0]]), [2, "aa", [0, 0]]),
    "map of tasks": lambda: (twice.map([one(), add(2)]), [2, 4]),
    "map, reduced": lambda: (gather(twice.map(count(3))), [0, 2, 4]),
    "map over map over map": lambda: (map_of_maps(), [8 * n for n in range(5)]),
    "map in map in map": lambda: (
        twice.map([[[1, 2], []], [[3]]], depth=3),
        [[[2, 4], []], [[6]]],
    ),
    "map, empty": lambda: (twice.map([]), []),
    "map over empty map": lambda: (twice.map(twice.map(count(0))), []),
    "reduced empty map": lambda: (gather(twice.map(count(0))), []),
    "map, empty lists of lists": lambda: (twice.map([[], [], []], depth=2), [[], [], []]),
    "map with a filter": lambda: (twice.map(every_second(7)), [2, 6, 10]),
    "map with all left out": lambda: (twice.map(odd.map(twice.map(count(4)))), []),
    "map, joined": lambda: (listed.map(count(4), flatten=True), [1, 2, 2, 3, 3, 3]),
    "map over a joined map": lambda: (
        twice.map(listed.map(count(4), flatten=True)),
        [2, 4, 4, 6, 6, 6],
    ),
    "map of two iterables": lambda: (shift.map(count(9), count(3)), [0, 2, 4]),
    "map of two maps": lambda: (
        shift.map(twice.map(count(3)), twice.map(count(4))),
        [0, 4, 8],
    ),
    "map with a task as constant": lambda: (shift.map(count(3), by=add(5)), [5, 6, 7]),
    "map scaled by its own sum": lambda: (
        (lambda m: shift.map(m, by=gather_sum(m)))(twice.map(count(4))),
        [12 + 2 * n for n in range(4)],
    ),
    "diamond of maps": lambda: (
        (lambda m: gather([twice.map(m), shift.map(m, by=1)]))(twice.map(count(3))),
        [[0, 4, 8], [1, 3, 5]],
    ),
    "map of 10,000": lambda: (gather_sum(twice.map(count(10_000))), 2 * sum(range(10_000))),
    "maps of 1,000 in a row": lambda: (
        gather_sum(twice.map(twice.map(twice.map(count(1000))))),
        8 * sum(range(1000)),
    ),
    "forty maps at once": lambda: (
        [twice.map(count(n)) for n in range(40)],
        [[2 * k for k in range(n)] for n in range(40)],
    ),
    "big values through a diamond": lambda: (
        (lambda big: gather([length(big), length(twice(big))]))(gather(b"x" * 300_000)),
        [300_000, 600_000],
    ),
    "a function that returns a function": lambda: (applied(maker(3), 4), 7),
    "a task that calls a task function": lambda: (nested_call(3), 9),
    "a value that is an exception": lambda: (text(gather(ValueError("no"))), "ValueError('no')"),
}


@task
def gather_sum(values: list[int]) -> int:
    return sum(values)


@task
def length(value: Any) -> int:
    return len(value)


@task
def maker(n: int) -> Any:
    return lambda x: x + n


@task
def applied(function: Any, x: int) -> Any:
    return function(x)


@task
def nested_call(x: int) -> Any:
    return add(x, add(x, x))


@task
def text(value: Any) -> str:
    return repr(value)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a generator": (lambda: (n for n in range(3)), "generator"),
    "an open file": (lambda: Path(os.devnull).open(), "TextIOWrapper"),  # noqa: SIM115
    "a lock": (threading.Lock, "lock"),
    "a task": (lambda: Task(0, Function("x", len), (), ()), "Task"),
    "a socket": (socket.socket, "socket"),
}


@pytest.fixture(scope="module", params=["inline on memory", "process on redis"])
def warm(request: pytest.FixtureRequest) -> Iterator[Session]:
    inline = Choices(store="memory", backend="inline")
    session = Session(inline if request.param.startswith("inline") else Choices(workers=2))
    session.connection()
    yield session
    session.close()


def test_there_are_sixty() -> None:
    assert len(SHAPES) >= 60


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_what_plain_python_makes_of_it(name: str, warm: Session) -> None:
    targets, expected = SHAPES[name]()
    assert warm.run(targets, timeout=PATIENCE_SECONDS) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_a_result_that_cannot_travel_fails_by_name(name: str, session: Session) -> None:
    make, kind = REFUSED[name]
    with pytest.raises(TaskError, match=f"the result of lambda-0.*{kind}"):
        session.run(task(lambda: make())(), timeout=PATIENCE_SECONDS)


def test_a_task_that_returns_a_module_gives_the_module(warm: Session) -> None:
    assert warm.run(gather_module(), timeout=PATIENCE_SECONDS) is wfnb


@task
def gather_module() -> Any:
    return wfnb
