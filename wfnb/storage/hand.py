"""What one call gives a worker."""

from __future__ import annotations

from collections.abc import Sequence

from wfnb.graph import TaskId


class Hand:
    """What a worker is being given: several tasks only if all are of functions it calls short."""

    def __init__(self, most: int, short: Sequence[str] | None) -> None:
        self.taken: dict[TaskId, str] = {}
        self._most = most
        self._short = None if short is None else frozenset(short)

    @property
    def room(self) -> int:
        """For so many more, if they are short."""
        return self._most - len(self.taken) if all(map(self._is_short, self.taken)) else 0

    def fits(self, task: TaskId) -> bool:
        if len(self.taken) >= self._most:
            return False
        return not self.taken or (self._is_short(task) and all(map(self._is_short, self.taken)))

    def _is_short(self, task: TaskId) -> bool:
        return self._short is None or task.rpartition("-")[0] in self._short
