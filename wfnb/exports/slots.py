"""The arguments of one call, each with the tasks that its holes stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wfnb.arguments import Nested, Output, Part, output_at
from wfnb.tasks import MapTask, Task


@dataclass(frozen=True, slots=True)
class Slot:
    label: str
    """`name=`, or nothing for a positional one."""
    value: Any
    reads: tuple[Task, ...]
    """What the holes in the value stand for, by their position."""

    @property
    def only_read(self) -> Task | None:
        """The task that it is, if it is one and nothing besides."""
        return self.reads[self.value.position] if type(self.value) is Output else None

    @property
    def holds_more(self) -> bool:
        """Whether a task is somewhere inside."""
        return type(self.value) in (Nested, Part)


def slots_of(task: Task) -> tuple[Slot, ...]:
    """In the order in which they are written."""
    return tuple(_map_slots(task) if isinstance(task, MapTask) else _slots(task))


def _slots(task: Task) -> Iterator[Slot]:
    if not task.arguments:
        for at in range(len(task.inputs)):
            yield Slot("", output_at(at), task.inputs)
        return
    for value in task.arguments[0]:
        yield Slot("", value, task.inputs)
    if len(task.arguments) > 1:
        for name, value in task.arguments[1].items():
            yield Slot(f"{name}=", value, task.inputs)


def _map_slots(task: MapTask) -> Iterator[Slot]:
    call = task.call
    values = call.iterables[0] if call.iterables else map(output_at, range(len(call.iterated)))
    for value in values:
        yield Slot("", value, call.iterated)
    reads = (task, *call.constants)  # the first hole is the item, which is not written
    if len(task.arguments) > 1:
        for name, value in task.arguments[1].items():
            yield Slot(f"{name}=", value, reads)
    for name, value, default in (
        ("flatten", call.flatten, False),
        ("depth", call.depth, 1),
        ("expected", call.expected, None),
    ):
        if value != default:
            yield Slot(f"{name}=", value, ())
