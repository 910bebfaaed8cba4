"""Every test of this tier holds for each store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis_server import REDIS_6, REDIS_7
from tests.storing import Stored, StoredInMemory, StoredInRedis, watched
from wfnb.storage import Store


@pytest.fixture(params=["memory", REDIS_6, REDIS_7])
def stored(request: pytest.FixtureRequest) -> Iterator[Stored]:
    if request.param == "memory":
        with watched(StoredInMemory()) as stored:
            yield stored
        return
    server = request.getfixturevalue("redis_servers")(request.param)
    client = server.client()
    with watched(StoredInRedis(client)) as stored:
        yield stored
    stored.store.close()


@pytest.fixture
def store(stored: Stored) -> Store:
    return stored.store
