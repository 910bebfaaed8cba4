"""What is expected of one function's calls, from what they took in past runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from wfnb.history import Past, Taken
from wfnb.predictions import scaling
from wfnb.predictions.curves import Chosen, Point, choose
from wfnb.predictions.robust import Weighted, median
from wfnb.predictions.spreads import Spread
from wfnb.resources import Resources
from wfnb.storage.history import MOST_SAMPLES, STEPS

_LEAST_SECONDS = 1e-7
_BUSY = 0.5
"""CPU time by wall time, from which on it is CPU time that is predicted."""
_ENOUGH_WARM = 3
_EDITED = 2.0
"""Code that was edited since may take so much more or less, in spreads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Of a function with workers of one size, or scaled to it from the nearest that was seen."""

    chosen: Chosen
    """Of CPU time where it computes, of wall time where it waits."""
    spread: Spread
    wall: float
    """Wall time by what is predicted."""
    cpu: float
    """CPU time by what is predicted."""
    measured: Resources
    past: Sequence[Past]
    is_prior: bool
    """Of the code as it was before it was edited."""
    factor: float = 1.0
    """Of wall time, for the size that is asked about."""

    def log_seconds(self, input_bytes: float) -> float:
        """Of a call, as likely to be longer as to be shorter."""
        return self.chosen.curve.at(input_bytes) + self.log_factor

    @property
    def log_factor(self) -> float:
        return math.log(self.wall * self.factor)


class FunctionHistory:
    """All that is known of one function."""

    def __init__(self, taken: Sequence[Taken], *, io: str | None = None) -> None:
        self._taken = taken
        self._io = io
        self._models: dict[Resources, Model] = {}
        self._measured: dict[int, Model] = {}

    def model(self, resources: Resources) -> Model:
        """The exact size if it was seen, else the nearest, scaled."""
        if resources not in self._models:
            nearest = min(range(len(self._taken)), key=lambda at: self._rank(at, resources))
            model = self._of(nearest)
            scaled = scaling.factor(
                model.cpu / model.wall, model.measured.cpus, resources.cpus, self._observed
            )
            self._models[resources] = replace(model, factor=scaled)
        return self._models[resources]

    @cached_property
    def output(self) -> Chosen:
        """Logarithms of the bytes returned, and one."""
        own = [taken for taken in self._taken if not taken.is_prior]
        past = [one for taken in own or self._taken for one in taken.past]
        past = sorted(past, key=lambda one: -one.at_seconds)[:MOST_SAMPLES]
        ages = ages_of([one.run for one in past])
        return choose(
            [
                Point(ages[one.run], one.input_bytes, math.log(one.output_bytes + 1), one.weight)
                for one in past
            ],
            io=self._io,
        )

    def _rank(self, at: int, resources: Resources) -> tuple[bool, float, float]:
        """Code as it is now comes before what it was."""
        taken = self._taken[at]
        away = scaling.distance(taken.resources, resources)
        return taken.is_prior, away, -taken.past[0].at_seconds

    @cached_property
    def _observed(self) -> list[scaling.Observed]:
        """From each two sizes that were seen, of the same code."""
        own = [at for at, taken in enumerate(self._taken) if not taken.is_prior]
        models = sorted([self._of(at) for at in own], key=lambda model: model.measured.cpus)
        return [
            scaling.Observed(
                scaling.exponent(_faster(few, many), few.measured.cpus, many.measured.cpus),
                min(len(few.past), len(many.past)) / 4,
            )
            for few, many in pairwise(models)
            if few.measured.cpus < many.measured.cpus
        ]

    def _of(self, at: int) -> Model:
        if at not in self._measured:
            taken = self._taken[at]
            before = () if taken.is_prior else self._prior(taken.resources)
            self._measured[at] = _model(taken, before, self._io)
        return self._measured[at]

    def _prior(self, resources: Resources) -> Sequence[Past]:
        """Of the code before it was edited, at the same size."""
        for taken in self._taken:
            if taken.is_prior and taken.resources == resources:
                return taken.past
        return ()


def _model(taken: Taken, before: Sequence[Past], io: str | None) -> Model:
    past = _warm(taken.past)
    busy = median([(one.cpu_seconds / _wall(one), one.weight) for one in past])
    computes = busy >= _BUSY
    points = _points(past, computes=computes)
    if before:
        points += _lighter(_points(_warm(before), computes=computes), than=points)
    chosen = choose(points, io=io)
    wall = math.exp(median([(point.wait, point.now) for point in points]))
    misses = [miss._replace(y=miss.y + miss.wait - math.log(wall)) for miss in chosen.misses]
    return Model(
        chosen=chosen,
        spread=Spread.of(
            misses,
            wider=_EDITED if taken.is_prior else 1.0,
            long_ago=_long_ago(taken) if chosen.curve.is_flat else (),
        ),
        wall=wall,
        cpu=1.0 if computes else busy,
        measured=taken.resources,
        past=past,
        is_prior=taken.is_prior,
    )


def _long_ago(taken: Taken) -> list[Weighted]:
    """What calls took that are no longer told apart, not even by what they read."""
    return [((bucket + 0.5) / STEPS, count) for bucket, count in taken.old.items()]


def _points(past: Sequence[Past], *, computes: bool) -> list[Point]:
    ages = ages_of([one.run for one in past])
    points = []
    for one in past:
        wall = math.log(_wall(one))
        y = math.log(max(one.cpu_seconds, _LEAST_SECONDS)) if computes else wall
        points.append(Point(ages[one.run], one.input_bytes, y, one.weight, wall - y))
    return points


def _lighter(before: Sequence[Point], *, than: Sequence[Point]) -> list[Point]:
    """All together as heavy as one of the others, and older."""
    age = 1 + max(point.age for point in than)
    heavy = sum([point.weight for point in than]) / len(than)
    share = heavy / sum([point.weight for point in before])
    return [p._replace(age=p.age + age, weight=p.weight * share) for p in before]


def _warm(past: Sequence[Past]) -> Sequence[Past]:
    """First calls in a process load modules: they are left out where there are others."""
    warm = [one for one in past if not one.is_cold]
    return warm if len(warm) >= _ENOUGH_WARM else past


def ages_of(runs: Sequence[str]) -> dict[str, int]:
    """How many runs ago each was; the latest stands first."""
    return {run: age for age, run in enumerate(dict.fromkeys(runs))}


def _wall(one: Past) -> float:
    return max(one.call_seconds, _LEAST_SECONDS)


def _faster(few: Model, many: Model) -> float:
    """By which calls are faster with many CPUs than they would have been with few."""
    ratios = [
        (few.log_seconds(one.input_bytes) - math.log(_wall(one)), one.weight) for one in many.past
    ]
    return math.exp(median(ratios))
