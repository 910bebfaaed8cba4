"""The benchmarks' arithmetic and table; nothing is measured here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import campaign, cases, contestants, report

FANOUT = next(m for m in cases.METRICS if m.title.startswith("10,000"))
CHAIN = next(m for m in cases.METRICS if m.case == "chain_200")


def row(engine: str, metric: cases.Metric, value: float, *, foreign: float = 0.0) -> dict[str, Any]:
    return {
        "peer": engine,
        "workload": metric.case,
        metric.field: value,
        "foreign_cores": foreign,
        "round": 1,
    }


def reached(*rows: dict[str, Any]) -> dict[tuple[str, cases.Metric], report.Figure]:
    return report.figures(rows, most_foreign=0.2)


def test_every_metric_measures_a_case_that_exists() -> None:
    assert {metric.case for metric in cases.METRICS} <= set(cases.CASES)


def test_a_figure_is_the_median_of_the_quiet_samples() -> None:
    rows = [row("wfnb", CHAIN, value) for value in (0.3, 0.1, 0.2)]
    rows.append(row("wfnb", CHAIN, 9.0, foreign=1.5))
    one = reached(*rows)["wfnb", CHAIN]
    assert (one.median, one.lowest, one.highest, one.samples) == (0.2, 0.1, 0.3, 3)
    assert not one.is_noisy


def test_noisy_samples_are_used_and_marked_when_there_are_no_others() -> None:
    one = reached(row("wfnb", CHAIN, 9.0, foreign=1.5))["wfnb", CHAIN]
    assert one.is_noisy
    assert report.spread(one) == "±0%*"


@pytest.mark.parametrize(
    ("ours", "theirs", "is_higher_better", "times"),
    [(30.0, 10.0, True, 3.0), (10.0, 30.0, True, 1 / 3), (0.1, 5.0, False, 50.0)],
)
def test_a_ratio_above_one_always_means_that_wfnb_is_better(
    ours: float,
    theirs: float,
    is_higher_better: bool,  # noqa: FBT001 - a column of the table above
    times: float,
) -> None:
    ratio = report.times_better(ours, theirs, is_higher_better=is_higher_better)
    assert ratio == pytest.approx(times)


@pytest.mark.parametrize(("chain_ms", "word"), [(0.05, "met"), (0.10, "met"), (0.11, "**missed**")])
def test_a_bound_in_the_unit_is_met_or_missed(chain_ms: float, word: str) -> None:
    assert report.verdict(CHAIN, reached(row("wfnb", CHAIN, chain_ms))) == word


def test_a_bound_on_two_engines_is_judged_for_each() -> None:
    rows = [row("wfnb", FANOUT, 30_000), row("process_pool", FANOUT, 15_000)]
    assert report.verdict(FANOUT, reached(*rows)) == "met, unknown"
    rows.append(row("dask", FANOUT, 1_000))
    assert report.verdict(FANOUT, reached(*rows)) == "met, **missed**"
    assert [report.describe(FANOUT, target) for target in FANOUT.targets] == [
        ">= 2x process_pool",
        ">= 40x dask",
    ]


def test_without_our_own_row_nothing_is_known() -> None:
    assert report.verdict(CHAIN, reached(row("dask", CHAIN, 5.0))) == "unknown"


def test_the_table_shows_target_verdict_and_ratio_and_leaves_out_what_was_not_asked() -> None:
    rows = [row("dask", CHAIN, 5.9), row("wfnb", CHAIN, 0.05), row("wfnb", CHAIN, 0.07)]
    lines = report.table(rows, most_foreign=0.2).splitlines()
    assert lines[0] == "| workload | unit | wfnb | target | met? | dask |"
    assert lines[2:] == [
        "| chain of 200 no-ops | ms/hop | 0.06 ±17% | <= 0.1 | met | 5.9 ±0% (98.3x) |"
    ]


def test_what_failed_is_seen_in_the_table_and_told_once_below_it() -> None:
    cases_ = ("chain_200", "build_10k", "chain_200")
    failed = [
        {"peer": "wfnb", "workload": case, "n": None, "failed": "no answer"} for case in cases_
    ]
    assert report.troubles(failed) == ["wfnb failed chain_200, build_10k: no answer"]
    shown = report.table([*failed, row("dask", CHAIN, 5.9)], most_foreign=0.2)
    assert "| chain of 200 no-ops | ms/hop | failed | <= 0.1 | unknown | 5.9 ±0% |" in shown


def test_an_engine_that_builds_nothing_is_not_worth_a_note() -> None:
    skipped = {"peer": "ray", "workload": "build_10k", "n": None, "skipped": "not lazy"}
    assert report.troubles([skipped]) == []


def test_rows_are_found_among_what_an_engine_prints() -> None:
    assert campaign.parse('hello\n{"peer": "dask", "n": 1}\n{}\n') == [{"peer": "dask", "n": 1}]


def test_without_the_peers_folder_the_own_floors_run_and_the_rest_is_explained() -> None:
    found, missing = contestants.assemble(["wfnb", "redis_floor", "ray"], None, Path("nowhere"))
    assert [one.name for one in found] == ["wfnb", "redis_floor"]
    assert missing == ["ray: not run, no peers' folder (give --peers or WFNB_PEERS_CODE)"]
