"""What workers use at the moment: containers tell it themselves, of processes their host does."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from wfnb.storage import Store

LOOK_SECONDS = 1.0
_PROCESS = re.compile(r"(?P<host>\S+) pid (?P<pid>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One worker's; None for what nobody knows."""

    container: str = ""
    """Twelve digits of its id; "" for a process."""
    image: str = ""
    state: str = ""
    """idle, busy or waiting: in a run that has nothing ready for it."""
    cpus: float | None = None
    cpu_percent: float | None = None
    """100 is one CPU."""
    memory_bytes: int | None = None
    peak_bytes: int | None = None
    limit_bytes: int | None = None
    start_seconds: float | None = None
    """From its container being asked for until Python ran in it."""
    calls: int | None = None
    """Of tasks, since it started, in all runs."""


class Loads:
    """Looks at most once a second, however often it is asked: one read of the store at a time."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._known: Mapping[str, Load] = {}
        self._due = 0.0
        self._processes: dict[int, psutil.Process] = {}

    def look(self, labels: Iterable[str]) -> Mapping[str, Load]:
        """By label, as runs call their workers."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + LOOK_SECONDS
            self._known = self._looked(list(labels))
        return self._known

    def _looked(self, labels: list[str]) -> Mapping[str, Load]:
        pids = {label: pid for label in labels if (pid := _pid(label))}
        found = {label: self._of_process(pid) for label, pid in pids.items()}
        self._processes = {
            pid: known for pid, known in self._processes.items() if pid in {*pids.values()}
        }
        if len(pids) < len(labels):
            found.update(told_loads(self._store().pools()))
        return {label: load for label, load in found.items() if load is not None}

    def _of_process(self, pid: int) -> Load | None:
        with suppress(psutil.Error):
            process = self._processes.get(pid) or psutil.Process(pid)
            is_known = pid in self._processes
            self._processes[pid] = process
            percent = process.cpu_percent()  # since the last time; the first one says nothing
            return Load(
                cpu_percent=percent if is_known else None, memory_bytes=process.memory_info().rss
            )
        self._processes.pop(pid, None)
        return None


def told_loads(announced: Mapping[str, Mapping[str, str]]) -> dict[str, Load]:
    """What containers say of themselves, among all that is announced."""
    return {
        label: Load(
            container=about["container"][:12],
            image=about.get("image", ""),
            state=about.get("state", ""),
            cpus=_number(about, "cpus"),
            cpu_percent=_number(about, "cpu_percent"),
            memory_bytes=_whole(about, "used_bytes"),
            peak_bytes=_whole(about, "peak_bytes"),
            limit_bytes=_whole(about, "memory_bytes"),
            start_seconds=_number(about, "cold_seconds"),
            calls=_whole(about, "calls"),
        )
        for label, about in announced.items()
        if about.get("entry") == "container"
    }


def _pid(label: str) -> int | None:
    """Of a process of this host."""
    match = _PROCESS.fullmatch(label)
    return int(match["pid"]) if match and match["host"] == platform.node() else None


def _number(about: Mapping[str, str], name: str) -> float | None:
    with suppress(ValueError):
        return float(about[name]) if about.get(name) else None
    return None


def _whole(about: Mapping[str, str], name: str) -> int | None:
    number = _number(about, name)
    return None if number is None else round(number)
