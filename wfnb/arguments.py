"""A call's arguments with holes, and how the outputs of other tasks fill them.

Holes are numbered by the task's own inputs, not by task id, so that a template never changes when
ids are given, and equal calls share one template.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from operator import is_
from typing import Any, TypeAlias

from wfnb.errors import CallError, GraphError

Arguments: TypeAlias = (
    tuple[()] | tuple[tuple[Any, ...]] | tuple[tuple[Any, ...], Mapping[str, Any]]
)
"""() means: the inputs, in order, as positional arguments. Else (args,) or (args, kwargs)."""

ATOMS: frozenset[type] = frozenset({int, str, float, bool, type(None), bytes, complex})
"""Nobody can change these, and nothing lies inside."""
_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})
_MOST_COPIED = 1024


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


_FROZEN: frozenset[type] = ATOMS | {Output, Constant}
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
        return constants[part.content] if kind is Constant else part

    args = [_filled(value, value_of) for value in arguments[0]]
    if len(arguments) == 1:
        return args, {}
    return args, {name: _filled(value, value_of) for name, value in arguments[1].items()}


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


def holed(value: Any, kind: type, hole: Callable[[Any], Output]) -> Any:
    """The value with a hole for each `kind`; Nested if it is inside. What is mutable is copied."""
    holes = 0

    def change(part: Any) -> Any:
        nonlocal holes
        if type(part) is not kind:
            return part
        holes += 1
        return hole(part)

    if type(value) is kind:
        return hole(value)
    try:
        captured = Replacement(change, copies=True).of(value)
    except RecursionError:
        if not holes:
            return value
        message = "a task lies beside something nested too deep: put it in a shallower list or dict"
        raise GraphError(message) from None
    return Nested(captured) if holes else captured


def replace_deep(value: Any, change: Callable[[Any], Any]) -> Any:
    """The value with every part changed for which `change` gives something else.

    It is asked from the outside in, and looks no further where it changed something. Containers
    that keep all their parts are kept; one that is met twice is changed once.
    """
    return Replacement(change).of(value)


class Replacement:
    """One walk through a value; raises CallError for what cannot be made anew.

    With `copies`, lists, dicts and sets of up to 1024 elements are new in any case.
    """

    def __init__(self, change: Callable[[Any], Any], *, copies: bool = False) -> None:
        self._change = change
        self._copies = copies
        self._known: dict[int, tuple[Any, Any]] = {}
        self._open: dict[int, Any] = {}
        self._in_cycle: set[int] = set()

    def of(self, value: Any) -> Any:
        if type(value) in ATOMS:
            return value
        changed = self._change(value)
        if changed is not value or not _has_parts(value):
            return changed
        key = id(value)
        if key in self._known:
            return self._known[key][1]
        if key in self._open:
            self._in_cycle.add(key)
            return value
        self._open[key] = value
        remade = self._remade(value)
        del self._open[key]
        if key in self._in_cycle and remade is not value:
            remade = self._uncopied(value)
        # Both are kept: an id is only good while its object lives.
        self._known[key] = (value, remade)
        return remade

    def _remade(self, value: Any) -> Any:
        kind = type(value)
        is_copied = self._copies and kind in _CONTAINERS and len(value) <= _MOST_COPIED
        if kind in _CONTAINERS and _is_flat(value, ATOMS):
            return copy.copy(value) if is_copied else value
        parts = _parts(value)
        remade = [self.of(part) for part in parts]
        if all(map(is_, remade, parts)) and not (is_copied and kind in (list, dict, set)):
            return value
        return _rebuilt(value, remade)

    def _uncopied(self, value: Any) -> Any:
        """What holds itself: fine as it is, but nothing in it can be replaced."""
        if self._copies:
            return Replacement(self._change).of(value)
        name = type(value).__name__
        raise CallError(f"a {name} that holds a task also holds itself: take it out of itself")


def _filled(value: Any, value_of: Callable[[Any], Any]) -> Any:
    return replace_deep(value.template, value_of) if type(value) is Nested else value_of(value)


def _is_frozen(value: Any) -> bool:
    kind = type(value)
    if kind is tuple:
        return ATOMS.issuperset(map(type, value))
    if kind is not Nested:
        return False
    # A flat container with a hole is made anew for each call.
    template = value.template
    return type(template) in _CONTAINERS and _is_flat(template, _FROZEN)


def _is_flat(value: Any, kinds: frozenset[type]) -> bool:
    if not kinds.issuperset(map(type, value)):
        return False
    return not isinstance(value, dict) or kinds.issuperset(map(type, value.values()))


def _has_parts(value: Any) -> bool:
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return True
    return is_dataclass(value) and not isinstance(value, type)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return [getattr(value, name) for name in _names_of_fields(value)]


def _names_of_fields(value: Any) -> list[str]:
    """Those that are set: a field without init may not be."""
    return [field.name for field in fields(value) if hasattr(value, field.name)]


def _rebuilt(value: Any, parts: list[Any]) -> Any:
    try:
        return _remake(value, parts)
    except Exception as error:  # a user's container may raise anything
        message = f"a {type(value).__name__} cannot be made anew for this call: {error}"
        raise CallError(message) from error


def _remake(value: Any, parts: list[Any]) -> Any:
    kind = type(value)
    if isinstance(value, dict):
        half = len(parts) // 2
        return _refilled_dict(value, zip(parts[:half], parts[half:], strict=True))
    if kind in _CONTAINERS:
        return kind(parts)
    if isinstance(value, (tuple, frozenset)):
        return _remade_frozen(value, parts)
    # Constructors may want something else, and __post_init__ has run once, before there were holes.
    refilled = copy.copy(value)
    if isinstance(value, (list, set)):
        refilled.clear()
        add = refilled.extend if isinstance(value, list) else refilled.update
        add(parts)
        return refilled
    for name, part in zip(_names_of_fields(value), parts, strict=True):
        object.__setattr__(refilled, name, part)
    return refilled


def _remade_frozen(value: Any, parts: list[Any]) -> Any:
    kind = type(value)
    if hasattr(value, "_make"):
        return value._make(parts)
    made = (tuple if isinstance(value, tuple) else frozenset).__new__(kind, parts)
    if hasattr(value, "__dict__"):
        vars(made).update(vars(value))
    return made


def _refilled_dict(value: dict[Any, Any], items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    if type(value) is dict:
        return dict(items)
    refilled = copy.copy(value)  # keeps the default of a defaultdict
    refilled.clear()
    for key, part in items:
        refilled[key] = part  # not update(): a Counter would count
    return refilled
