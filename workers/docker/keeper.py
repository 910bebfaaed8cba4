"""The process that has containers ready for every run of one store: starts, stops, adopts, tells.

Idle workers in containers take launch requests themselves. Here is counted how many requests nobody
takes, which containers there are, and what became of those that died.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count

from wfnb.errors import StoreError
from wfnb.signing import load_key
from wfnb.storage import Seat, Store
from wfnb.storage.records import DISMISSAL
from wfnb.workers.docker.deaths import tell
from wfnb.workers.docker.demand import Demand
from wfnb.workers.docker.dock import Dock, Order
from wfnb.workers.docker.doorbell import Doorbell
from wfnb.workers.docker.fleet import Dismiss, Phase, Scene, Start, Stop, decide
from wfnb.workers.docker.fleetfiles import forget_kinds, wanted_kinds
from wfnb.workers.docker.kinds import FleetTerms, Kind, launch_list
from wfnb.workers.docker.letter import Letter, label_of
from wfnb.workers.docker.news import news
from wfnb.workers.docker.reach import Way
from wfnb.workers.docker.roster import Roster
from wfnb.workers.farewell import see_store_off
from wfnb.workers.patience import Patience, connected
from wfnb.workers.pool import Clock
from wfnb.workers.poolfiles import PoolFiles, files_of
from wfnb.workers.supervisor import say

ACTIVE_LOOK_SECONDS = 0.02
IDLE_LOOK_SECONDS = 0.1
ACTIVE_SECONDS = 10.0
"""So long after anything was wanted, the next thing is expected."""
CREW_SECONDS = 0.1
SLOW_CREW_SECONDS = 1.0
ANNOUNCE_SECONDS = 1.0
ANNOUNCED_SECONDS = 5.0
REAP_SECONDS = 1.0
SHORTEST_REAP_SECONDS = 0.05
PULSE_SECONDS = 5.0
DEAD_SECONDS = 2.0
"""So long a request waits before it is looked at whether anybody still does."""
MOST_THREADS = 64


def keep_fleet(terms: FleetTerms, store_url: str) -> int:
    """Be the fleet until nobody needs it; the exit code. 0 at once if there is one."""
    bell = Doorbell()  # before anybody can find out, by the lock, whom to send a signal
    files = files_of(terms.key)
    lock = files.lock()
    if lock is None:
        return 0
    code = Keeper(terms, store_url, files, bell).run()
    os.close(lock)
    if not bell.was_told:
        see_store_off(store_url, files, bell.signals, idle_seconds=terms.idle_seconds)
    return code


class Keeper:
    """The loop. Everything that may block on a daemon is done by threads, which post what came."""

    def __init__(self, terms: FleetTerms, store_url: str, files: PoolFiles, bell: Doorbell) -> None:
        self._terms = terms
        self._store_url = store_url
        self._files = files
        self._bell = bell
        hosts: tuple[str | None, ...] = terms.hosts or (None,)
        make = partial(Dock, fleet=terms.key, store_url=store_url, post=bell.post)
        self._docks = {dock.name: dock for dock in map(make, hosts)}
        self._roster = Roster(self._docks, memory_bytes=terms.memory_bytes)
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="docker")
        self._numbers = count()
        self._demand = Demand()
        self._patience = Patience()
        self._crew = Clock(SLOW_CREW_SECONDS)
        self._announce = Clock(ANNOUNCE_SECONDS)
        self._reap = Clock(REAP_SECONDS)
        self._pulse = Clock(PULSE_SECONDS, due=time.monotonic() + PULSE_SECONDS)
        self._workers = terms.workers
        self._active_at = time.monotonic()
        self._has_said = 0

    def run(self) -> int:
        store = connected(self._store_url, self._bell.wait)
        if store is None:
            self._clear()
            return 1
        self._key = load_key(create=False).hex()
        for dock in self._docks.values():
            threading.Thread(target=dock.watch, name=f"watch {dock.name}", daemon=True).start()
        try:
            while self._bell.wait(self._pause()) and not self._is_over():
                self._step(store)
            return 0
        finally:
            self._end(store)
            store.close()

    def _pause(self) -> float:
        now = time.monotonic()
        if not self._patience.is_there:
            return min(1.0, self._patience.retry_at - now)
        is_active = now - self._active_at < ACTIVE_SECONDS
        return ACTIVE_LOOK_SECONDS if is_active else IDLE_LOOK_SECONDS

    def _is_over(self) -> bool:
        now = time.monotonic()
        if self._patience.is_over(now):
            return True
        # Containers go by themselves when they have been idle for long; after the last, so do we.
        is_unused = now - self._active_at > min(self._terms.idle_seconds, ACTIVE_SECONDS)
        return is_unused and not self._roster.containers

    def _step(self, store: Store) -> None:
        now = time.monotonic()
        self._listen(now)
        for host, container in self._roster.to_examine(now):
            self._threads.submit(self._docks[host].examine, container)
        if self._pulse.is_due(now):
            for dock in self._docks.values():
                self._threads.submit(dock.feel_pulse)
        if now < self._patience.retry_at:
            return
        try:
            self._serve(store, now)
        except StoreError as error:
            self._patience.failed(error, now)
        else:
            self._patience.succeeded()

    def _listen(self, now: float) -> None:
        for message in self._bell.posted():
            self._roster.take(message, now)
        for beware in self._roster.bewares[self._has_said :]:
            say(f"beware: {beware}")
        self._has_said = len(self._roster.bewares)

    def _serve(self, store: Store, now: float) -> None:
        """Everything that needs the store."""
        self._tell(store)
        kinds = wanted_kinds(self._files)
        waiting = store.waiting([self._list(kind) for kind in kinds])
        self._demand.look(dict(zip(kinds, waiting, strict=True)), now)
        if self._demand.total > 0:
            self._active_at = now
        self._crew.every_seconds = CREW_SECONDS if self._is_astir() else SLOW_CREW_SECONDS
        self._crew.due = min(self._crew.due, now + self._crew.every_seconds)
        if self._crew.is_due(now):
            self._see(store, now)
        self._act(store, now)
        if self._announce.is_due(now):
            self._workers = max(self._terms.workers, self._files.wanted())
            self._show(store, now)
        if self._reap.is_due(now):
            self._reap_runs(store, now)

    def _tell(self, store: Store) -> None:
        deaths = self._roster.deaths
        while deaths:
            label, verdict = deaths[0].label, deaths[0].verdict
            was_at_work = tell(store, label, verdict)
            if verdict is not None:
                say(f"{label} {verdict.how}{'' if was_at_work else ', out of any run'}")
            self._demand.dismissed.discard(deaths.pop(0).kind)

    def _is_astir(self) -> bool:
        """Something is wanted or about to come: where everybody is must be known soon."""
        starting = any(e.phase is Phase.STARTING for e in self._roster.containers)
        return starting or self._demand.total > 0

    def _see(self, store: Store, now: float) -> None:
        seats: dict[str, Seat] = {}
        for run in store.active_runs():
            seats |= store.crew(run)
            self._active_at = now
        self._roster.see(seats, store.pools(), now)
        for kind, seconds in self._demand.waited(now).items():
            if seconds > DEAD_SECONDS:
                self._drop_dead(store, kind)

    def _drop_dead(self, store: Store, kind: Kind) -> None:
        """Requests of runs that have ended: here nobody takes them, and they are no demand."""
        while (first := store.take_request([self._list(kind)], block_seconds=0)) is not None:
            if first == DISMISSAL or first.run in store.active_runs():
                store.return_request(self._list(kind), first)
                return

    def _act(self, store: Store, now: float) -> None:
        roster = self._roster
        for container in roster.overdue(now):
            self._stop(container, now)
        members = roster.members()
        requests = self._demand.unmet({m.kind for m in members if m.phase is not Phase.STARTING})
        if not requests:
            self._withdraw(store)
            return
        scene = Scene(
            requests=requests,
            members=members,
            hosts=roster.hosts,
            workers=self._workers,
            barred=roster.barred(now),
            waited_seconds=self._demand.waited(now),
            dismissed=len(self._demand.dismissed),
        )
        for action in decide(scene):
            match action:
                case Start():
                    self._start(action, now)
                case Stop(container):
                    self._stop(container, now)
                case Dismiss(kind):
                    store.return_request(self._list(kind), DISMISSAL)
                    self._demand.dismissed.add(kind)

    def _withdraw(self, store: Store) -> None:
        """Nobody wants the place any more."""
        for kind in list(self._demand.dismissed):
            first = store.take_request([self._list(kind)], block_seconds=0)
            if first is None or first == DISMISSAL:
                self._demand.dismissed.discard(kind)
            else:
                store.return_request(self._list(kind), first)

    def _start(self, start: Start, now: float) -> None:
        self._demand.served(start.kind, now)
        order = Order(
            number=next(self._numbers),
            host=start.host,
            kind=start.kind,
            memory_bytes=start.memory_bytes,
            letter=partial(self._letter, start, time.time()),
        )
        self._roster.order(order, now)
        self._threads.submit(self._docks[start.host].start, order)

    def _letter(self, start: Start, asked_at: float, container: str, way: Way) -> Letter:
        return Letter(
            store_url=way.url,
            key=self._key,
            launches=self._list(start.kind),
            label=label_of(container),
            asked_at=asked_at,
            idle_seconds=self._terms.idle_seconds,
            memory_bytes=start.memory_bytes,
        )

    def _list(self, kind: Kind) -> str:
        return launch_list(self._terms.key, kind)

    def _stop(self, container: str, now: float) -> None:
        host = self._roster.stop(container, now)
        self._threads.submit(self._docks[host].stop, container)

    def _show(self, store: Store, now: float, *, ttl_seconds: float = ANNOUNCED_SECONDS) -> None:
        shown = news(self._terms.key, self._roster, self._demand, workers=self._workers, now=now)
        for name, about in shown.items():
            store.announce(name, about, ttl_seconds=ttl_seconds)

    def _reap_runs(self, store: Store, now: float) -> None:
        for run in store.active_runs():
            due = store.reap(run).next_due_seconds
            if due is not None:
                self._reap.due = min(self._reap.due, now + max(due, SHORTEST_REAP_SECONDS))

    def _end(self, store: Store) -> None:
        """Be seen no more, then take everything away that is ours; its work goes back unblamed."""
        now = time.monotonic()
        with suppress(StoreError):
            if self._patience.is_there:
                self._show(store, now, ttl_seconds=0)
        if not self._bell.was_told:
            forget_kinds(self._files)
        self._files.forget_wanted()
        self._threads.shutdown(cancel_futures=True)  # what is being started gets its id
        self._clear()
        self._listen(now)
        with suppress(StoreError):
            if self._patience.is_there:
                self._tell(store)

    def _clear(self) -> None:
        with ThreadPoolExecutor(len(self._docks)) as threads:
            list(threads.map(Dock.clear, self._docks.values()))
            list(threads.map(Dock.close, self._docks.values()))
