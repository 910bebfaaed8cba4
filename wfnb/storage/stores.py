"""A store by its address."""

from __future__ import annotations

from wfnb.storage import Store, address
from wfnb.storage.connection import connect
from wfnb.storage.memory import MemoryStore
from wfnb.storage.redis import RedisStore


def connect_store(url: str | None = None) -> Store:
    """The store at this address, which has just answered; None or "embedded" is this user's own.

    "memory" is a store of this process alone, for the inline backend. Raises StoreError.
    """
    if url == "memory":
        return MemoryStore()
    return RedisStore(connect(address.parse(url)))
