"""How a value is written down so that equal values give equal bytes in every process."""

from __future__ import annotations

import copyreg
import functools
import hashlib
import marshal
import pickle
import site
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Protocol

DIGEST_BYTES = 16
ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, type(...)))
#: Deeper inside a value, only types count: a value must not exhaust the stack.
MOST_LEVELS = 60
_LIBRARY_FOLDERS = tuple(
    f"{Path(folder).resolve()}/"
    for folder in {
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)


class Writer(Protocol):
    """Where contents are written to; `fingerprint` has it."""

    def add(self, value: Any) -> None:
        """Write a value down, whatever it is."""

    def add_all(self, values: Iterable[Any]) -> None:
        """Write values down in their order."""

    def name(self, *names: Any) -> None:
        """Write down names that stand for something."""

    def raw(self, content: bytes) -> None:
        """Write down bytes behind their length."""


def atom(value: Any) -> bytes:
    """A plain constant; marshal 2 writes no references, which depend on reference counts."""
    return marshal.dumps(value, 2)


@functools.lru_cache(maxsize=4096)
def code_content(code: CodeType) -> bytes:
    """Bytecode, constants, names and arguments; no file, no lines."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    parts = [
        atom(
            (
                code.co_code,
                code.co_exceptiontable,
                code.co_names,
                code.co_varnames[:arguments],
                (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
                len(code.co_freevars),
                len(code.co_consts),
            )
        )
    ]
    # From Python 3.13 on, a class body stores the number of its first line.
    line = code.co_firstlineno if "__firstlineno__" in code.co_names else None
    parts += [
        _constant(constant) for constant in code.co_consts if line is None or constant != line
    ]
    return b"".join(parts)


def _constant(value: Any) -> bytes:
    if isinstance(value, CodeType):
        return b"code" + code_content(value)
    if isinstance(value, frozenset):
        return b"set" + atom(len(value)) + b"".join(sorted(_constant(element) for element in value))
    if isinstance(value, tuple):
        return b"tuple" + atom(len(value)) + b"".join(_constant(element) for element in value)
    return atom(value)


def is_library(module: Any) -> bool:
    """Whether the module is installed, not the user's: its names then say enough."""
    return (
        isinstance(module, str)
        and module in sys.modules
        and _is_installed(module, sys.modules[module])
    )


@functools.lru_cache(maxsize=4096)
def _is_installed(name: str, module: ModuleType) -> bool:
    top = name.partition(".")[0]
    if name == "__main__":
        return False
    if top in sys.stdlib_module_names or top == "wfnb":
        return True
    file = getattr(module, "__file__", None)
    return file is not None and str(Path(file).resolve()).startswith(_LIBRARY_FOLDERS)


def add_type(writer: Writer, value: Any) -> None:
    writer.name("type", type(value).__module__, type(value).__qualname__)


def add_library_function(writer: Writer, function: FunctionType) -> None:
    writer.name("function", function.__module__, function.__qualname__)
    if function.__module__.partition(".")[0] not in sys.stdlib_module_names:
        writer.raw(code_content(function.__code__))


def add_library_class(writer: Writer, cls: type) -> None:
    writer.name("class", cls.__module__, cls.__qualname__)


def add_sequence(writer: Writer, value: list[Any] | tuple[Any, ...]) -> None:
    writer.name(type(value).__name__, len(value))
    if ATOMS.issuperset(map(type, value)):
        writer.raw(atom(value))
    else:
        writer.add_all(value)


def _add_dict(writer: Writer, value: dict[Any, Any]) -> None:
    writer.name("dict", len(value))
    if ATOMS.issuperset(map(type, value)) and ATOMS.issuperset(map(type, value.values())):
        writer.raw(atom(value))
        return
    for key, item in list(value.items()):
        writer.add(key)
        writer.add(item)


def _add_set(writer: Writer, value: set[Any] | frozenset[Any]) -> None:
    writer.name(type(value).__name__, len(value))
    writer.raw(b"".join(sorted(_element(element, 0) for element in value)))


def _element(value: Any, level: int) -> bytes:
    """Content of what is in a set, without numbers: those would depend on the set's order."""
    kind = type(value)
    if kind in ATOMS:
        return atom(value)
    if kind in (tuple, frozenset) and level < MOST_LEVELS:
        parts = [_element(element, level + 1) for element in value]
        return atom((kind.__name__, parts if kind is tuple else sorted(parts)))
    if isinstance(value, Enum):
        return atom((kind.__module__, kind.__qualname__, value.name))
    if isinstance(value, FunctionType):
        return code_content(value.__code__)
    return atom((kind.__module__, kind.__qualname__, str(getattr(value, "__qualname__", ""))))


def _add_module(writer: Writer, module: ModuleType) -> None:
    writer.name("module", module.__name__, str(getattr(module, "__version__", "")))
    file = getattr(module, "__file__", None)
    if file is not None and not is_library(module.__name__):
        try:
            status = Path(file).stat()
            writer.raw(_file_digest(file, status.st_mtime_ns, status.st_size))
        except OSError:
            writer.name("unreadable")


@functools.lru_cache(maxsize=1024)
def _file_digest(file: str, _mtime_ns: int, _size_bytes: int) -> bytes:
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=DIGEST_BYTES).digest()


def _add_builtin(writer: Writer, function: Any) -> None:
    owner = getattr(function, "__self__", None)
    writer.name("builtin", str(getattr(function, "__module__", "")), function.__qualname__)
    if owner is not None and not isinstance(owner, ModuleType):
        writer.add(owner)


def _add_method(writer: Writer, method: MethodType) -> None:
    writer.name("method")
    writer.add_all((method.__func__, method.__self__))


def _add_wrapped(writer: Writer, wrapper: Any) -> None:
    add_type(writer, wrapper)
    writer.add(wrapper.__wrapped__)


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
    writer.raw(bytes(value))


def add_object(writer: Writer, value: Any) -> None:
    """Any other value by what pickle would make it from, which holds no addresses."""
    if callable(value) and hasattr(value, "__wrapped__"):
        _add_wrapped(writer, value)
        return
    add_type(writer, value)
    registered = copyreg.dispatch_table.get(type(value))
    try:
        made_from = registered(value) if registered else value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001  a user's __reduce__ may raise anything; its type has to do
        return
    if isinstance(made_from, str):
        writer.name(made_from)
        return
    for part in made_from:
        writer.add(list(part) if isinstance(part, Iterator) else part)


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
    CodeType: _add_code,
    bytearray: _add_buffer,
    pickle.PickleBuffer: _add_buffer,
}
