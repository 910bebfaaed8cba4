"""Which finished tasks would give something else now."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from wfnb.graph import Graph, MapTask, PartOf, Task, TaskId


@dataclass(frozen=True, slots=True)
class Begun:
    """A run of tasks as they were when it began."""

    serials: Mapping[TaskId, int]
    at: int


@dataclass(slots=True)
class Changes:
    """Counts changes of definitions, and knows after which of them a task has run."""

    _now: int = 0
    _changed: dict[int, int] = field(default_factory=dict)
    _ran: dict[int, int] = field(default_factory=dict)

    def note(self, serials: Iterable[int]) -> None:
        """These tasks are defined anew, or would be if they were written again."""
        self._now += 1
        self._changed.update(dict.fromkeys(serials, self._now))

    def move(self, serial: int, successor: int) -> None:
        """Another task has taken the place of this one."""
        if serial in self._ran:
            self._ran[successor] = self._ran.pop(serial)

    def begin(self, graph: Graph, targets: Iterable[Task | PartOf]) -> Begun:
        serials = serials_in(graph, targets)
        return Begun({graph.ids[at]: serial for at, serial in serials.items()}, self._now)

    def end(self, begun: Begun, done: Container[TaskId]) -> None:
        """A run is over, which has done these tasks."""
        ran = {serial: begun.at for task, serial in begun.serials.items() if task in done}
        self._ran.update(ran)

    def stale(self, graph: Graph, targets: Iterable[Task | PartOf]) -> frozenset[TaskId]:
        """Tasks of this graph that have run, before they or what they need was defined anew."""
        if not self._ran:
            return frozenset()
        serials = serials_in(graph, targets)
        latest: list[int] = []
        stale = []
        for at, inputs in enumerate(graph.inputs_at):
            serial = serials.get(at, -1)
            own = self._changed.get(serial, 0)
            latest.append(max([own, *(latest[read] for read in inputs)]))
            if serial in self._ran and latest[at] > self._ran[serial]:
                stale.append(graph.ids[at])
        return frozenset(stale)


def serials_in(graph: Graph, targets: Iterable[Task | PartOf]) -> dict[int, int]:
    """Position in the graph that was frozen from these targets -> serial of the task there.

    Nothing of a graph that was frozen elsewhere, or comes from a file.
    """
    wanted = [target.task if isinstance(target, PartOf) else target for target in targets]
    once = {task.serial: task for task in wanted}
    if not once:
        return {}
    to_see = [
        (task, graph.at(target)) for task, target in zip(once.values(), graph.targets, strict=True)
    ]
    found = {at: task.serial for task, at in to_see}
    while to_see:
        for task, at in _inputs(graph, *to_see.pop()):
            if at not in found:
                found[at] = task.serial
                to_see.append((task, at))
    return found


def _inputs(graph: Graph, task: Task, at: int) -> Iterator[tuple[Task, int]]:
    if not isinstance(task, MapTask):
        yield from zip(task.inputs, graph.inputs_at[at], strict=True)
        return
    described, call = graph.maps[at], task.call
    yield from zip(call.constants, described.constants, strict=True)
    if described.over is not None and call.over is not None:
        yield call.over, described.over
    else:
        splits = graph.inputs_at[described.splitter]
        yield from zip(call.iterated, splits[: len(call.iterated)], strict=True)
