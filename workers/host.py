"""A host on which workers are processes among others."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence

from wfnb.storage.address import parse
from wfnb.workers.capture import Capture
from wfnb.workers.cell import Cell
from wfnb.workers.pool import PoolTerms
from wfnb.workers.resident import ResidentMemory
from wfnb.workers.serve import serve
from wfnb.workers.supervisor import MemoryWatch, Slot
from wfnb.workers.surroundings import stand_first


class Host:
    """Its workers find the user's modules, folder and environments, and share big outputs."""

    def __init__(self, terms: PoolTerms) -> None:
        self.memory: MemoryWatch = ResidentMemory()
        self.shares_files = parse(terms.store_url).is_local
        self._terms = terms

    def work(self, store_url: str, pool: str, cell: Cell, capture: Capture) -> None:
        stand_first(self._terms.environment)
        label = f"{platform.node()} pid {os.getpid()}"
        serve(store_url, pool, cell, capture, label, shares_files=self.shares_files)

    def shown(self, slots: Sequence[Slot]) -> tuple[str, Mapping[str, str]]:
        about = {"pid": str(os.getpid()), "slots": str(len(slots)), "host": platform.node()}
        return self._terms.pool, about | {"environment": self._terms.environment}
