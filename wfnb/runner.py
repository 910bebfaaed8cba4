"""Runs: start one, come back to one, wait for it, ask it anything. A client owns nothing of it."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable, Generator, Iterator
from functools import cached_property
from typing import Any

from wfnb.answers import Answer, name_of
from wfnb.backend import Connection
from wfnb.errors import (
    ErrorRecord,
    RunCancelledError,
    RunNotFoundError,
    RunTimeoutError,
    TaskError,
    WaitInterrupted,
)
from wfnb.events import Event
from wfnb.failures import task_error
from wfnb.following import Follower, Lifeline, events_of
from wfnb.graph import Graph, TaskId
from wfnb.growth import GrowingGraph
from wfnb.hindsight import Hindsight
from wfnb.metrics import Table, Usage, launches_frame, tasks_frame, usage_of
from wfnb.plan import Plan
from wfnb.reusing import known_values
from wfnb.sizes import size_of, sized, written
from wfnb.storage import RunId
from wfnb.storage.opening import load_plan, opening_of, stored_graph
from wfnb.storage.outputs import Archive
from wfnb.storage.resuming import seed_to_resume
from wfnb.timeline import TaskState, Timeline
from wfnb.values import values_of

SLICE_SECONDS = 1.0
TELL_SECONDS = 0.2
MOST_AWAITED = 16
"""So many results come along with the news of the end; more are asked for when it is there."""
KEEP_SECONDS = 7 * 24 * 3600


class Run:
    """One run of a plan. It lives in the store: any number of these may look at it, or none."""

    def __init__(
        self,
        run: RunId,
        connection: Connection,
        *,
        graph: Graph,
        answer: Answer,
        plan: Plan | None = None,
    ) -> None:
        self.id = run
        self.graph = GrowingGraph.of_run(graph.as_planned)
        """With the items of its maps, as far as they are known here."""
        self._connection = connection
        self._plan = plan
        self._answer = answer
        self._status = "running"
        self._results: list[bytes | None] = []
        """Of the targets, if they came with the news of the end."""

    def __repr__(self) -> str:
        return f"<run {self.id}: {self._status}, {sized(*size_of(self.graph))}>"

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        # In slices: a thread that waits for the end itself would outlive a cancelled await.
        while not await asyncio.to_thread(self.wait, SLICE_SECONDS):
            pass
        return await asyncio.to_thread(self.result)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, at most `timeout` seconds; the values of the targets.

        Raises TaskError if a task failed for good, RunCancelledError, or RunTimeoutError: then
        the run goes on, and `result` may be called again.
        """
        self.wait(timeout)
        self.check(timeout)
        return self._outputs()

    def check(self, timeout: float | None = None) -> None:
        """Raise what `result` would raise now, after a wait of `timeout` seconds."""
        if self._status == "running":
            message = f"{self.id} has not ended within {timeout or 0:g} s; it goes on: "
            raise RunTimeoutError(message + "wait again, or run.cancel() it")
        if self._status == "failed":
            raise self._failure()
        if self._status == "cancelled":
            raise RunCancelledError(f"{self.id} was cancelled: run.resume() goes on where it was")

    def wait(
        self, timeout: float | None = None, *, tell: Callable[[Run], None] | None = None
    ) -> bool:
        """Wait for the end, however it comes; False after `timeout` seconds without one.

        `tell` is called about every 0.2 s meanwhile. Interrupting stops the wait, never the run.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        slice_seconds = SLICE_SECONDS if tell is None else TELL_SECONDS
        try:
            while not self._ends_within(max(0.0, min(slice_seconds, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    return False
                if reason := self.tend():
                    sys.stderr.write(f"no workers for {self.id}: {reason}\n")
                if tell is not None:
                    tell(self)
        except KeyboardInterrupt:
            after_echo = "\n" if sys.stdout.isatty() else ""  # a terminal has written ^C
            sys.stdout.write(
                f"{after_echo}still running: run = wfnb.attach({self.id!r}) comes back to it, "
                "run.cancel() stops it\n"
            )
            raise WaitInterrupted from None
        return True

    def cancel(self) -> bool:
        """Stop it, and its running tasks within a second; False if it had ended."""
        return self._connection.store.cancel(self.id)

    def resume(self) -> Run:
        """Run what is missing of an ended run, under a new generation. Nothing if it is running."""
        store = self._connection.store
        snapshot = store.snapshot(self.id)
        if snapshot.status != "running":
            there = Archive(store, self._connection.signer, self.id).there(store.pointers(self.id))
            store.resume(self.id, snapshot.generation, seed_to_resume(self.plan, snapshot, there))
            self._connection.backend.serve(self.plan)
        self._status, self._results = "running", []
        return self

    @property
    def status(self) -> str:
        """running, done, failed or cancelled."""
        self._status = self._connection.store.wait_for_end(self.id, timeout_seconds=0)
        return self._status

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            blob = self._connection.store.plan(self.id)
            self._plan = load_plan(blob, self.graph.as_planned, self._connection.signer, self.id)
        return self._plan

    @property
    def timeline(self) -> Timeline:
        """Which task ran where and when, as of now."""
        return self._follower.timeline(is_over=self.status != "running")

    @property
    def tasks(self) -> Table:
        """One row a task: state, worker, attempt, times, sizes, and what it used."""
        return tasks_frame(self.timeline, self.plan.resources_of)

    @property
    def launches(self) -> Table:
        """One row for each time that a worker joined: how long it took, and if it was cold."""
        return launches_frame(self.timeline)

    @property
    def usage(self) -> Usage:
        """CPU-s, GB-s and launches, in sum."""
        return usage_of(self.timeline, self.plan.resources_of)

    def compare_to_plan(self) -> Hindsight:
        """Planned against real, per task and per cause; PlanError if nothing was predicted."""
        return Hindsight(self)

    @property
    def errors(self) -> list[ErrorRecord]:
        """Every failed attempt, in the order in which they failed."""
        found = self._connection.store.errors(self.id)
        records = [record for some in found.values() for record in some]
        return sorted(records, key=lambda record: (record.at_seconds, record.task, record.attempt))

    def log(self, task: str, attempt: int | None = None) -> str:
        """What a task printed, in its last attempt or in the one that is named."""
        if task not in self.graph:
            _ = self.timeline  # it may be an item that is not known here yet
        known = self.graph.ids[self.graph.at(TaskId(task))]
        text = self._connection.store.log(self.id, known, attempt)
        return text.decode(errors="replace")

    def apart(self) -> Run:
        """The same run, with a timeline of its own: for another thread to look at."""
        return Run(
            self.id, self._connection, graph=self.graph, answer=self._answer, plan=self._plan
        )

    def tend(self) -> str:
        """See that it has workers; for those who watch it and do not wait, as often as they look.

        Returns once why it has none; the event NoWorkers and `timeline.trouble` tell it too.
        """
        return self._lifeline.look(self._follower.crew)

    def events(self, *, follow: bool = False) -> Iterator[Event]:
        """What has happened so far; with `follow`, also what happens until the end."""
        return events_of(self._connection.store, self.id, follow=follow)

    def _ends_within(self, seconds: float) -> bool:
        self._connection.backend.work(self.id, timeout_seconds=seconds)
        store, targets = self._connection.store, self.graph.targets
        if 0 < len(targets) <= MOST_AWAITED and seconds > 0:
            self._status, results = store.await_results(self.id, targets, timeout_seconds=seconds)
            self._results = results if self._status == "done" else []
        else:
            self._status = store.wait_for_end(self.id, timeout_seconds=seconds)
        if self._status == "unknown":
            raise RunNotFoundError(f"{self.id} is no longer in the store: start it again")
        return self._status != "running"

    @cached_property
    def _follower(self) -> Follower:
        return Follower(self._connection.store, self.id, self.graph)

    @cached_property
    def _lifeline(self) -> Lifeline:
        return Lifeline(self._connection.store, self.id, self._connection.backend, self.plan)

    def _outputs(self) -> Any:
        store = self._connection.store
        archive = Archive(store, self._connection.signer, self.id)
        values = values_of(store, archive, self.graph.targets, self._results)
        return self._answer.shaped(values)

    def _failure(self) -> TaskError:
        states = {span.task: span.state for span in self.timeline.spans}
        found = self._connection.store.errors(self.id)
        failed = [found[t][-1] for t in states if states[t] is TaskState.FAILED and t in found]
        left = {task for task, state in states.items() if state is TaskState.UPSTREAM_FAILED}
        tasks, not_tried = sum(size_of(self.graph)), written(self.graph, left)
        return task_error(self.id, failed, tasks=tasks, not_tried=not_tried)


def start(  # noqa: PLR0913  how a run begins
    plan: Plan,
    connection: Connection,
    *,
    answer: Answer | None = None,
    owner: str = "",
    pool_is_coming: bool = False,
    fresh: bool = False,
) -> Run:
    """Write a run to the store, whole, see that there are workers for it, and return at once.

    With `fresh` nothing is reused that was computed before.

    Raises SerialisationError before anything is written.
    """
    graph = plan.graph
    run = RunId(f"{name_of(graph)}-{secrets.token_hex(4)}")
    answer = answer or Answer.read(None, graph)
    backend, store = connection.backend, connection.store
    known = known_values(graph, store, connection.signer, run, fresh=fresh)
    opening = opening_of(
        plan,
        backend.lanes(plan),
        run=run,
        signer=connection.signer,
        about=connection.about
        | {
            "answer": str(answer),
            "owner": owner,
            "beside": str(len(graph.maps) + len(graph.maps_of)),
        },
        keep_seconds=KEEP_SECONDS,
        kept=known.kept,
        reused=known.results,
        sees_files=backend.sees_files,
    )
    if not store.open_run(opening) and not pool_is_coming:
        backend.serve(plan)
    return Run(run, connection, graph=graph, plan=plan, answer=answer)


def attach(run: RunId, connection: Connection, *, answer: str | None = None) -> Run:
    """Take up a run that somebody started, perhaps this user yesterday."""
    graph = stored_graph(connection.store, connection.signer, run).graph
    return Run(run, connection, graph=graph, answer=Answer.read(answer, graph))
