"""A graph whose maps get their items while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast, overload

from wfnb.arguments import Arguments
from wfnb.graph import Graph, TaskId


class GrowingGraph(Graph):
    """The graph of a run under way. Positions stay: items are added behind all that there is.

    An item's inputs are those it waits for: the task that split, or the item that it follows. What
    it reads besides had to be there before the split.
    """

    expansions: dict[TaskId, int]
    """Tasks that have split -> how many items their maps have."""

    @classmethod
    def of_run(cls, graph: Graph) -> Graph:
        """The graph itself if it has no map, else a copy that can grow."""
        if not graph.maps:
            return graph
        growing = cls(
            functions=graph.functions,
            ids=_growable(graph.ids),
            function_at=_growable(graph.function_at),
            arguments_at=_Arguments(graph.arguments_at),
            inputs_at=_growable(graph.inputs_at),
            targets=graph.targets,
            names=graph.names,
            maps=graph.maps,
        )
        vars(growing).update(expansions={}, _as_planned=graph, _base_at=[])
        return growing

    @cached_property
    def readers_at(self) -> Any:
        return [*self.as_planned.readers_at]

    @cached_property
    def is_target_at(self) -> Any:
        return [*self.as_planned.is_target_at]

    @property
    def planned(self) -> int:
        """Tasks that were there from the start; the others are items."""
        return len(self.as_planned)

    @property
    def as_planned(self) -> Graph:
        """Without items."""
        return cast(Graph, vars(self)["_as_planned"])

    def base(self, at: int) -> int:
        return at if at < self.planned else vars(self)["_base_at"][at - self.planned]

    def expand(self, expansions: Mapping[TaskId, int]) -> bool:
        """Give maps their items; False if they had them all.

        Where a task has split anew, and otherwise, all items are taken back first.
        """
        known = self.expansions
        if any(expansions.get(splitter) != count for splitter, count in known.items()):
            self._fold()
        fresh = {s: count for s, count in expansions.items() if s not in self.expansions}
        for splitter, count in sorted(fresh.items(), key=lambda item: self.at(item[0])):
            self.expansions[splitter] = count
            for gather in self.maps_of[self.at(splitter)]:
                self._add_items(gather, count)
        return bool(fresh)

    def items(self, gather: int) -> Sequence[TaskId]:
        """The items of a map, in order; none before it is expanded."""
        splitter = self.ids[self.maps[gather].splitter]
        return item_ids(self.ids[gather], self.expansions.get(splitter, 0))

    def is_expanded(self, gather: int) -> bool:
        return self.ids[self.maps[gather].splitter] in self.expansions

    def reads(self, at: int) -> tuple[TaskId, ...]:
        if at < self.planned:
            return super().reads(at)
        gather = self.base(at)
        call = self.maps[gather]
        source = self.ids[call.splitter if call.over is None else call.over]
        number = self.ids[at].removeprefix(self.ids[gather])
        return TaskId(source + number), *[self.ids[constant] for constant in call.constants]

    def readings(self, at: int) -> int:
        """Of an item: its followers, and all who read the list that it is in."""
        if at < self.planned:
            return super().readings(at)
        gather = self.base(at)
        return len(self.readers_at[at]) - 1 + super().readings(gather)

    def _add_items(self, gather: int, count: int) -> None:
        call, ids = self.maps[gather], item_ids(self.ids[gather], count)
        first = len(self.ids)
        followed: int | None = None
        if call.over is not None and count:
            followed = self.position[_item(self.ids[call.over], 0)]
        _list(self.ids).extend(ids)
        _list(self.function_at).extend([call.function] * count)
        for number, task in enumerate(ids):
            at = first + number
            waits = call.splitter if followed is None else followed + number
            self.position[task] = at
            _list(self.inputs_at).append((waits,))
            self.readers_at.append((gather,))
            if followed is not None:
                self.readers_at[waits] = (*self.readers_at[waits], at)
        self.is_target_at.extend([self.is_target_at[gather]] * count)
        vars(self)["_base_at"].extend([gather] * count)
        cast(_Arguments, self.arguments_at).items += [call.arguments] * count

    def _fold(self) -> None:
        for column in (self.ids, self.function_at, self.inputs_at):
            del _list(column)[self.planned :]
        cast(_Arguments, self.arguments_at).items.clear()
        vars(self)["_base_at"].clear()
        self.expansions.clear()
        for cached in ("position", "readers_at", "is_target_at"):
            vars(self).pop(cached, None)


def item_ids(map_id: str, count: int) -> list[TaskId]:
    """The names of a map's items, or of the elements that a task split."""
    return [_item(map_id, number) for number in range(count)]


def map_id(task: TaskId) -> TaskId | None:
    """The map whose item this is."""
    return TaskId(task.rpartition("[")[0]) if task.endswith("]") else None


def _item(map_id: str, number: int) -> TaskId:
    return TaskId(f"{map_id}[{number}]")


class _Arguments(Sequence[Arguments]):
    """Those of the tasks that were there from the start, then those of items."""

    def __init__(self, planned: Sequence[Arguments]) -> None:
        self.planned = planned
        self.items: list[Arguments | Callable[[], Arguments]] = []

    def __len__(self) -> int:
        return len(self.planned) + len(self.items)

    @overload
    def __getitem__(self, at: int) -> Arguments: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Arguments]: ...
    def __getitem__(self, at: int | slice) -> Arguments | Sequence[Arguments]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if at < len(self.planned):
            return self.planned[at]
        template = self.items[at - len(self.planned)]
        return template() if callable(template) else template


def _growable(column: Sequence[Any]) -> Any:
    return list(column)


def _list(column: Sequence[Any]) -> list[Any]:
    return cast("list[Any]", column)
