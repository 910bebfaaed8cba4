"""A worker process killed at every step it makes: others finish its run as if nothing had been."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from tests.mortals import CHUNKED_BYTES, LARGE_BYTES, Field, Workload
from tests.stoppable import Flow
from wfnb.graph import Options
from wfnb.storage import RunId, keys
from wfnb.storage.outputs import drop_files_of_done, shared_folder

CHAIN = Flow(inputs={"a": "", "b": "a", "c": "b", "d": "c"})
DIAMOND = Flow(inputs={"a": "", "b": "a", "c": "a", "d": "b c", "e": "d"})
JOINS = Flow(
    inputs={"l0": "", "l1": "", "l2": "", "p0": "l0 l1", "p1": "l1 l2", "root": "p0 p1", "x": "l2"}
)
PLANNED = Flow(
    inputs={"a": "", "b": "a", "x": "a", "c": "b x", "d": "c b"},
    queues=dict.fromkeys("abcd", "@w1") | {"x": "@w2"},
)
FAILING = Flow(
    inputs={"a": "", "b": "a", "c": "b", "d": ""},
    options={"b": Options(retries=2), "d": Options(retries=1)},
    fails={"b": 1, "d": 1},
)
FLOWS = {
    "chain": (CHAIN, {}),
    "chain of large outputs": (CHAIN, dict.fromkeys("abc", LARGE_BYTES)),
    "diamond": (DIAMOND, {"a": CHUNKED_BYTES, "b": LARGE_BYTES}),
    "joins": (JOINS, {"l0": LARGE_BYTES, "l1": LARGE_BYTES, "l2": CHUNKED_BYTES}),
    "planned": (PLANNED, {"a": LARGE_BYTES, "b": CHUNKED_BYTES}),
    "failing": (FAILING, {"a": LARGE_BYTES}),
}
WAYS = [(name, "abandon") for name in FLOWS] + [
    (name, "reap") for name in ("chain of large outputs", "joins", "planned")
]


@pytest.fixture
def field(redis_server):
    field = Field(redis_server.url)
    yield field
    field.close()


def expire_leases(field, run):
    client = field.store._client
    for member in client.zrange(keys.prefix(run) + "leases", 0, -1):
        client.zadd(keys.prefix(run) + "leases", {member: 0})


def check(field, run, workload, status):
    """The result is right, nothing was lost, and nothing was taken in twice."""
    assert status == "done", field.store.errors(run)
    expected = workload.evaluated()
    for target in workload.flow.all_targets:
        assert field.value(run, target) == expected[target]
    done = field.completions(run)
    assert set(done.values()) == {1}
    assert {task for task, _ in done} == {*workload.flow.inputs}
    if not workload.flow.queues:
        assert max(Counter(task for task, _ in done).values()) == 1
    drop_files_of_done(field.store)
    assert not shared_folder(run).exists()


def check_losses(field, run, workload, words, how):
    """A death in a call is that attempt's loss, a death between calls is nobody's."""
    records = [record for some in field.store.errors(run).values() for record in some]
    lost = [record for record in records if record.kind == "lost"]
    if how == "abandon":
        assert len(lost) == (words == "in Call"), (words, records)
        assert all("SIGKILL" in record.message for record in lost)
    else:
        assert {record.type for record in lost} <= {"WorkerLost"}
    assert len(records) - len(lost) <= sum(workload.flow.fails.values())
    most = 1 + len(lost) + (how == "abandon")
    for task, calls in workload.calls().items():
        assert calls <= most + workload.flow.fails.get(task, 0) + 1


LEAST_STEPS = {"Call", "Save", "Complete"}
MOST_LIVES = 200


@pytest.mark.parametrize(("name", "how"), WAYS)
def test_a_worker_killed_at_any_step_is_made_up_for(field, tmp_path, name, how):
    """`how` the others learn of it: from its supervisor, or by its lease."""
    workload = Workload(*FLOWS[name], tmp_path / "calls")
    killed = Counter()
    stop_at = 0
    for serial in itertools.count(1):
        stop_at += 1
        run = RunId(f"run-{serial}")
        workload.open(field.store, field.signer, run)
        words, death = field.kill_at(field.request(), stop_at)
        if death and how == "abandon":
            field.bury(death)
        elif death:
            expire_leases(field, run)
        status = field.finish(run)
        check(field, run, workload, status)
        if death and not workload.flow.queues:
            check_losses(field, run, workload, words, how)
        field.store.drop(run)
        steps = {words.split()[1] for words in killed}
        if not death and (steps >= LEAST_STEPS or serial >= MOST_LIVES):
            break
        # Which step has which number depends on a worker's speed: once more, then, from the first.
        stop_at = stop_at if death else 0
        killed.update([words] if death else [])
        while field.request():
            pass
    print(f"\n{sum(killed.values())} kills: {dict(killed)}")  # noqa: T201
    assert steps >= LEAST_STEPS
    assert "in Call" in killed
