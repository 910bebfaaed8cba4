"""What a test left behind: in its process, and in the Redis server it used."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
import threading
import time
from pathlib import Path

import psutil
import redis

#: Servers that serve more than one test.
KEPT_PROCESSES: set[int] = set()

#: Keys that never expire: they are few, and each is bounded by its own rule.
PERMANENT = re.compile(r"wfnb:(pools|runs|active|scripts|pool:.*|history:.*)")
FDS = Path("/proc/self/fd")


def footprint() -> frozenset[str]:
    return frozenset({*_threads(), *_children(), *_sockets(), *_shared_files()})


def leaked(before: frozenset[str], *, patience_seconds: float = 3.0) -> list[str]:
    """What is there and was not before; what is about to end gets its time."""
    deadline = time.monotonic() + patience_seconds
    while new := footprint() - before:
        if time.monotonic() > deadline:
            break
        gc.collect()
        time.sleep(0.01)
    return sorted(new)


def lasting_keys(client: redis.Redis) -> list[str]:
    """Keys that would stay for ever and may not."""
    if not client.dbsize():
        return []
    names = list(client.scan_iter(count=1000))
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.ttl(name)
    told = zip(names, pipeline.execute(), strict=True)
    lasting = (name.decode() for name, ttl_seconds in told if ttl_seconds == -1)
    return sorted(name for name in lasting if not PERMANENT.fullmatch(name))


def _threads() -> set[str]:
    return {f"thread {thread.name} {thread.native_id}" for thread in threading.enumerate()}


def _children() -> set[str]:
    children = (c for c in psutil.Process().children() if c.pid not in KEPT_PROCESSES)
    return {f"process {c.pid} {_command(c)}" for c in children if not _is_detached(c.pid)}


def _is_detached(pid: int) -> bool:
    """Started in a session of its own, to outlive us: the end of the test session looks at it."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return True


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or process.status()
    except psutil.Error:
        return "gone"


def _sockets() -> set[str]:
    if sys.platform != "linux":
        return set()
    found = set()
    for fd in FDS.iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = str(fd.readlink())
            if target.startswith("socket:"):
                found.add(target)
    return found


def _shared_files() -> set[str]:
    folder = Path(os.environ["WFNB_SHM_DIR"])
    return {f"file {path}" for path in folder.rglob("*") if path.is_file()}
