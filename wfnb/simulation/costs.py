"""What each task of a plan takes and makes, as the simulator asks for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from wfnb.forecast import Forecast, Link, Site
from wfnb.growth import GrowingGraph
from wfnb.plan import Plan

LIST_BYTES = 100.0
"""What a map, or a task that splits, returns itself: how many items there are."""


class Costs(ABC):
    """Columns, one entry a task; items are added when a map gets them.

    An output is named by its task's place; the element that an item is given by `~` of the item's.
    """

    def __init__(self, plan: Plan) -> None:
        self.graph = graph = GrowingGraph.of_run(plan.graph.as_planned)
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        self.output_bytes: list[float] = []
        self._elements: dict[int, float] = {}
        """By the place of a map: what each of its items is given."""
        self._add(range(len(graph)))

    @abstractmethod
    def of(self, at: int) -> tuple[float, float, float]:
        """What a call takes, all in all and of CPUs, and how many bytes it returns."""

    @abstractmethod
    def items(self, splitter: int) -> int:
        """How many each of its maps gets."""

    @abstractmethod
    def elements_bytes(self, splitter: int) -> float:
        """Of all that its items are given."""

    def most_cpus(self, site: Site) -> float:
        """That one call uses at most, as far as it matters there."""
        calls = zip(self.cpu, self.seconds, strict=True)
        return max([cpu / seconds for cpu, seconds in calls if seconds], default=0.0)

    def expand(self, splitter: int) -> int:
        """Give the maps of this task their items; how many each has got."""
        graph = self.graph
        assert isinstance(graph, GrowingGraph)
        count, known = self.items(splitter), len(graph)
        graph.expand({**graph.expansions, graph.ids[splitter]: count})
        for gather in graph.maps_of[splitter]:
            self._elements[gather] = self.elements_bytes(splitter) / max(count, 1)
        self._add(range(known, len(graph)))
        return count

    def _add(self, places: Iterable[int]) -> None:
        seconds, cpu, sizes = self.seconds.append, self.cpu.append, self.output_bytes.append
        for at in places:
            its_seconds, its_cpu, its_bytes = self.of(at)
            seconds(its_seconds)
            cpu(its_cpu)
            sizes(its_bytes)

    def reads(self, at: int) -> Sequence[int]:
        """The outputs that a call needs, those of a map's items too."""
        graph = self.graph
        inputs = graph.inputs_at[at]
        if not graph.maps:
            return inputs
        found = [*inputs]
        base = graph.base(at)
        if base != at:
            call = graph.maps[base]
            found = [~at if call.over is None else inputs[0], *call.constants]
        elif at in graph.maps_of:
            found = found[: graph.maps[graph.maps_of[at][0]].iterated]
        assert isinstance(graph, GrowingGraph)
        for gather in [read for read in found if read in graph.maps]:
            found += [graph.position[item] for item in graph.items(gather)]
        return found

    def size(self, output: int) -> float:
        if output >= 0:
            return self.output_bytes[output]
        return self._elements[self.graph.base(~output)]

    def input_bytes(self, at: int) -> float:
        return sum(map(self.size, self.reads(at)))

    def load_seconds(self, at: int, link: Link) -> float:
        return link.load_seconds(self.input_bytes(at))

    def dump_seconds(self, at: int, link: Link) -> float:
        splits = at in self.graph.maps_of
        return link.dump_seconds(self.elements_bytes(at) if splits else self.output_bytes[at])


class Expected(Costs):
    """What a forecast says."""

    def __init__(self, plan: Plan, forecast: Forecast) -> None:
        self._resources_at = [plan.placements[task].resources for task in plan.graph]
        self._forecast = forecast
        super().__init__(plan)

    def of(self, at: int) -> tuple[float, float, float]:
        graph, forecast = self.graph, self._forecast
        base = graph.base(at)
        if base == at and at in graph.maps:
            return 0.0, 0.0, LIST_BYTES
        resources = self._resources_at[base]
        return (
            forecast.call_seconds(base, resources),
            forecast.cpu_seconds(base, resources),
            LIST_BYTES if base in graph.maps_of else forecast.output_bytes(base),
        )

    def items(self, splitter: int) -> int:
        return self._forecast.items(splitter)

    def elements_bytes(self, splitter: int) -> float:
        return self._forecast.output_bytes(splitter)

    def most_cpus(self, site: Site) -> float:
        if site.cpus == float("inf"):
            return 0.0
        return max([super().most_cpus(site), *map(self._cpus_of_item, self.graph.maps)])

    def _cpus_of_item(self, gather: int) -> float:
        resources = self._resources_at[gather]
        seconds = self._forecast.call_seconds(gather, resources)
        return self._forecast.cpu_seconds(gather, resources) / seconds if seconds else 0.0
