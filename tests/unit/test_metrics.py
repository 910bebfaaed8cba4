"""What a run took: its launches, its tasks, and sums of both."""

from __future__ import annotations

import json

import pytest

from tests.pictured import graph_of
from tests.timed import START, claimed, failed
from wfnb.events import Sample, TaskDone, WorkerJoined, WorkerLeft, read_entry
from wfnb.graph import TaskId
from wfnb.metrics import launches_frame, tasks_frame, usage_of
from wfnb.resources import Resources
from wfnb.timeline import Timeline

LIMITS = {"a": "2GB", "b": "500MB", "c": None, "d": "1GB"}


def resources_of(task: TaskId) -> Resources:
    return Resources(memory=LIMITS[task])


def joined(worker: str, *, waited: float | None, is_cold: bool) -> WorkerJoined:
    about = {"label": f"host {worker}", "waited_seconds": waited, "is_cold": is_cold}
    return WorkerJoined(at_seconds=START, worker=worker, **about)


def measured(task: str, **sample: float) -> TaskDone:
    about = {"at_seconds": START, "worker": "w1", "attempt": 1}
    return TaskDone(task=TaskId(task), sample=Sample(START, **sample), **about)


@pytest.fixture
def timeline() -> Timeline:
    """Of four tasks, "c" has no limit and "d" has failed."""
    made = Timeline(graph_of([(name, "f", []) for name in "abcd"]))
    for event in (
        joined("w1", waited=0.5, is_cold=True),
        joined("w2", waited=0.01, is_cold=False),
        WorkerLeft(at_seconds=START, worker="w2"),
        joined("w2", waited=None, is_cold=False),
        measured("a", load_seconds=1, call_seconds=2, cpu_seconds=1.5, save_seconds=3),
        measured("b", call_seconds=4, cpu_seconds=0.25),
        measured("c", call_seconds=100, cpu_seconds=1),
        claimed("d", "w1", START),
        failed("d", "w1", START + 9),
    ):
        made.record(event)
    return made


def test_a_gb_second_is_the_limit_times_what_a_task_took_of_its_worker(timeline: Timeline) -> None:
    frame = tasks_frame(timeline, resources_of)
    assert frame["gb_seconds"].dropna().to_dict() == {"a": 2 * 6, "b": 0.5 * 4}
    sizes = frame["memory_bytes"].dropna().to_dict()
    assert sizes == {"a": 2_000_000_000, "b": 500_000_000, "d": 1_000_000_000}


def test_a_run_is_summed_up(timeline: Timeline) -> None:
    usage = usage_of(timeline, resources_of)
    assert (usage.cpu_seconds, usage.gb_seconds) == (2.75, 14.0)
    assert (usage.cold_launches, usage.warm_launches) == (1, 2)
    assert str(usage) == "2.75 CPU-s, 14.00 GB-s, 3 launches (1 cold)"


def test_launches_are_rows_in_the_order_of_joining(timeline: Timeline) -> None:
    frame = launches_frame(timeline)
    assert list(frame["worker"]) == ["w1", "w2", "w2"]
    assert list(frame["label"]) == ["host w1", "host w2", "host w2"]
    assert list(frame["is_cold"]) == [True, False, False]
    assert frame["waited_seconds"].dropna().to_list() == [0.5, 0.01]


def test_a_run_that_nobody_has_joined_has_used_nothing() -> None:
    timeline = Timeline(graph_of([("a", "f", [])]))
    assert launches_frame(timeline).empty
    assert str(usage_of(timeline, resources_of)) == "0.00 CPU-s, 0.00 GB-s, 0 launches (0 cold)"


@pytest.mark.parametrize(
    ("words", "waited", "is_cold"),
    [
        ({"waited": 0.25, "cold": 1}, 0.25, True),
        ({"waited": 0.25, "cold": 0}, 0.25, False),
        ({}, None, False),
    ],
)
def test_a_joining_is_read_with_what_it_took(
    *, words: dict[str, float], waited: float | None, is_cold: bool
) -> None:
    """Runs of before do not tell it."""
    entry = json.dumps({"at": 1.0, "w": "w1", "joined": "here", **words})
    (event,) = read_entry(entry)
    assert isinstance(event, WorkerJoined)
    assert (event.waited_seconds, event.is_cold) == (waited, is_cold)
