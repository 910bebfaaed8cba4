"""A graph as signed bytes: each function once, each large constant apart, ids by counting."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, is_dataclass
from hashlib import sha256
from typing import Any, overload

from wfnb import codec
from wfnb.arguments import Arguments, Constant, Nested, Output
from wfnb.errors import SerialisationError
from wfnb.graph import Function, Graph, Options, TaskId, ids_of
from wfnb.resources import Resources
from wfnb.signing import Signer

LARGE_BYTES = 32 * 1024
"""A constant of this size is stored once, under its content, and fetched by who needs it."""
_LONG = 512
"""A container of this many elements may be large; it is encoded to see."""
_SMALL_TYPES = frozenset({int, float, bool, type(None), complex, Output, Nested})


@dataclass(frozen=True, slots=True)
class Home:
    """Where the client's code finds its modules and files; signed with the graph."""

    folder: str
    path: tuple[str, ...]

    @classmethod
    def here(cls) -> Home:
        return cls(os.getcwd(), tuple(entry or os.getcwd() for entry in sys.path))


@dataclass(frozen=True, slots=True)
class Dumped:
    graph: bytes
    constants: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a worker needs to know of a run."""

    graph: Graph
    home: Home
    queue_at: Sequence[str] | None
    """Each task's queue; None where one serves all."""
    has_constants: bool


def dump_graph(
    graph: Graph, signer: Signer, run: str, *, queue_at: Sequence[str] | None = None
) -> Dumped:
    """Raises SerialisationError, naming task and variable, for what cannot travel."""
    constants = _Constants(signer)
    arguments = [constants.apart(graph, at) for at in range(len(graph))]
    blobs: dict[bytes, int] = {}
    functions = []
    for at, function in enumerate(graph.functions):
        blob = _dump_function(function, graph.ids[graph.function_at.index(at)])
        place = blobs.setdefault(blob, len(blobs))
        functions.append((function.name, _plain(function.options), place))
    shape = (
        functions,
        list(blobs),
        graph.function_at,
        graph.inputs_at,
        [graph.position[target] for target in graph.targets],
        dict(graph.names),
        codec.pack(_encode_arguments(graph, arguments)),
        queue_at,
        astuple(Home.here()),
        bool(constants.found),
    )
    payload = codec.pack(codec.encode(shape))
    return Dumped(signer.seal(payload, f"graph:{run}"), constants.found)


def load_graph(blob: bytes, signer: Signer, run: str) -> Stored:
    """The graph of a run. Functions and arguments, which are the user's, load when first used."""
    payload = codec.unpack(signer.open(blob, f"graph:{run}"))
    functions, blobs, function_at, inputs_at, targets, names, arguments, *about = codec.decode(
        payload
    )
    queue_at, home, has_constants = about
    calls = [_StoredFunction(blob, name) for (name, _, _), blob in _first_of(functions, blobs)]
    ids = ids_of([name for name, _, _ in functions], function_at, names)
    graph = Graph(
        functions=tuple(
            Function(name=name, call=calls[place], options=_options(options))
            for name, options, place in functions
        ),
        ids=ids,
        function_at=function_at,
        arguments_at=_StoredArguments(arguments, len(ids)),
        inputs_at=inputs_at,
        targets=tuple(ids[at] for at in targets),
        names=names,
    )
    return Stored(graph, Home(*home), queue_at, has_constants)


def load_constant(blob: bytes, signer: Signer, content: str) -> codec.Encoded:
    return codec.unpack(signer.open(blob, f"constant:{content}"))


class _Constants:
    """Large arguments, each found once however many calls it is passed to."""

    def __init__(self, signer: Signer) -> None:
        self.found: dict[str, bytes] = {}
        self._signer = signer
        self._known: dict[int, tuple[Any, Constant | None]] = {}

    def apart(self, graph: Graph, at: int) -> Arguments:
        arguments = graph.arguments_at[at]
        if not arguments or not any(map(_may_be_large, _values(arguments))):
            return arguments
        args = tuple(self._replaced(value, graph.ids[at]) for value in arguments[0])
        if len(arguments) == 1:
            return (args,)
        named = arguments[1].items()
        return args, {name: self._replaced(value, graph.ids[at]) for name, value in named}

    def _replaced(self, value: Any, task: TaskId) -> Any:
        if not _may_be_large(value):
            return value
        if id(value) not in self._known:
            # The value is kept beside: an id is only good while its object lives.
            self._known[id(value)] = (value, self._stored(value, task))
        return self._known[id(value)][1] or value

    def _stored(self, value: Any, task: TaskId) -> Constant | None:
        try:
            encoded = codec.encode(value, name="argument")
        except SerialisationError as error:
            raise SerialisationError(f"{task}: {error}") from error
        if encoded.size_bytes < LARGE_BYTES:
            return None
        packed = codec.pack(encoded)
        content = sha256(packed).hexdigest()
        self.found[content] = self._signer.seal(packed, f"constant:{content}")
        return Constant(content)


