"""Calls that describe: what @task takes, what a call becomes, and what is refused on the spot."""

from __future__ import annotations

import functools
import threading
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from wfnb.arguments import Output
from wfnb.errors import CallError, GraphError, OptionError, WfnbError
from wfnb.freezing import freeze
from wfnb.graph import Task
from wfnb.language import Attempt, InWorker, TaskFunction, running, task
from wfnb.resources import Resources


@task
def add(left: int, right: int = 1) -> int:
    """Add."""
    return left + right


@task
def same(value: Any) -> Any:
    return value


@task
def total(*numbers: int, scale: int = 1) -> int:
    return sum(numbers) * scale


def test_calling_describes_and_runs_nothing() -> None:
    @task
    def explode() -> None:
        raise AssertionError

    assert isinstance(explode(), Task)


def test_a_task_function_looks_like_its_function() -> None:
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert repr(add) == "<task function add>"
    assert repr(add(1)) == "<task add>"


def test_a_function_called_as_a_plain_one_inside_a_task() -> None:
    token = running.set(Attempt("run", "add-0", 1))
    try:
        assert add(1, 2) == 3
    finally:
        running.reset(token)
    assert isinstance(add(1, 2), Task)


def test_threads_of_a_task_call_plainly_too() -> None:
    InWorker.attempt = Attempt("run", "add-0", 1)
    try:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(add(1, 2)))
        thread.start()
        thread.join()
    finally:
        InWorker.attempt = None
    assert found == [3]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"missing": 2}), ((1,), {"left": 2}), ((), {"right": 1})],
)
def test_arguments_that_do_not_fit_are_refused_at_the_call(args: Any, kwargs: Any) -> None:
    with pytest.raises(CallError, match=r"add\(left: 'int', right: 'int' = 1\)") as caught:
        add(*args, **kwargs)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, WfnbError)


def test_a_keyword_that_is_needed_is_missed_at_the_call() -> None:
    @task
    def keyed(value: int, *, key: int) -> int:
        return value + key

    with pytest.raises(CallError, match="key"):
        keyed(1)
    assert keyed(1, key=2).arguments == ((1,), {"key": 2})


def test_a_builtin_without_a_signature_is_taken_as_it_is_called() -> None:
    assert isinstance(task(max)(1, 2, 3), Task)
    assert isinstance(task(dict)(a=1), Task)


def test_tasks_are_inputs_wherever_they_stand() -> None:
    one, two = add(1), add(2)
    described = total(one, 5, scale=same([{"deep": two}, one]))
    assert described.inputs[0] is one
    assert described.inputs[1].inputs == (two, one)


def test_a_task_used_twice_is_one_input() -> None:
    one = add(1)
    described = total(one, one, scale=one)
    assert described.inputs == (one,)
    assert total(one, one).arguments != ()


def test_calls_of_tasks_alone_carry_no_arguments() -> None:
    assert total(add(1), add(2)).arguments == ()


def test_an_array_may_stand_beside_a_list_of_tasks() -> None:
    described = add(np.arange(3), [add(1), add(2)])
    assert len(described.inputs) == 2
    assert isinstance(described.arguments[0][1].template[0], Output)


def test_a_list_that_changes_after_the_call_does_not_change_the_call() -> None:
    numbers, options, parts = [1], {"rate": 1}, [add(1)]
    calls = [same(numbers), same(options), same(parts)]
    numbers.append(2)
    options["rate"] = 2
    parts.append(add(2))
    assert calls[0].arguments == (([1],),)
    assert calls[1].arguments == (({"rate": 1},),)
    assert len(calls[2].inputs) == 1


def test_a_task_does_not_change_when_it_is_passed_on() -> None:
    one = add(1)
    before = (one.arguments, one.inputs, one.serial)
    for _ in range(3):
        same(one)
    assert (one.arguments, one.inputs, one.serial) == before


@pytest.mark.parametrize("made", [lambda: add(1), lambda: add(1)["part"]], ids=["task", "part"])
@pytest.mark.parametrize(
    "use", [bool, list, tuple, lambda t: [*t], lambda t: t and 1, lambda t: t[0], lambda t: 1 in t]
)
def test_a_task_has_no_value_here_and_says_so(use: Any, made: Any) -> None:
    with pytest.raises(TypeError, match="has not run"):
        use(made())


def test_a_part_of_a_task_is_named_by_its_key() -> None:
    whole = add(1)
    part = whole["total"]
    assert (part.task, part.name) == (whole, "total")
    assert add(part, whole).inputs == (whole,)
    with pytest.raises(TypeError, match=r"has not run: use \['no name'\] in a task that takes it"):
        whole["no name"]
    with pytest.raises(AttributeError, match=r"<total of <task add>> has not run and has no real"):
        part.real  # type: ignore[attr-defined]  # noqa: B018


def test_a_task_has_no_attributes_of_its_value_and_says_so() -> None:
    with pytest.raises(AttributeError, match=r"has not run and has no real: use \.real in"):
        add(1).real  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(add(1), "_repr_html_")


