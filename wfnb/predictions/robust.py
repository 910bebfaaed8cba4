"""Figures that a few wild values do not move."""

from __future__ import annotations

from collections.abc import Sequence

Weighted = tuple[float, float]
"""A value and its weight."""

WILD = 3.5
"""In robust deviations: beyond, a value is left out of means."""
_TO_SIGMA = 1.4826
"""A normal distribution's standard deviation in median absolute ones."""
_LEAST_SIGMA = 0.02


def quantile(values: Sequence[Weighted], level: float) -> float:
    """Between the values, each taken to stand in the middle of its weight."""
    ordered = sorted(values)
    total = sum([weight for _, weight in ordered])
    wanted, passed = level * total, 0.0
    before: tuple[float, float] | None = None
    for value, weight in ordered:
        middle = passed + weight / 2
        if middle >= wanted:
            if before is None or middle <= before[0]:
                return value
            share = (wanted - before[0]) / (middle - before[0])
            return before[1] + share * (value - before[1])
        before, passed = (middle, value), passed + weight
    return ordered[-1][0]


def median(values: Sequence[Weighted]) -> float:
    return quantile(values, 0.5)


def deviation(values: Sequence[Weighted]) -> float:
    """A standard deviation, were it not for the wild ones."""
    middle = median(values)
    return _TO_SIGMA * median([(abs(value - middle), weight) for value, weight in values])


def tame(values: Sequence[Weighted]) -> list[Weighted]:
    """Without the wild ones."""
    middle, limit = median(values), WILD * max(deviation(values), _LEAST_SIGMA)
    return [one for one in values if abs(one[0] - middle) <= limit]


def mean(values: Sequence[Weighted]) -> float:
    return sum([value * weight for value, weight in values]) / sum([w for _, w in values])


def slope(points: Sequence[tuple[float, float, float]]) -> float:
    """Of a line through (x, y, weight): the median of those through two of them (Theil and Sen)."""
    slopes = []
    for at, (x, y, weight) in enumerate(points):
        for other_x, other_y, other_weight in points[at + 1 :]:
            if distance := abs(other_x - x):
                slopes.append(((other_y - y) / (other_x - x), weight * other_weight * distance))
    return median(slopes)


def normal_quantile(level: float) -> float:
    """Of the normal distribution, to one per cent (Tukey's lambda); rises with the level."""
    return float(4.91 * (level**0.14 - (1 - level) ** 0.14))


def rising(values: Sequence[Weighted]) -> list[float]:
    """The nearest sequence that never falls (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in values:
        count = 1
        while pools and pools[-1][0] >= value:
            before, its_weight, its_count = pools.pop()
            value = (value * weight + before * its_weight) / (weight + its_weight)
            weight, count = weight + its_weight, count + its_count
        pools.append((value, weight, count))
    return [value for value, _, count in pools for _ in range(count)]
