"""A run that has ended, for the simulator: what was measured in place of what is expected."""

from __future__ import annotations

from collections.abc import Iterator
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

    def __init__(self, plan: Plan, timeline: Timeline) -> None:
        if timeline.status != "done":
            raise PlanError(
                f"this run is {timeline.status}: only one that is done can be replayed, "
                "for the others did not do all their tasks"
            )
        self._timeline = timeline
        self.start(plan)

    def of(self, at: int) -> tuple[float, float, float]:
        sample = self._timeline[self.graph.ids[at]].sample
        if sample is None:
            return 0.0, 0.0, 0.0
        seconds = sample.load_seconds + sample.call_seconds + sample.save_seconds
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
    gaps = list(_gaps(timeline))
    delays = [delay for _, delay in _delays(timeline)]
    start_seconds = fmean(delays) if delays else 0.0
    return Site(
        link=MEASURED,
        hand_off_seconds=fmean(gaps) if gaps else 0.0,
        warm_seconds=start_seconds,
        cold_seconds=start_seconds,
        workers=workers,
        idle=workers,
    )


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
    graph = timeline.graph
    for spans in _by_worker(timeline).values():
        for before, span in pairwise(spans):
            inputs = [timeline[read] for read in graph.inputs(span.task)]
            if all(_end(read) <= _end(before) for read in inputs):
                yield max(0.0, _begin(span) - _end(before))


def as_measured(site: Site) -> Site:
    """What is in the measured durations already is not to be counted again."""
    return replace(site, link=MEASURED, store_bytes_per_second=_INFINITE, cpus=_INFINITE)
