"""Workers die, and what they had is done by others; what only they knew is made again."""

from __future__ import annotations

import pytest

from tests.storing import (
    QUEUE,
    RUN,
    Shape,
    Worker,
    error,
    finished,
    launches_asked,
    pointer,
    run_to_end,
    states,
    told,
)
from wfnb.errors import ErrorRecord
from wfnb.events import TaskFailed, TaskReturned, WorkerLost
from wfnb.storage import MOST_LOSSES, Claim, Policy
from wfnb.storage.records import ANY_TASK

ROOTS = Shape({name: [] for name in "abcd"})
CHAIN = Shape({"a": [], "b": ["a"], "c": ["b"]})


def planned(**inputs: list[str]) -> Shape:
    return Shape(inputs, queues=dict.fromkeys(inputs, "@w1"))


def lost(task: str, attempt: int = 1) -> ErrorRecord:
    return error(task, attempt, kind="lost", type="WorkerLost", message="signal 11")


def test_a_worker_whose_lease_ran_out_is_given_up_and_its_tasks_go_on(stored):
    store = stored.store
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    worker.claim(want=2)
    assert store.reap(RUN).workers == 0
    stored.expire_leases()
    reaped = store.reap(RUN)
    assert (reaped.workers, reaped.tasks, reaped.launches) == (1, 2, 1)
    assert store.reap(RUN).workers == 0
    assert Worker.at(store).claim(want=4).claims[:2] == (Claim("a", 2), Claim("b", 2))
    assert len([e for e in told(store) if isinstance(e, WorkerLost)]) == 1


def test_a_beat_renews_the_lease(stored):
    store = stored.store
    store.open_run(ROOTS.opening())
    worker = Worker.at(store)
    stored.expire_leases()
    assert store.beat(RUN, worker.identity) == 1
    assert store.reap(RUN).workers == 0


def test_a_lost_task_has_a_record_that_says_whose_and_which_attempt(stored):
    store = stored.store
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    worker.claim(want=2)
    stored.expire_leases()
    store.reap(RUN)
    for task in "ab":
        (record,) = store.errors(RUN)[task]
        assert (record.task, record.attempt, record.kind) == (task, 1, "lost")
        assert (record.worker, record.at_seconds > 0) == ("w1", True)


def test_only_the_task_that_was_executing_is_blamed_for_a_death(store):
    store.open_run(ROOTS.opening(limit=1, policies={"b": Policy(on_worker_lost="fail")}))
    worker = Worker.at(store)
    worker.claim(want=2)
    reaped = store.abandon(RUN, worker.identity, lost("a"))
    assert (reaped.workers, reaped.tasks) == (1, 2)
    assert store.errors(RUN) == {"a": [lost("a")]}
    assert states(store) == dict.fromkeys("abcd", "queued")
    assert len([e for e in told(store) if isinstance(e, TaskReturned)]) == 2


def test_a_death_without_blame_counts_for_no_task(store):
    store.open_run(ROOTS.opening(limit=1, policies={"a": Policy(on_worker_lost="fail")}))
    for _ in range(MOST_LOSSES + 1):
        worker = Worker.at(store)
        worker.claim()
        store.abandon(RUN, worker.identity, None)
    assert states(store)["a"] == "queued"
    assert store.errors(RUN) == {}


def test_giving_up_a_worker_twice_changes_nothing_more(stored):
    store = stored.store
    store.open_run(ROOTS.opening())
    worker = Worker.at(store)
    worker.claim()
    store.abandon(RUN, worker.identity, lost("a"))
    before = store.snapshot(RUN)
    assert store.abandon(RUN, worker.identity, lost("a")).workers == 0
    stored.expire_leases()
    assert store.reap(RUN).workers == 0
    assert store.snapshot(RUN) == before


def test_a_worker_that_left_cannot_be_lost(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(CHAIN, "a"), want=0)
    assert store.abandon(RUN, worker.identity, lost("a")).workers == 0


