"""A look at what this store takes, before any run has shown it; the first plan is not blind."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event, Thread

from wfnb import codec
from wfnb.errors import WfnbError
from wfnb.forecast import Site
from wfnb.graph import TaskId
from wfnb.history.reading import moves_of
from wfnb.history.recorder import move_words, size_class
from wfnb.predictions.explaining import in_words
from wfnb.predictions.links import site_of
from wfnb.signing import Signer
from wfnb.storage import Identity, RunId, Store
from wfnb.storage.history import Part
from wfnb.storage.outputs import INLINE_BYTES, Archive, drop_shared_folder, shared_folder
from wfnb.storage.stores import connect_store

SIZES = (1, 4 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20)
MOST_SECONDS = 0.8
_TIMES = 5
FRESH_SECONDS = 7 * 86400.0
"""So long a calibration is not repeated by itself; runs go on teaching meanwhile."""
IDLE_SECONDS = 3.0
"""After a connect; in a notebook, the first cells are being written then."""
_TASK = TaskId("calibration")

Measured = tuple[str, int, float]
"""Direction, bytes, seconds."""


def calibrate(  # noqa: PLR0913  where the run will be
    store: Store,
    signer: Signer,
    *,
    place: str = "host",
    pools: Sequence[str] = (),
    workers: int = 1,
    most_seconds: float = MOST_SECONDS,
) -> Site:
    """Move a few values up and down, under a second in all, and keep what that took.

    `place` is "host" where workers share files with this host, else "net".
    """
    run = RunId(f"calibration-{secrets.token_hex(4)}")
    archive = Archive(store, signer, run, shared_folder(run) if place == "host" else None)
    try:
        found = [*_measured(store, archive, time.monotonic() + most_seconds)]
    finally:
        store.drop(run)
        drop_shared_folder(run)
    now = time.time()
    store.record(
        [
            Part(
                f"move-{place}:{name}",
                [
                    f"k{move_words(size_class(size), seconds, now, size)}"
                    for direction, size, seconds in found
                    if direction == name
                ],
                1,
            )
            for name in dict.fromkeys(direction for direction, _, _ in found)
        ]
    )
    return known_site(store, place=place, pools=pools, workers=workers)


def calibrate_if_due(store: Store, signer: Signer, *, place: str = "host") -> bool:
    """Whether there was something to do, and it was done."""
    with suppress(WfnbError, OSError):
        if is_due(store, place=place):
            calibrate(store, signer, place=place)
            return True
    return False


class FirstLook:
    """Calibrates behind a connect, when it is due and no run goes on that it would disturb."""

    def __init__(
        self,
        url: str | None,
        signer: Signer,
        *,
        place: str,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Of the store at this address, by a connection of its own."""
        self._url = url
        self._signer = signer
        self._place = place
        self._idle_seconds = idle_seconds
        self._is_closed = Event()
        self._thread = Thread(target=self._look, name="wfnb-calibration", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more; what has begun takes as long as a calibration may."""
        self._is_closed.set()
        self._thread.join(2 * MOST_SECONDS)

    def _look(self) -> None:
        with suppress(WfnbError, OSError):
            while not self._is_closed.wait(self._idle_seconds) and not self._is_done():
                pass

    def _is_done(self) -> bool:
        store = connect_store(self._url)
        try:
            if is_due(store, place=self._place) and store.active_runs():
                return False
            calibrate_if_due(store, self._signer, place=self._place)
            return True
        finally:
            store.close()


def is_due(store: Store, *, place: str = "host", clock: Callable[[], float] = time.time) -> bool:
    """Whether nobody has calibrated from such a place for a week."""
    moves = moves_of(store, place)["hand-off"]
    newest = max((move.at_seconds for move in moves), default=0.0)
    return clock() - newest > FRESH_SECONDS


def known_site(store: Store, *, place: str, pools: Sequence[str], workers: int) -> Site:
    """From all that was measured and all that runs have shown."""
    starts = [start for pool in pools for start in store.starts(pool)]
    return site_of(moves_of(store, place), starts, sla="p50", workers=workers)


def told(site: Site) -> list[str]:
    """For people, a line each."""
    link = site.link
    return [
        f"up        {_way(link.up_latency_seconds, link.up_bytes_per_second)}",
        f"down      {_way(link.down_latency_seconds, link.down_bytes_per_second)}",
        f"dump      {_rate(link.dump_bytes_per_second)}",
        f"load      {_rate(link.load_bytes_per_second)}",
        f"hand-off  {in_words(site.hand_off_seconds)}",
        f"start     {in_words(site.warm_seconds)} warm, {in_words(site.cold_seconds)} cold",
    ]


def _measured(store: Store, archive: Archive, deadline: float) -> Iterator[Measured]:
    """The smallest first: what time allows."""
    for _ in range(2 * _TIMES):
        start = time.perf_counter()
        store.beat(archive.run, Identity(_TASK))  # a transition that changes nothing
        yield "hand-off", 0, time.perf_counter() - start
    for size in SIZES:
        content = secrets.token_bytes(size)
        for attempt in range(_TIMES):
            if time.monotonic() > deadline:
                return
            yield from _moved(archive, content, attempt)


def _moved(archive: Archive, content: bytes, attempt: int) -> Iterator[Measured]:
    size = len(content)
    start = time.perf_counter()
    encoded = codec.encode(content)
    dumped = time.perf_counter()
    if size > INLINE_BYTES:
        result = archive.write(_TASK, attempt, encoded, is_target=False)
        up = time.perf_counter()
        archive.read(_TASK, result)
    else:
        archive.store.put(archive.run, {f"{size}": [content]})
        up = time.perf_counter()
        archive.store.get(archive.run, f"{size}", 1)
    down = time.perf_counter()
    codec.decode(encoded)
    loaded = time.perf_counter()
    yield "up", size, up - dumped
    yield "down", size, down - up
    if size > INLINE_BYTES:
        yield "dump", size, dumped - start
        yield "load", size, loaded - down
        archive.discard(result)


def _way(latency_seconds: float, bytes_per_second: float) -> str:
    return f"{in_words(latency_seconds)} + {_rate(bytes_per_second)}"


def _rate(bytes_per_second: float) -> str:
    return f"{bytes_per_second / 1e6:,.0f} MB/s"
