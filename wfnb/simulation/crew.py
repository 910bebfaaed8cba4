"""Workers on a virtual clock: who is idle, who is being started, and who serves which launch."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from wfnb.forecast import Site
from wfnb.simulation.clock import Clock
from wfnb.storage import Request
from wfnb.storage.ledger import Launchpad


@dataclass(slots=True)
class Hired:
    """A worker process or container: between runs' launches it is idle."""

    label: str
    pool: str
    begun_seconds: float = 0.0
    """When what it does now began: its start, or its way to the launch it serves."""
    is_cold: bool = False
    """It has been started for a launch, and has not served one yet."""


class Crew:
    """Meets launches as pools do: idle workers take requests themselves, the first idle first.

    Where none is idle one more is started, as long as there is room; if those that are idle wait
    for another pool, one of them makes way.
    """

    def __init__(
        self,
        site: Site,
        launchpads: Mapping[str, Launchpad],
        clock: Clock,
        *,
        most: int,
        join: Callable[[Hired, Request], None],
    ) -> None:
        self._launchpads = launchpads
        self._clock = clock
        self._join = join
        self._most = most
        self._warm_seconds = site.warm_seconds
        self._delays: dict[str, Iterator[float]] = {}
        self._birth_seconds = max(0.0, site.cold_seconds - site.warm_seconds)
        self._idle: dict[str, deque[Hired]] = defaultdict(deque)
        self._starting: dict[str, int] = defaultdict(int)
        self._hired = self._there = 0

    def begin(self, idle: int, pool: str) -> None:
        """So many are there, for this pool."""
        for _ in range(min(idle, self._most)):
            self._idle[pool].append(self._hire(pool))

    def expect(self, delays: Mapping[str, Iterable[float]]) -> None:
        """What the launches for these queues take, one after the other, where that is known."""
        self._delays = {queue: iter(its) for queue, its in delays.items()}

    def serve(self) -> None:
        """Meet what is asked for, as far as it can be."""
        now = self._clock.now
        for pool, pad in self._launchpads.items():
            requests, idle = pad.requests, self._idle[pool]
            while requests and idle:
                self._send(idle.popleft(), requests.popleft())
            while len(requests) > self._starting[pool] and self._has_room(pool):
                self._starting[pool] += 1
                worker = self._hire(pool)
                worker.begun_seconds, worker.is_cold = now, True
                self._clock.at(now + self._birth_seconds, (self._born, worker, None))

    def left(self, worker: Hired) -> None:
        """It is out of the run, and may serve another launch."""
        self._idle[worker.pool].append(worker)
        self.serve()

    def _born(self, worker: Hired, _what: None) -> None:
        self._starting[worker.pool] -= 1
        self.left(worker)

    def _send(self, worker: Hired, request: Request) -> None:
        now = self._clock.now
        if worker.is_cold and now > worker.begun_seconds + self._birth_seconds:
            worker.is_cold = False  # what it was started for, another has taken
        if not worker.is_cold:
            worker.begun_seconds = now
        delay = next(self._delays.get(request.queue, iter(())), self._warm_seconds)
        self._clock.at(now + delay, (self._join, worker, request))

    def _hire(self, pool: str) -> Hired:
        self._hired += 1
        self._there += 1
        return Hired(f"simulated {self._hired}", pool)

    def _has_room(self, pool: str) -> bool:
        if self._there < self._most:
            return True
        for other, idle in self._idle.items():
            if idle and other != pool:
                idle.popleft()
                self._there -= 1
                return True
        return False
