"""What is to be computed: tasks, and the acyclic graph they form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, NewType

from wfnb.arguments import Arguments, Capture, OutputOf
from wfnb.errors import GraphError
from wfnb.resources import Resources

TaskId = NewType("TaskId", str)
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


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


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function whose calls are tasks, with the options that hold for each of them."""

    name: str
    call: Callable[..., Any]
    options: Options = Options()


class Task:
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

    def __reduce__(self) -> tuple[Any, ...]:
        message = f"{self!r} has no value here: a task is passed as an argument, or inside one"
        raise TypeError(message)

    def __iter__(self) -> Iterator[Any]:
        message = f"{self!r} has not run: pass it to a task whole, or wfnb.run() it and unpack that"
        raise TypeError(message)

    if not TYPE_CHECKING:  # a type checker says so by itself, and earlier

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):  # what Python and IPython ask of everything
                raise AttributeError(name)
            message = f"{self!r} has not run and has no {name}: use .{name} in a task that takes it"
            raise AttributeError(message)

    def __bool__(self) -> bool:
        message = f"{self!r} has not run: its value is known to the tasks that take it, not here"
        raise TypeError(message)


@dataclass(frozen=True, slots=True, eq=False)
class NamedCall:
    """A task under an id of its own, as a file or a cell describes it."""

    id: str
    function: Function
    args: tuple[Any, ...] = ()
    """With an `OutputOf` wherever another task's output goes, at any depth."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """Tasks in an order that respects their inputs; never changes once made.

    Columns, one entry a task: they encode ten times faster than objects, and 100,000 tasks fit.
    """

    functions: tuple[Function, ...]
    ids: tuple[TaskId, ...]
    function_at: tuple[int, ...]
    """For each task, the position of its function."""
    arguments_at: Sequence[Arguments]
    inputs_at: tuple[tuple[int, ...], ...]
    """For each task, the positions of its inputs, all before its own."""
    targets: tuple[TaskId, ...]
    names: Mapping[int, str] = field(default_factory=dict)
    """Tasks whose id was given rather than counted."""

    def __post_init__(self) -> None:
        if len(self.position) != len(self.ids):
            twice = next(i for n, i in enumerate(self.ids) if self.position[i] != n)
            raise GraphError(f"two tasks are named {twice}: give one of them another name")
        for task, inputs in enumerate(self.inputs_at):
            if inputs and max(inputs) >= task:
                raise GraphError(f"{self.ids[task]} reads a task that does not come before it")

    @classmethod
    def of(cls, calls: Iterable[NamedCall], targets: Iterable[str] | None = None) -> Graph:
        """The graph of these calls, written in any order; targets are those that nothing reads.

        Raises GraphError for a cycle, an unknown input or target, and an id that is no id.
        """
        calls = tuple(calls)
        written = {TaskId(call.id): _written(call) for call in calls}
        ordered = _ordered(calls, {task: inputs for task, (_, inputs) in written.items()})
        ids = tuple(TaskId(call.id) for call in ordered)
        functions = {id(call.function): call.function for call in ordered}
        function_position = {key: at for at, key in enumerate(functions)}
        position = {task: at for at, task in enumerate(ids)}
        read = {task for _, inputs in written.values() for task in inputs}
        graph = cls(
            functions=tuple(functions.values()),
            ids=ids,
            function_at=tuple(function_position[id(call.function)] for call in ordered),
            arguments_at=tuple(written[task][0] for task in ids),
            inputs_at=tuple(tuple(position[i] for i in written[task][1]) for task in ids),
            targets=(),
            names=dict(enumerate(ids)),
        )
        wanted = [task for task in ids if task not in read] if targets is None else targets
        return replace(graph, targets=tuple(graph.ids[graph.at(TaskId(t))] for t in wanted))

    def __iter__(self) -> Iterator[TaskId]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, task: object) -> bool:
        return task in self.position

    def __repr__(self) -> str:
        return f"<graph of {len(self)} tasks, {len(self.functions)} functions>"

    @cached_property
    def position(self) -> dict[TaskId, int]:
        return {task: at for at, task in enumerate(self.ids)}

    @cached_property
    def readers_at(self) -> tuple[tuple[int, ...], ...]:
        """For each task, the positions of the tasks that read it."""
        readers: list[list[int]] = [[] for _ in self.ids]
        for task, inputs in enumerate(self.inputs_at):
            for read in inputs:
                readers[read].append(task)
        return tuple(map(tuple, readers))

    @cached_property
    def is_target_at(self) -> tuple[bool, ...]:
        targets = set(self.targets)
        return tuple(task in targets for task in self.ids)

    def at(self, task: TaskId) -> int:
        try:
            return self.position[task]
        except KeyError:
            raise GraphError(f"no task is named {task}{_nearest(str(task), self.ids)}") from None

    def function(self, task: TaskId) -> Function:
        return self.functions[self.function_at[self.at(task)]]

    def function_name(self, task: TaskId) -> str:
        return self.function(task).name

    def options(self, task: TaskId) -> Options:
        return self.function(task).options

    def inputs(self, task: TaskId) -> tuple[TaskId, ...]:
        return tuple(self.ids[at] for at in self.inputs_at[self.at(task)])

    def readers(self, task: TaskId) -> tuple[TaskId, ...]:
        return tuple(self.ids[at] for at in self.readers_at[self.at(task)])

    def descendants(self, tasks: Iterable[TaskId]) -> set[TaskId]:
        """Every task that needs one of these, directly or not; without these themselves."""
        found: set[int] = set()
        to_see = [self.at(task) for task in tasks]
        while to_see:
            fresh = [at for at in self.readers_at[to_see.pop()] if at not in found]
            found.update(fresh)
            to_see.extend(fresh)
        return {self.ids[at] for at in found}


def freeze(targets: Iterable[Task], names: Mapping[int, str] | None = None) -> Graph:
    """The graph of these tasks and all they need.

    Ids count each function's tasks in the order in which they were written: count-0, count-1, ...
    `names` gives a task, by its serial, an id of its own.
    """
    wanted = tuple(targets)
    for target in wanted:
        if not isinstance(target, Task):
            kind = type(target).__name__
            raise GraphError(
                f"{target!r} is a {kind}, not a task: call a @task function to make one"
            )
    tasks = _with_ancestors(wanted)
    position = {task.serial: at for at, task in enumerate(tasks)}
    functions = {id(task.function): task.function for task in tasks}
    function_position = {key: at for at, key in enumerate(functions)}
    given = {position[serial]: name for serial, name in (names or {}).items() if serial in position}
    function_at = tuple([function_position[id(task.function)] for task in tasks])
    bases = [function.name for function in functions.values()]
    ids = ids_of(bases, function_at, given)
    return Graph(
        functions=tuple(functions.values()),
        ids=ids,
        function_at=function_at,
        arguments_at=tuple([task.arguments for task in tasks]),
        inputs_at=tuple([tuple([position[i.serial] for i in task.inputs]) for task in tasks]),
        targets=tuple(dict.fromkeys(ids[position[target.serial]] for target in wanted)),
        names=given,
    )


def ids_of(
    bases: Sequence[str], function_at: Sequence[int], names: Mapping[int, str]
) -> tuple[TaskId, ...]:
    """Number the tasks of each function name; functions that share a name share the count."""
    shared = {base: at for at, base in reversed(list(enumerate(bases)))}
    counter_at = [shared[base] for base in bases]
    prefixes = [f"{base}-" for base in bases]
    counts = [0] * len(bases)
    ids = []
    for at, function in enumerate(function_at):
        if at in names:
            ids.append(names[at])
            continue
        counter = counter_at[function]
        ids.append(prefixes[function] + str(counts[counter]))
        counts[counter] += 1
    return tuple(ids)  # type: ignore[arg-type]


def _with_ancestors(targets: Sequence[Task]) -> list[Task]:
    """In order of writing, which respects inputs: a task can only be given tasks that exist."""
    found = {task.serial: task for task in targets}
    to_see = list(found.values())
    while to_see:
        for task in to_see.pop().inputs:
            if task.serial not in found:
                found[task.serial] = task
                to_see.append(task)
    return [found[serial] for serial in sorted(found)]


def _written(call: NamedCall) -> tuple[Arguments, tuple[TaskId, ...]]:
    capture = Capture(OutputOf)
    args = tuple([capture.of(value) for value in call.args])
    kwargs = {name: capture.of(value) for name, value in call.kwargs.items()}
    inputs = tuple(TaskId(read.task) for read in capture.inputs)
    return (args, kwargs) if kwargs else (args,), inputs


def _ordered(
    calls: Sequence[NamedCall], inputs: Mapping[TaskId, Sequence[TaskId]]
) -> list[NamedCall]:
    by_id = {TaskId(call.id): call for call in calls}
    if len(by_id) < len(calls):
        twice = next(call.id for call in calls if by_id[TaskId(call.id)] is not call)
        raise GraphError(f"two tasks are named {twice}: give one of them another name")
    for task, reads in inputs.items():
        if not _ID.fullmatch(task):
            raise GraphError(f"{task!r} is no name for a task: use letters, digits, '_', '.', '-'")
        for read in reads:
            if read not in by_id:
                message = f"{task} reads {read}, and no task is named so{_nearest(read, [*by_id])}"
                raise GraphError(f"{message}: add it, or mend the name")
    try:
        return [by_id[task] for task in TopologicalSorter(inputs).static_order()]
    except CycleError as error:
        path = " -> ".join(error.args[1])
        raise GraphError(f"tasks wait on each other: {path}: take one of them out") from None


def _nearest(task: str, ids: Sequence[TaskId]) -> str:
    alike = [known for known in ids if known.split("-")[0] == task.split("-")[0]][:3]
    return f"; there is {', '.join(alike)}" if alike else ""
