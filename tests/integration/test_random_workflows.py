"""Random workflows of random functions and nestings give what plain Python gives."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfnb import task
from wfnb.choices import Choices
from wfnb.session import Session

PATIENCE_SECONDS = 60.0
CHOICES = {
    "inline on memory": (Choices(store="memory", backend="inline"), 150),
    "inline on redis": (Choices(backend="inline"), 80),
    "process on redis": (Choices(workers=2), 200),
}

Pair = namedtuple("Pair", "left right")


@dataclass(frozen=True)
class Box:
    content: Any


def digest(*args: Any, **kwargs: Any) -> int:
    return len(repr((args, kwargs)))


def keep(*args: Any, **kwargs: Any) -> Any:
    return args[0] if args else sorted(kwargs)


def collect(*args: Any, **kwargs: Any) -> Any:
    return [list(args), dict(kwargs)]


def nothing(*_args: Any, **_kwargs: Any) -> None:
    return None


def spoil(*args: Any, **_kwargs: Any) -> Any:
    """Changes what it is given, as nobody else may notice."""
    for value in args:
        if isinstance(value, list):
            value.append("spoilt")
        if isinstance(value, dict):
            value["spoilt"] = True
        if isinstance(value, np.ndarray):
            value += 1
    return repr(args)


def large(*args: Any, **_kwargs: Any) -> Any:
    return np.full(20_000 + len(repr(args)), len(args))


FUNCTIONS: list[Callable[..., Any]] = [digest, keep, collect, nothing, spoil, large]
TASKS = [task(function) for function in FUNCTIONS]


@dataclass(frozen=True)
class Ref:
    """The result of an earlier step."""

    back: int


LEAVES = (
    st.integers(-9, 9)
    | st.text("ab", max_size=2)
    | st.none()
    | st.booleans()
    | st.just(b"x" * 40_000)
    | st.builds(Ref, st.integers(1, 8))
)
HASHABLE = st.integers(0, 5) | st.text("cd", max_size=2)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.dictionaries(HASHABLE, inner, max_size=2).map(OrderedDict)
        | st.builds(Pair, inner, inner)
        | st.builds(Box, inner)
        | st.sets(st.integers(0, 5), max_size=2)
    )


VALUES = st.recursive(LEAVES, nested, max_leaves=5)
STEPS = st.tuples(
    st.integers(0, len(FUNCTIONS) - 1),
    st.lists(VALUES, max_size=3),
    st.dictionaries(st.sampled_from(["x", "y"]), VALUES, max_size=2),
)
WORKFLOWS = st.lists(STEPS, min_size=1, max_size=12)


def resolved(value: Any, results: list[Any], copy: Callable[[Any], Any]) -> Any:
    """The value with references replaced, written independently of wfnb's own way."""

    def again(part: Any) -> Any:
        return resolved(part, results, copy)

    match value:
        case Ref(back):
            return copy(results[-back]) if back <= len(results) else "early"
        case Box(content):
            return Box(again(content))
        case Pair(left, right):
            return Pair(again(left), again(right))
        case dict():
            return type(value)((key, again(part)) for key, part in value.items())
        case list() | tuple():
            return type(value)(again(part) for part in value)
    return value


def evaluated(steps: Any) -> list[Any]:
    """Plain Python, each call with values of its own."""
    results: list[Any] = []
    for function, args, kwargs in steps:
        own = [resolved(value, results, deepcopy) for value in (*args, *kwargs.values())]
        named = dict(zip(kwargs, own[len(args) :], strict=True))
        results.append(FUNCTIONS[function](*own[: len(args)], **named))
        results[-1] = deepcopy(results[-1])
    return results


def described(steps: Any) -> list[Any]:
    tasks: list[Any] = []
    for function, args, kwargs in steps:
        own = [resolved(value, tasks, lambda one: one) for value in (*args, *kwargs.values())]
        named = dict(zip(kwargs, own[len(args) :], strict=True))
        tasks.append(TASKS[function](*own[: len(args)], **named))
    return tasks


def same(one: Any, other: Any) -> bool:
    """Equal, arrays included, and of equal types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Box):
        return same(one.content, other.content)
    return bool(one == other)


@pytest.fixture(scope="module", params=CHOICES)
def warm(request: pytest.FixtureRequest) -> Iterator[tuple[Session, int]]:
    choices, examples = CHOICES[request.param]
    session = Session(choices)
    session.connection()
    yield session, examples
    session.close()


def test_a_workflow_is_what_plain_python_makes_of_it(warm: tuple[Session, int]) -> None:
    session, examples = warm

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(WORKFLOWS, st.booleans())
    def check(steps: Any, all_are_targets: Any) -> None:
        tasks, expected = described(steps), evaluated(steps)
        if not all_are_targets:
            tasks, expected = tasks[-1:], expected[-1:]
        found = session.run(tasks, timeout=PATIENCE_SECONDS)
        assert same(found, expected), (found, expected)

    check()


@settings(max_examples=60, deadline=None)
@given(WORKFLOWS)
def test_describing_twice_gives_the_same_graph(steps: Any) -> None:
    session = Session(Choices(store="memory", backend="inline"))
    graphs = [session.plan(described(steps)).graph for _ in range(2)]
    assert graphs[0].ids == graphs[1].ids
    assert graphs[0].inputs_at == graphs[1].inputs_at
