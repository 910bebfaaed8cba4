"""How an exported file comes to be: whole or not at all, and never through a link."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from wfnb.errors import ExportError


def write_text(path: Path, text: str) -> None:
    """Replace the file in one step; who reads it meanwhile sees the old one or the new one."""
    _refuse_what_is_no_place(path)
    made = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    try:
        _write_new(made, text)
        if path.exists():
            made.chmod(path.stat().st_mode & 0o777)
        made.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        made.unlink(missing_ok=True)


def _refuse_what_is_no_place(path: Path) -> None:
    if "\0" in str(path):
        raise ExportError(f"{str(path)!r} is no name for a file: take the zero byte out of it")
    if path.is_symlink():
        message = f"{path} is a link, and another file would change: name that file, or another"
        raise ExportError(message)
    if path.exists() and not path.is_file():
        raise ExportError(f"{path} is there, and is no file: give another name")
    if not path.parent.is_dir():
        raise ExportError(f"there is no folder {path.parent}: make it, or name another")


def _write_new(path: Path, text: str) -> None:
    # O_EXCL follows no link that somebody may have put there; the mode is left to the umask.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o666), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
