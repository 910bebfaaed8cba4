"""What an idle pool does last: the private server goes when nobody uses it any more."""

from __future__ import annotations

import select

from wfnb.storage import address, embedded
from wfnb.workers.poolfiles import PoolFiles

UNUSED_SECONDS = 900.0
LOOK_SECONDS = 30.0


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
