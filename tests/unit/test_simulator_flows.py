"""A rate that is shared fairly, against the definition of fairness worked out step by step."""

from __future__ import annotations

from random import Random

import pytest

from wfnb.flows import Shared


def ends(rate: float, jobs: list[tuple[float, float, float]]) -> list[float]:
    """When each of these (start, amount, cap) has got what it needs."""
    shared = Shared[int](rate)
    found = [0.0] * len(jobs)

    def let_end(until: float) -> None:
        while len(shared) and shared.due <= until:
            when = shared.due
            found[shared.finish()] = when

    for at, (start, amount, cap) in sorted(enumerate(jobs), key=lambda job: job[1][0]):
        let_end(start)
        shared.start(at, amount, cap=cap, now=start)
    let_end(float("inf"))
    assert len(shared) == 0
    return found


def fair(rate: float, caps: list[float]) -> list[float]:
    """Fill all glasses at once until they are full or the water is used up."""
    got = [0.0] * len(caps)
    left = rate
    thirsty = [at for at, cap in enumerate(caps) if cap > 0]
    while thirsty and left > 1e-12 * rate:
        share = min(left / len(thirsty), min(caps[at] - got[at] for at in thirsty))
        for at in thirsty:
            got[at] += share
        left -= share * len(thirsty)
        thirsty = [at for at in thirsty if caps[at] - got[at] > 1e-12 * caps[at]]
    return got


def stepped(rate: float, jobs: list[tuple[float, float, float]]) -> list[float]:
    """The same, with every rate computed anew at every start and end."""
    left = {at: amount for at, (_, amount, _) in enumerate(jobs)}
    found, now = [0.0] * len(jobs), 0.0
    while left:
        here = [at for at in left if jobs[at][0] <= now]
        rates = dict(zip(here, fair(rate, [jobs[at][2] for at in here]), strict=True))
        dues = [(now + left[at] / rates[at], at) for at in here]
        starts = [jobs[at][0] for at in left if jobs[at][0] > now]
        until = min([due for due, _ in dues] + starts)
        for due, at in dues:
            left[at] -= rates[at] * (until - now)
            if due <= until:
                found[at] = due
                del left[at]
        now = until
    return found


def test_one_alone_has_all_that_it_can_use() -> None:
    assert ends(10.0, [(0.0, 5.0, 1.0)]) == [5.0]
    assert ends(0.5, [(0.0, 5.0, 1.0)]) == [10.0]


def test_two_have_half_each_until_one_is_over() -> None:
    assert ends(1.0, [(0.0, 1.0, 1.0), (0.0, 2.0, 1.0)]) == [2.0, 3.0]


def test_one_that_comes_later_slows_the_first_down() -> None:
    assert ends(1.0, [(0.0, 2.0, 1.0), (1.0, 2.0, 1.0)]) == [3.0, 4.0]


def test_what_one_cannot_use_the_others_have() -> None:
    assert ends(1.0, [(0.0, 0.2, 0.2), (0.0, 0.8, 1.0)]) == [pytest.approx(1.0)] * 2


def test_rates_are_max_min_fair_at_every_moment() -> None:
    for seed in range(60):
        random = Random(seed)
        caps = [random.uniform(0.1, 3.0) for _ in range(random.randint(1, 3))]
        jobs = [
            (random.choice([0, random.uniform(0, 5)]), random.uniform(0.1, 4), random.choice(caps))
            for _ in range(random.randint(1, 12))
        ]
        rate = random.choice([0.5, 2.0, 100.0])
        assert ends(rate, jobs) == pytest.approx(stepped(rate, jobs), rel=1e-6), seed