def test_a_task_that_loses_one_worker_after_another_is_poison(store):
    store.open_run(Shape({"a": []}).opening())
    for attempt in range(1, MOST_LOSSES + 1):
        worker = Worker.at(store)
        worker.claim()
        store.abandon(RUN, worker.identity, lost("a", attempt))
    assert (store.snapshot(RUN).status, states(store)) == ("failed", {"a": "failed"})
    assert len(store.errors(RUN)["a"]) == MOST_LOSSES
    assert [e.is_final for e in told(store) if isinstance(e, TaskFailed)] == [True]


def test_losses_are_not_the_users_retries(store):
    store.open_run(Shape({"a": []}).opening(policies={"a": Policy(retries=1)}))
    worker = Worker.at(store)
    worker.claim()
    store.abandon(RUN, worker.identity, lost("a"))
    worker = Worker.at(store)
    worker.claim()
    worker.fail("a", 2)
    assert states(store) == {"a": "queued"}


def test_a_task_that_may_not_run_twice_fails_with_its_worker(store):
    store.open_run(ROOTS.opening(policies={"a": Policy(on_worker_lost="fail", retries=5)}))
    worker = Worker.at(store)
    worker.claim()
    store.abandon(RUN, worker.identity, lost("a"))
    assert states(store)["a"] == "failed"


def test_every_task_that_fails_with_one_worker_is_told(stored):
    store = stored.store
    policies = dict.fromkeys("ab", Policy(on_worker_lost="fail"))
    store.open_run(ROOTS.opening(limit=1, policies=policies))
    Worker.at(store).claim(want=2)
    stored.expire_leases()
    store.reap(RUN)
    assert [e.task for e in told(store) if isinstance(e, TaskFailed)] == ["a", "b"]


def test_workers_that_are_lost_in_the_call_that_ends_the_run_leave_it_ended(stored):
    store, shape = stored.store, planned(h=[], r=["h"])
    shape = Shape({**shape.inputs, "a": []}, queues=shape.queues)
    store.open_run(shape.opening(policies={"a": Policy(on_worker_lost="fail")}))
    workers = {worker.joined.queue: worker for worker in (Worker.at(store), Worker.at(store))}
    workers["@w1"].claim(stay=True)
    workers["@w1"].complete(finished(shape, "h", held=True, unread=1), stay=True)
    workers["@w1"].fail("r")
    workers[QUEUE].claim()
    stored.expire_leases()
    store.reap(RUN)
    run = store.snapshot(RUN)
    if run.status == "failed":
        assert not any(s in ("queued", "retrying") or "running" in s for s in run.states.values())
    else:
        assert run_to_end(store, shape) == "failed"


