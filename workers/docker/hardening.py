"""What a container may do: as little as a worker can live with, and no more of its machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wfnb.workers.docker.kinds import Kind
from wfnb.workers.docker.reach import Way

NOBODY = "65534:65534"
MOST_PROCESSES = 256
MOST_FILES = 4096
SCRATCH_SHARE = 0.5
"""Of a container's memory, for files that its tasks write: they count as memory."""
LAST_WORDS_BYTES = "64k"


def configuration(
    kind: Kind, *, memory_bytes: int, way: Way, labels: Mapping[str, str]
) -> dict[str, Any]:
    """As Docker's interface takes it. Docker's own seccomp profile stays, as nothing is said."""
    return {
        "Image": kind.image,
        "User": NOBODY,
        "Labels": dict(labels),
        "OpenStdin": True,
        "StdinOnce": True,  # it is closed behind the one letter
        "AttachStdin": True,
        "HostConfig": _limits(kind, memory_bytes) | _walls(memory_bytes, way),
    }


def _limits(kind: Kind, memory_bytes: int) -> dict[str, Any]:
    return {
        "Memory": memory_bytes,
        "MemorySwap": memory_bytes,  # together with swap: there is none
        "NanoCpus": round(kind.cpus * 1e9),
        "PidsLimit": MOST_PROCESSES,
        "Ulimits": [
            {"Name": "nofile", "Soft": MOST_FILES, "Hard": MOST_FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
    }


def _walls(memory_bytes: int, way: Way) -> dict[str, Any]:
    scratch = round(SCRATCH_SHARE * memory_bytes)
    return {
        "Init": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        # Not noexec: a local worker can run what its task has compiled or unpacked, and who can
        # run Python gains nothing by it.
        "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={scratch}"},
        "NetworkMode": way.network,
        "Mounts": [
            {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}
            for source, target in way.mounts
        ],
        "RestartPolicy": {"Name": "no"},
        # What tasks print goes to the store; this is for those that die before they reach it.
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": LAST_WORDS_BYTES, "max-file": "1"},
        },
    }
