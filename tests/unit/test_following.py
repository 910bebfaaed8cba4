from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.pictured import five
from wfnb import following
from wfnb.events import START, EventId, Sample, done_note
from wfnb.following import FULL, Follower
from wfnb.graph import TaskId
from wfnb.storage import RunId, Snapshot
from wfnb.timeline import TaskState, Timeline


class Told:
    """A store that only says what it was told to, and counts the questions."""

    def __init__(self) -> None:
        self.entries: list[tuple[EventId, bytes]] = []
        self.status = "running"
        self.states: dict[TaskId, str] = {}
        self.asked: list[str] = []

    def tell(self, **entry: Any) -> None:
        at = EventId(f"{len(self.entries) + 1}-0")
        self.entries.append((at, json.dumps({"at": float(len(self.entries)), **entry}).encode()))
        self.states |= {task: f"running {attempt}" for task, attempt in entry.get("claimed", ())}
        self.states |= {note[0]: "done" for note in entry.get("done", ())}

    def events(self, run: RunId, after: EventId) -> Sequence[tuple[EventId, bytes]]:
        self.asked.append("events")
        seen = 0 if after == START else int(after.partition("-")[0])
        return self.entries[seen : seen + FULL]

    def snapshot(self, run: RunId) -> Snapshot:
        self.asked.append("snapshot")
        last = self.entries[-1][0]
        return Snapshot(
            status=self.status, generation=1, states=dict(self.states), last_event=last, about={}
        )


@pytest.fixture
def store() -> Told:
    return Told()


@pytest.fixture
def follower(store: Told) -> Follower:
    return Follower(store, RunId("run-1"), five())  # type: ignore[arg-type]


def done(task: str, *, attempt: int = 1) -> list[Any]:
    found: list[Any] = json.loads(done_note(task, attempt, Sample(start_seconds=2.0)))
    return found


def test_a_look_at_a_run_in_which_nothing_happened_is_one_question(
    store: Told, follower: Follower
) -> None:
    store.tell(opened=1)
    follower.timeline(is_over=False)
    store.asked.clear()
    follower.timeline(is_over=False)
    store.tell(w="w1", claimed=[["load", 1]])
    assert follower.timeline(is_over=False)[TaskId("load")].state is TaskState.RUNNING
    assert store.asked == ["events", "events"]


def test_of_an_attempt_that_ended_within_a_look_only_the_end_is_recorded(
    store: Told, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[str] = []
    record = Timeline.record
    monkeypatch.setattr(
        Timeline, "record", lambda self, e: recorded.append(type(e).__name__) or record(self, e)
    )
    store.tell(w="w1", claimed=[["load", 1], ["clean", 1]])
    store.tell(w="w1", done=[done("load")])
    timeline = follower.timeline(is_over=False)
    assert recorded == ["TaskClaimed", "TaskDone"]
    assert timeline[TaskId("load")].worker == "w1"
    assert timeline[TaskId("load")].state is TaskState.DONE
    assert timeline[TaskId("clean")].state is TaskState.RUNNING


def test_a_task_claimed_again_after_its_end_runs(store: Told, follower: Follower) -> None:
    store.tell(w="w1", claimed=[["load", 1]])
    store.tell(w="w1", done=[done("load")])
    store.tell(w="w2", claimed=[["load", 2]])
    span = follower.timeline(is_over=False)[TaskId("load")]
    assert (span.state, span.attempt, span.worker) == (TaskState.RUNNING, 2, "w2")


def test_an_end_that_is_heard_of_is_put_right_by_the_state_at_once(
    store: Told, follower: Follower
) -> None:
    store.tell(opened=1)
    follower.timeline(is_over=False)
    store.status = "done"
    store.states[TaskId("load")] = "done"  # an event of which was lost
    store.tell(ended="done")
    timeline = follower.timeline(is_over=False)
    assert timeline.status == "done"
    assert timeline[TaskId("load")].state is TaskState.DONE


def test_the_end_of_a_run_that_was_resumed_is_not_its_end(store: Told, follower: Follower) -> None:
    store.tell(ended="failed")
    store.tell(opened=2)
    assert follower.timeline(is_over=False).status == "running"


def test_more_events_than_come_at_once_are_all_read(
    store: Told, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SNAPSHOT_SECONDS", 1000.0)
    for _ in range(2 * FULL):
        store.tell(w="w1", claimed=[["load", 1]])
    store.tell(w="w1", done=[done("load")])
    assert follower.timeline(is_over=False)[TaskId("load")].state is TaskState.DONE
