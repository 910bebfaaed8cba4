"""A resident worker: take a launch request, enter its run, work, leave; again."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from wfnb.codec import forget_classes
from wfnb.errors import (
    ErrorRecord,
    SerialisationError,
    SignatureError,
    StoreError,
    WfnbError,
)
from wfnb.graph import Options, TaskId
from wfnb.language import Attempt
from wfnb.luggage import unpack
from wfnb.role import Role
from wfnb.script import work
from wfnb.signing import Signer, load_key
from wfnb.storage import Joined, Request, RunId, Store, embedded
from wfnb.storage.address import parse
from wfnb.storage.graphs import Stored
from wfnb.storage.opening import stored_graph
from wfnb.storage.outputs import Archive, shared_folder
from wfnb.storage.records import ANY_TASK, DISMISSAL
from wfnb.storage.sources import remember
from wfnb.storage.stores import connect_store
from wfnb.workers.bench import Bench, Witness
from wfnb.workers.call import Outcome, call
from wfnb.workers.capture import Capture
from wfnb.workers.cell import Cell
from wfnb.workers.driver import Driver
from wfnb.workers.surroundings import Surroundings

REFORK = 64
"""Exit code of a worker whose modules are no longer the user's: the pool forks a fresh one."""
_BLOCK_SECONDS = 1.0


class ProcessBench:
    """Calls run in this process, which a supervisor watches through the cell."""

    def __init__(
        self, cell: Cell, capture: Capture, label: str, witness: Witness | None = None
    ) -> None:
        self.label = label
        self._cell = cell
        self._capture = capture
        self._witness = witness
        if witness is not None:
            capture.look = witness.look

    def start(self, task: TaskId, attempt: int, options: Options) -> None:
        self._cell.start(
            task,
            attempt,
            timeout_seconds=options.timeout_seconds,
            memory_bytes=options.resources.memory_bytes,
        )
        self._capture.start(task, attempt)
        self._is_careful = options.on_worker_lost == "fail"
        if self._witness is not None:
            self._witness.start()

    def call(
        self, function: Callable[..., Any], args: Any, kwargs: Any, attempt: Attempt
    ) -> Outcome:
        return call(function, args, kwargs, attempt)

    def end(self) -> None:
        """A task that must not run twice keeps the blame until it is reported."""
        if self._witness is not None:
            self._witness.end()
        self._capture.end()
        if not self._is_careful:
            self._cell.stop()

    def explained(self, record: ErrorRecord) -> ErrorRecord:
        return record if self._witness is None else self._witness.explained(record)

    def reported(self) -> None:
        self._cell.stop()

    def flush(self) -> None:
        self._capture.flush()


class Desk:
    """Runs that this worker has seen, and how to enter them."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        bench: Bench,
        *,
        shares_files: bool = False,
        asked_at: float | None = None,
    ) -> None:
        """`asked_at` is when this worker was asked for, if it was for a launch: it may be cold."""
        self._store = store
        self._signer = signer
        self._bench = bench
        self._shares_files = shares_files
        self._asked_at = asked_at
        self._latest: tuple[RunId, int, Stored] | None = None
        self._joined: Joined | None = None

    def serve(self, request: Request, on_joined: Callable[[Joined], None] | None = None) -> None:
        """Work for one request; returns at once if it was met already."""
        age = None if self._asked_at is None else time.time() - self._asked_at
        joined = self._store.join(request, self._bench.label, want=1, age_seconds=age)
        if joined is None:
            return
        self._joined = joined
        if on_joined is not None:
            on_joined(joined)
        stored = self.stored(request)
        folder = shared_folder(request.run) if self._shares_files else None
        driver = Driver(
            store=self._store,
            archive=Archive(self._store, self._signer, request.run, folder),
            stored=stored,
            joined=joined,
            bench=self._bench,
        )
        role = Role(stored.graph, joined.identity, stored.queue_at, joined.queue, stored.order_at)
        driver.carry_out(work(role, joined.first), role)
        self._joined = None

    def give_up(self, run: RunId, *, why: ErrorRecord | None = None) -> None:
        """Leave in the middle of a run: what was claimed goes back, blamed if it is known why."""
        if self._joined is not None:
            self._store.abandon(run, self._joined.identity, why)
            self._joined = None

    def stored(self, request: Request) -> Stored:
        """The run's graph; that of the run served last is kept."""
        if self._latest is None or self._latest[:2] != (request.run, request.generation):
            stored = stored_graph(self._store, self._signer, request.run, blob=request.graph)
            forget_classes()
            remember(stored.sources)
            self._latest = (request.run, request.generation, stored)
        return self._latest[2]

    def unpack(self, run: str, luggage: str, into: Path) -> Path:
        """The folder with the modules that the run's client has sent along."""
        (blob,) = self._store.constants(RunId(run), [luggage])
        return unpack(blob, self._signer, luggage, into=into)


