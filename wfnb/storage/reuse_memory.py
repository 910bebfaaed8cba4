"""Values kept for reuse, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from wfnb.storage.history_memory import MemoryHistory
from wfnb.storage.reuse import (
    ENTRY_BYTES,
    KEEP_SECONDS,
    LEAST_ENTRIES,
    MOST_BYTES,
    MOST_EVICTED,
    PINNED_SECONDS,
    Reusable,
    gone,
)


@dataclass(slots=True)
class _Kept:
    about: Reusable
    found: bytes
    name: str
    chunks: list[bytes]
    cost_bytes: int


class MemoryReuse(MemoryHistory):
    """What a MemoryStore keeps from run to run."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._kept: dict[str, _Kept] = {}
        """By fingerprint, the one used least recently first."""
        self._kept_bytes = 0
        self._bounds = (MOST_BYTES, KEEP_SECONDS)

    def find_reusables(self, fingerprints: Sequence[str]) -> Mapping[str, bytes]:
        with self._changed:
            self._sweep()
            there = [one for one in fingerprints if one in self._kept]
            return {one: self._use(one, 1).found for one in there}

    def keep_reusable(
        self, about: Reusable, found: bytes, name: str, chunks: Sequence[bytes | memoryview]
    ) -> bool:
        cost = about.size_bytes + ENTRY_BYTES + len(found) + len(about.task) + len(about.function)
        with self._changed:
            self._sweep()
            if about.fingerprint in self._kept:
                self._use(about.fingerprint, 0)
                return True
            if cost * LEAST_ENTRIES > self._bounds[0] or not self._make_room(cost):
                return False
            now = self._clock()
            about = replace(about, made_seconds=now, used_seconds=now)
            self._kept[about.fingerprint] = _Kept(about, found, name, [*map(bytes, chunks)], cost)
            self._kept_bytes += cost
            return True

    def read_reusable(self, name: str, chunks: int) -> list[bytes]:
        with self._changed:
            self._sweep()
            kept = self._kept.get(name.partition(":")[0])
            if chunks and (kept is None or kept.name != name or len(kept.chunks) < chunks):
                raise gone(name)
            return kept.chunks[:chunks] if kept else []

    def reusables(self) -> Sequence[Reusable]:
        with self._changed:
            self._sweep()
            return [kept.about for kept in reversed(self._kept.values())]

    def forget_reusables(self, fingerprints: Sequence[str] | None = None) -> int:
        with self._changed:
            wanted = [*self._kept] if fingerprints is None else fingerprints
            return sum([self._drop(one) for one in wanted])

    def bound_reusables(
        self, *, most_bytes: int | None = None, keep_seconds: float | None = None
    ) -> tuple[int, float]:
        with self._changed:
            most, kept = self._bounds
            most = most if most_bytes is None else most_bytes
            self._bounds = (most, kept if keep_seconds is None else keep_seconds)
            self._make_room(0)
            return self._bounds

    def _use(self, fingerprint: str, times: int) -> _Kept:
        kept = self._kept.pop(fingerprint)
        uses = kept.about.uses + times
        kept.about = replace(kept.about, used_seconds=self._clock(), uses=uses)
        self._kept[fingerprint] = kept
        return kept

    def _drop(self, fingerprint: str) -> bool:
        kept = self._kept.pop(fingerprint, None)
        self._kept_bytes -= kept.cost_bytes if kept else 0
        return kept is not None

    def _sweep(self) -> None:
        for one in self._unused_for(self._bounds[1]):
            self._drop(one)

    def _make_room(self, size_bytes: int) -> bool:
        over = self._kept_bytes + size_bytes - self._bounds[0]
        going = []
        for one in self._unused_for(PINNED_SECONDS) if over > 0 else ():
            going.append(one)
            over -= self._kept[one].cost_bytes
            if over <= 0:
                break
        if over <= 0 or len(going) == MOST_EVICTED:
            for one in going:
                self._drop(one)
        return over <= 0

    def _unused_for(self, seconds: float) -> list[str]:
        def oldest() -> Iterator[str]:
            last = self._clock() - seconds
            for one, kept in self._kept.items():
                if kept.about.used_seconds > last:
                    return
                yield one

        return list(islice(oldest(), MOST_EVICTED))
