"""How a value is written down so that equal values give equal bytes in every process."""

from __future__ import annotations

import copyreg
import functools
import hashlib
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Protocol

from wfnb.bytecode import atom, code_content
from wfnb.files import may_be_path
from wfnb.modules import is_library, is_stale, own_content, own_submodules

DIGEST_BYTES = 16
ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, type(...)))
#: Deeper inside a value, only types count: a value must not exhaust the stack.
MOST_LEVELS = 60
#: Longer contents are written down by their hash.
_LONG_BYTES = 64 * 1024
#: Modules whose hashable objects never change.
_VALUES = frozenset(
    ["builtins", "datetime", "decimal", "fractions", "numpy", "pathlib", "re", "uuid", "zoneinfo"]
)
_CACHED = type(functools.lru_cache(len))


class Writer(Protocol):
    """Where contents are written to; `fingerprint` has it."""

    def add(self, value: Any) -> None:
        """Write a value down, whatever it is."""

    def add_all(self, values: Iterable[Any]) -> None:
        """Write values down in their order."""

    def name(self, *names: Any) -> None:
        """Write down names that stand for something."""

    def raw(self, content: bytes, of: Iterable[Any] = ()) -> None:
        """Write down bytes behind their length; `of` are the plain values that they stand for."""

    def module(self, module: str) -> None:
        """Write down what the module of this name stands for."""

    def apart(self, value: Any) -> bytes:
        """The content of a value by itself, which does not depend on what was written before."""

    def lose(self, value: Any) -> None:
        """Of this value, what was written is not all."""


def add_type(writer: Writer, value: Any) -> None:
    writer.name("type", type(value).__module__, type(value).__qualname__)
    writer.module(type(value).__module__)


def add_library_function(writer: Writer, function: FunctionType) -> None:
    writer.name("function", function.__module__, function.__qualname__)
    writer.module(function.__module__)
    if function.__module__.partition(".")[0] not in sys.stdlib_module_names:
        writer.raw(code_content(function.__code__))


def add_library_class(writer: Writer, cls: type) -> None:
    writer.name("class", cls.__module__, cls.__qualname__)
    writer.module(cls.__module__)


def add_sequence(writer: Writer, value: list[Any] | tuple[Any, ...]) -> None:
    writer.name(type(value).__name__, len(value))
    if ATOMS.issuperset(map(type, value)):
        writer.raw(atom(value), of=value)
    else:
        writer.add_all(value)


def _add_dict(writer: Writer, value: dict[Any, Any]) -> None:
    writer.name("dict", len(value))
    if ATOMS.issuperset(map(type, value)) and ATOMS.issuperset(map(type, value.values())):
        writer.raw(atom(value), of=(*value, *value.values()))
        return
    for key, item in list(value.items()):
        writer.add(key)
        writer.add(item)


def _add_set(writer: Writer, value: set[Any] | frozenset[Any]) -> None:
    writer.name(type(value).__name__, len(value))
    writer.raw(b"".join(sorted(_element(writer, element, 0) for element in value)))


def _element(writer: Writer, value: Any, level: int) -> bytes:
    """Content of what is in a set, without numbers: those would depend on the set's order."""
    kind = type(value)
    if kind in ATOMS and not (kind is str and may_be_path(value)):
        return atom(value)
    if kind in (tuple, frozenset) and level < MOST_LEVELS:
        parts = [_element(writer, element, level + 1) for element in value]
        return atom((kind.__name__, parts if kind is tuple else sorted(parts)))
    return writer.apart(value)


def element_by_name(value: Any) -> bytes:
    """Of an element, what tells it from most others."""
    kind = type(value)
    if isinstance(value, Enum):
        return atom((kind.__module__, kind.__qualname__, value.name))
    if isinstance(value, FunctionType):
        return code_content(value.__code__)
    return atom((kind.__module__, kind.__qualname__, str(getattr(value, "__qualname__", ""))))


def is_by_value(value: Any) -> bool:
    """Whether nobody can change it, or tell it from an equal one."""
    kind: Any = type(value)
    if kind.__hash__ is None or kind.__hash__ is object.__hash__:
        return False
    if kind.__module__.partition(".")[0] not in _VALUES:
        return False
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _add_module(writer: Writer, module: ModuleType) -> None:
    name = module.__name__
    writer.name("module", name, str(getattr(module, "__version__", "")))
    if is_library(name):
        writer.module(name)
        return
    for one in (name, *own_submodules(module)):
        content = own_content(one)
        writer.raw(content or b"")
        if content is None:
            writer.lose(module)
    writer.add_all(_settings(module))


