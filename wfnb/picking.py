"""What a notebook offers to whoever builds a task: functions to call, and inputs to connect."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from wfnb.draft import Draft
from wfnb.expressions import quoted
from wfnb.language import TaskFunction
from wfnb.lineage import tasks_in, whole
from wfnb.tasks import PartOf, Task

MOST_PICKS = 300
MOST_PARTS = 20
"""Of a list of tasks; the others can be typed."""
_CODE = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType, TaskFunction)
_OURS = ("IPython", "ipykernel", "ipywidgets", "wfnb")
_UNSEEN = frozenset({"In", "Out"})


@dataclass(frozen=True, slots=True)
class Pick:
    """Something that an input can be connected to."""

    text: str
    """As it is written for an argument."""
    about: str

    def __str__(self) -> str:
        return f"{self.text} · {self.about}"


def functions_in(names: Mapping[str, Any]) -> dict[str, TaskFunction[..., Any]]:
    """By the variables that hold them, sorted."""
    found = {
        name: value
        for name, value in list(names.items())
        if isinstance(value, TaskFunction) and not name.startswith("_")
    }
    return dict(sorted(found.items()))


def cell_output(name: str, names: Mapping[str, Any], draft: Draft) -> Task | PartOf | None:
    """What a cell that is a task defines under this name, unless the user has bound it since.

    After a run the variable may hold the value: the task is what can be connected.
    """
    is_ours = name in draft.bound and names.get(name) is draft.bound[name]
    if name in names and not is_ours:
        return None
    makers = (cell for cell in reversed(draft.cell_tasks) if name in cell.outputs)
    maker = next(makers, None)
    return None if maker is None else maker.handle(name)


def picks(names: Mapping[str, Any], draft: Draft, built: Collection[str]) -> tuple[Pick, ...]:
    """Built tasks first, then those of cells, then plain variables."""
    held = {name: value for name, value in list(names.items()) if _is_seen(name, value)}
    cells = {name: cell.name for cell in draft.cell_tasks for name in cell.outputs}
    outputs = {name: cell for name, cell in cells.items() if _is_of_cell(name, names, draft)}
    found = [Pick(name, "built") for name in built if name in held]
    found += [Pick(name, f"cell {cell}") for name, cell in outputs.items()]
    others = {n: v for n, v in held.items() if n not in outputs and n not in built}
    tasks = {name: value for name, value in others.items() if tasks_in(value)}
    for name, value in tasks.items():
        found += _of_tasks(name, value)
    plain = sorted(others.keys() - tasks.keys())
    found += [Pick(name, type(others[name]).__name__) for name in plain]
    return tuple(found[:MOST_PICKS])


def _is_of_cell(name: str, names: Mapping[str, Any], draft: Draft) -> bool:
    return cell_output(name, names, draft) is not None


def _is_seen(name: str, value: Any) -> bool:
    if name.startswith("_") or name in _UNSEEN or isinstance(value, _CODE):
        return False
    return isinstance(value, (Task, PartOf)) or not type(value).__module__.startswith(_OURS)


def _of_tasks(name: str, value: Any) -> Iterator[Pick]:
    if isinstance(value, (Task, PartOf)):
        yield Pick(name, f"task {whole(value).function.name}")
        return
    yield Pick(name, f"{len(value)} tasks")
    if isinstance(value, (list, tuple)):
        keys: list[Any] = list(range(min(len(value), MOST_PARTS)))
    else:
        keys = [k for k in value if isinstance(k, str)] if isinstance(value, dict) else []
    for key in keys[:MOST_PARTS]:
        part = value[key]
        if isinstance(part, (Task, PartOf)):
            shown = quoted(key) if isinstance(key, str) else key
            yield Pick(f"{name}[{shown}]", f"task {whole(part).function.name}")
