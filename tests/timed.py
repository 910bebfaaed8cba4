"""Timelines with times, as if a run had been followed: nothing runs, and the clock is given."""

from __future__ import annotations

from random import Random

from tests.pictured import graph_of
from wfnb.events import RunEnded, RunOpened, Sample, TaskClaimed, TaskDone, TaskFailed
from wfnb.graph import TaskId
from wfnb.metrics import Table, tasks_frame
from wfnb.resources import Resources
from wfnb.timeline import Timeline

START = 1_700_000_000.0
FUNCTIONS = {"load": 0.3, "clean": 0.6, "train": 2.5, "report": 0.01}


def followed(tasks: int, *, workers: int = 3, failing: int = 0, open_tasks: int = 0) -> Timeline:
    """Tasks one after another on whoever is free; the last `open_tasks` still run."""
    random = Random(tasks)
    names = list(FUNCTIONS)
    functions = [names[at * len(names) // tasks] for at in range(tasks)]
    graph = graph_of([(f"{name}-{at}", name, []) for at, name in enumerate(functions)])
    timeline = Timeline(graph)
    timeline.record(RunOpened(at_seconds=START, generation=1))
    free = {f"w{at + 1}": START for at in range(workers)}
    for at, (task, function) in enumerate(zip(graph, functions, strict=True)):
        worker = min(free, key=lambda name: free[name])
        start = free[worker]
        free[worker] += FUNCTIONS[function] * (0.5 + random.random())
        timeline.record(claimed(task, worker, start))
        if at < failing:
            timeline.record(failed(task, worker, free[worker]))
        elif at < tasks - open_tasks:
            timeline.record(done(task, worker, start, free[worker]))
    if not open_tasks:
        timeline.record(RunEnded(at_seconds=max(free.values()), status="done"))
    return timeline


def claimed(task: str, worker: str, at: float, *, attempt: int = 1) -> TaskClaimed:
    return TaskClaimed(at_seconds=at, worker=worker, task=TaskId(task), attempt=attempt)


def done(task: str, worker: str, start: float, end: float, *, attempt: int = 1) -> TaskDone:
    sample = Sample(start, call_seconds=end - start)
    known = TaskId(task)
    return TaskDone(at_seconds=end, worker=worker, task=known, attempt=attempt, sample=sample)


def failed(task: str, worker: str, at: float, *, is_final: bool = True) -> TaskFailed:
    return TaskFailed(
        at_seconds=at,
        worker=worker,
        task=TaskId(task),
        attempt=1,
        message="no",
        is_final=is_final,
    )


def table_of(timeline: Timeline) -> Table:
    return tasks_frame(timeline, lambda _: Resources())


def planned_for(timeline: Timeline) -> Table:
    """A plan that expects one second of each task, on the workers that took them."""
    frame = table_of(timeline).reset_index()
    turns = frame.groupby("worker").cumcount()
    plan = frame[["id", "worker"]].assign(start=turns * 1.0, end=turns + 1.0)
    return plan[plan["worker"].notna()]
