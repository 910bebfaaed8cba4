"""One daemon as the fleet uses it: watched by a thread of its own, and told what to do by others.

Nothing here decides. What happens is posted to the fleet's loop, in the order in which it happens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from wfnb.errors import BackendError, StoreError
from wfnb.workers.docker.containers import Containers, Fate, Found, Machine, Notice
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.kinds import Kind
from wfnb.workers.docker.letter import Letter
from wfnb.workers.docker.reach import Way

FIRST_RETRY_SECONDS = 0.1
SLOWEST_RETRY_SECONDS = 2.0
PULSE_SECONDS = 3.0
"""A daemon that says nothing for so long is away: its machine may be."""


@dataclass(frozen=True, slots=True)
class Up:
    """The daemon answers, for the first time or again."""

    host: str
    machine: Machine
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Down:
    host: str
    reason: str


@dataclass(frozen=True, slots=True)
class Noticed:
    host: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class Made:
    """A container that was ordered has its id, and starts now."""

    order: Order
    id: str
    beware: str
    """What cannot be kept from it."""


@dataclass(frozen=True, slots=True)
class Failed:
    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A container that was to be stopped is no more."""

    id: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of a dead container, which is no more."""

    id: str
    fate: Fate | None
    words: str


Message = Up | Down | Noticed | Made | Failed | Gone | Examined


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One container to be started."""

    number: int
    host: str
    kind: Kind
    memory_bytes: int
    letter: Callable[[str, Way], Letter]


class Dock:
    """Its verbs are called in threads, block, and post what came of them."""

    def __init__(
        self, url: str | None, *, fleet: str, store_url: str, post: Callable[[Message], None]
    ) -> None:
        self._daemon = Daemon(url)
        self._prober = Daemon(url, timeout_seconds=PULSE_SECONDS)
        self._containers = Containers(self._daemon, fleet)
        self._store_url = store_url
        self._post = post
        self._stream: Any = None
        self._is_closed = threading.Event()
        self._ways: dict[bool, Way] = {}
        self.name = self._daemon.name

    def watch(self) -> None:
        """Until it is closed: be connected, and post what happens."""
        pause = FIRST_RETRY_SECONDS
        while not self._is_closed.is_set():
            since = time.monotonic()
            try:
                self._follow()
                reason = f"{self.name}: the Docker daemon has ended the connection"
            except BackendError as error:
                reason = str(error)
            self._ways.clear()
            if self._is_closed.is_set():
                return
            self._post(Down(self.name, reason))
            was_short = time.monotonic() - since < 10 * SLOWEST_RETRY_SECONDS
            pause = min(2 * pause, SLOWEST_RETRY_SECONDS) if was_short else FIRST_RETRY_SECONDS
            self._is_closed.wait(pause)

    def _follow(self) -> None:
        machine = self._containers.machine()
        # Followed first, listed then: nothing can happen in between that neither tells.
        self._stream = self._containers.follow(machine.at_seconds)
        with closing(self._stream):
            self._post(Up(self.name, machine, tuple(self._containers.found())))
            for notice in self._containers.notices(self._stream):
                self._post(Noticed(self.name, notice))

    def feel_pulse(self) -> None:
        """End the watching of a daemon that is silent, for a dead machine ends no connection."""
        try:
            self._prober.ping()
        except BackendError:
            self._hang_up()

    def start(self, order: Order) -> None:
        def letter(container: str) -> Letter:
            self._post(Made(order, container, way.beware))
            return order.letter(container, way)

        try:
            way = self._way(is_open=order.kind.network)
            memory = order.memory_bytes
            self._containers.start(order.kind, memory_bytes=memory, way=way, letter=letter)
        except (BackendError, StoreError) as error:
            self._ways.clear()
            self._post(Failed(order, str(error)))

    def stop(self, container: str) -> None:
        with suppress(BackendError):  # away, and then it is found again when the daemon is back
            self._containers.stop(container)
            self._post(Gone(container))

    def examine(self, container: str) -> None:
        """Look at a dead container, and remove it."""
        with suppress(BackendError):
            fate = self._containers.fate(container)
            words = self._containers.last_words(container) if fate is not None else ""
            self._containers.remove(container)
            self._post(Examined(container, fate, words))

    def clear(self) -> None:
        """Stop every container of the fleet at once, also those that it has not heard of yet."""
        with suppress(BackendError):
            found = self._containers.found()
            with ThreadPoolExecutor(max(1, len(found))) as threads:
                list(threads.map(self.stop, [one.id for one in found]))

    def close(self) -> None:
        self._is_closed.set()
        self._hang_up()
        self._containers.leave()
        self._prober.close()
        self._daemon.close()

    def _way(self, *, is_open: bool) -> Way:
        if is_open not in self._ways:
            self._ways[is_open] = self._containers.way(self._store_url, is_open=is_open)
        return self._ways[is_open]

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(OSError, ValueError, AttributeError):
                stream.close()
