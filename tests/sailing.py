"""Tasks that fleets' tests run in containers: this module imports nothing that an image lacks."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wfnb import Resources, task

MIB = 1 << 20


@task
def rest(seconds: float, name: str = "") -> str:
    time.sleep(seconds)
    return name


@task
def where(seconds: float = 0.0) -> str:
    time.sleep(seconds)
    return socket.gethostname()


@task
def add(*numbers: int) -> int:
    return sum(numbers)


@task
def collect(*parts: str) -> list[str]:
    return list(parts)


@task
def kill_the_container() -> None:
    """From inside nobody can kill process 1, but all that it waits for."""
    others = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    for pid in sorted(set(others) - {1, os.getpid()}):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    time.sleep(60)


@task
def have_the_supervisor_killed() -> None:
    """It is the one that the kernel is told to choose when the memory is used up."""
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            victim = "1000" if parent == "1" else "0"
            (path / "oom_score_adj").write_text(victim)
    hoard = []
    while True:
        hoard.append(bytearray(b"x") * MIB)


@task
def facts() -> dict[str, str]:
    """What a worker can see and do."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    found["interfaces"] = " ".join(name for _, name in socket.if_nameindex())
    found["environment"] = " ".join(f"{k}={v}" for k, v in os.environ.items())
    found["docker.sock"] = str(Path("/var/run/docker.sock").exists())
    found["key mode"] = oct(Path(os.environ["WFNB_KEY_FILE"]).stat().st_mode & 0o777)
    for folder in ("/", "/usr", "/opt/wfnb", "/run/wfnb/store", "/tmp"):
        found[folder] = _written(folder)
    return found


def _written(folder: str) -> str:
    try:
        Path(folder, "probe").write_text("x")
    except OSError as error:
        return error.strerror or "refused"
    return "written"


@task
def limits() -> dict[str, int]:
    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    }


@task
def reached(places: Sequence[tuple[str, int]]) -> list[str]:
    """Of these addresses, those that answer."""
    found = []
    for host, port in places:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            found.append(host)
    return found


@task(resources=Resources(memory="96MB"))
def smaller() -> str:
    return socket.gethostname()
