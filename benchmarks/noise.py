"""How many cores other programs used while a sample was taken (Linux)."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from benchmarks import processes

#: The mark of the peers' own runner: peers started by us see that our tree is not foreign.
MARK = "BENCH_RUN_ID"
KTHREADD = 2
#: CPU time is counted in ticks of 10 ms: a shorter window would say nothing.
SHORTEST_WINDOW_SECONDS = 0.25


def mark_environment() -> None:
    """Start this program again with a mark that /proc shows of it and of all it will start."""
    if MARK not in os.environ:
        os.environ[MARK] = f"{os.getpid()}-{time.time_ns()}"
        os.execv(sys.executable, sys.orig_argv)


def foreign_cpu_seconds() -> float:
    """CPU seconds of all user processes that are not ours, with the children they have reaped."""
    known = processes.table()
    ours = {pid for pid in known if pid == os.getpid() or _is_marked(pid)}

    def is_excluded(pid: int) -> bool:
        while pid in known:
            if pid in ours or KTHREADD in (pid, known[pid].parent):
                return True
            pid = known[pid].parent
        return False

    return sum(p.cpu_seconds for pid, p in known.items() if not is_excluded(pid))


def _is_marked(pid: int) -> bool:
    mark = f"{MARK}={os.environ.get(MARK, '')}".encode()
    try:
        return mark in (processes.PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False


class ForeignLoad:
    """`with ForeignLoad() as load: ...`; then `load.cores` is the mean of what others used."""

    cores = 0.0

    def __enter__(self) -> ForeignLoad:
        self._before, self._begin = foreign_cpu_seconds(), time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        time.sleep(max(0.0, self._begin + SHORTEST_WINDOW_SECONDS - time.monotonic()))
        used = foreign_cpu_seconds() - self._before
        self.cores = round(max(0.0, used) / (time.monotonic() - self._begin), 2)


def wait_for_quiet(max_cores: float, *, budget_seconds: float) -> float:
    """Wait until others are quiet or the budget is spent; says how many seconds it took."""
    begin = time.monotonic()
    while time.monotonic() - begin < budget_seconds:
        before, sampled = foreign_cpu_seconds(), time.monotonic()
        time.sleep(1.0)
        if (foreign_cpu_seconds() - before) / (time.monotonic() - sampled) <= max_cores:
            break
    return time.monotonic() - begin
