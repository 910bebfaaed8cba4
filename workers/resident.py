"""What the workers of a host use of its memory, and when that is more than their task may have."""

from __future__ import annotations

import psutil

from wfnb.workers.cell import CellView
from wfnb.workers.supervisor import Slot
from wfnb.workers.verdicts import Sentence, too_much


class ResidentMemory:
    """Enforces the limit of each task by the resident size of its worker, as seen now and then."""

    def __init__(self) -> None:
        self._peaks: dict[int, tuple[tuple[str, str, int], int]] = {}
        """Of each worker's current task, by process."""

    def look(self, slot: Slot, view: CellView, *, whole_family: bool) -> Sentence | None:
        if view.memory_bytes is None or not view.task:
            return None
        found = resident_bytes(slot.pid, whole_family=whole_family)
        task = (view.run, view.task, view.attempt)
        last, peak = self._peaks.get(slot.pid, (task, 0))
        peak = max(found, peak) if last == task else found
        self._peaks[slot.pid] = task, peak
        return None if found <= view.memory_bytes else too_much(view, peak, view.memory_bytes)

    def at_death(self, slot: Slot, view: CellView, code: int) -> Sentence | None:
        """What the host as a whole had no memory for is nobody's limit."""
        del view, code
        self._peaks.pop(slot.pid, None)
        return None


def resident_bytes(pid: int, *, whole_family: bool) -> int:
    """Of a process, and of its descendants too, whose search takes some milliseconds."""
    try:
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if whole_family else ())]
    except psutil.Error:
        return 0
    total: int = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total
