"""Tasks that run in containers: this module imports nothing that an image lacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from wfnb import task

MIB = 1 << 20
FILL = "hoard = [bytearray(b'x') * 2**20 for _ in range(300)]"


@task
def plus_one(number: int) -> int:
    return number + 1


@task
def linger(mark: str) -> None:
    Path(mark).write_text("")
    time.sleep(60)


@task
def swell(megabytes: int) -> int:
    hoard = [bytearray(b"x") * MIB for _ in range(megabytes)]
    return len(hoard)


@task
def let_a_child_swell(*, is_checked: bool) -> str:
    sys.stdout.write("before\n")
    subprocess.run([sys.executable, "-c", FILL], check=is_checked)
    return "the child is dead"


@task
def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task
def produce(megabytes: int) -> bytes:
    return bytes(megabytes * MIB)


@task
def length(*parts: bytes) -> int:
    return sum(map(len, parts))


@task
def spin(seconds: float) -> None:
    deadline = time.process_time() + seconds
    while time.process_time() < deadline:
        pass


@task
def text_of(path: str) -> str:
    return Path(path).read_text()


@task
def folder_and_what_is_there(_before: int) -> tuple[str, list[str]]:
    left = [path.name for path in Path().iterdir()]
    Path("scratch.txt").write_text("mine")
    return str(Path.cwd()), left
