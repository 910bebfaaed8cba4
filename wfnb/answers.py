"""What a user asked for: tasks, and the form in which their values are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wfnb.errors import GraphError
from wfnb.graph import Graph, Task, TaskId


@dataclass(frozen=True, slots=True)
class Answer:
    """The form of a result; it travels with the run as text, so that `attach` gives the same."""

    form: str
    """value, tuple or list."""
    positions: tuple[int, ...] = ()
    """Of the values among the graph's targets, when a task was asked for twice; else empty."""

    def __str__(self) -> str:
        return " ".join([self.form, *map(str, self.positions)])

    @classmethod
    def read(cls, text: str | None, graph: Graph) -> Answer:
        if not text:
            return cls("value" if len(graph.targets) == 1 else "tuple")
        form, *positions = text.split()
        return cls(form, tuple(map(int, positions)))

    def shaped(self, values: Sequence[Any]) -> Any:
        """The values of the graph's targets, in order, as they were asked for."""
        wanted = [values[at] for at in self.positions] if self.positions else list(values)
        if self.form == "value":
            return wanted[0]
        return tuple(wanted) if self.form == "tuple" else wanted


def asked(targets: Sequence[Any]) -> tuple[tuple[Task, ...], Answer]:
    """Read what was given to `run`: one task, several, or one list or tuple of tasks."""
    form = "value" if len(targets) == 1 else "tuple"
    if len(targets) == 1 and isinstance(targets[0], (list, tuple)):
        form = "list" if isinstance(targets[0], list) else "tuple"
        targets = targets[0]
    if not targets:
        raise GraphError("nothing to run: give a task, as in wfnb.run(merge(parts))")
    tasks = tuple(_task(target) for target in targets)
    once = {task.serial: at for at, task in enumerate(dict.fromkeys(tasks))}
    if len(once) == len(tasks):
        return tasks, Answer(form)
    return tuple(dict.fromkeys(tasks)), Answer(form, tuple(once[t.serial] for t in tasks))


def _task(target: Any) -> Task:
    if isinstance(target, Task):
        return target
    kind = type(target).__name__
    remedy = "call a @task function to make one"
    if kind == "TaskFunction":
        remedy = f"call it, as in {target.described.name}(...), to make one"
    elif isinstance(target, Iterable) and not isinstance(target, (str, bytes)):
        remedy = "give tasks, or one list of tasks"
    raise GraphError(f"{target!r:.80}, of type {kind}, is not a task: {remedy}")


def name_of(graph: Graph) -> str:
    """A word for a run of this graph: the function of its first target."""
    targets: tuple[TaskId, ...] = graph.targets
    return graph.function_name(targets[0]) if targets else "run"
