"""What a worker has at hand for its calls: functions, constants, and what other tasks returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wfnb import codec
from wfnb.arguments import Arguments, constants_of, fill
from wfnb.errors import CallError, SerialisationError, SignatureError, StoreError
from wfnb.graph import TaskId
from wfnb.storage import Reply, Store
from wfnb.storage.constants import load_constant
from wfnb.storage.graphs import Stored, loaded
from wfnb.storage.outputs import Archive
from wfnb.workers.memory import Memory

Unusable = (CallError, SerialisationError, SignatureError, StoreError)


class Inputs:
    """Fetches what is not here yet, and makes each call values of its own."""

    def __init__(self, store: Store, archive: Archive, stored: Stored, memory: Memory) -> None:
        self._store = store
        self._archive = archive
        self._graph = stored.graph
        self._has_constants = stored.has_constants
        self._memory = memory
        self._came_along: dict[TaskId, bytes] = {}
        self._left: dict[int, int] = {}
        """Of outputs that were read here: readers yet to come."""
        self._unreadable: dict[int, Exception] = {}
        self._functions: dict[int, Callable[..., Any]] = {}
        self._constants: dict[str, codec.Encoded] = {}
        self.counted: set[int] = set()
        """Outputs whose readers the store counts."""

    def learn(self, reply: Reply) -> Reply:
        self._came_along.update(reply.inputs)
        for pointer in reply.dropped:
            self._archive.discard(pointer)
        return reply

    def load(self, claimed: Sequence[int]) -> None:
        """Have here what these tasks read. What cannot be had fails its readers, when called."""
        graph, memory = self._graph, self._memory
        needed = {read for at in claimed for read in graph.inputs_at[at]}
        memory.make_room(needed)
        missing = [at for at in needed if at not in memory]
        unknown = [graph.ids[at] for at in missing if graph.ids[at] not in self._came_along]
        results = self._store.results(self._archive.run, unknown)
        for task, result in zip(unknown, results, strict=True):
            if result is not None:
                self._came_along[task] = result
        for at in missing:
            self._read(at)

    def function(self, at: int) -> Callable[..., Any]:
        place = self._graph.function_at[at]
        found = self._functions.get(place)
        if found is None:
            found = self._functions[place] = loaded(self._graph.functions[place].call)
        return found

    def arguments(self, at: int) -> tuple[Sequence[Any], Mapping[str, Any]]:
        inputs = [self._value(read) for read in self._graph.inputs_at[at]]
        arguments = self._graph.arguments_at[at]
        constants = self._constants_of(arguments) if self._has_constants else {}
        return fill(arguments, inputs, constants)

    def size_bytes(self, at: int) -> int:
        return sum([self._memory[read].size_bytes for read in self._graph.inputs_at[at]])

    def were_read(self, at: int) -> None:
        """A task has ended well: what nobody else will read need not stay."""
        graph = self._graph
        for read in graph.inputs_at[at]:
            left = self._left[read] = self._left.get(read, len(graph.readers_at[read])) - 1
            if not left and not graph.is_target_at[read]:
                self._memory.forget(read)

    def _read(self, at: int) -> None:
        task = self._graph.ids[at]
        result = self._came_along.pop(task, None)
        try:
            if result is None:
                raise StoreError(f"the output of {task} is gone: `resume` computes it again")
            if result[:1] == b"{":
                self.counted.add(at)
            self._memory.keep(at, self._archive.read(task, result), is_elsewhere=True)
        except Unusable as error:
            self._unreadable[at] = error

    def _value(self, read: int) -> Any:
        if read not in self._memory:
            raise self._unreadable.get(read) or StoreError(f"{self._graph.ids[read]} is not here")
        return codec.decode(self._memory[read], name=f"the output of {self._graph.ids[read]}")

    def _constants_of(self, arguments: Arguments) -> dict[str, Any]:
        wanted = constants_of(arguments)
        unknown = [content for content in wanted if content not in self._constants]
        blobs = self._store.constants(self._archive.run, unknown)
        for content, blob in zip(unknown, blobs, strict=True):
            self._constants[content] = load_constant(blob, self._archive.signer, content)
        return {content: codec.decode(self._constants[content]) for content in wanted}
