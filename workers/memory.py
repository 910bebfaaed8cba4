"""A worker's copies of outputs: encoded, so that no task sees what another does to its inputs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pickle import PickleBuffer

from wfnb.codec import Encoded
from wfnb.tasks import TaskId
from wfnb.workers.call import Outcome

MOST_BYTES = 512 << 20
_ENTRY_BYTES = 200
"""What keeping even an empty output takes."""


class Memory:
    """Outputs by name, the oldest forgotten first; what is nowhere else stays."""

    def __init__(self) -> None:
        self._kept: dict[TaskId, Encoded] = {}
        self._bytes = 0
        self._only_here: set[TaskId] = set()

    def __contains__(self, name: TaskId) -> bool:
        return name in self._kept

    def __getitem__(self, name: TaskId) -> Encoded:
        return self._kept[name]

    def keep(self, name: TaskId, encoded: Encoded, *, is_elsewhere: bool) -> None:
        self.forget(name)
        self._kept[name] = encoded
        self._bytes += encoded.size_bytes + _ENTRY_BYTES
        if not is_elsewhere:
            self._only_here.add(name)

    def saved(self, name: TaskId) -> None:
        """It is elsewhere too from now on."""
        self._only_here.discard(name)

    def forget(self, name: TaskId) -> None:
        encoded = self._kept.pop(name, None)
        if encoded is not None:
            self._bytes -= encoded.size_bytes + _ENTRY_BYTES
            self._only_here.discard(name)

    def make_room(self, needed: Iterable[TaskId]) -> None:
        if self._bytes <= MOST_BYTES:
            return
        stays = self._only_here.union(needed)
        for name in [name for name in self._kept if name not in stays]:
            self.forget(name)
            if self._bytes <= MOST_BYTES:
                return


def settled(encoded: Encoded, outcome: Outcome) -> Encoded:
    """The output as it is now, whatever its task's module still does with the object it returned.

    Copying is spared where nobody can do anything: the value is an array that owns its data, and
    the outcome and the encoded view hold the only references to it.
    """
    if not encoded.buffers or _is_ours_alone(outcome):
        return encoded
    return encoded.owned()


def _is_ours_alone(outcome: Outcome) -> bool:
    kind = type(outcome.value)
    if kind.__module__ != "numpy" or kind.__name__ != "ndarray" or outcome.value.base is not None:
        return False
    return _references(outcome) <= _REFERENCES_TO_OURS


def _references(outcome: Outcome) -> int:
    return sys.getrefcount(outcome.value)


def _references_to_ours() -> int:
    """Counted on a stand-in: what the interpreter itself adds differs from version to version."""
    outcome = Outcome(bytearray(1), None, 0.0, 0.0)
    view = PickleBuffer(outcome.value).raw()
    count = _references(outcome)
    del view
    return count


_REFERENCES_TO_OURS = _references_to_ours()
