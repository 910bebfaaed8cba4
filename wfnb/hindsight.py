"""A run that has ended beside its plan: where the time went, and where it was thought to go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from wfnb.errors import PlanError
from wfnb.events import Sample
from wfnb.graph import TaskId
from wfnb.listing import table
from wfnb.metrics import Table, table_of
from wfnb.predictions.explaining import in_words
from wfnb.simulator import CAUSES, Simulated, Stretch, replay
from wfnb.simulator import Ended as EndedRun

Causes = Mapping[str, float]


class Hindsight:
    """Per task and per cause: start, queue, download, execution, upload; all in seconds.

    What really happened is read from the run's own samples, played once more on its real workers.
    A worker measures fetching a value and making it of its bytes as one, and so does this table:
    both are download, and their opposites are upload.
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
        real = max(self.real.makespan_seconds, 1e-6)  # all of it may have been reused
        return self.planned.makespan_seconds / real - 1

    def __repr__(self) -> str:
        planned = _sums(map(self._planned_causes, self.planned.critical_path))
        real = _sums(map(self._real_causes, self.real.critical_path))
        rows = [(cause, in_words(planned[cause]), in_words(real[cause])) for cause in CAUSES]
        makespans = (self.planned.makespan_seconds, self.real.makespan_seconds)
        total = ("makespan", *map(in_words, makespans))
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
                yield self._row(planned[real.task], real)

    def _row(self, planned: Stretch, real: Stretch) -> dict[str, object]:
        row: dict[str, object] = {
            "id": real.task,
            "planned_worker": planned.worker,
            "worker": real.worker,
        }
        thought, was = self._planned_causes(planned), self._real_causes(real)
        for cause in CAUSES:
            row[f"planned_{cause}_seconds"] = thought[cause]
            row[f"{cause}_seconds"] = was[cause]
        row["planned_end_seconds"], row["end_seconds"] = planned.end_seconds, real.end_seconds
        return row

    def _planned_causes(self, stretch: Stretch) -> Causes:
        sample = self.planned.timeline[stretch.task].sample
        if sample is None:
            return _as_told(stretch)
        made = stretch.execution_seconds - sample.load_seconds - sample.call_seconds
        return _divided(stretch, sample, saved=made)

    def _real_causes(self, stretch: Stretch) -> Causes:
        sample = self._run.timeline[stretch.task].sample
        if sample is None:
            return _as_told(stretch)
        return _divided(stretch, sample, saved=sample.save_seconds)


def _divided(stretch: Stretch, sample: Sample, *, saved: float) -> Causes:
    """Loading, the call and `saved` were told as execution, and so was a hand-off before them."""
    told = dict(_as_told(stretch))
    told["download"] += sample.load_seconds
    told["execution"] = sample.call_seconds
    told["upload"] += saved
    told["queue"] += stretch.execution_seconds - sample.load_seconds - sample.call_seconds - saved
    return told


def _as_told(stretch: Stretch) -> Causes:
    return {cause: stretch.seconds(cause) for cause in CAUSES}


def _sums(several: Iterable[Causes]) -> Causes:
    rows = list(several)
    return {cause: sum(row[cause] for row in rows) for cause in CAUSES}
