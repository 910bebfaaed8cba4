"""The public peer for list schedulers, in a Python of its own, and a check of what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.campaign import say
from benchmarks.planning_cases import Workflow
from wfnb.errors import PlanError
from wfnb.graph import TaskId
from wfnb.plan import Placement, Plan
from wfnb.planners.board import Board
from wfnb.simulator import Booking, Network, refuse_infeasible

PACKAGE = "anrg-saga==2.0.2"
SCRIPT = Path(__file__).parent / "engines" / "saga_plans.py"
SCHEDULERS = ("heft", "cpop", "minmin", "maxmin", "etf", "mct", "duplex", "sufferage")
_SLACK = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """A feasible schedule by the peer."""

    scheduler: str
    bookings: Sequence[Booking]
    seconds: float
    """That it took to plan."""

    @property
    def makespan(self) -> float:
        return max((booking.end_seconds for booking in self.bookings), default=0.0)

    def plan(self, workflow: Workflow) -> Plan:
        """The same mapping and order as one of ours."""
        placements = {b.task: Placement(worker=b.worker) for b in self.bookings}
        begins = {b.task: (b.start_seconds, workflow.graph.position[b.task]) for b in self.bookings}
        turn = {task: at for at, task in enumerate(sorted(begins, key=begins.__getitem__))}
        order = tuple(turn[task] for task in workflow.graph)
        return Plan(workflow.graph, placements, planner=f"saga {self.scheduler}", order=order)


@dataclass(frozen=True, slots=True)
class Peer:
    """How it is asked."""

    python: Path
    limit_seconds: int
    """For each plan."""
    seeds: Sequence[int]
    """Of hashes: its plans change with them."""

    @classmethod
    def at(cls, venv: Path, *, limit_seconds: int, seeds: Sequence[int]) -> Peer:
        """In this venv, which is made if it is not there."""
        python = venv / "bin" / "python"
        if not python.exists():
            say(f"installing {PACKAGE} into {venv}")
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
        return cls(python, limit_seconds, seeds)

    def plans(self, workflow: Workflow, speeds: Sequence[float], rate: float) -> list[PeerPlan]:
        """Those that came in time and can be carried out; says what else there was."""
        found = []
        for seed in self.seeds:
            for answer in self._asked(workflow, speeds, rate, seed):
                name = answer["scheduler"]
                if "failed" in answer:
                    say(f"{workflow.name}: saga {name} left out: {answer['failed']}")
                    continue
                bookings = [
                    Booking(TaskId(task), worker, start, end)
                    for task, worker, start, end in answer["booked"]
                    if task in workflow.graph  # not a source or sink that it has added
                ]
                trouble = infeasible(workflow, bookings, speeds, rate)
                if trouble:
                    say(f"{workflow.name}: saga {name} left out: {trouble}")
                else:
                    found.append(PeerPlan(name, bookings, answer["seconds"]))
        return found

    def _asked(
        self, workflow: Workflow, speeds: Sequence[float], rate: float, seed: int
    ) -> Iterator[dict[str, Any]]:
        graph = workflow.graph
        question = {
            "tasks": dict(zip(graph.ids, workflow.seconds, strict=True)),
            "edges": [
                [graph.ids[read], graph.ids[at], size]
                for at, inputs in enumerate(graph.inputs_at)
                for read, size in zip(inputs, workflow.edges[at], strict=True)
            ],
            "speeds": list(speeds),
            "bytes_per_second": rate,
            "limit_seconds": self.limit_seconds,
            "schedulers": SCHEDULERS,
        }
        done = subprocess.run(
            [self.python, SCRIPT],
            input=json.dumps(question),
            env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            say(f"{workflow.name}: saga failed: {done.stderr.strip().splitlines()[-1:]}")
        yield from map(json.loads, done.stdout.splitlines())


def infeasible(
    workflow: Workflow, bookings: Sequence[Booking], speeds: Sequence[float], rate: float
) -> str:
    """What no real worker could do of it; nothing if all can be done."""
    graph = workflow.graph
    network = Network(speeds={f"m{at}": speed for at, speed in enumerate(speeds)})
    nothing = [0.0] * len(graph)
    try:
        refuse_infeasible(bookings, graph, network, seconds=workflow.seconds, output_bytes=nothing)
    except PlanError as error:
        return str(error)
    by_task = {booking.task: booking for booking in bookings}
    slack = 1e-9 * max((booking.end_seconds for booking in bookings), default=0.0)
    for at, inputs in enumerate(graph.inputs_at):
        its = by_task[graph.ids[at]]
        for read, size in zip(inputs, workflow.edges[at], strict=True):
            before = by_task[graph.ids[read]]
            away = 0.0 if before.worker == its.worker else size / rate
            if its.start_seconds < before.end_seconds + away - slack:
                return f"{its.task} starts before its input {before.task} has come"
    return ""


def bookings_of(board: Board) -> list[Booking]:
    """Of one of our schedules."""
    ids = board.graph.ids
    return [
        Booking(ids[at], f"m{board.machine_at[at]}", board.begin[at], board.end[at])
        for at in range(len(ids))
    ]
