"""The program that installs packages into a folder: uv where there is one, pip otherwise."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from wfnb.errors import RequirementsError
from wfnb.installed import WORKERS_NEED, version_of

TOLD = ("Collecting", "Downloaded", "Downloading", "Processing", "Resolved")
"""Lines of its output that a person who waits wants to see begin so."""
_MORTAL = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs a command that is killed when we are, so that nobody writes into a folder given up."""
_WHEELS = ("--only-binary", ":all:")
"""Anything else runs code of the package while it is being installed."""
_NOT_OURS = re.compile(
    r"(PIP|UV)_(EXTRA_INDEX_URL|INDEX|NO_BINARY|TARGET|PREFIX|ROOT|DRY_RUN|REPORT|CONSTRAINT|"
    r"REQUIREMENT|EDITABLE|REQUIRE_HASHES|ONLY_BINARY|LOG|QUIET|VERBOSE|OVERRIDE)"
)
"""Settings that would make the installer do something else. No extra index: whoever puts a package
there under a name of yours would be believed."""
_PIP = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_USER": "0",
}
_UV_WOULD = re.compile(r" \+ ([^\s=]+)==(\S+)")

Tell = Callable[[str], object]
Pins = Mapping[str, str]
"""Name -> version; for what comes from a URL that URL, behind "@ "."""


class Installer(Protocol):
    """One of the two programs, as commands."""

    def resolve(self, wanted: Sequence[str], constraints: Path, report: Path) -> list[str]:
        """What to install beside what the kernel has; the answer is in its output or `report`."""
        ...

    def answer(self, output: str, report: Path) -> Pins: ...

    def install(self, pinned: Sequence[str], target: Path) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Pip:
    def resolve(self, wanted: Sequence[str], constraints: Path, report: Path) -> list[str]:
        words = ["--dry-run", "--report", str(report), "--constraint", str(constraints)]
        return [*self._words(), *words, "--", *wanted]

    def answer(self, output: str, report: Path) -> Pins:
        found = {}
        for one in json.loads(report.read_text())["install"]:
            about, url = one["metadata"], one["download_info"]["url"]
            found[about["name"]] = f"@ {url}" if one["is_direct"] else about["version"]
        return found

    def install(self, pinned: Sequence[str], target: Path) -> list[str]:
        return [*self._words(), "--no-deps", "--target", str(target), "--", *pinned]

    def _words(self) -> list[str]:
        return [sys.executable, "-P", "-m", "pip", "install", *_WHEELS]


@dataclass(frozen=True, slots=True)
class Uv:
    program: str

    def resolve(self, wanted: Sequence[str], constraints: Path, report: Path) -> list[str]:
        # A system's own Python may not be changed: nothing is, in a dry run.
        words = ["--dry-run", "--break-system-packages", "--constraint", str(constraints)]
        return [*self._words(), *words, "--", *wanted]

    def answer(self, output: str, report: Path) -> Pins:
        found = {}
        for line in output.splitlines():
            if would := _UV_WOULD.match(line):
                url = re.search(r"\(from (.*)\)", line)
                found[would[1]] = f"@ {url[1]}" if url else would[2]
        return found

    def install(self, pinned: Sequence[str], target: Path) -> list[str]:
        words = ["--no-deps", "--compile-bytecode", "--target", str(target)]
        return [*self._words(), *words, "--", *pinned]

    def _words(self) -> list[str]:
        words = [self.program, "pip", "install", "--python", sys.executable, "--color", "never"]
        is_offline = os.getenv("PIP_NO_INDEX", "0").lower() not in ("0", "", "false", "no", "off")
        return [*words, *_WHEELS, *(["--no-index"] if is_offline else [])]


def installer() -> Installer:
    """Raises RequirementsError where there is neither."""
    program = shutil.which("uv") or _uv_module()
    if program is not None:
        return Uv(program)
    if find_spec("pip") is not None:
        return Pip()
    raise RequirementsError(
        f"neither uv is on the PATH nor pip in {sys.executable}: `python -m ensurepip` adds pip"
    )


def resolve(using: Installer, wanted: Sequence[str], draft: Path, *, log: Path, tell: Tell) -> Pins:
    """What is to be installed so that a kernel with it meets what is wanted."""
    constraints, report = draft / "constraints.txt", draft / "report.json"
    pins = [f"{name}=={version}" for name in WORKERS_NEED if (version := version_of(name))]
    constraints.write_text("\n".join(pins))
    output = run(using.resolve(wanted, constraints, report), draft, log=log, tell=tell)
    return using.answer(output, report)


def install(using: Installer, pins: Pins, draft: Path, *, log: Path, tell: Tell) -> Path:
    """The folder below `draft` that it is all in."""
    target = draft / "packages"
    target.mkdir(mode=0o700)
    pinned = [
        f"{name} {version}" if version.startswith("@") else f"{name}=={version}"
        for name, version in sorted(pins.items())
    ]
    if pinned:
        run(using.install(pinned, target), draft, log=log, tell=tell)
    return target


def run(
    command: Sequence[str],
    folder: Path,
    *,
    log: Path,
    tell: Tell,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """What it said. Whatever ends the wait, an interrupt for one, kills it."""
    said: list[str] = []
    with log.open("a") as file, _started(command, folder, settings) as process:
        print("$", *command, file=file, flush=True)
        try:
            for line in process.stdout or ():
                said.append(line)
                file.write(line)
                if line.startswith(TOLD):
                    tell(line.strip())
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            file.write("given up\n")
            raise
    if code:
        raise RequirementsError("".join(said).strip() or f"{command[0]} ended with code {code}")
    return "".join(said)


def _started(
    command: Sequence[str], folder: Path, settings: Mapping[str, str]
) -> subprocess.Popen[str]:
    mortal = [sys.executable, "-I", "-S", "-c", _MORTAL, str(os.getpid()), *command]
    return subprocess.Popen(
        mortal,
        cwd=folder,  # it holds no settings and no modules of anybody
        env=surroundings(os.environ) | dict(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def surroundings(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of an installer: the user's settings, but none that mislead it.

    uv does not read pip's settings: where these name a place, it shall look there too. An index may
    have a password in it, which an argument would show to every user of the machine.
    """
    kept = {name: value for name, value in ours.items() if not _NOT_OURS.fullmatch(name)} | _PIP
    if "PIP_INDEX_URL" in kept and "UV_INDEX_URL" not in kept:
        kept.setdefault("UV_DEFAULT_INDEX", kept["PIP_INDEX_URL"])
    if "PIP_FIND_LINKS" in kept:
        kept.setdefault("UV_FIND_LINKS", ",".join(kept["PIP_FIND_LINKS"].split()))
    return kept


def _uv_module() -> str | None:
    """The program that `pip install uv` brings, where its folder is not on the PATH."""
    if find_spec("uv") is None:
        return None
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else None
