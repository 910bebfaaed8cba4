"""Tasks that a worker has finished and not reported yet: what goes along with the next report."""

from __future__ import annotations

from dataclasses import dataclass, field

from wfnb.role import Role
from wfnb.steps import Called
from wfnb.storage.records import Finished
from wfnb.tasks import TaskId

MOST_FINISHED = 128
"""What one call reports at most; it keeps the store's answer to others short."""
SHORT_SECONDS = 0.002
"""So long may finished tasks wait to be reported with the next ones."""
TRANSFER_BYTES_PER_SECOND = 5e8
"""A big output may wait as long as it would take to move it: its reader may come up here."""
BIG_BYTES = 64 * 1024
_MOST_SIBLINGS = 8


@dataclass(slots=True)
class Batch:
    """Tasks finished here and not reported yet."""

    role: Role
    finished: dict[int, Finished] = field(default_factory=dict)
    seconds: float = 0.0
    waiting_bytes: int = 0
    """Of big outputs whose only reader may well come up here."""
    _left: dict[int, int] = field(default_factory=dict)
    _reading: dict[int, int] = field(default_factory=dict)

    def add(self, at: int, attempt: int, called: Called, *, became: bool) -> list[int]:
        """Take a finished task in; returns the readers whose every input is now in this batch."""
        graph = self.role.graph
        readers = graph.readers_at[at]
        self.finished[at] = Finished(
            task=graph.ids[at],
            attempt=attempt,
            became=became,
            readers=[graph.ids[reader] for reader in readers],
            is_target=graph.is_target_at[at],
        )
        self._reading[at] = graph.readings(at)
        self.seconds += called.seconds
        if called.output_bytes >= BIG_BYTES and self._has_near_reader(at):
            self.waiting_bytes += called.output_bytes
        for read in graph.inputs_at[at]:
            if read in self._reading:
                self._reading[read] -= 1
        # What was tried before may have gone down with a reader that it became: that is claimed
        # first now, or one that kills its workers would do so for ever.
        return [reader for reader in readers if self._is_complete(reader)] if attempt == 1 else []

    def is_due(self) -> bool:
        if len(self.finished) >= MOST_FINISHED:
            return True
        return self.seconds > SHORT_SECONDS + self.waiting_bytes / TRANSFER_BYTES_PER_SECOND

    def to_save(self) -> list[Finished]:
        """Outputs that somebody will read who has not read them in this batch.

        Those that only this planned worker's own tasks read are held: saved nowhere, only marked.
        What a held one was made from is read again if this worker is lost: it stays as long.
        """
        left, held = [], set[int]()
        for at in reversed(self.finished):
            record = self.finished[at]
            record.unread = self._reading[at]
            if held:
                record.unread += sum(reader in held for reader in self.role.graph.readers_at[at])
            if not record.is_target and not record.unread:
                continue
            left.append(record)
            if self._stays_here(at):
                record.held = True
                held.add(at)
        return left[::-1]

    def siblings(self) -> list[TaskId]:
        """What the readers of this batch's big outputs miss: it is best computed here."""
        if not self.waiting_bytes:
            return []
        graph = self.role.graph
        wanted = [
            graph.ids[other]
            for at in self.finished
            if self._reading[at] > 0 and self._has_near_reader(at)
            for other in graph.inputs_at[graph.readers_at[at][0]]
            if other not in self.finished
        ]
        return wanted[:_MOST_SIBLINGS]

    def _stays_here(self, at: int) -> bool:
        if not self.role.is_planned or self.finished[at].is_target:
            return False
        graph = self.role.graph
        if graph.base(at) != at or graph.readings(at) != len(graph.readers_at[at]):
            return False  # items read it, wherever they run
        role = self.role
        return all(role.may_take(to) and not role.may_move(to) for to in graph.readers_at[at])

    def _has_near_reader(self, at: int) -> bool:
        readers = self.role.graph.readers_at[at]
        return len(readers) == 1 and len(self.role.graph.inputs_at[readers[0]]) <= _MOST_SIBLINGS

    def _is_complete(self, reader: int) -> bool:
        graph = self.role.graph
        left = self._left.get(reader)
        if left is None:
            left = len(graph.inputs_at[reader])
        self._left[reader] = left - 1
        role = self.role
        if left > 1 or not role.may_take(reader) or role.stands_alone(reader):
            return False
        return not role.is_careful(reader) and not role.is_limited(reader)
