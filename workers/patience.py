"""How long a process that serves runs bears with a store that is away."""

from __future__ import annotations

import time
from collections.abc import Callable

from wfnb.errors import StoreError
from wfnb.storage import Store, address
from wfnb.storage.connection import connect
from wfnb.storage.redis import RedisStore
from wfnb.workers.supervisor import say

AWAY_SECONDS = 600.0
"""How long a store may be away before who serves it gives up."""
PATIENCE_SECONDS = 1.0
"""Of one command: signals must not wait for a store that is away."""
FIRST_RETRY_SECONDS = 0.05
SLOWEST_RETRY_SECONDS = 5.0


def connected(url: str, pause: Callable[[float], bool]) -> Store | None:
    """The store, as soon as it answers; `pause` waits, and says whether to go on asking."""
    seconds = FIRST_RETRY_SECONDS
    deadline = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < deadline:
        try:
            store = RedisStore(connect(address.parse(url), patience_seconds=PATIENCE_SECONDS))
            store.teach()
            return store
        except StoreError as error:
            say(f"the store does not answer yet: {error}")
        if not pause(seconds):
            return None
        seconds = min(2 * seconds, SLOWEST_RETRY_SECONDS)
    return None


class Patience:
    """Tells when to ask the store again, ever more rarely, and when to give up."""

    def __init__(self) -> None:
        self._away_since: float | None = None
        self.retry_at = 0.0

    @property
    def is_there(self) -> bool:
        return self._away_since is None

    def failed(self, error: StoreError, now: float) -> None:
        if self._away_since is None:
            self._away_since = now
            say(f"the store is away: {error}")
        pause = min(SLOWEST_RETRY_SECONDS, max(0.1, (now - self._away_since) / 4))
        self.retry_at = time.monotonic() + pause

    def succeeded(self) -> None:
        self._away_since = None

    def is_over(self, now: float) -> bool:
        if self._away_since is None or now - self._away_since <= AWAY_SECONDS:
            return False
        say(f"the store has been away for {AWAY_SECONDS:g} s: nobody serves it any longer")
        return True
