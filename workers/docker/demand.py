"""How many launch requests nobody takes, of which kinds of containers, and since when."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from wfnb.workers.docker.kinds import Kind


class Demand:
    """Made from counts of what is in the launch lists, one look after another."""

    def __init__(self) -> None:
        self.kinds: Collection[Kind] = ()
        """All that may be asked for."""
        self._now: Mapping[Kind, int] = {}
        self._before: Mapping[Kind, int] = {}
        self._since: dict[Kind, float] = {}
        self._served: dict[Kind, float] = {}
        self.dismissed: set[Kind] = set()
        """Kinds in whose list there is a request for one of them to go: that is no demand."""

    def look(self, waiting: Mapping[Kind, int], now: float) -> None:
        self.kinds = waiting.keys()
        found = {kind: count - (kind in self.dismissed) for kind, count in waiting.items()}
        self._before, self._now = self._now, {k: count for k, count in found.items() if count > 0}
        for kind, count in found.items():
            if count > 0:
                self._since.setdefault(kind, now)
            else:
                self._since.pop(kind, None)

    @property
    def total(self) -> int:
        return sum(self._now.values())

    def waiting(self, kind: Kind) -> int:
        return self._now.get(kind, 0)

    def served(self, kind: Kind, now: float) -> None:
        """It has had its turn."""
        self._served[kind] = self._since[kind] = now

    def unmet(self, settled: Collection[Kind]) -> dict[Kind, int]:
        """Of kinds in the order of their turns.

        Where a worker is, it may be about to take what has just come: there only what was seen
        before as well counts.
        """
        found = {
            kind: min(count, self._before.get(kind, 0)) if kind in settled else count
            for kind, count in self._now.items()
        }
        turns = sorted(found, key=lambda kind: self._served.get(kind, 0.0))
        return {kind: found[kind] for kind in turns if found[kind]}

    def waited(self, now: float) -> dict[Kind, float]:
        return {kind: now - since for kind, since in self._since.items()}
