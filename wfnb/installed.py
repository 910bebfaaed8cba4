"""What this kernel has installed, and which requirements that meets."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata

from wfnb import requirements

WORKERS_NEED = ("dill", "hiredis", "redis", "wfnb")
"""What a worker runs on while it runs a task: an environment cannot bring another version."""
_SUFFIXES = (".dist-info", ".egg-info", ".egg-link")


def missing(wanted: Iterable[str]) -> tuple[str, ...]:
    """Those that this kernel does not meet, extras included."""
    seen: set[str] = set()
    return tuple(text for text in wanted if not _is_met(text, seen))


def version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def digest() -> str:
    """Changes with every package that is installed, removed or upgraded."""
    content = "\n".join(sorted(_records()))
    return hashlib.sha256(content.encode()).hexdigest()


def broken_by(brought: Mapping[str, str]) -> list[str]:
    """What the kernel's packages say against versions that stand before the kernel's own.

    Reads every package's metadata: tenths of a second.
    """
    shadowing = {
        name: version
        for name, version in brought.items()
        if version_of(name) not in (None, version)
    }
    if not shadowing:
        return []
    return [
        f"the kernel's {name} needs {text}, and finds {shadowing[requirements.name_of(text)]} here"
        for name, text in _needs_of_all(set(brought))
        if requirements.name_of(text) in shadowing
        and not requirements.is_met_by(text, shadowing[requirements.name_of(text)])
    ]


def _needs_of_all(but: set[str]) -> Iterator[tuple[str, str]]:
    for found in metadata.distributions():
        with suppress(ValueError):  # metadata of long ago may hold anything
            name = requirements.name_of(found.name or "unnamed")
            for text in () if name in but else found.requires or ():
                if requirements.applies(text):
                    yield name, text


def _is_met(text: str, seen: set[str]) -> bool:
    """Without extras a package is taken at its word: what it needs came with it."""
    if text in seen:
        return True
    seen.add(text)
    version = version_of(requirements.name_of(text))
    if version is None or not requirements.is_met_by(text, version):
        return False
    extras = requirements.extras_of(text)
    if not extras:
        return True
    needs = metadata.requires(requirements.name_of(text)) or []
    return all(
        _is_met(need, seen)
        for need in needs
        if any(requirements.applies(need, extra=extra) for extra in extras)
    )


def _records() -> Iterator[str]:
    """Their names hold package and version, and are found twenty times as fast as metadata."""
    for folder in filter(None, sys.path):
        try:
            names = os.listdir(folder)  # noqa: PTH208  a Path for each takes as long again
        except OSError:
            continue
        for name in names:
            if name.endswith(_SUFFIXES):
                yield name
