"""Planned workers that wait keep their places: a pool opens others, so that no run stands still."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.integration.test_plans_run import registry
from tests.mortals import end_pool
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from wfnb import task
from wfnb.choices import Choices
from wfnb.graph import Graph
from wfnb.plan import Placement, Plan
from wfnb.planners import register
from wfnb.session import Session
from wfnb.workers.process import pool_key

__all__ = ["registry"]

PATIENCE_SECONDS = 60.0
WORKERS = (None, "w1", "left", "right", "w2")
#: A pool that has no room for more than two.
SMALL_POOL = """
import sys
from wfnb.workers import pool
pool.MOST_SLOTS = 2
from wfnb.workers.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@task
def nap(seconds: float, *inputs: int) -> int:
    time.sleep(seconds)
    return 1 + sum(inputs)


class Zigzag:
    """A chain of tasks goes to and fro between two workers."""

    name = "zigzag"

    def plan(self, graph: Graph, predictor: object) -> Plan:
        places = (Placement(worker="left"), Placement(worker="right"))
        chosen = {name: places[at % 2] for at, name in enumerate(graph)}
        return Plan(graph, chosen, planner=self.name)


class Drawn:
    """Each task on a worker that is drawn for it."""

    name = "drawn"

    def __init__(self, random: Random) -> None:
        self._random = random

    def plan(self, graph: Graph, predictor: object) -> Plan:
        places = {name: Placement(worker=name) for name in WORKERS}
        chosen = {name: places[self._random.choice(WORKERS)] for name in graph}
        return Plan(graph, chosen, planner=self.name)


@pytest.fixture
def session_of(redis_server: RedisServer, registry: object) -> Iterator[Callable[[int], Session]]:
    made: list[Session] = []

    def session(workers: int) -> Session:
        made.append(Session(Choices(store=redis_server.url, workers=workers)))
        return made[-1]

    yield session
    for one in made:
        one.close()
    end_pool(pool_key(redis_server.url))


def chain(length: int, seconds: float):
    last = nap(seconds)
    for _ in range(length - 1):
        last = nap(seconds, last)
    return last


def results_of_two_zigzags(session: Session) -> list[int]:
    """Of each run one worker has found a place, and waits for the other."""
    register(Zigzag.name, lambda _: Zigzag())
    runs = [session.start(chain(5, 0.2), planner=Zigzag.name) for _ in range(2)]
    return [run.result(PATIENCE_SECONDS) for run in runs]


@pytest.mark.parametrize("slots", [2, 1])
def test_two_runs_whose_workers_wait_for_each_other_both_end(session_of, redis_server, slots):
    session = session_of(slots)
    assert results_of_two_zigzags(session) == [5, 5]
    found = session.store.pools()[pool_key(redis_server.url)]
    assert slots < int(found["slots"]) <= 4, "no more than there are planned workers"


def test_where_no_place_can_be_opened_one_that_waits_makes_room(session_of, redis_server):
    key = pool_key(redis_server.url)
    command = [sys.executable, "-P", "-c", SMALL_POOL, "pool", "--slots", "2", "--pool", key]
    pool = subprocess.Popen(command, env={**os.environ, "WFNB_STORE": redis_server.url})
    try:
        session = session_of(2)
        wait_until(lambda: key in session.store.pools(), description="the pool is seen")
        assert results_of_two_zigzags(session) == [5, 5]
        assert session.store.pools()[key]["slots"] == "2"
        assert pool.poll() is None
    finally:
        pool.terminate()
        pool.wait(10)


def drawn_at_random(random: Random, count: int):
    tasks = []
    for at in range(count):
        reads = random.sample(tasks, min(at, random.choice([0, 1, 1, 2])))
        tasks.append(nap(random.choice([0.0, 0.001, 0.01, 0.1]), *reads))
    return nap(0.0, *tasks)


@pytest.mark.parametrize("seed", range(int(os.environ.get("CROWDS", "2"))))
def test_of_several_runs_with_any_plans_at_once_each_ends(session_of, seed):
    random = Random(seed)
    register(Drawn.name, lambda _: Drawn(random))
    session = session_of(random.choice([1, 2]))
    runs = []
    for _ in range(random.randint(2, 4)):
        last = drawn_at_random(random, random.randint(4, 20))
        runs.append(session.start(last, planner=Drawn.name))
    for run in runs:
        assert run.wait(PATIENCE_SECONDS), "it stands still"
        assert (run.status, run.errors) == ("done", [])
