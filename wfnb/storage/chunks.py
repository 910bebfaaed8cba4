"""How a big value is cut up for the store, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wfnb.buffers import room
from wfnb.codec import Encoded

CHUNK_BYTES = 512 * 1024


def views_of(encoded: Encoded) -> list[memoryview]:
    """The pickle stream and the buffers beside it, as bytes."""
    return [memoryview(part).cast("B") for part in (encoded.stream, *encoded.buffers)]


def cut(parts: Iterable[memoryview]) -> list[memoryview]:
    return [
        part[first : first + CHUNK_BYTES]
        for part in parts
        for first in range(0, part.nbytes, CHUNK_BYTES)
    ]


def joined(chunks: Sequence[bytes], sizes: Iterable[int]) -> list[bytearray | memoryview]:
    """The parts of these sizes, in memory that is the caller's own."""
    following = iter(chunks)
    parts: list[bytearray | memoryview] = []
    for size in sizes:
        part = room(size)
        for first in range(0, size, CHUNK_BYTES):
            part[first : first + CHUNK_BYTES] = next(following)
        parts.append(part)
    return parts
