"""A run's ledger for one who simulates it: the same rules as the store's, without its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wfnb.forecast import Site
from wfnb.graph import TaskId
from wfnb.plan import Placement, Plan
from wfnb.storage import Lane, Opening, RunId, Seed
from wfnb.storage.ledger import Entry, Launchpad, Ledger

RUN = RunId("simulated")


class QuietLedger(Ledger):
    """Keeps no events, for nobody reads them; tells which queues have been fed."""

    def __init__(self, opening: Opening, launchpads: Mapping[str, Launchpad]) -> None:
        super().__init__(opening, {}, launchpads)
        self.fed: list[str] = []

    def tell(self, name: str, what: Any) -> None: ...

    def tell_done(self, notes: Sequence[str]) -> None: ...

    def tell_expanded(self, note: str, count: int) -> None: ...

    def tell_claims(self, name: str, claims: Any) -> None: ...

    def publish(self, worker: str = "") -> None: ...

    def push(self, queue: str, entries: Sequence[Entry], graph: bytes = b"") -> int:
        self.fed.append(queue)
        return super().push(queue, entries, graph)


def lanes_of(plan: Plan, site: Site) -> dict[str, Lane]:
    """As the backends have them: a pool for each kind of worker."""
    places = {id(place): place for place in map(plan.placements.__getitem__, plan.graph)}
    return {
        place.queue: Lane(
            limit=site.workers if place.worker is None else 1, pool=_kind(place, site)
        )
        for place in places.values()
    }


def _kind(place: Placement, site: Site) -> str:
    return replace(place, worker=None).queue if site.is_sized else place.environment


def opening_of(plan: Plan, lanes: Mapping[str, Lane]) -> Opening:
    """What the choreography needs of a run's opening: who waits for how much, and where."""
    graph, queue_at = plan.graph, plan.queue_at
    ready: dict[str, list[TaskId]] = {}
    missing: dict[TaskId, int] = {}
    for task, queue, inputs in zip(graph.ids, queue_at, graph.inputs_at, strict=True):
        if not inputs:
            ready.setdefault(queue, []).append(task)
        elif len(inputs) > 1:
            missing[task] = len(inputs)
    usual = Counter(queue_at).most_common(1)[0][0] if queue_at else ""
    return Opening(
        run=RUN,
        graph=b"",
        plan=b"",
        seed=Seed(ready=plan.in_turn(ready), missing=missing),
        queue=usual,
        queues={task: q for task, q in zip(graph.ids, queue_at, strict=True) if q != usual},
        lanes=lanes,
        policies={},
        constants={},
        about={},
        tasks=len(graph),
        keep_seconds=0,
    )
