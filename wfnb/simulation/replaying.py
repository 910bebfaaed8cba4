"""A run that has ended, for the simulator: what was measured in place of what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from statistics import fmean
from typing import Protocol

from wfnb.errors import PlanError
from wfnb.forecast import Link, Site
from wfnb.graph import TaskId
from wfnb.growth import GrowingGraph, map_id
from wfnb.plan import Plan
from wfnb.simulation.costs import Costs
from wfnb.timeline import Span, Timeline

_INFINITE = float("inf")
MEASURED = Link(
    up_latency_seconds=0.0,
    up_bytes_per_second=_INFINITE,
    down_latency_seconds=0.0,
    down_bytes_per_second=_INFINITE,
)
"""What was measured has transfers in it: tasks those up, the gaps between them those down."""


class Ended(Protocol):
    """A run that is over, such as wfnb.runner.Run."""

    @property
    def plan(self) -> Plan: ...

    @property
    def timeline(self) -> Timeline: ...


class Measured(Costs):
    """What each task's last attempt took; tasks that were not executed take nothing."""

    def __init__(
        self, plan: Plan, timeline: Timeline, leads: Mapping[TaskId, float] | None = None
    ) -> None:
        """`leads` is what came before each: its worker's hand-off, as it was then."""
        if timeline.status != "done":
            raise PlanError(
                f"this run is {timeline.status}: only one that is done can be replayed, "
                "for the others did not do all their tasks"
            )
        self._timeline = timeline
        self._leads = leads or {}
        super().__init__(plan)

    def of(self, at: int) -> tuple[float, float, float]:
        task = self.graph.ids[at]
        sample = self._timeline[task].sample
        if sample is None:
            return 0.0, 0.0, 0.0
        seconds = sample.load_seconds + sample.call_seconds + sample.save_seconds
        seconds += self._leads.get(task, 0.0)
        return seconds, sample.cpu_seconds, float(sample.output_bytes)

    def items(self, splitter: int) -> int:
        graph = self._timeline.graph
        assert isinstance(graph, GrowingGraph)
        return graph.expansions[self.graph.ids[splitter]]

    def elements_bytes(self, splitter: int) -> float:
        return 0.0


def site_of(timeline: Timeline) -> Site:
    """Where a run took place, as far as one can see from it."""
    workers = max(1, len({launch.label for launch in timeline.crew.launches}))
    delays = [delay for _, delay in _delays(timeline)]
    start_seconds = _usual(delays)
    return Site(
        link=MEASURED,
        hand_off_seconds=_usual(_gaps(timeline)),
        warm_seconds=start_seconds,
        cold_seconds=start_seconds,
        workers=workers,
        idle=workers,
    )


def _usual(seconds: Iterable[float]) -> float:
    """The mean without the tenth that is least and the tenth that is most: stalls are nobody's."""
    found = sorted(seconds)
    odd = len(found) // 10
    kept = found[odd : len(found) - odd]
    return fmean(kept) if kept else 0.0


def delays_of(run: Ended) -> dict[str, list[float]]:
    """What each launch took until the worker's first task began, in order, by queue."""
    found: dict[str, list[float]] = {}
    for task, delay in _delays(run.timeline):
        queue = run.plan.placements[map_id(task) or task].queue
        found.setdefault(queue, []).append(delay)
    return found


def _delays(timeline: Timeline) -> Iterator[tuple[TaskId, float]]:
    """A worker's first task after each of its launches, and what that took until then."""
    by_worker = _by_worker(timeline)
    for launch in timeline.crew.launches:
        spans = by_worker.get(launch.worker, ())
        first = next((span for span in spans if _begin(span) >= launch.at_seconds), None)
        if first is not None and launch.waited_seconds is not None:
            yield first.task, launch.waited_seconds + _begin(first) - launch.at_seconds


def _by_worker(timeline: Timeline) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in timeline.spans:
        if span.worker is not None and span.sample is not None:
            found.setdefault(span.worker, []).append(span)
    for spans in found.values():
        spans.sort(key=_begin)
    return found


def _begin(span: Span) -> float:
    return span.start_seconds or 0.0


def _end(span: Span) -> float:
    return span.end_seconds or 0.0


def _gaps(timeline: Timeline) -> Iterator[float]:
    """Between two tasks of a worker, where the second one waited for nothing but the report."""
    for before, span in _successive(timeline):
        if _inputs_end(timeline, span.task) <= _end(before):
            yield max(0.0, _begin(span) - _end(before))


def leads_of(timeline: Timeline) -> dict[TaskId, float]:
    """How long after its inputs and its worker's last task each began; launches are apart."""
    launched = {task for task, _ in _delays(timeline)}
    found = {}
    for before, span in _successive(timeline):
        if span.task not in launched:
            ready = max(_end(before), _inputs_end(timeline, span.task))
            found[span.task] = max(0.0, _begin(span) - ready)
    return found


def _successive(timeline: Timeline) -> Iterator[tuple[Span, Span]]:
    for spans in _by_worker(timeline).values():
        yield from pairwise(spans)


def _inputs_end(timeline: Timeline, task: TaskId) -> float:
    graph = timeline.graph
    reads = graph.inputs(task)
    if isinstance(graph, GrowingGraph) and graph.at(task) in graph.maps:
        reads = (*reads, *graph.items(graph.at(task)))
    return max((_end(timeline[read]) for read in reads), default=0.0)


def as_measured(site: Site) -> Site:
    """What is in the measured durations already is not to be counted again."""
    return replace(site, link=MEASURED, store_bytes_per_second=_INFINITE, cpus=_INFINITE)
