"""The private Redis killed, or its connections cut, while a run goes on: the run ends right."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.faulty import FaultyProxy
from tests.mortals import done_of, end_pool
from tests.waiting import wait_until
from wfnb import task
from wfnb.choices import Choices
from wfnb.session import Session
from wfnb.storage import embedded, serverfiles
from wfnb.workers.process import pool_key

PATIENCE_SECONDS = 60.0


@task
def step(name, seconds, *inputs):
    import time  # noqa: PLC0415

    time.sleep(seconds)
    return (sum(inputs) * 31 + name) % 10_007


def workload(seed, count=300):
    chance = random.Random(seed)
    tasks, values = [], []
    for name in range(count):
        near = range(max(0, name - 20), name)
        reads = sorted(chance.sample(near, min(len(near), chance.choice([0, 1, 2]))))
        tasks.append(step(name, chance.uniform(0.001, 0.02), *[tasks[read] for read in reads]))
        values.append((sum(values[read] for read in reads) * 31 + name) % 10_007)
    return tasks, values


@pytest.fixture
def private(monkeypatch):
    """A server and a pool of this test's own, on the embedded store."""
    home = Path(os.environ["XDG_STATE_HOME"]).parent
    folder = Path(tempfile.mkdtemp(prefix="s", dir=home))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    session = Session(Choices(workers=2))
    session.connect(workers=2)
    yield session
    key = pool_key("embedded")
    end_pool(key)
    session.close()
    embedded.stop()
    shutil.rmtree(folder, ignore_errors=True)


def kill_server():
    wait_until(embedded.running, timeout_seconds=15, description="the server is back")
    pid = serverfiles.pid(serverfiles.default_state_dir())
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid), description="the server is gone")


def check(session, run, values):
    assert run.result(PATIENCE_SECONDS) == values
    assert {record.kind for record in run.errors} <= {"lost"}
    assert session.store.active_runs() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_outlives_its_killed_server(private, seed):
    chance = random.Random(seed)
    tasks, values = workload(seed)
    run = private.start(tasks)
    kills = 0
    while kills < 4:
        if run.wait(chance.uniform(0.05, 0.2)):
            break
        kill_server()
        kills += 1
    check(private, run, values)
    assert set(done_of(private, run)) == set(run.graph.ids)
    print(f"\nseed {seed}: {kills} server kills")  # noqa: T201
    assert kills


def test_a_run_outlives_connections_that_are_cut(redis_server):
    chance = random.Random(3)
    tasks, values = workload(3)
    with FaultyProxy(redis_server.socket_path) as proxy:
        session = Session(Choices(store=proxy.url, workers=2))
        run = session.start(tasks)
        cuts = 0
        while cuts < 20 and not run.wait(chance.uniform(0.01, 0.1)):
            proxy.cut()
            cuts += 1
        check(session, run, values)
        assert done_of(session, run) == dict.fromkeys(run.graph.ids, 1)
        end_pool(pool_key(proxy.url))
        session.close()
    print(f"\n{cuts} cuts")  # noqa: T201
    assert cuts
