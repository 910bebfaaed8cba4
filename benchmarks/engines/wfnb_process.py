"""wfnb as a newcomer uses it: embedded Redis, backend `process`, nothing switched off.

`measure.py` gives it a state directory of its own, so its Redis and its pool are private and new.
"""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.engines import WORKERS
from benchmarks.workloads import Graph


class Engine:
    is_lazy = True

    def start(self, folder: str) -> None:
        # Imported here because a cold start is measured from before the import.
        self.wfnb: Any = importlib.import_module("wfnb")
        self.tasks: dict[Any, Any] = {}
        self.wfnb.connect(store=None, backend="process", workers=WORKERS)

    def build(self, graph: Graph) -> Any:
        tasks = self.tasks
        out: list[Any] = []
        for node in graph.nodes:
            call = tasks.get(node.fn)
            if call is None:
                call = tasks[node.fn] = self.wfnb.task(node.fn)
            out.append(call(*node.args, *[out[dep] for dep in node.deps]))
        return out[-1]

    def run(self, built: Any) -> Any:
        return self.wfnb.run(built)

    def clean(self) -> None:
        """Leave in the store what a run leaves there, as it would for a user."""

    def stop(self) -> None:
        """Leave the detached pool and Redis to `measure.py`, which has adopted them."""
