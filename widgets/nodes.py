"""What a picture shows as one node before anything is folded: a task, or a map with its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from wfnb.graph import Graph, MapCall, TaskId
from wfnb.growth import GrowingGraph
from wfnb.widgets.layout import Edge

_Part: TypeAlias = tuple[TaskId, tuple[TaskId, ...]]
_TIMES = "\u00d7"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """A map as one node: the task that makes its list, the one that splits, and all items."""

    id: TaskId
    """Of the task that makes the list: the map's own id."""
    function: str
    splitter: TaskId | None
    """None if it follows another map, which has split."""
    items: int | None
    """None while nobody knows."""
    is_unfolded: bool = False
    """Whether its items are nodes of their own: this one is then only their list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A node that is not just one task."""

    name: str
    members: tuple[TaskId, ...]
    counted: tuple[TaskId, ...]
    """Those that people count: a map's items, but neither what splits nor what makes the list."""
    map: MapNode | None = None
    """None for what is left of an unfolded map's items."""


@dataclass(slots=True)
class Nodes:
    """The graph with each map as one node; such a graph has no cycles, as it has none itself.

    What splits is never a node: a map reads what that reads, as far as it is the map's own.
    """

    functions: dict[TaskId, str]
    """Of each node, in order: nodes of one name may be folded together."""
    edges: list[tuple[TaskId, TaskId]]
    weights: dict[Edge, int] = field(default_factory=dict)
    """How many edges an edge stands for, where it is not one."""
    units: dict[TaskId, Unit] = field(default_factory=dict)
    fixed: set[TaskId] = field(default_factory=set)
    """Nodes that were asked for, and are not to be folded."""


def items_of(graph: Graph, gather: int) -> tuple[TaskId, ...] | None:
    """The items of a map; None while nobody knows them."""
    if isinstance(graph, GrowingGraph) and graph.is_expanded(gather):
        return tuple(graph.items(gather))
    return None


def nodes_of(graph: Graph, *, unfolded: Collection[TaskId] = (), at_most: int = 50) -> Nodes:
    """`at_most` nodes show the items of all unfolded maps.

    Only the graph as planned is looked through, which neither changes nor grows meanwhile; of the
    items, which may be 100,000, nothing is read but the names.
    """
    planned = graph.as_planned
    ids, called, inside = planned.ids, planned.functions, {*planned.maps_of, *planned.maps}
    rows = enumerate(zip(ids, planned.function_at, strict=True))
    nodes = Nodes(
        functions={
            task: f"{called[function].name}.map" if at in inside else called[function].name
            for at, (task, function) in rows
            if at not in planned.maps_of
        },
        edges=[
            (ids[read], ids[at])
            for at, reads in enumerate(planned.inputs_at)
            if reads and at not in inside
            for read in reads
        ],
    )
    if planned.maps:
        _Maps(graph, planned, nodes, _opened(graph, planned, unfolded, at_most), at_most).add()
    return nodes


