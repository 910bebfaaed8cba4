"""A call's arguments with holes, and how the outputs of other tasks fill them.

Holes are numbered by the task's own inputs, not by task id, so that a template never changes when
ids are given, and equal calls share one template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from wfnb.errors import CallError, GraphError
from wfnb.nesting import ATOMS, CONTAINERS, Replacement, is_flat, replace_deep

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
class Part:
    """Stands for one of several things that the task's input at this position returns."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class OutputOf:
    """Stands, among the arguments of a call with a name, for what the task of this id returns."""

    task: str


@dataclass(frozen=True, slots=True)
class Nested:
    """An argument that holds outputs or large constants somewhere inside."""

    template: Any


@dataclass(frozen=True, slots=True)
class Constant:
    """Stands for a large value that is stored once, under the hash of its content."""

    content: str


HOLES: frozenset[type] = frozenset({Output, Part})
_FROZEN: frozenset[type] = ATOMS | HOLES | {Constant}
_known_outputs: dict[int, Output] = {}


def output_at(position: int) -> Output:
    """One shared object a position, which pickle then writes once a graph."""
    known = _known_outputs.get(position)
    return known or _known_outputs.setdefault(position, Output(position))


def fill(
    arguments: Arguments, outputs: Sequence[Any], constants: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The positional and keyword arguments of one call.

    Raises CallError where an output does not fit in, as a list does not into a set.
    """
    if not arguments:
        return outputs, {}

    def value_of(part: Any) -> Any:
        kind = type(part)
        if kind is Output:
            return outputs[part.position]
        if kind is Part:
            return part_of(outputs[part.position], part.name)
        return constants[part.content] if kind is Constant else part

    walk: Replacement | None = None

    def filled(value: Any) -> Any:
        nonlocal walk
        if type(value) is not Nested:
            return value_of(value)
        walk = walk or Replacement(value_of)
        return walk.of(value.template)

    args = [filled(value) for value in arguments[0]]
    if len(arguments) == 1:
        return args, {}
    return args, {name: filled(value) for name, value in arguments[1].items()}


def part_of(output: Any, name: str) -> Any:
    """Raises CallError where there is none."""
    try:
        return output[name]
    except Exception as error:
        known = f"; it has {', '.join(map(str, output))}" if isinstance(output, dict) else ""
        message = f"the {type(output).__name__} that a task returned has no [{name!r}]{known:.200}"
        raise CallError(f"{message}: mend the name") from error


def values_of(arguments: Arguments) -> list[Any]:
    """Positional and keyword arguments as they were written, in one list."""
    if not arguments:
        return []
    return [*arguments[0], *(arguments[1].values() if len(arguments) > 1 else ())]


def constants_of(arguments: Arguments) -> list[str]:
    """The content hashes of the large values this call needs, each once."""
    found: dict[str, None] = {}

    def note(part: Any) -> Any:
        if type(part) is Constant:
            found[part.content] = None
        return part

    for value in values_of(arguments):
        replace_deep(value.template if type(value) is Nested else value, note)
    return list(found)


def is_frozen(arguments: Arguments) -> bool:
    """Whether no call can change what another is given: cheap, and false if in doubt."""
    return all(type(value) in _FROZEN or _is_frozen(value) for value in values_of(arguments))


class Capture:
    """The arguments of one call being written down, with a hole for all that `holes` knows."""

    __slots__ = ("_holes", "_walk", "inputs")

    def __init__(
        self,
        holes: Mapping[type, Callable[[Any], tuple[Any, str | None]]],
        *,
        after: int = 0,
    ) -> None:
        """`holes`: type -> which input an instance stands for, and which part of it, if not all.

        Inputs are numbered from `after` on.
        """
        self.inputs: dict[Any, Output] = {object(): output_at(at) for at in range(after)}
        self._holes = holes
        self._walk: Replacement | None = None

    def of(self, value: Any) -> Any:
        """Nested if a hole is inside. Lists, dicts and sets of up to 1024 elements are copied."""
        if type(value) in self._holes:
            return self._hole(value)
        if self._walk is None:
            self._walk = Replacement(self._change, copies=True)
        try:
            captured = self._walk.of(value)
        except RecursionError:
            return self._too_deep(value)
        is_nested = self.inputs and captured is not value and holds_outputs(captured)
        return Nested(captured) if is_nested else captured

    def _change(self, part: Any) -> Any:
        return self._hole(part) if type(part) in self._holes else part

    def _hole(self, part: Any) -> Output | Part:
        source, name = self._holes[type(part)](part)
        hole = self.inputs.get(source)
        if hole is None:
            hole = self.inputs[source] = output_at(len(self.inputs))
        return hole if name is None else Part(hole.position, name)

    def _too_deep(self, value: Any) -> Any:
        """A constant may be; a task that lies below is found when the graph is written."""
        self._walk = None
        if not self.inputs:
            return value
        message = "a task lies beside something nested too deep: put it in a shallower list or dict"
        raise GraphError(message)


def holds_outputs(value: Any) -> bool:
    found = False

    def note(part: Any) -> Any:
        nonlocal found
        found = found or type(part) in HOLES
        return part

    replace_deep(value, note)
    return found


def _is_frozen(value: Any) -> bool:
    kind = type(value)
    if kind is tuple:
        return ATOMS.issuperset(map(type, value))
    if kind is not Nested:
        return False
    # A flat container with a hole is made anew for each call.
    template = value.template
    return type(template) in CONTAINERS and is_flat(template, _FROZEN)
