"""The files of one private Redis: who may read them, what they say, where its socket lies."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from wfnb.errors import StoreError

LONGEST_SOCKET_PATH_BYTES = 100
"""The kernel takes 107, macOS 103."""
_LOG_KEPT_BYTES = 1024 * 1024

# Redis 6.2 has no FUNCTION: scripts come in through the client user only, and workers call them by
# digest. Commands inside a script are checked against the rights of its caller too.
_WORKER_RIGHTS = (
    "resetkeys ~wfnb:* resetchannels nocommands +@read +@write +@connection +@blocking "
    "+@transaction +time -@dangerous -@scripting -scan -randomkey "
    "+evalsha +client|setname +client|id"
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A user's private server, as its clients and its workers reach it."""

    url: str = field(repr=False)
    """Every right: the user's own kernels and pools."""
    worker_url: str = field(repr=False)
    """No scripts of its own, no configuration, no key outside wfnb."""
    socket_path: Path
    data_dir: Path

    @property
    def log_path(self) -> Path:
        return self.data_dir / "redis.log"


def default_state_dir() -> Path:
    """$XDG_STATE_HOME/wfnb/redis, or the place that the XDG rules name without it."""
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    if home.is_absolute():
        return home / "wfnb" / "redis"
    try:
        return Path.home() / ".local" / "state" / "wfnb" / "redis"
    except RuntimeError as error:
        raise StoreError(
            "this user has no home directory for the embedded store; set XDG_STATE_HOME to a folder"
        ) from error


def known(data_dir: Path) -> Embedded | None:
    """Find what an earlier `prepare` laid down; None when there is nothing usable."""
    try:
        record = json.loads((data_dir / "credentials.json").read_text())
        socket_path = Path(record["socket"])
        # Whoever could put another socket there would be handed the password.
        if socket_path.lstat().st_uid != os.geteuid():
            return None
        return _embedded(data_dir, record)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, PermissionError):
        return None


def prepare(data_dir: Path) -> Embedded:
    """Lay down what a server needs before its start; passwords and the socket's place stay."""
    try:
        record = _record(data_dir)
        _write(data_dir / "users.acl", _users(record))
        _write(data_dir / "redis.conf", _configuration(data_dir, record["socket"]))
        _turn_log(data_dir / "redis.log")
    except OSError as error:
        raise StoreError(
            f"the embedded store cannot write {error.filename or data_dir}: {error.strerror}; "
            "free it, or set XDG_STATE_HOME to a folder that you can write"
        ) from error
    return _embedded(data_dir, record)


def pid(data_dir: Path) -> int | None:
    """Tell the running server's process; None between two servers."""
    try:
        return int((data_dir / "redis.pid").read_text())
    except (OSError, ValueError):
        return None


def log_tail(data_dir: Path) -> str:
    """Quote the server's last words."""
    try:
        lines = (data_dir / "redis.log").read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error.strerror})"
    return "\n".join(lines[-12:])


def _record(data_dir: Path) -> dict[str, str]:
    path = data_dir / "credentials.json"
    try:
        record: dict[str, str] = json.loads(path.read_text())
        kept = {name: record[name] for name in ("client", "worker", "socket")}
    except (FileNotFoundError, ValueError, KeyError):
        kept = {"client": secrets.token_hex(32), "worker": secrets.token_hex(32), "socket": ""}
    socket_path = _socket_path(data_dir, kept["socket"])
    if socket_path != kept["socket"]:
        kept["socket"] = socket_path
        _write(path, json.dumps(kept))
    return kept


def _socket_path(data_dir: Path, before: str) -> str:
    inside = data_dir / "run" / "redis.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH_BYTES:
        _open_to_search(inside.parent)
        return str(inside)
    run = Path(before).parent if before else _short_folder(data_dir) / "run"
    # Cleaned away, or somebody else put something in its place in /tmp.
    if not run.parent.is_dir() or run.parent.is_symlink():
        run = _short_folder(data_dir) / "run"
    keep_private(run.parent)
    _open_to_search(run)
    return str(run / "redis.sock")


def _short_folder(data_dir: Path) -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    name = "wfnb-" + hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    short_enough = len(os.fsencode(runtime)) + len(name) + 20 <= LONGEST_SOCKET_PATH_BYTES
    if Path(runtime).is_absolute() and os.access(runtime, os.W_OK) and short_enough:
        return Path(runtime) / name
    folder = Path(tempfile.mkdtemp(prefix="wfnb-"))
    if len(os.fsencode(folder)) + 20 > LONGEST_SOCKET_PATH_BYTES:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="wfnb-", dir="/tmp"))
    return folder


def keep_private(folder: Path) -> None:
    """Make the folder, or close one of ours that stood open; another user's is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise StoreError(
            f"{folder} belongs to user {status.st_uid}, not to you; "
            "remove it, or set XDG_STATE_HOME to a folder of your own"
        )
    if status.st_mode & 0o777 != 0o700:
        folder.chmod(0o700)


def _open_to_search(folder: Path) -> None:
    """Let a container of another user be given this folder; its parent keeps all others out."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a kernel killed in between, or a full disk, leaves the old file."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.fsencode(text))
    draft.replace(path)


def _turn_log(path: Path) -> None:
    if path.exists() and path.stat().st_size > _LOG_KEPT_BYTES:
        path.replace(path.with_name(path.name + ".1"))


def _users(record: dict[str, str]) -> str:
    client, worker = (
        hashlib.sha256(record[name].encode()).hexdigest() for name in ("client", "worker")
    )
    return (
        "user default off resetpass nocommands\n"
        f"user client on #{client} ~* &* +@all\n"
        f"user worker on #{worker} {_WORKER_RIGHTS}\n"
    )


def _configuration(data_dir: Path, socket_path: str) -> str:
    settings = {
        "daemonize": "yes",
        "pidfile": _quoted(data_dir / "redis.pid"),
        "logfile": _quoted(data_dir / "redis.log"),
        "dir": _quoted(data_dir),
        "aclfile": _quoted(data_dir / "users.acl"),
        "port": "0",
        "unixsocket": _quoted(socket_path),
        "unixsocketperm": "777",
        "databases": "1",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        "save": '""',
        "maxmemory": str(_memory_bytes() // 4),
        "maxmemory-policy": "noeviction",
        "lazyfree-lazy-expire": "yes",
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _quoted(path: Path | str) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _memory_bytes() -> int:
    """Of this machine, or of the container around us where that is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return memory


def _embedded(data_dir: Path, record: dict[str, str]) -> Embedded:
    place = quote(record["socket"])
    return Embedded(
        url=f"unix://client:{record['client']}@{place}",
        worker_url=f"unix://worker:{record['worker']}@{place}",
        socket_path=Path(record["socket"]),
        data_dir=data_dir,
    )
