"""What a worker has at hand for its calls: functions, constants, and what other tasks returned."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from wfnb import codec
from wfnb.arguments import Arguments, constants_of, fill
from wfnb.errors import CallError, SerialisationError, SignatureError, StoreError
from wfnb.graph import TaskId
from wfnb.growth import GrowingGraph
from wfnb.maps import Gathered, ItemCall
from wfnb.storage import Reply, Store
from wfnb.storage.constants import load_constant
from wfnb.storage.graphs import Stored, loaded
from wfnb.storage.outputs import Archive
from wfnb.workers.memory import Memory

Unusable = (CallError, SerialisationError, SignatureError, StoreError)


class Inputs:
    """Fetches what is not here yet, and makes each call values of its own."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        stored: Stored,
        memory: Memory,
        moved: Callable[[str, int, float], None],
    ) -> None:
        """`moved` is told of bytes that came from where values lie."""
        self._store = store
        self._archive = archive
        self._graph = stored.graph
        self._has_constants = stored.has_constants
        self._memory = memory
        self._moved = moved
        self._came_along: dict[TaskId, bytes] = {}
        self._left: dict[TaskId, int] = {}
        """Of outputs that were read here: readings yet to come."""
        self._unreadable: dict[TaskId, Exception] = {}
        self._functions: dict[int, Callable[..., Any]] = {}
        self._constants: dict[str, codec.Encoded] = {}
        self.counted: set[TaskId] = set()
        """Outputs whose readers the store counts."""

    def learn(self, reply: Reply) -> Reply:
        self._came_along.update(reply.inputs)
        for pointer in reply.dropped:
            self._archive.discard(pointer)
        if any(claim.task not in self._graph.position for claim in reply.claims):
            self._grow()
        return reply

    def load(self, claimed: Sequence[int]) -> None:
        """Have here what these tasks read. What cannot be had fails its readers, when called."""
        self._fetch({name for at in claimed for name in self.outputs_read(at)})

    def _fetch(self, needed: Collection[TaskId]) -> None:
        self._memory.make_room(needed)
        missing = [name for name in needed if name not in self._memory]
        unknown = [name for name in missing if name not in self._came_along]
        results = self._store.results(self._archive.run, unknown)
        for name, result in zip(unknown, results, strict=True):
            if result is not None:
                self._came_along[name] = result
        for name in missing:
            self._read(name)

    def outputs_read(self, at: int) -> list[TaskId]:
        """All the outputs that a call needs, those of a map's items too."""
        graph = self._graph
        names = [*graph.reads(at)]
        if isinstance(graph, GrowingGraph):
            for gather in [graph.position[name] for name in names if name in graph.position]:
                if gather in graph.maps:
                    if not graph.is_expanded(gather):
                        self._grow()
                    names += graph.items(gather)
        return names

    def function(self, at: int) -> Callable[..., Any]:
        graph, base = self._graph, self._graph.base(at)
        key = graph.function_at[at] if base == at else ~base
        found = self._functions.get(key)
        if found is None:
            found = loaded(graph.functions[graph.function_at[at]].call)
            if base != at:
                call = graph.maps[base]
                found = ItemCall(found, is_spread=call.is_spread, flatten=call.flatten)
            self._functions[key] = found
        return found

    def arguments(self, at: int) -> tuple[Sequence[Any], Mapping[str, Any]]:
        inputs = [self._value(name) for name in self._graph.reads(at)]
        arguments = self._graph.arguments_at[at]
        constants = self._constants_of(arguments) if self._has_constants else {}
        return fill(arguments, inputs, constants)

    def value(self, at: int) -> Any:
        """What this task, which has been executed here, will be read as."""
        graph = self._graph
        if at in graph.maps and isinstance(graph, GrowingGraph):
            self._fetch(graph.items(at))
        return self._value(graph.ids[at])

    def size_bytes(self, at: int) -> int:
        return sum([self._memory[name].size_bytes for name in self.outputs_read(at)])

    def were_read(self, at: int) -> None:
        """A task has ended well: what nobody else will read need not stay."""
        for name in self.outputs_read(at):
            left = self._left[name] = self._left.get(name, self._readings(name)) - 1
            if not left:
                self._memory.forget(name)

    def _readings(self, name: TaskId) -> int:
        """An element is read once; a target's output, and what items read, is never forgotten."""
        graph, at = self._graph, self._graph.position.get(name)
        if at is None:
            return 1
        return -1 if graph.is_target_at[at] or graph.stays(at) else graph.readings(at)

    def count(self, name: TaskId) -> bool:
        """Whether the store drops this output after its last reader, who then is to report it."""
        graph, at = self._graph, self._graph.position.get(name)
        is_counted = at is None or not (graph.is_target_at[at] or graph.stays(at))
        if is_counted:
            self.counted.add(name)
        return is_counted

    def _grow(self) -> None:
        if isinstance(self._graph, GrowingGraph):
            self._graph.expand(self._store.expansions(self._archive.run))

    def _read(self, name: TaskId) -> None:
        result = self._came_along.pop(name, None)
        try:
            if result is None:
                raise StoreError(f"the output of {name} is gone: `resume` computes it again")
            if result[:1] == b"{":
                self.count(name)
            start = time.perf_counter()
            encoded = self._archive.read(name, result)
            if result[:1] == b"{":
                self._moved("down", encoded.size_bytes, time.perf_counter() - start)
            self._memory.keep(name, encoded, is_elsewhere=True)
        except Unusable as error:
            self._unreadable[name] = error

    def _value(self, name: TaskId) -> Any:
        value = self._output(name)
        if type(value) is not Gathered:
            return value
        graph = self._graph
        assert isinstance(graph, GrowingGraph)
        return value.assembled(map(self._output, graph.items(graph.position[name])))

    def _output(self, name: TaskId) -> Any:
        if name not in self._memory:
            raise self._unreadable.get(name) or StoreError(f"{name} is not here")
        return codec.decode(self._memory[name], name=f"the output of {name}")

    def _constants_of(self, arguments: Arguments) -> dict[str, Any]:
        wanted = constants_of(arguments)
        unknown = [content for content in wanted if content not in self._constants]
        blobs = self._store.constants(self._archive.run, unknown)
        for content, blob in zip(unknown, blobs, strict=True):
            self._constants[content] = load_constant(blob, self._archive.signer, content)
        return {content: codec.decode(self._constants[content]) for content in wanted}
