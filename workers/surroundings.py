"""What user code finds around it: import path, working directory, and modules that are not stale."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from wfnb.storage.graphs import Home

_INSTALLED = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


class Surroundings:
    """A worker takes over those of the first run it serves; for others a fresh worker is needed."""

    def __init__(self) -> None:
        self._home: Home | None = None
        self._at_start = frozenset(sys.modules)
        self._checked = len(sys.modules)
        self._seen: dict[str, tuple[int, int]] = {}

    def fit(self, home: Home) -> bool:
        """False if this process has another import path, or imported a module that changed since."""
        if self._home is None:
            self._take_over(home)
        return home == self._home and not self._is_stale()

    def _take_over(self, home: Home) -> None:
        self._home = home
        sys.path[:] = home.path
        if Path(home.folder).is_dir():
            os.chdir(home.folder)

    def _is_stale(self) -> bool:
        self._note_new_modules()
        return any(_stamp(file) != stamp for file, stamp in self._seen.items())

    def _note_new_modules(self) -> None:
        if len(sys.modules) == self._checked:
            return
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name in self._at_start or not file or file.startswith(_INSTALLED):
                continue
            self._seen.setdefault(file, _stamp(file))
        self._checked = len(sys.modules)


def _stamp(file: str) -> tuple[int, int]:
    try:
        about = Path(file).stat()
    except OSError:
        return (0, 0)
    return about.st_mtime_ns, about.st_size