def serve(  # noqa: PLR0913  a worker's whole life
    store_url: str,
    pool: str,
    cell: Cell,
    capture: Capture,
    label: str,
    *,
    shares_files: bool,
    witness: Witness | None = None,
) -> None:
    """The main loop of a worker process. Returns when it is dismissed."""
    # Who starts a container for a launch says when; a process is there in no time.
    asked_at = float(os.environ.get("WFNB_ASKED_AT") or time.time())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    store = connect_store(_address_of(store_url))
    bench = ProcessBench(cell, capture, label, witness)
    signer = Signer(load_key(create=False))
    desk = Desk(store, signer, bench, shares_files=shares_files, asked_at=asked_at)
    surroundings = Surroundings(desk.unpack)
    while True:
        request = _next_request(store, pool)
        if request is None:
            continue
        if request == DISMISSAL:
            return
        cell.take(request, label)
        with _reported(request):
            if not _fits(surroundings, desk, request):
                store.return_request(pool, request)
                os._exit(REFORK)
            _serve_one(store, desk, request, cell, capture)
        cell.leave()


def _fits(surroundings: Surroundings, desk: Desk, request: Request) -> bool:
    """True too of a graph that cannot be read here: only who joins a run can tell it why."""
    try:
        return surroundings.fit(desk.stored(request).home, request.run)
    except (SignatureError, SerialisationError):
        return True


def _address_of(store_url: str) -> str:
    """In the private server workers are a user of their own, who may do only what they need."""
    return embedded.ensure().worker_url if parse(store_url).is_embedded else store_url


@contextmanager
def _reported(request: Request) -> Iterator[None]:
    """What keeps a worker from serving a run goes to the pool's log, and the worker goes on."""
    try:
        yield
    except WfnbError as error:
        print(f"wfnb: a worker left {request.run}: {error}", file=sys.stderr)  # noqa: T201


def _next_request(store: Store, pool: str) -> Request | None:
    try:
        return store.take_request([pool], block_seconds=_BLOCK_SECONDS)
    except StoreError:
        return None  # it is away, and was waited for already; the pool decides when to give up


def _serve_one(store: Store, desk: Desk, request: Request, cell: Cell, capture: Capture) -> None:
    def enter(joined: Joined) -> None:
        is_planned = joined.queue.startswith("@")
        cell.enter(request.run, joined.identity, joined.generation, is_planned=is_planned)
        capture.enter(partial(store.append_log, request.run))

    try:
        desk.serve(request, enter)
    except WfnbError as error:
        with suppress(StoreError):  # if the store is away, the lease will tell
            desk.give_up(request.run, why=_refusal(error))
        raise
    finally:
        capture.leave()
        cell.leave()


def _refusal(error: WfnbError) -> ErrorRecord | None:
    """What the next worker would meet as well: it counts as a loss, or the run would never end."""
    if type(error) is StoreError:
        return None  # the store was away: nobody is to blame
    name = type(error).__name__
    return ErrorRecord(task=ANY_TASK, attempt=0, kind="refused", type=name, message=str(error))
