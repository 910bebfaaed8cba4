"""What user code finds around it: import path, working directory, modules that are not stale."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from wfnb.cabinet import folder_of
from wfnb.modules import add_library
from wfnb.storage.homes import Home

_first: list[str] = []
"""Folders that stand before any run's own import path."""
_INSTALLED = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


_CLOCK_ERROR_NS = 20_000_000
"""Times of change come from a clock that ticks some hundred times a second."""


def stand_first(environment: str) -> None:
    """From now on, its packages win over any others, also in what tasks start; nothing for "".

    Those that this process runs on itself were imported before, and are its own: a task that
    imports one of that name gets the folder's.
    """
    if not environment:
        return
    folder = folder_of(environment)
    _first.append(str(folder))
    add_library(folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    brought = {path.name.partition(".")[0] for path in folder.iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in brought]:
        del sys.modules[name]
    _before("PYTHONPATH", folder)
    _before("PATH", folder / "bin")


def are_installed(folders: Iterable[str]) -> None:
    """What lies in these, on the import path since this process began, is not the user's own."""
    for folder in filter(None, folders):
        _first.append(folder)
        add_library(Path(folder))


def _before(variable: str, folder: Path) -> None:
    rest = os.environ.get(variable)
    os.environ[variable] = f"{folder}{os.pathsep}{rest}" if rest else str(folder)


class Surroundings:
    """A worker takes over those of the first run it serves; for others a fresh worker is needed."""

    def __init__(self, unpack: Callable[[str, str, Path], Path]) -> None:
        """`unpack(run, luggage, into)` gives the folder with the modules that the run brought."""
        self._unpack = unpack
        self._home: Home | None = None
        self._run = ""
        self._at_start = frozenset(sys.modules)
        self._checked = len(sys.modules)
        self._seen: dict[str, tuple[int, int]] = {}
        self._began_ns = 0

    def fit(self, home: Home, run: str) -> bool:
        """False if this process has another import path, or imported what has changed since."""
        if self._home is None:
            self._take_over(home, run)
        self._go_to(home, run)
        is_fit = home == self._home and not self._is_stale()
        self._began_ns = time.time_ns() - _CLOCK_ERROR_NS
        return is_fit

    def _take_over(self, home: Home, run: str) -> None:
        # Python takes a .pyc for fresh that was written in the second in which its source changed.
        sys.dont_write_bytecode = True
        if home.folder:
            sys.path[:] = _first + [folder for folder in home.path if folder not in _first]
        elif home.luggage:
            sys.path.insert(0, str(self._unpack(run, home.luggage, own_folder())))
            importlib.invalidate_caches()
        self._home = home

    def _go_to(self, home: Home, run: str) -> None:
        """Again for each run: a task of the last may have left it."""
        if not home.folder:
            os.chdir(_scratch(is_new=run != self._run))
            self._run = run
        elif Path(home.folder).is_dir():
            os.chdir(home.folder)

    def _is_stale(self) -> bool:
        self._note_new_modules()
        return any(_stamp(file) != stamp for file, stamp in self._seen.items())

    def _note_new_modules(self) -> None:
        if len(sys.modules) == self._checked:
            return
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name in self._at_start or not file or file.startswith((*_INSTALLED, *_first)):
                continue
            if file not in self._seen:
                stamp = _stamp(file)
                # Imported since the last run began; if it changed since, perhaps before the change.
                self._seen[file] = stamp if stamp[0] < self._began_ns else (-1, -1)
        self._checked = len(sys.modules)


def own_folder() -> Path:
    """Of workers that do not see the client's files; in a container it is memory."""
    return Path(tempfile.gettempdir(), f"wfnb-{os.getuid()}")


def _scratch(*, is_new: bool) -> Path:
    """Where tasks may write; what another run left there would only take memory."""
    folder = own_folder() / "scratch"
    if is_new:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _stamp(file: str) -> tuple[int, int]:
    try:
        about = Path(file).stat()
    except OSError:
        return (0, 0)
    return about.st_mtime_ns, about.st_size
