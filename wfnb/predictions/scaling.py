"""From the size of worker that a time was measured with to another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from wfnb.resources import Resources

PARALLEL = 0.85
"""The usual exponent: n CPUs do parallel work n^0.85 times as fast."""
_UNLIMITED_BYTES = 16 << 30


class Observed(NamedTuple):
    """How much faster one function was with more CPUs."""

    exponent: float
    weight: float


def distance(one: Resources, other: Resources) -> float:
    """Between sizes, in logarithms of CPUs and of memory."""
    memory = math.log(_memory(one) / _memory(other))
    return math.hypot(math.log(one.cpus / other.cpus), memory / 4)


def factor(busy: float, measured: float, wanted: float, observed: Sequence[Observed] = ()) -> float:
    """By which a time changes with so many CPUs instead of those it was measured with.

    `busy` is CPU time by wall time, there. Never more than 1 where there are more CPUs.
    """
    ratio = wanted / measured
    if ratio == 1:
        return 1.0
    assumed = -math.log(_assumed(busy, measured, wanted)) / math.log(ratio)
    total = 1.0 + sum([one.weight for one in observed])
    seen = sum([one.exponent * one.weight for one in observed])
    return float(ratio ** -max(0.0, (assumed + seen) / total))


def exponent(faster: float, few: float, many: float) -> float:
    """What is observed where calls are so much faster with many CPUs than with few."""
    return min(max(math.log(faster) / math.log(many / few), 0.0), 1.0)


def _assumed(busy: float, measured: float, wanted: float) -> float:
    """Idle + serial + parallel * cpus^-b, where CPU time says what is which."""
    if busy <= 1.05:
        # One thread: less than a CPU slows it, more than one does nothing.
        running = min(1.0, busy / min(1.0, measured))
        return 1 - running + running * min(1.0, measured) / min(1.0, wanted)
    cpus = max(measured, busy)
    shrunk = cpus**-PARALLEL
    serial = min(max((1 - busy * shrunk) / (1 - shrunk), 0.0), 1.0)
    parallel = (1 - serial) / shrunk
    if wanted < 1:
        return float(serial + parallel) / wanted
    # Where more were busy than it had, nothing keeps it from them.
    return float(serial + parallel * max(wanted, cpus if measured < busy else 0.0) ** -PARALLEL)


def _memory(resources: Resources) -> int:
    return resources.memory_bytes or _UNLIMITED_BYTES
