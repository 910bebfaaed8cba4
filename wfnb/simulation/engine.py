"""Carries the worker's script out on a virtual clock, against the rules of the store in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Final

from wfnb.errors import PlanError
from wfnb.forecast import Site
from wfnb.plan import Plan
from wfnb.role import Role
from wfnb.simulation.clock import FOREVER, Clock
from wfnb.simulation.costs import Costs
from wfnb.simulation.crew import Crew, Hired
from wfnb.simulation.pipe import pipes_of
from wfnb.simulation.quiet import QuietLedger, lanes_of, opening_of
from wfnb.simulation.record import NEVER, Record, Stay
from wfnb.simulation.worker import Worker
from wfnb.steps import Call, Called, Complete, Expand, Load, Release, Save, Take, Wait
from wfnb.storage import Expansion, Finished, Lane, Reply, Request, expanding, transitions
from wfnb.storage.ledger import Launchpad
from wfnb.storage.outputs import INLINE_BYTES, MOST_INLINE_BYTES

MOST_HINTED_INPUTS = 8
"""As in workers.driver: the small inputs of a task that reads more do not come along with it."""
_LATER: Final = object()
"""In place of a step's answer: it takes time."""


class Engine:
    """One run of a plan, from its opening to its end; `run` it once."""

    def __init__(
        self,
        plan: Plan,
        costs: Costs,
        site: Site,
        *,
        seed: int = 0,
        lanes: Mapping[str, Lane] | None = None,
    ) -> None:
        self.graph = costs.graph
        self.costs = costs
        self.record = Record()
        self.record.add(len(costs.graph))
        self._site = site
        self._clock = Clock(seed=seed)
        self._up, self._down = pipes_of(site, self._clock)
        link = site.link
        self._converts = min(link.dump_bytes_per_second, link.load_bytes_per_second) < FOREVER
        self._queue_at = plan.queue_at if len(set(plan.queue_at)) > 1 else None
        self._order_at = plan.order
        self._own_tasks = Counter(plan.queue_at)
        self._parked: dict[str, list[Worker]] = {}
        launchpads: dict[str, Launchpad] = defaultdict(Launchpad)
        lanes = lanes or lanes_of(plan, site)
        self._ledger = QuietLedger(opening_of(plan, lanes), launchpads)
        most = plan.at_once(site.workers)
        self.crew = Crew(site, launchpads, self._clock, most=most, join=self._join)
        self.crew.begin(site.idle, next(iter(lanes.values())).pool if lanes else "")
        is_enough = most * costs.most_cpus(site) <= site.cpus
        self._cpu = None if is_enough else self._clock.share(site.cpus)
        self._do: dict[type, Callable[[Worker, Any], Any]] = {
            Take: self._take,
            Load: self._load,
            Call: self._call,
            Save: self._save,
            Complete: self._complete,
            Expand: self._expand,
            Release: self._release,
            Wait: self._wait,
        }

    def run(self) -> Record:
        """Raises PlanError if nothing goes on before all is done."""
        ledger, step = self._ledger, self._clock.step
        ledger.sow(ledger.opening.seed)
        self.crew.serve()
        while ledger.status == "running":
            if not step():
                raise PlanError(self._stuck())
        self.record.end_seconds = self._clock.now
        self.record.up_bytes = self._up.moved_bytes
        self.record.down_bytes = self._down.moved_bytes
        return self.record

    def _stuck(self) -> str:
        left = [task for task, at in zip(self.graph, self.record.reported, strict=True) if at < 0]
        some = ", ".join(left[:3])
        return f"nobody may ever execute {some}: let more workers serve them"

    def _report(self, act: Callable[[Worker, Any], None], worker: Worker, step: Any) -> object:
        """It reaches the store, and its answer the worker, at the end of the hand-off."""
        self._clock.at(self._clock.now + self._site.hand_off_seconds, (act, worker, step))
        return _LATER

    # Workers come and go

    def _join(self, hired: Hired, request: Request) -> None:
        joined = transitions.join(self._ledger, request, hired.label, 1, None)
        if joined is None:
            self.crew.left(hired)
            return
        name = joined.identity.rpartition(":")[0]
        stay = Stay(hired.label, name, hired.is_cold, hired.begun_seconds, self._clock.now)
        hired.is_cold = False
        self.record.stays.append(stay)
        role = Role(self.graph, joined.identity, self._queue_at, joined.queue, self._order_at)
        own_tasks = self._own_tasks[joined.queue] if role.is_planned else 0
        worker = Worker(hired, joined, role, stay, own_tasks=own_tasks)
        if joined.first is not None:
            self._note_claims(joined.first)
        self._go_on(worker, None)

    def _go_on(self, worker: Worker, answer: Any) -> None:
        send, do = worker.script.send, self._do
        try:
            while answer is not _LATER:
                step = send(answer)
                answer = do[type(step)](worker, step)
        except StopIteration:
            worker.stay.left_seconds = self._clock.now
            self.crew.left(worker.hired)

    # What takes place at a worker

    def _load(self, worker: Worker, step: Load) -> Any:
        costs, has, position = self.costs, worker.has, self.graph.position
        size, trips, is_asked = 0.0, 0, False
        for claim in step.claims:
            reads = costs.reads(position[claim.task])
            for read in reads:
                if read in has:
                    continue
                has.add(read)
                each = costs.size(read)
                size += each
                if each > INLINE_BYTES:
                    trips += 1
                is_asked |= len(reads) > MOST_HINTED_INPUTS
        event = (self._loaded, worker, step)
        is_under_way = self._down.move(event, size, trips=trips + is_asked)
        return _LATER if is_under_way else None

    def _loaded(self, worker: Worker, step: Load) -> None:
        for claim in step.claims:
            self.record.loaded[self.graph.position[claim.task]] = self._clock.now
        self._go_on(worker, None)

    def _call(self, worker: Worker, step: Call) -> Any:
        at, now, record, costs = step.at, self._clock.now, self.record, self.costs
        if record.claimed[at] == NEVER:
            record.claimed[at] = record.loaded[at] = now
        record.started[at] = now
        record.by[at] = worker.stay
        seconds, cpu = costs.seconds[at], costs.cpu[at]
        if self._converts:
            link = self._site.link
            extra = costs.load_seconds(at, link) + costs.dump_seconds(at, link)
            seconds, cpu = seconds + extra, cpu + extra
        event = (self._called, worker, at)
        if self._cpu is None or not (cpu and seconds):
            self._clock.at(now + seconds, event)
        else:
            self._cpu.start(event, cpu, cap=cpu / seconds, now=now)
        return _LATER

    def _called(self, worker: Worker, at: int) -> None:
        now, record = self._clock.now, self.record
        record.called[at] = now
        worker.has.add(at)
        seconds, size = now - record.started[at], int(self.costs.output_bytes[at])
        self._go_on(worker, Called(is_ok=True, seconds=seconds, output_bytes=size))

    def _save(self, worker: Worker, step: Save) -> Any:
        position, costs = self.graph.position, self.costs
        size, trips = 0.0, 0
        for record in step.finished:
            at = position[record.task]
            if record.held:
                worker.counted.add(at)
                continue
            record.unread = 0  # nobody counts how long it stays in a store that has room
            each = costs.output_bytes[at]
            size += each
            trips += each > INLINE_BYTES
        event = (self._saved, worker, (step, self._clock.now, size))
        return _LATER if self._up.move(event, size, trips=trips) else None

    def _saved(self, worker: Worker, what: tuple[Save, float, float]) -> None:
        step, begun, size = what
        position, costs = self.graph.position, self.costs
        for record in step.finished:
            if not record.held:
                at = position[record.task]
                share = costs.output_bytes[at] / size if size else 1.0
                self.record.save_seconds[at] = (self._clock.now - begun) * share
        self._go_on(worker, None)

    # What the store is told, and answers

    def _take(self, worker: Worker, step: Take) -> Any:
        return self._report(self._taken, worker, step)

    def _taken(self, worker: Worker, step: Take) -> None:
        self._told(worker, transitions.claim(self._ledger, worker.ask(step)))

    def _complete(self, worker: Worker, step: Complete) -> Any:
        return self._report(self._completed, worker, step)

    def _completed(self, worker: Worker, step: Complete) -> None:
        graph, reported = self.graph, self.record.reported
        positions = [graph.position[record.task] for record in step.finished]
        for at in positions:
            reported[at] = self._clock.now
        if worker.own_tasks:
            worker.own_tasks -= sum(graph.base(at) == at for at in positions)
        if worker.counted:
            self._count_readings(worker, step, positions)
        self._told(worker, transitions.complete(self._ledger, step.finished, worker.ask(step)))

    def _count_readings(self, worker: Worker, step: Complete, positions: list[int]) -> None:
        """What only this worker holds stays until the last reader is done."""
        ids, counted = self.graph.ids, worker.counted
        for at, record in zip(positions, step.finished, strict=True):
            record.reads = [
                ids[read]
                for read in self.costs.reads(at)
                if read in counted and (record.held or read not in positions)
            ]

    def _expand(self, worker: Worker, step: Expand) -> Any:
        size = self.costs.elements_bytes(self.graph.position[step.claim.task])
        trips = ceil(size / MOST_INLINE_BYTES) if size > MOST_INLINE_BYTES else 0
        event = (self._hand_in, worker, step)
        if not self._up.move(event, size, trips=trips):
            self._hand_in(worker, step)
        return _LATER

    def _hand_in(self, worker: Worker, step: Expand) -> None:
        self._report(self._expanded, worker, step)

    def _expanded(self, worker: Worker, step: Expand) -> None:
        graph, task = self.graph, step.claim.task
        at = graph.position[task]
        maps, items = [graph.ids[gather] for gather in graph.maps_of[at]], self.costs.expand(at)
        self.record.add(len(graph) - len(self.record.claimed))
        self.record.reported[at] = self._clock.now
        worker.own_tasks -= worker.own_tasks > 0
        finished = Finished(task=task, attempt=step.claim.attempt)
        expansion = Expansion(count=items, maps=maps, elements=())
        ask = worker.ask(step)
        self._told(worker, expanding.expand(self._ledger, finished, expansion, ask))

    def _release(self, worker: Worker, step: Release) -> Any:
        return self._report(self._released, worker, step)

    def _released(self, worker: Worker, step: Release) -> None:
        for claim in step.claims:
            self.record.claimed[self.graph.position[claim.task]] = NEVER
        transitions.release(self._ledger, worker.ask(), step.claims)
        self._wake()
        self._go_on(worker, None)

    def _wait(self, worker: Worker, step: Wait) -> Any:
        queue = worker.joined.queue
        if self._ledger.ready[queue]:
            return None
        self._parked.setdefault(queue, []).append(worker)
        return _LATER

    def _told(self, worker: Worker, reply: Reply) -> None:
        self._note_claims(reply)
        self._wake()
        self._go_on(worker, reply)

    def _note_claims(self, reply: Reply) -> None:
        record, position = self.record, self.graph.position
        for claim in reply.claims:
            at = position[claim.task]
            record.claimed[at] = record.loaded[at] = self._clock.now

    def _wake(self) -> None:
        """Those for whom there is work now: workers that wait, and workers yet to come."""
        ledger = self._ledger
        if not ledger.fed:
            return
        for queue in ledger.fed:
            for worker in self._parked.pop(queue, ()):
                self._clock.at(self._clock.now, (self._go_on, worker, None))
        ledger.fed.clear()
        self.crew.serve()
