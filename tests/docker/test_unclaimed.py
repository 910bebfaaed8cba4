"""A task that a worker went on to by itself breaks its container's memory limit, each time."""

from __future__ import annotations

from collections import Counter

from tests.boxed import plus_one, swell
from tests.boxes import PATIENCE_SECONDS, started
from tests.docker.test_inside import container, store

__all__ = ["container", "store"]


def test_it_fails_in_the_end_with_its_limit_and_does_not_kill_for_ever(container, store):
    # A worker's first call takes long, and what follows it is claimed; what follows the second is
    # not, if that was short. After one death it is, so there is one record more at the most.
    run = started(store, swell(plus_one(plus_one(298))))
    assert run.wait(PATIENCE_SECONDS), "it kills for ever"
    assert run.status == "failed"
    assert {(record.task, record.kind) for record in run.errors} == {("swell-0", "memory")}
    assert len(run.errors) <= 2
    assert all("its limit is 134.2 MB" in record.message for record in run.errors)
    assert Counter(run.tasks["state"]) == {"done": 2, "failed": 1}
