from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.pictured import five, timeline_of
from tests.waiting import wait_until
from wfnb.errors import RunNotFoundError, StoreError
from wfnb.timeline import TaskState, Timeline
from wfnb.widgets import live
from wfnb.widgets.live import Live


class Acted:
    """A run whose answers are a script: statuses, or errors to raise."""

    def __init__(self, *script: str | Exception) -> None:
        self.script = list(script)
        self._timeline = timeline_of(five(), {"load": TaskState.DONE})

    @property
    def timeline(self) -> Timeline:
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        self._timeline.status = answer
        return self._timeline

    def tend(self) -> str:
        return ""


class Watched:
    def __init__(self, fault: Exception | None = None) -> None:
        self.shown: list[bool] = []
        self.said: list[str] = []
        self.is_finished = False
        self.caught_up = 0
        self.fault = fault
        self.threads: set[str] = set()

    def show(self, timeline: Timeline, *, is_over: bool) -> None:
        self.threads.add(threading.current_thread().name)
        self.shown.append(is_over)
        if self.fault:
            raise self.fault

    def say(self, text: str) -> None:
        self.said.append(text)

    def finish(self) -> None:
        self.is_finished = True

    def catch_up(self) -> bool:
        self.caught_up += 1
        return self.caught_up < 3


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Acted, Watched], Live]]:
    monkeypatch.setattr(live, "MOST_OFTEN_SECONDS", 0.001)
    monkeypatch.setattr(live, "PATIENCE_SECONDS", 0.001)
    started: list[Live] = []

    def follow(run: Acted, panel: Watched) -> Live:
        started.append(Live(run, panel))
        started[-1].start()
        return started[-1]

    yield follow
    for each in started:
        each.close()
        wait_until(lambda each=each: not each.is_alive)


def test_it_shows_until_the_end_and_then_finishes(follow: Callable[..., Live]) -> None:
    panel = Watched()
    thread = follow(Acted("running", "running", "done"), panel)
    wait_until(lambda: not thread.is_alive)
    assert panel.shown == [False, False, True]
    assert panel.is_finished
    assert panel.caught_up == 3
    assert panel.threads == {"wfnb-live"}


def test_a_store_that_does_not_answer_is_told_of_and_asked_again(
    follow: Callable[..., Live],
) -> None:
    panel = Watched()
    thread = follow(Acted("running", StoreError("no answer"), "running", "done"), panel)
    wait_until(lambda: not thread.is_alive)
    assert panel.said == ["no answer", ""]
    assert panel.shown == [False, False, True]


def test_a_run_that_is_gone_is_not_waited_for(follow: Callable[..., Live]) -> None:
    panel = Watched()
    thread = follow(Acted(RunNotFoundError("gone")), panel)
    wait_until(lambda: not thread.is_alive)
    assert panel.said == ["gone"]
    assert panel.caught_up == 0


def test_a_fault_in_the_panel_is_shown_and_ends_nothing(follow: Callable[..., Live]) -> None:
    panel = Watched(fault=KeyError("oh"))
    thread = follow(Acted("running", "done"), panel)
    wait_until(lambda: not thread.is_alive)
    assert panel.said == ["KeyError: 'oh'"] * 2
    assert panel.is_finished


def test_a_closed_panel_is_left_alone(follow: Callable[..., Live]) -> None:
    panel = Watched()
    thread = follow(Acted("running"), panel)
    wait_until(lambda: panel.shown)
    thread.close()
    wait_until(lambda: not thread.is_alive)
    assert not panel.is_finished
