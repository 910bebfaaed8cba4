"""How a plan will go: its workers' own script on a virtual clock, with durations that are expected.

Claiming, becoming, batching, holding and launching are the real rules, on the ledger of the store
in memory. What is added: durations, start-ups, transfers that share the store, and calls that share
the CPUs. The same plan and forecast give the same answer, in every process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
from wfnb.simulation.costs import Expected
from wfnb.simulation.engine import Engine
from wfnb.simulation.replaying import Ended, Measured, as_measured, delays_of, leads_of, site_of
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
    costs, site = Expected(plan, forecast), forecast.site
    engine = Engine(plan, costs, site, seed=seed, lanes=lanes)
    return Simulated(plan, costs, site, engine.run())


def makespan_of(plan: Plan, forecast: Forecast) -> float:
    """How long it takes: what `simulate` says, for those who ask again and again."""
    return Engine(plan, Expected(plan, forecast), forecast.site).run().end_seconds


def replay(run: Ended, *, site: Site | None = None) -> Simulated:
    """A finished run once more, with the durations that it had: the simulator's own error.

    Without a site, launches and hand-offs take what they took then; with one, what they do there.
    """
    plan, timeline = run.plan, run.timeline
    if site is not None:
        return _replayed(Measured(plan, timeline), run, as_measured(site))
    there = replace(site_of(timeline), hand_off_seconds=0.0)
    return _replayed(Measured(plan, timeline, leads_of(timeline)), run, there, delays_of(run))


def _replayed(
    costs: Measured, run: Ended, site: Site, delays: Mapping[str, Sequence[float]] | None = None
) -> Simulated:
    engine = Engine(run.plan, costs, site)
    engine.crew.expect(delays or {})
    return Simulated(run.plan, costs, site, engine.run())
