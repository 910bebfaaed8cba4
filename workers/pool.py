"""The process that has workers ready for every run of one store, environment and host.

It never tells workers what to do: idle ones wait on the launch list themselves. It starts them,
watches them, and says so; it outlives the kernel that started it, and goes when nobody needs it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from wfnb.cabinet import hold
from wfnb.errors import StoreError
from wfnb.storage import Store
from wfnb.storage.outputs import drop_files_of_done
from wfnb.workers.capture import Capture, open_log
from wfnb.workers.cell import make_cells
from wfnb.workers.farewell import see_out, see_store_off
from wfnb.workers.patience import Patience, connected
from wfnb.workers.poolfiles import files_of
from wfnb.workers.quarters import Quarters
from wfnb.workers.supervisor import Slot, Supervisor, say
from wfnb.workers.template import Template, start_template

MOST_SLOTS = 64
BEAT_SECONDS = 0.5
BUSY_LOOK_SECONDS = 0.1
ANNOUNCE_SECONDS = 1.0
ANNOUNCED_SECONDS = 5.0
REAP_SECONDS = 1.0
SHORTEST_REAP_SECONDS = 0.05
TOLD_BY = (signal.SIGTERM, signal.SIGINT)
"""What tells a pool to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTerms:
    """What a pool is started with."""

    store_url: str
    pool: str
    """Its launch list."""
    slots: int
    idle_seconds: float = 600.0
    is_shared: bool = True
    """The only one of its key on this host, and known to runs as the one that serves them."""
    environment: str = ""
    """Name of the packages that its workers find before the kernel's."""


@dataclass(slots=True)
class Clock:
    """What comes again and again."""

    every_seconds: float
    due: float = 0.0

    def is_due(self, now: float) -> bool:
        if now < self.due:
            return False
        self.due = now + self.every_seconds
        return True


def keep_pool(terms: PoolTerms, quarters: Quarters) -> int:
    """Be the pool until nobody needs it; the process's exit code. 0 at once if there is one."""
    files = files_of(terms.pool)
    lock = files.lock() if terms.is_shared else None
    if terms.is_shared and lock is None:
        return 0
    hold(terms.environment)  # while this process or a worker of it lives
    most = max(MOST_SLOTS, terms.slots) if terms.is_shared else terms.slots
    slots = [Slot(cell, open_log()) for cell in make_cells(most)]
    # The template before everything: no connection, thread or lock of ours may be in the workers.
    life = partial(_life, terms, quarters, slots)
    template = start_template(life, close=() if lock is None else (lock,))
    bell = listen_to_signals()
    for number in range(terms.slots):
        slots[number].pid = -1
        template.fork(number)
    pool = Pool(terms, quarters, slots, template, bell)
    try:
        code = pool.run()
    finally:
        template.close()
    if lock is not None:
        os.close(lock)
    if not pool.was_told:
        see_store_off(terms.store_url, files, bell, idle_seconds=terms.idle_seconds)
    return code


def _life(terms: PoolTerms, quarters: Quarters, slots: list[Slot], number: int) -> None:
    """A worker's, in its own process."""
    cell = slots[number].cell
    cell.occupy(os.getpid())
    capture = Capture(slots[number].log, cell)
    capture.redirect()
    quarters.work(terms.store_url, terms.pool, cell, capture)


