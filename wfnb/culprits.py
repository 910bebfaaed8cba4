"""Which part of a value keeps it from being serialised, in words a user can act on."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any

from wfnb.classes import sent_attributes
from wfnb.functions import is_importable, used_globals

Failure = Callable[[Any], Exception | None]
"""Tries to serialise one value; gives what went wrong."""

_ATOMS = (bool, int, float, complex, str, bytes, bytearray, type(None))
_FLATTENED = (list, tuple, set, frozenset)
_MOST_LEVELS = 200
_TRIED_TOGETHER = 256

_REMEDIES = (
    (
        ("generator", "iterator", "zip", "map", "filter", "enumerate"),
        "pass list(...) of it",
    ),
    (("dict_keys", "dict_values", "dict_items"), "pass list(...) of it"),
    (("coroutine", "Task", "Future"), "await it first, and pass what it gives"),
    (
        ("lock", "RLock", "Lock", "Condition", "Event", "Semaphore", "Thread"),
        "make it inside the function",
    ),
    (
        ("TextIOWrapper", "BufferedReader", "BufferedWriter", "BufferedRandom", "FileIO"),
        "pass its path, and open it inside the function",
    ),
    (
        ("socket", "SSLSocket", "Connection", "Cursor", "Redis"),
        "make it inside the function, or pass what is needed to open it",
    ),
    (("module",), "import it inside the function"),
    (("frame", "traceback", "code"), "pass its text, as from traceback.format_exc()"),
)
_REMEDY = "make it inside the function, or pass the plain data that it is made from"
_REMEDY_TOO_DEEP = "flatten it, or hand it over as a list of parts"


def culprit(value: Any, *, name: str, failure: Failure, seconds: float = 2.0) -> str:
    """The path from `name` to the innermost part that fails, its type and the remedy, or nothing.

    Depth first without recursion. A part that fails only because it leads back to what we came
    through is not to blame. When the time is up, the path ends early.
    """
    error = failure(value)
    if error is None:
        return ""
    deadline = time.monotonic() + seconds
    root = _Level(_Path(name), value, error, failure=failure, deadline=deadline)
    stack = [root]
    met = {id(value): value}
    while stack and len(stack) <= _MOST_LEVELS:
        level = stack[-1]
        found = next(level.failing, None)
        if found is None:
            if not level.leads_back or time.monotonic() > deadline:
                return level.path.verdict(level.value, level.error)
            stack.pop()
            for above in stack[-1:]:
                above.leads_back = True
        elif id(found[2]) in met:
            level.leads_back = True
        else:
            kind, step, part, inner = found
            met[id(part)] = part
            path = level.path.step(kind, step, owner=level.value)
            stack.append(_Level(path, part, inner, failure=failure, deadline=deadline))
    return root.path.verdict(value, error)


class _Level:
    """One step of the search, with those of its parts that fail."""

    def __init__(
        self, path: _Path, value: Any, error: Exception, *, failure: Failure, deadline: float
    ) -> None:
        self.path = path
        self.value = value
        self.error = error
        self.leads_back = False
        too_deep = isinstance(error, RecursionError) and type(value) in _FLATTENED
        parts = iter(()) if too_deep else _safe_parts(value)
        self.failing = _failing(parts, failure=failure, deadline=deadline)


def _failing(
    parts: Iterator[tuple[str, str, Any]], *, failure: Failure, deadline: float
) -> Iterator[tuple[str, str, Any, Exception]]:
    """The parts that fail; many are tried together, and one by one only where that fails."""
    worth_trying = (part for part in parts if type(part[2]) not in _ATOMS)
    while batch := list(itertools.islice(worth_trying, _TRIED_TOGETHER)):
        if len(batch) > 1 and failure([part for _, _, part in batch]) is None:
            continue
        for kind, step, part in batch:
            if time.monotonic() > deadline:
                return
            error = failure(part)
            if error is not None:
                yield kind, step, part, error


def _safe_parts(value: Any) -> Iterator[tuple[str, str, Any]]:
    """As `_parts`, but ending at an object that raises when it is looked at."""
    try:
        yield from _parts(value)
    except Exception as error:  # noqa: BLE001  a user's __getattribute__
        yield "path", f" ({type(error).__name__} when looked at)", None


def _parts(value: Any) -> Iterator[tuple[str, str, Any]]:
    """What the value consists of: how we got there, the step in the user's words, the part."""
    if isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, dict | list | tuple | set | frozenset):
        for step, part in _elements(value):
            yield "path", step, part
    for name, part in _attributes(value).items():
        yield "path", f".{name}", part


