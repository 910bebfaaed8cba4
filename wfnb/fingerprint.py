"""What makes two pieces of code the same, wherever and whenever they were defined.

The fingerprint covers what can change a result: bytecode, constants, defaults, closures, and the globals in use down to
their own code and values. It leaves out what cannot: file, line, process, hash seed, annotations, the bytes of a pickle.
"""

from __future__ import annotations

import copyreg
import functools
import hashlib
import marshal
import pickle
import site
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from wfnb.functions import global_names, is_importable

_DIGEST_BYTES = 16
_PYTHON = marshal.dumps((sys.version_info.major, sys.version_info.minor), 2)
_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, type(...)))
#: Deeper inside a value, only types count: a value must not exhaust the stack.
_MOST_LEVELS = 60
_NOT_OF_CLASS = frozenset(
    "__dict__ __weakref__ __module__ __qualname__ __annotations__ __annotate__ __annotate_func__ __annotations_cache__ "
    "__static_attributes__ __firstlineno__ __doc__ _abc_impl __abstractmethods__ __parameters__ __dataclass_fields__".split()
)
_LIBRARY_FOLDERS = tuple(
    f"{Path(folder).resolve()}/"
    for folder in {
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)


def fingerprint(function: Callable[..., Any]) -> str:
    """32 hex digits, equal for equal code."""
    walk = _Walk()
    walk.add(function)
    return walk.digest().hex()


def content_hash(blob: bytes | bytearray | memoryview) -> str:
    """The name under which these bytes are stored once: 32 hex digits."""
    return hashlib.blake2b(blob, digest_size=_DIGEST_BYTES).hexdigest()


def _atom(value: Any) -> bytes:
    # Version 2 writes no references, which would depend on what happens to be one object.
    return marshal.dumps(value, 2)


class _Walk:
    """Writes down what it is given, each function, class and mutable value once, so that cycles end.

    Functions and classes wait in a queue while what refers to them is finished, so a chain of helpers needs no stack.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = [_PYTHON]
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []
        self._queue: deque[Any] = deque()
        self._level = 0

    def digest(self) -> bytes:
        """The hash of all that was added."""
        while self._queue:
            waiting = self._queue.popleft()
            if isinstance(waiting, FunctionType):
                self._add_function(waiting)
            else:
                self._add_class(waiting)
        return hashlib.blake2b(b"".join(self._parts), digest_size=_DIGEST_BYTES).digest()

    def add(self, value: Any) -> None:
        """Write the value down by its content, or by its type if it has no stable content."""
        kind = type(value)
        if kind in _ATOMS:
            self._parts.append(_atom(value))
        elif kind is FunctionType:
            self._refer(value, _add_library_function)
        elif isinstance(value, type):
            self._refer(value, _add_library_class)
        elif kind is tuple:
            self._deeper(_add_sequence, value)
        elif not self._is_known(value):
            self._deeper(_ADDERS.get(kind, _add_object), value)

    def name(self, *names: Any) -> None:
        """Write down names that stand for something."""
        self._parts.append(_atom(("name", *names)))

    def raw(self, content: bytes) -> None:
        """Write down bytes behind their length."""
        self._parts += (_atom(len(content)), content)

    def add_all(self, values: Iterable[Any]) -> None:
        """Write down values in their order."""
        for value in values:
            self.add(value)

    def _is_known(self, value: Any) -> bool:
        number = self._numbers.get(id(value))
        if number is not None:
            self.name("again", number)
            return True
        self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)
        return False

    def _refer(self, value: Any, add_library: Callable[[_Walk, Any], None]) -> None:
        if not self._is_known(value):
            if _is_library(value.__module__) and is_importable(value):
                add_library(self, value)
            elif isinstance(value, type) and value.__module__ == "builtins":
                self.name("type", value.__qualname__)
            else:
                self.name("queued")
                self._queue.append(value)

    def _deeper(self, adder: Callable[[_Walk, Any], None], value: Any) -> None:
        if self._level >= _MOST_LEVELS:
            _add_type(self, value)
            return
        self._level += 1
        try:
            adder(self, value)
        finally:
            self._level -= 1

    def _add_function(self, function: FunctionType) -> None:
        code = function.__code__
        self._parts.append(_code_content(code))
        outer = function.__globals__
        for name in global_names(code):
            if name in outer:
                self.name(name)
                self.add(outer[name])
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


@functools.lru_cache(maxsize=4096)
def _code_content(code: CodeType) -> bytes:
    arguments = code.co_argcount + code.co_kwonlyargcount
    parts = [
        _atom(
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
        return b"code" + _code_content(value)
    if isinstance(value, frozenset):
        return (
            b"set" + _atom(len(value)) + b"".join(sorted(_constant(element) for element in value))
        )
    if isinstance(value, tuple):
        return b"tuple" + _atom(len(value)) + b"".join(_constant(element) for element in value)
    return _atom(value)


def _is_library(module: Any) -> bool:
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


def _add_type(walk: _Walk, value: Any) -> None:
    walk.name("type", type(value).__module__, type(value).__qualname__)


def _add_library_function(walk: _Walk, function: FunctionType) -> None:
    walk.name("function", function.__module__, function.__qualname__)
    if function.__module__.partition(".")[0] not in sys.stdlib_module_names:
        walk.raw(_code_content(function.__code__))


def _add_library_class(walk: _Walk, cls: type) -> None:
    walk.name("class", cls.__module__, cls.__qualname__)


def _add_sequence(walk: _Walk, value: list[Any] | tuple[Any, ...]) -> None:
    walk.name(type(value).__name__, len(value))
    if _ATOMS.issuperset(map(type, value)):
        walk.raw(_atom(value))
    else:
        walk.add_all(value)


def _add_dict(walk: _Walk, value: dict[Any, Any]) -> None:
    walk.name("dict", len(value))
    if _ATOMS.issuperset(map(type, value)) and _ATOMS.issuperset(map(type, value.values())):
        walk.raw(_atom(value))
        return
    for key, item in list(value.items()):
        walk.add(key)
        walk.add(item)


def _add_set(walk: _Walk, value: set[Any] | frozenset[Any]) -> None:
    walk.name(type(value).__name__, len(value))
    walk.raw(b"".join(sorted(_element(element, 0) for element in value)))


def _element(value: Any, level: int) -> bytes:
    """Content of what is in a set, without the numbers of a walk: those would depend on the set's order."""
    kind = type(value)
    if kind in _ATOMS:
        return _atom(value)
    if kind in (tuple, frozenset) and level < _MOST_LEVELS:
        parts = [_element(element, level + 1) for element in value]
        return _atom((kind.__name__, parts if kind is tuple else sorted(parts)))
    if isinstance(value, Enum):
        return _atom((kind.__module__, kind.__qualname__, value.name))
    if isinstance(value, FunctionType):
        return _code_content(value.__code__)
    return _atom((kind.__module__, kind.__qualname__, str(getattr(value, "__qualname__", ""))))


def _add_module(walk: _Walk, module: ModuleType) -> None:
    walk.name("module", module.__name__, str(getattr(module, "__version__", "")))
    file = getattr(module, "__file__", None)
    if file is not None and not _is_library(module.__name__):
        try:
            status = Path(file).stat()
            walk.raw(_file_digest(file, status.st_mtime_ns, status.st_size))
        except OSError:
            walk.name("unreadable")


@functools.lru_cache(maxsize=1024)
def _file_digest(file: str, _mtime_ns: int, _size_bytes: int) -> bytes:
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=_DIGEST_BYTES).digest()


