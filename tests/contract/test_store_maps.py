"""Maps become items when their iterables have been split; what is reused need not run at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.leaks import lasting_keys
from tests.storing import (
    QUEUE,
    RUN,
    Shape,
    StoredInRedis,
    Worker,
    error,
    expansion,
    finished,
    launches_asked,
    pointer,
    run_to_end,
    states,
    told,
)
from wfnb.errors import ErrorRecord
from wfnb.events import RunEnded, TaskDone, TaskExpanded, TaskReused
from wfnb.storage import Claim, Policy, Reply, RunId

ONE = Shape.of_maps("m")
CHAIN = Shape.of_maps("m", "n")
SPLIT = "m.items"


def split(store, shape, count=3, *, split_by=SPLIT, claim=True, **words):
    """A worker that has just expanded the maps, and what it was told."""
    worker = Worker.at(store)
    if claim:
        assert worker.tasks(want=1) == [split_by]
    reply = worker.expand(finished(shape, split_by), expansion(shape, split_by, count), **words)
    return worker, reply


def lost(task: str, attempt: int = 1) -> ErrorRecord:
    return error(task, attempt, kind="lost", type="WorkerLost", message="signal 11")


def tasks(reply: Reply) -> list[str]:
    return [claim.task for claim in reply.claims]


def counts(store) -> dict[str, int]:
    about = store.snapshot(RUN).about
    return {name: int(about[name]) for name in ("tasks", "active", "done", "failed")}


def test_a_task_that_split_makes_as_many_items_of_each_map(store):
    store.open_run(CHAIN.opening())
    assert store.expansions(RUN) == store.snapshot(RUN).expansions == {}
    _, reply = split(store, CHAIN, 3, want=1)
    assert reply.status == "go"
    assert states(store) == {SPLIT: "expanded", "m[0]": "running 1"} | dict.fromkeys(
        ("m[1]", "m[2]"), "queued"
    )
    assert counts(store) == {"tasks": 4 + 6, "active": 3, "done": 1, "failed": 0}
    assert store.expansions(RUN) == store.snapshot(RUN).expansions == {SPLIT: 3}


def test_an_expansion_is_told_with_its_count(store):
    store.open_run(CHAIN.opening())
    split(store, CHAIN, 3)
    (event,) = [e for e in told(store) if isinstance(e, TaskExpanded)]
    assert (event.task, event.attempt, event.count, event.worker) == (SPLIT, 1, 3, "w1")
    assert event.sample.start_seconds == 1.0


def test_an_expansion_may_go_untold(store):
    store.open_run(ONE.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.expand(finished(ONE, SPLIT, note=""), expansion(ONE, SPLIT, 1))
    assert not [e for e in told(store) if isinstance(e, TaskExpanded)]


def test_what_the_task_that_split_returned_is_kept(store):
    store.open_run(ONE.opening())
    split(store, ONE, 2)
    assert store.results(RUN, [SPLIT]) == [b"output of m.items"]
    assert store.results(RUN, ["m.items[0]", "m.items[1]"]) == [b"element 0", b"element 1"]


def test_the_first_items_are_the_callers_and_the_others_are_queued_in_their_order(store):
    store.open_run(ONE.opening(limit=3))
    worker, reply = split(store, ONE, 8, want=2)
    assert tasks(reply) == ["m[0]", "m[1]"]
    assert launches_asked(store) == [QUEUE] * 2, "as many as the lane allows beside the caller"
    assert worker.tasks(want=4) == ["m[2]", "m[3]", "m[4]", "m[5]"]


def test_items_of_long_functions_come_alone(store):
    store.open_run(Shape.of_maps("m-0").opening())
    shape = Shape.of_maps("m-0")
    worker, reply = split(store, shape, 5, split_by="m-0.items", want=4, short=["other"])
    assert tasks(reply) == ["m-0[0]"]
    assert worker.tasks(want=4, short=["m"]) == ["m-0[1]", "m-0[2]", "m-0[3]", "m-0[4]"]


def test_items_come_before_what_is_older(store):
    shape = Shape({**ONE.inputs, "x": []}, maps=ONE.maps)
    store.open_run(shape.opening(limit=1))
    _, reply = split(store, shape, 2, want=3)
    assert tasks(reply) == ["m[0]", "m[1]", "x"]


def test_a_worker_that_wants_no_more_leaves_all_items_to_others(store):
    store.open_run(ONE.opening(limit=2))
    _, reply = split(store, ONE, 3, want=0)
    assert (reply.status, reply.claims) == ("left", ())
    assert launches_asked(store) == [QUEUE] * 2
    store.drop(RUN)


@pytest.mark.parametrize("hint", ["", "data"])
def test_elements_come_along_with_the_items_that_read_them(store, hint):
    shape = Shape({"data": [], **ONE.inputs, SPLIT: ["data"]}, maps=ONE.maps)
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(shape, "data"))
    made = expansion(shape, SPLIT, 3, hint=hint)
    also = {"data": b"output of data"} if hint else {}
    reply = worker.expand(finished(shape, SPLIT), made, want=2)
    assert reply.inputs == {"m.items[0]": b"element 0", "m.items[1]": b"element 1"} | also
    assert worker.claim().inputs == {"m.items[2]": b"element 2"} | also


def test_items_of_a_following_map_become_ready_by_those_they_follow(store):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, 2, want=2)
    reply = worker.complete(finished(CHAIN, "m[1]"), hints={"n[1]": "m[1]"})
    assert tasks(reply) == ["n[1]"]
    assert reply.inputs == {"m[1]": b"output of m[1]"}
    assert tasks(worker.complete(finished(CHAIN, "m[0]"), want=2)) == ["n[0]", "m"]


def test_an_item_of_a_following_map_may_be_become(store):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, 2, want=2)
    items = [
        finished(CHAIN, "m[0]", result=None),
        finished(CHAIN, "n[0]", became=True),
        finished(CHAIN, "m[1]"),
    ]
    reply = worker.complete(*items, want=2)
    assert tasks(reply) == ["n[1]", "m"]
    assert tasks(worker.complete(finished(CHAIN, "n[1]"))) == ["n"]


def test_a_map_is_gathered_after_its_last_item_and_the_run_goes_on(store):
    store.open_run(CHAIN.opening())
    assert run_to_end(store, CHAIN, count=5) == "done"
    done = [e.task for e in told(store) if isinstance(e, TaskDone)]
    assert sorted(done) == sorted(set(CHAIN.tasks({SPLIT: 5})) - {SPLIT})
    assert done[-2:] == ["n", "end"]
    assert counts(store) == {"tasks": 14, "active": 0, "done": 14, "failed": 0}
    assert store.expansions(RUN) == {SPLIT: 5}, "for those who look at the run afterwards"


def test_a_map_of_nothing_makes_every_map_ready_at_once(store):
    store.open_run(CHAIN.opening())
    worker, reply = split(store, CHAIN, 0, want=2)
    assert tasks(reply) == ["m", "n"]
    assert counts(store)["tasks"] == 4
    worker.complete(finished(CHAIN, "m"), finished(CHAIN, "n"))
    assert worker.complete(finished(CHAIN, "end")).status == "stop"
    assert (store.snapshot(RUN).status, store.expansions(RUN)) == ("done", {SPLIT: 0})


def test_what_a_map_of_nothing_reads_comes_along(store):
    store.open_run(ONE.opening())
    _, reply = split(store, ONE, 0, hints={"m": SPLIT})
    assert (tasks(reply), reply.inputs) == (["m"], {SPLIT: b"output of m.items"})


def test_a_map_may_have_a_single_item(store):
    store.open_run(CHAIN.opening())
    worker, reply = split(store, CHAIN, 1)
    assert tasks(reply) == ["m[0]"]
    assert tasks(worker.complete(finished(CHAIN, "m[0]"), want=2)) == ["n[0]", "m"]
    assert tasks(worker.complete(finished(CHAIN, "n[0]"))) == ["n"]


def test_maps_of_maps_expand_one_after_the_other(store):
    inner = Shape.of_maps("m", "n")
    inputs = {**inner.inputs, "p.items": ["n"], "p": ["p.items"], "end": ["p"]}
    shape = Shape(inputs, maps={**inner.maps, "p.items": ["p"]})
    store.open_run(shape.opening())
    assert run_to_end(store, shape, count=2) == "done"
    assert store.expansions(RUN) == {"m.items": 2, "p.items": 2}


def test_ten_thousand_items_are_made_in_one_call_and_gathered(store):
    store.open_run(CHAIN.opening(limit=100))
    _, reply = split(store, CHAIN, 10_000, want=5)
    assert tasks(reply) == [f"m[{i}]" for i in range(5)]
    assert len(launches_asked(store)) == 99
    assert list(states(store).values()).count("queued") == 9_995
    assert store.results(RUN, ["m.items[0]", "m.items[9999]"]) == [b"element 0", b"element 9999"]
    assert store.cancel(RUN)


# Calls that are repeated, late, or not this worker's


@pytest.mark.parametrize("count", [0, 3])
def test_a_repeated_expansion_gets_the_same_answer_and_changes_nothing(store, count):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    ask = worker.ask(want=2)
    words = (RUN, finished(CHAIN, SPLIT), expansion(CHAIN, SPLIT, count), ask)
    reply = store.expand(*words)
    before = store.snapshot(RUN)
    again = store.expand(*words)
    assert replace(again, inputs=reply.inputs) == reply
    assert store.snapshot(RUN) == before


def test_an_expansion_under_another_nonce_is_refused(store):
    store.open_run(ONE.opening())
    worker, _ = split(store, ONE, 2)
    before = counts(store)
    reply = worker.expand(finished(ONE, SPLIT), expansion(ONE, SPLIT, 5), want=0)
    assert reply.refused == (SPLIT,)
    assert (counts(store), store.expansions(RUN)) == (before, {SPLIT: 2})


def test_a_task_that_another_claimed_cannot_be_expanded_but_the_next_task_is_given(store):
    shape = Shape({**ONE.inputs, "x": []}, maps=ONE.maps)
    store.open_run(shape.opening())
    owner, other = Worker.at(store), Worker.at(store)
    owner.claim()
    reply = other.expand(finished(shape, SPLIT), expansion(shape, SPLIT, 2))
    assert (reply.refused, tasks(reply)) == ((SPLIT,), ["x"])
    assert (states(store)[SPLIT], store.expansions(RUN)) == ("running 1", {})


def test_a_late_expansion_of_a_given_up_worker_is_refused_and_the_second_counts(stored):
    store = stored.store
    store.open_run(CHAIN.opening(limit=1))
    zombie = Worker.at(store)
    zombie.claim()
    stored.expire_leases()
    store.reap(RUN)
    heir = Worker.at(store)
    assert heir.claim().claims == (Claim(SPLIT, 2),)
    late = expansion(CHAIN, SPLIT, 7)
    assert zombie.expand(finished(CHAIN, SPLIT), late).status == "stop"
    heir.expand(finished(CHAIN, SPLIT, 2), expansion(CHAIN, SPLIT, 2))
    assert zombie.expand(finished(CHAIN, SPLIT), late).status == "stop"
    assert store.expansions(RUN) == {SPLIT: 2}
    assert counts(store)["tasks"] == 8


def test_a_late_expansion_of_an_earlier_attempt_is_refused(store):
    store.open_run(ONE.opening(policies={SPLIT: Policy(retries=1)}))
    worker = Worker.at(store)
    worker.claim()
    worker.fail(SPLIT)
    assert worker.claim().claims == (Claim(SPLIT, 2),)
    reply = worker.expand(finished(ONE, SPLIT, 1), expansion(ONE, SPLIT, 2))
    assert (reply.refused, store.expansions(RUN)) == ((SPLIT,), {})


def test_an_expansion_after_the_run_was_cancelled_changes_nothing(store):
    store.open_run(ONE.opening())
    worker = Worker.at(store)
    worker.claim()
    store.cancel(RUN)
    before = store.snapshot(RUN)
    assert worker.expand(finished(ONE, SPLIT), expansion(ONE, SPLIT, 2)).status == "stop"
    assert (store.snapshot(RUN), store.results(RUN, ["m.items[0]"])) == (before, [None])


def test_an_unknown_run_has_no_items_and_makes_none(store):
    store.open_run(ONE.opening())
    worker = Worker.at(store)
    worker.claim()
    words = (finished(ONE, SPLIT), expansion(ONE, SPLIT, 2), worker.ask())
    assert store.expand(RunId("none"), *words).status == "stop"
    assert store.expansions(RunId("none")) == {}


def test_a_worker_lost_right_after_its_expansion_leaves_its_items_to_others(stored):
    store = stored.store
    store.open_run(CHAIN.opening(limit=1))
    split(store, CHAIN, 4, want=3)
    stored.expire_leases()
    assert store.reap(RUN).tasks == 3
    assert counts(store)["active"] == 4
    assert run_to_end(store, CHAIN) == "done"
    assert store.expansions(RUN) == {SPLIT: 4}


def test_a_run_can_be_expanded_when_the_store_is_full(stored):
    store = stored.store
    store.open_run(ONE.opening())
    worker = Worker.at(store)
    worker.claim()
    with stored.full():
        reply = worker.expand(finished(ONE, SPLIT), expansion(ONE, SPLIT, 2))
    assert tasks(reply) == ["m[0]"]


# Elements that lie outside


def put_elements(store, count=2, attempt=1):
    names = [f"m.items[{i}]:{attempt}" for i in range(count)]
    for name in names:
        store.put(RUN, {name: [b"one"]})
    return names


def test_large_elements_stay_until_their_item_is_done(stored):
    store = stored.store
    store.open_run(ONE.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    names = put_elements(store)
    made = expansion(ONE, SPLIT, 2, elements=[pointer(name) for name in names])
    worker.expand(finished(ONE, SPLIT), made, want=2)
    stored.make_chunks_expire()
    assert stored.chunk_names() == set(names)
    worker.fail("m[1]")
    worker.complete(finished(ONE, "m[0]", reads=["m.items[0]"]))
    assert stored.chunk_names() == {names[1]}
    assert store.results(RUN, ["m.items[0]", "m.items[1]"]) == [None, pointer(names[1])]


def test_elements_of_a_worker_that_died_before_its_expansion_expire(stored):
    store = stored.store
    store.open_run(ONE.opening(limit=1))
    dead = Worker.at(store)
    dead.claim()
    put_elements(store)
    store.abandon(RUN, dead.identity, lost(SPLIT))
    heir = Worker.at(store)
    heir.claim()
    names = put_elements(store, attempt=2)
    made = expansion(ONE, SPLIT, 2, elements=[pointer(name) for name in names])
    heir.expand(finished(ONE, SPLIT, 2), made)
    stored.make_chunks_expire()
    assert stored.chunk_names() == set(names)


def test_an_element_in_a_file_is_handed_back_when_its_item_is_done(store):
    store.open_run(ONE.opening())
    worker = Worker.at(store)
    worker.claim()
    made = expansion(ONE, SPLIT, 1, elements=[pointer("/shm/x", at="file")])
    worker.expand(finished(ONE, SPLIT), made)
    reply = worker.complete(finished(ONE, "m[0]", reads=["m.items[0]"]))
    assert reply.dropped == (pointer("/shm/x", at="file"),)


def test_what_the_task_that_split_has_read_is_dropped(stored):
    store = stored.store
    shape = Shape({"data": [], **ONE.inputs, SPLIT: ["data"]}, maps=ONE.maps)
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    store.put(RUN, {"data:1": [b"one"]})
    worker.complete(finished(shape, "data", result=pointer("data:1"), unread=1))
    worker.expand(finished(shape, SPLIT, reads=["data"]), expansion(shape, SPLIT, 2))
    assert (stored.chunk_names(), store.results(RUN, ["data"])) == (set(), [None])


def test_outputs_of_items_are_dropped_by_the_map_that_gathers_them(stored):
    store = stored.store
    store.open_run(ONE.opening())
    worker, _ = split(store, ONE, 2, want=2)
    for i in range(2):
        store.put(RUN, {f"m[{i}]:1": [b"one"]})
        worker.complete(finished(ONE, f"m[{i}]", result=pointer(f"m[{i}]:1"), unread=1))
    assert stored.chunk_names() == {"m[0]:1", "m[1]:1"}
    worker.complete(finished(ONE, "m", reads=["m[0]", "m[1]"]))
    assert stored.chunk_names() == set()


# Queues and policies of items are their map's


def test_items_go_to_the_queue_of_their_map(stored):
    store, shape = stored.store, Shape.of_maps("m", "n", queues={"m": "2cpu", "n": "4cpu"})
    store.open_run(shape.opening(limit=2))
    splitting, reply = split(store, shape, 3, want=2)
    assert (splitting.joined.queue, reply.status) == (QUEUE, "left")
    one = Worker.at(store)
    assert (one.joined.queue, one.tasks(want=2)) == ("2cpu", ["m[0]", "m[1]"])
    reply = one.complete(finished(shape, "m[0]"))
    assert tasks(reply) == ["m[2]"]
    other = next(w for w in (Worker.at(store), Worker.at(store)) if w.joined.queue == "4cpu")
    assert other.tasks(want=2) == ["n[0]"]
    store.drop(RUN)


def test_items_that_were_released_lost_or_failed_go_back_to_the_queue_of_their_map(stored):
    store, shape = stored.store, Shape.of_maps("m", queues={"m": "2cpu"})
    store.open_run(shape.opening(limit=1, policies={"m": Policy(retries=1)}))
    split(store, shape, 3)
    worker = Worker.at(store)
    assert worker.tasks(want=3) == ["m[0]", "m[1]", "m[2]"]
    store.release(RUN, worker.ask(), [Claim("m[0]", 1)])
    worker.fail("m[1]")
    store.abandon(RUN, worker.identity, lost("m[2]"))
    heir = Worker.at(store)
    assert heir.joined.queue == "2cpu"
    assert {(c.task, c.attempt) for c in heir.claim(want=3).claims} == {
        (f"m[{i}]", 2) for i in range(3)
    }


def test_items_are_retried_as_the_policy_of_their_map_says(store):
    store.open_run(ONE.opening(limit=1, policies={"m": Policy(retries=1)}))
    worker, _ = split(store, ONE, 1)
    worker.fail("m[0]", 1)
    assert worker.claim().claims == (Claim("m[0]", 2),)
    worker.fail("m[0]", 2)
    assert (states(store)["m[0]"], store.snapshot(RUN).status) == ("failed", "failed")


def test_an_item_that_may_not_run_twice_fails_with_its_worker(store):
    store.open_run(ONE.opening(limit=1, policies={"m": Policy(on_worker_lost="fail")}))
    worker, _ = split(store, ONE, 2, want=2)
    store.abandon(RUN, worker.identity, lost("m[1]"))
    assert states(store) == {SPLIT: "expanded", "m[0]": "queued", "m[1]": "failed"}


def test_planned_workers_take_the_items_of_their_maps(store):
    shape = Shape.of_maps("m", "n", queues={SPLIT: "@w1", "m": "@w1", "n": "@w2", "end": "@w2"})
    store.open_run(shape.opening())
    one = Worker.at(store)
    one.claim(stay=True)
    reply = one.expand(finished(shape, SPLIT), expansion(shape, SPLIT, 3), want=2, stay=True)
    assert tasks(reply) == ["m[0]", "m[1]"]
    assert launches_asked(store) == []
    one.complete(finished(shape, "m[0]"), want=0, stay=True)
    other = Worker.at(store)
    assert (other.identity, other.tasks(want=2, stay=True)) == ("w2:2", ["n[0]"])
    store.await_ready(RUN, "@w1", block_seconds=5)
    assert one.tasks(want=2, stay=True) == ["m[2]"]


# Items that fail, are skipped, held or lost


def test_a_map_with_an_item_that_failed_is_never_gathered(store):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, 2, want=2)
    worker.fail("m[0]")
    worker.complete(finished(CHAIN, "m[1]"))
    assert worker.complete(finished(CHAIN, "n[1]")).status == "stop"
    assert store.snapshot(RUN).status == "failed"
    expected = {SPLIT: "expanded", "m[0]": "failed", "m[1]": "done", "n[1]": "done"}
    assert states(store) == expected


def test_an_item_that_is_skipped_counts_as_done(store):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, 2, want=2)
    items = [finished(CHAIN, f"m[{i}]", how="skipped" if i == 0 else "done") for i in range(2)]
    worker.complete(*items, want=3)
    assert states(store)["m[0]"] == "skipped"
    assert counts(store)["done"] == 3
    assert store.audit(RUN) == {}
    hows = {e.task: e.how for e in told(store) if isinstance(e, TaskDone)}
    assert hows == {"m[0]": "skipped", "m[1]": "done"}
    assert run_to_end_of(worker, CHAIN) == "done"


def run_to_end_of(worker: Worker, shape: Shape) -> str:
    """The worker does what it has claimed, and what comes of it."""
    done = {e.task for e in told(worker.store) if isinstance(e, TaskDone)}
    claims = [claim for claim in worker.mine if claim.task not in done | {*shape.maps}]
    while claims:
        claims = worker.complete(*[finished(shape, c.task, c.attempt) for c in claims]).claims
    return worker.store.snapshot(RUN).status


def test_a_skipped_item_that_is_held_is_skipped_when_its_last_reader_is_done(store):
    shape = Shape.of_maps("m", queues=dict.fromkeys((SPLIT, "m", "end"), "@w1"))
    store.open_run(shape.opening())
    worker, _ = split(store, shape, 1, stay=True)
    item = finished(shape, "m[0]", held=True, how="skipped", unread=1, result=None)
    worker.complete(item, stay=True)
    assert states(store)["m[0]"] == "held"
    worker.complete(finished(shape, "m", reads=["m[0]"]), stay=True)
    assert states(store)["m[0]"] == "skipped"


def test_a_held_item_that_is_lost_is_made_again_and_its_map_waits(stored):
    store = stored.store
    shape = Shape.of_maps("m", "n", queues=dict.fromkeys((SPLIT, "m", "n", "end"), "@w1"))
    store.open_run(shape.opening())
    worker, _ = split(store, shape, 2, want=2, stay=True)
    items = [finished(shape, f"m[{i}]", held=True, unread=2, result=None) for i in range(2)]
    assert tasks(worker.complete(*items, want=3, stay=True)) == ["n[0]", "n[1]", "m"]
    stored.expire_leases()
    store.reap(RUN)
    assert states(store) == {SPLIT: "expanded", "m[0]": "queued", "m[1]": "queued"}
    assert store.audit(RUN) == {}
    assert run_to_end(store, shape) == "done"


def test_a_task_that_split_is_not_run_again_when_its_input_is(stored):
    store = stored.store
    inputs = {"data": [], **ONE.inputs, SPLIT: ["data"], "late": ["data"]}
    shape = Shape(inputs, dict.fromkeys((*inputs,), "@w1"), ONE.maps)
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim(stay=True)
    held = finished(shape, "data", held=True, unread=2, result=None)
    assert tasks(worker.complete(held, want=2, stay=True)) == [SPLIT, "late"]
    worker.expand(
        finished(shape, SPLIT, reads=["data"]), expansion(shape, SPLIT, 1), want=0, stay=True
    )
    stored.expire_leases()
    store.reap(RUN)
    assert states(store) == {SPLIT: "expanded", "m[0]": "queued", "data": "queued"}
    heir = Worker.at(store)
    heir.claim(want=1, prefer=["data"], stay=True)
    again = finished(shape, "data", 2, result=pointer("/shm/x", at="file"), unread=2)
    assert tasks(heir.complete(again, prefer=["late"], stay=True)) == ["late"]
    reply = heir.complete(finished(shape, "late", 2, reads=["data"]), stay=True)
    assert reply.dropped == (pointer("/shm/x", at="file"),), "the other had read it"
    store.abandon(RUN, heir.identity, None)
    assert run_to_end(store, shape) == "done"


def test_a_death_in_an_item_that_was_never_claimed_is_on_record(store):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, 1)
    store.abandon(RUN, worker.identity, lost("n[0]"))
    assert store.errors(RUN) == {"n[0]": [lost("n[0]")]}
    assert states(store) == {SPLIT: "expanded", "m[0]": "queued"}
    assert run_to_end(store, CHAIN) == "done"


def test_an_item_that_may_not_run_twice_and_was_never_claimed_fails_with_its_worker(store):
    store.open_run(CHAIN.opening(limit=1, policies={"n": Policy(on_worker_lost="fail")}))
    worker, _ = split(store, CHAIN, 2)
    store.abandon(RUN, worker.identity, lost("n[0]"))
    assert states(store)["n[0]"] == "failed"
    assert run_to_end(store, CHAIN) == "failed"
    assert states(store)["n[1]"] == states(store)["m"] == "done"
    assert "n" not in states(store)


# Runs that are taken up again


def test_a_resumed_run_goes_on_with_the_items_that_are_left(store):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, 3, want=3)
    worker.complete(finished(CHAIN, "m[0]"), want=2)
    worker.complete(finished(CHAIN, "n[0]"))
    store.cancel(RUN)
    run = store.snapshot(RUN)
    seed = CHAIN.seed(run.states, run.expansions)
    assert (seed.done, seed.tasks) == (3, 10)
    assert store.resume(RUN, run.generation, seed)
    assert states(store)["m[1]"] == "queued"
    assert store.expansions(RUN) == {SPLIT: 3}
    heir = Worker.at(store)
    assert heir.claim(want=3).claims == (Claim("m[1]", 2), Claim("m[2]", 2))
    assert store.results(RUN, ["m.items[1]"]) == [b"element 1"]
    launches_asked(store)
    store.abandon(RUN, heir.identity, None)
    assert run_to_end(store, CHAIN) == "done"
    assert counts(store) == {"tasks": 10, "active": 0, "done": 10, "failed": 0}


def test_a_resumed_run_may_fold_its_maps_and_expand_them_otherwise(store):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, 3, want=3)
    worker.complete(finished(CHAIN, "m[0]"))
    worker.fail("m[1]"), worker.fail("m[2]")
    worker.complete(finished(CHAIN, "n[0]"))
    assert store.snapshot(RUN).status == "failed"
    run = store.snapshot(RUN)
    seed = replace(CHAIN.seed(), forget=[*run.states], tasks=4)
    assert store.resume(RUN, run.generation, seed)
    assert (states(store), store.expansions(RUN)) == ({SPLIT: "queued"}, {})
    assert counts(store) == {"tasks": 4, "active": 1, "done": 0, "failed": 0}
    heir = Worker.at(store)
    assert heir.claim().claims == (Claim(SPLIT, 2),)
    reply = heir.expand(finished(CHAIN, SPLIT, 2), expansion(CHAIN, SPLIT, 2), want=2)
    assert reply.claims == (Claim("m[0]", 2), Claim("m[1]", 2))
    assert reply.inputs["m.items[1]"] == b"element 1"
    store.abandon(RUN, heir.identity, None)
    assert run_to_end(store, CHAIN) == "done"
    assert counts(store)["tasks"] == counts(store)["done"] == 8


def test_a_skipped_item_that_is_made_again_has_the_next_number(store):
    store.open_run(ONE.opening(limit=1))
    worker, _ = split(store, ONE, 2, want=2)
    worker.complete(finished(ONE, "m[0]", how="skipped"))
    store.cancel(RUN)
    run = store.snapshot(RUN)
    kept = {SPLIT: "expanded"}
    seed = replace(ONE.seed(kept, run.expansions), forget=["m[0]", "m[1]"])
    store.resume(RUN, run.generation, seed)
    assert Worker.at(store).claim(want=2).claims == (Claim("m[0]", 2), Claim("m[1]", 2))


@pytest.mark.parametrize("count", [0, 2])
def test_a_map_that_was_gathered_before_is_not_gathered_again(store, count):
    store.open_run(CHAIN.opening(limit=1))
    worker, _ = split(store, CHAIN, count, want=2)
    if count:
        worker.complete(*[finished(CHAIN, f"m[{i}]") for i in range(2)], want=3)
        worker.fail("n[0]"), worker.fail("n[1]")
    worker.complete(finished(CHAIN, "m"))
    if not count:
        worker.fail("n")
    run = store.snapshot(RUN)
    assert (run.status, run.states["m"]) == ("failed", "done")
    seed = replace(CHAIN.seed(), forget=[t for t in run.states if t != "m"], tasks=4, done=1)
    store.resume(RUN, run.generation, seed)
    assert run_to_end(store, CHAIN, count=count) == "done"
    gathered = [e for e in told(store) if isinstance(e, TaskDone) and e.task == "m"]
    assert len(gathered) == 1
    assert counts(store)["done"] == counts(store)["tasks"] == 4 + 2 * count


# Tasks that need not run


REUSED = Shape({"a": [], "b": ["a"], "c": ["b"], "d": ["a", "b"]})


def test_what_is_reused_does_not_run(store):
    store.open_run(REUSED.opening(reused={"a": b"", "b": b"of before"}, limit=1))
    assert counts(store) == {"tasks": 4, "active": 2, "done": 2, "failed": 0}
    assert states(store) == {"a": "reused", "b": "reused", "c": "queued", "d": "queued"}
    assert store.results(RUN, ["a", "b"]) == [None, b"of before"]
    assert [e.task for e in told(store) if isinstance(e, TaskReused)] == ["a", "b"]
    assert store.audit(RUN) == {}
    assert run_to_end(store, REUSED) == "done"
    assert store.results(RUN, ["b"]) == [b"of before"], "a target's result outlives the run"


def test_a_run_of_which_everything_is_reused_is_done_at_once(store):
    store.open_run(REUSED.opening(reused=dict.fromkeys("abc", b"") | {"d": b"of before"}))
    assert store.snapshot(RUN).status == "done"
    assert store.await_results(RUN, ["d"], timeout_seconds=0.1) == ("done", [b"of before"])
    assert launches_asked(store) == []
    events = told(store)
    assert isinstance(events[-1], RunEnded)
    assert [e.task for e in events if isinstance(e, TaskReused)] == [*"abcd"]


def test_an_input_that_runs_for_others_does_not_make_a_reused_reader_ready(store):
    store.open_run(REUSED.opening(reused={"b": b"of before", "d": b""}, limit=1))
    worker = Worker.at(store)
    assert worker.tasks(want=1) == ["a"]
    reply = worker.complete(finished(REUSED, "a"), want=4)
    assert tasks(reply) == ["c"]
    assert worker.complete(finished(REUSED, "c")).status == "stop"
    assert store.snapshot(RUN).status == "done"


def test_a_resumed_run_may_reuse_more(store):
    store.open_run(REUSED.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(REUSED, "a"))
    worker.fail("b")
    run = store.snapshot(RUN)
    seed = REUSED.seed(run.states, reused={"b": b"of another run"})
    assert (seed.ready, seed.done, seed.forget) == ({QUEUE: ["c", "d"]}, 2, ["b"])
    store.resume(RUN, run.generation, seed)
    assert states(store)["b"] == "reused"
    assert store.results(RUN, ["b"]) == [b"of another run"]
    assert [e.task for e in told(store) if isinstance(e, TaskReused)] == ["b"]
    assert run_to_end(store, REUSED) == "done"


def test_a_result_that_is_reused_takes_the_place_of_what_was_there(store):
    store.open_run(REUSED.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(REUSED, "a"))
    store.cancel(RUN)
    run = store.snapshot(RUN)
    seed = REUSED.seed({**run.states, "a": "gone"}, reused={"a": b"of another run"})
    store.resume(RUN, run.generation, seed)
    assert (seed.done, store.results(RUN, ["a"])) == (1, [b"of another run"])
    assert Worker.at(store).claim(hints={}).claims == (Claim("b", 2),)
    assert store.pointers(RUN) == {"a": b"of another run"}


def test_a_whole_map_may_be_reused(store):
    reused = {SPLIT: b"", "m": b"", "n": b"the list"}
    store.open_run(CHAIN.opening(reused=reused))
    assert states(store) == dict.fromkeys(reused, "reused") | {"end": "queued"}
    assert run_to_end(store, CHAIN) == "done"


def test_thousands_of_tasks_are_reused(store):
    parts = [f"p{i}" for i in range(10_000)]
    shape = Shape({**{part: [] for part in parts}, "all": parts})
    store.open_run(shape.opening(reused=dict.fromkeys(parts, b"part")))
    assert counts(store) == {"tasks": 10_001, "active": 1, "done": 10_000, "failed": 0}
    assert store.results(RUN, ["p9999"]) == [b"part"]
    assert run_to_end(store, shape) == "done"


# The run's keys


def test_every_key_of_a_run_with_maps_expires(stored):
    store = stored.store

    def check() -> None:
        if isinstance(stored, StoredInRedis):
            assert lasting_keys(stored.client) == []

    inputs = {**CHAIN.inputs, "old": []}
    shape = Shape(inputs, maps=CHAIN.maps)
    store.open_run(shape.opening(limit=1, reused={"old": b"of before"}))
    check()
    worker = Worker.at(store)
    worker.claim()
    names = put_elements(store)
    made = expansion(shape, SPLIT, 2, elements=[pointer(name) for name in names])
    worker.expand(finished(shape, SPLIT), made)
    check()
    store.cancel(RUN)
    check()
    run = store.snapshot(RUN)
    store.resume(RUN, run.generation, shape.seed(run.states, run.expansions))
    run_to_end(store, shape)
    check()
    store.drop(RUN)
    assert stored.is_empty()


def test_beats_keep_the_count_of_items_from_expiring(stored):
    if not isinstance(stored, StoredInRedis):
        return
    stored.store.open_run(ONE.opening())
    worker, _ = split(stored.store, ONE, 2)
    for name in ("meta", "expansions"):
        stored.client.expire(f"wfnb:{RUN}:{name}", 1_000)
    stored.store.beat(RUN, worker.identity)
    assert stored.client.ttl(f"wfnb:{RUN}:expansions") > 1_000
