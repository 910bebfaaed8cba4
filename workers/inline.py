"""Backend "inline": a run's tasks execute in the caller's own thread, where a debugger stops."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Thread
from types import MappingProxyType
from typing import Any

from wfnb.backend import Ground
from wfnb.errors import BackendError, ErrorRecord, StoreError
from wfnb.graph import Options, TaskId
from wfnb.language import Attempt
from wfnb.needs import options_of
from wfnb.plan import Plan
from wfnb.preparing import refuse_missing
from wfnb.signing import Signer
from wfnb.storage import Identity, Joined, Lane, Request, RunId, Store
from wfnb.workers.call import Outcome, call_inline
from wfnb.workers.serve import Desk

BEAT_SECONDS = 2.0
_LOOK_SECONDS = 0.05


class InlineBench:
    """Calls run here: nothing is captured, and nothing could stop them but the caller."""

    def __init__(self) -> None:
        self.label = f"{socket.gethostname()}/inline-{os.getpid()}"

    def start(self, task: TaskId, attempt: int, options: Options) -> None:
        pass

    def call(
        self, function: Callable[..., Any], args: Any, kwargs: Any, attempt: Attempt
    ) -> Outcome:
        return call_inline(function, args, kwargs, attempt)

    def end(self) -> None:
        pass

    def explained(self, record: ErrorRecord) -> ErrorRecord:
        return record

    def reported(self) -> None:
        pass

    def flush(self) -> None:
        pass


class InlineBackend:
    """One worker, which works while somebody waits for the run."""

    name = "inline"
    sees_files = True
    terms: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._pool = f"inline:{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._desk = Desk(store, signer, InlineBench())

    def lanes(self, plan: Plan) -> Mapping[str, Lane]:
        for at, task in enumerate(plan.graph):
            if options_of(plan.graph, at).timeout_seconds is not None:
                raise BackendError(
                    f"{task} has a timeout, and the inline backend cannot stop a task: "
                    'use backend="process", or leave the timeout out'
                )
        queues = dict.fromkeys(plan.placements[task].queue for task in plan.graph)
        return {queue: Lane(limit=1, pool=self._pool) for queue in queues}

    @property
    def ground(self) -> Ground:
        return Ground(place="host", pools=(self._pool,), workers=1, cpus=1, idle=1)

    def equip(
        self,
        plan: Plan,
        tell: Callable[[str], None],
        *,
        workflow: tuple[str, ...] = (),
        fresh: bool = False,
    ) -> Plan:
        """Nothing can be installed into this very process: refuses what is not there."""
        refuse_missing(plan, workflow=workflow)
        return plan

    def serve(self, plan: Plan | None = None) -> None:
        pass

    def work(self, run: RunId, *, timeout_seconds: float) -> None:
        """Serve launch requests of this object's runs until this one has ended, or time is out.

        A task that has begun is finished first. KeyboardInterrupt is the caller's: what was claimed
        goes back to the run.
        """
        deadline = time.monotonic() + timeout_seconds
        while self._store.wait_for_end(run, timeout_seconds=0) == "running":
            request = self._store.take_request([self._pool], block_seconds=_LOOK_SECONDS)
            if request is not None:
                self._serve(request)
            else:
                self._store.reap(run)
            if time.monotonic() > deadline:
                return

    def close(self) -> None:
        pass

    def _serve(self, request: Request) -> None:
        with _beating(self._store, request.run) as joined:
            try:
                self._desk.serve(request, joined)
            except BaseException:
                self._desk.give_up(request.run)
                raise


@contextmanager
def _beating(store: Store, run: RunId) -> Iterator[Callable[[Joined], None]]:
    """Whoever joins is heard of, however long a task takes: a debugger may stand still in it."""
    is_over = Event()

    def beat(identity: Identity) -> None:
        while not is_over.wait(BEAT_SECONDS):
            with suppress(StoreError):
                store.beat(run, identity)

    threads: list[Thread] = []

    def joined(about: Joined) -> None:
        threads.append(Thread(target=beat, args=(about.identity,), name="wfnb-beat", daemon=True))
        threads[-1].start()

    try:
        yield joined
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
