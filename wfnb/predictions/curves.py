"""How something grows with the bytes that a task reads: candidates, and which of them is best."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wfnb.predictions.robust import median, rising, slope

HALF_LIFE_RUNS = 2.0
_OLDEST = 99
_DECAY: tuple[float, ...] = tuple([0.5 ** (age / HALF_LIFE_RUNS) for age in range(_OLDEST + 1)])
STEEPEST = 2.0
_FEWEST = 5
"""Samples that a power law is learnt from."""
_LEAST_SPREAD = 1.5
"""Between the most and the fewest bytes they read."""
_DOUBT = {"last run": 1.0, "median": 1.0, "power law": 1.03, "nearest": 1.06}
"""What can follow any points has to be better by so much."""
_MOST_PARTS = 8
_GROUPS = 16
_NEAREST = 5
_HOLD_OUTS, _MOST_HELD_OUT = 4, 200
"""Runs that candidates are tried on: more of them where each is short."""


class Point(NamedTuple):
    age: int
    """Runs since; 0 is the newest."""
    x: float
    """Bytes read."""
    y: float
    """Logarithm of what is to be predicted."""
    weight: float
    wait: float = 0.0
    """Logarithm of wall time by what is to be predicted."""

    @property
    def now(self) -> float:
        """What it weighs now."""
        return self.weight * _DECAY[min(self.age, _OLDEST)]


@dataclass(frozen=True, slots=True)
class Curve:
    """Straight between knots in logarithms of bytes; beyond the last ones it goes on so steeply."""

    xs: tuple[float, ...]
    """Logarithms of bytes, rising."""
    ys: tuple[float, ...]
    """Logarithms too; they never fall."""
    steepness: float = 0.0
    """Below the first knot and above the last."""

    @property
    def is_flat(self) -> bool:
        return len(self.xs) == 1 and not self.steepness

    def at(self, size_bytes: float) -> float:
        """The logarithm of what is expected where so many bytes are read."""
        return self.at_log(log_of(size_bytes))

    def at_log(self, x: float) -> float:
        xs, ys = self.xs, self.ys
        if x <= xs[0]:
            return ys[0] + self.steepness * (x - xs[0])
        if x >= xs[-1]:
            return ys[-1] + self.steepness * (x - xs[-1])
        right = bisect_right(xs, x)
        share = (x - xs[right - 1]) / (xs[right] - xs[right - 1])
        return ys[right - 1] + share * (ys[right] - ys[right - 1])


@dataclass(frozen=True, slots=True)
class Chosen:
    """A curve, and how it came to be."""

    curve: Curve
    name: str
    scores: Mapping[str, float]
    """Of each candidate: how far off it was, as a mean of logarithms, on runs it did not know."""
    misses: Sequence[Point]
    """Logarithms of real by predicted of runs that the curve's kind did not know."""


Fitter = Callable[[Sequence[Point]], Curve]


def choose(points: Sequence[Point], *, io: str | None = None) -> Chosen:
    """The candidate that was best on the newest runs, made anew from all."""
    candidates = _candidates(io, learns=len(points) >= _FEWEST)
    misses: dict[str, list[Point]] = {name: [] for name in candidates}
    for known, held_out in _hold_outs(points):
        for name, fit in candidates.items():
            curve = fit(known)
            misses[name] += [p._replace(y=p.y - curve.at(p.x)) for p in held_out]
    scores = {name: _score(its) for name, its in misses.items() if its}
    best = min(scores, key=lambda name: scores[name] * _DOUBT[name]) if scores else "last run"
    return Chosen(candidates[best](points), best, scores, misses[best])


def _candidates(io: str | None, *, learns: bool) -> dict[str, Fitter]:
    """In the order in which they are preferred where they are equally good."""
    candidates: dict[str, Fitter] = {"last run": _last_run, "median": _median}
    declared = _exponent(io)
    if declared is not None:
        candidates["power law"] = lambda points: _line(points, declared)
    elif learns:
        candidates["power law"] = _power
    return candidates | ({"nearest": _near} if learns else {})


