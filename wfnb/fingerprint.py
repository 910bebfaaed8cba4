"""What makes two pieces of code the same, wherever and whenever they were defined.

The fingerprint covers what can change a result: bytecode, constants, defaults, closures, and the
globals in use down to their own code and values. It leaves out what cannot: file, line, process,
hash seed, annotations, the bytes of a pickle.
"""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, TypeAlias

from wfnb.bytecode import atom, code_content
from wfnb.contents import (
    ADDERS,
    ATOMS,
    DIGEST_BYTES,
    MOST_LEVELS,
    Writer,
    add_library_class,
    add_library_function,
    add_object,
    add_sequence,
    add_type,
    element_by_name,
)
from wfnb.functions import is_importable, used_globals
from wfnb.modules import is_library, look_again

Adder: TypeAlias = Callable[[Writer, Any], None]

_PYTHON = atom((sys.version_info.major, sys.version_info.minor))
_NOT_OF_CLASS = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__module__",
        "__qualname__",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__static_attributes__",
        "__firstlineno__",
        "__doc__",
        "_abc_impl",
        "__abstractmethods__",
        "__parameters__",
        "__dataclass_fields__",
    ]
)


def fingerprint(function: Callable[..., Any]) -> str:
    """32 hex digits, equal for equal code."""
    look_again()
    walk = Walk()
    walk.add(function)
    return walk.digest().hex()


def content_hash(blob: bytes | bytearray | memoryview) -> str:
    """The name under which these bytes are stored once: 32 hex digits."""
    return hashlib.blake2b(blob, digest_size=DIGEST_BYTES).hexdigest()


class Walk:
    """Writes down what it is given, functions, classes and mutable values once, so cycles end.

    Functions and classes wait in a queue while what refers to them is finished, so a chain of
    helpers needs no stack.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = [_PYTHON]
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []
        self._queue: deque[Any] = deque()
        self._level = 0
        self._adders: Mapping[type, Adder] = ADDERS

    def digest(self) -> bytes:
        """The hash of all that was added."""
        while self._queue:
            waiting = self._queue.popleft()
            if isinstance(waiting, FunctionType):
                self._add_function(waiting)
            else:
                self._add_class(waiting)
        return hashlib.blake2b(b"".join(self._parts), digest_size=DIGEST_BYTES).digest()

    def add(self, value: Any) -> None:
        """Write the value down by its content, or by its type if it has no stable content."""
        kind = type(value)
        if kind in ATOMS:
            self._parts.append(atom(value))
        elif kind is FunctionType:
            self._refer(value, add_library_function)
        elif isinstance(value, type):
            self._refer(value, add_library_class)
        elif kind is tuple:
            self._deeper(add_sequence, value)
        elif not self._is_known(value):
            self._deeper(self._adders.get(kind, add_object), value)

    def name(self, *names: Any) -> None:
        """Write down names that stand for something."""
        self._parts.append(atom(("name", *names)))

    def raw(self, content: bytes, of: Iterable[Any] = ()) -> None:
        """Write down bytes behind their length."""
        del of
        self._parts += (atom(len(content)), content)

    def add_all(self, values: Iterable[Any]) -> None:
        """Write down values in their order."""
        for value in values:
            self.add(value)

    def module(self, module: str) -> None:
        """Leave it at the name."""

    def apart(self, value: Any) -> bytes:
        """Leave it at its names."""
        return element_by_name(value)

    def lose(self, value: Any) -> None:
        """Leave it at its type."""

    def _is_known(self, value: Any) -> bool:
        number = self._numbers.get(id(value))
        if number is not None:
            self.name("again", number)
            return True
        self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)
        return False

    def _refer(self, value: Any, add_library: Adder) -> None:
        if not self._is_known(value):
            if is_library(value.__module__) and is_importable(value):
                add_library(self, value)
            elif isinstance(value, type) and value.__module__ == "builtins":
                self.name("type", value.__qualname__)
            else:
                self.name("queued")
                self._queue.append(value)

    def _deeper(self, adder: Adder, value: Any) -> None:
        if self._level >= MOST_LEVELS:
            add_type(self, value)
            self.lose(value)
            return
        self._level += 1
        try:
            adder(self, value)
        finally:
            self._level -= 1

    def _add_function(self, function: FunctionType) -> None:
        code = function.__code__
        self._parts.append(code_content(code))
        for name, value in used_globals(function).items():
            self.name(name)
            self.add(value)
        self.add(function.__defaults__)
        self.add(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self.name("empty")

    def _add_class(self, cls: type) -> None:
        self.name("class", cls.__qualname__)
        self.add(type(cls))
        self.add_all(cls.__bases__)
        for name, value in sorted(cls.__dict__.items()):
            if name not in _NOT_OF_CLASS:
                self.name(name)
                self.add(value)
