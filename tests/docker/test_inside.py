"""Inside a real container: memory as the kernel tells it, code that travels, a clean end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.boxed import (
    MIB,
    kill_myself,
    length,
    let_a_child_swell,
    plus_one,
    produce,
    spin,
    swell,
    text_of,
)
from tests.boxes import PATIENCE_SECONDS, Container, letter_for, shown, started
from tests.waiting import wait_until
from wfnb import task
from wfnb.errors import TaskError
from wfnb.storage.stores import connect_store

LIMIT_BYTES = 128 * MIB


@pytest.fixture
def store(redis_server):
    store = connect_store(redis_server.url)
    yield store
    store.close()


@pytest.fixture
def container(worker_image, redis_server, tmp_path):
    made = Container(worker_image, letter_for(redis_server), redis_server, tmp_path, "128m")
    yield made
    made.remove()


def failure_of(run):
    with pytest.raises(TaskError):
        run.result(PATIENCE_SECONDS)
    return run.errors


def test_a_task_that_takes_too_much_is_told_its_limit_and_peak(container, store):
    assert started(store, plus_one(1)).result(PATIENCE_SECONDS) == 2
    (record,) = failure_of(started(store, swell(300)))
    assert record.kind == "memory"
    assert record.type == "MemoryLimitExceeded"
    assert "its limit is 134.2 MB" in record.message
    assert "used 134.2 MB" in record.message or "used 133." in record.message
    assert "more_memory" in record.message
    assert started(store, swell(20)).result(PATIENCE_SECONDS) == 20
    assert int(shown(store, container.label)["memory_bytes"]) == LIMIT_BYTES
    wait_until(
        lambda: int(shown(store, container.label)["peak_bytes"]) > LIMIT_BYTES * 0.95,
        description="the peak is shown",
    )


def test_a_killed_child_is_told_of_in_the_log_and_the_failure_is_of_memory(container, store):
    run = started(store, let_a_child_swell(is_checked=True))
    (record,) = failure_of(run)
    assert record.kind == "memory"
    assert record.type == "subprocess.CalledProcessError"
    assert "SIGKILL" in record.message
    assert "limit 134.2 MB" in record.message
    log = run.log("let_a_child_swell-0")
    assert log.startswith("before")
    assert "the kernel killed a process of this task" in log


def test_a_task_that_outlives_its_killed_child_is_done_and_its_log_tells(container, store):
    run = started(store, let_a_child_swell(is_checked=False))
    assert run.result(PATIENCE_SECONDS) == "the child is dead"
    assert started(store, plus_one(1)).result(PATIENCE_SECONDS) == 2
    (record, *_) = failure_of(started(store, kill_myself()))
    assert record.kind == "lost"


def test_a_kill_that_was_not_for_memory_is_a_loss(container, store):
    records = failure_of(started(store, kill_myself()))
    assert {record.kind for record in records} == {"lost"}
    assert "SIGKILL" in records[0].message


def test_inputs_that_do_not_fit_end_the_run_and_are_called_memory(container, store):
    run = started(store, length(produce(50), produce(51), produce(52)))
    records = failure_of(run)
    assert {record.kind for record in records} == {"memory"}
    assert "134.2 MB" in records[-1].message


def test_the_task_and_not_its_supervisor_is_the_kernels_victim(container, store):
    found = started(store, text_of("/proc/self/oom_score_adj")).result(PATIENCE_SECONDS)
    assert int(found) == 500
    assert container.run_inside("cat", "/proc/1/oom_score_adj").strip() == "0"


def test_samples_come_every_second_with_memory_and_cpu(container, store):
    run = started(store, spin(2.5))

    def is_seen_busy():
        about = store.pools().get(container.label, {})
        return about.get("state") == "busy" and float(about["cpu_percent"]) > 10

    wait_until(is_seen_busy, timeout_seconds=PATIENCE_SECONDS, description="it is seen at work")
    run.result(PATIENCE_SECONDS)
    about = shown(store, container.label)
    assert 0 < int(about["used_bytes"]) < LIMIT_BYTES
    assert about["container"] == container.id[:12]


def test_a_module_next_to_the_notebook_is_there(container, store, tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("def said():\n    return __file__\n")
    monkeypatch.syspath_prepend(tmp_path)
    space = {"__name__": "__main__", "task": task}
    exec("import beside\n@task\ndef said():\n    return beside.said()\n", space)
    found = started(store, space["said"]()).result(PATIENCE_SECONDS)
    assert found.startswith("/tmp/wfnb-65534/modules/")
    del sys.modules["beside"]


def test_nothing_secret_is_in_what_docker_shows(container, redis_server, store):
    shown(store, container.label)
    told = str(container.inspect())
    assert letter_for(redis_server).key not in told
    assert "redis.sock" not in told
    assert "65534" in container.run_inside("id", "-u")


def test_stopping_it_is_clean_and_quick(container, store):
    shown(store, container.label)
    subprocess.run(["docker", "stop", "--time=10", container.id], check=True, capture_output=True)
    assert container.inspect()["State"]["ExitCode"] == 0
    assert container.label not in store.pools()
