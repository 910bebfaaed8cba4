"""How a class travels to a process that cannot import it, and stays one class.

Each such class has a token, made when it is first sent. Who loads a token that it knows takes the
class it has; so instances made by different tasks are of one class, and a result is an instance of
the class that the notebook defined.
"""

from __future__ import annotations

import abc
import dataclasses
import enum
import functools
import pickle
import sys
import threading
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from wfnb.functions import Namespaces, is_importable, module_is_importable, portable_annotations

_PYTHON_CLASS = 1 << 9
_IMMUTABLE = 1 << 8
#: Given at creation, made anew by it, or of no use elsewhere.
_NOT_STATE = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__module__",
        "__qualname__",
        "__slots__",
        "__orig_bases__",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__static_attributes__",
        "__firstlineno__",
        "_abc_impl",
    ]
)
_AT_CREATION = ("__module__", "__qualname__", "__slots__", "__orig_bases__")
_KEPT_OF_ENUM = frozenset(("_missing_", "_numeric_repr_"))
_OF_EVERY_MEMBER = frozenset(("_value_", "_name_", "__objclass__", "_sort_order_"))
#: `function` and its like, which say that they are of `builtins` and are not there.
_INTERPRETER_TYPES = {
    cls: name
    for name, cls in vars(types).items()
    if isinstance(cls, type) and not is_importable(cls) and cls is not types.NoneType
}

_tokens: WeakKeyDictionary[type, str] = WeakKeyDictionary()
_originals: WeakValueDictionary[str, type] = WeakValueDictionary()
_loaded: WeakValueDictionary[str, type] = WeakValueDictionary()
_filled: WeakSet[type] = WeakSet()
_creation = threading.RLock()


def forget_loaded() -> None:
    """Take classes sent from now on as new ones, though their tokens be known.

    A warm worker calls this when it joins a run: a method's global may have been redefined since,
    while its class was not.
    """
    _loaded.clear()


def reduce_class(cls: type, _namespaces: Namespaces) -> Any:
    """What pickle writes for a class: its name if that is enough, else what rebuilds it."""
    if not cls.__flags__ & _PYTHON_CLASS or cls.__flags__ & _IMMUTABLE:
        name = _INTERPRETER_TYPES.get(cls)
        return (getattr, (types, name)) if name else NotImplemented
    if is_importable(cls):
        return NotImplemented
    if typing.is_typeddict(cls):
        return typing.TypedDict, (cls.__name__, portable_annotations(cls))
    creation = {name: cls.__dict__[name] for name in _AT_CREATION if name in cls.__dict__}
    creation["__qualname__"] = cls.__qualname__
    token = token_of(cls)
    if issubclass(cls, enum.Enum):
        members = [(name, member.value) for name, member in cls.__members__.items()]
        enumeration = (token, type(cls), cls.__name__, cls.__bases__, (creation, members))
        return make_enum, enumeration, _enum_state(cls), None, None, fill_class
    skeleton = (token, type(cls), cls.__name__, cls.__bases__, creation)
    return (
        make_class,
        skeleton,
        (sent_attributes(cls), _registered(cls), None),
        None,
        None,
        fill_class,
    )


def token_of(cls: type) -> str:
    """The name under which every process knows the class."""
    token = _tokens.get(cls)
    if token is None:
        with _creation:
            token = _tokens.setdefault(cls, uuid.uuid4().hex)
            _originals[token] = cls
            _filled.add(cls)
    return token


def is_loaded(cls: type) -> bool:
    """Whether the class came from another process, which then knows it."""
    token = _tokens.get(cls)
    return token is not None and _loaded.get(token) is cls


def load_known(token: str, blob: bytes) -> type:
    """The class of this token; the blob is what to load where nobody knows it."""
    cls = _originals.get(token) or _loaded.get(token)
    if cls is not None and cls in _filled:
        return cls
    loaded: type = pickle.loads(blob)
    return loaded


def sent_attributes(cls: type) -> dict[str, Any]:
    """The attributes that travel; the others are made anew with the class."""
    state = {
        name: value
        for name, value in cls.__dict__.items()
        if name not in _NOT_STATE and not _is_slot(value, cls)
    }
    if annotations := portable_annotations(cls):
        state["__annotations__"] = annotations
    return state


def _is_slot(value: Any, cls: type) -> bool:
    return isinstance(value, types.MemberDescriptorType) and value.__objclass__ is cls


def _registered(cls: type) -> list[type]:
    """The virtual subclasses of an abstract class."""
    if not isinstance(cls, abc.ABCMeta):
        return []
    registry = abc._get_dump(cls)[0]  # type: ignore[attr-defined]  # noqa: SLF001  no public way
    return [subclass for reference in registry if (subclass := reference()) is not None]


