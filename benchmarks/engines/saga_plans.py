"""Run by the peer's own Python: schedules of one task graph, one line of JSON for each scheduler.

Standard input: {"tasks": {name: seconds}, "edges": [[from, to, bytes]], "speeds": [...],
"bytes_per_second": rate, "limit_seconds": of each, "schedulers": [...]}.
"""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import signal
import sys
import time
from typing import Any

CLASSES = {
    "heft": "HeftScheduler",
    "cpop": "CpopScheduler",
    "minmin": "MinMinScheduler",
    "maxmin": "MaxMinScheduler",
    "etf": "ETFScheduler",
    "mct": "MCTScheduler",
    "duplex": "DuplexScheduler",
    "sufferage": "SufferageScheduler",
}
LEAST = 1e-9


class TooSlowError(Exception):
    """It has had its time."""


def refuse_more(_number: int, _frame: object) -> None:
    raise TooSlowError


def problem(saga: Any, asked: dict[str, Any]) -> tuple[Any, Any]:
    nodes = [saga.NetworkNode(name=f"m{at}", speed=v) for at, v in enumerate(asked["speeds"])]
    ways = [
        saga.NetworkEdge(source=one.name, target=other.name, speed=asked["bytes_per_second"])
        for one, other in itertools.combinations(nodes, 2)
    ]
    tasks = [saga.TaskGraphNode(name=name, cost=cost) for name, cost in asked["tasks"].items()]
    edges = [
        saga.TaskGraphEdge(source=source, target=target, size=max(size, LEAST))
        for source, target, size in asked["edges"]
    ]
    graph = saga.TaskGraph.create(tasks=tasks, dependencies=edges)
    return saga.Network.create(nodes=nodes, edges=ways), graph


def answer(name: str, network: Any, graph: Any, limit_seconds: int) -> dict[str, Any]:
    begun = time.perf_counter()
    signal.alarm(limit_seconds)
    try:
        module = importlib.import_module(f"saga.schedulers.{name}")
        schedule = getattr(module, CLASSES[name])().schedule(network, graph)
        booked = [
            [task.name, node, task.start, task.end]
            for node, its in schedule.items()
            for task in its
        ]
    except TooSlowError:
        return {"scheduler": name, "failed": f"more than {limit_seconds} s"}
    except Exception as error:  # noqa: BLE001  what a peer cannot do is a line of the table
        return {"scheduler": name, "failed": f"{type(error).__name__}: {str(error)[:100]}"}
    finally:
        signal.alarm(0)
    return {"scheduler": name, "seconds": time.perf_counter() - begun, "booked": booked}


def main() -> None:
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, refuse_more)
    asked = json.load(sys.stdin)
    network, graph = problem(importlib.import_module("saga"), asked)
    for name in asked["schedulers"]:
        found = answer(name, network, graph, asked["limit_seconds"])
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
