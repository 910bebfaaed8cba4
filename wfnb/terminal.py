"""A run's progress as one line that is written over itself, in a terminal or elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from wfnb.runner import Run
from wfnb.widgets.counting import tally_of
from wfnb.widgets.progress_line import progress_line, progress_summary

MOST_OFTEN_SECONDS = 0.2
SHARE = 0.1
"""Of the time, at most, that goes into telling how the rest is spent."""


class Surface(Protocol):
    """Where a line is shown."""

    def show(self, line: str) -> None:
        """Put the line in the place of the one before."""
        ...

    def finish(self, line: str) -> None:
        """The same, for the last time."""
        ...


class Terminal:
    """Standard output; when it is no terminal, only the last line is written."""

    def show(self, line: str) -> None:
        if sys.stdout.isatty():
            sys.stdout.write(f"\r\x1b[K{line}")
            sys.stdout.flush()

    def finish(self, line: str) -> None:
        erase = "\r\x1b[K" if sys.stdout.isatty() else ""
        sys.stdout.write(f"{erase}{line}\n")
        sys.stdout.flush()


class Progress:
    """What `Run.wait` is given to tell."""

    def __init__(self, surface: Surface, *, width: int = 40) -> None:
        self._surface = surface
        self._width = width
        self._start = time.monotonic()
        self._next = 0.0

    def tell(self, run: Run) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        elapsed = now - self._start
        known = tally_of(run.timeline)
        self._surface.show(
            progress_line(
                known.counts,
                elapsed_seconds=elapsed,
                width=self._width,
                unsplit=known.unsplit,
                unlisted=known.unlisted,
            )
        )
        cost = time.monotonic() - now
        self._next = now + max(MOST_OFTEN_SECONDS, cost / SHARE)

    def end(self, run: Run) -> None:
        elapsed = time.monotonic() - self._start
        known = tally_of(run.timeline)
        summary = progress_summary(
            known.counts,
            elapsed_seconds=elapsed,
            unsplit=known.unsplit,
            unlisted=known.unlisted,
        )
        self._surface.finish(f"{summary} · {run.id}")


def waited(run: Run, progress: Progress, *, timeout: float | None = None) -> Run:
    """The run, waited for in sight; raises what `Run.result` would raise, without its values."""
    if run.wait(timeout, tell=progress.tell):
        progress.end(run)
    run.check(timeout)
    return run
