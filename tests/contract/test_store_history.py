"""Records of past runs: bounded, thinned fairly, and the same whichever store keeps them."""

from __future__ import annotations

import time

import pytest

from tests.redis_server import REDIS_7
from tests.storing import RUN, Shape, Stored, Worker, expansion, finished
from wfnb.storage import Store, keys
from wfnb.storage.history import (
    HISTORY_SECONDS,
    MOST_LISTED,
    MOST_OF_FAMILY,
    MOST_RECORDS,
    MOST_SAMPLES,
    Part,
)
from wfnb.storage.history_memory import Records, bucket_of
from wfnb.storage.redis import RedisStore


def sample(run: int, number: int, value: float = 1.0, count: float = 1) -> str:
    return f"run-{run} {count:.6g} {value:.7g} {number}"


def part(name: str, *samples: str, is_first: int = 0) -> Part:
    return Part(name, samples, is_first)


def many_runs(store: Store, runs: int, each: int) -> None:
    for run in range(runs):
        samples = [sample(run, number, 1.5**run) for number in range(each)]
        store.record([Part("f:c:1-0", samples, 1)])


def test_the_latest_sample_stands_first(store: Store):
    store.record([part("f:c:1-0", sample(0, 0), sample(0, 1))])
    store.record([part("f:c:1-0", sample(0, 2))])
    (found,) = store.recorded(["f:c:1-0"])
    assert found.samples == [sample(0, 2), sample(0, 1), sample(0, 0)]
    assert found.old == {}


def test_a_family_knows_its_records_and_when_they_were_used(store: Store):
    store.record([part("f:old:1-0", sample(0, 0)), part("g:x:1-0", sample(0, 0))])
    store.record([part("f:new:2-0", sample(0, 0))])
    f, g, none = store.known_records(["f", "g", "none"])
    assert set(f) == {"old:1-0", "new:2-0"}
    assert set(g) == {"x:1-0"}
    assert none == {}
    assert f["old:1-0"] <= f["new:2-0"]


def test_what_was_never_recorded_is_empty(store: Store):
    (found,) = store.recorded(["f:c:1-0"])
    assert (list(found.samples), dict(found.old)) == ([], {})
    assert store.recorded([]) == []
    assert store.known_records([]) == []


def test_a_record_is_bounded_and_its_latest_runs_have_most_room(store: Store):
    many_runs(store, runs=30, each=20)
    (found,) = store.recorded(["f:c:1-0"])
    assert MOST_SAMPLES // 2 < len(found.samples) <= MOST_LISTED
    runs = [one.partition(" ")[0] for one in found.samples]
    assert runs.count("run-29") >= runs.count("run-26") > runs.count("run-0") == 0


def test_what_is_thinned_out_stands_for_as_many_as_there_were(store: Store):
    store.record([Part("f:c:1-0", [sample(0, n) for n in range(1000)], 1)])
    (found,) = store.recorded(["f:c:1-0"])
    counts = [float(one.split()[1]) for one in found.samples]
    assert len(counts) == MOST_SAMPLES // 2
    assert sum(counts) == pytest.approx(1000)
    assert set(counts) == {1000 / 32}


def test_a_sample_that_stands_for_many_stays_when_others_are_thinned_out(store: Store):
    heavy = sample(0, 5, 7.0, count=10_000)
    light = [sample(0, 100 + n) for n in range(MOST_LISTED)]
    store.record([Part("f:c:1-0", [heavy, *light], 1)])
    (found,) = store.recorded(["f:c:1-0"])
    values = [one.split()[2] for one in found.samples]
    assert "7" in values
    assert sum(float(one.split()[1]) for one in found.samples) == pytest.approx(10_128, rel=1e-4)


def test_of_runs_that_are_gone_their_values_are_counted(store: Store):
    many_runs(store, runs=30, each=20)
    (found,) = store.recorded(["f:c:1-0"])
    assert found.old[bucket_of(1.0)] == 20
    kept = sum(float(one.split()[1]) for one in found.samples)
    assert kept + sum(found.old.values()) == pytest.approx(600)


def test_both_stores_keep_the_same(store: Store):
    ours = Records(time.time)
    for run in range(40):
        samples = [
            sample(run, n, (run + 1) * 0.37 + n, count=1 + n % 3) for n in range(7 + run % 5)
        ]
        parts = [Part("f:c:1-0", samples, 0), Part("f:c:2-0", samples[:1], 1)]
        ours.learn(parts)
        store.record(parts)
    for name in ("f:c:1-0", "f:c:2-0"):
        (theirs,) = store.recorded([name])
        assert theirs.samples == ours.at(name).samples
        assert theirs.old == pytest.approx(ours.at(name).old)


def test_one_run_each_leaves_as_many_runs_as_there_is_room_for(store: Store):
    for run in range(500):
        store.record([part("f:c:1-0", sample(run, 0))])
    (found,) = store.recorded(["f:c:1-0"])
    assert len(found.samples) >= MOST_SAMPLES
    assert found.samples[0] == sample(499, 0)


