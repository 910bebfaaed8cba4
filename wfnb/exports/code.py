"""Expressions of Python, laid out as a person would: in one line where that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 88
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Bracket:
    """Parts between an opening and a closing: a call, a list, a dict."""

    opening: str
    parts: Sequence[Part]
    closing: str
    needs_comma: bool = False
    """Even in one line: a tuple of one."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A part with what stands before it: `name=`, or a key and a colon."""

    label: str
    code: Code


Code: TypeAlias = str | Bracket
Part: TypeAlias = "str | Bracket | Labelled"


def flat(code: Part) -> str:
    """In one line."""
    match code:
        case str():
            return code
        case Labelled(label, inner):
            return f"{label}{flat(inner)}"
        case Bracket(opening, parts, closing, needs_comma):
            inside = ", ".join(map(flat, parts))
            return f"{opening}{inside}{',' if needs_comma else ''}{closing}"


def laid_out(code: Part, *, before: str = "", indent: str = "", after: str = "") -> str:
    """With `before` in front and `after` behind it, in as many lines as it needs."""
    line = f"{indent}{before}{flat(code)}{after}"
    if len(line) <= WIDTH:
        return line
    match code:
        case Labelled(label, inner):
            return laid_out(inner, before=before + label, indent=indent, after=after)
        case Bracket(opening, parts, closing) if parts:
            return "\n".join(
                [
                    f"{indent}{before}{opening}",
                    *_lines(parts, indent + _INDENT),
                    f"{indent}{closing}{after}",
                ]
            )
    return line


def _lines(parts: Sequence[Part], indent: str) -> list[str]:
    """One part a line; many short ones of a kind fill their lines."""
    if len(parts) <= 12 or not all(isinstance(part, str) and len(part) <= 24 for part in parts):
        return [laid_out(part, indent=indent, after=",") for part in parts]
    lines: list[str] = []
    line = indent
    for part in map(flat, parts):
        if len(line) + len(part) + 1 > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += f"{part}, "
    return [*lines, line.rstrip()]


def call(function: str, arguments: Sequence[Part]) -> Bracket:
    return Bracket(f"{function}(", arguments, ")")
