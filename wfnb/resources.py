"""How much of a machine a task may use."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wfnb.errors import OptionError

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Resources:
    """CPUs and memory of one worker while it runs a task, and whether it may use the network.

    `memory` is bytes, or a text such as "512MB" (10^6) or "2GiB" (2^30); None sets no limit.
    `network` matters to containers, which otherwise reach nothing but the store.
    """

    cpus: float = 1
    memory: str | int | None = None
    network: bool = False

    def __post_init__(self) -> None:
        is_number = isinstance(self.cpus, (int, float)) and not isinstance(self.cpus, bool)
        if not is_number or not 0 < self.cpus < float("inf"):
            raise OptionError(f"cpus={self.cpus!r}: give a positive number, such as 1 or 0.5")
        if self.memory is not None and bytes_of(self.memory) <= 0:
            raise OptionError(f"memory={self.memory!r}: give a positive size, such as '512MB'")
        if not isinstance(self.network, bool):
            raise OptionError(f"network={self.network!r}: choose from True, False")

    @property
    def memory_bytes(self) -> int | None:
        return None if self.memory is None else bytes_of(self.memory)

    def __str__(self) -> str:
        cpus = f"{self.cpus:g} cpu" if self.cpus == 1 else f"{self.cpus:g} cpus"
        words = [cpus] if self.memory is None else [cpus, str(self.memory)]
        return ", ".join([*words, "network"] if self.network else words)


def bytes_of(size: str | int) -> int:
    """Read "512MB" as 512,000,000 and "1GiB" as 2^30; a number is bytes already."""
    if isinstance(size, bool) or not isinstance(size, (int, str)):
        raise OptionError(f"memory={size!r}: give bytes as int, or a text such as '512MB'")
    if isinstance(size, int):
        return size
    match = _QUANTITY.fullmatch(size)
    unit = match and _UNITS.get(match[2].upper())
    if not match or not unit:
        raise OptionError(f"memory={size!r}: write a number and a unit, such as '512MB' or '2GiB'")
    return int(float(match[1]) * unit)