def _opened(
    graph: Graph, planned: Graph, unfolded: Collection[TaskId], at_most: int
) -> dict[int, tuple[TaskId, ...]]:
    """The maps to unfold with their items: so many that each can show one item and the rest."""
    wanted = [at for at in planned.maps if planned.ids[at] in unfolded] if unfolded else []
    found = {at: items_of(graph, at) for at in wanted}
    return {at: items for at, items in list(found.items())[: at_most // 2] if items}


@dataclass(slots=True)
class _Maps:
    graph: Graph
    planned: Graph
    nodes: Nodes
    opened: dict[int, tuple[TaskId, ...]]
    at_most: int

    def add(self) -> None:
        called = self.planned.functions
        named = Counter(called[call.function].name for call in self.planned.maps.values())
        for at, call in self.planned.maps.items():
            function = called[call.function].name
            label = function if named[function] == 1 else self.planned.ids[at]
            self._add_unit(at, call, function, label)
            if at in self.opened:
                self._unfold(at, call)
                continue
            self.nodes.edges += [(read, self.planned.ids[at]) for read in self._reads(call)]
            for node, members in self._followed(call):
                self._connect(node, self.planned.ids[at], members)

    def _add_unit(self, at: int, call: MapCall, function: str, label: str) -> None:
        ids, is_unfolded = self.planned.ids, at in self.opened
        items = self.opened.get(at) or items_of(self.graph, at)
        splitter = ids[call.splitter] if call.over is None else None
        own = (ids[at],) if splitter is None else (ids[at], splitter)
        shown = () if is_unfolded or items is None else items
        count = None if items is None else len(items)
        self.nodes.units[ids[at]] = Unit(
            name=f"{label} {_TIMES}{_counted(count, self._expected(call))}",
            members=(*shown, *own),
            counted=shown,
            map=MapNode(
                id=ids[at],
                function=function,
                splitter=splitter,
                items=count,
                is_unfolded=is_unfolded,
            ),
        )

    def _unfold(self, at: int, call: MapCall) -> None:
        nodes, gather = self.nodes, self.planned.ids[at]
        parts, reads = self._parts(at), self._reads(call)
        for node, members in parts:
            nodes.functions[node] = nodes.functions[gather]
            nodes.edges += [(read, node) for read in reads]
            if len(members) > 1:
                name = f"… {len(members):,} more"
                nodes.units[node] = Unit(name=name, members=members, counted=members)
        nodes.fixed.update(node for node, _ in parts)
        self._follow(call, parts)
        if self.planned.readers_at[at] or self.planned.is_target_at[at]:
            nodes.fixed.add(gather)
            for node, members in parts:
                self._connect(node, gather, len(members))
        else:  # a map that is followed, whose list nobody wants
            del nodes.functions[gather], nodes.units[gather]

    def _follow(self, call: MapCall, parts: Sequence[_Part]) -> None:
        if call.over in self.opened:
            for (start, members), (end, _) in zip(self._parts(call.over), parts, strict=True):
                self._connect(start, end, len(members))
        elif call.over is not None:
            for node, members in parts:
                self._connect(self.planned.ids[call.over], node, len(members))

    def _followed(self, call: MapCall) -> list[tuple[TaskId, int]]:
        """The nodes of the map that one follows item by item, with how many items each."""
        if call.over is None:
            return []
        if call.over in self.opened:
            return [(node, len(members)) for node, members in self._parts(call.over)]
        items = items_of(self.graph, call.over)
        return [(self.planned.ids[call.over], len(items) if items else 1)]

    def _reads(self, call: MapCall) -> Sequence[TaskId]:
        """What a map's items are made from, but for the map that they follow."""
        split = self.planned.inputs_at[call.splitter][: call.iterated] if call.over is None else ()
        return [self.planned.ids[read] for read in dict.fromkeys((*split, *call.constants))]

    def _expected(self, call: MapCall) -> int | None:
        """A map that follows another has as many items."""
        while call.expected is None and call.over is not None:
            call = self.planned.maps[call.over]
        return call.expected

    def _parts(self, at: int) -> list[_Part]:
        """The first items, each a node, and all others as one; alike for all maps of a group."""
        items = self.opened[at]
        room = self.at_most // len(self.opened)
        shown = len(items) if len(items) <= room else room - 1
        parts: list[_Part] = [(item, (item,)) for item in items[:shown]]
        if shown < len(items):
            parts.append((TaskId(f"{self.planned.ids[at]}[{shown}-]"), items[shown:]))
        return parts

    def _connect(self, start: TaskId, end: TaskId, weight: int) -> None:
        self.nodes.edges.append((start, end))
        if weight > 1:
            self.nodes.weights[start, end] = weight


def _counted(items: int | None, expected: int | None) -> str:
    if items is not None:
        return f"{items:,}"
    return "?" if expected is None else f"~{expected:,}"
