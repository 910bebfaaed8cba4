"""Which tasks a variable holds, what they need, and who needs what has been dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from wfnb.cell_tasks import Gone
from wfnb.graph import PartOf, Task

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Dropped:
    """What has left the draft."""

    name: str
    is_cell: bool
    readers: tuple[str, ...]
    """Names and cells of the draft that need it."""

    def __str__(self) -> str:
        if not self.readers:
            return f"dropped {self.name}; nothing in the draft needs it"
        shown = ", ".join(self.readers[:MOST_NAMED])
        more = len(self.readers) - MOST_NAMED
        shown += f" and {more} more" if more > 0 else ""
        if self.is_cell:
            return f"dropped {self.name}; without it these cannot run: {shown}"
        return f"dropped {self.name}; it still runs for those that need it: {shown}"


def ancestors(tasks: Iterable[Task]) -> Iterator[Task]:
    """All that these tasks need, each once."""
    seen, to_see = set[int](), list(tasks)
    while to_see:
        inputs = to_see.pop().inputs
        for task in () if isinstance(inputs, Gone) else inputs:
            if task.serial not in seen:
                seen.add(task.serial)
                to_see.append(task)
                yield task


def tasks_in(value: Any) -> tuple[Task, ...]:
    """The tasks that a variable holds: itself one, or a container of some, one level deep.

    A container without a task among its first thousand is taken for data, which may be large.
    """
    if isinstance(value, (Task, PartOf)):
        return (whole(value),)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set, frozenset)):
        return ()
    if not any(isinstance(part, (Task, PartOf)) for part in islice(value, 1000)):
        return ()
    return tuple(whole(part) for part in value if isinstance(part, (Task, PartOf)))


def whole(value: Task | PartOf) -> Task:
    return value.task if isinstance(value, PartOf) else value
