"""Sees when the workers of a pool wait in runs, perhaps for others that find no place in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from wfnb.workers.cell import CellView


class Crowd:
    """Looks at the pool's cells every now and then, always at the same ones and new ones."""

    def __init__(self) -> None:
        self._before: list[tuple[int, int]] = []

    def waiting(self, views: Sequence[CellView]) -> list[int]:
        """The planned workers that have begun nothing since the last look, by their place.

        Whoever is in no run is about to take what there is, and does not wait.
        """
        now = [(view.joins, view.calls) for view in views]
        before, self._before = self._before, now
        return [
            place
            for place, (view, last) in enumerate(zip_longest(views, before))
            if view.is_planned and not view.task and now[place] == last
        ]
