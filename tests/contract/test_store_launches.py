"""What a launch took, who is at work, and how runs share the workers of one pool."""

from __future__ import annotations

import pytest

from tests.storing import (
    POOL,
    QUEUE,
    RUN,
    Shape,
    Stored,
    Worker,
    error,
    expansion,
    finished,
    launches_asked,
    run_to_end,
    states,
    told,
)
from wfnb.events import WorkerJoined
from wfnb.storage import Claim, Request, RunId, Seat, Store
from wfnb.storage.records import DISMISSAL, MOST_STARTS

CHAIN = Shape({"a": [], "b": ["a"], "c": ["b"]})
ROOTS = Shape({name: [] for name in "abcd"})
PLANNED = Shape({"a": [], "b": ["a"]}, queues={"a": "@w1", "b": "@w1"})
OTHER = RunId("other")


def joining(store: Store) -> list[WorkerJoined]:
    return [event for event in told(store) if isinstance(event, WorkerJoined)]


# What a launch took


def test_a_launch_tells_how_long_it_was_waited_for(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    stored.let_launches_wait(3)
    Worker.at(store)
    (event,) = joining(store)
    assert 3 <= event.waited_seconds < 5
    assert not event.is_cold, "nobody knows how old it is"
    (start,) = store.starts(POOL)
    assert (start.waited_seconds, start.is_cold) == (event.waited_seconds, False)
    assert abs(start.at_seconds - event.at_seconds) < 0.01


@pytest.mark.parametrize(("age_seconds", "is_cold"), [(1, True), (100, False), (0.5e-5, True)])
def test_a_worker_that_is_younger_than_the_launch_was_started_for_it(stored, age_seconds, is_cold):
    store = stored.store
    store.open_run(CHAIN.opening())
    stored.let_launches_wait(3)
    request = store.take_request([POOL], block_seconds=0)
    store.join(request, "one", want=1, age_seconds=age_seconds)
    assert [event.is_cold for event in joining(store)] == [is_cold]
    assert [start.is_cold for start in store.starts(POOL)] == [is_cold]


def test_a_launch_counts_once_when_the_reply_to_joining_was_lost(store):
    store.open_run(CHAIN.opening())
    request = store.take_request([POOL], block_seconds=0)
    for _ in range(2):
        store.join(request, "one", want=1, age_seconds=0.0)
    assert len(store.starts(POOL)) == 1


def test_the_latest_launches_of_each_list_are_kept(stored):
    store = stored.store
    store.open_run(Shape({f"t{n}": [] for n in range(MOST_STARTS + 5)}).opening(limit=1000))
    stored.let_launches_wait(5)
    for _ in range(5):
        Worker.at(store)
    stored.let_launches_wait(-5)
    for _ in range(MOST_STARTS - 1):
        Worker.at(store)
    starts = store.starts(POOL)
    assert len(starts) == MOST_STARTS
    assert [start.waited_seconds >= 5 for start in starts[-2:]] == [False, True], "latest first"
    assert store.starts("never heard of") == []


# Who is at work


def test_a_crew_is_known_by_its_labels_with_what_it_has_claimed(store):
    store.open_run(ROOTS.opening(limit=2))
    one, other = Worker.at(store, label="one"), Worker.at(store, label="other")
    one.claim(want=2)
    assert store.crew(RUN) == {
        "one": Seat(identity=one.identity, generation=1, queue=QUEUE, claims={"a": 1, "b": 1}),
        "other": Seat(identity=other.identity, generation=1, queue=QUEUE, claims={}),
    }


def test_who_is_lost_or_has_left_is_no_longer_of_the_crew(stored):
    store = stored.store
    store.open_run(ROOTS.opening(limit=3))
    for label in ("lost", "left", "there"):
        worker = Worker.at(store, label=label)
        worker.claim()
        if label == "lost":
            store.abandon(RUN, worker.identity, None)
        if label == "left":
            worker.complete(finished(ROOTS, "a", 2), want=0)
    assert [*store.crew(RUN)] == ["there"]
    store.cancel(RUN)
    assert store.crew(RUN) == store.crew(RunId("unknown")) == {}


def test_a_label_that_came_again_is_known_by_its_latest_seat(store):
    store.open_run(ROOTS.opening(limit=2))
    Worker.at(store, label="one")
    again = Worker.at(store, label="one")
    assert store.crew(RUN)["one"].identity == again.identity


def test_a_planned_worker_is_of_the_crew_under_its_label(store):
    store.open_run(PLANNED.opening())
    worker = Worker.at(store, label="container abc")
    worker.claim(stay=True)
    seat = store.crew(RUN)["container abc"]
    assert (seat.identity, seat.queue, seat.claims) == (worker.identity, "@w1", {"a": 1})


def test_who_learns_of_a_death_can_blame_the_task_that_was_running(store):
    store.open_run(ROOTS.opening(limit=1))
    Worker.at(store, label="container abc").claim()
    seat = store.crew(RUN)["container abc"]
    ((task, attempt),) = seat.claims.items()
    store.abandon(RUN, seat.identity, error(task, attempt, kind="lost"))
    assert [record.attempt for record in store.errors(RUN)["a"]] == [1]
    assert Worker.at(store).claim().claims == (Claim("a", 2),)


# Runs that share a pool


def busy_one(store: Store, shape: Shape, *, limit: int = 1, want: int = 1) -> Worker:
    """It has claimed what it wanted, and now another run waits."""
    store.open_run(shape.opening(limit=limit))
    worker = Worker.at(store)
    worker.claim(want=want)
    store.open_run(CHAIN.opening(run=OTHER))
    return worker


def asked(stored: Stored) -> list[str]:
    """Runs on the launch list, in order."""
    return [run for run, _ in stored.requests()]


def test_a_tired_worker_makes_way_for_another_run_and_asks_for_one_that_goes_on(stored):
    store = stored.store
    worker = busy_one(store, ROOTS)
    reply = worker.complete(finished(ROOTS, "a"), tired=True)
    assert (reply.status, reply.claims, reply.refused) == ("left", (), ())
    assert asked(stored) == [OTHER, RUN]
    assert states(store) == {"a": "done", **dict.fromkeys("bcd", "queued")}
    assert store.take_request([POOL], block_seconds=0).run == OTHER
    assert Worker.at(store).tasks() == ["b"]


def test_a_worker_that_is_not_tired_goes_on(store):
    worker = busy_one(store, ROOTS)
    assert worker.complete(finished(ROOTS, "a")).claims == (Claim("b", 1),)


def test_a_tired_worker_goes_on_when_only_its_own_run_waits(stored):
    store = stored.store
    store.open_run(ROOTS.opening(limit=3))
    worker = Worker.at(store)
    assert worker.claim(tired=True).claims == (Claim("a", 1),)
    assert worker.complete(finished(ROOTS, "a"), tired=True).claims == (Claim("b", 1),)
    assert asked(stored) == [RUN, RUN]


def test_the_other_runs_request_comes_before_those_of_the_run_that_makes_way(stored):
    store = stored.store
    worker = busy_one(store, ROOTS, limit=3)
    assert asked(stored) == [RUN, RUN, OTHER]
    assert worker.complete(finished(ROOTS, "a"), tired=True).status == "left"
    assert asked(stored) == [OTHER, RUN, RUN, RUN]


def test_a_request_far_down_the_list_is_not_looked_for(stored):
    store, shape = stored.store, Shape({f"t{n:02}": [] for n in range(30)})
    worker = busy_one(store, shape, limit=17)
    assert asked(stored) == [RUN] * 16 + [OTHER]
    reply = worker.complete(finished(shape, "t00"), tired=True)
    assert reply.claims == (Claim("t01", 1),)


def test_a_tired_worker_ends_what_it_has_before_it_makes_way(stored):
    store = stored.store
    worker = busy_one(store, ROOTS, limit=1, want=2)
    first = worker.complete(finished(ROOTS, "a"), tired=True, want=4, prefer=["c"])
    assert (first.status, first.claims) == ("go", ())
    assert worker.complete(finished(ROOTS, "b"), tired=True, want=4).status == "left"
    assert asked(stored) == [OTHER, RUN]


def test_what_a_tired_worker_made_ready_is_for_others(stored):
    store = stored.store
    worker = busy_one(store, CHAIN)
    assert worker.complete(finished(CHAIN, "a"), tired=True).status == "left"
    assert states(store) == {"a": "done", "b": "queued"}
    assert asked(stored) == [OTHER, RUN]


def test_items_that_a_tired_worker_made_are_for_others(stored):
    store, shape = stored.store, Shape.of_maps("m")
    worker = busy_one(store, shape, limit=1)
    split = finished(shape, "m.items")
    assert worker.expand(split, expansion(shape, "m.items", 3), tired=True, want=2).status == "left"
    assert asked(stored) == [OTHER, RUN]
    assert store.take_request([POOL], block_seconds=0).run == OTHER
    assert Worker.at(store).tasks(want=3) == ["m[0]", "m[1]", "m[2]"]


def test_a_tired_worker_that_ends_its_run_stops(store):
    store.open_run(Shape({"a": []}).opening())
    worker = Worker.at(store)
    worker.claim()
    store.open_run(ROOTS.opening(run=OTHER))
    assert worker.complete(finished(ROOTS, "a"), tired=True).status == "stop"
    assert store.snapshot(RUN).status == "done"


def test_a_planned_worker_is_never_tired(store):
    store.open_run(PLANNED.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    store.open_run(ROOTS.opening(run=OTHER))
    reply = worker.complete(finished(PLANNED, "a"), stay=True, tired=True)
    assert reply.claims == (Claim("b", 1),)


def test_making_way_twice_after_a_lost_reply_changes_nothing_more(stored):
    store = stored.store
    worker = busy_one(store, ROOTS, limit=2)
    ask = worker.ask(tired=True, nonce="the same")
    item = [finished(ROOTS, "a")]
    first = store.complete(RUN, item, ask)
    before = stored.requests(), states(store)
    assert store.complete(RUN, item, ask) == first
    assert (stored.requests(), states(store)) == before


def test_two_runs_take_turns_on_one_worker_until_both_have_ended(stored):
    """Always tired: each task is a turn of its own."""
    store = stored.store
    long = Shape({f"t{n:02}": [] for n in range(20)})
    short = Shape({f"s{n}": [] for n in range(4)})
    store.open_run(long.opening(limit=1))
    store.open_run(short.opening(limit=1, run=OTHER))
    turns = []
    while request := store.take_request([POOL], block_seconds=0):
        shape = short if request.run == OTHER else long
        worker = Worker(store, store.join(request, "the one"), request.run)
        reply = worker.claim()
        while reply.status == "go":
            turns.append(request.run)
            ended = [finished(shape, claim.task, claim.attempt) for claim in reply.claims]
            reply = worker.complete(*ended, tired=True)
    assert turns == [RUN, OTHER] * 4 + [RUN] * 16
    assert {about["status"] for _, about in store.runs()} == {"done"}


def test_requests_of_runs_that_are_over_hold_nobody_up_for_long(stored):
    store = stored.store
    worker = busy_one(store, ROOTS, limit=1)
    store.cancel(OTHER)
    assert worker.complete(finished(ROOTS, "a"), tired=True).status == "left"
    stale = store.take_request([POOL], block_seconds=0)
    assert (stale.run, store.join(stale, "one")) == (OTHER, None)
    heir = Worker.at(store)
    assert heir.claim(tired=True).claims == (Claim("b", 1),)


@pytest.mark.parametrize("dies", [False, True])
def test_a_run_whose_worker_made_way_ends_all_the_same(stored, dies):
    store = stored.store
    store.open_run(CHAIN.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    if dies:
        stored.expire_leases()
        store.reap(RUN)
    elsewhere = Request(run=OTHER, serial="1", queue=QUEUE, generation=1)
    store.return_request(POOL, elsewhere)
    reply = worker.complete(finished(CHAIN, "a"), tired=True)
    assert reply.status == ("stop" if dies else "left")
    assert store.take_request([POOL], block_seconds=0) == elsewhere
    assert run_to_end(store, CHAIN) == "done"
    assert launches_asked(store) == []


def test_requests_that_nobody_has_taken_are_counted_by_list(store):
    assert store.waiting([]) == []
    store.open_run(ROOTS.opening(limit=3))
    assert store.waiting([POOL, "elsewhere"]) == [3, 0]
    store.take_request([POOL], block_seconds=0)
    assert store.waiting([POOL]) == [2]
    store.return_request(POOL, DISMISSAL)
    assert store.waiting([POOL]) == [3]
    assert store.take_request([POOL], block_seconds=0) == DISMISSAL


def test_a_tired_worker_makes_way_for_a_dismissal(store):
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    store.return_request(POOL, DISMISSAL)
    assert worker.complete(finished(ROOTS, "a"), tired=True).status == "left"
    assert store.take_request([POOL], block_seconds=0) == DISMISSAL
    assert launches_asked(store) == [QUEUE]
