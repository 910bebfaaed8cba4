"""A graph as signed bytes: each function once, each large constant apart, ids by counting."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from typing import Any, overload

from wfnb import codec
from wfnb.arguments import Arguments, Nested, constants_of, is_frozen
from wfnb.errors import SerialisationError
from wfnb.graph import Function, Graph, MapCall, Options, TaskId, ids_of
from wfnb.growth import GrowingGraph
from wfnb.needs import Kept
from wfnb.resources import Resources
from wfnb.signing import Signer
from wfnb.storage.constants import Constants
from wfnb.storage.homes import Home
from wfnb.storage.sources import sources_of
from wfnb.versions import Learning, remembered


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
    sources: bytes
    """Of its functions that are in no file; for `remember`."""
    kept: Kept
    """What workers keep for reuse."""
    written_seconds: float
    """When it was, by its client's clock."""
    learning: Learning
    order_at: Sequence[int] | None = None
    """Each task's turn in the plan, where that has named workers."""


def dump_graph(  # noqa: PLR0913  a run's graph is stored with all of this
    graph: Graph,
    signer: Signer,
    run: str,
    *,
    queue_at: Sequence[str] | None = None,
    order_at: Sequence[int] | None = None,
    kept: Kept | None = None,
    learning: Learning | None = None,
    sees_files: bool = True,
) -> Dumped:
    """Raises SerialisationError, naming task and variable, for what cannot travel.

    For workers that do not see this host's files, the user's own modules lie with the constants.
    """
    graph = graph.as_planned
    _refuse_borrowed(graph)
    constants = Constants(signer)
    arguments = [constants.apart(its) for its in (*graph.arguments_at, *_templates(graph))]
    functions, blobs = _dump_functions(graph)
    encoded = _encode_arguments(graph, arguments)
    found: Mapping[str, bytes] = constants.found
    home = Home.here()
    if not sees_files:
        home, found = Home.packed([*map(codec.Encoded, blobs), encoded], found, signer)
    shape = (
        functions,
        blobs,
        *_columns(graph),
        codec.pack(encoded),
        queue_at,
        order_at,
        astuple(home),
        bool(constants.found),
        sources_of(blobs),
        astuple(kept or Kept()),
        time.time(),
        astuple(learning or Learning()),
    )
    return Dumped(signer.seal(codec.pack(codec.encode(shape)), f"graph:{run}"), found)


def load_graph(blob: bytes, signer: Signer, run: str) -> Stored:
    """The graph of a run. Functions and arguments, which are the user's, load when first used."""
    payload = codec.unpack(signer.open(blob, f"graph:{run}"))
    functions, blobs, function_at, inputs_at, targets, names, *more = codec.decode(payload)
    maps, arguments, queue_at, order_at, home, has_constants, sources, kept, written, learning = (
        more
    )
    calls = [_StoredFunction(blob, name) for (name, _, _), blob in _first_of(functions, blobs)]
    ids = ids_of([name for name, _, _ in functions], function_at, names)
    loaded_arguments = _StoredArguments(arguments, len(ids))
    graph = Graph(
        functions=tuple(
            Function(name=name, call=calls[place], options=_options(options))
            for name, options, place in functions
        ),
        ids=ids,
        function_at=function_at,
        arguments_at=loaded_arguments,
        inputs_at=inputs_at,
        targets=tuple(ids[at] for at in targets),
        names=names,
        maps={
            at: MapCall(**words, arguments=partial(loaded_arguments.fresh, len(ids) + number))
            for number, (at, words) in enumerate(maps)
        },
    )
    return Stored(
        GrowingGraph.of_run(graph),
        Home(*home),
        queue_at,
        has_constants,
        sources,
        Kept(*kept),
        written,
        remembered(graph, Learning(*learning)),
        order_at,
    )


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

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.load()(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return codec.load_function, (self._blob,)


class _StoredArguments(Sequence[Arguments]):
    """The arguments of a stored graph, loaded when the first is used.

    Each time they are taken they are new, unless nobody can change them: what a task does to a list
    that it was given is not seen by the task after it.
    """

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
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(self._length))]
        return self.fresh(range(self._length)[at])

    def fresh(self, at: int) -> Arguments:
        """Those of maps' items lie behind those of all tasks."""
        if self._loaded is None:
            self._loaded = codec.decode(codec.unpack(self._packed), name="the arguments")
        arguments = self._loaded[at]
        if not arguments or is_frozen(arguments):
            return arguments
        fresh: Arguments = codec.decode(codec.encode(arguments, name="the arguments"))
        return fresh

    def __iter__(self) -> Iterator[Arguments]:
        return (self[at] for at in range(self._length))


