"""Random maps over maps, with filters, joins and constants, give what plain Python gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfnb import SKIP, task
from wfnb.choices import Choices
from wfnb.session import Session

PATIENCE_SECONDS = 60.0
CHOICES = {
    "inline on memory": (Choices(store="memory", backend="inline"), 150),
    "inline on redis": (Choices(backend="inline"), 60),
    "process on redis": (Choices(workers=2), 120),
}


def mixed(x: Any, y: Any = 1, /, *, by: Any = 0) -> Any:
    return (x, y, by) if isinstance(x, tuple) else [x, y, by]


def some(x: Any, _y: Any = 0, /, *, by: Any = 0) -> Any:
    return SKIP if len(repr((x, by))) % 3 == 0 else x


def spread(x: Any, _y: Any = 0, /, *, by: Any = 0) -> Any:
    return [x] * (len(repr((x, by))) % 3)


def large(x: Any, _y: Any = 0, /, *, by: Any = 0) -> Any:
    return repr((x, by))[:20] * 20_000


def none(_x: Any, _y: Any = 0, /, *, by: Any = 0) -> Any:
    return by


FUNCTIONS: list[Callable[..., Any]] = [mixed, some, large, none, spread]
TASKS = [task(function) for function in FUNCTIONS]


@task
def keep(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Step:
    function: int
    over: int
    """How many results back; 0 for a list of its own."""
    also: int
    constant: int
    length: int


STEPS = st.lists(
    st.builds(
        Step,
        function=st.integers(0, len(FUNCTIONS) - 1),
        over=st.integers(0, 4),
        also=st.integers(0, 4),
        constant=st.integers(0, 4),
        length=st.integers(0, 5),
    ),
    min_size=1,
    max_size=8,
)


def earlier(results: list[Any], back: int) -> Any:
    return results[-back] if 0 < back <= len(results) else None


def evaluated(steps: list[Step]) -> list[Any]:
    results: list[Any] = []
    for step in steps:
        over, also = earlier(results, step.over), earlier(results, step.also)
        items = [*range(step.length)] if over is None else over
        pairs = [(item,) for item in items] if also is None else [*zip(items, also, strict=False)]
        by = earlier(results, step.constant)
        called = [FUNCTIONS[step.function](*pair, by=0 if by is None else by) for pair in pairs]
        found = [value for value in called if value is not SKIP]
        flat = step.function == FUNCTIONS.index(spread)
        results.append([one for part in found for one in part] if flat else found)
    return results


def described(steps: list[Step]) -> list[Any]:
    results: list[Any] = []
    for step in steps:
        over, also = earlier(results, step.over), earlier(results, step.also)
        items = keep([*range(step.length)]) if over is None else over
        more = () if also is None else (also,)
        by = earlier(results, step.constant)
        constants = {} if by is None else {"by": by}
        flat = step.function == FUNCTIONS.index(spread)
        results.append(TASKS[step.function].map(items, *more, flatten=flat, **constants))
    return results


@pytest.fixture(scope="module", params=CHOICES)
def warm(request: pytest.FixtureRequest) -> Iterator[tuple[Session, int]]:
    choices, examples = CHOICES[request.param]
    session = Session(choices)
    session.connection()
    yield session, examples
    session.close()


def test_maps_are_what_plain_python_makes_of_them(warm: tuple[Session, int]) -> None:
    session, examples = warm

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(STEPS, st.booleans())
    def check(steps: list[Step], all_are_targets: bool) -> None:  # noqa: FBT001
        expected = evaluated(steps)
        if sum(len(repr(value)) for value in expected) > 20_000_000:
            return
        tasks = described(steps)
        if not all_are_targets:
            tasks, expected = [keep(tasks[-1])], expected[-1:]
        assert session.run(tasks, timeout=PATIENCE_SECONDS) == expected

    check()
