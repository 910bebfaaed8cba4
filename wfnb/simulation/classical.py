"""The model of list schedulers: speeds, one bandwidth, nobody in anybody's way.

For comparison with them, not for prediction: no store that all share, no starts, no hand-offs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from wfnb.errors import PlanError
from wfnb.forecast import Forecast
from wfnb.graph import Graph, TaskId
from wfnb.plan import Plan

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Booking:
    """One task's time on a worker's core."""

    task: TaskId
    worker: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The workers that there are, and how far they are from each other: all equally."""

    speeds: Mapping[str, float]
    """By worker; at 2 a call takes half its time."""
    bytes_per_second: float = float("inf")
    latency_seconds: float = 0.0

    def away_seconds(self, size_bytes: float, source: str, to: str) -> float:
        """What it takes to bring an output from one worker to another, or to where it is."""
        if source == to:
            return 0.0
        return self.latency_seconds + size_bytes / self.bytes_per_second


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every task's booking, by place."""

    bookings: tuple[Booking, ...]

    @property
    def makespan_seconds(self) -> float:
        return max((booking.end_seconds for booking in self.bookings), default=0.0)


def schedule_makespan(
    plan: Plan, forecast: Forecast, network: Network, *, order: Sequence[int] | None = None
) -> float:
    """How long the plan takes in this model; the schedule behind it has been checked."""
    schedule = schedule_of(plan, forecast, network, order=order)
    graph = plan.graph
    sizes = [forecast.output_bytes(at) for at in range(len(graph))]
    refuse_infeasible(
        schedule.bookings, graph, network, seconds=_seconds(plan, forecast), output_bytes=sizes
    )
    return schedule.makespan_seconds


def schedule_of(
    plan: Plan, forecast: Forecast, network: Network, *, order: Sequence[int] | None = None
) -> Schedule:
    """Each task on its worker as early as those allow that come before it, and its inputs.

    Without an order of places, a worker does first what it can do first.
    """
    graph, workers, seconds = plan.graph, _workers_of(plan, network), _seconds(plan, forecast)
    free = dict.fromkeys(network.speeds, 0.0)
    bookings: dict[int, Booking] = {}

    def ready_seconds(at: int) -> float:
        ready = 0.0
        for read in graph.inputs_at[at]:
            if read not in bookings:
                raise PlanError(f"the order has {graph.ids[at]} before its input {graph.ids[read]}")
            its = bookings[read]
            away = network.away_seconds(forecast.output_bytes(read), its.worker, workers[at])
            ready = max(ready, its.end_seconds + away)
        return ready

    for at, ready in _turns(graph, ready_seconds, order):
        worker = workers[at]
        start = max(ready, free[worker])
        free[worker] = start + seconds[at] / network.speeds[worker]
        bookings[at] = Booking(graph.ids[at], worker, start, free[worker])
    return Schedule(tuple(bookings[at] for at in sorted(bookings)))


def refuse_infeasible(
    bookings: Iterable[Booking],
    graph: Graph,
    network: Network,
    *,
    seconds: Sequence[float],
    output_bytes: Sequence[float],
) -> None:
    """Raises PlanError for what no real worker could do, whoever made the schedule.

    Every task once, for as long as it takes; its inputs there before it starts; one task at a time
    on a worker. `seconds` and `output_bytes` are by place, at speed 1.
    """
    bookings = list(bookings)
    times = Counter(booking.task for booking in bookings)
    for task in graph:
        if times[task] != 1:
            raise PlanError(f"{task} is booked {times[task]} times, and must be once")
    by_task = {booking.task: booking for booking in bookings}
    longest = max((booking.end_seconds for booking in bookings), default=0.0)
    slack = _ROUNDING * max(1.0, longest)
    for at, task in enumerate(graph):
        _refuse_wrong_length(by_task[task], network, seconds[at], slack)
        for read in graph.inputs_at[at]:
            its = by_task[graph.ids[read]]
            _refuse_too_early(its, by_task[task], network, output_bytes[read], slack)
    _refuse_overlaps(bookings, slack)


def _refuse_wrong_length(booking: Booking, network: Network, seconds: float, slack: float) -> None:
    speed = network.speeds.get(booking.worker)
    if speed is None:
        raise PlanError(
            f"{booking.task} is booked on {booking.worker}, and there is no such worker"
        )
    length = booking.end_seconds - booking.start_seconds
    if booking.start_seconds < -slack or abs(length - seconds / speed) > slack:
        raise PlanError(
            f"{booking.task} is booked from {booking.start_seconds:g} s for {length:g} s, "
            f"and takes {seconds / speed:g} s on {booking.worker}"
        )


def _refuse_too_early(
    before: Booking, booking: Booking, network: Network, size_bytes: float, slack: float
) -> None:
    there = before.end_seconds + network.away_seconds(size_bytes, before.worker, booking.worker)
    if booking.start_seconds < there - slack:
        raise PlanError(
            f"{booking.task} starts at {booking.start_seconds:g} s, and its input {before.task} "
            f"is there at {there:g} s"
        )


def _refuse_overlaps(bookings: Iterable[Booking], slack: float) -> None:
    by_worker: dict[str, list[Booking]] = {}
    for booking in bookings:
        by_worker.setdefault(booking.worker, []).append(booking)
    for worker, its in by_worker.items():
        its.sort(key=lambda booking: (booking.start_seconds, booking.end_seconds))
        for one, other in pairwise(its):
            if other.start_seconds < one.end_seconds - slack:
                raise PlanError(f"{worker} has {one.task} and {other.task} at the same time")


def _turns(
    graph: Graph, ready_seconds: Callable[[int], float], order: Sequence[int] | None
) -> Iterator[tuple[int, float]]:
    """Every place once, with when it is ready; what comes before it has been booked by then."""
    if order is not None:
        yield from ((at, ready_seconds(at)) for at in order)
        return
    missing = [len(inputs) for inputs in graph.inputs_at]
    ready = [(0.0, at) for at, count in enumerate(missing) if not count]
    while ready:
        seconds, at = heappop(ready)
        yield at, seconds
        for reader in graph.readers_at[at]:
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, (ready_seconds(reader), reader))


def _seconds(plan: Plan, forecast: Forecast) -> list[float]:
    places = plan.placements
    return [forecast.call_seconds(at, places[task].resources) for at, task in enumerate(plan.graph)]


def _workers_of(plan: Plan, network: Network) -> list[str]:
    workers = []
    for task in plan.graph:
        worker = plan.placements[task].worker
        if worker is None or worker not in network.speeds:
            some = ", ".join(network.speeds)
            raise PlanError(f"{task} is placed on {worker}: place it on one of {some}")
        workers.append(worker)
    return workers
