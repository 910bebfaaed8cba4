"""How a plan will go: its workers' own script on a virtual clock, with durations that are expected.

Claiming, becoming, batching, holding and launching are the real rules, on the ledger of the store
in memory. What is added: durations, start-ups, transfers that share the store, and calls that share
the CPUs. The same plan and forecast give the same answer, in every process.
"""

from __future__ import annotations

from collections.abc import Mapping

from wfnb.forecast import Forecast, Site
from wfnb.plan import Plan
from wfnb.simulation.account import CAUSES, Simulated, Stretch
from wfnb.simulation.classical import (
    Booking,
    Network,
    Schedule,
    refuse_infeasible,
    schedule_makespan,
    schedule_of,
)
from wfnb.simulation.costs import Costs
from wfnb.simulation.engine import Engine
from wfnb.simulation.replaying import Ended, Measured, as_measured, delays_of, site_of
from wfnb.storage import Lane

__all__ = [
    "CAUSES",
    "Booking",
    "Ended",
    "Network",
    "Schedule",
    "Simulated",
    "Stretch",
    "makespan_of",
    "refuse_infeasible",
    "replay",
    "schedule_makespan",
    "schedule_of",
    "simulate",
    "site_of",
]


def simulate(
    plan: Plan, forecast: Forecast, *, seed: int = 0, lanes: Mapping[str, Lane] | None = None
) -> Simulated:
    """What is expected to happen when this plan runs.

    Things of the same instant happen in the order in which they were asked for; another seed
    shuffles them. `lanes` are the backend's own, where its workers differ in size or packages.

    Raises PlanError for a plan that cannot come to its end.
    """
    costs, site = Costs(plan, forecast), forecast.site
    engine = Engine(plan, costs, site, seed=seed, lanes=lanes)
    return Simulated(plan, costs, site, engine.run())


def makespan_of(plan: Plan, forecast: Forecast) -> float:
    """How long it takes: what `simulate` says, for those who ask again and again."""
    return Engine(plan, Costs(plan, forecast), forecast.site).run().end_seconds


def replay(run: Ended, *, site: Site | None = None) -> Simulated:
    """A finished run once more, with the durations that it had: the simulator's own error.

    Without a site, launches and hand-offs take what they mostly took in that very run.
    """
    plan, timeline = run.plan, run.timeline
    costs = Measured(plan, timeline)
    site_then = site_of(timeline) if site is None else as_measured(site)
    engine = Engine(plan, costs, site_then)
    if site is None:
        engine.crew.expect(delays_of(run))
    return Simulated(plan, costs, site_then, engine.run())
