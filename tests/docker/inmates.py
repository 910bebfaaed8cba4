"""Tasks for containers: this module travels along, so it imports only what images have."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from wfnb import task

SOCKET = Path("/var/run/docker.sock")


@task
def add(*numbers: int) -> int:
    return sum(numbers)


@task
def look_around() -> dict[str, object]:
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    key = Path(os.environ["WFNB_KEY_FILE"])
    home = max((m for m in mounts if str(key).startswith(m[1])), key=lambda mount: len(mount[1]))
    group = Path("/sys/fs/cgroup")
    limit = next(p for p in (group / "pids/pids.max", group / "pids.max") if p.exists())
    return {
        "user": (os.getuid(), os.getgid()),
        "capabilities": [int(status[f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Bnd", "Amb")],
        "no new privileges": status["NoNewPrivs"],
        "seccomp": status["Seccomp"],
        "networks": [name for _, name in socket.if_nameindex() if name != "lo"],
        "root": next(mount[3].split(",")[0] for mount in mounts if mount[1] == "/"),
        "docker": SOCKET.exists(),
        "processes": limit.read_text().strip(),
        "key": (home[2], oct(key.stat().st_mode & 0o777)),
        "secrets": sorted(name for name, value in os.environ.items() if "redis" in value),
    }


@task
def stumble(number: int) -> int:
    return 1 // number


@task
def swell() -> int:
    return len(bytearray(200_000_000))
