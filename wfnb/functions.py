"""How a function travels to a process that cannot import it: its code, and the globals it uses.

We do not let dill do this: it finds a function's globals by printing `dis.dis` into an exchanged
sys.stdout, which swallows what other threads of a notebook print meanwhile, and needs 135 us where
this takes 8.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import marshal
import opcode
import sys
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from wfnb.errors import SerialisationError
from wfnb.shells import hides_builtin

Namespaces = dict[int, dict[str, Any]]
"""For each globals dict met in one pickle, the dict that its functions share on the other side."""

_LOAD_GLOBAL = opcode.opmap["LOAD_GLOBAL"]
_EXTENDED_ARG = opcode.opmap["EXTENDED_ARG"]
_LOAD_BY_NAME = frozenset(
    opcode.opmap[name]
    for name in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
    if name in opcode.opmap
)
#: Later versions write references by reference count: equal code would give unequal bytes.
_MARSHAL_VERSION = 2

_importable: dict[tuple[str, int], bool] = {}


@functools.lru_cache(maxsize=4096)
def global_names(code: CodeType) -> tuple[str, ...]:
    """The names which this code and the code nested in it look up among the globals, sorted."""
    return tuple(sorted(set(_global_names(code))))


def _global_names(code: CodeType) -> Iterator[str]:
    names = code.co_names
    instructions = code.co_code
    extended = 0
    for operation, argument in zip(instructions[::2], instructions[1::2], strict=True):
        if operation == _LOAD_GLOBAL:
            yield names[(extended | argument) >> 1]
        elif operation in _LOAD_BY_NAME:
            yield names[extended | argument]
        extended = (extended | argument) << 8 if operation == _EXTENDED_ARG else 0
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def used_globals(function: FunctionType) -> dict[str, Any]:
    """The globals in use that exist now; a missing one is a NameError when it runs, not before."""
    outer = function.__globals__
    found = ((name, outer[name]) for name in global_names(function.__code__) if name in outer)
    return {name: value for name, value in found if not hides_builtin(name, value)}


def is_importable(thing: Any) -> bool:
    """Whether another process finds this very function or class under its name."""
    return _hops(thing) == 0


def _hops(thing: Any) -> int:
    """How many `__wrapped__` lie between what the name means and the thing; -1: it is not there."""
    name = getattr(thing, "__qualname__", None)
    module_name = getattr(thing, "__module__", None)
    if not (isinstance(name, str) and isinstance(module_name, str)):
        return -1
    module = sys.modules.get(module_name)
    if module is None or not module_is_importable(module_name, module):
        return -1
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    for hops in range(8):
        if found is thing:
            return hops
        found = getattr(found, "__wrapped__", None)
    return -1


def module_is_importable(name: str, module: ModuleType) -> bool:
    """Whether another process with the same sys.path finds this module."""
    known = _importable.get((name, id(module)))
    if known is None:
        known = _importable[name, id(module)] = _finds_module(name, module)
    return known


def _finds_module(name: str, module: ModuleType) -> bool:
    top, *_ = name.partition(".")
    if name == "__main__":
        return False
    if top == "wfnb" or top in sys.stdlib_module_names:
        return True
    file = getattr(module, "__file__", None)
    path: Any = None
    spec = None
    prefix = ""
    for part in name.split("."):
        prefix = f"{prefix}.{part}" if prefix else part
        specs = (
            finder.find_spec(prefix, path)
            for finder in sys.meta_path
            if hasattr(finder, "find_spec")
        )
        spec = next((found for found in specs if found is not None), None)
        if spec is None:
            # A package may put other modules under its name when it is imported, as six.moves.
            return bool(path) and file is not None and getattr(module, "__spec__", None) is not None
        path = spec.submodule_search_locations
    return spec is not None and (spec.origin == file or file is None or not spec.has_location)


def reduce_function(function: FunctionType, namespaces: Namespaces) -> Any:
    """What pickle writes for a function: its name if that is enough, else what rebuilds it."""
    hops = _hops(function)
    if hops == 0:
        return NotImplemented
    if hops > 0:
        return unwrap, (function.__module__, function.__qualname__, hops)
    namespace, used = _globals_to_send(function, namespaces)
    code = function.__code__
    state = (
        used,
        tuple(_contents(cell) for cell in function.__closure__ or ()),
        function.__defaults__,
        function.__kwdefaults__,
        function.__dict__ or None,
        portable_annotations(function) or None,
        function.__qualname__,
        function.__module__,
        function.__doc__,
        _submodules(used, code),
    )
    skeleton = (_portable_code(code), namespace, function.__name__, function.__closure__)
    return make_function, skeleton, state, None, None, fill_function


def _globals_to_send(
    function: FunctionType, namespaces: Namespaces
) -> tuple[dict[str, Any] | str, dict[str, Any]]:
    """An importable module's closures find its globals there; others take what they use."""
    outer = function.__globals__
    name = outer.get("__name__", "__main__")
    module = sys.modules.get(name)
    if module is not None and vars(module) is outer and module_is_importable(name, module):
        return name, {}
    return namespaces.setdefault(id(outer), {"__name__": name}), used_globals(function)


