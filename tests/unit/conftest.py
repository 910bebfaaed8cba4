"""The unit tier talks to nobody."""

from __future__ import annotations

import socket

import pytest


def refuse(*_: object) -> None:
    pytest.fail("a unit test reaches for a socket: it belongs to tests/integration")


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in ("bind", "connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, verb, refuse)
