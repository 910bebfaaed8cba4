"""What may be written for an argument by hand: literals, names, and lists or dicts of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from wfnb.errors import CallError, WfnbError
from wfnb.tasks import PartOf, Task

MOST_CHARACTERS = 10_000

Look: TypeAlias = Callable[[str], Any]
"""What a name stands for; CallError if for nothing."""
_Display: TypeAlias = ast.List | ast.Tuple | ast.Set
_DISPLAYS: Mapping[type[ast.expr], tuple[Callable[[Iterable[Any]], Any], str, str]] = {
    ast.List: (list, "[", "]"),
    ast.Tuple: (tuple, "(", ")"),
    ast.Set: (set, "{", "}"),
}
_MEND = "put it into a variable, in a cell, and pick that"


@dataclass(frozen=True, slots=True, eq=False)
class Expressions:
    """What stands between the parentheses of a call: one, or for *args and **kwargs several."""

    positional: tuple[ast.expr, ...]
    named: Mapping[str, ast.expr]

    def written(self, renamed: Mapping[str, str] | None = None) -> str:
        """As a person would write it, with other names where they are given."""
        return ", ".join(self.texts(renamed or {}))

    def texts(self, renamed: Mapping[str, str]) -> list[str]:
        """One by one."""
        named = [f"{name}={_written(node, renamed)}" for name, node in self.named.items()]
        return [*(_written(node, renamed) for node in self.positional), *named]

    @property
    def reads(self) -> tuple[str, ...]:
        """The names in it, each once."""
        nodes = (*self.positional, *self.named.values())
        found = (part for node in nodes for part in ast.walk(node))
        return tuple(dict.fromkeys(part.id for part in found if isinstance(part, ast.Name)))

    def values(self, look: Look) -> tuple[list[Any], dict[str, Any]]:
        """Raises CallError for a name that stands for nothing, and a part that is not there."""
        positional = [value for node in self.positional for value in _spread(node, look)]
        return positional, {name: _value(node, look) for name, node in self.named.items()}


@lru_cache(maxsize=1024)
def parsed(text: str) -> Expressions:
    """CallError for what is more than literals and names."""
    if len(text) > MOST_CHARACTERS:
        raise CallError(f"{len(text):,} characters are too many: {_MEND}")
    shown = _quoted_line(text)
    try:
        # On lines of its own, so that a comment ends.
        call = ast.parse(f"f(\n{text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = error.msg if isinstance(error, SyntaxError) else error
        remedy = "mend it; text needs quotes around it"
        raise CallError(f"{shown} is no Python ({message}): {remedy}") from None
    is_call = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    if not isinstance(call, ast.Call) or not is_call:
        raise CallError(f"{shown} is no Python: mend its parentheses")
    named = {word.arg: word.value for word in call.keywords if word.arg is not None}
    if len(named) < len(call.keywords):
        raise CallError(f"{shown}: write the names and values that ** would give")
    for node in (*call.args, *named.values()):
        _check(node)
    return Expressions(tuple(call.args), named)


def with_added(text: str, more: str) -> str:
    """A list of what is there and of something more; CallError if there is more than one thing."""
    if not text.strip():
        return f"[{more}]"
    found = parsed(text)
    if len(found.positional) != 1 or found.named:
        return parsed(f"{text}, {more}").written()
    (node,) = found.positional
    inside = [_written(part, {}) for part in node.elts] if isinstance(node, ast.List) else None
    before = [found.written()] if inside is None else inside
    return f"[{', '.join([*before, parsed(more).written()])}]"


def quoted(text: str) -> str:
    """As `repr` has it, in double quotes where it can be."""
    plain = repr(text)
    if plain[0] != "'" or '"' in plain or "\\'" in plain:
        return plain
    return f'"{plain[1:-1]}"'


def _check(node: ast.expr) -> None:
    match node:
        case ast.Name() | ast.Starred(value=ast.Name()):
            return
        case ast.Subscript(value=ast.Name(), slice=ast.Constant(value=str() | int())):
            return
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            for part in parts:
                _check(part)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            for part in (*filter(None, keys), *values):
                _check(part)
        case _:
            _literal(node)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        shown = _quoted_line(ast.unparse(node))
        raise CallError(f"{shown} is neither a literal nor a name: {_MEND}") from None


def _spread(node: ast.expr, look: Look) -> Iterator[Any]:
    if not isinstance(node, ast.Starred):
        yield _value(node, look)
        return
    value = _value(node.value, look)
    if not isinstance(value, (list, tuple)):
        shown, kind = _written(node, {}), type(value).__name__
        raise CallError(f"{shown} takes a list apart, and this is a {kind}: leave the * out")
    yield from value


def _value(node: ast.expr, look: Look) -> Any:
    match node:
        case ast.Name(id=name):
            return look(name)
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=key)):
            return _part(look(name), key, shown=_written(node, {}))
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            make = _DISPLAYS[type(node)][0]
            return _made(make, [value for part in parts for value in _spread(part, look)])
        case ast.Dict(keys=keys, values=values):
            pairs = zip(filter(None, keys), values, strict=True)
            return _made(dict, [(_value(k, look), _value(v, look)) for k, v in pairs])
        case _:
            return _literal(node)


def _made(make: Callable[[Iterable[Any]], Any], parts: Sequence[Any]) -> Any:
    try:
        return make(parts)
    except TypeError as error:
        raise CallError(f"{error}: use a list") from None


def _part(value: Any, key: Any, *, shown: str) -> Any:
    """Of a task an output; of a list or dict what is there. Code of the user is not called."""
    remedy = "pick another"
    try:
        if isinstance(value, Task) or type(value) in (list, tuple, dict):
            return value[key]
    except (LookupError, TypeError) as error:
        raise CallError(f"there is no {shown} ({error}): {remedy}") from None
    kind = "part of a task" if isinstance(value, PartOf) else type(value).__name__
    raise CallError(f"{shown} is a part of a {kind}, which has none to pick: {_MEND}")


def _written(node: ast.expr, renamed: Mapping[str, str]) -> str:
    match node:
        case ast.Name(id=name):
            return renamed.get(name, name)
        case ast.Starred(value=value):
            return f"*{_written(value, renamed)}"
        case ast.Subscript(value=value, slice=key):
            return f"{_written(value, renamed)}[{_written(key, renamed)}]"
        case ast.Constant(value=str(text)):
            return quoted(text)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            _, opening, closing = _DISPLAYS[type(node)]
            comma = "," if isinstance(node, ast.Tuple) and len(parts) == 1 else ""
            inside = ", ".join(_written(part, renamed) for part in parts)
            return f"{opening}{inside}{comma}{closing}"
        case ast.Dict(keys=keys, values=values):
            pairs = zip(filter(None, keys), values, strict=True)
            inside = ", ".join(f"{_written(k, renamed)}: {_written(v, renamed)}" for k, v in pairs)
            return f"{{{inside}}}"
        case _:
            return ast.unparse(node)


def _quoted_line(text: str) -> str:
    line = " ".join(text.split())
    return f"`{line[:60]}...`" if len(line) > 60 else f"`{line}`"


def named(error: WfnbError, what: str) -> CallError:
    """The same complaint, with what it is about in front."""
    return CallError(f"{what}: {error}")
