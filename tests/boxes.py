"""What runs in a container, started by hand: as a local process, or in a real container."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.redis_server import RedisServer
from tests.waiting import wait_until
from wfnb.backend import Connection
from wfnb.freezing import freeze
from wfnb.plan import Placement, Plan
from wfnb.runner import Run, start
from wfnb.signing import Signer, load_key
from wfnb.storage import Lane, Store
from wfnb.tasks import Task
from wfnb.workers.docker.kinds import Kind, launch_list
from wfnb.workers.docker.letter import Letter, label_of

LAUNCHES = launch_list("docker:test", Kind(image="wfnb-worker:test", memory_bytes=100_000_000))
PATIENCE_SECONDS = 30.0
SOCKET_FOLDER = "/run/wfnb/store"


class BoxBackend:
    """Asks for launches where the boxes wait for them, and starts none."""

    name = "docker"
    sees_files = False
    terms: Mapping[str, Any] = {}

    def equip(self, plan: Plan, *_args: object, **_kwargs: object) -> Plan:
        return plan

    def lanes(self, plan: Plan) -> Mapping[str, Lane]:
        limits = {queue: 1 if queue[:1] == "@" else 2 for queue in plan.queue_at}
        return {queue: Lane(limit=limit, pool=LAUNCHES) for queue, limit in limits.items()}

    def serve(self, plan: Plan | None = None) -> None: ...

    def work(self, run: str, *, timeout_seconds: float) -> None: ...

    def close(self) -> None: ...


def started(store: Store, *targets: Task, worker: str | None = None) -> Run:
    graph = freeze(targets)
    plan = Plan(graph, dict.fromkeys(graph, Placement(worker=worker)))
    connection = Connection(store=store, backend=BoxBackend(), signer=Signer(load_key(create=True)))
    return start(plan, connection, fresh=True)


def letter_for(redis_server: RedisServer, label: str = "container 0123456789ab") -> Letter:
    return Letter(
        store_url=redis_server.url,
        key=load_key(create=True).hex(),
        launches=LAUNCHES,
        label=label,
        asked_at=time.time(),
        idle_seconds=60.0,
    )


class Box:
    """A process that has got its letter, or another first line."""

    def __init__(self, command: Sequence[str], folder: Path, line: bytes) -> None:
        self.folder = folder
        self._command = command
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), "HOME": str(folder)},
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    @property
    def said(self) -> str:
        return (self.folder / "log").read_text()

    def end(self, how: int = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait(PATIENCE_SECONDS)


def local_box(letter: Letter, folder: Path) -> Box:
    return raw_box(letter.to_line(), folder)


def raw_box(line: bytes, folder: Path) -> Box:
    return Box([sys.executable, "-P", "-m", "wfnb.workers.docker.inside"], folder, line)


class Container(Box):
    """Hardened as the fleet's are; its worker's label is that of the container."""

    def __init__(
        self, image: str, letter: Letter, redis_server: RedisServer, folder: Path, memory: str
    ) -> None:
        socket = Path(redis_server.socket_path)
        socket.parent.chmod(0o711)
        socket.chmod(0o777)
        command = ["docker", "create", "--interactive", "--init", "--read-only", "--network=none"]
        command += ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=256"]
        command += ["--tmpfs=/tmp", f"--memory={memory}", f"--memory-swap={memory}"]
        command += ["--label=wfnb.kind=test", f"--volume={socket.parent}:{SOCKET_FOLDER}", image]
        self.id = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        self.label = label_of(self.id)
        letter = replace(
            letter, store_url=f"unix://{SOCKET_FOLDER}/{socket.name}", label=self.label
        )
        attach = ["docker", "start", "--attach", "--interactive", self.id]
        super().__init__(attach, folder, letter.to_line())

    def inspect(self) -> Any:
        told = subprocess.run(["docker", "inspect", self.id], check=True, capture_output=True)
        return json.loads(told.stdout)[0]

    def run_inside(self, *command: str) -> str:
        words = ["docker", "exec", self.id, *command]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def remove(self) -> None:
        subprocess.run(["docker", "rm", "--force", self.id], check=True, capture_output=True)
        self.end(signal.SIGKILL)


def shown(store: Store, label: str) -> Mapping[str, str]:
    """What it tells of itself, once it does."""
    wait_until(
        lambda: label in store.pools(),
        timeout_seconds=PATIENCE_SECONDS,
        description=f"{label} tells",
    )
    return store.pools()[label]
