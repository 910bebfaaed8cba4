"""What a user asked for: tasks, and the form in which their values are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wfnb.arguments import part_of
from wfnb.errors import GraphError
from wfnb.graph import Graph, PartOf, Task, TaskId


@dataclass(frozen=True, slots=True)
class Answer:
    """The form of a result; it travels with the run as text, so that `attach` gives the same."""

    form: str
    """value, tuple or list."""
    wanted: tuple[tuple[int, str], ...] = ()
    """Of each value its position among the graph's targets, and the name of the part that is
    wanted of it; empty if every target is wanted whole, and once."""

    def __str__(self) -> str:
        return " ".join([self.form, *(f"{at}:{part}" for at, part in self.wanted)])

    @classmethod
    def read(cls, text: str | None, graph: Graph) -> Answer:
        if not text:
            return cls("value" if len(graph.targets) == 1 else "tuple")
        form, *wanted = text.split()
        pairs = (word.partition(":") for word in wanted)
        return cls(form, tuple((int(at), part) for at, _, part in pairs))

    def shaped(self, values: Sequence[Any]) -> Any:
        """The values of the graph's targets, in order, as they were asked for."""
        wanted = list(values)
        if self.wanted:
            wanted = [part_of(values[at], part) if part else values[at] for at, part in self.wanted]
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
    pairs = [_task_and_part(target) for target in targets]
    once = {task.serial: (at, task) for at, task in enumerate(dict.fromkeys(t for t, _ in pairs))}
    tasks = tuple(task for _, task in once.values())
    if len(tasks) == len(pairs) and not any(part for _, part in pairs):
        return tasks, Answer(form)
    return tasks, Answer(form, tuple((once[task.serial][0], part) for task, part in pairs))


def _task_and_part(target: Any) -> tuple[Task, str]:
    if isinstance(target, PartOf):
        return target.task, target.name
    if isinstance(target, Task):
        return target, ""
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