class Pool:
    """The loop: reports, limits, beats, reaping, and being seen."""

    def __init__(
        self,
        terms: PoolTerms,
        quarters: Quarters,
        slots: list[Slot],
        template: Template,
        bell: int,
    ) -> None:
        self._terms = terms
        self._quarters = quarters
        self._files = files_of(terms.pool)
        self._slots = slots
        self._template = template
        self._bell = bell
        self._signal = 0
        self._open = self._wanted = terms.slots
        self._beat = Clock(BEAT_SECONDS)
        self._announce = Clock(ANNOUNCE_SECONDS)
        self._reap = Clock(REAP_SECONDS)
        self._deadline: float | None = None
        self._busy_at = time.monotonic()
        self._joins = 0
        self._patience = Patience()

    def run(self) -> int:
        store = connected(self._terms.store_url, self._doze)
        if store is None:
            return 1
        self._supervisor = Supervisor(
            store, self._slots, self._template, self._quarters.memory, launches=self._terms.pool
        )
        try:
            while not self._is_over():
                self._wait(self._pause())
                if self._signal:
                    break
                self._step(store)
            return 0
        finally:
            self._end(store)
            store.close()

    @property
    def was_told(self) -> bool:
        """Whether a signal ended it."""
        return bool(self._signal)

    def _is_over(self) -> bool:
        now = time.monotonic()
        return self._patience.is_over(now) or now - self._busy_at > self._terms.idle_seconds

    def _pause(self) -> float:
        now = time.monotonic()
        dues = [self._beat.due, self._announce.due, self._reap.due]
        if not self._patience.is_there:
            dues = [self._patience.retry_at]
        if self._supervisor.busy():
            dues.append(now + BUSY_LOOK_SECONDS)
        dues += [slot.fork_at for slot in self._slots if slot.fork_at is not None]
        if self._deadline is not None:
            dues.append(self._deadline)
        return max(0.0, min(dues) - now)

    def _wait(self, seconds: float) -> None:
        ready, _, _ = select.select([self._template.fileno(), self._bell], [], [], seconds)
        if self._bell in ready:
            self._signal = os.read(self._bell, 1)[0]

    def _doze(self, seconds: float) -> bool:
        """Hear nothing but signals, of which there was none if True."""
        if select.select([self._bell], [], [], seconds)[0]:
            self._signal = os.read(self._bell, 1)[0]
        return not self._signal

    def _step(self, store: Store) -> None:
        for report in self._template.reports():
            self._supervisor.note(report)
        if not self._template.is_alive:
            self._begin_anew(store)
        now = time.monotonic()
        self._deadline = self._supervisor.look(now)
        if now < self._patience.retry_at:
            return
        try:
            self._tell(store, now)
        except StoreError as error:
            self._patience.failed(error, now)
        else:
            self._patience.succeeded()

    def _tell(self, store: Store, now: float) -> None:
        """Everything that needs the store."""
        self._supervisor.settle()
        if self._announce.is_due(now):
            self._show(store, ttl_seconds=ANNOUNCED_SECONDS)
        self._supervisor.beat_doubted(now)
        if self._beat.is_due(now):
            self._supervisor.beat(now)
            self._grow(store)
            self._see_use(now)
        if self._reap.is_due(now):
            self._reap_runs(store, now)

    def _show(self, store: Store, *, ttl_seconds: float) -> None:
        name, about = self._quarters.shown(self._slots[: self._open])
        store.announce(name, about, ttl_seconds=ttl_seconds)

    def _grow(self, store: Store) -> None:
        """To what is wanted; and by one when those who wait keep away whom they may wait for."""
        if not self._terms.is_shared:
            return
        self._wanted = max(self._wanted, self._files.wanted())
        wanted, waiting = self._wanted, self._supervisor.waiting(self._open)
        if self._open - len(waiting) < wanted and any(store.waiting([self._terms.pool])):
            wanted = self._open + 1
            if wanted > len(self._slots):
                self._supervisor.send_away(waiting[0])
        wanted = min(wanted, len(self._slots))
        if wanted > self._open:
            self._open = wanted
            self._supervisor.open(wanted)

    def _see_use(self, now: float) -> None:
        joins = self._supervisor.joins()
        if joins != self._joins or self._supervisor.busy():
            self._joins, self._busy_at = joins, now

    def _reap_runs(self, store: Store, now: float) -> None:
        for run in store.active_runs():
            reaped = store.reap(run)
            if reaped.next_due_seconds is not None:
                # A retry is to come: somebody must be there to make it ready.
                self._busy_at = now
                due = now + max(reaped.next_due_seconds, SHORTEST_REAP_SECONDS)
                self._reap.due = min(self._reap.due, due)
        if self._quarters.shares_files:
            drop_files_of_done(store)

    def _begin_anew(self, store: Store) -> NoReturn:
        say("the template is gone: the pool starts again")
        self._end(store, why="the process that its worker was forked from died meanwhile")
        for number in TOLD_BY:
            signal.signal(number, signal.SIG_DFL)
        if select.select([self._bell], [], [], 0)[0]:
            os._exit(0)  # it was told to end meanwhile, and who it becomes would not know
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    def _end(self, store: Store, *, why: str = "") -> None:
        """Be seen no more, then stop the workers; what they were doing goes back to its runs."""
        is_there = self._patience.is_there  # or else we would wait for it here
        with suppress(StoreError):
            if is_there:
                self._show(store, ttl_seconds=0)
        if self._terms.is_shared:
            self._files.forget_wanted()
        reports = list(self._template.reports())
        self._template.close()
        # Until they are gone they may take what is asked for from here on, and nobody would know.
        see_out(slot.cell.view().pid for slot in self._slots[: self._open])
        self._supervisor.end(reports=reports, why=why)
        with suppress(StoreError):
            if is_there:
                self._supervisor.settle()


def listen_to_signals() -> int:
    """A descriptor on which each SIGTERM and SIGINT is one byte, its number."""
    bell, ring = os.pipe()
    os.set_blocking(ring, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    for number in TOLD_BY:
        signal.signal(number, _do_nothing)
    return bell


def _do_nothing(_number: int, _frame: object) -> None:
    """The byte in the pipe is the message."""
