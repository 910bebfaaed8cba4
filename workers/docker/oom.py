"""Who was killed for memory in a container: the kernel counts it, and never guesses.

The exit of a container does not tell: it is 137 too when somebody kills it, and may be 0 when a
process that a task had started was killed.
"""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import replace
from threading import Lock

from wfnb.errors import ErrorRecord
from wfnb.workers.cell import Cell, CellView
from wfnb.workers.docker.cgroup import Cgroup
from wfnb.workers.supervisor import Slot
from wfnb.workers.verdicts import MORE_MEMORY, Sentence, too_much

BRIEF_SECONDS = 0.001
"""No process that a shorter call has started can have filled a container."""
_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")


class ContainerMemory:
    """The supervisor's side. The limit is the container's, and the kernel enforces it."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup

    def look(self, slot: Slot, view: CellView, *, whole_family: bool) -> Sentence | None:
        """Never a reason to kill."""
        del slot, view, whole_family
        return None

    def at_death(self, slot: Slot, view: CellView, code: int) -> Sentence | None:
        del slot
        if code != -signal.SIGKILL or self._cgroup.oom_kills() <= view.kills:
            return None
        limit = self._cgroup.limit_bytes() or view.memory_bytes or 0
        return too_much(view, self._cgroup.peak_bytes(), limit)


class ContainerWitness:
    """The worker's side: of a call that lives on, what has become of processes that it started."""

    def __init__(self, cgroup: Cgroup, cell: Cell) -> None:
        self._cgroup = cgroup
        self._cell = cell
        self._lock = Lock()
        self._kills = 0
        self._began_at = 0.0
        self._is_in_call = self._was_hit = False
        self._has_grown()
        cell.kills_from(self._kills)

    def start(self) -> None:
        self._began_at = time.monotonic()
        # Not later: the kernel counts a kill before it kills, and we may be the one to die.
        self._cell.kills_from(self._kills)
        self._is_in_call, self._was_hit = True, False

    def look(self) -> None:
        """From any thread. What the kernel has killed is told in the task's log, once."""
        with self._lock:
            if self._has_grown() and self._is_in_call and not self._was_hit:
                self._was_hit = True
                os.write(2, f"wfnb: {_killed('a process of this task', self._cgroup)}\n".encode())

    def end(self) -> None:
        if time.monotonic() - self._began_at > BRIEF_SECONDS:
            self.look()
        self._is_in_call = False

    def explained(self, record: ErrorRecord) -> ErrorRecord:
        if self._was_hit:
            told = f"{_killed(f'a process of {record.task}', self._cgroup)}: {MORE_MEMORY}"
            return replace(record, kind="memory", message=f"{record.message}\n{told}")
        if missing := _MISSING_MODULE.search(record.message):
            message = f"{record.message}\n{_remedy(missing[1])}"
            return replace(record, kind="raised", type="ModuleNotFoundError", message=message)
        return record

    def _has_grown(self) -> bool:
        before, self._kills = self._kills, self._cgroup.oom_kills()
        return self._kills > before


def _killed(whom: str, cgroup: Cgroup) -> str:
    limit, peak = cgroup.limit_bytes() or 0, cgroup.peak_bytes()
    return (
        f"the kernel killed {whom}: its container reached its memory limit "
        f"({peak / 1e6:,.1f} MB used, limit {limit / 1e6:,.1f} MB)"
    )


def _remedy(module: str) -> str:
    top = module.partition(".")[0]
    return (
        f"the container's image lacks {top}: name the package that brings it, "
        f'@task(requirements=["{top}"]), or have it in the image, '
        "wfnb image build --requirements FILE"
    )
