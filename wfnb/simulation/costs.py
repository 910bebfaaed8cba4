"""What each task of a plan takes and makes, as the simulator asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wfnb.forecast import Forecast, Link, Site
from wfnb.growth import GrowingGraph
from wfnb.plan import Plan

LIST_BYTES = 100.0
"""What a map, or a task that splits, returns itself: how many items there are."""


class Costs:
    """Columns, one entry a task; items are added when a map gets them.

    An output is named by its task's place; the element that an item is given by `~` of the item's.
    """

    def __init__(self, plan: Plan, forecast: Forecast) -> None:
        self._placements = plan.placements
        self._ids = plan.graph.ids
        self._forecast = forecast
        self.start(plan)

    def start(self, plan: Plan) -> None:
        self.graph = graph = GrowingGraph.of_run(plan.graph.as_planned)
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        self.output_bytes: list[float] = []
        self._elements: dict[int, float] = {}
        """By the place of a map: what each of its items is given."""
        self.add(range(len(graph)))

    def add(self, places: Iterable[int]) -> None:
        """Those of tasks, or items, that the graph has got."""
        seconds, cpu, sizes = self.seconds.append, self.cpu.append, self.output_bytes.append
        for at in places:
            its_seconds, its_cpu, its_bytes = self.of(at)
            seconds(its_seconds)
            cpu(its_cpu)
            sizes(its_bytes)

    def of(self, at: int) -> tuple[float, float, float]:
        """What a call takes, all in all and of CPUs, and how many bytes it returns."""
        graph, forecast = self.graph, self._forecast
        base = graph.base(at)
        if base == at and at in graph.maps:
            return 0.0, 0.0, LIST_BYTES
        resources = self._placements[self._ids[base]].resources
        return (
            forecast.call_seconds(base, resources),
            forecast.cpu_seconds(base, resources),
            LIST_BYTES if base in graph.maps_of else forecast.output_bytes(base),
        )

    def expand(self, splitter: int) -> int:
        """Give the maps of this task their items; how many each has got."""
        graph = self.graph
        assert isinstance(graph, GrowingGraph)
        count, known = self.items(splitter), len(graph)
        graph.expand({**graph.expansions, graph.ids[splitter]: count})
        for gather in graph.maps_of[splitter]:
            self._elements[gather] = self.elements_bytes(splitter) / max(count, 1)
        self.add(range(known, len(graph)))
        return count

    def items(self, splitter: int) -> int:
        return self._forecast.items(splitter)

    def elements_bytes(self, splitter: int) -> float:
        return self._forecast.output_bytes(splitter)

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

    def input_bytes(self, at: int) -> float:
        return sum(map(self.size, self.reads(at)))

    def load_seconds(self, at: int, link: Link) -> float:
        return link.load_seconds(self.input_bytes(at))

    def dump_seconds(self, at: int, link: Link) -> float:
        splits = at in self.graph.maps_of
        return link.dump_seconds(self.elements_bytes(at) if splits else self.output_bytes[at])

    def most_cpus(self, site: Site) -> float:
        """That one call uses at most."""
        if site.cpus == float("inf"):
            return 0.0
        calls = [*zip(self.cpu, self.seconds, strict=True), *map(self._item, self.graph.maps)]
        return max([cpu / seconds for cpu, seconds in calls if seconds], default=0.0)

    def _item(self, gather: int) -> tuple[float, float]:
        resources = self._placements[self._ids[gather]].resources
        forecast = self._forecast
        return forecast.cpu_seconds(gather, resources), forecast.call_seconds(gather, resources)

    def size(self, output: int) -> float:
        return (
            self.output_bytes[output] if output >= 0 else self._elements[self.graph.base(~output)]
        )
