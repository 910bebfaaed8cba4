"""What one worker learns in one run, on its way to the store."""

from __future__ import annotations

import re
import time
from collections import Counter

from wfnb.events import Sample
from wfnb.history.upload import Upload
from wfnb.storage.graphs import Stored
from wfnb.storage.history import Histories, Part
from wfnb.storage.outputs import Archive
from wfnb.versions import number_given

MOST_OF_ONE = 4
"""Samples of one function in a report; where it has more tasks, some stand for all."""
MANY = 64
"""Samples of one function by this worker: from then on, one of each report stands for all."""
MOST_WAITING = 512
LEAST_BYTES = 4096
"""What moves less is part of a report, or takes no time."""
_EVERY = 8
_QUEUE = re.compile(r"([\d.e+-]+?)cpu(?:-(\d+))?(?:[-+].*)?")
_called_here: set[str] = set()
"""Code that this process has called: a first call loads modules and fills caches."""


class Recorder:
    """Collects samples of calls and of moved bytes; hands them in along with reports."""

    def __init__(self, archive: Archive, stored: Stored, *, queue: str) -> None:
        learning = stored.learning
        self.is_on = bool(learning.versions) and learning.upload != "off"
        self._run = archive.run
        self._graph = stored.graph
        self._versions = learning.versions
        self._given = learning.given
        self._size = learning.sizes.get(queue) or _size_of(queue)
        self._place = place_of(archive)
        self._upload = Upload.read(learning.upload)
        self._handed_at = time.time()
        self._handed_in_at = time.monotonic()
        self._calls: list[tuple[int, Sample, float]] = []
        self._parts: dict[str, list[str]] = {}
        self._waiting = 0
        self._taken: Counter[int] = Counter()
        self._moves: Counter[tuple[str, int]] = Counter()
        self._used: set[str] = set()

    def handed(self) -> None:
        """Claims have been handed out: from now on they wait for this worker."""
        self._handed_at = time.time()

    def called(self, at: int, sample: Sample) -> None:
        if self.is_on:
            self._calls.append((at, sample, self._handed_at))

    def expanded(self, at: int, count: int, sample: Sample) -> None:
        """A task has split iterables into so many items of its maps."""
        if not self.is_on:
            return
        for of_map in self._graph.maps_of[at]:
            family, code = self._versions[self._graph.maps[of_map].function]
            words = f"{self._run} 1 {max(count, 0.5):g} {sample.start_seconds:.0f}"
            self._add(f"{family}:{code}:items", f"{words} {sample.input_bytes} {count}")

    def moved(self, direction: str, size_bytes: int, seconds: float) -> None:
        """Bytes went up or down, or became a value or came of one: the first few, then some."""
        if size_bytes < LEAST_BYTES or not self.is_on:
            return
        group = size_class(size_bytes)
        seen = self._moves[direction, group]
        self._moves[direction, group] = seen + 1
        if seen < _EVERY or seen % _EVERY == 0:
            self._add(
                f"move-{self._place}:{direction}",
                move_words(group, seconds, time.time(), size_bytes),
            )

    def due(self) -> list[Part]:
        """What is to go along with this report."""
        if self._calls:
            self._sort_calls()
        if not self._waiting:
            return []
        passed = time.monotonic() - self._handed_in_at
        is_due = self._upload.is_due(seconds=passed, samples=self._waiting)
        return self._rest() if is_due or self._waiting >= MOST_WAITING else []

    def finish(self, store: Histories) -> None:
        """Hand in what no report took along: the worker leaves the run."""
        if rest := self._rest():
            store.record(rest)

    def _rest(self) -> list[Part]:
        if self._calls:
            self._sort_calls()
        names, parts = self._used, self._parts
        found = [Part(name, its, int(name not in names)) for name, its in parts.items()]
        names.update(parts)
        self._parts, self._waiting = {}, 0
        self._handed_in_at = time.monotonic()
        return found

    def _add(self, name: str, sample: str) -> None:
        self._parts.setdefault(name, []).append(sample)
        self._waiting += 1

    def _sort_calls(self) -> None:
        by_function: dict[int, list[tuple[int, Sample, float]]] = {}
        function_at = self._graph.function_at
        for call in self._calls:
            by_function.setdefault(function_at[call[0]], []).append(call)
        self._calls = []
        for function, calls in by_function.items():
            family, code = self._versions[function]
            name = f"{family}:{code}:{self._size}"
            if code not in _called_here:
                _called_here.add(code)
                self._add(name, self._words(calls.pop(0), 1, is_cold=True))
            most = MOST_OF_ONE if self._taken[function] < MANY else 1
            self._taken[function] += most
            for call, count in _some(calls, most):
                self._add(name, self._words(call, count))

    def _words(
        self, call: tuple[int, Sample, float], count: float, *, is_cold: bool = False
    ) -> str:
        at, sample, handed_at = call
        graph = self._graph
        given = (self._given[graph.base(at)] if self._given else 0) or number_given(graph, at)
        queue = max(0.0, sample.start_seconds - handed_at)
        return (
            f"{self._run} {count:.6g} {sample.call_seconds:.7g} {sample.start_seconds:.0f} "
            f"{sample.input_bytes + given} {sample.output_bytes} {sample.cpu_seconds:.7g} "
            f"{sample.load_seconds:.4g} {sample.save_seconds:.4g} {queue:.4g} {int(is_cold)}"
        )


def place_of(archive: Archive) -> str:
    """What tells links apart: whether big outputs are files of this host."""
    return "net" if archive.shared_folder is None else "host"


def size_class(size_bytes: int) -> int:
    """Transfers of one class differ by less than a factor of four."""
    return size_bytes.bit_length() // 2


def move_words(group: int, seconds: float, at_seconds: float, size_bytes: int) -> str:
    return f"c{group} 1 {max(seconds, 1e-7):.7g} {at_seconds:.0f} {size_bytes}"


def _some(
    calls: list[tuple[int, Sample, float]], most: int
) -> list[tuple[tuple[int, Sample, float], float]]:
    """From the middle of each of as many stretches, each standing for its stretch."""
    count = len(calls)
    if count <= most:
        return [(call, 1) for call in calls]
    middles = [(2 * part + 1) * count // (2 * most) for part in range(most)]
    return [(calls[middle], count / most) for middle in middles]


def _size_of(queue: str) -> str:
    """Of the workers that serve a queue which the plan did not name."""
    found = _QUEUE.fullmatch(queue)
    return f"{float(found[1]):g}-{found[2] or 0}" if found else "1-0"
