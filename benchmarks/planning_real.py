"""Plans that really run: recorded tasks on local workers, and a store of limited rate."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.campaign import say
from benchmarks.planning_cases import Exact, Workflow, read, shared_store
from benchmarks.planning_peer import Peer
from benchmarks.planning_scores import WORKERS, least, planned
from benchmarks.throttle import ThrottledRedis, own_address
from wfnb.choices import Choices
from wfnb.plan import Plan
from wfnb.planners.terms import Terms
from wfnb.session import Session
from wfnb.simulator import makespan_of

RUN_SECONDS = 8.0
"""What a recorded run is scaled to, about."""
MOST_BYTES = 4e8
"""That one scaled run may move at most, or it is left out."""
HAND_OFF_SECONDS = 0.003
PATIENCE = 6.0
"""How many times longer than simulated a run may take."""


def scaled(path: Path, rate: float) -> Workflow:
    """So that it takes a few seconds on that store; rates stay what they are."""
    whole = read(path)
    forecast = Exact(whole, shared_store(rate, workers=WORKERS))
    seconds = makespan_of(planned("heft", forecast, Terms()), forecast)
    return read(path, scale=min(1.0, RUN_SECONDS / seconds))


def compared(path: Path, rate: float, peer: Peer | None, *, rounds: int) -> dict[str, float] | None:
    """Seconds simulated and real of each planner's plan; None where too much would be moved."""
    workflow = scaled(path, rate)
    if own_address().startswith("127."):
        say("this machine has no address but loopback ones: nothing can be throttled")
        return None
    if sum(workflow.sizes) > MOST_BYTES:
        say(f"{workflow.name}: {sum(workflow.sizes) / 1e6:,.0f} MB are too many to be moved here")
        return None
    site = shared_store(rate, workers=WORKERS, hand_off_seconds=HAND_OFF_SECONDS)
    forecast = Exact(workflow, site)
    plans = {name: planned(name, forecast, Terms()) for name in ("auto", "heft")}
    best = least(peer.plans(workflow, [1.0] * WORKERS, rate)) if peer else None
    if best is not None:
        plans["saga"] = best.plan(workflow)
    row = {f"{name} simulated s": makespan_of(plan, forecast) for name, plan in plans.items()}
    for name, seconds in really(plans, rate, rounds=rounds, forecast=forecast).items():
        row[f"{name} real s"] = seconds
        row[f"{name} error %"] = 100 * abs(row[f"{name} simulated s"] / seconds - 1)
    for name in plans.keys() - {"auto"}:
        row[f"{name}/auto simulated"] = row[f"{name} simulated s"] / row["auto simulated s"]
        row[f"{name}/auto real"] = row[f"{name} real s"] / row["auto real s"]
    return row


def really(
    plans: dict[str, Plan], rate: float, *, rounds: int, forecast: Exact
) -> dict[str, float]:
    """The median of what each took, in turns, on workers that have served a run before."""
    took: dict[str, list[float]] = {name: [] for name in plans}
    with ThrottledRedis(rate) as store:
        session = Session(Choices(store=store.url, workers=WORKERS))
        try:
            once(session, planned("wukong", forecast, Terms()), seconds=60.0)
            for _ in range(rounds):
                for name, plan in plans.items():
                    patience = 10.0 + PATIENCE * makespan_of(plan, forecast)
                    took[name].append(once(session, plan, seconds=patience))
        finally:
            session.close()
    return {name: statistics.median(values) for name, values in took.items()}


def once(session: Session, plan: Plan, *, seconds: float) -> float:
    run = session.start(plan)
    if not run.wait(seconds):
        counts = dict(run.timeline.counts)
        run.cancel()
        raise TimeoutError(f"{plan.planner} was not done after {seconds:.0f} s: {counts}")
    timeline = run.timeline
    assert timeline.start_seconds is not None
    assert timeline.end_seconds is not None
    return timeline.end_seconds - timeline.start_seconds
