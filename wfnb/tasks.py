"""Calls to make: tasks, the functions that they call, and what their author says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NewType, cast

from wfnb.arguments import Arguments
from wfnb.resources import Resources

TaskId = NewType("TaskId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the author of a task says about running it."""

    retries: int = 0
    retry_delay_seconds: float = 0.0
    timeout_seconds: float | None = None
    resources: Resources = Resources()
    requirements: tuple[str, ...] = ()
    io: str | None = None
    """How output bytes relate to input bytes, for predictions: "constant", "linear", "power:k"."""
    on_worker_lost: str = "retry"
    """"retry" runs the task again when its worker dies; "fail" makes it at-most-once."""
    duration_seconds: float | None = None
    """What a call is guessed to take, until there is history to predict from."""
    reuse: bool = False
    """Whether what it returns is kept, and taken again where nothing has changed."""
    more_memory: float | None = None
    """Times the memory of an attempt that ran out of it, for the one that follows."""
    pure: bool = True
    """Whether equal code and equal inputs give an equal value."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function whose calls are tasks, with the options that hold for each of them."""

    name: str
    call: Callable[..., Any]
    options: Options = Options()


class Pending:
    """What has no value yet where it is written: it is passed on, as an argument or inside one."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        message = f"{self!r} has no value here: a task is passed as an argument, or inside one"
        raise TypeError(message)

    def __iter__(self) -> Iterator[Any]:
        message = f"{self!r} has not run: pass it to a task whole, or wfnb.run() it and unpack that"
        raise TypeError(message)

    def __getitem__(self, key: Any) -> Any:
        message = f"{self!r} has not run: use [{key!r}] in a task that takes it"
        raise TypeError(message)

    if not TYPE_CHECKING:  # a type checker says so by itself, and earlier

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):  # what Python and IPython ask of everything
                raise AttributeError(name)
            message = f"{self!r} has not run and has no {name}: use .{name} in a task that takes it"
            raise AttributeError(message)

    def __contains__(self, item: object) -> bool:
        return item in iter(self)

    def __bool__(self) -> bool:
        message = f"{self!r} has not run: its value is known to the tasks that take it, not here"
        raise TypeError(message)


class Task(Pending):
    """One call to make. Nothing runs, and nothing is ever added to it, when it is passed on."""

    __slots__ = ("__weakref__", "arguments", "function", "inputs", "serial")

    def __init__(
        self, serial: int, function: Function, arguments: Arguments, inputs: tuple[Task, ...]
    ) -> None:
        self.serial = serial
        self.function = function
        self.arguments = arguments
        self.inputs = inputs

    def __repr__(self) -> str:
        return f"<task {self.function.name}>"

    def __getitem__(self, key: str) -> PartOf:
        """One of several outputs, by its name: what is there under it when the task has run."""
        if isinstance(key, str) and key.isidentifier():
            return PartOf(self, key)
        return cast(PartOf, super().__getitem__(key))


class NamedTask(Task):
    """A task whose id is given rather than counted, such as a cell.

    It may be written anew in place: what refers to it then means what it is now.
    """

    __slots__ = ("name",)

    def __init__(
        self,
        serial: int,
        function: Function,
        arguments: Arguments,
        inputs: tuple[Task, ...],
        *,
        name: str,
    ) -> None:
        super().__init__(serial, function, arguments, inputs)
        self.name = name


class MapTask(Task):
    """A function to be called once for each item, when the items are known; the list is its value.

    `arguments` are those of one item's call, in which the item is the first output.
    """

    __slots__ = ("call",)

    def __init__(
        self, serial: int, function: Function, arguments: Arguments, call: Iteration
    ) -> None:
        inputs = tuple(dict.fromkeys((*call.iterated, *call.constants)))
        super().__init__(serial, function, arguments, inputs)
        self.call = call


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """What a map goes over, and how."""

    iterables: Arguments
    iterated: tuple[Task, ...]
    """The tasks in `iterables`."""
    constants: tuple[Task, ...]
    """The tasks in the other arguments."""
    over: MapTask | None
    """The map that it may follow item by item, being all that it goes over."""
    is_spread: bool = False
    """Whether it goes over several iterables at once."""
    depth: int = 1
    flatten: bool = False
    expected: int | None = None
    """How many items, as its author guesses."""


@dataclass(frozen=True, slots=True, eq=False)
class PartOf(Pending):
    """One of several outputs of a task, by its name."""

    task: Task
    name: str

    def __repr__(self) -> str:
        return f"<{self.name} of {self.task!r}>"


@dataclass(frozen=True, slots=True, eq=False)
class NamedCall:
    """A task under an id of its own, as a file or a cell describes it."""

    id: str
    function: Function
    args: tuple[Any, ...] = ()
    """With an `OutputOf` wherever another task's output goes, at any depth."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
