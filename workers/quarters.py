"""Where a pool's workers live: among a host's processes, or in a container of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from wfnb.workers.capture import Capture
from wfnb.workers.cell import Cell
from wfnb.workers.supervisor import MemoryWatch, Slot


class Quarters(Protocol):
    """What differs from place to place."""

    memory: MemoryWatch
    shares_files: bool
    """Whether outputs may lie in files that others who use the store see."""

    def work(self, store_url: str, pool: str, cell: Cell, capture: Capture) -> None:
        """Be a worker, in a process of its own."""
        ...

    def shown(self, slots: Sequence[Slot]) -> tuple[str, Mapping[str, str]]:
        """As what the pool announces itself, and what others may know of it."""
        ...
