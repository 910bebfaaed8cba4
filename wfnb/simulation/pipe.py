"""One direction between the workers and the store."""

from __future__ import annotations

from wfnb.forecast import Site
from wfnb.simulation.clock import FOREVER, Clock, Event


class Pipe:
    """Each worker's link, and behind them the store, which all that moves at once shares."""

    def __init__(
        self, clock: Clock, store_rate: float, *, latency_seconds: float, link_rate: float
    ) -> None:
        self._clock = clock
        self._latency_seconds = latency_seconds
        self._rate = min(link_rate, store_rate)
        self._store = None if store_rate == FOREVER else clock.share(store_rate)
        self.moved_bytes = 0.0

    def move(self, event: Event, size_bytes: float, *, trips: int) -> bool:
        """Has the event happen when it is over; False if there is nothing to wait for."""
        latency = trips * self._latency_seconds
        self.moved_bytes += size_bytes
        if self._store is None or not size_bytes:
            seconds = latency + size_bytes / self._rate
            if not seconds:
                return False
            self._clock.at(self._clock.now + seconds, event)
        elif latency:
            self._clock.at(self._clock.now + latency, (self._flow, event, size_bytes))
        else:
            self._flow(event, size_bytes)
        return True

    def _flow(self, event: Event, size_bytes: float) -> None:
        assert self._store is not None
        self._store.start(event, size_bytes, cap=self._rate, now=self._clock.now)


def pipes_of(site: Site, clock: Clock) -> tuple[Pipe, Pipe]:
    """To the store and from it."""
    link, rate = site.link, site.store_bytes_per_second
    up = Pipe(
        clock,
        rate,
        latency_seconds=link.up_latency_seconds,
        link_rate=link.up_bytes_per_second,
    )
    down = Pipe(
        clock,
        rate,
        latency_seconds=link.down_latency_seconds,
        link_rate=link.down_bytes_per_second,
    )
    return up, down
