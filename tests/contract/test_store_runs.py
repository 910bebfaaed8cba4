"""Runs begin whole, end once, can be cancelled, taken up again and forgotten."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from tests.leaks import lasting_keys
from tests.storing import (
    RUN,
    Shape,
    StoredInRedis,
    Worker,
    finished,
    launches_asked,
    pointer,
    run_to_end,
    states,
    told,
)
from wfnb.errors import RunNotFoundError, StoreError
from wfnb.events import START, NoWorkers, RunEnded, RunOpened
from wfnb.storage import Claim, Policy, Reaped, RunId, Seed

CHAIN = Shape({"a": [], "b": ["a"], "c": ["b"]})
NONE = RunId("none")
MEBIBYTE = 1024 * 1024


def test_a_run_is_opened_with_everything_it_consists_of(store):
    store.open_run(CHAIN.opening(constants={"hash": b"large"}))
    assert (store.graph(RUN), store.plan(RUN)) == (b"the graph", b"the plan")
    assert store.constants(RUN, ["hash"]) == [b"large"]
    assert store.constants(RUN, []) == []
    run = store.snapshot(RUN)
    assert (run.status, run.generation, run.states) == ("running", 1, {"a": "queued"})
    assert run.about["owner"] == "me"
    assert run.about["tasks"] == "3"
    assert isinstance(told(store)[0], RunOpened)


def test_a_second_run_of_the_same_name_is_refused_and_changes_nothing(store):
    store.open_run(CHAIN.opening())
    before = store.snapshot(RUN)
    with pytest.raises(StoreError, match="a run named r already"):
        store.open_run(CHAIN.opening())
    assert store.snapshot(RUN) == before


def test_a_graph_without_tasks_ends_at_once(store):
    store.open_run(Shape({}).opening())
    assert store.snapshot(RUN).status == "done"
    assert store.wait_for_end(RUN, timeout_seconds=5) == "done"
    assert store.active_runs() == []
    assert isinstance(told(store)[-1], RunEnded)


def test_an_unknown_run_has_nothing_and_takes_nothing(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    ask = worker.ask()
    for read in (store.graph, store.plan, store.snapshot):
        with pytest.raises(RunNotFoundError, match="no run is named none"):
            read(NONE)
    with pytest.raises(StoreError):
        store.constants(NONE, ["hash"])
    assert store.claim(NONE, ask).status == "stop"
    assert store.complete(NONE, [finished(CHAIN, "a")], ask).status == "stop"
    store.release(NONE, ask, [Claim("a", 1)])
    store.note(NONE, '{"none": "no pool"}')
    store.append_log(NONE, "a", 1, b"text")
    assert store.log(NONE, "a") == b""
    assert (store.beat(NONE, "w1:1"), store.cancel(NONE)) == (0, False)
    assert store.resume(NONE, 0, CHAIN.seed()) == 0
    assert store.reap(NONE) == store.abandon(NONE, "w1:1", None) == Reaped()
    assert (store.audit(NONE), store.errors(NONE), store.events(NONE, START)) == ({}, {}, [])
    assert store.wait_for_end(NONE, timeout_seconds=0) == "unknown"
    store.drop(NONE)
    assert [name for name, _ in store.runs()] == [RUN]


def test_runs_are_listed_the_latest_first(stored):
    store = stored.store
    for name in ("one", "two"):
        store.open_run(CHAIN.opening(run=RunId(name)))
        stored.let_a_moment_pass()
    assert [name for name, _ in store.runs()] == ["two", "one"]
    assert {about["status"] for _, about in store.runs()} == {"running"}
    assert set(store.active_runs()) == {"one", "two"}
    store.cancel(RunId("one"))
    assert store.active_runs() == ["two"]


def test_a_cancelled_run_stops_everybody_under_a_new_generation(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    assert store.cancel(RUN)
    run = store.snapshot(RUN)
    assert (run.status, run.generation) == ("cancelled", 2)
    assert store.beat(RUN, worker.identity) == 0
    assert worker.complete(finished(CHAIN, "a")).status == "stop"
    assert not store.cancel(RUN)
    assert store.reap(RUN) == Reaped()
    assert [type(e) for e in told(store)].count(RunEnded) == 1


def test_a_run_that_has_ended_cannot_be_cancelled(store):
    store.open_run(CHAIN.opening())
    assert run_to_end(store, CHAIN) == "done"
    before = store.snapshot(RUN)
    assert not store.cancel(RUN)
    assert store.snapshot(RUN) == before


def test_a_cancelled_run_goes_on_from_what_it_has(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(CHAIN, "a"))
    store.cancel(RUN)
    launches_asked(store)
    run = store.snapshot(RUN)
    assert store.resume(RUN, 2, CHAIN.seed(run.states)) == 3
    assert store.wait_for_end(RUN, timeout_seconds=0) == "running"
    assert store.active_runs() == [RUN]
    heir = Worker.at(store)
    assert heir.joined.generation == 3
    assert heir.claim().claims == (Claim("b", 2),), "the number of the cancelled attempt is used up"
    assert worker.complete(finished(CHAIN, "b")).status == "stop"
    assert heir.complete(finished(CHAIN, "b", 2)).claims == (Claim("c", 1),)
    heir.complete(finished(CHAIN, "c"))
    assert store.snapshot(RUN).status == "done"


def test_a_failed_run_goes_on_with_retries_as_new(stored):
    store = stored.store
    store.open_run(CHAIN.opening(policies={"a": Policy(retries=1)}))
    worker = Worker.at(store)
    for attempt in (1, 2):
        worker.claim()
        worker.fail("a", attempt)
    assert store.resume(RUN, 1, CHAIN.seed(states(store))) == 2
    assert stored.crew() == {}, "workers of before are forgotten"
    worker = Worker.at(store)
    worker.claim()
    worker.fail("a", 3)
    assert states(store) == {"a": "queued"}
    assert run_to_end(store, CHAIN) == "done"
    assert len(store.errors(RUN)["a"]) == 3


def test_a_resumed_run_makes_an_input_again_but_not_its_reader_that_is_done(store):
    shape = Shape({"a": [], "b": ["a"], "c": ["a"]})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(shape, "a"), want=2)
    worker.complete(finished(shape, "b"))
    worker.fail("c")
    seed = Seed(ready={"1cpu": ["a"]}, missing={}, forget=["a", "c"], done=1)
    assert store.resume(RUN, 1, seed) == 2
    heir = Worker.at(store)
    heir.claim()
    reply = heir.complete(finished(shape, "a", 2), want=2)
    assert reply.claims == (Claim("c", 2),)
    heir.complete(finished(shape, "c", 2))
    assert (store.snapshot(RUN).status, states(store)) == ("done", dict.fromkeys("abc", "done"))


def test_a_run_is_resumed_once_for_each_end(store):
    store.open_run(CHAIN.opening())
    assert store.resume(RUN, 1, CHAIN.seed()) == 0
    store.cancel(RUN)
    seed = CHAIN.seed(states(store))
    assert store.resume(RUN, 1, seed) == 0
    assert store.resume(RUN, 2, seed) == 3
    assert store.resume(RUN, 2, seed) == 0
    assert store.snapshot(RUN).generation == 3


def test_requests_of_before_the_resume_are_not_met(store):
    store.open_run(CHAIN.opening())
    old = store.take_request(["pool"], block_seconds=0)
    store.cancel(RUN)
    store.resume(RUN, 2, CHAIN.seed(states(store)))
    assert store.join(old, "host") is None
    assert Worker.at(store).tasks() == ["a"]


def test_resuming_a_run_of_which_everything_is_done_ends_it_again(store):
    store.open_run(CHAIN.opening())
    run_to_end(store, CHAIN)
    done = replace(CHAIN.seed(states(store)), ready={})
    assert store.resume(RUN, 1, done) == 2
    assert store.snapshot(RUN).status == "done"


def test_a_watcher_hears_of_the_end_at_once(store):
    store.open_run(Shape({"a": []}).opening())
    worker = Worker.at(store)
    worker.claim()
    assert store.wait_for_end(RUN, timeout_seconds=0.05) == "running"
    heard = []
    waiting = threading.Thread(
        target=lambda: heard.append(store.wait_for_end(RUN, timeout_seconds=5))
    )
    began = time.monotonic()
    waiting.start()
    worker.complete(finished(CHAIN, "a", readers=[]))
    waiting.join()
    assert (heard, time.monotonic() - began < 2) == (["done"], True)


def test_a_watcher_gets_events_as_they_happen_and_none_twice(store):
    store.open_run(CHAIN.opening())
    last = store.snapshot(RUN).last_event
    assert store.events(RUN, last, block_seconds=0.01) == []
    heard = []
    waiting = threading.Thread(
        target=lambda: heard.extend(store.events(RUN, last, block_seconds=5))
    )
    began = time.monotonic()
    waiting.start()
    worker = Worker.at(store)
    waiting.join()
    assert time.monotonic() - began < 2
    worker.claim()
    assert heard + store.events(RUN, heard[-1][0]) == store.events(RUN, last)


def test_a_note_is_an_event_that_changes_nothing(store):
    store.open_run(CHAIN.opening())
    before = states(store)
    store.note(RUN, '{"none": "no pool is alive"}')
    assert isinstance(told(store)[-1], NoWorkers)
    assert told(store)[-1].reason == "no pool is alive"
    assert told(store)[-1].at_seconds == pytest.approx(told(store)[0].at_seconds, abs=60)
    assert states(store) == before


def test_a_log_is_kept_by_attempt_and_shows_the_last(store):
    store.open_run(CHAIN.opening())
    store.append_log(RUN, "a", 1, b"one ")
    store.append_log(RUN, "a", 1, b"more")
    store.append_log(RUN, "a", 2, b"two")
    store.append_log(RUN, "a", 1, b"!")
    assert store.log(RUN, "a", 1) == b"one more!"
    assert store.log(RUN, "a") == b"two"
    assert store.log(RUN, "b") == store.log(RUN, "a", 7) == b""


def test_a_piece_of_a_log_that_is_known_is_not_taken_twice(store):
    store.open_run(CHAIN.opening())
    for at, text in ((0, b"0123"), (0, b"0123"), (2, b"2345"), (6, b"67"), (3, b""), (6, b"6")):
        store.append_log(RUN, "a", 1, text, at=at)
    assert store.log(RUN, "a") == b"01234567"


@pytest.mark.parametrize("piece", [997, 300_000, 5 * MEBIBYTE])
def test_a_long_log_keeps_its_first_and_its_last_mebibyte_and_counts_the_middle(store, piece):
    store.open_run(CHAIN.opening())
    text = b"".join(b"%09d\n" % i for i in range(MEBIBYTE // 2))
    for at in range(0, len(text), piece):
        store.append_log(RUN, "a", 1, text[at : at + piece], at=at)
    head, middle, tail = (
        store.log(RUN, "a").split(b"\n... ")[0],
        *store.log(RUN, "a").split(b" bytes left out ...\n"),
    )
    assert head == text[:MEBIBYTE]
    assert text.endswith(tail)
    assert len(tail) == MEBIBYTE
    assert int(middle.rpartition(b" ")[2]) == len(text) - 2 * MEBIBYTE


def test_a_dropped_run_leaves_no_key(stored):
    store = stored.store
    store.open_run(CHAIN.opening(constants={"hash": b"large"}, policies={"a": Policy(retries=1)}))
    worker = Worker.at(store)
    worker.claim()
    store.put(RUN, {"a:1": [b"one"]})
    store.append_log(RUN, "a", 1, b"text")
    worker.fail("a")
    store.drop(RUN)
    store.put(NONE, {"a:1": [b"one"]})
    assert stored.is_empty()
    assert worker.claim().status == "stop"
    assert store.active_runs() == []
    store.open_run(CHAIN.opening())
    assert store.snapshot(RUN).states == {"a": "queued"}


def test_every_key_of_a_run_expires(stored):
    store = stored.store
    shape = Shape({**CHAIN.inputs, "h": [], "r": ["h"]}, queues={"h": "@w1", "r": "@w1"})
    policies = {"b": Policy(retries=1, retry_delay_seconds=60)}
    store.open_run(shape.opening(policies=policies, constants={"hash": b"large"}))
    workers = {worker.joined.queue: worker for worker in (Worker.at(store), Worker.at(store))}
    holder = workers.pop("@w1")
    (worker,) = workers.values()

    def check() -> None:
        if isinstance(stored, StoredInRedis):
            assert lasting_keys(stored.client) == []

    check()
    holder.claim(stay=True), worker.claim()
    holder.complete(finished(shape, "h", held=True, unread=1), stay=True)
    store.put(RUN, {"a:1": [b"one"]})
    worker.complete(finished(shape, "a", result=pointer("a:1"), unread=1))
    worker.fail("b")
    store.note(RUN, '{"none": "x"}')
    store.append_log(RUN, "a", 1, b"text")
    check()
    store.abandon(RUN, holder.identity, None)
    check()
    store.beat(RUN, worker.identity)
    store.cancel(RUN)
    check()
    store.resume(RUN, 2, shape.seed(states(store)))
    check()
    run_to_end(store, shape)
    check()


def test_a_run_that_expired_is_no_longer_active(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    if isinstance(stored, StoredInRedis):
        stored.client.delete("wfnb:r:meta")
        store.reap(RUN)
        assert store.active_runs() == []


def test_beats_keep_a_long_run_from_expiring(stored):
    if not isinstance(stored, StoredInRedis):
        return
    store, client = stored.store, stored.client
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    names = [name for name in client.scan_iter("wfnb:r:*") if b":wake:" not in name]
    for name in names:
        client.expire(name, 1_000)
    store.beat(RUN, worker.identity)
    assert [name for name in names if client.ttl(name) <= 1_000] == []


def test_a_seed_may_hold_nothing_at_all(store):
    store.open_run(replace(CHAIN.opening(), seed=Seed(ready={}, missing={})))
    assert store.snapshot(RUN).status == "failed"
