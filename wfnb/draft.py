"""The graph under construction, one cell at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from wfnb.errors import GraphError
from wfnb.graph import Graph, Task, freeze


@dataclass(slots=True)
class Draft:
    """The tasks that each cell bound to names; what they need comes in as their ancestors."""

    cells: dict[str, dict[str, tuple[Task, ...]]] = field(default_factory=dict)
    """Cell -> name -> tasks, in the order of writing."""

    def write(self, cell: str, tasks: Mapping[str, Iterable[Task]]) -> None:
        """What a cell binds replaces all it bound before, and those names in other cells."""
        self.erase(cell)
        for name in tasks:
            self.drop(name)
        if tasks:
            self.cells[cell] = {name: tuple(some) for name, some in tasks.items()}

    def erase(self, cell: str) -> None:
        self.cells.pop(cell, None)

    def drop(self, name: str) -> bool:
        """Forget a name, as `del` does; False if no cell bound a task to it."""
        holders = [cell for cell, names in self.cells.items() if name in names]
        for cell in holders:
            del self.cells[cell][name]
            if not self.cells[cell]:
                del self.cells[cell]
        return bool(holders)

    def keep(self, names: Iterable[str]) -> None:
        """Forget every name but these: the others are gone from the notebook."""
        kept = set(names)
        for name in [name for name in self.names if name not in kept]:
            self.drop(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for names in self.cells.values() for name in names)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Each once, in the order of writing."""
        found = {
            task.serial: task
            for names in self.cells.values()
            for some in names.values()
            for task in some
        }
        return tuple(found.values())

    @property
    def sinks(self) -> tuple[Task, ...]:
        """The tasks that no other task of the draft reads."""
        read, to_see = set(), list(self.tasks)
        while to_see:
            for task in to_see.pop().inputs:
                if task.serial not in read:
                    read.add(task.serial)
                    to_see.append(task)
        return tuple(task for task in self.tasks if task.serial not in read)

    def freeze(self, targets: Iterable[Task] | None = None) -> Graph:
        """The graph of these targets, or of the draft's sinks; GraphError if there are none."""
        wanted = self.sinks if targets is None else tuple(targets)
        if not wanted:
            raise GraphError("the draft holds no task: call a @task function and give it a name")
        return freeze(wanted)


def tasks_in(value: Any) -> tuple[Task, ...]:
    """The tasks that a variable holds: itself one, or a container of some, one level deep.

    A container without a task among its first thousand is taken for data, which may be large.
    """
    if isinstance(value, Task):
        return (value,)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set, frozenset)):
        return ()
    if not any(isinstance(part, Task) for part in islice(value, 1000)):
        return ()
    return tuple(part for part in value if isinstance(part, Task))
