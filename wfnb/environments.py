"""Environments: packages that tasks require beside what the kernel has, made once, before a run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import sysconfig
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wfnb import cabinet, installed
from wfnb.errors import RequirementsError
from wfnb.installer import Tell, install, installer, resolve
from wfnb.requirements import applies, name_of, unmarked

FAILURE_SECONDS = 300.0
"""So long a failure is remembered, and nobody tries again unless asked to."""
_LAST_LINES = 12
_NOWHERE = re.compile(r"from versions: none|not found in the (package registry|provided package)")


@dataclass(frozen=True, slots=True)
class Environment:
    """What must be installed, and on top of what."""

    requirements: tuple[str, ...]
    """Normal form, without markers."""
    python: str
    platform: str
    kernel: str
    """Digest of what the kernel has: which packages are left to install depends on it."""

    @property
    def name(self) -> str:
        words = "\n".join((self.python, self.platform, self.kernel, *self.requirements))
        return hashlib.sha256(words.encode()).hexdigest()[:12]


def environment_of(requirements: Iterable[str]) -> Environment | None:
    """None where the kernel meets them all already.

    Raises RequirementsError for what would take away a package that workers themselves run on.
    """
    wanted = tuple(sorted({unmarked(text) for text in requirements if applies(text)}))
    unmet = installed.missing(wanted)
    for text in unmet:
        needed = name_of(text)
        if needed in installed.WORKERS_NEED and (version := installed.version_of(needed)):
            raise RequirementsError(
                f"{text} cannot be had: workers run on the kernel's own {needed} {version}; "
                f"loosen it, or `pip install '{text}'` for the kernel and start it anew"
            )
    if not unmet:
        return None
    tag = sys.implementation.cache_tag or sys.implementation.name
    return Environment(wanted, tag, sysconfig.get_platform(), installed.digest())


def prepare(
    environment: Environment, tell: Tell, *, wanted_by: str = "a task", fresh: bool = False
) -> Path:
    """The folder, made now if it is not there; whoever comes second waits for the first.

    Raises RequirementsError, for 5 minutes at once unless `fresh`. What is interrupted or killed
    leaves nothing that counts.
    """
    folder = cabinet.folder_of(environment.name)
    if not cabinet.is_there(environment.name):
        cabinet.make_root()
        try:
            with cabinet.making(environment.name, tell):
                if not cabinet.is_there(environment.name):
                    _refuse_what_failed(environment, wanted_by, is_fresh=fresh)
                    _make(environment, folder, tell, wanted_by)
        except OSError as error:
            message = f"the environment for {wanted_by} cannot be written: {error}"
            remedy = f"is there room in {cabinet.root()}, and may you write there?"
            raise RequirementsError(f"{message}; {remedy}") from error
        with suppress(OSError):
            cabinet.tidy()
    with suppress(OSError):
        os.utime(folder)
    return folder


def _make(environment: Environment, folder: Path, tell: Tell, wanted_by: str) -> None:
    log, draft = cabinet.beside(environment.name, "log"), cabinet.beside(environment.name, "draft")
    shutil.rmtree(draft, ignore_errors=True)  # of one that was killed: we hold its lock
    draft.mkdir(mode=0o700)
    log.write_text("")
    begin = time.monotonic()
    tell(f"preparing {', '.join(environment.requirements)} for {wanted_by} (log: {log})")
    try:
        using = installer()
        pins = resolve(using, environment.requirements, draft, log=log, tell=tell)
        target = install(using, pins, draft, log=log, tell=tell)
        size_bytes = sum(path.lstat().st_size for path in target.rglob("*"))
        about = {
            "requirements": environment.requirements,
            "packages": dict(pins),
            "size_bytes": size_bytes,
        }
        (target / cabinet.ABOUT).write_text(json.dumps(about))
        shutil.rmtree(folder, ignore_errors=True)  # somebody may have removed a part of it
        target.rename(folder)
    except RequirementsError as error:
        cabinet.beside(environment.name, "failed").write_text(str(error))
        raise _failure(environment, str(error), wanted_by) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    seconds = time.monotonic() - begin
    names = ", ".join(f"{name} {version}" for name, version in sorted(pins.items()))
    tell(f"prepared in {seconds:.1f} s: {names or 'nothing was missing'}")
    for warning in installed.broken_by(pins):
        tell(f"beware: {warning}; if tasks use it, name it among the requirements")


def _refuse_what_failed(environment: Environment, wanted_by: str, *, is_fresh: bool) -> None:
    mark = cabinet.beside(environment.name, "failed")
    try:
        age_seconds, said = time.time() - mark.stat().st_mtime, mark.read_text()
    except FileNotFoundError:
        return
    if is_fresh or age_seconds > FAILURE_SECONDS:
        mark.unlink(missing_ok=True)
        return
    minutes = (FAILURE_SECONDS - age_seconds) / 60
    again = f"it failed {age_seconds:.0f} s ago; tried again in {minutes:.0f} min, or with fresh"
    raise _failure(environment, said, wanted_by, again=again)


def _failure(
    environment: Environment, said: str, wanted_by: str, *, again: str = ""
) -> RequirementsError:
    lines = "\n".join(f"  {line}" for line in said.splitlines()[-_LAST_LINES:])
    wanted = ", ".join(environment.requirements)
    if _NOWHERE.search(said):
        lines += "\nno version of it was found: mend its name, or is this machine offline?"
    extra = [name for name in ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL") if os.getenv(name)]
    asked = [f"\n{name} is not asked: name the one index to trust, PIP_INDEX_URL" for name in extra]
    return RequirementsError(
        f"{wanted_by} cannot have {wanted}{f' ({again})' if again else ''}:\n{lines}\n"
        f"the whole log: {cabinet.beside(environment.name, 'log')}{''.join(asked)}"
    )
