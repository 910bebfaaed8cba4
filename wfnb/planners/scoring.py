"""Which of several plans is best: the simulator says."""

from __future__ import annotations

from collections.abc import Iterable

from wfnb.forecast import Forecast
from wfnb.plan import Plan
from wfnb.planners.terms import UNDECLARED
from wfnb.simulator import Simulated, makespan_of

SLACK = 1 + 1e-9
"""What grows by no more than this does not grow."""
SIMULATED_PER_SECOND = 20_000
"""Tasks, cautiously; so that a budget in seconds means the same plan on every machine."""
SEARCHED_SHARE = 0.01
LEAST_SECONDS, MOST_SECONDS = 0.3, 3.0


def best_of(plans: Iterable[Plan], forecast: Forecast) -> Plan:
    """That which is done first; of equals the first. One alone is not simulated."""
    several = list(plans)
    if len(several) == 1:
        return several[0]
    return min(several, key=lambda plan: makespan_of(plan, forecast))


def affordable(forecast: Forecast, budget_seconds: float | None) -> int:
    """How many plans of this graph may be simulated for so long.

    Without a budget: for a hundredth of what its calls alone will take, within limits.
    """
    graph = forecast.graph
    if budget_seconds is None:
        calls = sum(forecast.call_seconds(at, UNDECLARED) for at in range(len(graph)))
        share = SEARCHED_SHARE * calls / max(1, forecast.site.workers)
        budget_seconds = min(max(share, LEAST_SECONDS), MOST_SECONDS)
    return int(budget_seconds * SIMULATED_PER_SECOND / max(1, len(graph)))


def cost_of(played: Simulated) -> float:
    """Memory x seconds that workers are occupied; CPUs x seconds where not all memory is limited.

    To compare plans of one graph by, if their tasks may have the same sizes.
    """
    plan, total = played.plan, 0.0
    is_limited = all(place.resources.memory_bytes for place in plan.placements.values())
    for stretch in played.stretches():
        size = plan.resources_of(stretch.task)
        rate = (size.memory_bytes or 0) / 1e9 if is_limited else size.cpus
        total += rate * (stretch.download_seconds + stretch.execution_seconds)
    return total
