"""What lies inside a value: containers of any kind, made anew with other parts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from operator import is_
from typing import Any

from wfnb.errors import CallError

ATOMS: frozenset[type] = frozenset({int, str, float, bool, type(None), bytes, complex})
"""Nobody can change these, and nothing lies inside."""
CONTAINERS: frozenset[type] = frozenset({list, tuple, dict, set, frozenset})
_MOST_COPIED = 1024


def replace_deep(
    value: Any, change: Callable[[Any], Any], *, atoms: frozenset[type] = ATOMS
) -> Any:
    """The value with every part changed for which `change` gives something else.

    It is asked from the outside in, and looks no further where it changed something; atoms are not
    asked about. Containers that keep all their parts are kept; one met twice is changed once.
    """
    return Replacement(change, atoms=atoms).of(value)


class Replacement:
    """One walk through a value, or several; raises CallError for what cannot be made anew.

    With `copies`, lists, dicts and sets of up to 1024 elements are new in any case.
    """

    def __init__(
        self,
        change: Callable[[Any], Any],
        *,
        copies: bool = False,
        atoms: frozenset[type] = ATOMS,
    ) -> None:
        self._change = change
        self._copies = copies
        self._atoms = atoms
        self._known: dict[int, tuple[Any, Any]] = {}
        self._open: dict[int, Any] = {}
        self._in_cycle: set[int] = set()

    def of(self, value: Any) -> Any:
        if type(value) in self._atoms:
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
        is_copied = self._copies and kind in CONTAINERS and len(value) <= _MOST_COPIED
        if kind in CONTAINERS and is_flat(value, self._atoms):
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


def is_flat(value: Any, kinds: frozenset[type]) -> bool:
    if not kinds.issuperset(map(type, value)):
        return False
    return not isinstance(value, dict) or kinds.issuperset(map(type, value.values()))


def _has_parts(value: Any) -> bool:
    if type(value) in ATOMS:
        return False
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
    if kind in CONTAINERS:
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
