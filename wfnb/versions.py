"""What history is kept by: which code a function is, and what its calls are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from wfnb.arguments import HOLES, Arguments, Constant, Nested, values_of
from wfnb.fingerprint import fingerprint
from wfnb.graph import Graph
from wfnb.resources import Resources

_PLAIN: frozenset[type] = HOLES | {int, float, bool, complex, type(None), Constant}
_TEXTS = frozenset((str, bytes, bytearray))
_NUMBERS = frozenset((int, float))
_MOST_BYTES = 1e15
_NUMBER_BYTES = 9
"""What pickle makes of one."""
_MOST_LOOKED_AT = 64
"""Elements of a container; the others are taken to be like them."""
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a function's code."""

    family: str
    """Of its module and name: the same before and after an edit."""
    code: str
    """Of all that can change a result; "" if that cannot be told."""


@dataclass(frozen=True, slots=True)
class Learning:
    """How workers name what they learn of a run's functions; stored with its graph."""

    versions: tuple[tuple[str, str], ...] = ()
    """Of each function, family and code."""
    given: tuple[int, ...] = ()
    """For each task, the bytes of its arguments beside outputs; () if none has many."""
    sizes: Mapping[str, str] = field(default_factory=dict)
    """Of the workers that serve a queue."""
    upload: str = "completion"
    """When workers hand in what they learn, see history.Upload; "off": never."""


_known: WeakKeyDictionary[Graph, tuple[Version, ...]] = WeakKeyDictionary()
_given: WeakKeyDictionary[Graph, tuple[int, ...]] = WeakKeyDictionary()


def versions_of(graph: Graph) -> tuple[Version, ...]:
    """Of each of its functions; of a stored graph, as they were when it was written."""
    graph = graph.as_planned
    if graph not in _known:
        _known[graph] = tuple(_version(one.call, one.name) for one in graph.functions)
    return _known[graph]


def remembered(graph: Graph, learning: Learning) -> Learning:
    """A graph that was stored need not be looked through again."""
    graph = graph.as_planned
    if learning.versions:
        _known[graph] = tuple(Version(*words) for words in learning.versions)
        _given[graph] = learning.given
    return learning


def given_bytes(graph: Graph) -> tuple[int, ...]:
    """For each task, about what its arguments beside outputs would take; () if none has any.

    An estimate, cheap, and the same wherever it is made before the graph is stored.
    """
    graph = graph.as_planned
    if graph not in _given:
        known: dict[int, int] = {}
        sizes = tuple([_size_of(its, known) for its in graph.arguments_at])
        items = {at: _size_of(_template(call.arguments), {}) for at, call in graph.maps.items()}
        sizes = tuple(items.get(at, size) for at, size in enumerate(sizes)) if items else sizes
        _given[graph] = sizes if any(sizes) else ()
    return _given[graph]


def number_given(graph: Graph, at: int) -> int:
    """The largest, of a task that is given nothing else: it may well say how much there is to do.

    It then stands for the bytes that the task reads.
    """
    if graph.inputs_at[at]:
        return 0
    arguments = graph.arguments_at[at]
    numbers = [abs(value) for value in values_of(arguments) if type(value) in _NUMBERS]
    largest = max(numbers, default=0)
    return int(largest) if largest < _MOST_BYTES else 0


def learning_of(
    graph: Graph, sizes: Mapping[str, Resources], *, upload: str = "completion"
) -> Learning:
    """`sizes` says of what size the workers of each queue are."""
    return Learning(
        versions=tuple((one.family, one.code) for one in versions_of(graph)),
        given=given_bytes(graph),
        sizes={queue: size_named(resources) for queue, resources in sizes.items()},
        upload=upload,
    )


def size_named(resources: Resources) -> str:
    """What tells sizes of workers apart in history: cpus, and bytes of memory or 0."""
    return f"{resources.cpus:g}-{resources.memory_bytes or 0}"


def size_read(name: str) -> tuple[float, int]:
    cpus, _, memory = name.rpartition("-")
    return float(cpus), int(memory)


def _version(function: Callable[..., Any], name: str) -> Version:
    where = getattr(function, "__module__", None) or ""
    called = getattr(function, "__qualname__", None) or name
    family = blake2b(f"{where}:{called}".encode(), digest_size=6).hexdigest()
    try:
        return Version(family, fingerprint(function)[:16])
    except Exception:  # noqa: BLE001  users' objects may raise anything
        return Version(family, "")


def _template(arguments: Arguments | Callable[[], Arguments]) -> Arguments:
    return arguments() if callable(arguments) else arguments


def _size_of(arguments: Arguments, known: dict[int, int]) -> int:
    if not arguments or (len(arguments) == 1 and _PLAIN.issuperset(map(type, arguments[0]))):
        return 0
    key = id(arguments)
    if key not in known:
        known[key] = sum([_bytes_of(value, 0) for value in values_of(arguments)])
    return known[key]


def _bytes_of(value: Any, depth: int) -> int:
    kind = type(value)
    if kind in _PLAIN:
        return 0 if depth == 0 or kind in HOLES else _NUMBER_BYTES
    if kind in _TEXTS:
        return len(value)
    if kind is Nested:
        return _bytes_of(value.template, depth)
    # Asked of the type: an object may answer anything, and slowly.
    size = getattr(value, "nbytes", None) if hasattr(kind, "nbytes") else None
    if isinstance(size, int):
        return size
    if depth >= _DEEPEST or kind not in (list, tuple, set, frozenset, dict):
        return _NUMBER_BYTES
    parts = [*value, *value.values()] if kind is dict else [*value]
    some = parts[:: max(1, len(parts) // _MOST_LOOKED_AT)]
    return sum([_bytes_of(one, depth + 1) for one in some]) * len(parts) // max(1, len(some))
