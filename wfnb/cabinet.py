"""Where environments are kept: the user's cache, its locks, and what is tidied away.

`<name>/` holds the packages, `<name>.log` says how it was made, `<name>.lock` is held by who makes
it and, shared, by the pools that use it; `<name>.draft/` is one in the making, or given up.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wfnb.errors import RequirementsError

ABOUT = "wfnb-environment.json"
MOST_BYTES = 5 * 10**9
KEPT_SECONDS = 30 * 86_400.0
SPARED_SECONDS = 3600.0
"""What was used a moment ago is about to be used again, perhaps before its pool holds the lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One environment."""

    name: str
    requirements: tuple[str, ...]
    size_bytes: int
    used_seconds: float
    """When, as of the epoch."""


def folder_of(name: str) -> Path:
    return root() / name


def is_there(name: str) -> bool:
    return (folder_of(name) / ABOUT).exists()


def hold(name: str) -> int | None:
    """Keep it from being tidied away while this descriptor, or this process, lasts; None for "".

    Raises RequirementsError if it is not there.
    """
    if not name:
        return None
    make_root()
    descriptor = _lock(name, fcntl.LOCK_SH)
    if not is_there(name):
        os.close(descriptor)
        raise RequirementsError(
            f"the environment {name} is no longer in {root()}: start the run again, which makes it"
        )
    return descriptor


def kept() -> list[Kept]:
    """What is in the cache, the latest used first."""
    found = []
    for about in root().glob(f"*/{ABOUT}"):
        if "." in about.parent.name:
            continue
        with suppress(OSError, ValueError, KeyError):
            words = json.loads(about.read_text())
            found.append(
                Kept(
                    name=about.parent.name,
                    requirements=tuple(words["requirements"]),
                    size_bytes=words["size_bytes"],
                    used_seconds=about.parent.stat().st_mtime,
                )
            )
    return sorted(found, key=lambda one: -one.used_seconds)


def tidy(
    *,
    most_bytes: int = MOST_BYTES,
    kept_seconds: float = KEPT_SECONDS,
    spared_seconds: float = SPARED_SECONDS,
) -> list[Kept]:
    """Remove the least recently used above a size or an age, and remains; what was removed.

    What a pool uses stays.
    """
    now, size_bytes, removed = time.time(), 0, []
    for one in kept():
        size_bytes += one.size_bytes
        age_seconds = now - one.used_seconds
        is_too_much = age_seconds > kept_seconds or size_bytes > most_bytes
        if is_too_much and age_seconds > spared_seconds and _remove(one.name):
            removed.append(one)
            size_bytes -= one.size_bytes
    for path in list(root().glob("*")) if root().is_dir() else []:
        _sweep(path, now, kept_seconds)
    return removed


@contextmanager
def making(name: str, tell: Callable[[str], object]) -> Iterator[None]:
    descriptor = _lock(name, fcntl.LOCK_EX, lambda: tell(f"{name} is being prepared elsewhere"))
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(name: str, kind: int, on_wait: Callable[[], object] = lambda: None) -> int:
    path = beside(name, "lock")
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(descriptor, kind)
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # tidied away meanwhile


def _remove(name: str) -> bool:
    """False while somebody uses it."""
    path = beside(name, "lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = beside(name, "gone")
        with suppress(FileNotFoundError):
            folder_of(name).rename(gone)  # at once: half of it would be worse than nothing
        for rest in (gone, beside(name, "draft")):
            shutil.rmtree(rest, ignore_errors=True)
        for suffix in ("log", "failed", "lock"):
            beside(name, suffix).unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _sweep(path: Path, now: float, kept_seconds: float) -> None:
    """What is left of an environment that is not there."""
    name, _, suffix = path.name.partition(".")
    with suppress(FileNotFoundError):
        age_seconds = now - path.stat().st_mtime
        limit_seconds = kept_seconds if suffix == "log" else SPARED_SECONDS
        if suffix and age_seconds > limit_seconds and not folder_of(name).exists():
            _remove(name)


def beside(name: str, suffix: str) -> Path:
    return root() / f"{name}.{suffix}"


def root() -> Path:
    """$XDG_CACHE_HOME/wfnb/environments, or the place that the XDG rules name without it."""
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not home.is_absolute():
        home = Path("~/.cache").expanduser()
    return home / "wfnb" / "environments"


def make_root() -> None:
    try:
        root().mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder {root()} cannot be made ({error.strerror})"
        raise RequirementsError(f"{message}: set XDG_CACHE_HOME to a folder of yours") from error
