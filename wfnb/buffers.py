"""Writable memory for big buffers, in huge pages where the system has them."""

from __future__ import annotations

import mmap

BytesLike = bytes | bytearray | memoryview

HUGE_BYTES = 4 << 20
"""From here on copying into fresh small pages takes several times as long, mostly in faults."""
_HUGE_PAGES: int | None = getattr(mmap, "MADV_HUGEPAGE", None)


def room(size_bytes: int) -> bytearray | memoryview:
    """So much zeroed memory, the caller's own."""
    if size_bytes < HUGE_BYTES or _HUGE_PAGES is None:
        return bytearray(size_bytes)
    pages = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(_HUGE_PAGES)
    return memoryview(pages)


def copied(buffer: BytesLike) -> bytearray | memoryview:
    view = memoryview(buffer).cast("B")
    if view.nbytes < HUGE_BYTES:
        return bytearray(view)
    copy = room(view.nbytes)
    copy[:] = view
    return copy
