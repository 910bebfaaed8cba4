"""What moving bytes and starting workers takes; quantiles are of time, never of speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from wfnb.forecast import Link, Site
from wfnb.history import Move
from wfnb.predictions.robust import Weighted, mean, median, quantile, tame
from wfnb.predictions.spreads import level_of
from wfnb.storage import Start

_USUAL = {"up": (0.0003, 1.0e9), "down": (0.0003, 0.7e9), "dump": (0.0, 4e9), "load": (0.0, 2e9)}
"""Of a store on the same host: seconds, bytes a second."""
_USUAL_HAND_OFF_SECONDS = 0.0003
_USUAL_COLD_SECONDS, _USUAL_WARM_SECONDS = 0.5, 0.005
_HALF_LIFE_SECONDS = 7 * 86400.0
_ROUNDS = 12
_LEAST_SECONDS = 1e-9
_LEAST_BYTE_SECONDS = 1e-13
_NEAR = 0.1
"""Misses below this share of a time all weigh the same."""


def site_of(
    moves: Mapping[str, Sequence[Move]], starts: Sequence[Start], *, sla: str, workers: int
) -> Site:
    lines = {name: line_of(moves.get(name, ()), name, sla) for name in _USUAL}
    (up, up_byte), (down, down_byte) = lines["up"], lines["down"]
    hand_off = [(move.seconds, 1.0) for move in moves.get("hand-off", ())]
    return Site(
        link=Link(
            up_latency_seconds=up,
            up_bytes_per_second=1 / up_byte,
            down_latency_seconds=down,
            down_bytes_per_second=1 / down_byte,
            dump_bytes_per_second=1 / lines["dump"][1],
            load_bytes_per_second=1 / lines["load"][1],
        ),
        hand_off_seconds=time_at(hand_off, sla) if hand_off else _USUAL_HAND_OFF_SECONDS,
        warm_seconds=_start(starts, sla, is_cold=False),
        cold_seconds=_start(starts, sla, is_cold=True),
        workers=workers,
    )


def line_of(moves: Sequence[Move], direction: str, sla: str) -> tuple[float, float]:
    """Seconds, and seconds a byte: those of the middle case, times how much longer this one is.

    What few bytes took says what latency is, what many did says how fast they are.
    """
    usual, rate = _USUAL[direction]
    latency, each = (usual, 1 / rate) if not moves else _fit(moves, has_latency=usual > 0)
    if not moves:
        return latency, each
    ratios = [
        (move.seconds / max(latency + each * move.size_bytes, _LEAST_SECONDS), weight)
        for move, weight in zip(moves, _weights(moves), strict=True)
    ]
    longer = time_at(ratios, sla)
    return latency * longer, each * longer


def time_at(times: Sequence[Weighted], sla: str) -> float:
    """Percentiles are of time, never of speed: the higher, the longer."""
    level = level_of(sla)
    return mean(tame(times)) if level is None else quantile(times, level)


def _fit(moves: Sequence[Move], *, has_latency: bool) -> tuple[float, float]:
    """Least squares of relative misses, where wild ones count little; neither part is negative."""
    weights = _weights(moves)
    many = max(moves, key=lambda move: move.size_bytes)
    if not has_latency:
        return 0.0, _rate(moves, weights, 0.0)
    latency = _usual_latency(moves)
    each = _rate([m for m in moves if m.size_bytes * 4 >= many.size_bytes], None, latency)
    for _ in range(_ROUNDS):
        columns = []
        for move, weight in zip(moves, weights, strict=True):
            expected = max(latency + each * move.size_bytes, _LEAST_SECONDS)
            off = abs(move.seconds / expected - 1)
            tamed = weight / max(off, _NEAR) / expected**2
            columns.append((tamed, move.size_bytes, move.seconds))
        latency, each = _solved(columns, latency)
    return latency, each


def _solved(columns: Sequence[tuple[float, int, float]], latency: float) -> tuple[float, float]:
    w = sum([weight for weight, _, _ in columns])
    x = sum([weight * size for weight, size, _ in columns])
    y = sum([weight * seconds for weight, _, seconds in columns])
    xx = sum([weight * size * size for weight, size, _ in columns])
    xy = sum([weight * size * seconds for weight, size, seconds in columns])
    spread = w * xx - x * x
    if spread <= 1e-9 * w * xx:  # all of one size: what is thought of latency stays
        return latency, max((y - latency * w) / max(x, 1.0), _LEAST_BYTE_SECONDS)
    slope = (w * xy - x * y) / spread
    if slope <= 0:
        return max(y / w, _LEAST_SECONDS), _LEAST_BYTE_SECONDS
    start = (y - slope * x) / w
    return (start, slope) if start > 0 else (_LEAST_SECONDS, xy / xx)


def _usual_latency(moves: Sequence[Move]) -> float:
    """What the smallest took, less than the usual at least."""
    least = min(move.size_bytes for move in moves)
    small = median([(move.seconds, 1.0) for move in moves if move.size_bytes <= 2 * least])
    return min(small / 2, _USUAL["up"][0])


def _rate(moves: Sequence[Move], weights: Sequence[float] | None, latency: float) -> float:
    weights = weights or [1.0] * len(moves)
    each = [
        (max(move.seconds - latency, move.seconds / 10) / max(move.size_bytes, 1), weight)
        for move, weight in zip(moves, weights, strict=True)
    ]
    return max(median(each), _LEAST_BYTE_SECONDS)


def _weights(moves: Sequence[Move]) -> list[float]:
    """A week halves them."""
    newest = max(move.at_seconds for move in moves)
    return [math.exp2((move.at_seconds - newest) / _HALF_LIFE_SECONDS) for move in moves]


def _start(starts: Sequence[Start], sla: str, *, is_cold: bool) -> float:
    waited = [(start.waited_seconds, 1.0) for start in starts if start.is_cold == is_cold]
    usual = _USUAL_COLD_SECONDS if is_cold else _USUAL_WARM_SECONDS
    return max(time_at(waited, sla), 0.0) if waited else usual
