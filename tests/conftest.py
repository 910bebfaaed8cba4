"""Fixtures of every tier: Redis servers that are really there, and a check that nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.leaks import footprint, lasting_keys, leaked
from tests.redis_server import REDIS_6, VERSIONS, RedisServer
from tests.waiting import wait_until

__all__ = ["both_redis", "wait_until"]

#: The shared servers that this process has started so far, by version.
RUNNING: dict[str, RedisServer] = {}

both_redis = pytest.mark.parametrize("redis_server", VERSIONS, indirect=True)


@pytest.fixture(scope="session")
def redis_servers() -> Iterator[Callable[[str], RedisServer]]:
    """One private server per version and test process, started when first asked for."""
    with ExitStack() as stack:

        def server(version: str) -> RedisServer:
            if version not in RUNNING:
                RUNNING[version] = stack.enter_context(RedisServer(version))
            return RUNNING[version]

        yield server
        RUNNING.clear()


@pytest.fixture
def redis_server(
    request: pytest.FixtureRequest, redis_servers: Callable[[str], RedisServer]
) -> RedisServer:
    """The embedded server, emptied after each test; with `@both_redis` also the system's."""
    return redis_servers(getattr(request, "param", REDIS_6))


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Set up last of its scope's autouse fixtures, torn down after every fixture of the test."""
    before = footprint()
    yield
    left = leaked(before)
    for server in RUNNING.values():
        with server.client() as client:
            left += [f"key {name} without expiry" for name in lasting_keys(client)]
            client.flushall()
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)
