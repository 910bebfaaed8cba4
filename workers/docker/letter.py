"""What a container is told at its start, in one line on its standard input.

So neither the store's password nor the signing key is in an image, an argument, an environment that
`docker inspect` shows, or a file of the host.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

LONGEST_BYTES = 64 * 1024
KEPT_AS = "WFNB_LETTER"
"""In the environment of who has read it, without the key: beginning anew, it gets no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Who the container is, for whom it works, and how it gets there."""

    store_url: str = field(repr=False)
    """As the container reaches it."""
    key: str = field(repr=False)
    """The signing key, as hex digits."""
    launches: str
    """The launch list to take requests from."""
    label: str
    """What runs call this worker."""
    asked_at: float
    """When the container was asked for, in seconds since 1970."""
    idle_seconds: float
    memory_bytes: int | None = None
    """The limit that the container has; for words in errors."""

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Letter:
        return cls(**json.loads(line))


def label_of(container_id: str) -> str:
    """What runs call the worker in a container: whoever sees one knows the other."""
    return f"container {container_id[:12]}"
