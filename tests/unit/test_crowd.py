"""Who waits in a pool, seen from one look to the next."""

from __future__ import annotations

from dataclasses import replace

from wfnb.workers.cell import CellView
from wfnb.workers.crowd import Crowd

PLANNED = CellView(pid=1, run="r", identity="left:1", joins=1, calls=3, is_planned=True)
FLEXIBLE = replace(PLANNED, identity="w1:2", is_planned=False)
IDLE = CellView(pid=1, joins=1, calls=3)


def seen(*looks):
    crowd = Crowd()
    return [crowd.waiting(views) for views in looks][-1]


def test_a_planned_worker_waits_that_has_begun_nothing_since_the_last_look():
    assert seen([PLANNED]) == []
    assert seen([PLANNED], [PLANNED]) == [0]
    assert seen([PLANNED], [replace(PLANNED, calls=4)]) == []


def test_one_that_is_at_a_task_or_in_another_run_does_not():
    at_a_task = replace(PLANNED, task="a-0")
    assert seen([at_a_task], [at_a_task]) == []
    assert seen([PLANNED], [replace(PLANNED, joins=2)]) == []


def test_nobody_else_waits():
    assert seen([FLEXIBLE, IDLE], [FLEXIBLE, IDLE]) == []


def test_new_places_count_from_their_second_look():
    assert seen([IDLE, PLANNED], [IDLE, PLANNED, PLANNED]) == [1]
