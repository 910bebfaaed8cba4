"""What a pool does last: its workers go, and the private server when nobody uses it any more."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

from wfnb.storage import address, embedded
from wfnb.workers.poolfiles import PoolFiles

UNUSED_SECONDS = 900.0
LOOK_SECONDS = 30.0
DYING_SECONDS = 1.0


def see_out(pids: Iterable[int]) -> None:
    """Return when these processes, which are being killed, are dead, or after a while."""
    if sys.platform != "linux":
        return
    deadline = time.monotonic() + DYING_SECONDS
    for pid in filter(None, pids):
        with suppress(OSError):  # it is gone already
            end = os.pidfd_open(pid)
            select.select([end], [], [], max(0.0, deadline - time.monotonic()))
            os.close(end)


def see_store_off(url: str, files: PoolFiles, bell: int, *, idle_seconds: float) -> None:
    """Stay, without workers and lock, while some kernel still holds on to the private server.

    A pool that comes meanwhile takes this over; a byte on `bell`, a signal, ends it.
    """
    if not address.parse(url).is_embedded:
        return
    idle_seconds = min(idle_seconds, UNUSED_SECONDS)
    while (server := embedded.running()) is not None:
        if embedded.stop_if_unused(server.url, idle_seconds=idle_seconds):
            return
        if files.pid() is not None:
            return
        if select.select([bell], [], [], min(idle_seconds, LOOK_SECONDS))[0]:
            return
