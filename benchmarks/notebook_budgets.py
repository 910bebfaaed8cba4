"""What a dashboard may cost, and how fast it must be (issue 4, Budgets); pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.report import short


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound on the median of some rounds; without one the figure is there to be read."""

    key: str
    title: str
    unit: str = ""
    bound: float | None = None
    is_higher_better: bool = False

    @property
    def target(self) -> str:
        if self.bound is None:
            return ""
        sign = ">=" if self.is_higher_better else "<="
        return f"{sign} {short(self.bound)} {self.unit}".rstrip()

    def is_met_by(self, value: float) -> bool | None:
        if self.bound is None:
            return None
        return value >= self.bound if self.is_higher_better else value <= self.bound


BUDGETS = (
    Budget("follow_cpu", "kernel CPU of following a run", "% of a core", 5),
    Budget("events", "... at events a second", "/s"),
    Budget(
        "throughput",
        "throughput, 5,000 tasks of 1 ms, open / without",
        "",
        0.9,
        is_higher_better=True,
    ),
    Budget("throughput_no_ops", "... of 5,000 no-ops, which are over in a blink"),
    Budget("picture", "1,000 tasks: complete first picture", "ms", 1000),
    Budget("visible", "... a state change is visible after its event, p95", "ms", 300),
    Budget("visible_median", "... the same, median", "ms"),
    Budget("behind", "... frames that showed less than was told", "", 0),
    Budget("click", "... a click answered while the cell blocks, p95", "ms", 50),
    Budget("long_task", "... longest task of the page after the first picture", "ms", 200),
    Budget("many_picture", "10,000 tasks: complete first picture", "ms"),
    Budget("many_click", "... a click answered while the cell blocks, p95", "ms", 50),
    Budget("many_nodes", "... cards and frames, unfolded as far as that goes", "", 150),
    Budget("many_long_task", "... longest task of the page after the first picture", "ms"),
    Budget("left_open", "comms left when panels are closed", "", 0),
    Budget("messages", "messages in the busiest second, 1,000 events/s", "/s", 20),
    Budget("fed", "state changes fed to a panel", "/s", 50_000, is_higher_better=True),
    Budget("fed_messages", "... messages in the busiest second", "/s", 20),
    Budget("fed_wrong", "... final counts that are wrong in the page", "", 0),
    Budget("warnings", "message-rate warnings of the server", "", 0),
    Budget("reload", "reload during a run: a picture, since the page was asked for", "ms", 3000),
    Budget("reload_own", "... since the front end had its kernel", "ms"),
    Budget("reload_wrong", "... tasks that the picture was wrong about", "", 0),
)


@dataclass(slots=True)
class Figures:
    """What was measured, by budget, one value a round, and why something could not be."""

    values: dict[str, list[float]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, measured: Mapping[str, float]) -> None:
        for key, value in measured.items():
            self.values.setdefault(key, []).append(value)

    def lack(self, keys: Sequence[str], reason: str) -> None:
        self.reasons.update(dict.fromkeys(keys, reason))


def share_below(values: Sequence[float], share: float) -> float:
    """The smallest of the values that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def busiest(moments: Sequence[float], *, window: float) -> int:
    """How many of these fell into the fullest window."""
    most, first, ordered = 0, 0, sorted(moments)
    for at, moment in enumerate(ordered):
        while moment - ordered[first] >= window:
            first += 1
        most = max(most, at - first + 1)
    return most


def line(budget: Budget, figures: Figures) -> str:
    values = figures.values.get(budget.key, [])
    if not values:
        reason = figures.reasons.get(budget.key, "not asked for")
        return f"| {budget.title} | not measured: {reason} | {budget.target} | |"
    median = statistics.median(values)
    others = f" ({short(min(values))} to {short(max(values))})" if min(values) < max(values) else ""
    met = {True: "met", False: "**missed**", None: ""}[budget.is_met_by(median)]
    measured = f"{short(median)} {budget.unit}".rstrip()
    return f"| {budget.title} | {measured}{others} | {budget.target} | {met} |"


def table(figures: Figures) -> str:
    head = ["| budget | measured | target | met? |", "|---|---|---|---|"]
    return "\n".join([*head, *(line(budget, figures) for budget in BUDGETS)]) + "\n"


def wrong_counts(shown: Sequence[int], expected: Sequence[int]) -> int:
    """Of counts by state."""
    return sum(abs(a - b) for a, b in zip(shown, expected, strict=True))
