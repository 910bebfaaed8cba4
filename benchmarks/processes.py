"""What Linux says of processes: the tree below us, its memory, and how to end it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    is_zombie: bool
    cpu_seconds: float
    """Its own time and that of the children it has reaped."""


def table() -> dict[int, Process]:
    """All processes of this machine that could be read."""
    found = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid, ticks = int(entry.name), sum(map(int, fields[11:15]))
        found[pid] = Process(pid, int(fields[1]), fields[0] == "Z", ticks / TICKS_PER_SECOND)
    return found


def below(root: int) -> list[Process]:
    """Every descendant of `root`, parents before children."""
    children: dict[int, list[Process]] = {}
    for process in table().values():
        children.setdefault(process.parent, []).append(process)
    found, frontier = [], [root]
    while frontier:
        kids = children.get(frontier.pop(), [])
        found += kids
        frontier += [kid.pid for kid in kids]
    return found


def adopt_orphans() -> None:
    """Make detached processes started below stay below this one, so that none can be overlooked."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(*, grace_seconds: float = 5.0) -> int:
    """End all that runs below this process: ask, after the grace kill; says how many were alive."""
    met: set[int] = set()
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        told: set[int] = set()
        deadline = time.monotonic() + seconds
        while (alive := _reap_and_list()) and time.monotonic() < deadline:
            for pid in alive - told:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            told |= alive
            met |= alive
            time.sleep(0.02)
    return len(met)


def _reap_and_list() -> set[int]:
    me, alive = os.getpid(), set()
    for process in below(me):
        if not process.is_zombie:
            alive.add(process.pid)
        elif process.parent == me:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
    return alive


def memory_of_descendants_bytes() -> int:
    """Proportional memory of everything this process started (store, pool, workers)."""
    total = 0
    for process in below(os.getpid()):
        with contextlib.suppress(OSError):
            for line in (PROC / str(process.pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) << 10
    return total


def reset_peak_memory() -> None:
    with contextlib.suppress(OSError):
        (PROC / "self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    for line in (PROC / "self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return 0
