"""Charts as a notebook shows them, drawn by vl-convert, which takes a while and opens sockets."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import altair
import pytest

from tests.pictured import chain, graph_of
from tests.timed import START, done, followed, planned_for, table_of
from wfnb.errors import WfnbError
from wfnb.timeline import Timeline
from wfnb.widgets import charts
from wfnb.widgets.charts import (
    chart_bundle,
    chart_svg,
    duration_chart,
    prediction_chart,
    timeline_chart,
    utilisation_chart,
)

SVG = "{http://www.w3.org/2000/svg}"
CHARTS = (timeline_chart, utilisation_chart, duration_chart, prediction_chart)
every_chart = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)


@pytest.fixture(scope="module", autouse=True)
def drawer():
    """The drawer's own threads and sockets come with its first picture and stay."""
    chart_svg(altair.Chart(altair.Data(values=[])).mark_point())


def texts(svg):
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter(SVG + "text")]


@pytest.fixture
def no_drawer(monkeypatch):
    monkeypatch.setattr(charts, "can_draw", lambda: False)


@every_chart
def test_a_run_that_has_not_begun_has_a_chart_with_axes(chart):
    made = chart(table_of(Timeline(chain(3))))
    svg = chart_svg(made)
    assert "1 s" in texts(svg) or "1.0" in texts(svg)
    assert "NaN" not in svg


@every_chart
def test_charts_can_be_changed_and_combined(chart):
    made = chart(table_of(followed(12)))
    narrow = made.properties(width=200, title="mine")
    assert type(narrow) is type(made)
    for combined in (made | narrow, made & narrow, made.interactive(), made.copy()):
        ET.fromstring(chart_svg(combined))


def test_states_are_told_by_signs_and_not_by_colour_alone():
    shown = texts(chart_svg(timeline_chart(table_of(followed(6, failing=1)))))
    assert {"✓ done", "✗ failed"} <= set(shown)
    assert any(text.startswith("✗ ") and text != "✗ failed" for text in shown)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a'+alert(1)+'", "bidi\u202ex\x00"])
def test_names_are_text_and_never_markup(name):
    timeline = Timeline(graph_of([(name, name, [])]))
    timeline.record(done(name, name, START, START + 1))
    frame = table_of(timeline).assign(predicted_seconds=1)
    for chart in CHARTS:
        svg = chart_svg(chart(frame))
        ET.fromstring(svg)
        for forbidden in ("<script", "\u202e", "\x00"):
            assert forbidden not in svg


def test_a_notebook_gets_a_picture_that_refers_to_nothing():
    bundle = timeline_chart(table_of(followed(4)))._repr_mimebundle_()
    assert bundle["text/plain"] == "<timeline: 4 tasks on 3 workers>"
    root = ET.fromstring(bundle["image/svg+xml"])
    assert root.get("aria-label") == "timeline: 4 tasks on 3 workers"
    assert root.get("role") == "img"
    assert not [n for each in root.iter() for n in each.attrib if "href" in n or n[:2] == "on"]


def test_a_renderer_that_was_chosen_is_obeyed():
    chart = timeline_chart(table_of(followed(4)))
    with altair.renderers.enable("json"):
        assert "application/json" in chart._repr_mimebundle_()[0]


@pytest.mark.usefixtures("no_drawer")
def test_without_vl_convert_a_timeline_is_drawn_by_hand_and_the_remedy_is_named():
    timeline = followed(4, failing=1)
    bundle = chart_bundle(timeline_chart(table_of(timeline), planned_for(timeline)))
    assert "pip install wfnb[charts]" in bundle["text/plain"]
    shown = texts(bundle["image/svg+xml"])
    assert {"3 done", "1 failed", "planned", "w1"} <= set(shown)
    assert any("pip install wfnb[charts]" in text for text in shown)
    assert "image/svg+xml" not in chart_bundle(duration_chart(table_of(timeline)))
    with pytest.raises(WfnbError, match="vl-convert"):
        chart_svg(duration_chart(table_of(timeline)))
