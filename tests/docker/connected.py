"""Sessions whose tasks run in containers: what they need is there before, nothing is left after."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import Any

import pytest

from tests.docker import daemons
from tests.waiting import wait_until
from wfnb.choices import Choices
from wfnb.session import Session
from wfnb.workers.docker.backend import DockerBackend
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.poolfiles import files_of

END_SECONDS = 30.0
_OPENED = ExitStack()


def ready() -> str:
    """The tag of the worker image; skips where it cannot be had, and fails in CI."""
    try:
        return made()
    except daemons.MissingError as error:
        return (pytest.fail if os.getenv("CI") else pytest.skip)(str(error))


@cache
def made() -> str:
    """The tag of the worker image, of a daemon that runs from now on; raises MissingError."""
    url = _OPENED.enter_context(daemons.some_daemon())
    if url is not None:
        os.environ["DOCKER_HOST"] = url  # for kernels and fleets too
    with Daemon() as daemon:
        return daemons.worker_image(daemon)


def done() -> None:
    """Stop the daemon, if it was started for these tests."""
    _OPENED.close()
    made.cache_clear()


@contextmanager
def docker_session(**choices: Any) -> Iterator[Session]:
    """One whose fleet ends with it, and with the fleet every container."""
    ready()
    session = Session(Choices(backend="docker", **choices))
    backend = session.connection().backend
    assert isinstance(backend, DockerBackend)
    try:
        yield session
    finally:
        session.close()
        end_fleet(backend.key)


def end_fleet(key: str) -> None:
    files = files_of(key)
    deadline = time.monotonic() + END_SECONDS
    # One that was started a moment ago may not have its lock yet.
    while (pid := files.pid()) is None and time.monotonic() < deadline and containers_of(key):
        time.sleep(0.02)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: files.pid() is None, timeout_seconds=END_SECONDS, description="its end")
    assert containers_of(key) == [], "the fleet has left containers"


def containers_of(key: str) -> list[str]:
    with Daemon() as daemon:
        listed = daemon.client.api.containers(all=True, filters={"label": f"wfnb.pool={key}"})
    return [one["Id"] for one in listed]