def _enum_state(cls: type[enum.Enum]) -> Any:
    members = cls.__members__
    attributes = {
        name: value
        for name, value in sent_attributes(cls).items()
        if name not in members
        and name not in ("__new__", "__new_member__")
        and not _is_sunder(name)
    }
    extras = {
        name: {key: value for key, value in vars(member).items() if key not in _OF_EVERY_MEMBER}
        for name, member in members.items()
    }
    return attributes, [], {name: extra for name, extra in extras.items() if extra} or None


def _is_sunder(name: str) -> bool:
    return name[:1] == name[-1:] == "_" and name[1:2] != "_" and name not in _KEPT_OF_ENUM


def make_class(
    token: str, metaclass: Any, name: str, bases: tuple[type, ...], creation: dict[str, Any]
) -> type:
    """The class of this token, still without attributes if it is new here: they may refer to it."""

    def make() -> type:
        return types.new_class(
            name, bases, {"metaclass": metaclass}, lambda namespace: namespace.update(creation)
        )

    return _known_or_made(token, bases, make)


def make_enum(
    token: str,
    metaclass: Any,
    name: str,
    bases: tuple[type, ...],
    content: tuple[dict[str, Any], list[tuple[str, Any]]],
) -> type:
    """As `make_class`, with the members, which an enumeration must have from the start."""
    creation, members = content

    def make() -> type:
        namespace = metaclass.__prepare__(name, bases)
        for key, value in [*creation.items(), *members]:
            namespace[key] = value
        made: type = metaclass(name, bases, namespace)
        return made

    return _known_or_made(token, bases, make)


def _known_or_made(token: str, bases: tuple[type, ...], make: Callable[[], type]) -> type:
    with _creation:
        cls = _originals.get(token) or _loaded.get(token)
        if cls is None:
            cls = _without_hooks(bases, make)
            _loaded[token] = cls
            _tokens[cls] = token
        return cls


def _without_hooks(bases: tuple[type, ...], make: Callable[[], type]) -> type:
    """Make a class without a word to `__init_subclass__`, who heard of it where it was defined."""
    ancestors = {ancestor for base in bases for ancestor in base.__mro__ if ancestor in _tokens}
    hooks = [
        (ancestor, vars(ancestor)["__init_subclass__"])
        for ancestor in ancestors
        if "__init_subclass__" in vars(ancestor)
    ]
    for ancestor, _ in hooks:
        type.__delattr__(ancestor, "__init_subclass__")
    try:
        return make()
    finally:
        for ancestor, hook in hooks:
            type.__setattr__(ancestor, "__init_subclass__", hook)


def fill_class(
    cls: type, state: tuple[dict[str, Any], list[type], dict[str, dict[str, Any]] | None]
) -> None:
    """The second half of `make_class`; a class that was known already keeps what it has."""
    if cls in _filled:
        return
    attributes, registered, extras = state
    for name, value in attributes.items():
        type.__setattr__(cls, name, value)
    for subclass in registered:
        cls.register(subclass)  # type: ignore[attr-defined]
    for name, extra in (extras or {}).items():
        vars(cls.__members__[name]).update(extra)  # type: ignore[attr-defined]
    _filled.add(cls)


def reduce_property(value: property, _namespaces: Namespaces) -> Any:
    """A property with its functions."""
    return property, (value.fget, value.fset, value.fdel, value.__doc__)


def reduce_wrapped(value: Any, _namespaces: Namespaces) -> Any:
    """A static or class method with its function."""
    return type(value), (value.__func__,)


def make_cached_property(function: Callable[[Any], Any], name: str | None) -> Any:
    """A cached property that knows its name already."""
    made: functools.cached_property[Any] = functools.cached_property(function)
    made.attrname = name
    return made


def reduce_cached_property(value: functools.cached_property[Any], _namespaces: Namespaces) -> Any:
    """A cached property without the lock that it had before Python 3.12."""
    return make_cached_property, (value.func, value.attrname)


def reduce_type_variable(value: Any, _namespaces: Namespaces) -> Any:
    """A type variable of a cell, with its bounds as they are."""
    if is_importable_name(value):
        return NotImplemented
    flags = {"covariant": value.__covariant__, "contravariant": value.__contravariant__}
    make = functools.partial(typing.TypeVar, bound=value.__bound__, **flags)
    return make, (value.__name__, *value.__constraints__)


def is_importable_name(value: Any) -> bool:
    """As `is_importable`, for what has a name but no qualified one."""
    module = sys.modules.get(value.__module__)
    if module is None or getattr(module, value.__name__, None) is not value:
        return False
    return module_is_importable(value.__module__, module)


#: Compared by identity all over `dataclasses`, so they travel by name.
_SENTINELS = {
    id(value): name
    for name, value in vars(dataclasses).items()
    if type(value).__module__ == "dataclasses"
    and not isinstance(value, type)
    and not callable(value)
}


def reduce_sentinel(value: Any, _namespaces: Namespaces) -> Any:
    """A constant of `dataclasses`, by its name."""
    return _SENTINELS.get(id(value), NotImplemented)


SENTINEL_TYPES = {type(value) for value in vars(dataclasses).values() if id(value) in _SENTINELS}
