"""Workers come when they are asked for, leave when there is nothing to do, and none is missing."""

from __future__ import annotations

import threading
import time

import pytest

from tests.storing import (
    POOL,
    QUEUE,
    RUN,
    Shape,
    Worker,
    finished,
    launches_asked,
    run_to_end,
    states,
    told,
)
from wfnb.events import WorkerJoined, WorkerLeft
from wfnb.storage import Claim, Request, RunId

CHAIN = Shape({"a": [], "b": ["a"], "c": ["b"]})
ROOTS = Shape({name: [] for name in "abcdefgh"})
FORK = Shape({"a": [], "x": [], "b": ["a"], "c": ["a"]})
PLANNED = Shape({"a": [], "b": ["a"]}, queues={"a": "@w1", "b": "@w2"})


def test_opening_asks_for_a_worker_per_root_up_to_the_limit(store):
    store.open_run(ROOTS.opening(limit=3))
    assert launches_asked(store) == [QUEUE] * 3


def test_a_small_graph_travels_with_the_first_requests_and_a_large_one_does_not(store):
    store.open_run(CHAIN.opening(graph=b"small"))
    assert store.take_request([POOL], block_seconds=0).graph == b"small"
    store.open_run(CHAIN.opening(graph=b"x" * 20_000, run=RunId("large")))
    assert store.take_request([POOL], block_seconds=0).graph == b""


def test_a_request_is_met_once(store):
    store.open_run(CHAIN.opening())
    request = store.take_request([POOL], block_seconds=0)
    joined = store.join(request, "one")
    assert store.join(request, "other") is None
    assert store.join(request, "one") == joined, "its reply may have been lost"
    assert len([e for e in told(store) if isinstance(e, WorkerJoined)]) == 1


def test_a_worker_may_claim_in_the_call_that_lets_it_in(store):
    store.open_run(ROOTS.opening(limit=2))
    request = store.take_request([POOL], block_seconds=0)
    joined = store.join(request, "one", want=3)
    assert joined.first.claims == tuple(Claim(task, 1) for task in "abc")
    again = store.join(request, "one", want=3)
    assert again.first.claims == joined.first.claims, "its reply may have been lost"
    assert [type(e) for e in told(store)].count(WorkerJoined) == 1


def test_a_worker_that_finds_nothing_when_it_comes_is_out_again(stored):
    store, shape = stored.store, Shape({"a": [], "b": []})
    store.open_run(shape.opening())
    late = store.take_request([POOL], block_seconds=0)
    one = Worker.at(store)
    one.claim()
    one.claim(want=2)
    assert store.join(late, "other", want=1).first.status == "left"
    assert stored.crew() == {}


def test_a_worker_that_was_given_up_before_it_heard_of_its_joining_gets_nothing(stored):
    store = stored.store
    store.open_run(ROOTS.opening())
    request = store.take_request([POOL], block_seconds=0)
    store.join(request, "one", want=1)
    stored.expire_leases()
    store.reap(RUN)
    before = store.snapshot(RUN)
    assert store.join(request, "one", want=1) is None
    assert store.snapshot(RUN) == before


def test_a_worker_that_comes_again_keeps_its_name_but_not_its_identity(store):
    store.open_run(ROOTS.opening())
    first, second = (Worker.at(store, label="host:1") for _ in range(2))
    other = Worker.at(store, label="host:2")
    assert [w.identity for w in (first, second, other)] == ["w1:1", "w1:2", "w2:3"]


def test_a_worker_is_known_by_its_own_queue_when_it_came_again_for_another(stored):
    store, shape = stored.store, Shape({"a": [], "b": []}, queues={"b": "2cpu"})
    store.open_run(shape.opening())
    first, second = (Worker.at(store, label="same") for _ in range(2))
    assert first.joined.queue != second.joined.queue
    store.abandon(RUN, first.identity, None)
    assert stored.crew() == {}


def test_nobody_joins_a_run_that_is_over_or_unknown(store):
    store.open_run(CHAIN.opening())
    request = store.take_request([POOL], block_seconds=0)
    store.cancel(RUN)
    assert store.join(request, "late") is None
    unknown = Request(run=RunId("none"), serial="1", queue=QUEUE, generation=1)
    assert store.join(unknown, "late") is None


def test_a_worker_that_finds_nothing_leaves(store):
    store.open_run(CHAIN.opening(limit=2))
    busy = Worker.at(store)
    busy.claim()
    reply = busy.complete(finished(CHAIN, "a"), want=0)
    assert (reply.status, states(store)["b"]) == ("left", "queued")
    idle = Worker.at(store)
    assert idle.tasks() == ["b"]
    assert [type(e) for e in told(store)].count(WorkerLeft) == 1


def test_a_worker_with_tasks_at_hand_does_not_leave(store):
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    worker.claim(want=8)
    assert worker.claim().status == "go"


def test_a_worker_that_wants_nothing_more_has_its_place_filled(store):
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    assert launches_asked(store) == []
    assert worker.complete(finished(ROOTS, "a"), want=0).status == "left"
    assert launches_asked(store) == [QUEUE]


def test_what_becomes_ready_after_the_others_left_asks_for_them_again(store):
    store.open_run(FORK.opening())
    one, other = Worker.at(store), Worker.at(store)
    one.claim(), other.claim()
    assert other.complete(finished(FORK, "x")).status == "left"
    assert launches_asked(store) == []
    assert one.complete(finished(FORK, "a")).claims == (Claim("b", 1),)
    assert launches_asked(store) == [QUEUE]


