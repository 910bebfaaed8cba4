"""Which part of a value keeps it from being serialised, in words a user can act on."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any

from wfnb.functions import is_importable, used_globals

Failure = Callable[[Any], Exception | None]
"""Tries to serialise one value; gives what went wrong."""

_ATOMS = (bool, int, float, complex, str, bytes, bytearray, type(None))
_MOST_LEVELS = 200

_REMEDIES = (
    (("generator", "iterator", "zip", "map", "filter", "enumerate"), "pass list(...) of it"),
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
    """The path from `name` to the innermost part that fails, its type and the remedy; empty if nothing fails.

    No recursion, and each object is looked at once, so cycles and depth do no harm; when the time is up, the path ends early.
    """
    error = failure(value)
    if error is None:
        return ""
    words = _Path(name)
    deadline = time.monotonic() + seconds
    seen = {id(value)}
    for _ in range(_MOST_LEVELS):
        found = _failing_part(value, error, failure=failure, seen=seen, deadline=deadline)
        if found is None:
            break
        kind, step, part, error = found
        words.step(kind, step, owner=value)
        value = part
    return words.verdict(value, error)


def _failing_part(
    value: Any, error: Exception, *, failure: Failure, seen: set[int], deadline: float
) -> tuple[str, str, Any, Exception] | None:
    if isinstance(error, RecursionError) and isinstance(value, list | tuple | set | frozenset):
        return None
    for kind, step, part in _parts(value):
        if time.monotonic() > deadline:
            return None
        if type(part) in _ATOMS or id(part) in seen:
            continue
        seen.add(id(part))
        inner = failure(part)
        if inner is not None:
            return kind, step, part, inner
    return None


def _parts(value: Any) -> Iterator[tuple[str, str, Any]]:
    """What the value consists of: how we got there, the step in the user's words, the part."""
    if isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, dict):
        for key, part in list(value.items()):
            yield "path", f"[{_short(key)}]", part
            yield "path", f" key {_short(key)}", key
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, part in zip(value._fields, value, strict=False):
            yield "path", f".{field}", part
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield "path", f"[{index}]", part
    elif isinstance(value, set | frozenset):
        for part in list(value):
            yield "path", f" element {_short(part)}", part
    yield from _attributes(value)


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


def _attributes(value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, functools.partial):
        named = {"func": value.func, "args": value.args, "keywords": value.keywords}
    elif isinstance(value, MethodType):
        named = {"__self__": value.__self__, "__func__": value.__func__}
    elif isinstance(value, type):
        named = {} if is_importable(value) else dict(value.__dict__)
    else:
        named = dict(getattr(value, "__dict__", None) or {})
        for cls in type(value).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, slot):
                    named[slot] = getattr(value, slot)
    if isinstance(value, BaseException):
        named["args"] = value.args
    for name, part in named.items():
        if name not in ("__dict__", "__weakref__"):
            yield (
                "path",
                f".{name}",
                getattr(part, "__func__", part) if isinstance(value, type) else part,
            )


def _short(key: Any) -> str:
    try:
        text = repr(key)
    except Exception as error:  # noqa: BLE001  a user's __repr__
        text = f"<{type(key).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Path:
    """The sentence that leads to the culprit."""

    def __init__(self, name: str) -> None:
        self._text = name
        self._joint = " is"
        self._whose = ""

    def step(self, kind: str, step: str, *, owner: Any) -> None:
        """Go on from `owner` to one of its parts."""
        if kind == "path":
            self._text += f"{self._whose}{step}"
            self._joint, self._whose = " is", ""
            return
        if self._joint == ",":
            self._text += ", which"
        elif not self._text.startswith("function `") or self._text.count("`") > 2:
            self._text += f" is the function `{owner.__name__}`, which"
        self._text += (
            f" uses the variable `{step}`" if kind == "variable" else f" has the default `{step}`"
        )
        self._joint, self._whose = ",", ", whose "

    def verdict(self, value: Any, error: Exception) -> str:
        named = type_name(value)
        article = "an" if named[:1].lower() in "aeiou" else "a"
        if isinstance(error, RecursionError):
            joint = " is" if self._joint == " is" else ", which is"
            return f"{self._text}{joint} nested too deeply ({article} {named}): {_REMEDY_TOO_DEEP}"
        return f"{self._text}{self._joint} {article} {named} ({_reason(error)}): {_remedy(value)}"


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
    names = {cls.__name__ for cls in type(value).__mro__}
    return next((remedy for kinds, remedy in _REMEDIES if names.intersection(kinds)), _REMEDY)
