"""What clients of a fleet tell it on its host: the kinds of containers that they will ask for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from wfnb.workers.docker.kinds import Kind
from wfnb.workers.poolfiles import PoolFiles, files_of

FLEET_VARIABLE = "WFNB_FLEET"
"""Holds the FleetTerms of a fleet's process."""


def want_kinds(key: str, kinds: Iterable[Kind]) -> None:
    """Have the fleet that is alive, or the next, look at their launch lists. Cheap if it does."""
    files = files_of(key)
    known = wanted_kinds(files)
    new = [f"{kind}\n" for kind in dict.fromkeys(kinds) if kind not in known]
    if not new:
        return
    files.make_folder()
    descriptor = os.open(_path(files), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # One write of whole lines, so that those of another client cannot get into them.
        os.write(descriptor, "".join(new).encode())
    finally:
        os.close(descriptor)


def wanted_kinds(files: PoolFiles) -> tuple[Kind, ...]:
    """In the order in which they were asked for first."""
    try:
        lines = _path(files).read_text().splitlines()
    except FileNotFoundError:
        return ()
    return tuple(Kind.parse(line) for line in dict.fromkeys(lines))


def forget_kinds(files: PoolFiles) -> None:
    """Whoever still needs one says so again, for it sees that its launch list is not served."""
    _path(files).unlink(missing_ok=True)


def _path(files: PoolFiles) -> Path:
    return Path(f"{files.stem}.kinds")
