"""An attempt that ran out of memory is tried once more, uncounted, where there is more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.storing import (
    POOL,
    QUEUE,
    RUN,
    Shape,
    Worker,
    error,
    expansion,
    finished,
    launches_asked,
    run_to_end,
    states,
    told,
)
from wfnb.events import TaskFailed
from wfnb.storage import Claim, Lane, Opening, Policy, Store

MORE = "1cpu-200000000"
ONE = Shape({"a": []})
CHAIN = Shape({"a": [], "b": ["a"], "c": ["b"]})


def opening(shape: Shape, task: str = "a", **policy: int) -> Opening:
    made = shape.opening(limit=2, policies={task: Policy(more=MORE, **policy)})
    return replace(made, lanes={**made.lanes, MORE: Lane(limit=2, pool=POOL)})


def runs_out(worker: Worker, task: str, attempt: int = 1) -> bool:
    return worker.fail(task, attempt, kind="memory", type="MemoryLimitExceeded", message="too big")


def one_that_ran_out(store: Store, shape: Shape, **policy: int) -> Worker:
    """Of memory in its first attempt of "a"."""
    store.open_run(opening(shape, **policy))
    worker = Worker.at(store)
    worker.claim()
    assert runs_out(worker, "a")
    return worker


def test_it_gets_its_next_attempt_where_there_is_more(store):
    worker = one_that_ran_out(store, CHAIN)
    assert states(store) == {"a": "queued"}
    assert worker.claim().status == "left", "it is not for workers that have as little"
    assert launches_asked(store) == [MORE]


def test_it_counts_neither_as_failure_nor_as_loss(store):
    worker = one_that_ran_out(store, ONE, retries=1)
    store.abandon(RUN, worker.identity, None)
    heir = Worker.at(store)
    assert (heir.joined.queue, heir.claim().claims) == (MORE, (Claim("a", 2),))
    heir.fail("a", 2)
    assert states(store) == {"a": "queued"}, "it has a retry"
    assert heir.claim().claims == (Claim("a", 3),), "where there is more"
    heir.fail("a", 3)
    assert store.snapshot(RUN).status == "failed"


def test_the_record_of_the_first_attempt_stays_and_says_what_comes(store):
    one_that_ran_out(store, ONE)
    (record,) = store.errors(RUN)["a"]
    words = "too big; the next attempt gets 200.0 MB"
    assert (record.kind, record.attempt, record.message) == ("memory", 1, words)
    (event,) = [event for event in told(store) if isinstance(event, TaskFailed)]
    assert (event.message, event.is_final) == (f"MemoryLimitExceeded: {words}", False)


def test_there_is_no_third_size(store):
    one_that_ran_out(store, ONE)
    heir = Worker.at(store)
    heir.claim()
    assert runs_out(heir, "a", 2)
    assert (store.snapshot(RUN).status, states(store)) == ("failed", {"a": "failed"})
    assert [record.message for record in store.errors(RUN)["a"]] == [
        "too big; the next attempt gets 200.0 MB",
        "too big",
    ]


@pytest.mark.parametrize("kind", ["raised", "timeout", "not-serialisable", "input"])
def test_other_failures_get_no_more_memory(store, kind):
    store.open_run(opening(ONE))
    worker = Worker.at(store)
    worker.claim()
    worker.fail("a", kind=kind)
    assert states(store) == {"a": "failed"}


def test_a_task_that_says_nothing_of_it_fails(store):
    store.open_run(opening(CHAIN, "b"))
    worker = Worker.at(store)
    worker.claim()
    runs_out(worker, "a")
    assert states(store) == {"a": "failed"}


def test_a_repeated_report_changes_nothing_more(store):
    worker = one_that_ran_out(store, ONE)
    before = store.snapshot(RUN), store.errors(RUN)
    assert runs_out(worker, "a")
    assert (store.snapshot(RUN), store.errors(RUN)) == before
    assert launches_asked(store) == [MORE]


def test_its_readers_stay_where_they_were(store):
    worker = one_that_ran_out(store, CHAIN)
    worker.claim()
    heir = Worker.at(store)
    heir.claim()
    assert heir.complete(finished(CHAIN, "a", 2)).status == "left"
    assert launches_asked(store) == [QUEUE]
    assert states(store) == {"a": "done", "b": "queued"}


def test_a_planned_workers_task_may_go_to_any_worker_with_more(store):
    shape = Shape({"a": [], "b": ["a"]}, queues=dict.fromkeys("ab", "@w1"))
    store.open_run(opening(shape))
    worker = Worker.at(store)
    worker.claim(stay=True)
    runs_out(worker, "a")
    heir = Worker.at(store)
    assert (heir.joined.queue, heir.tasks()) == (MORE, ["a"])
    heir.complete(finished(shape, "a", 2))
    assert worker.claim(stay=True).claims == (Claim("b", 1),)


def test_items_go_where_there_is_more_with_the_first_one_that_needs_it(store):
    shape = Shape.of_maps("m")
    store.open_run(opening(shape, "m"))
    worker = Worker.at(store)
    worker.claim()
    made = expansion(shape, "m.items", 4)
    worker.expand(finished(shape, "m.items"), made, want=2)
    assert {claim.task for claim in worker.mine[1:]} == {"m[0]", "m[1]"}
    runs_out(worker, "m[0]")
    store.release(RUN, worker.ask(), [Claim("m[1]", 1)])
    assert worker.claim().claims == (Claim("m[2]", 1),), "it was ready before"
    big = Worker.at(store)
    while big.joined.queue != MORE:
        big = Worker.at(store)
    assert sorted(big.tasks(want=4)) == ["m[0]", "m[1]"]
    assert runs_out(worker, "m[2]"), "each item has its own attempt with more"
    runs_out(big, "m[0]", 2)
    assert states(store)["m[2]"] == "queued"
    assert states(store)["m[0]"] == "failed"


def test_a_run_whose_tasks_all_need_more_ends(store):
    one_that_ran_out(store, CHAIN)
    assert run_to_end(store, CHAIN) == "done"


def test_a_worker_lost_with_more_memory_gives_its_task_to_another_of_its_size(store):
    one_that_ran_out(store, ONE)
    heir = Worker.at(store)
    heir.claim()
    store.abandon(RUN, heir.identity, error("a", 2, kind="lost"))
    assert launches_asked(store) == [MORE]


def test_it_goes_on_when_the_store_is_full(stored):
    store = stored.store
    store.open_run(opening(ONE))
    worker = Worker.at(store)
    worker.claim()
    with stored.full():
        assert runs_out(worker, "a")
    assert states(store) == {"a": "queued"}
