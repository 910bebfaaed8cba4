"""Values as expressions that give them again; nothing that a value says of itself is trusted."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any
from uuid import UUID

from wfnb.arguments import Constant, Nested, Output
from wfnb.arguments import Part as PartOfOutput
from wfnb.errors import ExportError
from wfnb.exports.code import Bracket, Code, Labelled, Part, call, flat
from wfnb.language import TaskFunction

MOST_CHARACTERS = 10_000
"""Of one value: more is data, which belongs in a file."""
_BRACKETS: Mapping[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}
_NAMED = (FunctionType, BuiltinFunctionType, ModuleType, TaskFunction, type)


class Writing:
    """Values being written; `reference` gives things that have a name theirs in the script.

    `output` gives the expression for a hole, where there can be any; `in_lists` those of
    what a list holds, where lists within it have names.
    """

    def __init__(
        self,
        reference: Callable[[Any], str],
        output: Callable[[Output | PartOfOutput], Code] | None = None,
        in_lists: Callable[[list[Any]], list[Code] | None] = lambda values: None,
    ) -> None:
        self._reference = reference
        self._output = output
        self._in_lists = in_lists

    def of(self, value: Any) -> Code:
        """Raises ExportError for what no expression gives again, and for data that is too long."""
        try:
            code = self._of(value)
        except RecursionError:
            kind = type(value).__name__
            raise ExportError(
                f"{_article(kind)} that holds itself, or is nested too deep"
            ) from None
        if type(value) is not Nested and len(flat(code)) > MOST_CHARACTERS:
            kind = type(value).__name__
            raise ExportError(f"{_article(kind)} of more than {MOST_CHARACTERS:,} characters")
        return code

    def _of(self, value: Any) -> Code:
        kind = type(value)
        if kind is str:
            return quoted(value)
        if value is None or kind in (int, bytes, bool):
            return repr(value)
        if kind in (float, complex):
            return _number(value)
        if kind in (Output, PartOfOutput) and self._output is not None:
            return self._output(value)
        if kind is Nested:
            return self._of(value.template)
        if kind in (list, tuple, set, frozenset, dict):
            return self._container(value)
        if isinstance(value, _NAMED):
            return self._reference(value)
        return self._object(value)

    def _container(self, value: Any) -> Code:
        kind = type(value)
        if kind is dict:
            return Bracket("{", [*map(self._item, value.items())], "}")
        if kind is frozenset:
            return call("frozenset", [self._container(set(value))] if value else [])
        if kind is set and not value:
            return "set()"
        known = self._in_lists(value) if kind is list else None
        if known is not None and len(known) == 1 and flat(known[0]).startswith("*"):
            return flat(known[0])[1:]
        parts = [self._of(part) for part in value] if known is None else known
        if kind is set:
            parts.sort(key=flat)  # the same script each time
        opening, closing = _BRACKETS[kind]
        return Bracket(opening, parts, closing, needs_comma=kind is tuple and len(parts) == 1)

    def _item(self, item: tuple[Any, Any]) -> Part:
        return Labelled(f"{flat(self._of(item[0]))}: ", self._of(item[1]))

    def _object(self, value: Any) -> Code:
        kind = type(value)
        if isinstance(value, Enum) and value.name in kind.__members__:
            return f"{self._reference(kind)}.{value.name}"
        if isinstance(value, PurePath):
            path = Path if isinstance(value, Path) else kind
            return call(self._reference(path), [quoted(str(value))])
        if kind in (Decimal, Fraction, UUID):
            return call(self._reference(kind), [quoted(str(value))])
        if kind in (date, datetime, timedelta, range):
            return self._moment(value)
        if kind is re.Pattern:
            flags = value.flags & ~re.UNICODE.value
            parts = [flat(self._of(value.pattern)), *([str(flags)] if flags else [])]
            return call(self._reference(re.compile), parts)
        if kind is functools.partial:
            return self._called(functools.partial, (value.func, *value.args), value.keywords)
        if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
            return self._called(kind, (value.item(),), {})
        return self._record(value)

    def _moment(self, value: Any) -> Code:
        match value:
            case range():
                return repr(value)
            case timedelta():
                parts = {"days": value.days, "seconds": value.seconds}
                given = {**parts, "microseconds": value.microseconds}
                return self._called(timedelta, (), {k: v for k, v in given.items() if v})
            case datetime() if value.tzinfo is None:
                return self._called(datetime, (*value.timetuple()[:6], value.microsecond), {})
            case date() if type(value) is date:
                return self._called(date, value.timetuple()[:3], {})
        raise ExportError("a datetime with a time zone")

    def _record(self, value: Any) -> Code:
        """A named tuple or dataclass: its class, called with its fields."""
        kind = type(value)
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return self._called(kind, (), dict(zip(kind._fields, value, strict=True)))
        if is_dataclass(value) and all(each.init for each in fields(value)):
            return self._called(kind, (), dict(_fields(value)))
        if kind is Constant:
            raise ExportError("a large value that is only in the store")
        raise ExportError(_article(kind.__name__))

    def _called(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Code:
        named = [Labelled(f"{name}=", self._of(value)) for name, value in kwargs.items()]
        return call(self._reference(function), [*map(self._of, args), *named])


def quoted(text: str) -> str:
    """As `repr` has it, in double quotes where it can be."""
    plain = repr(text)
    if plain[0] != "'" or '"' in plain or "\\'" in plain:
        return plain
    return f'"{plain[1:-1]}"'


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiouAEIOU" else f"a {kind}"


def _number(value: complex) -> str:
    text = repr(value)
    is_finite = math.isfinite(value.real) and math.isfinite(value.imag)
    return text if is_finite else f"{type(value).__name__}({quoted(text)})"


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Those that are not what they are by default."""
    for each in fields(value):
        given = getattr(value, each.name)
        if type(given) is not type(each.default) or given != each.default:
            yield each.name, given