def _elements(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in list(value.items()):
            yield f"[{_short(key)}]", part
            yield f" key {_short(key)}", key
    elif isinstance(value, set | frozenset):
        for part in list(value):
            yield f" element {_short(part)}", part
    else:
        fields = getattr(value, "_fields", ())
        for index, part in enumerate(value):
            yield f".{fields[index]}" if index < len(fields) else f"[{index}]", part


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, str, Any]]:
    for name, part in used_globals(function).items():
        yield "variable", name, part
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield "variable", name, cell.cell_contents
        except ValueError:
            continue
    defaults = function.__defaults__ or ()
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    for name, part in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
        yield "default", name, part
    for name, part in (function.__kwdefaults__ or {}).items():
        yield "default", name, part


def _attributes(value: Any) -> dict[str, Any]:
    """Attributes as far as pickle would send them."""
    if isinstance(value, functools.partial):
        return {"func": value.func, "args": value.args, "keywords": value.keywords}
    if isinstance(value, MethodType):
        return {"__self__": value.__self__, "__func__": value.__func__}
    if isinstance(value, type):
        if is_importable(value):
            return {}
        sent = sent_attributes(value)
        return {name: getattr(part, "__func__", part) for name, part in sent.items()}
    if isinstance(value, BaseException):
        return {"args": value.args, **vars(value)}
    return _state(value)


def _state(value: Any) -> dict[str, Any]:
    kind = type(value)
    if any("__reduce__" in vars(cls) or "__reduce_ex__" in vars(cls) for cls in kind.__mro__[:-1]):
        return dict(getattr(value, "__dict__", None) or {})
    try:
        state = value.__getstate__()
    except Exception as error:  # noqa: BLE001  a user's __getstate__
        return {"__getstate__()": error}
    named: dict[str, Any] = {}
    for part in state if isinstance(state, tuple) else (state,):
        named.update(part if isinstance(part, dict) else {"__getstate__()": part})
    return named


def _short(key: Any) -> str:
    try:
        text = repr(key)
    except Exception as error:  # noqa: BLE001  a user's __repr__
        text = f"<{type(key).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Path:
    """The sentence that leads to the culprit."""

    def __init__(self, text: str, *, at_variable: bool = False) -> None:
        self._text = text
        self._at_variable = at_variable

    def step(self, kind: str, step: str, *, owner: Any) -> _Path:
        """The path on from `owner` to one of its parts."""
        if kind == "path":
            return _Path(f"{self._text}{', whose ' if self._at_variable else ''}{step}")
        text = self._text
        if self._at_variable:
            text += ", which"
        elif not text.startswith("function `") or text.count("`") > 2:
            text += f" is the function `{owner.__name__}`, which"
        text += (
            f" uses the variable `{step}`" if kind == "variable" else f" has the default `{step}`"
        )
        return _Path(text, at_variable=True)

    def verdict(self, value: Any, error: Exception) -> str:
        """The whole sentence, with type, reason and remedy."""
        named = type_name(value)
        article = "an" if named[:1].lower() in "aeiou" else "a"
        if isinstance(error, RecursionError):
            joint = ", which is" if self._at_variable else " is"
            return f"{self._text}{joint} nested too deeply ({article} {named}): {_REMEDY_TOO_DEEP}"
        joint = "," if self._at_variable else " is"
        return f"{self._text}{joint} {article} {named} ({_reason(error)}): {_remedy(value)}"


def type_name(value: Any) -> str:
    """The type as users write it: `dict`, `sqlite3.Connection`."""
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


def _remedy(value: Any) -> str:
    if type_name(value) == "wfnb.graph.Task":
        return "pass it to the function as an argument"
    names = {cls.__name__ for cls in type(value).__mro__}
    return next((remedy for kinds, remedy in _REMEDIES if names.intersection(kinds)), _REMEDY)
