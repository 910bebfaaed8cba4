"""What a simulation says of a plan: what happens when and where, what it costs, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from wfnb.events import (
    RunEnded,
    RunOpened,
    Sample,
    TaskDone,
    TaskExpanded,
    WorkerJoined,
    WorkerLeft,
)
from wfnb.forecast import Site
from wfnb.graph import Graph, TaskId
from wfnb.growth import GrowingGraph
from wfnb.plan import Plan
from wfnb.simulation.costs import Costs
from wfnb.simulation.record import Record, Stay
from wfnb.timeline import Timeline

CAUSES = ("start", "queue", "download", "execution", "upload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One task's part of the time, from when its last input was known of, and what it went into."""

    task: TaskId
    worker: str
    ready_seconds: float
    """The instant from which on it could have been executed."""
    start_seconds: float
    """Its worker was on its way."""
    queue_seconds: float
    """Everybody who may take it had other things to do."""
    download_seconds: float
    execution_seconds: float
    """Making values of bytes and bytes of values included."""
    upload_seconds: float
    """Until others could know of it: the report too, and what was reported with it."""

    @property
    def end_seconds(self) -> float:
        return self.ready_seconds + sum(map(self.seconds, CAUSES))

    def seconds(self, cause: str) -> float:
        """That went into one of the causes."""
        spent: float = getattr(self, f"{cause}_seconds")
        return spent


