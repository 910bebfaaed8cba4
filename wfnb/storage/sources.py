"""The source of code that is in no file, so that a traceback from a worker can quote a cell."""

from __future__ import annotations

import json
import linecache
import zlib
from collections.abc import Iterable

MOST_CHARACTERS = 64 * 1024
"""A longer cell is not sent: it holds data rather than code."""

_remembered: list[str] = []


def sources_of(functions: Iterable[bytes]) -> bytes:
    """What `remember` takes: the cells that these functions, as they are sent, were written in."""
    cells = {
        name: "".join(entry[2])
        for name, entry in list(linecache.cache.items())
        if len(entry) == 4 and entry[1] is None  # no time of change: it is no file
    }
    if not cells:
        return b""
    code = b"\0".join(functions)
    used = {
        name: text
        for name, text in cells.items()
        if len(text) <= MOST_CHARACTERS and name.encode(errors="replace") in code
    }
    return zlib.compress(json.dumps(used).encode()) if used else b""


def remember(sources: bytes) -> None:
    """From now on tracebacks quote these, and no longer those of the run before."""
    told: dict[str, str] = json.loads(zlib.decompress(sources)) if sources else {}
    for name in _remembered:
        linecache.cache.pop(name, None)
    _remembered[:] = [name for name in told if name not in linecache.cache]
    for name in _remembered:
        lines = told[name].splitlines(keepends=True)
        linecache.cache[name] = (len(told[name]), None, lines, name)