class _StoredFunction:
    """A function of a stored graph; user code is loaded by the first call, not by looking."""

    def __init__(self, blob: bytes, name: str) -> None:
        self._blob = blob
        self._name = name
        self._function: Callable[..., Any] | None = None

    def load(self) -> Callable[..., Any]:
        if self._function is None:
            self._function = codec.load_function(self._blob, name=f"function `{self._name}`")
        return self._function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.load()(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return codec.load_function, (self._blob,)


class _StoredArguments(Sequence[Arguments]):
    """The arguments of a stored graph, loaded when the first is used."""

    def __init__(self, packed: bytes, length: int) -> None:
        self._packed = packed
        self._length = length
        self._loaded: Sequence[Arguments] | None = None

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> Arguments: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Arguments]: ...
    def __getitem__(self, at: int | slice) -> Arguments | Sequence[Arguments]:
        if self._loaded is None:
            self._loaded = codec.decode(codec.unpack(self._packed), name="the arguments")
        return self._loaded[at]

    def __iter__(self) -> Iterator[Arguments]:
        return (self[at] for at in range(self._length))


def loaded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The user's own function behind a stored one."""
    return function.load() if isinstance(function, _StoredFunction) else function


def _encode_arguments(graph: Graph, arguments: Sequence[Arguments]) -> codec.Encoded:
    try:
        return codec.encode(arguments, name="arguments")
    except SerialisationError as error:
        for task, its in zip(graph, arguments, strict=True):
            _name_culprit(graph, task, its)
        raise SerialisationError(f"the arguments cannot travel together: {error}") from error


def _name_culprit(graph: Graph, task: TaskId, arguments: Arguments) -> None:
    named = list(enumerate(arguments[0])) if arguments else []
    if len(arguments) > 1:
        named += list(arguments[1].items())  # type: ignore[arg-type]
    for name, value in named:
        shown = name if isinstance(name, str) else f"argument {name}"
        inner = value.template if isinstance(value, Nested) else value
        try:
            codec.encode(inner, name=shown)
        except SerialisationError as error:
            message = f"{task} ({graph.function_name(task)}): {error}"
            raise SerialisationError(message) from error


def _dump_function(function: Function, task: TaskId) -> bytes:
    call = function.call
    if isinstance(call, _StoredFunction):
        return call._blob  # noqa: SLF001
    try:
        return codec.dump_function(call, name=function.name)
    except SerialisationError as error:
        raise SerialisationError(f"{task}: {error}") from error


def _first_of(functions: Any, blobs: Sequence[bytes]) -> list[tuple[Any, bytes]]:
    first = {place: entry for entry in reversed(functions) for place in (entry[2],)}
    return [(first[place], blob) for place, blob in enumerate(blobs)]


def _values(arguments: Arguments) -> list[Any]:
    if not arguments:
        return []
    return [*arguments[0], *(arguments[1].values() if len(arguments) > 1 else ())]


def _may_be_large(value: Any, *, depth: int = 3) -> bool:
    """Cheap and generous: what may be large is encoded to see."""
    kind = type(value)
    if kind in _SMALL_TYPES:
        return False
    if kind in (str, bytes, bytearray):
        return len(value) >= LARGE_BYTES
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size >= LARGE_BYTES
    parts = _parts(value)
    if parts is None:
        return hasattr(value, "memory_usage")  # a data frame
    if len(parts) >= _LONG:
        return True
    return depth > 0 and any(_may_be_large(part, depth=depth - 1) for part in parts)


def _parts(value: Any) -> Sequence[Any] | None:
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(value) if len(value) < _LONG else range(len(value))
    if isinstance(value, dict):
        return [*value.values()]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in fields(value)]
    return None


def _plain(options: Options) -> tuple[Any, ...] | None:
    return None if options == Options() else astuple(options)


def _options(plain: tuple[Any, ...] | None) -> Options:
    if plain is None:
        return Options()
    names = [field.name for field in fields(Options)]
    values = dict(zip(names, plain, strict=True))
    return Options(**values | {"resources": Resources(*values["resources"])})
