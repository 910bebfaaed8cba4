"""What runs have shown of functions and of transfers, kept from run to run in bounded records.

A record is named "<family>:<rest>". Its samples are texts, "group count value ...": a group is a
run, or a class of sizes; count says for how many like it a sample stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

HISTORY_SECONDS = 90 * 86400.0
"""Since a record's last use."""
MOST_LISTED = 128
"""Then they are thinned out."""
MOST_SAMPLES = 64
NEWEST = 32
"""Of the latest group; its predecessor has half of that, and so on."""
MOST_RECORDS = 1000
"""Those used least recently go."""
MOST_OF_FAMILY = 24
STEPS = 8
"""Buckets an e-fold, in which values of samples that have gone are counted."""


class Part(NamedTuple):
    """What is new of one record."""

    name: str
    samples: Sequence[str]
    """In the order in which they were taken."""
    is_first: int = 0
    """1 once a worker and run: the record counts as used."""


@dataclass(frozen=True, slots=True)
class Recorded:
    samples: Sequence[str]
    """The latest first."""
    old: Mapping[int, float] = field(default_factory=dict)
    """Of those that have gone: logarithm of the value, times STEPS -> how many."""


class Histories(Protocol):
    """Records of past runs: most of what is new comes along with completions."""

    def record(self, parts: Sequence[Part]) -> None:
        """Keep samples that go along with no completion."""
        ...

    def known_records(self, families: Sequence[str]) -> list[Mapping[str, float]]:
        """Of each family, rests of its records' names -> last use, in seconds."""
        ...

    def recorded(self, names: Sequence[str]) -> list[Recorded]: ...

    def forget_history(self) -> int:
        """How many records there were."""
        ...