class Simulated:
    """A plan's run as it is expected to go. Instants are seconds from its start."""

    def __init__(self, plan: Plan, costs: Costs, site: Site, record: Record) -> None:
        self.plan = plan
        self.graph: Graph = costs.graph
        """With the items that its maps were given."""
        self.makespan_seconds = record.end_seconds
        self.up_bytes = record.up_bytes
        self.down_bytes = record.down_bytes
        self._costs = costs
        self._site = site
        self._record = record

    def __repr__(self) -> str:
        return f"<simulated: {self.makespan_seconds:,.3f} s on {len(self.workers)} workers>"

    @cached_property
    def workers(self) -> tuple[str, ...]:
        """Those that joined, by the names that they have in the run."""
        return tuple(dict.fromkeys(stay.worker for stay in self._record.stays))

    @property
    def cold_starts(self) -> int:
        """Workers that were started for it."""
        return sum(stay.is_cold for stay in self._record.stays)

    @property
    def warm_starts(self) -> int:
        """Launches that idle workers met."""
        return len(self._record.stays) - self.cold_starts

    @cached_property
    def cpu_seconds(self) -> float:
        """Of all calls together."""
        return sum(self._costs.cpu)

    @cached_property
    def gb_seconds(self) -> float:
        """Memory limits in GB (10^9) x seconds that tasks occupied their workers."""
        total, plan = 0.0, self.plan
        kinds = {id(place): place for place in plan.placements.values()}
        if all(place.resources.memory is None for place in kinds.values()):
            return total
        for at, task in enumerate(self.graph):
            memory = plan.resources_of(task).memory_bytes
            if memory is not None and self._record.by[at] is not None:
                total += memory / 1e9 * self._occupied_seconds(at)
        return total

    @cached_property
    def worker_seconds(self) -> float:
        """That workers were in the run, at work or not."""
        end = self.makespan_seconds
        return sum(
            (end if stay.left_seconds is None else stay.left_seconds) - stay.joined_seconds
            for stay in self._record.stays
        )

    @cached_property
    def timeline(self) -> Timeline:
        """As of a run that has ended."""
        timeline = Timeline(self.graph)
        timeline.record(RunOpened(at_seconds=0.0, generation=1))
        for stay in self._record.stays:
            timeline.record(_joined(stay))
        for at in self._in_order():
            self._record_task(timeline, at)
        for stay in self._record.stays:
            if stay.left_seconds is not None:
                timeline.record(WorkerLeft(at_seconds=stay.left_seconds, worker=stay.worker))
        timeline.record(RunEnded(at_seconds=self.makespan_seconds, status="done"))
        return timeline

    @cached_property
    def critical_path(self) -> tuple[Stretch, ...]:
        """The tasks that the end waited for, first one first: together they are the makespan."""
        record = self._record
        if not record.reported:
            return ()
        at: int | None = max(range(len(record.reported)), key=record.reported.__getitem__)
        until, path = self.makespan_seconds, []
        while at is not None:
            before = self._last_input(at)
            path.append(self._stretch(at, before, until))
            until, at = path[-1].ready_seconds, before
        return tuple(reversed(path))

    @cached_property
    def causes(self) -> dict[str, float]:
        """What the seconds of the critical path went into."""
        path = self.critical_path
        return {cause: sum(part.seconds(cause) for part in path) for cause in CAUSES}

    def stretch(self, task: TaskId) -> Stretch:
        """One task's way from being ready to being reported."""
        at = self.graph.at(task)
        return self._stretch(at, self._last_input(at), self._record.reported[at])

    def stretches(self) -> Iterator[Stretch]:
        """Of all tasks, in the order in which they began."""
        return (self.stretch(self.graph.ids[at]) for at in self._in_order())

    def order(self, worker: str) -> tuple[TaskId, ...]:
        """What this worker did, in order."""
        by, ids = self._record.by, self.graph.ids
        return tuple(ids[at] for at in self._in_order() if _of(by[at]).worker == worker)

    def _in_order(self) -> list[int]:
        started = self._record.started
        done = (at for at, stay in enumerate(self._record.by) if stay is not None)
        return sorted(done, key=lambda at: (started[at], at))

    def _occupied_seconds(self, at: int) -> float:
        record = self._record
        return record.called[at] - record.started[at] + record.save_seconds[at]

    def _record_task(self, timeline: Timeline, at: int) -> None:
        record, task = self._record, self.graph.ids[at]
        worker, ended = _of(record.by[at]).worker, record.reported[at]
        graph, sample = self.graph, self._sample(at)
        if at in graph.maps_of and isinstance(graph, GrowingGraph):
            timeline.record(
                TaskExpanded(
                    at_seconds=ended,
                    worker=worker,
                    task=task,
                    attempt=1,
                    sample=sample,
                    count=graph.expansions[task],
                )
            )
        else:
            timeline.record(
                TaskDone(at_seconds=ended, worker=worker, task=task, attempt=1, sample=sample)
            )

    def _sample(self, at: int) -> Sample:
        """As a worker would have measured it."""
        costs, link, record = self._costs, self._site.link, self._record
        load, dump = costs.load_seconds(at, link), costs.dump_seconds(at, link)
        return Sample(
            record.started[at],
            load,
            record.called[at] - record.started[at] - load - dump,
            costs.cpu[at],
            dump + record.save_seconds[at],
            round(costs.input_bytes(at)),
            round(costs.output_bytes[at]),
        )

    def _waits_for(self, at: int) -> tuple[int, ...]:
        graph = self.graph
        if at in graph.maps and isinstance(graph, GrowingGraph) and graph.items(at):
            return tuple(graph.position[item] for item in graph.items(at))
        return tuple(graph.inputs_at[at])

    def _known(self, read: int, at: int) -> float:
        """When the worker of a task knew that this input of it was done."""
        record = self._record
        if record.started[at] < record.reported[read]:
            return record.called[read]  # it became its reader at once
        return record.reported[read]

    def _last_input(self, at: int) -> int | None:
        return max(self._waits_for(at), key=lambda read: self._known(read, at), default=None)

    def _stretch(self, at: int, before: int | None, until: float) -> Stretch:
        record = self._record
        stay = _of(record.by[at])
        ready = 0.0 if before is None else self._known(before, at)
        start = stay.joined_seconds - max(ready, stay.begun_seconds)
        start = min(max(0.0, start), record.claimed[at] - ready)
        waited = record.claimed[at] - ready + record.started[at] - record.loaded[at]
        return Stretch(
            task=self.graph.ids[at],
            worker=stay.worker,
            ready_seconds=ready,
            start_seconds=start,
            queue_seconds=waited - start,
            download_seconds=record.loaded[at] - record.claimed[at],
            execution_seconds=record.called[at] - record.started[at],
            upload_seconds=until - record.called[at],
        )


def _of(stay: Stay | None) -> Stay:
    assert stay is not None, "the task was executed"
    return stay


def _joined(stay: Stay) -> WorkerJoined:
    return WorkerJoined(
        at_seconds=stay.joined_seconds,
        worker=stay.worker,
        label=stay.label,
        waited_seconds=stay.joined_seconds - stay.begun_seconds,
        is_cold=stay.is_cold,
    )
