"""Engines measured in wfnb's own environment; `measure.py` drives one of them.

The floors and the process pool here stand in where the peers' folder, which has fuller ones, is
absent.
"""

from __future__ import annotations

from typing import Any, Protocol

from benchmarks.workloads import Graph

WORKERS = 2

#: engine -> (module in this folder, keyword arguments of its `Engine`)
ENGINES: dict[str, tuple[str, dict[str, Any]]] = {
    "wfnb": ("wfnb_process", {}),
    "serial": ("serial", {}),
    "process_pool": ("process_pool", {}),
    "redis_floor": ("redis_floor", {}),
    "redis_floor_batched": ("redis_floor", {"batch": 64}),
    "redis_floor_aof": ("redis_floor", {"aof": True}),
    "redis_floor_batched_aof": ("redis_floor", {"batch": 64, "aof": True}),
}


class Engine(Protocol):
    """Brings two workers up, lowers a neutral graph to its own idiom, runs it, and stops."""

    is_lazy: bool
    """True when `build` makes a graph without running it, so that building can be timed."""

    def start(self, folder: str) -> None: ...

    def build(self, graph: Graph) -> Any: ...

    def run(self, built: Any) -> Any: ...

    def clean(self) -> None:
        """Untimed: drop what a run left behind."""

    def stop(self) -> None: ...
