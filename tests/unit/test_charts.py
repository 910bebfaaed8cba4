from __future__ import annotations

import json
import sys
from functools import cache

import altair
import pandas
import pytest

from tests.pictured import graph_of
from tests.timed import START, claimed, done, failed, followed, planned_for, table_of
from wfnb.errors import OptionError, WfnbError
from wfnb.timeline import Timeline
from wfnb.widgets.chart_frames import MOST_ROWS, THE_REST
from wfnb.widgets.chart_marks import MOST_TOLD_APART
from wfnb.widgets.charts import (
    duration_chart,
    prediction_chart,
    timeline_chart,
    utilisation_chart,
)

CHARTS = (timeline_chart, utilisation_chart, duration_chart, prediction_chart)
every_chart = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)


def real(chart):
    return chart.data[chart.data["kind"] == "real"]


@cache
def big():
    """Shared, because it takes a while to make: a chart changes no table."""
    return table_of(followed(10_000, workers=100, failing=3))


@every_chart
def test_a_chart_is_valid_and_altairs_own(chart):
    made = chart(table_of(followed(12)))
    assert isinstance(made, altair.LayerChart)
    assert made.to_dict()["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    json.dumps(made.to_dict(), allow_nan=False)


@every_chart
def test_a_big_run_stays_below_the_most_rows_that_altair_takes(chart):
    spec = chart(big()).to_dict()
    assert max(map(len, spec["datasets"].values())) <= 40 * 61
    assert sum(map(len, spec["datasets"].values())) < 5000


def test_times_are_seconds_since_the_start_of_the_run():
    timeline = Timeline(graph_of([("a", "f", []), ("b", "g", [])]))
    timeline.record(claimed("a", "w1", START))
    timeline.record(done("a", "w1", START, START + 1.5))
    timeline.record(claimed("b", "w1", START + 2))
    made = real(timeline_chart(table_of(timeline), now=START + 5))
    assert made[["id", "state", "start", "end"]].values.tolist() == [
        ["a", "done", 0, 1.5],
        ["b", "running", 2, 5],
    ]


def test_a_table_may_hold_seconds_instead_of_instants():
    frame = table_of(followed(5))
    for name in ("start", "end"):
        frame[name] = (frame[name] - pandas.Timestamp(START, unit="s", tz="UTC")).dt.total_seconds()
    made = real(timeline_chart(frame))
    assert made["start"].min() == 0
    assert made["end"].max() == pytest.approx(frame["end"].max())


def test_a_later_attempt_is_named_as_such():
    timeline = Timeline(graph_of([("a", "f", [])]))
    timeline.record(claimed("a", "w1", START))
    timeline.record(failed("a", "w1", START + 1, is_final=False))
    timeline.record(claimed("a", "w2", START + 2, attempt=2))
    timeline.record(done("a", "w2", START + 2, START + 3, attempt=2))
    (row,) = real(timeline_chart(table_of(timeline))).to_dict("records")
    assert (row["label"], row["attempt"], row["worker"]) == ("a ↻2", 2, "w2")


def test_a_plan_stands_behind_what_happened():
    timeline = followed(6)
    made = timeline_chart(table_of(timeline), planned_for(timeline))
    assert made.data["kind"].tolist() == ["planned"] * 6 + ["real"] * 6
    first, *_ = made.layer
    assert first.to_dict()["transform"][-1] == {"filter": "datum.kind == 'planned'"}


def test_a_plan_without_its_columns_is_refused_by_their_names():
    frame = table_of(followed(3))
    with pytest.raises(OptionError, match="no column worker, start"):
        timeline_chart(frame, pandas.DataFrame({"id": ["a"], "end": [1.0]}))


def test_workers_are_in_the_order_in_which_people_count():
    made = timeline_chart(table_of(followed(40, workers=11)))
    lanes = made.to_dict()["layer"][0]["encoding"]["y"]["sort"]
    assert lanes == [f"w{at + 1}" for at in range(11)]


def test_no_more_than_forty_lanes_and_no_failure_is_lost_in_them():
    rows = real(timeline_chart(big()))
    assert rows["worker"].nunique() <= 40
    assert len(rows) <= MOST_ROWS
    assert rows["tasks"].sum() == 10_000
    assert rows[rows["state"] == "failed"]["tasks"].sum() == 3
    assert "w1 … w3" in set(rows["worker"])


def test_a_worker_that_never_rests_is_busy_all_the_time():
    timeline = Timeline(graph_of([("a", "f", []), ("b", "f", [])]))
    timeline.record(claimed("a", "w1", START))
    timeline.record(done("a", "w1", START, START + 4))
    timeline.record(done("b", "w2", START, START + 1))
    shares = utilisation_chart(table_of(timeline)).data.groupby("worker")["share"].mean()
    assert shares.to_dict() == pytest.approx({"w1": 1.0, "w2": 0.25})


def test_durations_are_summed_up_by_function_the_longest_first():
    made = duration_chart(table_of(followed(40)))
    summary = made.layer[0].data
    assert summary["function"].tolist() == ["train", "clean", "load", "report"]
    assert summary["tasks"].tolist() == [10, 10, 10, 10]
    assert (summary["quarter"] <= summary["median"]).all()


def test_predictions_come_from_the_plan_or_from_a_column():
    timeline = followed(8)
    planned = prediction_chart(table_of(timeline), planned_for(timeline)).layer[1].data
    assert planned["predicted_seconds"].tolist() == [1.0] * 8
    column = prediction_chart(table_of(timeline).assign(predicted_seconds=2)).layer[1].data
    assert column["predicted_seconds"].tolist() == [2.0] * 8


def test_the_worst_predictions_are_shown_however_many_there_are():
    timeline = followed(3000)
    frame = table_of(timeline)
    frame = frame.assign(predicted_seconds=frame["seconds"])
    frame.loc["clean-1000", "predicted_seconds"] = 100.0
    points = prediction_chart(frame).layer[1].data
    assert len(points) == MOST_ROWS
    assert "clean-1000" in set(points["id"])


def test_functions_that_cannot_be_told_apart_share_a_look():
    graph = graph_of([(f"t{n}", f"f{n}", []) for n in range(30)])
    timeline = Timeline(graph)
    for n in range(30):
        timeline.record(done(f"t{n}", "w1", START + n, START + n + 0.5))
    frame = table_of(timeline).assign(predicted_seconds=1)
    scale = prediction_chart(frame).to_dict()["layer"][1]["encoding"]["shape"]["scale"]
    assert len(scale["domain"]) == len(set(scale["range"])) == MOST_TOLD_APART
    assert scale["domain"][-1] == THE_REST


def test_without_altair_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(WfnbError, match=r"pip install wfnb\[charts\]"):
        timeline_chart(table_of(followed(2)))
