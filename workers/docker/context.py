"""What is sent to a daemon to build an image from: Dockerfile, pip, wheels, wfnb's own files."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import IO

from wfnb.installed import version_of
from wfnb.workers.docker.wheelhouse import PINS, pip_folder, worker_needs

NOT_SENT = ("exports", "widgets")
"""Parts of wfnb that no worker imports."""
DOCKERFILE = "workers/Dockerfile"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def client_files() -> Iterator[tuple[str, Path]]:
    """The files of wfnb that this kernel runs, by their place below the package."""
    for package, prefix in (("wfnb", ""), ("wfnb.workers", "workers/")):
        home = Path(str(files(package)))
        left_out = (*NOT_SENT, "workers") if not prefix else ()
        for path in sorted(home.rglob("*")):
            inside = path.relative_to(home)
            is_ours = inside.parts[0] not in left_out and "__pycache__" not in inside.parts
            if is_ours and path.suffix != ".pyc" and path.is_file():
                yield f"{prefix}{inside.as_posix()}", path


@dataclass(frozen=True, slots=True)
class Client:
    """What a worker has to have of this kernel, all read at one time."""

    files: Mapping[str, bytes]
    """By their place below wfnb."""

    @property
    def digest(self) -> str:
        """Changes with wfnb's files, Python's minor version, and the versions workers run on."""
        content = hashlib.sha256(f"{PYTHON}\n{worker_needs()}\n".encode())
        for name, data in self.files.items():
            content.update(f"{name} {len(data)}\n".encode() + data)
        return content.hexdigest()[:12]


@cache
def this_client() -> Client:
    """As it was when first asked for: a kernel goes on with what it has imported."""
    return Client({name: path.read_bytes() for name, path in client_files()})


def pack(file: IO[bytes], wheels: Path, client: Client, *, has_wfnb: bool) -> None:
    """Write the build context; environments go on top of an image that has wfnb."""
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, path in _wheels_and_pip(wheels):
            tar.add(path, name, recursive=False, filter=_for_anybody)
        _add(tar, "Dockerfile", client.files[DOCKERFILE])
        _add_folder(tar, "packages")
        for name, data in _packages(client) if has_wfnb else ():
            _add(tar, f"packages/{name}", data)
    file.seek(0)


def _packages(client: Client) -> Iterator[tuple[str, bytes]]:
    for name, data in client.files.items():
        yield f"wfnb/{name}", data
    version = version_of("wfnb") or "0"
    needs = "".join(f"Requires-Dist: {need}\n" for need in worker_needs())
    about = f"Metadata-Version: 2.1\nName: wfnb\nVersion: {version}\n{needs}"
    yield f"wfnb-{version}.dist-info/METADATA", about.encode()
    yield f"wfnb-{version}.dist-info/INSTALLER", b"wfnb image build\n"


def _wheels_and_pip(wheels: Path) -> Iterator[tuple[str, Path]]:
    yield f"wheels/{PINS}", wheels / PINS
    for path in wheels.glob("*.whl"):
        yield f"wheels/{path.name}", path
    pip = pip_folder()
    for path in pip.rglob("*"):
        if path.is_file() and path.suffix not in (".pyc", ".exe"):
            yield f"pip/{path.relative_to(pip).as_posix()}", path


def _for_anybody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Workers are nobody's: they must be able to read what only this user may."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(folder)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))
