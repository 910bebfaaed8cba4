"""Values and functions as bytes and back.

Data is pickled with protocol 5; big buffers (arrays) stay beside the stream, uncopied. What the
other side cannot import travels by value: see `functions` and `classes`. The bytes are to be signed
(`signing`) by whoever stores them.
"""

from __future__ import annotations

import functools
import io
import pickle
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any
from weakref import WeakKeyDictionary

from wfnb import classes, culprits, functions
from wfnb.buffers import BytesLike, copied
from wfnb.classes import forget_loaded as forget_classes
from wfnb.errors import SerialisationError

__all__ = [
    "BytesLike",
    "Encoded",
    "decode",
    "dump_function",
    "encode",
    "find_unserialisable",
    "forget_classes",
    "load_function",
    "pack",
    "unpack",
]

_PROTOCOL = 5
#: A smaller buffer costs less inside the stream than beside it.
_LEAST_BUFFER_BYTES = 1024
_ATOMS = frozenset((type(None), bool, int, float, str, bytes))
_SHALLOW, _MOST_SHALLOW = frozenset((tuple, list)), 64
_COUNT = Struct("<I")
#: In a packed blob, arrays begin where processors like it.
_ALIGNMENT = 64

#: Classes from elsewhere, pickled: most readers of such a result need only the token.
_blobs: WeakKeyDictionary[type, bytes] = WeakKeyDictionary()

_dumps = pickle.dumps
_loads = pickle.loads


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as a pickle stream and the buffers beside it."""

    stream: BytesLike
    buffers: tuple[BytesLike, ...] = ()
    """Views of the value's memory: write them out, or call `owned`, before user code changes it."""

    @property
    def size_bytes(self) -> int:
        """What it takes to store."""
        if not self.buffers:
            return len(self.stream)
        return len(self.stream) + sum(memoryview(buffer).nbytes for buffer in self.buffers)

    def owned(self) -> Encoded:
        """The same, sharing no memory with the value."""
        return Encoded(bytes(self.stream), tuple(map(copied, self.buffers)))


def encode(value: Any, *, name: str = "value", check: bool = False) -> Encoded:
    """The value as bytes; `name` is what an error calls it, `check` also tries to load it back."""
    kind = type(value)
    if kind in _ATOMS or (
        kind in _SHALLOW and len(value) <= _MOST_SHALLOW and _ATOMS.issuperset(map(type, value))
    ):
        return Encoded(_dumps(value, _PROTOCOL))
    try:
        encoded = _encode(value)
    except MemoryError:
        raise
    except Exception as error:
        raise _refusal(value, name=name, error=error, failure=_dump_failure) from error
    if check and (failed := _load_failure(encoded)):
        raise _refusal(value, name=name, error=failed, failure=_round_trip_failure) from failed
    return encoded


def decode(encoded: Encoded, *, name: str = "value", copy: bool = True) -> Any:
    """A new, writable value. Without `copy`, its arrays lie in `encoded.buffers` as they are."""
    try:
        if not encoded.buffers:
            return _loads(encoded.stream)
        buffers: Sequence[BytesLike] = encoded.buffers
        if copy:
            buffers = [copied(buffer) for buffer in buffers]
        return _loads(encoded.stream, buffers=buffers)
    except MemoryError:
        raise
    except Exception as error:
        raise SerialisationError(
            f"{name} cannot be loaded here ({type(error).__name__}: {error}): "
            "both sides need the same packages and modules, in the same versions"
        ) from error


def pack(encoded: Encoded) -> bytes:
    """One blob for `unpack`: number of buffers, lengths, stream, buffers."""
    if not encoded.buffers:
        return b"".join((_COUNT.pack(0), encoded.stream))
    views = [memoryview(part).cast("B") for part in (encoded.stream, *encoded.buffers)]
    lengths = _lengths(len(encoded.buffers)).pack(
        len(encoded.buffers), *(view.nbytes for view in views)
    )
    parts: list[BytesLike] = [lengths]
    position = len(lengths)
    for view in views:
        padding = -position % _ALIGNMENT
        parts += (bytes(padding), view)
        position += padding + view.nbytes
    return b"".join(parts)


def unpack(blob: BytesLike) -> Encoded:
    """What was packed, as views of the blob."""
    view = memoryview(blob)
    try:
        (count,) = _COUNT.unpack_from(view)
        if not count:
            return Encoded(view[_COUNT.size :])
        layout = _lengths(count)
        lengths = layout.unpack_from(view)[1:]
    except Exception as error:
        raise SerialisationError("a stored value is cut short: run the workflow again") from error
    parts = []
    position = layout.size
    for length in lengths:
        position += -position % _ALIGNMENT
        parts.append(view[position : position + length])
        position += length
    if position != view.nbytes:
        raise SerialisationError(
            "a stored value does not have the length that it names: run the workflow again"
        )
    return Encoded(parts[0], tuple(parts[1:]))


