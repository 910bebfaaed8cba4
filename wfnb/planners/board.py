"""A schedule in the making: which task is on which machine from when to when, gaps being filled."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wfnb.graph import Graph
from wfnb.planners.costs import Costs

NOWHERE = -1
_LEAST_GAP_SECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class Slot:
    """Where and when a task would be done."""

    machine: int
    begin: float
    end: float


class Board:
    """Insertion-based, as in HEFT (Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206)."""

    def __init__(self, graph: Graph, costs: Costs) -> None:
        self.graph = graph
        self.costs = costs
        self.end = [0.0] * len(graph)
        self.begin = [0.0] * len(graph)
        self.machine_at = [NOWHERE] * len(graph)
        self._tails = list(costs.starts)
        """Per machine: when its last task ends."""
        self._gaps: list[list[tuple[float, float]]] = [[] for _ in costs.starts]
        """Per machine, in order: (end, begin) of times at which it has nothing to do before that.
        """

    @property
    def makespan(self) -> float:
        return max(self.end, default=0.0)

    def free_from(self, machine: int) -> float:
        return self._tails[machine]

    def best(self, at: int, bias: Sequence[float] | None = None) -> Slot:
        """Where it would end first; `bias` are seconds to add per machine when comparing.

        Planners spend their time here, so it calls nothing for a machine that cannot be it.
        """
        ready, tails = _Ready(self, at), self._tails
        anywhere, fetch, local = ready.latest, ready.fetch, ready.local_fetch
        found, found_begin, found_end, least = NOWHERE, 0.0, 0.0, float("inf")
        for machine, calls in enumerate(self.costs.calls):
            seconds, begin = calls[at] + fetch, anywhere
            if machine in local:
                seconds, begin = seconds - local[machine], ready.on(machine)
            more = seconds + bias[machine] if bias else seconds
            if begin + more >= least:
                continue
            if begin < tails[machine]:
                begin = self._begin(machine, begin, seconds)
                if begin + more >= least:
                    continue
            found, found_begin, found_end = machine, begin, begin + seconds
            least = begin + more
        assert found != NOWHERE, "every task has a machine of its size"
        return Slot(found, found_begin, found_end)

    def on(self, at: int, machine: int) -> Slot:
        """When it would be done there."""
        ready = _Ready(self, at)
        seconds = self.costs.calls[machine][at] + ready.fetching(machine)
        begin = self._begin(machine, ready.on(machine), seconds)
        return Slot(machine, begin, begin + seconds)

    def put(self, at: int, slot: Slot) -> None:
        self.machine_at[at], self.begin[at], self.end[at] = slot.machine, slot.begin, slot.end
        tail, gaps = self._tails[slot.machine], self._gaps[slot.machine]
        if slot.begin >= tail:
            if slot.begin - tail > _LEAST_GAP_SECONDS:
                gaps.append((slot.begin, tail))
            self._tails[slot.machine] = slot.end
            return
        place = bisect_left(gaps, (slot.end, float("-inf")))
        gap_end, gap_begin = gaps.pop(place)
        if gap_end - slot.end > _LEAST_GAP_SECONDS:
            gaps.insert(place, (gap_end, slot.end))
        if slot.begin - gap_begin > _LEAST_GAP_SECONDS:
            gaps.insert(place, (slot.begin, gap_begin))

    def schedule(self, order: Iterable[int]) -> Board:
        """Put tasks, inputs first, each where it ends first."""
        for at in order:
            self.put(at, self.best(at))
        return self

    def _begin(self, machine: int, ready: float, seconds: float) -> float:
        tail, gaps = self._tails[machine], self._gaps[machine]
        if ready >= tail:
            return ready
        if not gaps or ready + seconds > gaps[-1][0]:
            return tail
        for place in range(bisect_left(gaps, (ready + seconds, float("-inf"))), len(gaps)):
            end, begin = gaps[place]
            begin = max(begin, ready)
            if begin + seconds <= end:
                return begin
        return tail


class _Ready:
    """When a task's inputs are on each machine: of those elsewhere only the two latest matter."""

    __slots__ = ("_away", "_elsewhere", "_here", "fetch", "latest", "local_fetch")

    def __init__(self, board: Board, at: int) -> None:
        costs, here, local = board.costs, dict[int, float](), dict[int, float]()
        latest = elsewhere = fetch = 0.0
        away = NOWHERE
        for read, send in zip(board.graph.inputs_at[at], costs.send[at], strict=True):
            machine, end = board.machine_at[read], board.end[read]
            if end > here.get(machine, 0.0):
                here[machine] = end
            local[machine] = local.get(machine, 0.0) + costs.fetch[read]
            fetch += costs.fetch[read]
            arrival = end + send
            if machine == away:
                latest = max(latest, arrival)
            elif arrival > latest:
                elsewhere, latest, away = latest, arrival, machine
            else:
                elsewhere = max(elsewhere, arrival)
        self._here, self._away, self._elsewhere = here, away, elsewhere
        self.latest, self.fetch, self.local_fetch = latest, fetch, local

    def on(self, machine: int) -> float:
        remote = self._elsewhere if machine == self._away else self.latest
        return max(remote, self._here.get(machine, 0.0))

    def fetching(self, machine: int) -> float:
        return self.fetch - self.local_fetch.get(machine, 0.0)
