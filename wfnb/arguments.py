"""A call's arguments with holes, and how the outputs of other tasks fill them.

Holes are numbered by the task's own inputs, not by task id, so that a template never changes when
ids are given, and equal calls share one template.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeAlias

Arguments: TypeAlias = (
    tuple[()] | tuple[tuple[Any, ...]] | tuple[tuple[Any, ...], Mapping[str, Any]]
)
"""() means: the inputs, in order, as positional arguments. Else (args,) or (args, kwargs)."""


class Output:
    """Stands, among a task's arguments, for what the task's input at this position returns."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position

    def __repr__(self) -> str:
        return f"Output({self.position})"

    def __reduce__(self) -> tuple[Any, ...]:
        return output_at, (self.position,)


@dataclass(frozen=True, slots=True)
class Nested:
    """An argument that holds outputs somewhere inside."""

    template: Any


@dataclass(frozen=True, slots=True)
class Constant:
    """Stands for a large value that is stored once, under the hash of its content."""

    content: str


_known_outputs: list[Output] = [Output(position) for position in range(64)]


def output_at(position: int) -> Output:
    """One shared object a position, which pickle then writes once a graph."""
    while position >= len(_known_outputs):
        _known_outputs.append(Output(len(_known_outputs)))
    return _known_outputs[position]


def fill(
    arguments: Arguments, outputs: Sequence[Any], constants: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The positional and keyword arguments of one call."""
    if not arguments:
        return outputs, {}
    args = [_filled(value, outputs, constants) for value in arguments[0]]
    if len(arguments) == 1:
        return args, {}
    return args, {
        name: _filled(value, outputs, constants) for name, value in arguments[1].items()
    }


def constants_of(arguments: Arguments) -> list[str]:
    """The content hashes of the large values this call needs."""
    if not arguments:
        return []
    values = [*arguments[0], *(arguments[1].values() if len(arguments) > 1 else ())]
    return [value.content for value in values if type(value) is Constant]


def _filled(value: Any, outputs: Sequence[Any], constants: Mapping[str, Any]) -> Any:
    kind = type(value)
    if kind is Output:
        return outputs[value.position]
    if kind is Nested:
        return replace_deep(value.template, Output, lambda hole: outputs[hole.position])
    if kind is Constant:
        return constants[value.content]
    return value


def holds(value: Any, kind: type) -> bool:
    """Whether an instance of `kind` lies anywhere inside; without recursion, cycles are harmless."""
    to_see, seen = [value], set()
    while to_see:
        value = to_see.pop()
        if isinstance(value, kind):
            return True
        parts = _parts(value)
        if parts is not None and id(value) not in seen:
            seen.add(id(value))
            to_see.extend(parts)
    return False


def replace_deep(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A copy with every instance of `kind` changed; parts that hold none are kept as they are."""
    if isinstance(value, kind):
        return change(value)
    if not holds(value, kind):
        return value

    def again(part: Any) -> Any:
        return replace_deep(part, kind, change)

    if isinstance(value, dict):
        changed = [(again(key), again(part)) for key, part in value.items()]
        return _refilled_dict(value, changed)
    if is_dataclass(value):
        return _refilled_dataclass(value, again)
    parts = [again(part) for part in value]
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(parts)
    return type(value)(parts)


def _parts(value: Any) -> Sequence[Any] | None:
    """What a container holds; None for anything that is not looked into."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(value)
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, f.name) for f in fields(value) if hasattr(value, f.name)]
    return None


def _refilled_dict(value: dict[Any, Any], items: list[tuple[Any, Any]]) -> dict[Any, Any]:
    refilled = copy.copy(value)  # keeps the default of a defaultdict, and the order
    refilled.clear()
    refilled.update(items)
    return refilled


def _refilled_dataclass(value: Any, again: Callable[[Any], Any]) -> Any:
    """Field by field: __post_init__ has run once, on what its author wrote, and may not like holes."""
    refilled = copy.copy(value)
    for field in fields(value):
        if hasattr(value, field.name):
            object.__setattr__(refilled, field.name, again(getattr(value, field.name)))
    return refilled
