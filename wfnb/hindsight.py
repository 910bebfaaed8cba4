"""A run that has ended beside its plan: where the time went, and where it was thought to go."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from wfnb.errors import PlanError
from wfnb.graph import TaskId
from wfnb.listing import table
from wfnb.metrics import Table, table_of
from wfnb.predictions.explaining import in_words
from wfnb.simulator import CAUSES, Simulated, Stretch, replay
from wfnb.simulator import Ended as EndedRun


class Hindsight:
    """Per task and per cause: start, queue, download, execution, upload; all in seconds.

    What really happened is read from the run's own samples, played once more on its real workers.
    """

    def __init__(self, run: EndedRun) -> None:
        outlook = run.plan.foreseen
        if not isinstance(outlook, Simulated):
            raise PlanError(
                "nothing was predicted for this run: give it a planner, as in run(target, "
                "planner='auto'), or plan first: run(plan(target))"
            )
        self.planned = outlook
        self._run = run

    @cached_property
    def real(self) -> Simulated:
        return replay(self._run)

    @property
    def error(self) -> float:
        """Of the predicted makespan, relative to the real one: 0.1 is 10 % too long."""
        return self.planned.makespan_seconds / self.real.makespan_seconds - 1

    def __repr__(self) -> str:
        planned, real = self.planned, self.real
        rows = [
            (cause, in_words(planned.causes[cause]), in_words(real.causes[cause]))
            for cause in CAUSES
        ]
        makespans = (in_words(planned.makespan_seconds), in_words(real.makespan_seconds))
        total = ("makespan", *makespans)
        shown = table(("critical path", "planned", "real"), [*rows, total])
        return f"{shown}\nthe prediction was {abs(self.error):.1%} too {self._direction}"

    @property
    def _direction(self) -> str:
        return "long" if self.error > 0 else "short"

    def frame(self) -> Table:
        """One row a task that was planned and has run."""
        return table_of(self._rows(), index="id")

    @property
    def critical_path(self) -> tuple[TaskId, ...]:
        """The tasks that the real end waited for, in order."""
        return tuple(stretch.task for stretch in self.real.critical_path)

    def _rows(self) -> Iterator[dict[str, object]]:
        planned = {stretch.task: stretch for stretch in self.planned.stretches()}
        for real in self.real.stretches():
            if real.task in planned:
                yield _row(planned[real.task], real)


def _row(planned: Stretch, real: Stretch) -> dict[str, object]:
    row: dict[str, object] = {
        "id": real.task,
        "planned_worker": planned.worker,
        "worker": real.worker,
    }
    for cause in CAUSES:
        row[f"planned_{cause}_seconds"] = planned.seconds(cause)
        row[f"{cause}_seconds"] = real.seconds(cause)
    row["planned_end_seconds"], row["end_seconds"] = planned.end_seconds, real.end_seconds
    return row
