"""A virtual clock: what happens next, by time or because a share of something has been used up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any

from wfnb.flows import Shared

Event = tuple[Callable[[Any, Any], object], Any, Any]
"""What happens, to which worker, and with what."""
FOREVER = float("inf")


class Clock:
    """Events of one instant happen in the order they were asked for, or a seed shuffles them."""

    def __init__(self, *, seed: int = 0) -> None:
        self.now = 0.0
        self._order: Iterator[float] = iter(random.Random(seed).random, None) if seed else count()
        self._heap: list[tuple[float, float, Event]] = []
        self._shared: list[Shared[Event]] = []

    def at(self, when: float, event: Event) -> None:
        heappush(self._heap, (when, next(self._order), event))

    def share(self, rate: float) -> Shared[Event]:
        """Something whose jobs are events, which happen when they have got what they need."""
        self._shared.append(Shared(rate))
        return self._shared[-1]

    def step(self) -> bool:
        """Have the next event happen; False if nothing will ever happen again."""
        heap = self._heap
        when, source = heap[0][0] if heap else FOREVER, None
        for shared in self._shared:
            if shared.due < when:
                when, source = shared.due, shared
        if when == FOREVER:
            return False
        self.now = when
        act, worker, what = heappop(heap)[2] if source is None else source.finish()
        act(worker, what)
        return True
