"""Records of past runs, in this process: the same as recording.lua."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from wfnb.storage.answering import answered, is_stale
from wfnb.storage.history import (
    HISTORY_SECONDS,
    MOST_LISTED,
    MOST_OF_FAMILY,
    MOST_RECORDS,
    MOST_SAMPLES,
    NEWEST,
    STEPS,
    Part,
    Recorded,
)
from wfnb.storage.ledger import Ledger
from wfnb.storage.memory_feed import MemoryFeed
from wfnb.storage.records import Ask


class Records:
    """All of them, the one used least recently first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._used: dict[str, float] = {}
        self._samples: dict[str, list[str]] = defaultdict(list)
        self._old: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))

    def learn(self, parts: Iterable[Part]) -> None:
        for name, samples, is_first in parts:
            known = self._samples[name]
            known[:0] = reversed(samples)
            if is_first or len(known) == len(samples):
                self._use(name)
            if len(known) > MOST_LISTED:
                self._samples[name], gone = compacted(known)
                for sample in gone:
                    _, count, value, *_ = sample.split(" ", 3)
                    self._old[name][bucket_of(float(value))] += float(count)

    def of(self, family: str) -> dict[str, float]:
        head = f"{family}:"
        self._sweep()
        return {
            name.removeprefix(head): at for name, at in self._used.items() if name.startswith(head)
        }

    def at(self, name: str) -> Recorded:
        self._sweep()
        return Recorded([*self._samples.get(name, ())], dict(self._old.get(name, {})))

    def forget(self) -> int:
        names = [*self._used]
        for name in names:
            self._drop(name)
        return len(names)

    def _use(self, name: str) -> None:
        self._used.pop(name, None)
        self._used[name] = round(self._clock(), 3)
        family = name.partition(":")[0]
        alike = self.of(family)
        if len(alike) > MOST_OF_FAMILY:
            self._drop(f"{family}:{min(alike, key=lambda rest: (alike[rest], rest))}")
        if len(self._used) > MOST_RECORDS:
            self._drop(next(iter(self._used)))

    def _sweep(self) -> None:
        last = self._clock() - HISTORY_SECONDS
        while self._used and (oldest := next(iter(self._used.items())))[1] < last:
            self._drop(oldest[0])

    def _drop(self, name: str) -> None:
        for part in (self._used, self._samples, self._old):
            part.pop(name, None)


class MemoryHistory(MemoryFeed):
    """What a MemoryStore knows of runs that may be long gone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._records = Records(clock)

    def record(self, parts: Sequence[Part]) -> None:
        with self._changed:
            self._records.learn(parts)

    def _learn(self, run: Ledger, ask: Ask) -> None:
        """Unless this very call was heard before, or counts for nothing."""
        if ask.learned and answered(run, ask) is None and not is_stale(run, ask):
            self._records.learn(ask.learned)

    def known_records(self, families: Sequence[str]) -> list[Mapping[str, float]]:
        with self._changed:
            return [self._records.of(family) for family in families]

    def recorded(self, names: Sequence[str]) -> list[Recorded]:
        with self._changed:
            return [self._records.at(name) for name in names]

    def forget_history(self) -> int:
        with self._changed:
            return self._records.forget()


def compacted(samples: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those that stay, and those that go unrepresented: the latest groups have the most room."""
    groups: dict[str, list[str]] = {}
    for sample in samples:
        groups.setdefault(sample.partition(" ")[0], []).append(sample)
    kept: list[str] = []
    gone: list[str] = []
    share, room = NEWEST, 0
    for group in groups.values():
        room += share
        share = max(1, share // 2)
        left = min(room, MOST_SAMPLES - len(kept))
        some = _thinned(group, left) if left > 0 else []
        gone += group if left <= 0 else ()
        kept += some
        room -= len(some)
    return kept, gone


def bucket_of(value: float) -> int:
    return math.floor(STEPS * math.log(min(max(value, 1e-7), 1e7)))


def _thinned(samples: list[str], most: int) -> list[str]:
    """So many of a group, in order, each standing for as many as any other."""
    if len(samples) <= most:
        return samples
    parts = [sample.split(" ", 2) for sample in samples]
    each = sum([float(count) for _, count, _ in parts]) / most
    passed, due = 0.0, each / 2
    kept = []
    for group, count, rest in parts:
        times = 0
        passed += float(count)
        while passed > due:
            times += 1
            due += each
        if times:
            kept.append(f"{group} {each * times:.6g} {rest}")
    return kept