def _settings(module: ModuleType) -> list[Any]:
    """What may have been set from outside since the module was imported."""
    found: list[Any] = []
    for name, value in sorted(vars(module).items()):
        is_setting = not name.startswith("_") and (type(value) in ATOMS or _is_flat(value))
        if is_setting or (isinstance(value, FunctionType) and is_stale(value)):
            found += (name, value)
    return found


def _is_flat(value: Any) -> bool:
    if type(value) not in (list, tuple, dict) or not ATOMS.issuperset(map(type, value)):
        return False
    return not isinstance(value, dict) or ATOMS.issuperset(map(type, value.values()))


def _add_builtin(writer: Writer, function: Any) -> None:
    owner = getattr(function, "__self__", None)
    of = getattr(function, "__objclass__", None)
    module = str(getattr(function, "__module__", None) or getattr(of, "__module__", ""))
    writer.name("builtin", module, function.__qualname__)
    writer.module(module)
    if owner is not None and not isinstance(owner, ModuleType):
        writer.add(owner)


def _add_method(writer: Writer, method: MethodType) -> None:
    writer.name("method")
    writer.add_all((method.__func__, method.__self__))


def _add_cached(writer: Writer, cached: Any) -> None:
    add_type(writer, cached)
    writer.add(cached.__wrapped__)


def _add_property(writer: Writer, value: property) -> None:
    writer.name("property")
    writer.add_all((value.fget, value.fset, value.fdel))


def _add_cached_property(writer: Writer, value: functools.cached_property[Any]) -> None:
    writer.name("cached property")
    writer.add(value.func)


def _add_function_inside(writer: Writer, value: Any) -> None:
    writer.name(type(value).__name__)
    writer.add(value.__func__)


def _add_code(writer: Writer, code: CodeType) -> None:
    writer.raw(code_content(code))


def _add_buffer(writer: Writer, value: Any) -> None:
    writer.name("buffer")
    content = value.raw() if isinstance(value, pickle.PickleBuffer) else value
    writer.raw(short(content))


def short(content: Any) -> bytes:
    """The bytes of a buffer if they are few, else their hash."""
    view = memoryview(content)
    if view.nbytes <= _LONG_BYTES:
        return bytes(view)
    return atom(view.nbytes) + hashlib.blake2b(view, digest_size=DIGEST_BYTES).digest()


def _add_array(writer: Writer, value: Any) -> None:
    """Arrays of the same elements in the same order are the same, wherever these lie."""
    made_from = value.__reduce_ex__(5)
    content: Any
    if len(made_from) == 2:
        content, dtype, shape, *order = made_from[1]
        content = content.raw() if isinstance(content, pickle.PickleBuffer) else content
    else:
        _, shape, dtype, is_fortran, content = made_from[2]
        order = ["F" if is_fortran else "C"]
    writer.add_all(("array", tuple(shape), dtype, tuple(order)))
    if isinstance(content, list):
        writer.add(content)
    else:
        writer.raw(short(content))


def add_object(writer: Writer, value: Any) -> None:
    """Any other value by what pickle would make it from, which holds no addresses."""
    kind = type(value)
    if (kind.__module__, kind.__qualname__) == ("numpy", "ndarray"):
        _add_array(writer, value)
        return
    if kind.__module__.partition(".")[0] == "wfnb" and hasattr(value, "__wrapped__"):
        writer.add(value.__wrapped__)  # a task function: how often it may be tried is not content
        return
    add_type(writer, value)
    registered = copyreg.dispatch_table.get(kind)
    try:
        made_from = registered(value) if registered else value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001  a user's __reduce__ may raise anything; its type has to do
        writer.lose(value)
        return
    if isinstance(made_from, str):
        _add_global(writer, value, made_from)
        return
    for position, part in enumerate(made_from):
        writer.add(list(part) if position > 2 and isinstance(part, Iterator) else part)


def _add_global(writer: Writer, value: Any, name: str) -> None:
    module = str(getattr(value, "__module__", None) or type(value).__module__)
    writer.name(name, module)
    writer.module(module)
    if not is_library(module):
        writer.lose(value)


ADDERS: dict[type, Callable[[Writer, Any], None]] = {
    list: add_sequence,
    dict: _add_dict,
    set: _add_set,
    frozenset: _add_set,
    ModuleType: _add_module,
    BuiltinFunctionType: _add_builtin,
    type(str.upper): _add_builtin,
    type(object.__init__): _add_builtin,
    MethodType: _add_method,
    property: _add_property,
    functools.cached_property: _add_cached_property,
    staticmethod: _add_function_inside,
    classmethod: _add_function_inside,
    _CACHED: _add_cached,
    CodeType: _add_code,
    bytearray: _add_buffer,
    pickle.PickleBuffer: _add_buffer,
}