def _add_builtin(walk: _Walk, function: Any) -> None:
    owner = getattr(function, "__self__", None)
    walk.name("builtin", str(getattr(function, "__module__", "")), function.__qualname__)
    if owner is not None and not isinstance(owner, ModuleType):
        walk.add(owner)


def _add_method(walk: _Walk, method: MethodType) -> None:
    walk.name("method")
    walk.add_all((method.__func__, method.__self__))


def _add_wrapped(walk: _Walk, wrapper: Any) -> None:
    _add_type(walk, wrapper)
    walk.add(wrapper.__wrapped__)


def _add_property(walk: _Walk, value: property) -> None:
    walk.name("property")
    walk.add_all((value.fget, value.fset, value.fdel))


def _add_cached_property(walk: _Walk, value: functools.cached_property[Any]) -> None:
    walk.name("cached property")
    walk.add(value.func)


def _add_function_inside(walk: _Walk, value: Any) -> None:
    walk.name(type(value).__name__)
    walk.add(value.__func__)


def _add_code(walk: _Walk, code: CodeType) -> None:
    walk.raw(_code_content(code))


def _add_buffer(walk: _Walk, value: Any) -> None:
    walk.name("buffer")
    walk.raw(bytes(value))


def _add_object(walk: _Walk, value: Any) -> None:
    """Any other value by what pickle would make it from, which has neither addresses nor an order of its own."""
    if callable(value) and hasattr(value, "__wrapped__"):
        _add_wrapped(walk, value)
        return
    _add_type(walk, value)
    registered = copyreg.dispatch_table.get(type(value))
    try:
        made_from = registered(value) if registered else value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001  a user's __reduce__ may raise anything; then the type has to do
        return
    if isinstance(made_from, str):
        walk.name(made_from)
        return
    callable_, arguments, *state = made_from
    walk.add_all((callable_, arguments))
    walk.add_all(list(part) if hasattr(part, "__next__") else part for part in state)


_ADDERS: dict[type, Callable[[_Walk, Any], None]] = {
    list: _add_sequence,
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