def test_a_death_in_a_task_that_was_never_claimed_is_on_record(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    store.abandon(RUN, worker.identity, lost("b"))
    assert store.errors(RUN) == {"b": [lost("b")]}
    heir = Worker.at(store)
    heir.claim()
    reply = heir.complete(finished(CHAIN, "a", 2), finished(CHAIN, "b", became=True))
    assert (reply.refused, reply.claims) == ((), (Claim("c", 1),))


def test_a_task_that_may_not_run_twice_and_was_never_claimed_fails_with_its_worker(store):
    store.open_run(CHAIN.opening(policies={"b": Policy(on_worker_lost="fail")}))
    worker = Worker.at(store)
    worker.claim()
    store.abandon(RUN, worker.identity, lost("b"))
    assert states(store) == {"a": "queued", "b": "failed"}
    heir = Worker.at(store)
    heir.claim()
    assert heir.complete(finished(CHAIN, "a", 2)).status == "stop"
    assert (store.snapshot(RUN).status, states(store)) == ("failed", {"a": "done", "b": "failed"})


@pytest.mark.parametrize("verb", ["complete", "fail", "release", "abandon", "reap", "cancel"])
def test_a_run_can_go_on_or_end_when_the_store_is_full(stored, verb):
    store = stored.store
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    if verb == "reap":
        stored.expire_leases()
    with stored.full():
        answer = {
            "complete": lambda: worker.complete(finished(ROOTS, "a")).claims,
            "fail": lambda: worker.fail("a"),
            "release": lambda: store.release(RUN, worker.ask(), worker.mine) is None,
            "abandon": lambda: store.abandon(RUN, worker.identity, lost("a")).workers,
            "reap": lambda: store.reap(RUN).workers,
            "cancel": lambda: store.cancel(RUN),
        }[verb]()
    assert answer
    assert states(store)["a"] != "running 1" or verb == "cancel"


# Outputs that only one worker held


def test_a_held_output_is_done_when_its_last_reader_is(store):
    shape = planned(a=[], b=["a"])
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    worker.complete(finished(shape, "a", held=True, unread=1), stay=True)
    assert states(store) == {"a": "held", "b": "running 1"}
    assert store.results(RUN, ["a"]) == [None]
    worker.complete(finished(shape, "b", reads=["a"]), stay=True)
    assert states(store) == {"a": "done", "b": "done"}
    assert store.snapshot(RUN).status == "done"


def test_a_worker_that_holds_outputs_does_not_leave(store):
    shape = Shape({"a": [], "x": [], "b": ["a", "x"]}, queues=dict.fromkeys("ab", "@w1"))
    store.open_run(shape.opening())
    workers = {worker.joined.queue: worker for worker in (Worker.at(store), Worker.at(store))}
    holder = workers["@w1"]
    holder.claim()
    assert holder.complete(finished(shape, "a", held=True, unread=1)).status == "wait"


@pytest.mark.parametrize("reader", ["queued", "running", "waiting", "retrying"])
def test_a_lost_held_output_is_made_again_and_its_reader_waits(stored, reader):
    store, inputs = stored.store, {"a": [], "b": ["a"]}
    if reader == "waiting":
        inputs = {"a": [], "x": [], "b": ["a", "x"]}
    shape = Shape(inputs, queues=dict.fromkeys("ab", "@w1"))
    store.open_run(shape.opening(policies={"b": Policy(retries=1, retry_delay_seconds=60)}))
    holder = Worker.at(store)
    while holder.joined.queue != "@w1":
        holder = Worker.at(store)
    holder.claim(stay=True)
    item = finished(shape, "a", held=True, unread=1)
    holder.complete(item, want=0 if reader == "queued" else 1, stay=True)
    if reader == "retrying":
        holder.fail("b")
    stored.expire_leases()
    store.beat(RUN, "w2:2" if reader == "waiting" else "none")
    store.reap(RUN)
    assert (states(store)["a"], states(store).get("b")) == ("queued", None)
    assert store.audit(RUN) == {}
    assert run_to_end(store, shape) == "done"


def test_a_chain_of_held_outputs_is_made_again_from_its_beginning(stored):
    store, shape = stored.store, planned(a=[], b=["a"], c=["b"], d=["c"])
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    held = {"held": True, "unread": 1}
    worker.complete(
        finished(shape, "a", **held),
        finished(shape, "b", became=True, reads=["a"], **held),
        finished(shape, "c", became=True, reads=["b"], **held),
        stay=True,
    )
    assert states(store) == {**dict.fromkeys("abc", "held"), "d": "running 1"}
    store.abandon(RUN, worker.identity, lost("d"))
    assert states(store) == {"a": "queued"}
    assert run_to_end(store, shape) == "done"


def test_the_last_reader_releases_a_chain_of_held_outputs_and_what_it_read(stored):
    store, shape = stored.store, planned(x=[], a=["x"], b=["a"], c=["b"])
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    store.put(RUN, {"out-x": [b"big"]})
    worker.complete(finished(shape, "x", result=pointer("out-x"), unread=1), stay=True)
    held = {"held": True, "unread": 1}
    worker.complete(
        finished(shape, "a", reads=["x"], **held),
        finished(shape, "b", became=True, reads=["a"], **held),
        stay=True,
    )
    assert stored.chunk_names() == {"out-x"}
    worker.complete(finished(shape, "c", reads=["b"]), stay=True)
    assert states(store) == dict.fromkeys("xabc", "done")
    assert stored.chunk_names() == set()


def test_a_reader_that_is_done_is_not_run_again_when_its_input_is(stored):
    store, shape = stored.store, planned(a=[], b=["a"], c=["a"])
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    worker.complete(finished(shape, "a", held=True, unread=2), want=2, stay=True)
    worker.complete(finished(shape, "b", reads=["a"]), stay=True)
    store.abandon(RUN, worker.identity, None)
    assert states(store) == {"a": "queued", "b": "done"}
    heir = Worker.at(store)
    heir.claim(stay=True)
    reply = heir.complete(finished(shape, "a", 2, held=True, unread=2), want=2, stay=True)
    assert [claim.task for claim in reply.claims] == ["c"]
    heir.complete(finished(shape, "c", reply.claims[0].attempt, reads=["a"]), stay=True)
    assert states(store) == dict.fromkeys("abc", "done")


def test_a_reader_that_failed_is_not_run_again_when_its_input_is(stored):
    store, shape = stored.store, planned(a=[], b=["a"], c=["a"])
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    worker.complete(finished(shape, "a", held=True, unread=2), want=2, stay=True)
    worker.fail("b")
    store.abandon(RUN, worker.identity, None)
    heir = Worker.at(store)
    heir.claim(stay=True)
    reply = heir.complete(finished(shape, "a", 2, held=True, unread=2), want=2, stay=True)
    assert [claim.task for claim in reply.claims] == ["c"]
    heir.complete(finished(shape, "c", reply.claims[0].attempt, reads=["a"]), stay=True)
    assert store.snapshot(RUN).status == "failed"
    assert states(store)["b"] == "failed"


def test_an_output_made_again_is_dropped_when_those_have_read_it_that_had_not(stored):
    store, shape = stored.store, planned(a=[], b=["a"], c=["a"])
    shape = Shape({**shape.inputs, "z": ["c"]}, queues={**shape.queues, "z": "@w1"})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    worker.complete(finished(shape, "a", held=True, unread=2), want=2, stay=True)
    worker.complete(finished(shape, "b", reads=["a"]), stay=True)
    store.abandon(RUN, worker.identity, None)
    heir = Worker.at(store)
    heir.claim(stay=True)
    store.put(RUN, {"a2": [b"big"]})
    reply = heir.complete(finished(shape, "a", 2, result=pointer("a2"), unread=2), stay=True)
    assert stored.chunk_names() == {"a2"}
    heir.complete(finished(shape, "c", reply.claims[0].attempt, reads=["a"]), stay=True)
    assert stored.chunk_names() == set()


def test_a_lost_worker_holds_nothing_that_others_hold(stored):
    store = stored.store
    shape = Shape({"a": [], "b": ["a"], "x": []}, queues={"a": "@w1", "b": "@w1", "x": "@w2"})
    store.open_run(shape.opening())
    workers = {worker.joined.queue: worker for worker in (Worker.at(store), Worker.at(store))}
    for worker in workers.values():
        worker.claim(stay=True)
    workers["@w1"].complete(finished(shape, "a", held=True, unread=1), stay=True)
    store.abandon(RUN, workers["@w2"].identity, None)
    assert states(store) == {"a": "held", "b": "running 1", "x": "queued"}
    assert launches_asked(store) == ["@w2"]


def test_what_no_worker_can_do_is_blamed_on_every_claim_until_it_is_given_up(store):
    store.open_run(ROOTS.opening(limit=1))
    refused = error(ANY_TASK, 0, kind="refused", type="StoreFullError", message="no memory left")
    for _ in range(MOST_LOSSES):
        worker = Worker.at(store)
        worker.claim(want=4)
        store.abandon(RUN, worker.identity, refused)
    assert store.snapshot(RUN).status == "failed"
    for task in "abcd":
        records = store.errors(RUN)[task]
        assert [(record.task, record.attempt) for record in records] == [
            (task, attempt + 1) for attempt in range(MOST_LOSSES)
        ]
        assert {record.type for record in records} == {"StoreFullError"}
