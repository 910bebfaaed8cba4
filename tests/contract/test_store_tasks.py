"""From ready to done: what one task, its inputs and its readers go through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.storing import (
    QUEUE,
    RUN,
    Shape,
    Worker,
    error,
    finished,
    launches_asked,
    states,
    told,
)
from wfnb.events import RunEnded, TaskClaimed, TaskDone, TaskFailed, TaskReturned
from wfnb.storage import Claim, Policy

CHAIN = Shape({"a": [], "b": ["a"], "c": ["b"]})
DIAMOND = Shape({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
ROOTS = Shape({name: [] for name in "abcdefgh"})


def test_a_task_is_claimed_once_however_many_workers_ask(store):
    store.open_run(ROOTS.opening())
    workers = [Worker.at(store) for _ in range(8)]
    taken = [task for worker in workers * 2 for task in worker.tasks()]
    assert sorted(taken) == sorted(ROOTS.inputs)


def test_tasks_are_handed_out_in_their_order(store):
    store.open_run(ROOTS.opening(limit=1))
    assert Worker.at(store).tasks(want=3) == ["a", "b", "c"]


def test_tasks_come_one_at_a_time_but_for_functions_known_to_be_short(store):
    shape = Shape({f"{kind}-{n}": [] for kind in ("quick", "slow") for n in range(3)})
    store.open_run(shape.opening(limit=1))
    worker = Worker.at(store)
    assert worker.tasks(want=64, short=()) == ["quick-0"]
    assert worker.tasks(want=64, short=("quick",)) == ["quick-1", "quick-2"]
    assert worker.tasks(want=64, short=("quick",)) == ["slow-0"]
    assert worker.tasks(want=64, short=("quick", "slow")) == ["slow-1", "slow-2"]


def test_a_long_task_that_became_ready_comes_alone_too(store):
    shape = Shape({"quick-0": [], "slow-0": ["quick-0"], "slow-1": ["quick-0"]})
    store.open_run(shape.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    reply = worker.complete(finished(shape, "quick-0"), want=64, short=("quick",))
    assert [claim.task for claim in reply.claims] == ["slow-0"]
    assert worker.tasks(want=64, short=("quick",)) == ["slow-1"]


def test_a_reader_becomes_ready_with_its_last_input(store):
    store.open_run(DIAMOND.opening())
    worker = Worker.at(store)
    worker.claim()
    assert [c.task for c in worker.complete(finished(DIAMOND, "a"), want=2).claims] == ["b", "c"]
    assert worker.complete(finished(DIAMOND, "b")).claims == ()
    assert worker.complete(finished(DIAMOND, "c")).claims == (Claim("d", 1),)
    assert worker.complete(finished(DIAMOND, "d", is_target=True)).status == "stop"
    assert states(store) == dict.fromkeys("abcd", "done")


def test_a_chain_becomes_in_one_call(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    items = [finished(CHAIN, "a"), *(finished(CHAIN, t, became=True) for t in "bc")]
    reply = worker.complete(*items)
    assert (reply.status, reply.refused) == ("stop", ())
    assert states(store) == dict.fromkeys("abc", "done")
    assert [e.task for e in told(store) if isinstance(e, TaskDone)] == ["a", "b", "c"]


def test_a_task_whose_input_was_refused_does_not_become(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    items = [finished(CHAIN, "a", 7), finished(CHAIN, "b", became=True)]
    assert worker.complete(*items).refused == ("a", "b")
    assert states(store) == {"a": "running 1"}


def test_a_task_that_misses_another_input_does_not_become(store):
    store.open_run(DIAMOND.opening())
    worker = Worker.at(store)
    worker.claim()
    items = [finished(DIAMOND, "a"), *(finished(DIAMOND, t, became=True) for t in "bd")]
    assert worker.complete(*items).refused == ("d",)
    assert states(store) == {"a": "done", "b": "done", "c": "running 1"}


def test_a_task_that_was_tried_before_does_not_become(store):
    store.open_run(CHAIN.opening(policies={"b": Policy(retries=1)}))
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(CHAIN, "a"))
    worker.fail("b")
    store.cancel(RUN)
    store.resume(RUN, 2, replace(CHAIN.seed(), forget=list("abc")))
    again = Worker.at(store)
    assert again.claim().claims == (Claim("a", 2),)
    reply = again.complete(finished(CHAIN, "a", 2), finished(CHAIN, "b", became=True))
    assert (reply.refused, reply.claims) == (("b",), (Claim("b", 2),))


def test_a_task_twice_in_one_call_counts_once(store):
    store.open_run(DIAMOND.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(DIAMOND, "a"), want=2)
    reply = worker.complete(finished(DIAMOND, "b"), finished(DIAMOND, "b"))
    assert (reply.refused, reply.claims) == (("b",), ())


@pytest.mark.parametrize("verb", ["claim", "complete"])
def test_a_repeated_call_gets_the_same_answer_and_changes_nothing(store, verb):
    store.open_run(DIAMOND.opening())
    worker = Worker.at(store)
    first = worker.claim(nonce="once")
    ask = worker.ask(nonce="once")
    if verb == "complete":
        ask = worker.ask(nonce="done")
        first = store.complete(RUN, [finished(DIAMOND, "a")], ask)
    before = store.snapshot(RUN)
    again = {
        "claim": lambda: store.claim(RUN, ask),
        "complete": lambda: store.complete(RUN, [finished(DIAMOND, "a")], ask),
    }[verb]()
    assert replace(again, inputs={}) == replace(first, inputs={})
    assert store.snapshot(RUN) == before


def test_the_last_completion_is_answered_again_after_the_run_has_ended(store):
    shape = Shape({"a": []})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    ask = worker.ask()
    answers = [store.complete(RUN, [finished(shape, "a")], ask) for _ in range(2)]
    assert [answer.status for answer in answers] == ["stop", "stop"]
    assert len([e for e in told(store) if isinstance(e, RunEnded)]) == 1


def test_a_repeated_failure_gets_the_same_answer_and_changes_nothing(store):
    store.open_run(ROOTS.opening(policies={"a": Policy(retries=5)}))
    worker = Worker.at(store)
    worker.claim()
    assert worker.fail("a")
    before = store.snapshot(RUN)
    assert worker.fail("a")
    assert store.snapshot(RUN) == before
    assert len(store.errors(RUN)["a"]) == 1


def test_a_late_completion_of_a_given_up_worker_changes_nothing(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    zombie = Worker.at(store)
    zombie.claim()
    stored.expire_leases()
    store.reap(RUN)
    heir = Worker.at(store)
    assert heir.claim().claims == (Claim("a", 2),)
    before = store.snapshot(RUN)
    assert zombie.complete(finished(CHAIN, "a")).status == "stop"
    assert zombie.claim().status == "stop"
    assert not zombie.fail("a")
    store.release(RUN, zombie.ask(), [Claim("a", 1), Claim("a", 2)])
    assert store.beat(RUN, zombie.identity) == 0
    assert store.snapshot(RUN) == before


def test_an_attempt_that_is_not_the_current_one_is_refused(store):
    store.open_run(CHAIN.opening(policies={"a": Policy(retries=1)}))
    worker = Worker.at(store)
    worker.claim()
    worker.fail("a")
    worker.claim()
    assert worker.complete(finished(CHAIN, "a", 1)).refused == ("a",)
    assert states(store) == {"a": "running 2"}


def test_a_worker_cannot_end_what_another_claimed(store):
    store.open_run(ROOTS.opening())
    one, other = Worker.at(store), Worker.at(store)
    one.claim()
    before = store.snapshot(RUN)
    assert not other.fail("a")
    store.release(RUN, other.ask(), one.mine)
    assert store.snapshot(RUN) == before
    assert other.complete(finished(ROOTS, "a")).refused == ("a",)
    assert states(store)["a"] == "running 1"


def test_a_call_of_another_generation_stops_the_worker(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    before = store.snapshot(RUN)
    stale = replace(worker.ask(), generation=2)
    assert store.complete(RUN, [finished(CHAIN, "a")], stale).status == "stop"
    assert store.claim(RUN, stale).status == "stop"
    assert not store.fail(RUN, stale, error("a"))
    store.release(RUN, stale, [Claim("a", 1)])
    assert store.snapshot(RUN) == before


def test_preferred_tasks_are_taken_first_and_once(store):
    store.open_run(ROOTS.opening(limit=1))
    worker = Worker.at(store)
    assert worker.tasks(want=3, prefer=["g", "nothing", "g", "c"]) == ["g", "c", "a"]
    assert worker.tasks(want=8) == ["b", "d", "e", "f", "h"]


def test_of_what_became_ready_the_preferred_tasks_come_first(store):
    shape = Shape({"a": [], **{name: ["a"] for name in "bcdef"}})
    store.open_run(shape.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    reply = worker.complete(finished(shape, "a"), want=3, prefer=["e", "c"])
    assert [claim.task for claim in reply.claims] == ["e", "c", "b"]


def test_what_is_preferred_comes_in_that_order_be_it_ready_before_or_just_now(store):
    shape = Shape({"a": [], "b": [], "c": ["a"], "d": ["a"], "e": []})
    store.open_run(shape.opening(limit=1))
    worker = Worker.at(store)
    assert worker.tasks(want=1) == ["a"]
    reply = worker.complete(finished(shape, "a"), want=3, prefer=["e", "d", "b", "e"])
    assert [claim.task for claim in reply.claims] == ["e", "d", "b"]
    assert worker.tasks(want=8) == ["c"]


def test_preferring_a_task_of_another_queue_does_not_give_it(store):
    shape = Shape({"a": [], "b": []}, queues={"b": "@w1"})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    while worker.joined.queue != QUEUE:
        worker = Worker.at(store)
    assert worker.tasks(want=2, prefer=["b"]) == ["a"]


def test_inputs_come_along_with_what_became_ready(store):
    store.open_run(DIAMOND.opening())
    worker = Worker.at(store)
    worker.claim()
    reply = worker.complete(finished(DIAMOND, "a"), hints={"b": "a", "c": "a"})
    assert reply.inputs == {"a": b"output of a"}
    assert worker.complete(finished(DIAMOND, "b"), hints={"d": "b c"}).inputs == {
        "a": b"output of a"
    }
    reply = worker.complete(finished(DIAMOND, "c"), hints={"d": "b c"})
    assert reply.inputs == {"b": b"output of b", "c": b"output of c"}


def test_inputs_that_come_along_stop_at_a_mebibyte(store):
    parts = [f"p{i}" for i in range(4)]
    shape = Shape({**{part: [] for part in parts}, "all": parts})
    store.open_run(shape.opening(limit=1))
    worker = Worker.at(store)
    claims = worker.claim(want=4).claims
    items = [finished(shape, c.task, result=b"x" * 600_000) for c in claims]
    assert list(worker.complete(*items, hints={"all": " ".join(parts)}).inputs) == parts[:2]


def test_released_tasks_go_back_and_count_as_nothing(store):
    store.open_run(ROOTS.opening(limit=2))
    worker, other = Worker.at(store), Worker.at(store)
    worker.claim(want=2)
    store.release(RUN, worker.ask(), worker.mine)
    store.release(RUN, worker.ask(), worker.mine)
    assert states(store) == dict.fromkeys("abcdefgh", "queued")
    assert other.claim(want=2).claims == (Claim("a", 2), Claim("b", 2))
    assert len([e for e in told(store) if isinstance(e, TaskReturned)]) == 2
    assert store.errors(RUN) == {}


def test_a_failed_attempt_is_repeated_as_often_as_its_policy_says(store):
    shape = Shape({"a": []})
    store.open_run(shape.opening(policies={"a": Policy(retries=2)}))
    worker = Worker.at(store)
    for attempt in (1, 2, 3):
        assert worker.claim().claims == (Claim("a", attempt),)
        assert worker.fail("a", attempt)
    assert store.snapshot(RUN).status == "failed"
    assert states(store) == {"a": "failed"}
    assert [e.is_final for e in told(store) if isinstance(e, TaskFailed)] == [False, False, True]
    assert [record.attempt for record in store.errors(RUN)["a"]] == [1, 2, 3]


def test_a_retry_waits_for_its_time_and_twice_as_long_the_next(stored):
    store, shape = stored.store, Shape({"a": []})
    policy = Policy(retries=3, retry_delay_seconds=8.0)
    store.open_run(shape.opening(policies={"a": policy}))
    for attempt, seconds in ((1, 8), (2, 16), (3, 32)):
        worker = Worker.at(store)
        worker.claim()
        worker.fail("a", attempt)
        assert states(store) == {"a": "retrying"}
        assert worker.claim().status == "left"
        assert store.reap(RUN).next_due_seconds == pytest.approx(seconds, abs=1)
        stored.make_retries_due()
        assert store.reap(RUN).next_due_seconds is None
        assert states(store) == {"a": "queued"}


def test_a_failure_lets_the_rest_go_on_and_fails_the_run_at_its_end(store):
    shape = Shape({"a": [], "b": ["a"], "x": [], "y": ["x"]})
    store.open_run(shape.opening(limit=1))
    worker = Worker.at(store)
    worker.claim()
    worker.fail("a")
    assert worker.tasks() == ["x"]
    worker.complete(finished(shape, "x"))
    assert worker.complete(finished(shape, "y")).status == "stop"
    assert store.snapshot(RUN).status == "failed"
    assert states(store) == {"a": "failed", "x": "done", "y": "done"}


def test_the_errors_key_holds_each_record_as_it_was_given(store):
    store.open_run(ROOTS.opening())
    worker = Worker.at(store)
    worker.claim()
    words = {"traceback": 'a\n"b"\t\u00e9\x00', "stderr": "%1 $TASK$", "at_seconds": 1.5}
    worker.fail("a", **words)
    assert store.errors(RUN) == {"a": [error("a", **words)]}


def test_events_tell_what_happened_in_order_and_the_snapshot_says_up_to_where(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    seen = store.snapshot(RUN).last_event
    worker.complete(finished(CHAIN, "a"))
    later = store.events(RUN, seen)
    assert [entry for _, entry in later] == [e for _, e in store.events(RUN, "0-0")][-1:]
    assert [type(e) for e in told(store)][-2:] == [TaskDone, TaskClaimed]
    assert store.events(RUN, store.snapshot(RUN).last_event) == []


def test_a_reader_of_ten_thousand_is_ready_after_the_last(store):
    parts = [f"p{i}" for i in range(10_000)]
    shape = Shape({**{part: [] for part in parts}, "all": parts})
    store.open_run(shape.opening(limit=1))
    worker = Worker.at(store)
    reply = worker.claim(want=4096)
    while reply.claims and reply.claims[0].task != "all":
        items = [finished(Shape({}), c.task, c.attempt, readers=["all"]) for c in reply.claims]
        reply = worker.complete(*items, want=4096)
    assert reply.claims == (Claim("all", 1),)


def test_ten_thousand_readers_become_ready_in_one_call(store):
    readers = [f"p{i}" for i in range(10_000)]
    shape = Shape({"a": [], **{reader: ["a"] for reader in readers}})
    store.open_run(shape.opening(limit=100))
    worker = Worker.at(store)
    worker.claim()
    launches_asked(store)
    reply = worker.complete(finished(shape, "a"), want=5)
    assert [c.task for c in reply.claims] == readers[:5]
    assert len(launches_asked(store)) == 99
    assert list(states(store).values()).count("queued") == 9_995


def test_a_hundred_thousand_roots_are_queued(store):
    shape = Shape({f"p{i}": [] for i in range(100_000)})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    assert worker.tasks(want=64) == [f"p{i}" for i in range(64)]
    assert store.cancel(RUN)
