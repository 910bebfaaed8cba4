"""Which of several plans is best: the simulator says."""

from __future__ import annotations

from collections.abc import Iterable

from wfnb.forecast import Forecast
from wfnb.plan import Plan
from wfnb.simulator import makespan_of

SIMULATED_PER_SECOND = 20_000
"""Tasks, cautiously; so that a budget in seconds means the same plan on every machine."""


def best_of(plans: Iterable[Plan], forecast: Forecast) -> Plan:
    """That which is done first; of equals the first. One alone is not simulated."""
    several = list(plans)
    if len(several) == 1:
        return several[0]
    return min(several, key=lambda plan: makespan_of(plan, forecast))


def affordable(forecast: Forecast, budget_seconds: float) -> int:
    """How many plans of this graph may be simulated for so long."""
    return int(budget_seconds * SIMULATED_PER_SECOND / max(1, len(forecast.graph)))
