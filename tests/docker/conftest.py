"""Every test of this tier has a real daemon, and leaves no container on it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.docker import daemons
from tests.fleets import Fleet
from wfnb.storage import Store, embedded
from wfnb.storage.stores import connect_store
from wfnb.workers.docker.daemon import Daemon

PATIENCE_SECONDS = 10.0
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Daemon]:
    """The machine's daemon, or one of our own; skips without, and fails in CI."""
    try:
        with daemons.some_daemon() as url, Daemon(url) as daemon:
            yield daemon
    except daemons.MissingError as error:
        _refuse(str(error))


@pytest.fixture(scope="session")
def base_image(dockerd: Daemon) -> str:
    try:
        return daemons.base_image(dockerd)
    except daemons.MissingError as error:
        return _refuse(str(error))


@pytest.fixture(scope="session")
def worker_image(dockerd: Daemon, base_image: str) -> str:
    """The tag of this working tree's image."""
    return daemons.worker_image(dockerd)


@pytest.fixture(autouse=True)
def no_container_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """On a machine where others use wfnb in containers meanwhile, say TEST_NEIGHBOURS=1."""
    daemon: Daemon = request.getfixturevalue("dockerd")
    before = containers(daemon)
    daemon.close()  # its connections would count as the test's
    yield
    deadline = time.monotonic() + PATIENCE_SECONDS
    has_neighbours = os.getenv("TEST_NEIGHBOURS")
    while left := set() if has_neighbours else containers(daemon).items() - before.items():
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    daemon.close()
    if left:
        told = ", ".join(f"{name} ({state})" for name, state in left)
        pytest.fail(f"containers left behind: {told}", pytrace=False)


@pytest.fixture
def private_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An embedded store of the test's own: its server ends with the test."""
    # A unix socket's path has at most 100 bytes.
    with tempfile.TemporaryDirectory(prefix="wf", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_STATE_HOME", folder)
        store = connect_store("embedded")
        yield store
        store.close()
        embedded.stop()


@pytest.fixture
def fleet_of(private_store: Store, worker_image: str) -> Callable[..., Fleet]:
    """A fleet on the private store, by its terms."""
    return partial(Fleet, private_store, worker_image)


def containers(daemon: Daemon) -> dict[str, str]:
    """All with a label of ours, by name, with the image they are of."""
    listed = daemon.client.api.containers(all=True, filters={"label": "wfnb.kind"})
    return {one["Names"][0].strip("/"): one["Image"] for one in listed}


def _refuse(why: str) -> str:
    (pytest.fail if os.getenv("CI") else pytest.skip)(why)