def _exponent(io: str | None) -> float | None:
    if io is None:
        return None
    return {"constant": 0.0, "linear": 1.0}.get(io) if ":" not in io else float(io[6:])


def _hold_outs(points: Sequence[Point]) -> list[tuple[list[Point], list[Point]]]:
    """What was known before each of the newest runs, and that run; of few points, each in turn."""
    ages = sorted({point.age for point in points})
    found = []
    for age in ages[: max(_HOLD_OUTS, _MOST_HELD_OUT // len(points))]:
        known = [p._replace(age=p.age - age) for p in points if p.age > age]
        if len(known) >= _FEWEST:
            found.append((known, [p for p in points if p.age == age]))
    if found or len(points) < 2:
        return found
    parts = min(len(points), _MOST_PARTS)
    ordered = sorted(points, key=lambda point: point.x)
    return [
        ([p for n, p in enumerate(ordered) if n % parts != part], ordered[part::parts])
        for part in range(parts)
    ]


def _score(misses: Sequence[Point]) -> float:
    """Each run counts half of the one after it."""
    weights = [point.weight * 0.5**point.age for point in misses]
    return sum([abs(p.y) * w for p, w in zip(misses, weights, strict=True)]) / sum(weights)


def _flat(values: Sequence[tuple[float, float]]) -> Curve:
    return Curve((0.0,), (median(values),))


def _last_run(points: Sequence[Point]) -> Curve:
    newest = min(point.age for point in points)
    return _flat([(point.y, point.weight) for point in points if point.age == newest])


def _median(points: Sequence[Point]) -> Curve:
    return _flat([(point.y, point.now) for point in points])


def _power(points: Sequence[Point]) -> Curve:
    groups = _grouped(points)
    if not _is_spread(points) or len(groups) < 2:
        return _median(points)
    return _line(points, min(max(slope(groups), 0.0), STEEPEST))


def _line(points: Sequence[Point], steepness: float) -> Curve:
    """Of this exponent, as high as the points say."""
    left = [(point.y - steepness * log_of(point.x), point.now) for point in points]
    return Curve((0.0,), (median(left),), steepness)


def _near(points: Sequence[Point]) -> Curve:
    """At each group, the median of those nearest to it; it never falls."""
    if not _is_spread(points):
        return _median(points)
    groups = _grouped(points)
    ordered = sorted((log_of(point.x), point.y, point.now) for point in points)
    xs = [x for x, _, _ in ordered]
    knots = []
    for x, _, weight in groups:
        at = bisect_right(xs, x)
        around = ordered[max(0, at - _NEAREST) : at + _NEAREST]
        nearest = sorted(around, key=lambda one: abs(one[0] - x))[:_NEAREST]
        knots.append((median([(y, now) for _, y, now in nearest]), weight))
    return Curve(tuple(x for x, _, _ in groups), tuple(rising(knots)))


def _is_spread(points: Sequence[Point]) -> bool:
    sizes = {point.x for point in points}
    return max(sizes) >= _LEAST_SPREAD * max(min(sizes), 1.0)


def _grouped(points: Sequence[Point]) -> list[tuple[float, float, float]]:
    """A few groups of like size: mean of x, median of y, weight."""
    ordered = sorted(points, key=lambda point: point.x)
    each = max(1, -(-len(ordered) // _GROUPS))
    groups: list[tuple[float, float, float]] = []
    for first in range(0, len(ordered), each):
        some = ordered[first : first + each]
        x = sum([log_of(point.x) for point in some]) / len(some)
        y = median([(point.y, point.now) for point in some])
        weight = sum([point.now for point in some])
        if groups and x <= groups[-1][0] + 1e-9:
            old_x, old_y, old = groups.pop()
            x, y, weight = old_x, (old_y * old + y * weight) / (old + weight), old + weight
        groups.append((x, y, weight))
    return groups


def log_of(size_bytes: float) -> float:
    return math.log(size_bytes) if size_bytes > 1 else 0.0
