"""A cable to a daemon that has a network of its own, as if it was on another machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

OURS, THEIRS = "10.213.77.1", "10.213.77.2"
DOCKER_PORT = 2376
FAR = f"tcp://{THEIRS}:{DOCKER_PORT}"
LISTENING = f"--host=tcp://0.0.0.0:{DOCKER_PORT}"


def run(*words: str, **options: Any) -> None:
    subprocess.run(words, check=True, capture_output=True, **options)


@contextmanager
def cable(pid: int) -> Iterator[None]:
    """From here to the network namespace of that process."""
    try:
        _lay(pid)
        yield
    finally:
        with suppress(subprocess.CalledProcessError):
            run("ip", "link", "delete", "wfnb-near")


def _lay(pid: int) -> None:
    run("ip", "link", "add", "wfnb-near", "type", "veth", "peer", "name", "wfnb-far")
    run("ip", "link", "set", "wfnb-far", "netns", str(pid))
    run("ip", "addr", "add", f"{OURS}/24", "dev", "wfnb-near")
    run("ip", "link", "set", "wfnb-near", "up")
    there = ("nsenter", "--net", "--target", str(pid), "ip")
    run(*there, "addr", "add", f"{THEIRS}/24", "dev", "wfnb-far")
    run(*there, "link", "set", "wfnb-far", "up")
    run(*there, "link", "set", "lo", "up")
