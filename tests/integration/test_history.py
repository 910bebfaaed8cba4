"""History from real runs: it grows and stays bounded, and later runs are predicted from it."""

from __future__ import annotations

import time

import pytest

from tests.sessions import PATIENCE_SECONDS, session
from tests.waiting import wait_until
from wfnb import task
from wfnb.calibration import calibrate, calibrate_if_due, is_due, told
from wfnb.graph import Graph
from wfnb.history import History, history_of
from wfnb.plan import Placement, Plan
from wfnb.predictions import Experience
from wfnb.resources import Resources
from wfnb.runner import Run
from wfnb.session import Session
from wfnb.storage import RunId, Store, keys
from wfnb.storage.history import MOST_LISTED
from wfnb.storage.memory import MemoryStore
from wfnb.storage.opening import opening_of
from wfnb.storage.redis import RedisStore

__all__ = ["session"]

ONE = Resources()


@task
def make(size: int) -> bytes:
    time.sleep(0.01)
    return bytes(size)


@task
def measure(content: bytes) -> int:
    time.sleep(0.02 + len(content) * 5e-8)
    return len(content)


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def tiny(n: int) -> int:
    return n


def ran(session: Session, **sizes: int) -> Run:
    targets = total([measure(make(size)) for size in sizes.values()])
    run = session.start(targets)
    run.result(timeout=PATIENCE_SECONDS)
    return run


def store_of(session: Session) -> RedisStore:
    store = session.connection().store
    assert isinstance(store, RedisStore)
    return store


def named(graph: Graph, history: History, name: str) -> list[int]:
    """Samples of each record of this function."""
    return [
        len(taken.past)
        for at, its in history.functions.items()
        if graph.functions[at].name == name
        for taken in its
    ]


def test_runs_are_predicted_from_those_before(session: Session) -> None:
    store = store_of(session)
    store.forget_history()
    sizes = {"a": 100_000, "b": 400_000, "c": 800_000, "d": 1_600_000}
    grown = []
    for _ in range(5):
        graph = ran(session, **sizes).graph
        history = history_of(store, graph, place="host")
        grown.append(sum(named(graph, history, "measure")))
    assert grown == [4, 8, 12, 16, 20]

    experience = Experience(store, place="host", workers=2)
    known = experience.forecast(graph)
    assert known.notes == ()
    sixth = ran(session, **sizes)
    took = {span.task: span.sample for span in sixth.timeline.spans if span.sample is not None}
    for at, one in enumerate(sixth.graph):
        expected, (low, high) = known.call_seconds(at, ONE), known.interval(at, ONE)
        assert not known.is_guess(at)
        assert 0 < low < high
        # The machine is shared: only what is wrong by far would be outside of this.
        assert expected / 20 < took[one].call_seconds < expected * 20
    of_size = [known.call_seconds(at, ONE) for at, one in enumerate(graph) if "measure" in one]
    assert of_size == sorted(of_size)
    written = [known.output_bytes(at) for at, one in enumerate(graph) if "make" in one]
    assert all(value > 10_000 for value in written)


def test_percentiles_and_intervals_of_a_real_forecast_nest(session: Session) -> None:
    store = store_of(session)
    for _ in range(3):
        graph = ran(session, a=50_000, b=200_000).graph
    experience = Experience(store, place="host")
    levels = [experience.forecast(graph, sla=sla) for sla in ("p10", "p50", "p90", "p99")]
    for at in range(len(graph)):
        times = [known.call_seconds(at, ONE) for known in levels]
        assert times == sorted(times)
    links = [known.site.link for known in levels]
    ups = [link.up_seconds(1 << 20) for link in links]
    assert ups == sorted(ups)
    text = str(levels[2].explain(graph.ids[0]))
    assert "(p90)" in text
    assert "samples of" in text


def test_ten_thousand_short_tasks_leave_few_samples_that_stand_for_all(session: Session) -> None:
    store = store_of(session)
    store.forget_history()
    run = session.start(total([tiny(n) for n in range(2000)]))
    assert run.result(timeout=PATIENCE_SECONDS) == sum(range(2000))
    history = history_of(store, run.graph, place="host")
    (at,) = [at for at, one in enumerate(run.graph.functions) if one.name == "tiny"]
    (taken,) = history.functions[at]
    assert len(taken.past) <= MOST_LISTED
    assert sum(one.weight for one in taken.past) == pytest.approx(2000, rel=0.01)


def test_big_outputs_teach_what_moving_bytes_takes(session: Session) -> None:
    store = store_of(session)
    store.forget_history()
    for _ in range(2):
        graph = ran(session, a=1_000_000, b=2_000_000).graph
    moves = history_of(store, graph, place="host").moves
    assert {size.size_bytes // 1_000_000 for size in moves["dump"]} == {1, 2}
    assert all(move.seconds > 0 for its in moves.values() for move in its)


def test_items_of_maps_are_counted_and_predicted(session: Session) -> None:
    store = store_of(session)
    targets = total(tiny.map(make(7)))
    session.run(targets, timeout=PATIENCE_SECONDS)
    graph = session.start(targets).graph
    (splitter,) = graph.maps_of
    known = Experience(store, place="host").forecast(graph)
    assert known.items(splitter) == 7
    (gather,) = graph.maps
    assert not known.is_guess(gather)


def test_a_strategy_that_hands_in_at_the_end_reaches_the_store(session: Session) -> None:
    store = store_of(session)
    store.forget_history()
    connection = session.connection()
    graph = ran(session, a=10).graph
    store.forget_history()
    plan = Plan(graph.as_planned, dict.fromkeys(graph.as_planned, Placement()))
    opening = opening_of(
        plan,
        connection.backend.lanes(plan),
        run=RunId("late"),
        signer=connection.signer,
        about={},
        keep_seconds=60,
        upload="end",
    )
    store.open_run(opening)
    connection.backend.serve(plan)
    assert store.wait_for_end(opening.run, timeout_seconds=PATIENCE_SECONDS) == "done"
    wait_until(
        lambda: len(history_of(store, graph, place="host").functions) == 3,
        description="the worker has left the run",
    )


def test_calibration_is_short_leaves_nothing_behind_and_is_not_repeated(session: Session) -> None:
    connection, store = session.connection(), store_of(session)
    store.forget_history()
    assert is_due(store, place="host")
    site = calibrate(store, connection.signer, place="host", workers=2)
    link = site.link
    assert 0 < link.up_latency_seconds < 1
    assert 1e5 < link.up_bytes_per_second < 1e12
    assert 1e5 < link.down_bytes_per_second < 1e12
    assert 0 < site.hand_off_seconds < 1
    assert len(told(site)) == 6
    client = store._client
    assert not [*client.scan_iter("wfnb:calibration*")]
    assert all(client.ttl(name) > 0 for name in client.scan_iter(f"{keys.HISTORY}*"))
    assert not is_due(store, place="host")
    assert is_due(store, place="net")
    assert not calibrate_if_due(store, connection.signer, place="host")
    assert calibrate_if_due(store, connection.signer, place="net")


def test_a_store_in_memory_can_be_calibrated_too(session: Session) -> None:
    store: Store = MemoryStore()
    site = calibrate(store, session.connection().signer, place="net", most_seconds=0.1)
    assert site.link.up_seconds(1 << 20) > site.link.up_seconds(1)