def _portable_code(code: CodeType) -> bytes | CodeType:
    try:
        return marshal.dumps(code, _MARSHAL_VERSION)
    except (
        ValueError
    ):  # a constant that no compiler makes: the codec has another way for code objects
        return code


def _contents(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def portable_annotations(thing: Any) -> dict[str, Any]:
    """Annotations as text unless they are importable classes: no function needs them to run."""
    try:
        annotations = thing.__annotations__
    except (AttributeError, NameError, TypeError):
        return {}
    return {name: _portable_annotation(value) for name, value in annotations.items()}


def _portable_annotation(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, type):
        return value if is_importable(value) else value.__qualname__
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  a user's __repr__
        return f"<{type(error).__name__}>"


def _submodules(used: dict[str, Any], code: CodeType) -> tuple[str, ...]:
    """Modules reached by attribute, as `xml.etree` in `xml.etree.parse`: not part of `xml`."""
    packages = [
        value.__name__
        for value in used.values()
        if isinstance(value, ModuleType) and hasattr(value, "__path__")
    ]
    if not packages:
        return ()
    attributes = set(_attribute_names(code))
    found = []
    while packages:
        package = packages.pop()
        inner = [f"{package}.{name}" for name in attributes if f"{package}.{name}" in sys.modules]
        found += inner
        packages += inner
    return tuple(sorted(found))


def _attribute_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _attribute_names(constant)


def unwrap(module: str, name: str, hops: int) -> Any:
    """The function that a decorator of an importable module has hidden behind itself."""
    found: Any = importlib.import_module(module)
    for part in [*name.split("."), *["__wrapped__"] * hops]:
        found = getattr(found, part)
    return found


def make_function(
    code: bytes | CodeType,
    namespace: dict[str, Any] | str,
    name: str,
    closure: tuple[CellType, ...] | None,
) -> FunctionType:
    """A function still without state, so that what it uses may in turn use it."""
    if isinstance(namespace, str):
        namespace = vars(importlib.import_module(namespace))
    namespace.setdefault("__builtins__", builtins)
    loaded = marshal.loads(code) if isinstance(code, bytes) else code
    return FunctionType(loaded, namespace, name, None, closure)


def fill_function(function: FunctionType, state: tuple[Any, ...]) -> None:
    """The second half of `make_function`."""
    used, contents, defaults, keyword_defaults, attributes, annotations, *names, submodules = state
    function.__globals__.update(used)
    for cell, content in zip(function.__closure__ or (), contents, strict=True):
        if content:
            cell.cell_contents = content[0]
    function.__defaults__ = defaults
    function.__kwdefaults__ = keyword_defaults
    function.__dict__.update(attributes or {})
    function.__annotations__ = annotations or {}
    function.__qualname__, function.__module__, function.__doc__ = names
    for module in submodules:
        importlib.import_module(module)


def new_cell() -> CellType:
    """An empty cell; the functions that share it fill it."""
    return CellType()


def reduce_cell(_cell: CellType, _namespaces: Namespaces) -> Any:
    """A cell's content travels with the functions that close over it: it may be one of them."""
    return new_cell, ()


def reduce_module(module: ModuleType, _namespaces: Namespaces) -> Any:
    """A module travels by name."""
    if sys.modules.get(module.__name__) is module and module_is_importable(module.__name__, module):
        return importlib.import_module, (module.__name__,)
    raise SerialisationError(
        f"the module `{module.__name__}` exists in this process only: import what is needed of "
        f"it inside the function"
    )


def reduce_method(method: MethodType, _namespaces: Namespaces) -> Any:
    """A method whose name no longer leads to it takes its function along."""
    named = getattr(method.__self__, method.__func__.__name__, None)
    if getattr(named, "__func__", None) is method.__func__:
        return NotImplemented
    return MethodType, (method.__func__, method.__self__)


def make_cached(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """A function under a new, empty `functools.lru_cache`."""
    return functools.lru_cache(**parameters)(function)


def reduce_cached(function: Any, _namespaces: Namespaces) -> Any:
    """The cached function without what it has cached."""
    if is_importable(function):
        return NotImplemented
    return make_cached, (function.__wrapped__, function.cache_parameters())
