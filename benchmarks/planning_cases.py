"""Recorded workflows to plan: what their tasks took and wrote, and the places they would run in."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wfnb.exports.instances import RecordedTask
from wfnb.exports.replay import load, recorded
from wfnb.forecast import Link, Site
from wfnb.graph import Graph
from wfnb.planners.costs import Costs
from wfnb.resources import Resources

SPEEDS = (0.5, 0.5, 1.0, 1.0, 1.0, 2.0, 2.0, 4.0)
"""Of the workers in the model of list schedulers, as in its papers."""
CLASSICAL_RATE = 125e6
LEAST_SECONDS = 1e-9
"""The peer takes no task that takes no time."""


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    """One recorded instance, scaled; by place of its tasks."""

    name: str
    graph: Graph
    seconds: Sequence[float]
    sizes: Sequence[int]
    """Bytes that each task writes; from a store, who reads one of its files reads them all."""
    edges: Sequence[Sequence[int]]
    """Of each task's inputs, the bytes of those files that it reads: what list schedulers move."""

    def lower_bound(self, speeds: Sequence[float]) -> float:
        """No schedule is shorter: the longest way at the highest speed, all work at all speeds."""
        ends = [0.0] * len(self.graph)
        for at, inputs in enumerate(self.graph.inputs_at):
            ends[at] = self.seconds[at] / max(speeds) + max([ends[r] for r in inputs], default=0.0)
        return max(max(ends), sum(self.seconds) / sum(speeds))

    def classical_costs(self, speeds: Sequence[float], rate: float) -> Costs:
        """Without a store: outputs go from worker to worker, and nobody is in anybody's way."""
        lists = {speed: [seconds / speed for seconds in self.seconds] for speed in speeds}
        count = len(self.graph)
        return Costs(
            calls=[lists[speed] for speed in speeds],
            send=[[size / rate for size in its] for its in self.edges],
            fetch=[0.0] * count,
            starts=[0.0] * len(speeds),
        )


class Exact:
    """A forecast that is right: what was recorded is what will be."""

    sla = "mean"
    notes: Sequence[str] = ()

    def __init__(self, workflow: Workflow, site: Site) -> None:
        self.workflow = workflow
        self.graph = workflow.graph
        self.site = site

    def forecast(self, graph: Graph, *, sla: str = "mean") -> Exact:
        """It is its own predictor."""
        return self

    def call_seconds(self, at: int, resources: Resources) -> float:
        return self.workflow.seconds[at]

    def cpu_seconds(self, at: int, resources: Resources) -> float:
        return 0.0

    def interval(self, at: int, resources: Resources) -> tuple[float, float]:
        return self.workflow.seconds[at], self.workflow.seconds[at]

    def output_bytes(self, at: int) -> float:
        return self.workflow.sizes[at]

    def is_guess(self, at: int) -> bool:
        return False

    def items(self, at: int) -> int:
        return 1


def shared_store(rate: float, *, workers: int, hand_off_seconds: float = 1e-3) -> Site:
    """Workers that are there, all alike; they and their store have the same rate."""
    link = Link(
        up_latency_seconds=1e-3,
        up_bytes_per_second=rate,
        down_latency_seconds=1e-3,
        down_bytes_per_second=rate,
    )
    return Site(
        link=link,
        store_bytes_per_second=rate,
        hand_off_seconds=hand_off_seconds,
        warm_seconds=hand_off_seconds,
        workers=workers,
        idle=workers,
    )


def read(path: Path, *, scale: float = 1.0) -> Workflow:
    """Time and bytes alike are multiplied by `scale`: rates stay what they are."""
    graph = load(path, time_scale=scale, data_scale=scale, resources=Resources())
    tasks = [recorded(graph, at) for at in range(len(graph))]
    return Workflow(
        path.name.removesuffix(".json.gz"),
        graph,
        [max((task and task.runtime_seconds) or 0.0, LEAST_SECONDS) for task in tasks],
        [sum(task.outputs.values()) if task else 0 for task in tasks],
        [
            [_shared_bytes(tasks[read], tasks[at]) for read in inputs]
            for at, inputs in enumerate(graph.inputs_at)
        ],
    )


def _shared_bytes(writer: RecordedTask | None, reader: RecordedTask | None) -> int:
    if writer is None or reader is None:
        return 0
    return sum(size for name, size in writer.outputs.items() if name in reader.inputs)


def workflows(folder: Path, *, only: Sequence[str], most_tasks: int) -> Iterator[Path]:
    """The smallest first, so that a run that is ended early has something to show."""
    with (folder / "manifest.csv").open() as lines:
        rows = sorted((int(row["tasks"]), row["file"]) for row in csv.DictReader(lines))
    for tasks, name in rows:
        if tasks <= most_tasks and (not only or any(word in name for word in only)):
            yield next(folder.rglob(f"{name}*"))
