"""What pools and those who start them share on a host: lock, log, and the number of workers."""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from wfnb.errors import BackendError
from wfnb.storage import serverfiles

LOG_KEPT_BYTES = 1024 * 1024
LOG_TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class PoolFiles:
    """The files of one pool key on this host; all of them may be deleted when no pool runs."""

    stem: Path

    def lock(self) -> int | None:
        """A descriptor that holds the lock until its process ends; None while a pool is alive."""
        self.make_folder()
        descriptor = os.open(f"{self.stem}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    def pid(self) -> int | None:
        """The living pool's process."""
        lock = self.lock_path
        try:
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except BlockingIOError:
            return int(lock.read_text() or 0) or None
        return None

    @property
    def lock_path(self) -> Path:
        return Path(f"{self.stem}.lock")

    def open_log(self) -> int:
        """To append to; a long one is put aside first."""
        self.make_folder()
        path = Path(f"{self.stem}.log")
        if path.exists() and path.stat().st_size > LOG_KEPT_BYTES:
            path.replace(f"{self.stem}.log.1")
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def log_tail(self) -> str:
        try:
            lines = Path(f"{self.stem}.log").read_text(errors="replace").splitlines()
        except OSError:
            return "(it left no log)"
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def want(self, slots: int) -> None:
        """Ask a living pool, or the next, for at least so many workers."""
        if slots > self.wanted():
            self.make_folder()
            draft = Path(f"{self.stem}.slots.{os.getpid()}")
            draft.write_text(str(slots))
            draft.replace(f"{self.stem}.slots")

    def wanted(self) -> int:
        try:
            return int(Path(f"{self.stem}.slots").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def forget_wanted(self) -> None:
        Path(f"{self.stem}.slots").unlink(missing_ok=True)

    def make_folder(self) -> None:
        folder = self.stem.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = f"the folder {folder} cannot be made ({error.strerror})"
            raise BackendError(f"{message}: set XDG_STATE_HOME to a folder of yours") from error


def files_of(pool: str) -> PoolFiles:
    name = hashlib.sha256(pool.encode()).hexdigest()[:16]
    return PoolFiles(serverfiles.default_state_dir().parent / "pools" / name)
