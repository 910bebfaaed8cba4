"""The life of a worker in its container: what it shows, what it may use, and what ends it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from wfnb.workers.capture import Capture
from wfnb.workers.cell import Cell, CellView
from wfnb.workers.docker.cgroup import Cgroup
from wfnb.workers.docker.kinds import kind_of
from wfnb.workers.docker.letter import KEPT_AS, Letter
from wfnb.workers.docker.oom import ContainerMemory, ContainerWitness
from wfnb.workers.pool import PoolTerms, keep_pool
from wfnb.workers.serve import serve
from wfnb.workers.supervisor import MemoryWatch, Slot
from wfnb.workers.surroundings import are_installed, own_folder

_VICTIM = "500"
"""Of the kernel's thousand: when memory is short, the task dies, and not who watches over it."""


def live(letter: Letter) -> int:
    """Be a pool of one worker until nobody needs it; the process's exit code."""
    _settle(letter)
    terms = PoolTerms(
        store_url=letter.store_url,
        pool=letter.launches,
        slots=1,
        idle_seconds=letter.idle_seconds,
        is_shared=False,
    )
    return keep_pool(terms, Container(letter, Cgroup()))


class Container:
    """Its worker sees no files but its own, and its limits are the kernel's business."""

    shares_files = False

    def __init__(self, letter: Letter, cgroup: Cgroup) -> None:
        self.memory: MemoryWatch = ContainerMemory(cgroup)
        self._letter = letter
        self._cgroup = cgroup
        self._kind = kind_of(letter.launches)
        self._pool = os.getpid()
        self._began_at = time.time()
        self._last: tuple[float, float, int] | None = None
        """When somebody looked last, the CPU seconds by then, and the calls."""

    def work(self, store_url: str, pool: str, cell: Cell, capture: Capture) -> None:
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_VICTIM)
        are_installed(os.environ.get("PYTHONPATH", "").split(os.pathsep))
        witness = ContainerWitness(self._cgroup, cell)
        label = self._letter.label
        serve(store_url, pool, cell, capture, label, shares_files=False, witness=witness)
        os.kill(self._pool, signal.SIGTERM)  # dismissed, and the container with it
        signal.pause()

    def shown(self, slots: Sequence[Slot]) -> tuple[str, Mapping[str, str]]:
        view = slots[0].cell.view()
        percent, state = self._since_last(view)
        letter, kind = self._letter, self._kind
        limit = self._cgroup.limit_bytes() or letter.memory_bytes or 0
        return letter.label, {
            "entry": "container",
            "container": letter.label.rpartition(" ")[2],
            "launches": letter.launches,
            "image": kind.image,
            "kind": str(kind),
            "cpus": f"{kind.cpus:g}",
            "memory_bytes": str(limit),
            "used_bytes": str(self._cgroup.used_bytes()),
            "peak_bytes": str(self._cgroup.peak_bytes()),
            "cpu_percent": f"{percent:.1f}",
            "state": state,
            "run": view.run,
            "task": view.task,
            "joins": str(view.joins),
            "calls": str(view.calls),
            "started_at": f"{self._began_at:.3f}",
            "cold_seconds": f"{self._began_at - letter.asked_at:.3f}",
        }

    def _since_last(self, view: CellView) -> tuple[float, str]:
        now, cpu = time.monotonic(), self._cgroup.cpu_seconds()
        then, cpu_then, calls = self._last or (now, cpu, view.calls)
        self._last = now, cpu, view.calls
        percent = 100 * (cpu - cpu_then) / (now - then) if now > then else 0.0
        if not view.run:
            return percent, "idle"
        is_waiting = view.is_planned and not view.task and view.calls == calls
        return percent, "waiting" if is_waiting else "busy"


def _settle(letter: Letter) -> None:
    """From here on everything is where any worker looks for it; only memory holds the key."""
    folder = own_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = folder / "key"
    if letter.key:
        key.unlink(missing_ok=True)
        with open(key, "xb", opener=_private) as file:
            file.write(bytes.fromhex(letter.key))
    os.environ |= {
        "WFNB_KEY_FILE": str(key),
        "WFNB_STORE": letter.store_url,
        "WFNB_ASKED_AT": str(letter.asked_at),
        "XDG_STATE_HOME": str(folder),
        KEPT_AS: replace(letter, key="").to_line().decode().strip(),
    }


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
