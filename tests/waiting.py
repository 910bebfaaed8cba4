"""A wait for a condition: what tests do instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


def wait_until(
    condition: Callable[[], object], *, timeout_seconds: float = 5.0, description: str = "condition"
) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{description}: not so after {timeout_seconds:g} s")
        time.sleep(0.005)
