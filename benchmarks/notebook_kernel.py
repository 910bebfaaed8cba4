"""What the kernel does in `benchmarks.notebook`: cells import this, and print what it returns."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import comm
import IPython.display

import wfnb
from wfnb.errors import ErrorRecord
from wfnb.graph import TaskId
from wfnb.runner import Run
from wfnb.timeline import Span, TaskState, Timeline
from wfnb.widgets.dashboard import Dashboard
from wfnb.widgets.telling import NUMBER

WORKERS = 2
display: Callable[[object], object] = IPython.display.display
SETTLED_SECONDS = 1.0
"""By then the first picture has left, and following is all that goes on."""
AT_ONCE, STRIDE = 500, 7
"""So many changes before a panel is told; of tasks here and there."""
FED_STATES = (TaskState.DONE, TaskState.FAILED, TaskState.RUNNING, TaskState.RETRYING)


@wfnb.task
def nap(n: int, seconds: float, after: object = None) -> int:
    del after
    time.sleep(seconds)
    return n


@wfnb.task
def work(n: int, seconds: float) -> int:
    """At work, not asleep: two of these fill two cores."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return n


@wfnb.task
def no_op(n: int, seconds: float) -> int:
    del seconds
    return n


@wfnb.task
def total(*many: object) -> int:
    return len(many)


def begin() -> None:
    wfnb.connect(backend="process", workers=WORKERS)
    wfnb.run(total(nap(0, 0.0)))
    display(Dashboard(wfnb.plan(total(nap(1, 0.0))).graph))


def fan(task: Any, tasks: int, seconds: float) -> Any:
    return total(*[task(n, seconds) for n in range(tasks)])


def layers(tasks: int, seconds: float) -> Any:
    """Two folds of half the tasks each, and a sink."""
    half = range(tasks // 2)
    first = [nap(n, seconds) for n in half]
    return total(*[nap(n, seconds, after=first[n]) for n in half])


def opened(run: Run) -> Dashboard:
    board = Dashboard(run.graph).follow(run)
    display(board)
    return board


def comms() -> int:
    return len(comm.get_comm_manager().comms)


def say(**facts: object) -> None:
    print("\n" + json.dumps(facts))


def follow(*, is_open: bool, tasks: int, seconds: float) -> None:
    """Share of a core that this process took while a run went on, and its events a second."""
    before = comms()
    run = wfnb.start(fan(nap, tasks, seconds), fresh=True)
    board = opened(run) if is_open else None
    time.sleep(SETTLED_SECONDS)
    began, cpu = time.time(), time.process_time()
    run.wait()
    took, cpu = time.time() - began, time.process_time() - cpu
    events = sum(event.at_seconds >= began for event in run.events())
    if board is not None:
        board.close()
    say(cpu=100 * cpu / took, events=events / took, left=comms() - before)


def throughput(*, is_open: bool, task: str, tasks: int, seconds: float) -> None:
    answer = fan({"work": work, "no_op": no_op}[task], tasks, seconds)
    run = wfnb.start(answer, fresh=True)
    board = opened(run) if is_open else None
    run.wait()
    timeline = run.timeline
    if board is not None:
        board.close()
    say(per_second=tasks / ((timeline.end_seconds or 0.0) - (timeline.start_seconds or 0.0)))


def truth(run: Run) -> None:
    """When it began, and when each task ended, as the workers have measured it."""
    spans = run.timeline.spans
    say(began=run.timeline.start_seconds, ends=[span.end_seconds for span in spans])


class Stage:
    """Stands for a run of which nothing is heard: what its panel shows is fed to it."""

    id = "fed"
    status = "running"

    def __init__(self, tasks: int) -> None:
        self.errors: list[ErrorRecord] = []
        self.plan = wfnb.plan(fan(no_op, tasks - 1, 0.0))
        self.graph = self.plan.graph
        self.timeline = Timeline(self.graph)

    def log(self, task: str, attempt: int | None = None) -> str:
        del task, attempt
        return ""

    def cancel(self) -> bool:
        return False

    def resume(self) -> None:
        """It does not end."""

    def apart(self) -> Stage:
        return self

    def tend(self) -> str:
        return ""


def staged(tasks: int) -> tuple[Dashboard, Timeline]:
    """A panel that only `feed` tells anything, and what it shows."""
    stage = Stage(tasks)
    board = Dashboard(stage.graph).follow(stage)
    display(board)
    live = board._live  # noqa: SLF001  it would look at a run that stands still
    while live is not None and live.is_alive:
        live.close()
        time.sleep(0.01)
    return board, stage.timeline


def feed(board: Dashboard, timeline: Timeline, *, seconds: float, a_second: int) -> None:
    """State changes straight into a panel, at this rate; then how it must look."""
    names, spans, changes = list(timeline.graph), timeline._spans, 0  # noqa: SLF001
    timeline.start_seconds = time.time()
    looks = {name: [_span(name, state) for state in FED_STATES] for name in names}
    began = time.time()
    while time.time() < began + seconds:
        for change in range(changes, changes + AT_ONCE):
            name = names[change * STRIDE % len(names)]
            spans[name] = looks[name][(change * 2654435761 >> 7) % len(FED_STATES)]
        changes += AT_ONCE
        board.show(timeline, is_over=False)
        time.sleep(max(0.0, began + changes / a_second - time.time()))
    took = time.time() - began
    counts = Counter(NUMBER[span.state] for span in timeline.spans)
    say(changes=changes / took, counts=[counts[at] for at in range(len(NUMBER))])


def _span(task: TaskId, state: TaskState) -> Span:
    return Span(task=task, state=state, attempt=1, worker="w1", start_seconds=time.time())
