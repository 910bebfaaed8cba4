"""What is to be computed: tasks in an order, and what each of them reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from wfnb.arguments import Arguments, Capture, OutputOf
from wfnb.errors import GraphError
from wfnb.tasks import Function, MapTask, NamedCall, NamedTask, Options, PartOf, Task, TaskId

__all__ = [
    "Function",
    "Graph",
    "MapCall",
    "MapTask",
    "NamedCall",
    "NamedTask",
    "Options",
    "PartOf",
    "Task",
    "TaskId",
    "ids_of",
]
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCall:
    """How a map gets its items, once the task that splits its iterables has ended."""

    splitter: int
    function: int
    """The position of the function that its items call."""
    arguments: Arguments | Callable[[], Arguments]
    """Of one item's call: its element, or what the item it follows returned, is the first output,
    the constants are the others. A stored graph makes them anew each time."""
    constants: tuple[int, ...] = ()
    """Tasks that all its items read."""
    over: int | None = None
    """The map whose items its own follow one by one; None: they are given the elements."""
    iterated: int = 0
    """So many inputs of the splitter are split; the others are constants to wait for."""
    is_spread: bool = False
    """Whether an element is a tuple, one value of each of several iterables."""
    flatten: bool = False
    expected: int | None = None


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
    maps: Mapping[int, MapCall] = field(default_factory=dict)
    """By the position of the task that stands for a map's list, in order."""

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
        return f"<graph of {len(self) - len(self.maps_of)} tasks, {len(self.functions)} functions>"

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

    @cached_property
    def maps_of(self) -> Mapping[int, tuple[int, ...]]:
        """For each task that splits, its maps: the first is given the elements."""
        found: dict[int, tuple[int, ...]] = {}
        for at, call in self.maps.items():
            found[call.splitter] = (*found.get(call.splitter, ()), at)
        return found

    @cached_property
    def _constants(self) -> frozenset[int]:
        return frozenset(at for call in self.maps.values() for at in call.constants)

    def stays(self, at: int) -> bool:
        """Whether items of maps read its output, so that nobody can count for how long."""
        return self.base(at) in self._constants

    def reads(self, at: int) -> tuple[TaskId, ...]:
        """The names of the outputs that fill this call's arguments, in order."""
        inputs = self.inputs_at[at]
        if at in self.maps_of:
            inputs = inputs[: self.maps[self.maps_of[at][0]].iterated]
        return tuple([self.ids[read] for read in inputs])

    def readings(self, at: int) -> int:
        """How often this task's output will be read; once more if nobody can count that."""
        return len(self.readers_at[at]) + self.stays(at)

    @property
    def as_planned(self) -> Graph:
        """As it was before any map got its items."""
        return self

    def base(self, at: int) -> int:
        """The map of an item, or the task itself: it says where and how often it may run."""
        return at

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


def ids_of(
    bases: Sequence[str], function_at: Sequence[int], names: Mapping[int, str]
) -> tuple[TaskId, ...]:
    """Number the tasks of each function name; functions that share a name share the count.

    Numbers are left out that would give an id which `names` gives.
    """
    shared = {base: at for at, base in reversed(list(enumerate(bases)))}
    counter_at = [shared[base] for base in bases]
    prefixes = [f"{base}-" for base in bases]
    counts = [0] * len(bases)
    given = set(names.values())
    ids = []
    for at, function in enumerate(function_at):
        if at in names:
            ids.append(names[at])
            continue
        counter = counter_at[function]
        while given and prefixes[function] + str(counts[counter]) in given:
            counts[counter] += 1
        ids.append(prefixes[function] + str(counts[counter]))
        counts[counter] += 1
    return tuple(ids)  # type: ignore[arg-type]


def _written(call: NamedCall) -> tuple[Arguments, tuple[TaskId, ...]]:
    capture = Capture({OutputOf: _read_by_name})
    args = tuple([capture.of(value) for value in call.args])
    kwargs = {name: capture.of(value) for name, value in call.kwargs.items()}
    inputs = tuple(TaskId(read) for read in capture.inputs)
    return (args, kwargs) if kwargs else (args,), inputs


def _read_by_name(hole: OutputOf) -> tuple[str, None]:
    return hole.task, None


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
