"""Who carries the worker's script out, in which run, and what that lets them do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wfnb.graph import Graph
from wfnb.needs import options_of
from wfnb.storage.records import Identity


@dataclass(frozen=True, slots=True)
class Role:
    """Who carries the script out, in which run."""

    graph: Graph
    identity: Identity
    queue_at: Sequence[str] | None
    """Each task's queue; None if all tasks are in this worker's own."""
    queue: str
    order_at: Sequence[int] | None = None
    """Each task's turn in the plan; None if there is no order."""

    @property
    def is_planned(self) -> bool:
        return self.queue.startswith("@")

    def may_take(self, at: int) -> bool:
        return self.queue_at is None or self.queue_at[self.graph.base(at)] == self.queue

    def splits(self, at: int) -> bool:
        return at in self.graph.maps_of

    def stands_alone(self, at: int) -> bool:
        """Claimed before it starts, for it reads what lies outside the batch: items, constants."""
        graph = self.graph
        if not graph.maps:
            return False
        base = graph.base(at)
        if base != at:
            return bool(graph.maps[base].constants)
        reads_lists = not graph.maps.keys().isdisjoint(graph.inputs_at[at])
        return reads_lists or at in graph.maps or self.splits(at)

    def is_careful(self, at: int) -> bool:
        """At most once: claimed before it starts, alone, and reported as soon as it has ended."""
        options = self.graph.functions[self.graph.function_at[at]].options
        return options.on_worker_lost == "fail"

    def is_limited(self, at: int) -> bool:
        """Claimed before it starts: only of a claim the store can say that it broke its limits."""
        options = self.graph.functions[self.graph.function_at[at]].options
        has_memory = options.resources.memory_bytes is not None or self.may_move(at)
        return options.timeout_seconds is not None or has_memory

    def may_move(self, at: int) -> bool:
        """To a worker with more memory, after an attempt that had too little."""
        return options_of(self.graph, at).more_memory is not None