def test_versions_of_one_function_are_bounded_the_oldest_goes(stored: Stored):
    store = stored.store
    for version in range(MOST_OF_FAMILY + 3):
        store.record([part(f"f:v{version:03}:1-0", sample(0, 0))])
        stored.let_a_moment_pass()
    (f,) = store.known_records(["f"])
    assert len(f) == MOST_OF_FAMILY
    assert "v000:1-0" not in f
    assert store.recorded(["f:v000:1-0"])[0].samples == []


def test_functions_are_bounded_those_not_used_for_long_go(stored: Stored):
    store = stored.store
    store.record([part("first:c:1-0", sample(0, 0))])
    stored.let_a_moment_pass()
    for number in range(0, MOST_RECORDS, 100):
        store.record([part(f"f{number + n}:c:1-0", sample(0, 0)) for n in range(100)])
    first, last = store.known_records(["first", f"f{MOST_RECORDS - 1}"])
    assert (first, len(last)) == ({}, 1)
    assert store.recorded(["first:c:1-0"])[0].samples == []
    assert store.forget_history() == MOST_RECORDS


def test_history_can_be_forgotten(store: Store):
    store.record([part(f"f{n}:c:1-0", sample(0, 0)) for n in range(700)])
    assert store.forget_history() == 700
    assert store.known_records(["f1"]) == [{}]
    assert store.recorded(["f1:c:1-0"])[0].samples == []
    assert store.forget_history() == 0


LEARNED = (part("f:c:1-0", sample(0, 0), is_first=1),)


def samples_of(store: Store) -> list[str]:
    (found,) = store.recorded(["f:c:1-0"])
    return list(found.samples)


def test_samples_come_along_with_a_completion(store: Store):
    shape = Shape({"a-0": [], "b-0": ["a-0"]})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(shape, "a-0"), learned=LEARNED)
    assert samples_of(store) == [sample(0, 0)]


def test_samples_of_a_repeated_completion_are_kept_once(store: Store):
    shape = Shape({"a-0": [], "b-0": ["a-0"]})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    for _ in range(3):
        worker.complete(finished(shape, "a-0"), nonce="same", learned=LEARNED)
    assert samples_of(store) == [sample(0, 0)]


def test_samples_of_a_worker_that_was_given_up_are_not_kept(store: Store):
    shape = Shape({"a-0": []})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    store.cancel(RUN)
    assert worker.complete(finished(shape, "a-0"), learned=LEARNED).status == "stop"
    assert samples_of(store) == []


def test_samples_come_along_with_an_expansion(store: Store):
    shape = Shape.of_maps("m")
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.expand(
        finished(shape, "m.items"), expansion(shape, "m.items", 2), learned=LEARNED, want=2
    )
    assert samples_of(store) == [sample(0, 0)]


def test_a_run_that_is_dropped_leaves_what_was_learnt(store: Store):
    shape = Shape({"a-0": []})
    store.open_run(shape.opening())
    worker = Worker.at(store)
    worker.claim()
    worker.complete(finished(shape, "a-0"), learned=LEARNED)
    store.drop(RUN)
    assert samples_of(store) == [sample(0, 0)]


def test_a_hundred_thousand_runs_take_the_room_of_a_hundred(store: Store):
    """What is read is as long, so reading takes as long: nothing grows."""

    def room() -> int:
        (found,) = store.recorded(["f:c:1-0"])
        (family,) = store.known_records(["f"])
        return len(found.samples) + len(found.old) + len(family)

    runs, rooms = 0, []
    while runs < 100_000:
        samples = [sample(runs + n, n, 0.5 + n % 7) for n in range(100)]
        store.record([Part("f:c:1-0", samples, 1)])
        runs += 100
        if runs in (1000, 10_000, 100_000):
            rooms.append(room())
    assert max(rooms) <= MOST_LISTED + 8 + 1
    assert max(rooms) - min(rooms) <= MOST_LISTED - MOST_SAMPLES
    (found,) = store.recorded(["f:c:1-0"])
    kept = sum(float(one.split()[1]) for one in found.samples)
    assert kept + sum(found.old.values()) == pytest.approx(100_000, rel=1e-3)


def test_each_record_expires(request: pytest.FixtureRequest):
    server = request.getfixturevalue("redis_servers")(REDIS_7)
    client = server.client()
    store = RedisStore(client)
    many_runs(store, runs=30, each=20)
    names = [*client.scan_iter(keys.HISTORY + "*")]
    assert len(names) == 4  # samples, those that have gone, the family, what was used
    assert all(client.ttl(name) > HISTORY_SECONDS - 100 for name in names)
    store.close()


def test_in_memory_records_expire_too():
    now = 1_795_000_000.0
    ours = Records(lambda: now)
    ours.learn(LEARNED)
    now += HISTORY_SECONDS + 1
    assert ours.of("f") == {}
    assert ours.at("f:c:1-0").samples == []
