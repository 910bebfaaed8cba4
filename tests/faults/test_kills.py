"""Processes killed, stopped and replaced during a run: its result is as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from contextlib import suppress

import numpy as np
import psutil
import pytest

from tests.mortals import end_pool
from tests.waiting import wait_until
from wfnb import task
from wfnb.choices import Choices
from wfnb.events import START, TaskDone, WorkerJoined, WorkerLeft, WorkerLost, read_entry
from wfnb.session import Session
from wfnb.storage import MOST_LOSSES, Identity, keys
from wfnb.storage.outputs import shared_folder
from wfnb.workers.poolfiles import files_of
from wfnb.workers.process import pool_key

PATIENCE_SECONDS = 60.0
SIZES = (8, 12_800, 131_072)
"""Of outputs, in numbers: inline, in chunks, in a file."""
SEEDS = (1, 2)


@pytest.fixture
def session(redis_server):
    made = Session(Choices(store=redis_server.url, workers=2))
    yield made
    wait_until(lambda: not files_left(), description="no file of a run is left")
    made.close()
    end_pool(pool_key(redis_server.url))


def files_left():
    folder = shared_folder("any").parent
    return [path for path in folder.rglob("*") if path.is_file()]


def computed(name, size, seconds, *inputs):
    """What each task does; the tests do it here to know what must come out."""
    total = sum(float(read[0]) + float(read[-1]) for read in inputs)
    return np.full(size, (total * 31 + name) % 10_007)


@task
def work(name, size, seconds, *inputs):
    import time  # noqa: PLC0415

    import numpy  # noqa: PLC0415

    time.sleep(seconds)
    total = sum(float(read[0]) + float(read[-1]) for read in inputs)
    return numpy.full(size, (total * 31 + name) % 10_007)


def workload(seed, count=150):
    """A random graph of short tasks, its target, and what that must be."""
    chance = random.Random(seed)
    tasks, values = [], []
    for name in range(count):
        near = range(max(0, name - 25), name)
        reads = sorted(chance.sample(near, min(len(near), chance.choice([0, 1, 1, 2, 3]))))
        size, seconds = chance.choice(SIZES), chance.uniform(0.001, 0.02)
        tasks.append(work(name, size, seconds, *[tasks[read] for read in reads]))
        values.append(computed(name, size, seconds, *[values[read] for read in reads]))
    reads = range(0, count, 3)
    last = work(count, 8, 0.0, *[tasks[read] for read in reads])
    return last, computed(count, 8, 0.0, *[values[read] for read in reads])


class Seen:
    """A run as its events tell it: who works on it, what was done how often."""

    def __init__(self, run):
        self.run = run
        self.store = run._connection.store
        self.after = START
        self.pids = {}
        self.lost = 0
        self.done = Counter()

    def look(self):
        for at, entry in self.store.events(self.run.id, self.after):
            self.after = at
            for event in read_entry(entry):
                self._take(event)
        return self

    def _take(self, event):
        if isinstance(event, WorkerJoined):
            self.pids[event.worker] = int(event.label.rpartition(" ")[2])
        elif isinstance(event, (WorkerLeft, WorkerLost)):
            self.pids.pop(event.worker, None)
            self.lost += isinstance(event, WorkerLost)
        elif isinstance(event, TaskDone):
            self.done[event.task] += 1

    def losses(self):
        """Of tasks that are not done: how many workers each has lost."""
        found = self.store.errors(self.run.id)
        return [len(some) for name, some in found.items() if not self.done[name]]

    @property
    def is_over(self):
        return self.store.wait_for_end(self.run.id, timeout_seconds=0) != "running"

    def is_gone(self, pid):
        return self.is_over or pid not in self.look().pids.values()

    def victim(self, chance):
        """A worker that is in the run; none while one more loss could make a task poison."""
        self.look()
        if not self.pids or max(self.losses(), default=0) >= MOST_LOSSES - 1:
            return None
        return chance.choice(sorted(self.pids.values()))


def check(run, seen, expected, *, kills):
    assert np.array_equal(run.result(PATIENCE_SECONDS), expected)
    seen.look()
    assert seen.done == dict.fromkeys(run.graph.ids, 1)
    kinds = Counter(record.kind for record in run.errors)
    assert set(kinds) <= {"lost"}
    assert kinds["lost"] <= kills


@pytest.mark.parametrize("seed", SEEDS)
def test_workers_killed_at_random_moments_are_made_up_for(session, seed):
    chance = random.Random(seed)
    last, expected = workload(seed)
    run = session.start(last)
    seen, kills = Seen(run), 0
    while kills < 8 and not seen.is_over:
        run.wait(chance.uniform(0.01, 0.12))
        pid = seen.victim(chance)
        if pid is None:
            continue
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            kills += 1
        wait_until(lambda pid=pid: seen.is_gone(pid), timeout_seconds=15, description="told")
    check(run, seen, expected, kills=kills)
    print(f"\nseed {seed}: {kills} kills, {seen.lost} in the run, {len(run.errors)} blamed")  # noqa: T201
    assert kills


def test_a_killed_pool_is_replaced_and_its_workers_are_made_up_for(session, redis_server):
    last, expected = workload(7)
    run = session.start(last)
    seen = Seen(run)
    wait_until(lambda: len(seen.look().done) > 10, timeout_seconds=15, description="it works")
    pool = files_of(pool_key(redis_server.url)).pid()
    os.kill(pool, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pool), description="the pool is gone")
    forget_time(session, run, redis_server)
    check(run, seen, expected, kills=2 * 64)
    assert files_of(pool_key(redis_server.url)).pid() != pool
    assert seen.lost


def forget_time(session, run, redis_server):
    """As if the last beats were long ago."""
    session.store.announce(pool_key(redis_server.url), {}, ttl_seconds=0)
    with redis_server.client() as client:
        for member in client.zrange(keys.prefix(run.id) + "leases", 0, -1):
            client.zadd(keys.prefix(run.id) + "leases", {member: 0})


def identity_of(redis_server, run, name):
    with redis_server.client() as client:
        about = json.loads(client.hget(keys.prefix(run.id) + "workers", name))
    return Identity(about["identity"])


@pytest.mark.parametrize("seed", [11, 12])
def test_a_worker_that_sleeps_past_its_lease_changes_nothing_when_it_wakes(
    session, redis_server, seed
):
    last, expected = workload(seed)
    run = session.start(last)
    seen = Seen(run)
    wait_until(
        lambda: len(seen.look().done) > 10 and seen.pids, timeout_seconds=15, description="it works"
    )
    name, pid = sorted(seen.pids.items())[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        session.store.abandon(run.id, identity_of(redis_server, run, name), None)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    check(run, seen, expected, kills=0)


@task
def die(*inputs):
    os._exit(11)


@task(timeout=0.3)
def linger(*inputs):
    signal.pause()


@pytest.mark.parametrize(("deadly", "kinds"), [(die, ["lost"] * 3), (linger, ["timeout"])])
def test_a_deadly_task_behind_short_ones_fails_and_does_not_kill_for_ever(session, deadly, kinds):
    """A worker runs it in the same breath as its inputs: the store has never handed it out."""
    first = work(0, 8, 0.0)
    second = work(1, 8, 0.0, first)
    run = session.start([deadly(work(2, 8, 0.0, second)), work(3, 8, 0.0, second)])
    assert run.wait(PATIENCE_SECONDS)
    assert run.status == "failed"
    assert [record.kind for record in run.errors] == kinds
    assert Counter(run.tasks["state"]) == {"done": 4, "failed": 1}
