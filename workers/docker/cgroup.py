"""What the kernel says of the container that this process is in; control groups 1 and 2.

The files are read-only in a container, so a peak is that of the container since its start.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_UNLIMITED_BYTES = 1 << 60
"""Version 1 writes no limit as the largest number of pages that it could count."""
_LONGEST_BYTES = 4096
_OOM_KILLS = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """Where a version keeps what, and under which names."""

    limit: str
    usage: str
    peak: str
    memory_stat: str
    reclaimable: str
    ooms: str
    cpu: str
    cpu_key: str
    cpu_per_second: float


_VERSION_1 = _Files(
    limit="memory/memory.limit_in_bytes",
    usage="memory/memory.usage_in_bytes",
    peak="memory/memory.max_usage_in_bytes",
    memory_stat="memory/memory.stat",
    reclaimable="total_inactive_file",
    ooms="memory/memory.oom_control",
    cpu="cpuacct/cpuacct.usage",
    cpu_key="",
    cpu_per_second=1e9,
)
_VERSION_2 = _Files(
    limit="memory.max",
    usage="memory.current",
    peak="memory.peak",
    memory_stat="memory.stat",
    reclaimable="inactive_file",
    ooms="memory.events",
    cpu="cpu.stat",
    cpu_key="usage_usec",
    cpu_per_second=1e6,
)


class Cgroup:
    """Figures are 0, or None, where the kernel does not give them."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        is_second = (root / "cgroup.controllers").exists()
        self._files = _VERSION_2 if is_second else _VERSION_1
        self._ooms: int | None = None

    def limit_bytes(self) -> int | None:
        limit = _number(self._read(self._files.limit))
        return limit if 0 < limit < _UNLIMITED_BYTES else None

    def used_bytes(self) -> int:
        """Without the files' pages that would be given up first."""
        usage = _number(self._read(self._files.usage))
        stat = self._read(self._files.memory_stat)
        return max(0, usage - _value_of(self._files.reclaimable, stat))

    def peak_bytes(self) -> int:
        """Linux before 5.19 has none in version 2: what is in use is the least that it was."""
        return _number(self._read(self._files.peak) or self._read(self._files.usage))

    def cpu_seconds(self) -> float:
        text, key = self._read(self._files.cpu), self._files.cpu_key
        return (_value_of(key, text) if key else _number(text)) / self._files.cpu_per_second

    def oom_kills(self) -> int:
        """Processes of the container that were killed because it had no memory left.

        Asked for after every call that was not brief: the file stays open.
        """
        if self._ooms is None:
            self._ooms = -1
            with suppress(OSError):
                self._ooms = os.open(self._root / self._files.ooms, os.O_RDONLY | os.O_CLOEXEC)
        text = os.pread(self._ooms, _LONGEST_BYTES, 0) if self._ooms >= 0 else b""
        found = _OOM_KILLS.search(text)
        return int(found[1]) if found else 0

    def _read(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
        except OSError:
            return b""


def _value_of(key: str, text: bytes) -> int:
    """In lines of a word and a number."""
    for line in text.splitlines():
        word, _, number = line.partition(b" ")
        if word == key.encode():
            return _number(number)
    return 0


def _number(text: bytes) -> int:
    digits = text.strip()
    return int(digits) if digits.isdigit() else 0
