"""A client's view of a run: kept up to date from its events, and put right by its state."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from wfnb.backend import Backend
from wfnb.errors import BackendError
from wfnb.events import START, Event, EventId, TaskClaimed, TaskDone, read_entry
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.storage import RunId, Store
from wfnb.timeline import Crew, Timeline, derived_states

SNAPSHOT_SECONDS = 5.0
FULL = 1000
"""So many entries come at once when there are more; fewer are all that there are."""
LOOK_SECONDS = 2.0
ALONE_SECONDS = 10.0


class Follower:
    """Makes a run's timeline when asked, from what happened since the last time."""

    def __init__(self, store: Store, run: RunId, graph: Graph) -> None:
        self._store = store
        self._run = run
        self._graph = graph
        self._timeline = Timeline(graph)
        self._after: EventId = START
        self._correct_at = 0.0
        self._is_settled = False
        self._lock = Lock()

    def crew(self) -> Crew:
        """Who works on the run, by the events alone."""
        with self._lock:
            self._take()
            return self._timeline.crew

    def timeline(self, *, is_over: bool) -> Timeline:
        """Up to date by the events, and right by the state: at first, every 5 s, and at the end."""
        with self._lock:
            self._take()
            is_over = is_over or self._timeline.is_over
            if not self._is_settled and (is_over or time.monotonic() >= self._correct_at):
                self._correct()
            return self._timeline

    def _take(self, until: EventId | None = None) -> None:
        last = None if until is None else _moment(until)
        has_more = True
        while has_more:
            entries = self._store.events(self._run, self._after)
            has_more = len(entries) >= FULL
            if last is not None:
                entries = [(at, entry) for at, entry in entries if _moment(at) <= last]
            if not entries:
                return
            self._after = entries[-1][0]
            self._is_settled = False
            events = [event for _, entry in entries for event in read_entry(entry)]
            for event in _without_claims_that_ended(events):
                self._timeline.record(event)

    def _correct(self) -> None:
        # Events newer than the snapshot must not be undone by it, so they are taken after it.
        snapshot = self._store.snapshot(self._run)
        self._take(until=snapshot.last_event)
        self._timeline.expand(snapshot.expansions)
        self._timeline.correct(derived_states(self._graph, snapshot.states, snapshot.status))
        self._timeline.status = snapshot.status
        self._correct_at = time.monotonic() + SNAPSHOT_SECONDS
        self._is_settled = snapshot.status != "running"


class Lifeline:
    """Sees to it that a run somebody waits for has workers, or that its watchers learn why not."""

    def __init__(self, store: Store, run: RunId, backend: Backend, plan: Plan) -> None:
        self._store = store
        self._run = run
        self._backend = backend
        self._plan = plan
        self._next_look = 0.0
        self._alone_since = 0.0
        self._has_told = False

    def look(self, crew: Callable[[], Crew]) -> str:
        """To be called often; looks every 2 s, for the first time 2 s after the first call.

        Why there are no workers, in the one call that finds that out.
        """
        now = time.monotonic()
        if not self._next_look:
            self._next_look, self._alone_since = now + LOOK_SECONDS, now
        if now < self._next_look:
            return ""
        self._next_look = now + LOOK_SECONDS
        reason = self._serve()
        if crew().present:
            self._alone_since, self._has_told = now, False
        elif now - self._alone_since >= ALONE_SECONDS and not self._has_told:
            self._has_told = True
            self._store.note(self._run, json.dumps({"none": reason}))
            return reason
        return ""

    def _serve(self) -> str:
        """Start a pool if none is alive; why there may be no workers all the same."""
        try:
            self._backend.serve(self._plan)
        except BackendError as error:
            return str(error)
        return (
            f"none has come from backend {self._backend.name!r} for {ALONE_SECONDS:g} s; they may "
            "be busy with other runs (`wfnb runs`), and `wfnb doctor` says what works here"
        )


def events_of(store: Store, run: RunId, *, follow: bool) -> Iterator[Event]:
    """What has happened so far; with `follow` also what happens until the run ends."""
    after = START
    while True:
        # Asked before reading: what an ended run wrote last is then among the entries.
        is_over = not follow or store.wait_for_end(run, timeout_seconds=0) != "running"
        entries = store.events(run, after, block_seconds=0.0 if is_over else 1.0)
        for after, entry in entries:  # noqa: B007
            yield from read_entry(entry)
        if is_over and not entries:
            return


def _without_claims_that_ended(events: Sequence[Event]) -> Iterator[Event]:
    """What the end of an attempt says about a task replaces all that its begin says."""
    ended = {(event.task, event.attempt) for event in events if isinstance(event, TaskDone)}
    for event in events:
        if not isinstance(event, TaskClaimed) or (event.task, event.attempt) not in ended:
            yield event


def _moment(event: EventId) -> tuple[int, int]:
    milliseconds, _, serial = event.partition("-")
    return int(milliseconds), int(serial or 0)