@functools.lru_cache(maxsize=64)
def _lengths(count: int) -> Struct:
    return Struct(f"<IxxxxQ{count}Q")


def dump_function(function: Callable[..., Any], *, name: str = "") -> bytes:
    """The function by name where the other side can import it, else with the globals it uses."""
    try:
        return _stream(function, None)
    except MemoryError:
        raise
    except Exception as error:
        called = name or getattr(function, "__name__", culprits.type_name(function))
        raise _refusal(
            function, name=f"function `{called}`", error=error, failure=_dump_failure
        ) from error


def load_function(blob: BytesLike, *, name: str = "the function") -> Callable[..., Any]:
    """What `dump_function` was given."""
    function: Callable[..., Any] = decode(Encoded(blob), name=name)
    return function


def find_unserialisable(value: Any, *, name: str = "value", seconds: float = 2.0) -> str:
    """What cannot be sent, and a remedy: "value['lock'] is a _thread.lock ..."; or ""."""
    return culprits.culprit(value, name=name, failure=_dump_failure, seconds=seconds)


class _Pickler(pickle.Pickler):
    """The C pickler, asked back only for what is not plain data."""

    def __init__(
        self,
        file: io.BytesIO,
        buffer_callback: Callable[[pickle.PickleBuffer], Any] | None,
        *,
        in_full: bool,
    ) -> None:
        super().__init__(file, _PROTOCOL, buffer_callback=buffer_callback)
        self._in_full = in_full
        self._namespaces: functions.Namespaces = {}

    def reducer_override(self, value: Any) -> Any:
        reduce = _REDUCERS.get(type(value))
        if reduce is not None:
            return reduce(value, self._namespaces)
        return self._reduce_class(value) if isinstance(value, type) else NotImplemented

    def _reduce_class(self, cls: type) -> Any:
        if self._in_full or not classes.is_loaded(cls):
            return classes.reduce_class(cls, self._namespaces)
        blob = _blobs.get(cls)
        if blob is None:
            blob = _blobs[cls] = _stream(cls, None, in_full=True)
        return classes.load_known, (classes.token_of(cls), blob)


def _stream(
    value: Any,
    buffer_callback: Callable[[pickle.PickleBuffer], Any] | None,
    *,
    in_full: bool = False,
) -> bytes:
    file = io.BytesIO()
    _Pickler(file, buffer_callback, in_full=in_full).dump(value)
    return file.getvalue()


def _encode(value: Any) -> Encoded:
    buffers: list[memoryview] = []

    def keep_in_stream(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _LEAST_BUFFER_BYTES:
            return True
        buffers.append(raw)
        return False

    return Encoded(_stream(value, keep_in_stream), tuple(buffers))


def _failure(step: Callable[[], object]) -> Exception | None:
    try:
        step()
    except Exception as error:  # noqa: BLE001  a user's __reduce__ or __setstate__ may raise anything
        return error
    return None


def _dump_failure(value: Any) -> Exception | None:
    return _failure(lambda: _stream(value, lambda _buffer: False))


def _load_failure(encoded: Encoded) -> Exception | None:
    buffers = [bytearray(buffer) for buffer in encoded.buffers]
    return _failure(lambda: _loads(encoded.stream, buffers=buffers))


def _round_trip_failure(value: Any) -> Exception | None:
    return _dump_failure(value) or _load_failure(_encode(value))


def _refusal(
    value: Any, *, name: str, error: Exception, failure: culprits.Failure
) -> SerialisationError:
    found = culprits.culprit(value, name=name, failure=failure)
    return SerialisationError(
        found or f"{name} cannot be serialised ({type(error).__name__}: {error}): try it once more"
    )


def _reduce_with_dill(value: Any, _namespaces: functions.Namespaces) -> Any:
    import dill  # noqa: PLC0415  57 ms, and only needed for rarities

    return _load_with_dill, (dill.dumps(value, _PROTOCOL, recurse=True),)


def _load_with_dill(blob: bytes) -> Any:
    import dill  # noqa: PLC0415

    return dill.loads(blob)


_Reducer = Callable[[Any, functions.Namespaces], Any]
_REDUCERS: dict[type, _Reducer] = {
    types.FunctionType: functions.reduce_function,
    types.CellType: functions.reduce_cell,
    types.ModuleType: functions.reduce_module,
    types.MethodType: functions.reduce_method,
    type(functools.lru_cache(len)): functions.reduce_cached,
    property: classes.reduce_property,
    classmethod: classes.reduce_wrapped,
    staticmethod: classes.reduce_wrapped,
    functools.cached_property: classes.reduce_cached_property,
    typing.TypeVar: classes.reduce_type_variable,
    **dict.fromkeys(classes.SENTINEL_TYPES, classes.reduce_sentinel),
    **dict.fromkeys(
        (
            types.CodeType,
            types.MappingProxyType,
            types.GetSetDescriptorType,
            types.MemberDescriptorType,
            super,
        ),
        _reduce_with_dill,
    ),
}
