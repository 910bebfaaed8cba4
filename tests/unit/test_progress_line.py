from __future__ import annotations

import pytest

from wfnb.timeline import TaskState
from wfnb.widgets.progress_line import progress_line, progress_summary, shares

HALF = {TaskState.DONE: 20, TaskState.RUNNING: 4, TaskState.WAITING: 16}


def test_the_line_says_how_far_a_run_has_come():
    assert (
        progress_line(HALF, elapsed_seconds=3.21, width=20)
        == "██████████▓▓░░░░░░░░ 20/40 done · 4 running · 3.2 s"
    )


def test_a_run_without_workers_says_that_its_tasks_are_queued():
    counts = {TaskState.QUEUED: 3, TaskState.WAITING: 1}
    assert " 0/4 done · 3 queued · " in progress_line(counts, elapsed_seconds=1.0)
    assert "queued" not in progress_line({**counts, TaskState.RUNNING: 1}, elapsed_seconds=1.0)


def test_one_failure_among_many_is_seen():
    counts = {TaskState.DONE: 9_999, TaskState.FAILED: 1}
    line = progress_line(counts, elapsed_seconds=75, width=10)
    assert line == "█████████✗ 9,999/10,000 done · 1 failed · 1:15"


def test_a_bar_is_full_only_when_all_is_done():
    almost = {TaskState.DONE: 9_999, TaskState.WAITING: 1}
    assert "░" in progress_line(almost, elapsed_seconds=1.0)
    assert "░" not in progress_line({TaskState.DONE: 10_000}, elapsed_seconds=1.0)


@pytest.mark.parametrize("width", [0, 1, 5, 13, 40, 200])
def test_a_bar_is_as_wide_as_asked(width):
    counts = dict.fromkeys(TaskState, 3)
    assert len(progress_line(counts, elapsed_seconds=0.0, width=width).split(" ")[0]) == width


def test_a_run_of_no_tasks_has_a_line_too():
    assert progress_line({}, elapsed_seconds=0.0, width=5) == "░░░░░ 0/0 done · 0.0 s"


def test_counts_of_zero_are_not_told():
    assert "failed" not in progress_line({**HALF, TaskState.FAILED: 0}, elapsed_seconds=1.0)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.96, "10 s"), (59.6, "1:00"), (187, "3:07"), (3727, "1:02:07")],
)
def test_elapsed_time_is_short(seconds, shown):
    assert progress_line(HALF, elapsed_seconds=seconds).endswith(f" · {shown}")


def test_shares_add_up_and_are_fair():
    assert shares([1, 1, 1], 10) == [4, 3, 3]
    assert shares([0, 0], 10) == [0, 0]
    assert sum(shares([1, 10**6, 1, 1], 3)) == 3


def test_a_summary_says_that_all_is_done():
    assert progress_summary({TaskState.DONE: 40}, elapsed_seconds=3.2) == "✓ 40 tasks done in 3.2 s"
    assert progress_summary({TaskState.DONE: 1}, elapsed_seconds=61) == "✓ 1 task done in 1:01"


def test_a_summary_counts_what_was_reused():
    counts = {TaskState.DONE: 30, TaskState.REUSED: 10}
    assert progress_summary(counts, elapsed_seconds=1.0) == (
        "✓ 40 tasks done in 1.0 s, 10 of them reused"
    )


def test_a_summary_says_what_is_missing():
    counts = {TaskState.DONE: 37, TaskState.FAILED: 1, TaskState.UPSTREAM_FAILED: 2}
    assert progress_summary(counts, elapsed_seconds=3.2) == (
        "✗ 37 of 40 tasks done after 3.2 s: 1 failed, 2 upstream-failed"
    )
    stopped = {TaskState.DONE: 1, TaskState.CANCELLED: 2}
    assert progress_summary(stopped, elapsed_seconds=3.2) == (
        "□ 1 of 3 tasks done after 3.2 s: 2 cancelled"
    )