def loaded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The user's own function behind a stored one."""
    return function.load() if isinstance(function, _StoredFunction) else function


def _encode_arguments(graph: Graph, arguments: Sequence[Arguments]) -> codec.Encoded:
    try:
        return codec.encode(arguments, name="arguments")
    except SerialisationError as error:
        owners = [*graph.ids, *(graph.ids[at] for at in graph.maps)]
        for task, its in zip(owners, arguments, strict=True):
            _name_culprit(graph, task, its)
        raise SerialisationError(f"the arguments cannot travel together: {error}") from error


def _refuse_borrowed(graph: Graph) -> None:
    if not isinstance(graph.arguments_at, _StoredArguments):
        return
    for task, arguments in zip(graph, graph.arguments_at, strict=True):
        if constants_of(arguments):
            message = f"{task} has a large constant, which is stored with the run of this graph: "
            raise SerialisationError(message + "resume that run, or call the task functions again")


def _name_culprit(graph: Graph, task: TaskId, arguments: Arguments) -> None:
    for name, value in _named(graph.function(task).call, arguments):
        inner = value.template if isinstance(value, Nested) else value
        try:
            codec.encode(inner, name=name)
        except SerialisationError as error:
            message = f"{task} ({graph.function_name(task)}): {error}"
            raise SerialisationError(message) from error


def _named(function: Callable[..., Any], arguments: Arguments) -> list[tuple[str, Any]]:
    """Each value under the name of its parameter."""
    if not arguments:
        return []
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    numbered = [*names, *(f"argument {at}" for at in range(len(names), len(arguments[0])))]
    named = list(zip(numbered, arguments[0], strict=False))
    return [*named, *(arguments[1].items() if len(arguments) > 1 else ())]


def _templates(graph: Graph) -> list[Arguments]:
    found = (call.arguments for call in graph.maps.values())
    return [its() if callable(its) else its for its in found]


def _map_words(call: MapCall) -> dict[str, Any]:
    return {f.name: getattr(call, f.name) for f in fields(MapCall) if f.name != "arguments"}


def _task_of(graph: Graph, function: int) -> TaskId:
    """One that calls this function, itself or by its items."""
    for at, call in graph.maps.items():
        if call.function == function:
            return graph.ids[at]
    return graph.ids[graph.function_at.index(function)]


def _columns(graph: Graph) -> tuple[Any, ...]:
    targets = [graph.position[target] for target in graph.targets]
    maps = [(at, _map_words(call)) for at, call in graph.maps.items()]
    return graph.function_at, graph.inputs_at, targets, dict(graph.names), maps


def _dump_functions(graph: Graph) -> tuple[list[tuple[str, Any, int]], list[bytes]]:
    """Name, options and place among the blobs, which are all different."""
    blobs: dict[bytes, int] = {}
    functions = []
    for at, function in enumerate(graph.functions):
        blob = _dump_function(function, _task_of(graph, at))
        place = blobs.setdefault(blob, len(blobs))
        functions.append((function.name, _plain(function.options), place))
    return functions, list(blobs)


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


def _plain(options: Options) -> tuple[Any, ...] | None:
    return None if options == Options() else astuple(options)


def _options(plain: tuple[Any, ...] | None) -> Options:
    if plain is None:
        return Options()
    names = [field.name for field in fields(Options)]
    values = dict(zip(names, plain, strict=True))
    return Options(**values | {"resources": Resources(*values["resources"])})
