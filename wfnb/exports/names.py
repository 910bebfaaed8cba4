"""Names that another format allows, each still its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONGEST = 120
_REFUSED = re.compile(r"[^A-Za-z0-9_.-]+")


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> the same in letters, digits, "_", "." and "-"; where two become one, one is counted.

    A name that is safe already keeps itself.
    """
    wanted = {name: _safe(name) for name in names}
    taken = {name for name, safe in wanted.items() if name == safe}
    for name, safe in wanted.items():
        if name == safe:
            continue
        free, count = safe, 1
        while free in taken:
            count += 1
            free = f"{safe}-{count}"
        taken.add(free)
        wanted[name] = free
    return wanted


def _safe(name: str) -> str:
    if len(name) <= _LONGEST and not _REFUSED.search(name):
        return name
    return _REFUSED.sub("_", name.replace("]", "")).strip("_")[:_LONGEST] or "unnamed"
