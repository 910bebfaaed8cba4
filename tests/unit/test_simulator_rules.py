"""The simulator's workers do what workers do: the same script on the real store in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, get_args

import pytest

from tests.forecasting import INSTANT, Fixed
from tests.stoppable import BIG_OUTPUT_BYTES, POOL, RUN, Flow, Worker, World
from wfnb.forecast import Site
from wfnb.plan import Placement, Plan
from wfnb.simulation.costs import Expected
from wfnb.simulation.engine import Engine
from wfnb.simulator import simulate
from wfnb.steps import Call, Complete, Fail, Load, Save, Step, Wait
from wfnb.storage import Ask, Reply

HAND_OFF_SECONDS = 0.0031
MOST_WORKERS = 12
Told = list[tuple[float, str, str]]


class Timed(Worker):
    """One that says what is short, as drivers do."""

    def _told(self, call: Callable[[Ask], Reply], step: Any) -> Reply:
        return super()._told(lambda ask: call(replace(ask, short=tuple(step.short))), step)


class TimedWorld(World):
    """Its workers take time: the calls what the flow says, each call to the store a hand-off."""

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self.now = 0.0  # an epoch's seconds are too coarse
        self._heap: list[tuple[float, int, Timed]] = []
        self._order = count()
        self.told: Told = []

    def go(self) -> Told:
        self._let_come()
        while self._heap:
            self.now, _, worker = heappop(self._heap)
            step = worker.pending
            if isinstance(step, Complete):
                name = worker.joined.identity.rpartition(":")[0]
                self.told += [(self.now, record.task, name) for record in step.finished]
            worker.advance()
            self._plan(worker)
            self._let_come()
        return self.told

    def _let_come(self) -> None:
        while request := self.store.take_request([POOL], block_seconds=0):
            joined = self.store.join(request, f"host {next(self.serials)}", want=1)
            if joined is not None:
                self.workers.append(Timed(self, joined))
                self._plan(self.workers[-1])
        ready = self.store._runs[RUN].ready
        for worker in self.workers:
            if isinstance(worker.pending, Wait) and ready[worker.joined.queue]:
                worker.advance()
                self._plan(worker)

    def _plan(self, worker: Timed) -> None:
        step = worker.pending
        if step is None or isinstance(step, Wait):
            return
        seconds = HAND_OFF_SECONDS
        if isinstance(step, Call):
            seconds = self.flow.seconds[self.graph.ids[step.at]]
        elif isinstance(step, (Load, Save)):
            seconds = 0.0
        heappush(self._heap, (self.now + seconds, next(self._order), worker))


def drawn(seed: int) -> Flow:
    random = Random(seed)
    names = [f"t{n}" for n in range(random.randint(2, 30))]
    reads = [
        random.sample(names[max(0, n - 8) : n], min(n, random.randint(0, 3)))
        for n in range(len(names))
    ]
    inputs = {name: " ".join(its) for name, its in zip(names, reads, strict=True)}
    workers = random.choice([0, 0, 1, 3])
    queues = {
        n: f"@w{random.randint(1, workers)}" for n in names if workers and random.random() < 0.7
    }
    longest = random.choice([1e-5, 0.05])
    return Flow(
        inputs=inputs,
        queues=queues,
        seconds={name: random.uniform(1e-6, longest) for name in names},
        big=frozenset(random.sample(names, random.randint(0, len(names)))),
        limit=random.randint(1, 4),
    )


def simulated(flow: Flow) -> Told:
    graph = flow.graph
    places = {
        task: Placement(worker=flow.queues[task][1:] if task in flow.queues else None)
        for task in graph
    }
    site = Site(
        link=INSTANT, hand_off_seconds=HAND_OFF_SECONDS, workers=MOST_WORKERS, idle=MOST_WORKERS
    )
    size = {task: BIG_OUTPUT_BYTES if task in flow.big else 8 for task in graph}
    forecast = Fixed(graph=graph, site=site, seconds=flow.seconds, bytes=size)
    found = simulate(Plan(graph, places), forecast, lanes=flow.opening.lanes)
    ends = [(part.end_seconds, part.task, part.worker) for part in found.stretches()]
    assert max(ends)[0] == pytest.approx(found.makespan_seconds)
    return sorted(ends)


@pytest.mark.parametrize("tens", range(4))
def test_tasks_are_reported_in_the_order_and_at_the_time_of_the_real_store(tens: int) -> None:
    for seed in range(10 * tens, 10 * tens + 10):
        flow = drawn(seed)
        real = TimedWorld(flow).go()
        found = simulated(flow)
        assert sorted(task for _, task, _ in found) == sorted(flow.inputs)
        known = {task: (seconds, worker) for seconds, task, worker in found}
        for seconds, task, worker in real:
            assert known[task][0] == pytest.approx(seconds, abs=1e-9), seed
            if task in flow.queues:
                assert known[task][1] == worker


def test_the_simulator_knows_every_step_that_can_happen_when_no_task_fails() -> None:
    flow = drawn(0)
    forecast = Fixed(graph=flow.graph)
    plan = Plan(flow.graph, dict.fromkeys(flow.graph, Placement()))
    engine = Engine(plan, Expected(plan, forecast), forecast.site)
    assert {*engine._do} == {*get_args(Step)} - {Fail}
