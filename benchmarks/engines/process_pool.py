"""`ProcessPoolExecutor` and a dependency counter in the client: every value through a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from queue import SimpleQueue
from typing import Any

from benchmarks.engines import WORKERS
from benchmarks.workloads import Graph, Node


def readers_of(nodes: Sequence[Node]) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for dep in node.deps:
            readers[dep].append(i)
    return readers


class Engine:
    is_lazy = False

    def start(self, folder: str) -> None:
        self.pool = ProcessPoolExecutor(WORKERS)

    def build(self, graph: Graph) -> Graph:
        return graph

    def run(self, built: Graph) -> Any:
        nodes = built.nodes
        missing = [len(node.deps) for node in nodes]
        readers = readers_of(nodes)
        values: list[Any] = [None] * len(nodes)
        finished: SimpleQueue[tuple[int, Future[Any]]] = SimpleQueue()

        def submit(i: int) -> None:
            inputs = [values[dep] for dep in nodes[i].deps]
            future = self.pool.submit(nodes[i].fn, *nodes[i].args, *inputs)
            future.add_done_callback(lambda done: finished.put((i, done)))

        for i, count in enumerate(missing):
            if not count:
                submit(i)
        for _ in nodes:
            i, future = finished.get()
            values[i] = future.result()
            for reader in readers[i]:
                missing[reader] -= 1
                if not missing[reader]:
                    submit(reader)
        return values[-1]

    def clean(self) -> None:
        """Nothing is left behind."""

    def stop(self) -> None:
        self.pool.shutdown()
