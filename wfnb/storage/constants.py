"""Large arguments, stored apart under the hash of their content: once for all calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from hashlib import sha256
from types import FunctionType, ModuleType
from typing import Any

from wfnb import codec
from wfnb.arguments import (
    HOLES,
    Arguments,
    Constant,
    Nested,
    holds_outputs,
    values_of,
)
from wfnb.errors import SerialisationError
from wfnb.nesting import replace_deep
from wfnb.signing import Signer

LARGE_BYTES = 32 * 1024
"""A constant of this size is stored once, under its content, and fetched by who needs it."""
_LONG = 512
"""A container of this many elements may be large; it is encoded to see."""
_SMALL_TYPES: frozenset[type] = HOLES | {int, float, bool, type(None), complex, Constant}


def load_constant(blob: bytes, signer: Signer, content: str) -> codec.Encoded:
    return codec.unpack(signer.open(blob, f"constant:{content}"))


class Constants:
    """Large arguments and parts of arguments, each found once however many calls get it."""

    def __init__(self, signer: Signer) -> None:
        self.found: dict[str, bytes] = {}
        self._signer = signer
        self._known: dict[int, tuple[Any, Constant | None]] = {}

    def apart(self, arguments: Arguments) -> Arguments:
        """The same, with a Constant wherever something large was."""
        if not any(map(_may_be_large, values_of(arguments))):
            return arguments
        args = tuple([self._argument(value) for value in values_of(arguments[:1])])
        if len(arguments) < 2:
            return (args,)
        return args, {name: self._argument(value) for name, value in arguments[1].items()}

    def _argument(self, value: Any) -> Any:
        if type(value) is Nested:
            return Nested(replace_deep(value.template, self._part, atoms=_SMALL_TYPES))
        parted = replace_deep(value, self._part, atoms=_SMALL_TYPES)
        return parted if parted is value or type(parted) is Constant else Nested(parted)

    def _part(self, part: Any) -> Any:
        """Asked from the outside in: an array in a short list goes apart, a long list whole."""
        if not _may_be_large(part) or _is_short(part) or holds_outputs(part):
            return part
        if id(part) not in self._known:
            # The value is kept beside: an id is only good while its object lives.
            self._known[id(part)] = (part, self._stored(part))
        return self._known[id(part)][1] or part

    def _stored(self, value: Any) -> Constant | None:
        try:
            encoded = codec.encode(value, name="a part of its arguments")
        except SerialisationError:
            return None  # it is named when the arguments are written
        if encoded.size_bytes < LARGE_BYTES:
            return None
        packed = codec.pack(encoded)
        content = sha256(packed).hexdigest()
        self.found[content] = self._signer.seal(packed, f"constant:{content}")
        return Constant(content)


def _may_be_large(value: Any) -> bool:
    """Cheap and generous: what may be large is encoded to see."""
    to_see, seen = [value], set[int]()
    while to_see:
        one = to_see.pop()
        if type(one) in _SMALL_TYPES or id(one) in seen:
            continue
        seen.add(id(one))
        size = _own_size(one)
        if size is None:
            parts = _parts(one)
            if len(parts) >= _LONG and HOLES.isdisjoint(map(type, parts)):
                return True
            if not _SMALL_TYPES.issuperset(map(type, parts)):
                to_see.extend(parts)
        elif size >= LARGE_BYTES:
            return True
        if len(seen) > _LONG:
            return True
    return False


def _own_size(value: Any) -> int | None:
    """Bytes, where they are known without looking inside."""
    if type(value) in (str, bytes, bytearray):
        return len(value)
    # Asked of the type: an object may answer anything, and slowly.
    size = getattr(value, "nbytes", None) if hasattr(type(value), "nbytes") else None
    if isinstance(size, int):
        return size
    return LARGE_BYTES if hasattr(type(value), "memory_usage") else None  # a data frame


def _parts(value: Any) -> Sequence[Any]:
    if type(value) is Nested:
        return [value.template]
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [*value]
    if isinstance(value, (type, FunctionType, ModuleType)):
        return ()
    if is_dataclass(value):
        return [getattr(value, field.name, None) for field in fields(value)]
    attributes = getattr(value, "__dict__", None)
    return [*attributes.values()] if type(attributes) is dict else ()


def _is_short(value: Any) -> bool:
    """Of a container's parts, each may be wanted by another task."""
    return type(value) in (list, tuple, dict, set, frozenset) and len(value) < _LONG
