"""What makes two values the same for certain: nothing in them that can change a result differs.

Where `fingerprint` leaves it at a type or a name, this goes on, or refuses the value.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from wfnb.bytecode import imports_by_value, imports_of, local_names
from wfnb.contents import ADDERS, is_by_value
from wfnb.errors import SerialisationError
from wfnb.files import stamps, texts_of
from wfnb.fingerprint import Adder, Walk
from wfnb.functions import module_is_importable, portable_annotations
from wfnb.modules import imported, is_library, is_stale, own_content, version_of

#: Of these, nobody changes one, or minds which of two equal ones it is.
_STATIC = (type, FunctionType, BuiltinFunctionType, ModuleType, Enum)
_MOST_APART = 8
#: A value of more parts takes longer to walk through than most tasks.
_MOST_PARTS = 50_000


class Content:
    """All that a value is, in 16 bytes: what has the same is the same.

    Raises SerialisationError for a value that may be more than can be written down.
    """

    __slots__ = ("_kept", "digest")

    def __init__(self, value: Any, adders: Mapping[type, Adder] | None = None) -> None:
        """What `adders` are given stands for something else, and is no part of the value."""
        walk = _StrictWalk(adders or {})
        walk.add(value)
        self.digest = walk.digest()
        self._kept = walk.changeable()

    @property
    def parts(self) -> frozenset[int]:
        """The ids of the objects in it that may be changed, or told from equal ones."""
        return frozenset(map(id, self._kept))


class _StrictWalk(Walk):
    """Leaves nothing out that can change a result, and refuses what it cannot write down whole."""

    def __init__(self, adders: Mapping[type, Adder], depth: int = 0) -> None:
        super().__init__()
        self._adders = {**ADDERS, **adders}
        self._own_adders = adders
        self._depth = depth
        self._count = 0
        self._modules: set[str] = set()

    def changeable(self) -> list[Any]:
        return [value for value in self._kept if not isinstance(value, _STATIC)]

    def module(self, module: str) -> None:
        """Write down an installed module's version, or what the user's own module says."""
        if module in ("", "__main__") or module in self._modules:
            return
        self._modules.add(module)
        if is_library(module) or module not in sys.modules:
            self.name("version", version_of(module))
        elif module_is_importable(module, sys.modules[module]):
            self._add_own_module(module)

    def add(self, value: Any) -> None:
        super().add(value)
        if type(value) is str:
            self._add_files((value,))
        elif isinstance(value, PurePath):
            self._add_files((str(value),))

    def raw(self, content: bytes, of: Iterable[Any] = ()) -> None:
        """Write down bytes, and what is known of files that plain values name."""
        super().raw(content)
        self._add_files(of)

    def apart(self, value: Any) -> bytes:
        """An element of a set: which of two equal ones it is must not matter."""
        if self._depth >= _MOST_APART or not _is_told_by_content(value):
            self.lose(value)
        walk = _StrictWalk(self._own_adders, self._depth + 1)
        walk.add(value)
        self._kept += walk._kept
        return walk.digest()

    def lose(self, value: Any) -> None:
        """Refuse it."""
        kind = type(value)
        raise SerialisationError(f"a {kind.__module__}.{kind.__qualname__} has no stable content")

    def _is_known(self, value: Any) -> bool:
        stands_for_something = type(value) in self._own_adders
        return not (stands_for_something or is_by_value(value)) and super()._is_known(value)

    def _deeper(self, adder: Adder, value: Any) -> None:
        self._count += 1
        if self._count > _MOST_PARTS:
            self.lose(value)
        super()._deeper(adder, value)

    def _add_files(self, values: Iterable[Any]) -> None:
        for known in stamps(values):
            self.name("file", *known)

    def _add_own_module(self, module: str) -> None:
        content = own_content(module)
        if content is None:
            self.lose(module)
        else:
            self.raw(content)

    def _add_function(self, function: FunctionType) -> None:
        code, outer = function.__code__, function.__globals__
        if is_stale(function) or imports_by_value(code):
            self.lose(function)
        self.name(function.__name__, local_names(code))
        self.module(function.__module__ or "")
        self.module(str(outer.get("__name__", "")))
        for module in imported(imports_of(code), str(outer.get("__package__"))):
            self.name(module)
            self._add_own_module(module)
        self._add_files(texts_of(code))
        super()._add_function(function)
        if function.__dict__:
            self.add(function.__dict__)

    def _add_class(self, cls: type) -> None:
        self.module(cls.__module__)
        for name, annotation in portable_annotations(cls).items():
            self.name(name, annotation.__qualname__ if isinstance(annotation, type) else annotation)
        super()._add_class(cls)


def _is_told_by_content(value: Any) -> bool:
    kind: Any = type(value)
    if is_by_value(value) or isinstance(value, _STATIC):
        return True
    return not is_library(kind.__module__) and kind.__eq__ is not object.__eq__
