"""Notebooks that need more than Python: it is there before their kernels start, or they say why."""

from __future__ import annotations

import pytest

from tests.docker import connected

IN_CONTAINERS = ("04_docker_workers.ipynb",)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.path.name in IN_CONTAINERS:
        connected.ready()


def pytest_unconfigure() -> None:
    connected.done()
