"""The arithmetic and the table of `benchmarks.notebook`; nothing is measured here."""

from __future__ import annotations

import pytest

from benchmarks.notebook_budgets import (
    BUDGETS,
    Budget,
    Figures,
    busiest,
    line,
    share_below,
    table,
    wrong_counts,
)
from benchmarks.notebook_cases import CASES, behind, delays_ms, wrong_about
from wfnb.timeline import TaskState
from wfnb.widgets.telling import NUMBER

CLICK = Budget("click", "a click", "ms", 50)
RATIO = Budget("ratio", "a ratio", "", 0.9, is_higher_better=True)
DONE, RUNNING = NUMBER[TaskState.DONE], NUMBER[TaskState.RUNNING]


def test_a_line_is_the_median_of_the_rounds_beside_its_bound() -> None:
    figures = Figures()
    for value in (40.0, 400.0, 50.0):
        figures.add({"click": value})
    assert line(CLICK, figures) == "| a click | 50 ms (40 to 400) | <= 50 ms | met |"


@pytest.mark.parametrize(("value", "word"), [(0.9, "met"), (0.89, "**missed**")])
def test_where_more_is_better_the_bound_is_the_least(value: float, word: str) -> None:
    assert line(RATIO, Figures({"ratio": [value]})).endswith(f"| >= 0.9 | {word} |")


def test_what_could_not_be_measured_is_never_a_figure() -> None:
    figures = Figures()
    figures.lack(["click"], "no kernel")
    assert line(CLICK, figures) == "| a click | not measured: no kernel | <= 50 ms | |"
    assert table(Figures()).count("not measured: not asked for") == len(BUDGETS)


def test_every_case_measures_what_has_a_budget() -> None:
    measured = [key for keys in CASES.values() for key in keys]
    assert sorted([*measured, "warnings"]) == sorted(budget.key for budget in BUDGETS)


def test_the_share_below_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (share_below(values, 0.95), share_below(values, 0.5)) == (95.0, 50.0)
    assert share_below([7.0], 0.95) == 7.0


def test_the_busiest_window_may_begin_anywhere() -> None:
    assert busiest([0, 900, 1000, 1100, 1899, 1900, 5000], window=1000) == 4
    assert busiest([], window=1000) == 0


def test_a_change_is_late_by_the_first_frame_that_showed_it_or_something_newer() -> None:
    frames = [
        {"shown": 1_000_200.0, "rows": [[0, RUNNING, 1, 0, 0.1, None]]},
        {"shown": 1_000_500.0, "rows": [[0, DONE, 1, 0, 0.1, 0.4], [1, DONE, 1, 0, 0.3, 0.45]]},
    ]
    delays = delays_ms(frames, 1000.0, since=1000.0)
    assert delays == pytest.approx([100, 100, 200, 50])
    assert delays_ms(frames, 1000.0, since=1000.35) == pytest.approx([100, 50])


def test_a_frame_that_lacks_what_was_told_is_behind() -> None:
    rows = [[0, DONE, 1, 0, 0.1, 0.4]]
    assert behind([{"rows": rows, "done": 1}, {"rows": [], "done": 0}]) == 1


@pytest.mark.parametrize(("done", "wrong"), [(1, 1), (2, 0), (3, 0), (4, 1)])
def test_a_picture_may_lack_only_what_has_just_happened(done: int, wrong: int) -> None:
    picture = {"at": 10_000.0, "done": done}
    assert wrong_about(picture, [8.0, 9.0, 9.9, 10.1]) == wrong


def test_counts_are_compared_state_by_state() -> None:
    assert wrong_counts([3, 0, 1], [2, 1, 1]) == 2