def test_leaving_just_before_or_after_a_task_becomes_ready_loses_no_wake_up(store):
    for leaves_first in (True, False):
        run = RunId(f"r{leaves_first:d}")
        store.open_run(FORK.opening(limit=2, run=run))
        one, other = (Worker.at(store, run=run) for _ in range(2))
        one.claim(), other.claim()
        steps = [
            lambda other=other: other.complete(finished(FORK, "x")),
            lambda one=one: one.complete(finished(FORK, "a")),
        ]
        for step in steps if leaves_first else reversed(steps):
            step()
        someone = len(other.mine) == 2 or launches_asked(store) == [QUEUE]
        assert someone, "c is ready and nobody comes"
        store.drop(run)


def test_workers_that_come_and_go_at_once_finish_every_run(store):
    shape = Shape({"a": [], **{f"b{i}": ["a"] for i in range(6)}})
    shape = Shape({**shape.inputs, "c": [f"b{i}" for i in range(6)], "d": ["c"], "e": ["c"]})

    def work() -> None:
        while request := store.take_request([POOL], block_seconds=0.2):
            joined = store.join(request, threading.current_thread().name)
            if joined is None:
                continue
            worker = Worker(store, joined, request.run)
            claims = worker.claim().claims
            while claims:
                items = [finished(shape, c.task, c.attempt) for c in claims]
                claims = worker.complete(*items).claims

    threads = [threading.Thread(target=work) for _ in range(3)]
    for number in range(20):
        store.open_run(shape.opening(limit=3, run=RunId(f"r{number}")))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {about["status"] for _, about in store.runs()} == {"done"}


def test_no_more_workers_are_asked_for_than_the_lane_allows(stored):
    store = stored.store
    store.open_run(ROOTS.opening(limit=2))
    one, other = Worker.at(store), Worker.at(store)
    one.claim(), other.claim()
    store.reap(RUN)
    assert launches_asked(store) == []
    store.abandon(RUN, one.identity, None)
    assert launches_asked(store) == [QUEUE]


def test_reaping_asks_for_nobody_while_those_asked_for_may_still_come(store):
    store.open_run(CHAIN.opening(limit=8))
    for _ in range(5):
        assert store.reap(RUN).launches == 0
    assert launches_asked(store) == [QUEUE]


def test_a_launch_that_nobody_met_is_asked_for_again(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    lost = store.take_request([POOL], block_seconds=0)
    stored.make_launches_overdue()
    assert store.reap(RUN).launches == 1
    assert store.join(lost, "too late") is None
    assert Worker.at(store).tasks() == ["a"]


def test_an_idle_worker_that_dies_is_replaced_when_tasks_wait(store):
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    assert store.abandon(RUN, worker.identity, None).launches == 1
    assert Worker.at(store).tasks() == ["a"]


def test_a_request_that_is_returned_is_taken_by_the_next(store):
    store.open_run(CHAIN.opening())
    request = store.take_request([POOL], block_seconds=0)
    store.return_request(POOL, request)
    assert store.take_request(["other", POOL], block_seconds=0) == request


def test_taking_a_request_waits_no_longer_than_it_may(store):
    began = time.monotonic()
    assert store.take_request([POOL], block_seconds=0) is None
    assert store.take_request([POOL], block_seconds=0.05) is None
    assert time.monotonic() - began < 1


def test_a_planned_worker_is_launched_when_its_first_task_is_ready_and_has_its_name(store):
    store.open_run(PLANNED.opening())
    assert launches_asked(store) == ["@w1"]


def test_a_planned_worker_waits_for_its_tasks(store):
    store.open_run(PLANNED.opening())
    one = Worker.at(store)
    assert one.identity == "w1:1"
    assert one.tasks(stay=True) == ["a"]
    assert one.complete(finished(PLANNED, "a"), stay=True).status == "wait"
    other = Worker.at(store)
    assert (other.identity, other.tasks(stay=True)) == ("w2:2", ["b"])
    assert other.complete(finished(PLANNED, "b"), stay=True).status == "stop"
    assert one.claim(stay=True).status == "stop"


def test_a_flexible_worker_is_never_called_like_a_planned_one(store):
    shape = Shape({"a": [], "b": []}, queues={"b": "@w1"})
    store.open_run(shape.opening())
    names = {
        worker.joined.queue: worker.identity for worker in (Worker.at(store), Worker.at(store))
    }
    assert {queue: i.split(":")[0] for queue, i in names.items()} == {"@w1": "w1", QUEUE: "w2"}


@pytest.mark.parametrize("ends", [False, True])
def test_a_waiting_planned_worker_wakes_when_its_task_is_ready_or_the_run_ends(store, ends):
    store.open_run(PLANNED.opening())
    one = Worker.at(store)
    one.claim(stay=True)
    store.await_ready(RUN, "@w2", block_seconds=0)
    began = time.monotonic()
    waiting = threading.Thread(
        target=store.await_ready, args=(RUN, "@w2"), kwargs={"block_seconds": 5}
    )
    waiting.start()
    if ends:
        store.cancel(RUN)
    else:
        one.complete(finished(PLANNED, "a"), stay=True)
    waiting.join()
    assert time.monotonic() - began < 2


def test_a_pool_is_alive_for_as_long_as_it_said(store):
    assert store.open_run(CHAIN.opening()) is False
    store.announce(POOL, {"host": "here"}, ttl_seconds=30)
    assert store.pools() == {POOL: {"host": "here"}}
    assert store.open_run(CHAIN.opening(run=RunId("r2"))) is True
    store.announce(POOL, {}, ttl_seconds=0)
    assert store.pools() == {}


def test_a_run_ends_although_every_launch_was_lost_at_first(stored):
    store = stored.store
    store.open_run(CHAIN.opening(limit=2))
    launches_asked(store)
    stored.make_launches_overdue()
    assert run_to_end(store, CHAIN) == "done"
