"""How far from a prediction it may come: quantiles of past misses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wfnb.errors import OptionError
from wfnb.predictions.curves import HALF_LIFE_RUNS, Point
from wfnb.predictions.robust import (
    Weighted,
    deviation,
    mean,
    median,
    normal_quantile,
    quantile,
    tame,
)

COVERED = 0.9
"""Of intervals: so many of ten cases lie within."""
_USUAL_SIGMA, _USUAL_BETWEEN = 0.15, 0.03
"""Of calls of one run, and of runs."""
_AS_IF = 0.5
"""So many samples, or runs, the usual ones count for."""
_FEW = 10
"""With so many misses, half is believed to their own quantiles, half to their deviation."""
_FEW_RUNS = 0.8
"""What one run alone says of others is doubted so much: Student's quantiles, about."""
_STEP = 0.1
_LEAST, _MOST = 0.02, 0.3
"""Between these the share of cases outside may be moved by what past intervals missed."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Logarithms of real by predicted: of the runs, and of calls within a run."""

    within: Sequence[Weighted]
    """From the middle of their runs."""
    sigma: float
    """Of the same, with what is usual."""
    between: float
    """Of the middles of runs, which the next run may be off as a whole."""
    middle: float
    factor: float
    """By which a mean is more than a median."""
    outside: float = 1 - COVERED
    """Of the cases that 9 of 10 are meant to hold: adapted until they do."""

    @classmethod
    def of(
        cls, points: Sequence[Point], *, wider: float = 1.0, long_ago: Sequence[Weighted] = ()
    ) -> Spread:
        """`points` are misses: their y is the logarithm of real by predicted.

        `long_ago` are logarithms of real times of which no more is known.
        """
        if not points:
            return cls.guessed(wider * math.hypot(_USUAL_SIGMA, _USUAL_BETWEEN))
        runs: dict[int, list[Point]] = {}
        for point in points:
            runs.setdefault(point.age, []).append(point)
        middles = {age: median([(p.y, p.weight) for p in its]) for age, its in runs.items()}
        within = [(p.y - middles[p.age], p.now) for p in points]
        off = [(off, 0.5 ** (age / HALF_LIFE_RUNS)) for age, off in middles.items()]
        middle = mean(off) * len(off) / (len(off) + _AS_IF)
        freedom = len(points) - len(runs)
        squares = freedom * deviation(within) ** 2 + _AS_IF * _USUAL_SIGMA**2
        factor = mean([(math.exp(value), weight) for value, weight in tame(within)])
        return cls(
            [*within, *_centred(long_ago, sum([weight for _, weight in within]))],
            wider * math.sqrt(squares / (freedom + _AS_IF)),
            wider * _between([(value - middle, weight) for value, weight in off]),
            middle,
            factor,
            _adapted(points),
        )

    @classmethod
    def guessed(cls, sigma: float) -> Spread:
        return cls((), sigma, 0.0, 0.0, 1.0)

    def log_quantile(self, level: float) -> float:
        """Rises with the level."""
        level = 0.5 + (level - 0.5) * (1 - self.outside) / COVERED
        level = min(max(level, 1e-4), 1 - 1e-4)
        normal = normal_quantile(level)
        own = normal * self.sigma
        if count := len(self.within):
            # Of so few samples a quantile may lie outside all of them.
            seen = min(max(0.5 + (level - 0.5) * (count + 1) / count, 0.0), 1.0)
            among = quantile(self.within, seen) - quantile(self.within, 0.5)
            own += (among - own) * count / (count + _FEW)
        return self.middle + math.copysign(math.hypot(own, normal * self.between), normal)

    def log_at(self, sla: str) -> float:
        """What is added to a prediction's logarithm for this level of caution."""
        level = level_of(sla)
        return math.log(self.factor) if level is None else self.log_quantile(level)

    @property
    def log_interval(self) -> tuple[float, float]:
        return self.log_quantile((1 - COVERED) / 2), self.log_quantile((1 + COVERED) / 2)


def _centred(long_ago: Sequence[Weighted], weight: float) -> list[Weighted]:
    """All together they weigh a quarter: enough to know of what is rare."""
    if not long_ago:
        return []
    middle = median(long_ago)
    share = weight / 4 / sum([count for _, count in long_ago])
    return [(value - middle, count * share) for value, count in long_ago]


def _between(off: Sequence[Weighted]) -> float:
    total = sum([weight for _, weight in off])
    squares = sum([value**2 * weight for value, weight in off]) + _AS_IF * _USUAL_BETWEEN**2
    return math.sqrt(squares / (total + _AS_IF)) * (1 + _FEW_RUNS / len(off))


def level_of(sla: str) -> float | None:
    """None for the mean. Raises OptionError for what is neither mean nor percentile."""
    if sla == "mean":
        return None
    try:
        level = float(sla[1:]) / 100 if sla[:1] == "p" else -1.0
    except ValueError:
        level = -1.0
    if not 0 < level < 1:
        raise OptionError(f"sla={sla!r}: choose 'mean', or a percentile such as 'p50' or 'p90'")
    return level


def _adapted(points: Sequence[Point]) -> float:
    """More is left outside where past intervals held too many, less where they held too few."""
    outside = 1 - COVERED
    ages = sorted({point.age for point in points}, reverse=True)
    for age in ages[1:]:
        before = [(p.y, p.weight) for p in points if p.age > age]
        low, high = quantile(before, outside / 2), quantile(before, 1 - outside / 2)
        held_out = [point for point in points if point.age == age]
        missed = sum([p.weight for p in held_out if not low <= p.y <= high])
        share = missed / sum([p.weight for p in held_out])
        outside = min(max(outside + _STEP * (1 - COVERED - share), _LEAST), _MOST)
    return outside
