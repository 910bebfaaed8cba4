"""The one thread that follows a run which is shown, and tells its panel how things stand."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol

from wfnb.errors import RunNotFoundError, StoreError
from wfnb.timeline import Timeline

MOST_OFTEN_SECONDS = 0.12
SHARES = ((0.02, 0.22), (0.05, 0.6))
"""Of a core, at most, that goes into showing, unless the pause between two looks became longer.

The first keeps a run's workers from noticing, and people do not notice the pause. The second is for
huge graphs: nobody waits longer than that for the end to be shown.
"""
PATIENCE_SECONDS = 2.0
"""Between looks at a store that does not answer."""


class Followed(Protocol):
    """What it needs of a run."""

    @property
    def timeline(self) -> Timeline:
        """Its status is the run's; when that is over it has what happened last before the end."""
        ...

    def tend(self) -> str:
        """See that somebody works on it."""
        ...


class Panel(Protocol):
    """Shows what it is given; knows nothing of threads and stores."""

    def show(self, timeline: Timeline, *, is_over: bool) -> None: ...

    def say(self, text: str) -> None:
        """Trouble in words; none when it is over."""
        ...

    def finish(self) -> None:
        """The run is over, and shown as it ended."""
        ...

    def catch_up(self) -> bool:
        """Show what there was no time for; whether there is more of it."""
        ...


class Live:
    """Looks as often as is worth it: seldom when looking is dear, never after the end."""

    def __init__(self, run: Followed, panel: Panel) -> None:
        self._run = run
        self._panel = panel
        self._closed = Event()
        self._woken = Event()
        self._trouble = ""
        self._thread = Thread(target=self._follow, name="wfnb-live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hurry(self) -> None:
        """Look now, whatever that costs."""
        self._woken.set()

    def close(self) -> None:
        self._closed.set()
        self._woken.set()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _follow(self) -> None:
        if self._repeat(self._look):
            guarded(self._panel, self._panel.finish)
            if not self._trouble:
                self._repeat(self._catch_up)

    def _repeat(self, act: Callable[[], tuple[bool, float]]) -> bool:
        """Until it says that it is over; False if the panel was closed before."""
        is_over, pause = False, 0.0
        while not is_over:
            self._woken.wait(pause)
            self._woken.clear()
            if self._closed.is_set():
                break
            began = time.thread_time()
            is_over, pause = act()
            cost = time.thread_time() - began
            pause = max(pause, *(min(cost / share, longest) for share, longest in SHARES))
        return is_over and not self._closed.is_set()

    def _catch_up(self) -> tuple[bool, float]:
        has_more = False

        def act() -> None:
            nonlocal has_more
            has_more = self._panel.catch_up()

        guarded(self._panel, act)
        return not has_more, MOST_OFTEN_SECONDS

    def _look(self) -> tuple[bool, float]:
        try:
            timeline = self._run.timeline
            is_over = timeline.status != "running"
            if not is_over:
                self._run.tend()
        except StoreError as error:
            self._say(str(error))
            return isinstance(error, RunNotFoundError), PATIENCE_SECONDS
        self._say(f"no workers: {timeline.trouble}" if timeline.trouble else "")
        guarded(self._panel, lambda: self._panel.show(timeline, is_over=is_over))
        return is_over, MOST_OFTEN_SECONDS

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            guarded(self._panel, lambda: self._panel.say(trouble))


def guarded(panel: Panel, action: Callable[[], object]) -> None:
    """What goes wrong in a panel must end neither the thread nor the user's cell."""
    try:
        action()
    except Exception as error:  # noqa: BLE001  shown, not lost: here nobody else would see it
        panel.say(f"{type(error).__name__}: {error}")
