"""The graph language: calling a @task describes a call instead of making it."""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, update_wrapper
from itertools import count
from operator import is_
from typing import Any, Generic, ParamSpec, TypeVar, overload

from wfnb.arguments import Arguments, Capture
from wfnb.errors import CallError, OptionError
from wfnb.graph import Function, Options, Task
from wfnb.nesting import ATOMS
from wfnb.resources import Resources

P = ParamSpec("P")
R = TypeVar("R")

_serials = count()
_IO = re.compile(r"constant|linear|power:\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt of which task is running; a key for idempotent side effects."""

    run: str
    task: str
    attempt: int


running: ContextVar[Attempt | None] = ContextVar("running", default=None)
"""Set around a task's call; a task function called then is a plain call."""


class InWorker:
    """Whether this whole process runs tasks: threads of a task do not inherit `running`."""

    attempt: Attempt | None = None


def current_attempt() -> Attempt | None:
    """The attempt that is running here, or None outside a task."""
    return running.get() or InWorker.attempt


class TaskFunction(Generic[P, R]):
    """A function whose calls become tasks."""

    def __init__(self, function: Callable[P, R], name: str, options: Options) -> None:
        update_wrapper(self, function, updated=())
        self.function = function
        self.described = Function(name=name, call=function, options=options)
        self._signature = _signature(function)
        self._positional = _positional_bounds(self._signature)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Task:
        if InWorker.attempt is not None or running.get() is not None:
            return self.function(*args, **kwargs)  # type: ignore[return-value]
        least, most = self._positional
        if kwargs or not least <= len(args) <= most:
            self._check(args, kwargs)
        arguments, inputs = _capture(args, kwargs)
        return Task(next(_serials), self.described, arguments, inputs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """A method: the instance becomes the first argument, and travels with the task."""
        call: Callable[..., Task] = self
        return self if instance is None else partial(call, instance)

    def __repr__(self) -> str:
        return f"<task function {self.described.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return TaskFunction, (self.function, self.described.name, self.described.options)

    def _check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._signature is None:
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            name = self.described.name
            message = f"{name}{self._signature} does not fit this call: {error}"
            raise CallError(message) from None


@overload
def task(function: Callable[P, R], /) -> TaskFunction[P, R]: ...


@overload
def task(
    *,
    name: str | None = None,
    retries: int = 0,
    retry_delay: float | timedelta = 0.0,
    timeout: float | timedelta | None = None,
    resources: Resources | None = None,
    requirements: str | Iterable[str] = (),
    io: str | None = None,
    on_worker_lost: str = "retry",
) -> Callable[[Callable[P, R]], TaskFunction[P, R]]: ...


def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make the calls of a function describe tasks; use it bare or with options.

    `retries` more attempts follow a failed one, the nth after retry_delay * 2**(n-1) seconds;
    an attempt is stopped after `timeout` seconds; `on_worker_lost="fail"` makes it at-most-once;
    `io` tells predictions how output grows with input: "constant", "linear" or "power:k".

    Lists, dicts and sets that a call is given are copied (up to a thousand elements); any other
    object is read when the run starts: do not change it in between.
    """
    unknown = options.keys() - _OPTIONS
    if unknown:
        known = ", ".join(sorted(_OPTIONS))
        raise OptionError(f"@task has no option {min(unknown)!r}; it has {known}")
    if function is None:
        return partial(_decorate, **options)
    return _decorate(function, **options)


def _decorate(  # noqa: PLR0913  the options of @task, spelt out
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    retry_delay: float | timedelta = 0.0,
    timeout: float | timedelta | None = None,
    resources: Resources | None = None,
    requirements: str | Iterable[str] = (),
    io: str | None = None,
    on_worker_lost: str = "retry",
) -> TaskFunction[..., Any]:
    if isinstance(function, TaskFunction):
        function = function.function
    _refuse_what_is_no_function(function)
    options = Options(
        retries=_retries(retries),
        retry_delay_seconds=_seconds("retry_delay", retry_delay),
        timeout_seconds=None if timeout is None else _seconds("timeout", timeout, above_zero=True),
        resources=_resources(resources),
        requirements=_requirements(requirements),
        io=_choice(
            "io", io, io is None or _IO.fullmatch(str(io)), "'constant', 'linear', 'power:2'"
        ),
        on_worker_lost=_choice(
            "on_worker_lost", on_worker_lost, on_worker_lost in ("retry", "fail"), "'retry', 'fail'"
        ),
    )
    return TaskFunction(function, _readable(_name_of(function) if name is None else name), options)


_OPTIONS = frozenset(inspect.signature(_decorate).parameters) - {"function"}


def _refuse_what_is_no_function(function: Any) -> None:
    if isinstance(function, (classmethod, staticmethod)):
        kind = type(function).__name__
        raise OptionError(f"@task on a {kind}: write @{kind} above @task, not below it")
    if not callable(function):
        raise OptionError(f"@task on {function!r}: it must be a function, or anything callable")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        name = _name_of(function)
        raise OptionError(
            f"@task on `async def {name}`: a task is called, not awaited; await inside a plain "
            "function, with asyncio.run"
        )


def _capture(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Arguments, tuple[Task, ...]]:
    """Put a hole where each task stands."""
    capture = Capture(Task)
    template = [value if type(value) in ATOMS else capture.of(value) for value in args]
    inputs = capture.inputs
    if kwargs:
        named = {
            name: value if type(value) in ATOMS else capture.of(value)
            for name, value in kwargs.items()
        }
        return (tuple(template), named), tuple(inputs)
    if len(inputs) == len(args) and all(map(is_, template, inputs.values())):
        return (), tuple(inputs)
    return (tuple(template),), tuple(inputs)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None  # some builtins have none; Python checks their calls when they run


def _positional_bounds(signature: inspect.Signature | None) -> tuple[int, float]:
    """How many positional arguments fit for certain; anything else is bound in full."""
    if signature is None:
        return 0, float("inf")
    least, most = 0, 0.0
    for parameter in signature.parameters.values():
        match parameter.kind:
            case inspect.Parameter.VAR_POSITIONAL:
                most = float("inf")
            case inspect.Parameter.POSITIONAL_ONLY | inspect.Parameter.POSITIONAL_OR_KEYWORD:
                most += 1
                least += parameter.default is parameter.empty
            case inspect.Parameter.KEYWORD_ONLY if parameter.default is parameter.empty:
                return 1, 0  # it must be named: no purely positional call fits
    return least, most


def _name_of(function: Callable[..., Any]) -> str:
    named = function.func if isinstance(function, partial) else function
    return getattr(named, "__name__", type(named).__name__)


def _readable(name: str) -> str:
    """Only [A-Za-z0-9_.-], so that ids are safe in keys, file names and commands."""
    if not isinstance(name, str) or not name:
        raise OptionError(f"name={name!r}: give a text, such as 'count'")
    plain = unicodedata.normalize("NFKD", name.replace("<lambda>", "lambda"))
    return re.sub(r"[^A-Za-z0-9_.-]+", "", plain)[:100] or "task"


def _retries(retries: int) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise OptionError(f"retries={retries!r}: give a whole number, 0 or more")
    return retries


def _requirements(requirements: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(requirements, str):
        return (requirements,)
    wanted = tuple(requirements) if isinstance(requirements, Iterable) else (requirements,)
    if not all(isinstance(one, str) for one in wanted):
        raise OptionError(f"requirements={requirements!r}: give texts such as 'numpy>=2'")
    return wanted


def _seconds(option: str, value: float | timedelta, *, above_zero: bool = False) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    fits = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not fits or not 0 <= seconds < float("inf") or (above_zero and not seconds):
        least = "more than 0" if above_zero else "0 or more"
        raise OptionError(f"{option}={value!r}: give seconds or a timedelta, {least}")
    return float(seconds)


def _resources(resources: Resources | None) -> Resources:
    if resources is None:
        return Resources()
    if not isinstance(resources, Resources):
        raise OptionError(f"resources={resources!r}: write Resources(cpus=1, memory='512MB')")
    return resources


def _choice(option: str, value: Any, is_valid: object, choices: str) -> Any:
    if not is_valid:
        raise OptionError(f"{option}={value!r}: choose from {choices}")
    return value
