"""Plain calls in this process: the cost of the task bodies alone."""

from __future__ import annotations

from typing import Any

from benchmarks.workloads import Graph


class Engine:
    is_lazy = False

    def start(self, folder: str) -> None:
        """Nothing to bring up."""

    def build(self, graph: Graph) -> Graph:
        return graph

    def run(self, built: Graph) -> Any:
        return built.evaluate()

    def clean(self) -> None:
        """Nothing is left behind."""

    def stop(self) -> None:
        """Nothing to end."""