def test_methods_take_their_instance_along() -> None:
    class Scale:
        def __init__(self, by: int) -> None:
            self.by = by

        @task
        def apply(self, number: int) -> int:
            return number * self.by

        @classmethod
        @task
        def make(cls, by: int) -> Any:
            return cls(by)

        @staticmethod
        @task
        def double(number: int) -> int:
            return 2 * number

    scale = Scale(3)
    assert scale.apply(2).arguments == ((scale, 2),)
    assert Scale.apply(scale, 2).arguments == ((scale, 2),)
    assert Scale.make(2).arguments == ((Scale, 2),)
    assert scale.double(2).arguments == ((2,),)
    with pytest.raises(CallError):
        scale.apply(2, 3)


def test_partials_and_callable_objects_have_names() -> None:
    class Scaler:
        _signature = "not ours"

        def __call__(self, number: int) -> int:
            return number

    scaler = Scaler()
    scaler._check = None
    half = task(functools.partial(add.function, 1))
    assert freeze([half(2), task(scaler)(1)]).ids == ("add-0", "Scaler-0")
    with pytest.raises(CallError):
        half(1, 2)
    with pytest.raises(CallError):
        task(scaler)()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("grösse", "grosse-0"),
        ("数える", "task-0"),
        ("a b/c:d", "abcd-0"),
        ("v1.2_x-y", "v1.2_x-y-0"),
        ("x" * 300, "x" * 100 + "-0"),
    ],
)
def test_ids_are_made_of_safe_characters(name: str, expected: str) -> None:
    assert freeze([task(name=name)(add.function)(1)]).ids == (expected,)


def test_lambdas_are_called_lambda() -> None:
    assert freeze([task(lambda: 1)()]).ids == ("lambda-0",)


def test_a_task_function_given_to_task_gets_new_options() -> None:
    again = task(retries=2)(add)
    assert again.function is add.function
    assert again.described.options.retries == 2
    assert add.described.options.retries == 0


def test_options_are_kept_with_the_function() -> None:
    @task(
        retries=3,
        retry_delay=timedelta(minutes=1),
        timeout=2,
        resources=Resources(2, "1GB"),
        requirements="numpy>=2",
        io="power:1.5",
        on_worker_lost="fail",
    )
    def careful() -> None: ...

    options = careful.described.options
    assert (options.retries, options.retry_delay_seconds, options.timeout_seconds) == (3, 60.0, 2.0)
    assert options.resources.memory_bytes == 10**9
    assert options.requirements == ("numpy>=2",)
    assert (options.io, options.on_worker_lost) == ("power:1.5", "fail")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retries": -1}, "retries=-1"),
        ({"retries": 1.5}, "retries=1.5"),
        ({"retries": True}, "retries=True"),
        ({"retries": None}, "retries=None"),
        ({"retry_delay": -1}, "retry_delay=-1"),
        ({"retry_delay": "1s"}, "retry_delay='1s'"),
        ({"retry_delay": float("nan")}, "retry_delay=nan"),
        ({"timeout": 0}, "timeout=0.*more than 0"),
        ({"timeout": float("inf")}, "timeout=inf"),
        ({"timeout": timedelta(seconds=-1)}, "timeout="),
        ({"timeout": True}, "timeout=True"),
        ({"resources": "1GB"}, r"write Resources\(cpus=1"),
        ({"requirements": 5}, "requirements=5"),
        ({"requirements": ["numpy", 2]}, "numpy>=2"),
        ({"io": "quadratic"}, "io='quadratic'.*'linear'"),
        ({"io": 2}, "io=2"),
        ({"on_worker_lost": "ignore"}, "on_worker_lost='ignore'.*'retry', 'fail'"),
        ({"on_worker_lost": None}, "on_worker_lost=None"),
        ({"name": ""}, "name=''"),
        ({"name": 5}, "name=5"),
        ({"retry": 3}, "no option 'retry'; it has .*retries"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_by_name(options: Any, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        task(**options)(add.function)


async def fetch() -> None: ...


async def stream() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (5, "must be a function"),
        ("name", "must be a function"),
        (staticmethod(len), "@staticmethod above @task"),
        (classmethod(len), "@classmethod above @task"),
        (fetch, "async def fetch"),
        (stream, "async def stream"),
    ],
    ids=str,
)
def test_what_is_no_plain_function_is_refused(function: Any, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        task(function)


def test_threads_may_build_at_once() -> None:
    built: list[Task] = []

    def build() -> None:
        built.extend(total(*[add(n) for n in range(100)], scale=2) for _ in range(20))

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.serial for one in built}) == 80
    for one in built:
        assert [o.position for o in one.arguments[0]] == list(range(100))


def test_a_task_in_a_chain_of_containers_too_deep_is_told_at_the_call() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(GraphError, match="shallower"):
        same([add(1), deep])


def test_a_parameter_may_have_any_name() -> None:
    @task
    def free(self: int, function: int, kwargs: int) -> int:
        return self + function + kwargs

    assert len(free(self=1, function=2, kwargs=3).arguments[1]) == 3


def test_a_task_function_survives_a_copy_by_its_parts() -> None:
    make, parts = add.__reduce__()
    again = make(*parts)
    assert isinstance(again, TaskFunction)
    assert again.function is add.function
