"""The graph language: calling a @task describes a call instead of making it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, update_wrapper
from itertools import count
from operator import is_
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from wfnb.arguments import Arguments, Capture, output_at
from wfnb.errors import CallError, OptionError
from wfnb.maps import Gathered, ItemCall, refuse_ambiguous, split
from wfnb.nesting import ATOMS
from wfnb.options import options_of, readable
from wfnb.resources import Resources
from wfnb.tasks import Function, Iteration, MapTask, NamedTask, Options, PartOf, Task

P = ParamSpec("P")
R = TypeVar("R")

_serials = count()
_MAP_OPTIONS = {"flatten": False, "depth": 1, "expected": None}


def next_serial() -> int:
    """Tasks are numbered as they are written."""
    return next(_serials)


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
        arguments, inputs = capture(args, kwargs)
        return Task(next_serial(), self.described, arguments, inputs)

    def map(
        self,
        iterable: Any,
        /,
        *more: Any,
        flatten: bool = False,
        depth: int = 1,
        expected: int | None = None,
        **constants: Any,
    ) -> MapTask:
        """Call it for each item of an iterable, which another task may yet have to return.

        The value is the list of what the calls return, in order, without those that return
        `wfnb.SKIP`. Of several iterables each call gets one item, up to the end of the shortest;
        each gets all the constants. `flatten` joins the lists that the calls return; with `depth=2`
        items lie in lists of lists, and so does what they return. `expected` tells planners how
        many items there may be. A map over a map follows it item by item.
        """
        if InWorker.attempt is not None or running.get() is not None:
            iterables = (iterable, *more)
            return cast(MapTask, self._mapped(iterables, constants, flatten=flatten, depth=depth))
        options = {"flatten": flatten, "depth": depth, "expected": expected}
        self._refuse_map(len(more) + 1, constants, options)
        over = iterable if isinstance(iterable, MapTask) and not more else None
        if over is not None and (over.call.flatten or over.call.depth != depth):
            over = None
        sources, iterated = capture((iterable, *more), {})
        arguments, fixed = capture((), constants, after=1)
        call = Iteration(
            iterables=sources if sources else (tuple(map(output_at, range(len(iterated)))),),
            iterated=iterated,
            constants=fixed,
            over=over,
            is_spread=bool(more),
            depth=depth,
            flatten=flatten,
            expected=expected,
        )
        return MapTask(next_serial(), self.described, ((output_at(0),), *arguments[1:]), call)

    def _mapped(
        self, iterables: tuple[Any, ...], constants: dict[str, Any], *, flatten: bool, depth: int
    ) -> Any:
        """In a worker a map is a plain loop, as a call is a plain call."""
        call = ItemCall(self.function, is_spread=len(iterables) > 1, flatten=flatten)
        elements = split(*iterables, depth=depth)
        values = [call(element, **constants) for element in elements.values]
        return Gathered(elements.shape, flatten).assembled(values)

    def _refuse_map(
        self, iterables: int, constants: dict[str, Any], options: dict[str, Any]
    ) -> None:
        flatten, depth, expected = options.values()
        if self._signature is not None:
            given = {name: value != _MAP_OPTIONS[name] for name, value in options.items()}
            refuse_ambiguous(self._signature, iterables, given)
        self._check((None,) * iterables, constants)
        if type(flatten) is not bool:
            raise OptionError(f"flatten={flatten!r}: choose from True, False")
        if type(depth) is not int or depth < 1:
            raise OptionError(f"depth={depth!r}: give a whole number, 1 or more")
        if expected is not None and (type(expected) is not int or expected < 0):
            raise OptionError(f"expected={expected!r}: give a number of items, 0 or more")

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
    duration: str | float | timedelta | None = None,
    reuse: bool = False,
    pure: bool = True,
    more_memory: float | None = None,
) -> Callable[[Callable[P, R]], TaskFunction[P, R]]: ...


def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make the calls of a function describe tasks; use it bare or with options.

    `retries` more attempts follow a failed one, the nth after retry_delay * 2**(n-1) seconds;
    an attempt is stopped after `timeout` seconds; `on_worker_lost="fail"` makes it at-most-once;
    one that ran out of its memory is followed by one with `more_memory` times as much;
    `io` tells predictions how output grows with input: "constant", "linear" or wfnb.power(k);
    `duration`, such as "2s", what a call is guessed to take while there is no history.

    With `reuse=True` what it returns is kept, and serves again where neither the code, with all
    that it uses, nor an input has changed; `pure=False` says that equal inputs do not give equal
    values, so that neither it nor what depends on it is taken from an earlier run.

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


def _decorate(
    function: Callable[..., Any], /, *, name: str | None = None, **options: Any
) -> TaskFunction[..., Any]:
    if isinstance(function, TaskFunction):
        function = function.function
    _refuse_what_is_no_function(function)
    shown = readable(_name_of(function) if name is None else name)
    return TaskFunction(function, shown, options_of(**options))


_OPTIONS = frozenset(inspect.signature(options_of).parameters) | {"name"}


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


_HOLES: Mapping[type, Callable[[Any], tuple[Any, str | None]]] = {
    Task: lambda task: (task, None),
    MapTask: lambda task: (task, None),
    NamedTask: lambda task: (task, None),
    PartOf: lambda part: (part.task, part.name),
}


def capture(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], *, after: int = 0
) -> tuple[Arguments, tuple[Task, ...]]:
    """Put a hole where each task stands; holes are numbered from `after` on."""
    found = Capture(_HOLES, after=after)
    template = [value if type(value) in ATOMS else found.of(value) for value in args]
    named = {
        name: value if type(value) in ATOMS else found.of(value) for name, value in kwargs.items()
    }
    inputs = tuple(found.inputs)[after:]
    if named or after:
        return (tuple(template), named), inputs
    if len(inputs) == len(args) and all(map(is_, template, found.inputs.values())):
        return (), inputs
    return (tuple(template),), inputs


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
