"""What an ended run has to do again: what its targets need and what is not there."""

from __future__ import annotations

from dataclasses import dataclass, field

from wfnb.graph import Graph, TaskId
from wfnb.growth import GrowingGraph
from wfnb.plan import Plan
from wfnb.storage.records import Seed, Snapshot

_NEVER = -1
_OVER = frozenset({"done", "expanded", "skipped", "reused"})


def seed_to_resume(plan: Plan, snapshot: Snapshot, there: set[TaskId]) -> Seed:
    """Run again what the targets need and is not there: unfinished, or finished and not kept.

    `there` are the outputs that can be read.
    """
    graph = GrowingGraph.of_run(plan.graph)
    if isinstance(graph, GrowingGraph):
        graph.expand(snapshot.expansions)
    over = {task for task, state in snapshot.states.items() if state in _OVER}
    return _Resuming(graph, there, over & there).seed(plan)


@dataclass(slots=True)
class _Resuming:
    graph: Graph
    there: set[TaskId]
    done: set[TaskId]
    again: set[int] = field(default_factory=set)
    _to_see: list[int] = field(default_factory=list)

    def seed(self, plan: Plan) -> Seed:
        graph = self.graph
        for target in graph.targets:
            self._require(graph.position[target])
        while self._to_see:
            self._require_inputs(self._to_see.pop())
        folded = {at for at in range(len(graph)) if self._is_folded(at)}
        order = sorted(self.again - folded)
        missing = {graph.ids[at]: self._missing(at) for at in order}
        ready: dict[str, list[TaskId]] = {}
        for at in order:
            if not missing[graph.ids[at]]:
                queue = plan.placements[graph.ids[graph.base(at)]].queue
                ready.setdefault(queue, []).append(graph.ids[at])
        idle = [graph.ids[at] for at in graph.maps if at not in self.again]
        tasks = len(graph) - len(folded)
        return Seed(
            ready=ready,
            missing={task: count for task, count in missing.items() if count > 1}
            | dict.fromkeys(idle, _NEVER),
            forget=(*missing, *(graph.ids[at] for at in sorted(folded))),
            done=tasks - len(order),
            tasks=tasks,
        )

    def _require(self, at: int) -> None:
        if at in self.again:
            return
        graph = self.graph
        is_whole = graph.ids[at] in self.done and self.there.issuperset(self._items(at))
        if not is_whole:
            self.again.add(at)
            self._to_see.append(at)

    def _require_inputs(self, at: int) -> None:
        graph, base = self.graph, self.graph.base(at)
        if base != at:
            self._require_for_item(at, base)
            return
        for read in graph.inputs_at[at]:
            self._require(read)
        for item in self._items(at):
            self._require(graph.position[item])

    def _require_for_item(self, at: int, gather: int) -> None:
        """Where an element is gone, its map is split anew, and all its items are forgotten."""
        graph, call = self.graph, self.graph.maps[gather]
        for constant in call.constants:
            self._require(constant)
        if call.over is not None:
            self._require(graph.inputs_at[at][0])
        elif graph.reads(at)[0] not in self.there:
            anew = (call.splitter, *graph.maps_of[call.splitter])
            self._to_see += [one for one in anew if one not in self.again]
            self.again.update(anew)

    def _items(self, at: int) -> list[TaskId]:
        """Of a map that has them and keeps them."""
        graph = self.graph
        if at not in graph.maps or not isinstance(graph, GrowingGraph):
            return []
        return [] if graph.maps[at].splitter in self.again else [*graph.items(at)]

    def _is_folded(self, at: int) -> bool:
        graph, base = self.graph, self.graph.base(at)
        return base != at and graph.maps[base].splitter in self.again

    def _missing(self, at: int) -> int:
        graph, base = self.graph, self.graph.base(at)
        if base != at and graph.maps[base].over is None:
            return 0
        items = (graph.position[item] for item in self._items(at))
        return sum(read in self.again for read in (*graph.inputs_at[at], *items))
