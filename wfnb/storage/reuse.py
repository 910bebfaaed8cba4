"""What tasks have returned, kept under their fingerprints for those that would return the same."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from wfnb import codec
from wfnb.codec import Encoded
from wfnb.errors import SignatureError, StoreError
from wfnb.signing import MAC_BYTES, Signer
from wfnb.storage.chunks import cut, joined, views_of
from wfnb.tasks import TaskId

KEEP_SECONDS = 7 * 86400.0
"""Since the last use."""
PINNED_SECONDS = 3600.0
"""A run that was opened with a value may read it for so long, whatever else comes."""
MOST_BYTES = 1 << 30
LEAST_ENTRIES = 4
"""What takes more than a quarter of the bound is not kept."""
ENTRY_BYTES = 400
"""Counted for each value besides its own bytes."""
MOST_EVICTED = 1000
"""In one call; what would need more is not kept this time."""
INLINE_BYTES = 2048
_INLINE = b"\x02"
_PRINT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reusable:
    """One value that is kept."""

    fingerprint: str
    task: str
    """The task that computed it."""
    function: str
    size_bytes: int = 0
    made_seconds: float = 0.0
    """When, by the store's clock."""
    used_seconds: float = 0.0
    """When it was last used, or made."""
    uses: int = 0


class Reusables(Protocol):
    """Bounded in bytes and in time; what was used least recently goes first."""

    def find_reusables(self, fingerprints: Sequence[str]) -> Mapping[str, bytes]:
        """What is kept for those of which something is, which counts as using it."""
        ...

    def keep_reusable(
        self, about: Reusable, found: bytes, name: str, chunks: Sequence[bytes | memoryview]
    ) -> bool:
        """Keep a value, unless its like is kept or there is no room: whether one is there now.

        `found` is what `find_reusables` will tell, `name` what its chunks are read by.
        """
        ...

    def read_reusable(self, name: str, chunks: int) -> list[bytes]:
        """Raises StoreError if a chunk is gone."""
        ...

    def reusables(self) -> Sequence[Reusable]:
        """All of them, the last used first."""
        ...

    def forget_reusables(self, fingerprints: Sequence[str] | None = None) -> int:
        """Drop these, or all; how many there were."""
        ...

    def bound_reusables(
        self, *, most_bytes: int | None = None, keep_seconds: float | None = None
    ) -> tuple[int, float]:
        """Set what is given; the bounds that hold, which outlast this process."""
        ...


def keep_value(store: Reusables, signer: Signer, encoded: Encoded, *, about: Reusable) -> bool:
    """Keep what a task has returned under its fingerprint; False if there is no room for it."""
    context = _context(about.fingerprint)
    about = replace(about, size_bytes=encoded.size_bytes)
    name = f"{about.fingerprint}:{secrets.token_hex(4)}"
    if about.size_bytes <= INLINE_BYTES:
        sealed = signer.seal(codec.pack(encoded), context)
        found = _INLINE + bytes.fromhex(about.fingerprint) + sealed
        return store.keep_reusable(about, found, name, ())
    parts = views_of(encoded)
    chunks = cut(parts)
    pointer = {
        "at": "reuse",
        "name": about.fingerprint,
        "chunks": len(chunks),
        "key": name,
        "sizes": [part.nbytes for part in parts],
        "mac": signer.mac(*parts, context=context).hex(),
    }
    return store.keep_reusable(about, json.dumps(pointer).encode(), name, chunks)


def reused_result(found: bytes, *, signer: Signer, run: str, task: TaskId) -> bytes:
    """What `find_reusables` told, as the result of this task of this run and of no other."""
    bound = signer.mac(found, context=_binding(run, task))
    if found[:1] == b"{":
        return json.dumps({**json.loads(found), "bound": bound.hex()}).encode()
    return _INLINE + bound + found[1:]


def kept_as(found: bytes) -> str:
    """The fingerprint under which this says that it was kept; reading it verifies that."""
    if found[:1] == _INLINE:
        return found[1 : 1 + _PRINT_BYTES].hex()
    return str(json.loads(found)["name"])


def own_fingerprint(signer: Signer, fingerprint: str) -> str:
    """Under which this key's values are kept: those of others could not be read."""
    return signer.mac(bytes.fromhex(fingerprint), context="reuse")[:_PRINT_BYTES].hex()


def is_reused(result: bytes) -> bool:
    """Whether `read_reused` reads it."""
    return result[:1] == _INLINE or (result[:1] == b"{" and json.loads(result)["at"] == "reuse")


def read_reused(
    store: Reusables, signer: Signer, result: bytes, *, run: str, task: TaskId
) -> Encoded:
    """The value behind a reused result, verified, and verified to be this task's."""
    bound, found = _unbound(result)
    signer.verify(bound, found, context=_binding(run, task))
    return read_kept(store, signer, found)


def read_kept(store: Reusables, signer: Signer, found: bytes) -> Encoded:
    """The value behind what `find_reusables` told, verified. An altered one is dropped."""
    try:
        return _read(store, signer, found)
    except SignatureError:
        store.forget_reusables([kept_as(found)])  # or the next run would come upon it too
        raise


def gone(name: str) -> StoreError:
    fingerprint = name.partition(":")[0]
    return StoreError(
        f"the value kept for reuse as {fingerprint} is gone: run the workflow again, it is computed"
    )


def _unbound(result: bytes) -> tuple[bytes, bytes]:
    """What binds a result to its task, and what `find_reusables` told."""
    if result[:1] == _INLINE:
        return result[1 : 1 + MAC_BYTES], _INLINE + result[1 + MAC_BYTES :]
    pointer = json.loads(result)
    try:
        bound = bytes.fromhex(pointer.pop("bound"))
    except (KeyError, TypeError, ValueError):
        bound = b""  # which verifies nothing
    return bound, json.dumps(pointer).encode()


def _read(store: Reusables, signer: Signer, found: bytes) -> Encoded:
    if found[:1] == _INLINE:
        sealed = memoryview(found)[1 + _PRINT_BYTES :]
        return codec.unpack(signer.open(sealed, _context(kept_as(found))))
    pointer = json.loads(found)
    chunks = store.read_reusable(pointer["key"], pointer["chunks"])
    try:
        parts = joined(chunks, pointer["sizes"])
    except (StopIteration, ValueError) as error:
        raise gone(pointer["key"]) from error
    signer.verify(bytes.fromhex(pointer["mac"]), *parts, context=_context(pointer["name"]))
    return Encoded(bytes(parts[0]), tuple(parts[1:]))


def _context(fingerprint: str) -> str:
    return f"reuse:{fingerprint}"


def _binding(run: str, task: TaskId) -> str:
    return f"reused:{run}/{task}"
