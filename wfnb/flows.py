"""What has a limited rate and is shared by those who use it at once, each as much as the others."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Generic, TypeVar

Job = TypeVar("Job")
_ROUNDING = 1 + 1e-9


class _Group:
    """Jobs of one cap: all get the same rate, so what one of them has got, each has got."""

    __slots__ = ("cap", "done", "jobs", "rate", "since")

    def __init__(self, cap: float, now: float) -> None:
        self.cap = cap
        self.rate = cap
        self.since = now
        self.done = 0.0
        """What a job would have got that is here from the beginning."""
        self.jobs: list[tuple[float, int]] = []
        """A heap: at which `done` each has all it needs, and its number."""

    @property
    def due(self) -> float:
        """When the first of them has all it needs."""
        return self.since + (self.jobs[0][0] - self.done) / self.rate


class Shared(Generic[Job]):
    """A rate for many: max-min fair, so nobody has less than another unless it can use no more.

    One that starts or ends changes the rates of the others. That costs a step for each cap in use,
    and nothing while there is enough for all.
    """

    def __init__(self, rate: float) -> None:
        self.due = float("inf")
        """When the next job ends, if none starts until then."""
        self._rate = rate
        self._groups: dict[float, _Group] = {}
        self._due_group: _Group | None = None
        self._jobs: dict[int, Job] = {}
        self._wanted = 0.0
        """What all jobs together could use."""
        self._is_short = False
        self._serial = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def start(self, job: Job, amount: float, *, cap: float, now: float) -> None:
        """From now on it uses up to `cap` a second, until it has got the amount."""
        group = self._groups.get(cap)
        if group is None:
            group = self._groups[cap] = _Group(cap, now)
        group.done += group.rate * (now - group.since)
        group.since = now
        self._serial += 1
        self._jobs[self._serial] = job
        heappush(group.jobs, (group.done + amount, self._serial))
        self._wanted += cap
        if self._share(now):
            self._look()
        elif (due := group.due) < self.due:
            self.due, self._due_group = due, group

    def finish(self) -> Job:
        """Take out the job that is due."""
        group = self._due_group
        assert group is not None
        now = self.due
        group.done, serial = heappop(group.jobs)
        group.since = now
        job = self._jobs.pop(serial)
        self._wanted -= group.cap
        if not group.jobs:
            del self._groups[group.cap]
        if not self._groups:
            self._wanted = 0.0
        self._share(now)
        self._look()
        return job

    def _look(self) -> None:
        self.due, self._due_group = float("inf"), None
        for group in self._groups.values():
            due = group.due
            if due < self.due:
                self.due, self._due_group = due, group

    def _share(self, now: float) -> bool:
        """Give everybody its rate; False if nobody's has changed."""
        was_short = self._is_short
        self._is_short = self._wanted > self._rate * _ROUNDING
        if not self._is_short and not was_short:
            return False
        left, users, groups = self._rate, len(self._jobs), self._groups
        for cap in sorted(groups) if len(groups) > 1 else groups:
            group = groups[cap]
            group.done += group.rate * (now - group.since)
            group.since = now
            group.rate = rate = min(cap, left / users) if self._is_short else cap
            left -= rate * len(group.jobs)
            users -= len(group.jobs)
        return True
