"""From tasks to a graph: what they need, in an order, each under its id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush
from typing import Any, TypeAlias

from wfnb.arguments import Arguments, output_at
from wfnb.errors import GraphError
from wfnb.graph import Graph, MapCall, ids_of
from wfnb.maps import gathered, split
from wfnb.tasks import Function, MapTask, NamedTask, Options, PartOf, Task, TaskId

_Key: TypeAlias = tuple[int, int]
"""The serial of a task and 1, or that of the first map of a group and 0: the task that splits."""


def freeze(targets: Iterable[Task | PartOf]) -> Graph:
    """The graph of these tasks and all they need.

    Ids count each function's tasks in the order in which they were written: count-0, count-1, ...
    Raises GraphError for what is no task, for a cycle, and for two tasks of one name.
    """
    wanted = tuple([_task(target) for target in targets])
    found = with_ancestors(wanted)
    if any(isinstance(task, (MapTask, NamedTask)) for task in found):
        return _Freezing(found, wanted).graph()
    position = {task.serial: at for at, task in enumerate(found)}
    functions = {id(task.function): task.function for task in found}
    place = {key: at for at, key in enumerate(functions)}
    function_at = tuple([place[id(task.function)] for task in found])
    ids = ids_of([function.name for function in functions.values()], function_at, {})
    return Graph(
        functions=tuple(functions.values()),
        ids=ids,
        function_at=function_at,
        arguments_at=tuple([task.arguments for task in found]),
        inputs_at=tuple([tuple([position[i.serial] for i in task.inputs]) for task in found]),
        targets=tuple(dict.fromkeys(ids[position[target.serial]] for target in wanted)),
    )


def _task(target: Any) -> Task:
    if isinstance(target, PartOf):
        return target.task
    if isinstance(target, Task):
        return target
    kind = type(target).__name__
    raise GraphError(f"{target!r} is a {kind}, not a task: call a @task function to make one")


def with_ancestors(targets: Sequence[Task]) -> list[Task]:
    """These and all they need, in order of writing, which respects the inputs of all but cells."""
    found = {task.serial: task for task in targets}
    to_see = list(found.values())
    while to_see:
        for task in to_see.pop().inputs:
            if task.serial not in found:
                found[task.serial] = task
                to_see.append(task)
    return [found[serial] for serial in sorted(found)]


@dataclass(slots=True)
class _Row:
    """One task of the graph to be."""

    function: Function
    arguments: Arguments
    inputs: list[_Key]


@dataclass(slots=True)
class _Freezing:
    """Maps become the tasks that split and gather; cells are written anew, in any order."""

    tasks: Sequence[Task]
    targets: Sequence[Task]
    rows: dict[_Key, _Row] = field(default_factory=dict)
    group_of: dict[int, int] = field(default_factory=dict)
    """Map -> the first map of its group."""
    task_of: dict[int, Task] = field(init=False)

    def __post_init__(self) -> None:
        self.task_of = {task.serial: task for task in self.tasks}

    def graph(self) -> Graph:
        for task in self.tasks:
            if isinstance(task, MapTask):
                self._add_map(task)
            else:
                self.rows[task.serial, 1] = _Row(task.function, task.arguments, _keys(task.inputs))
        order = self._order()
        position = {key: at for at, key in enumerate(order)}
        rows = [self.rows[key] for key in order]
        called = [task.function for task in self.tasks if isinstance(task, MapTask)]
        functions = {id(f): f for f in [*(row.function for row in rows), *called]}
        place = {key: at for at, key in enumerate(functions)}
        function_at = tuple([place[id(row.function)] for row in rows])
        names = self._names(position)
        ids = self._ids(list(functions.values()), function_at, names, position)
        return Graph(
            functions=tuple(functions.values()),
            ids=ids,
            function_at=function_at,
            arguments_at=tuple([row.arguments for row in rows]),
            inputs_at=tuple([tuple([position[key] for key in row.inputs]) for row in rows]),
            targets=tuple(dict.fromkeys(ids[position[t.serial, 1]] for t in self.targets)),
            names=names,
            maps=self._maps(position, place),
        )

    def _add_map(self, task: MapTask) -> None:
        call, serial = task.call, task.serial
        first = None if call.over is None else self.group_of[call.over.serial]
        if first is not None and self._needs(call.constants, first):
            first = None
        if first is None:
            first = serial
            self.rows[serial, 0] = _Row(
                Function(f"{task.function.name}.items", split, _placed_like(task.function)),
                _spelt_out(call.iterables, call.depth),
                _keys(call.iterated),
            )
        self.group_of[serial] = first
        splitter = self.rows[first, 0]
        splitter.inputs += [key for key in _keys(call.constants) if key not in splitter.inputs]
        gather = Function(task.function.name, gathered, _placed_like(task.function))
        arguments = ((output_at(0),), {"flatten": call.flatten})
        self.rows[serial, 1] = _Row(gather, arguments, [(first, 0)])

    def _needs(self, tasks: Iterable[Task], first: int) -> bool:
        """Whether these tasks wait for the group of this map: they can then not be waited for."""
        seen, to_see = set[_Key](), _keys(tasks)
        while to_see:
            key = to_see.pop()
            if key == (first, 0):
                return True
            if key in seen:
                continue
            seen.add(key)
            row = self.rows.get(key)  # of a cell written anew, what it reads may come later
            to_see += row.inputs if row else _keys(self.task_of[key[0]].inputs)
        return False

    def _order(self) -> list[_Key]:
        """In the order of writing as far as inputs allow."""
        left = {key: len(row.inputs) for key, row in self.rows.items()}
        readers: dict[_Key, list[_Key]] = {key: [] for key in self.rows}
        for key, row in self.rows.items():
            for read in row.inputs:
                readers[read].append(key)
        ready = [key for key, count in left.items() if not count]
        heapify(ready)
        order = []
        while ready:
            key = heappop(ready)
            order.append(key)
            for reader in readers[key]:
                left[reader] -= 1
                if not left[reader]:
                    heappush(ready, reader)
        if len(order) < len(self.rows):
            self._refuse_cycle()
        return order

    def _refuse_cycle(self) -> None:
        name = {(task.serial, 1): getattr(task, "name", task.function.name) for task in self.tasks}
        try:
            TopologicalSorter({key: row.inputs for key, row in self.rows.items()}).prepare()
        except CycleError as error:
            path = " -> ".join(name[key] for key in error.args[1] if key in name)
            message = f"tasks wait on each other: {path}: take one of them out"
            raise GraphError(message) from None

    def _names(self, position: Mapping[_Key, int]) -> dict[int, str]:
        return {
            position[task.serial, 1]: task.name
            for task in self.tasks
            if isinstance(task, NamedTask)
        }

    def _ids(
        self,
        functions: Sequence[Function],
        function_at: Sequence[int],
        names: dict[int, str],
        position: Mapping[_Key, int],
    ) -> tuple[TaskId, ...]:
        """A task that splits is named after its first map, which is counted; both are told."""
        splitters = {position[first, 0]: position[first, 1] for first in self.group_of.values()}
        bases = [function.name for function in functions]
        uncounted = names | dict.fromkeys(splitters, "")
        ids = ids_of(bases, function_at, uncounted)
        names.update({at: f"{ids[gather]}.items" for at, gather in splitters.items()})
        return tuple([TaskId(names[at]) if at in splitters else ids[at] for at in range(len(ids))])

    def _maps(self, position: Mapping[_Key, int], place: Mapping[int, int]) -> dict[int, MapCall]:
        found = {}
        for task in self.tasks:
            if not isinstance(task, MapTask):
                continue
            call, first = task.call, self.group_of[task.serial]
            over = None if first == task.serial else call.over
            found[position[task.serial, 1]] = MapCall(
                splitter=position[first, 0],
                function=place[id(task.function)],
                arguments=task.arguments,
                constants=tuple([position[read.serial, 1] for read in call.constants]),
                over=None if over is None else position[over.serial, 1],
                iterated=len(call.iterated),
                is_spread=over is None and call.is_spread,
                flatten=call.flatten,
                expected=call.expected,
            )
        return dict(sorted(found.items()))


def _keys(tasks: Iterable[Task]) -> list[_Key]:
    return [(task.serial, 1) for task in tasks]


def _placed_like(function: Function) -> Options:
    """For what runs beside a map's items: where they run, with none of their limits."""
    options = function.options
    return Options(resources=options.resources, requirements=options.requirements)


def _spelt_out(iterables: Arguments, depth: int) -> Arguments:
    """With names for what is split: a task that splits may have to wait for others besides."""
    args = iterables[0] if iterables else ()
    return args, {"depth": depth}
