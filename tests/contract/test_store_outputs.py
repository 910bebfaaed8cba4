"""Outputs are there for as long as somebody reads them, results for as long as their run."""

from __future__ import annotations

import pytest

from tests.storing import RUN, Shape, Worker, finished, pointer, states
from wfnb.errors import StoreError
from wfnb.storage import RunId

CHAIN = Shape({"a": [], "b": ["a"], "c": ["b"]})
FORK = Shape({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})


def test_chunks_come_back_as_they_were_put(store):
    store.open_run(CHAIN.opening())
    store.put(RUN, {"a:1": [b"one", memoryview(b"two"), b""]})
    assert store.get(RUN, "a:1", 3) == [b"one", b"two", b""]
    assert store.get(RUN, "a:1", 0) == []


def test_an_output_is_whole_when_all_its_chunks_are_there(store):
    store.open_run(CHAIN.opening())
    store.put(RUN, {"a:1": [b"one", b"two"], "b:1": [b"three"]})
    assert store.whole(RUN, {"a:1": 2, "b:1": 2, "never": 1}) == {"a:1"}
    assert store.whole(RUN, {f"a:{n}": 2 for n in range(3000)}) == {"a:1"}
    assert store.whole(RUN, {}) == set()


def test_an_output_that_has_expired_is_not_whole(stored):
    stored.store.open_run(CHAIN.opening())
    stored.store.put(RUN, {"a:1": [b"one"]})
    stored.make_chunks_expire()
    assert stored.store.whole(RUN, {"a:1": 1}) == set()


def test_chunks_that_no_completion_names_expire(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    Worker.at(store).claim()
    store.put(RUN, {"a:1": [b"one"]})
    stored.make_chunks_expire()
    with pytest.raises(StoreError, match="a:1 of r is gone"):
        store.get(RUN, "a:1", 1)


def test_chunks_that_a_completion_names_stay(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    store.put(RUN, {"a:1": [b"one", b"two"]})
    worker.complete(finished(CHAIN, "a", result=pointer("a:1", 2), unread=1))
    stored.make_chunks_expire()
    assert store.get(RUN, "a:1", 2) == [b"one", b"two"]


def test_chunks_of_a_refused_completion_still_expire(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    store.put(RUN, {"a:9": [b"one"]})
    worker.complete(finished(CHAIN, "a", 9, result=pointer("a:9"), unread=1))
    stored.make_chunks_expire()
    assert stored.chunk_names() == set()


def test_a_missing_chunk_is_an_error_that_names_the_output(store):
    store.open_run(CHAIN.opening())
    store.put(RUN, {"a:1": [b"one"]})
    for name, chunks in (("a:1", 2), ("never", 1)):
        with pytest.raises(StoreError, match=f"{name} of r is gone"):
            store.get(RUN, name, chunks)


@pytest.mark.parametrize("kind", ["chunks", "inline"])
def test_an_output_is_dropped_when_its_last_reader_is_done(stored, kind):
    store = stored.store
    store.open_run(FORK.opening())
    worker = Worker.at(store)
    worker.claim()
    store.put(RUN, {"a:1": [b"one"]})
    result = pointer("a:1") if kind == "chunks" else b"small"
    worker.complete(finished(FORK, "a", result=result, unread=2), want=2)
    worker.complete(finished(FORK, "b", reads=["a"]))
    assert store.results(RUN, ["a"]) == [result]
    worker.complete(finished(FORK, "c", reads=["a"]))
    assert store.results(RUN, ["a"]) == [None]
    assert (kind == "inline") == bool(stored.chunk_names())


def test_a_failed_attempt_has_read_nothing(stored):
    store = stored.store
    store.open_run(CHAIN.opening(policies={}))
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(CHAIN, "a", result=b"small", unread=1))
    store.release(RUN, worker.ask(), worker.mine[-1:])
    assert store.results(RUN, ["a"]) == [b"small"]
    assert worker.complete(finished(CHAIN, "b", reads=["a"])).refused == ("b",)
    assert store.results(RUN, ["a"]) == [b"small"]


def test_an_output_that_lies_outside_is_handed_back_when_nobody_reads_it_any_more(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    where = pointer("a:1", at="file")
    worker.complete(finished(CHAIN, "a", result=where, unread=1))
    ask = worker.ask()
    for _ in range(2):
        reply = store.complete(RUN, [finished(CHAIN, "b", reads=["a"])], ask)
        assert reply.dropped == (where,)


def test_an_output_read_in_the_call_that_brings_it_is_dropped_at_once(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    store.put(RUN, {"a:1": [b"one"]})
    worker.complete(
        finished(CHAIN, "a", result=pointer("a:1"), unread=1),
        finished(CHAIN, "b", became=True, reads=["a"]),
    )
    assert stored.chunk_names() == set()
    assert store.results(RUN, ["a", "b"]) == [None, b"output of b"]


def test_an_output_of_very_many_chunks_is_kept_and_dropped(stored):
    store = stored.store
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    store.put(RUN, {"a:1": [b"x"] * 9_000})
    worker.complete(finished(CHAIN, "a", result=pointer("a:1", 9_000), unread=1))
    worker.complete(finished(CHAIN, "b", reads=["a"]))
    assert stored.chunk_names() == set()


def test_results_of_targets_outlive_the_run_and_other_values_do_not(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(
        finished(CHAIN, "a"),
        finished(CHAIN, "b", became=True),
        finished(CHAIN, "c", became=True, is_target=True),
    )
    assert store.results(RUN, ["a", "b", "c"]) == [None, None, b"output of c"]
    assert store.pointers(RUN) == {"c": b"output of c"}


def test_what_a_failed_or_cancelled_run_computed_is_still_there(store):
    for run, ending in (("r1", "fail"), ("r2", "cancel")):
        run = RunId(run)
        store.open_run(CHAIN.opening(run=run))
        worker = Worker.at(store, run=run)
        while worker.run != run or not worker.claim().claims:
            worker = Worker.at(store, run=run)
        worker.complete(finished(CHAIN, "a"))
        worker.fail("b") if ending == "fail" else store.cancel(run)
        assert store.pointers(run) == {"a": b"output of a"}


def test_a_task_without_an_output_is_done_all_the_same(store):
    store.open_run(CHAIN.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(CHAIN, "a", result=None))
    assert states(store)["a"] == "done"
    assert store.results(RUN, ["a", "b", "never"]) == [None, None, None]


def test_outputs_of_no_tasks_are_none(store):
    assert store.results(RUN, []) == []
    assert store.pointers(RUN) == {}
