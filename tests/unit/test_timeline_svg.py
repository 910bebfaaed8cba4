from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from tests.pictured import chain, graph_of
from tests.timed import START, claimed, done, followed, planned_for
from wfnb.timeline import TaskState, Timeline
from wfnb.widgets.chart_bars import Bar, bars_of, busy_shares, in_lanes, lanes_of, natural
from wfnb.widgets.palette import LOOKS
from wfnb.widgets.svg import clean
from wfnb.widgets.timeline_svg import timeline_svg

SVG = "{http://www.w3.org/2000/svg}"
NASTY = ["<script>alert(1)</script>", "]]><svg onload='x()'>", "bidi\u202eevil\x00\x1b[31m"]
PICTURES = {
    "nothing has run": Timeline(chain(3)),
    "one": followed(1),
    "few": followed(12, failing=1),
    "live": followed(30, open_tasks=4),
    "many": followed(2000, workers=90, failing=20),
}
pictures = pytest.mark.parametrize("timeline", PICTURES.values(), ids=PICTURES)


def tags(svg, tag):
    return list(ET.fromstring(svg).iter(SVG + tag))


def texts(svg, tag="text"):
    return [each.text for each in tags(svg, tag)]


def drawn(timeline, **options):
    return timeline_svg(timeline, now=START + 100, **options)


@pictures
def test_the_picture_is_well_formed_and_refers_to_nothing(timeline):
    svg = drawn(timeline, planned=planned_for(timeline))
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert [child.tag for child in root[:2]] == [SVG + "title", SVG + "desc"]
    used = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert used <= {"svg", "title", "desc", "g", "rect", "circle", "path", "text"}
    names = {name for each in root.iter() for name in each.attrib}
    assert not {name for name in names if name.startswith("on") or "href" in name or name == "id"}
    assert svg.count("http") == 1
    assert "nan" not in svg.lower()


@pictures
def test_everything_lies_inside(timeline):
    svg = drawn(timeline, planned=planned_for(timeline))
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    for rect in tags(svg, "rect"):
        left, size = float(rect.get("x", 0)), float(rect.get("width"))
        assert 0 <= left <= left + size <= width
        assert float(rect.get("y", 0)) <= height


def test_a_big_run_has_few_lanes_and_rectangles():
    timeline = followed(10_000, workers=500, failing=50)
    svg = timeline_svg(timeline, planned_for(timeline))
    assert len(tags(svg, "rect")) <= 1500
    assert sum("…" in text for text in texts(svg)) <= 80
    assert len(lanes_of(bars_of(timeline).workers)) == 500
    assert len(set(lanes_of(bars_of(timeline).workers).values())) <= 40
    assert "a bar may be several tasks" in texts(svg)


def test_states_are_counted_in_words_with_their_signs():
    svg = drawn(followed(12, failing=2))
    assert {"10 done", "2 failed"} <= set(texts(svg))
    assert "2 running" not in texts(svg)
    assert LOOKS[TaskState.FAILED].stroke in {path.get("d") for path in tags(svg, "path")}
    assert texts(svg, "desc") == ["10 done, 2 failed"]


def test_what_went_wrong_is_drawn_higher_than_the_rest():
    heights = {
        rect.get("fill"): float(rect.get("height"))
        for rect in tags(drawn(followed(9, failing=1)), "rect")
    }
    assert heights[LOOKS[TaskState.FAILED].colour] > heights[LOOKS[TaskState.DONE].colour]


def test_the_plan_is_drawn_before_what_happened_so_that_it_lies_behind():
    timeline = followed(6)
    told = texts(timeline_svg(timeline, planned_for(timeline)), "title")
    kinds = [text.startswith("planned: ") for text in told if " s to " in text]
    assert kinds == [True] * 6 + [False] * 6
    assert "planned" in texts(timeline_svg(timeline, planned_for(timeline)))


def test_a_simulated_timeline_is_a_plan_too():
    timeline = followed(2)
    simulated = Timeline(timeline.graph)
    simulated.record(done("load-0", "w9", 1.0, 2.0))
    svg = timeline_svg(timeline, simulated)
    assert "planned: load-0, 1.000 s to 2.000 s on w9" in texts(svg, "title")
    assert "w9" in texts(svg)


def test_what_is_running_is_drawn_until_now():
    timeline = Timeline(graph_of([("a", "f", [])]))
    timeline.record(claimed("a", "w1", START))
    svg = timeline_svg(timeline, now=START + 7)
    assert "a, running, 0.000 s to 7.000 s on w1" in texts(svg, "title")


def test_what_nobody_is_at_any_more_is_not_drawn():
    timeline = Timeline(graph_of([("a", "f", [])]))
    timeline.record(claimed("a", "w1", START))
    timeline.correct({"a": TaskState.QUEUED})
    assert bars_of(timeline, now=START + 7).bars == ()


def test_what_ran_when_a_run_was_cancelled_ends_with_it():
    timeline = Timeline(graph_of([("a", "f", []), ("b", "f", [])]))
    timeline.record(claimed("a", "w1", START))
    timeline.record(done("b", "w2", START, START + 3))
    timeline.correct({"a": TaskState.CANCELLED})
    (a, _) = bars_of(timeline, now=START + 99).bars
    assert (a.end, a.state) == (3, TaskState.CANCELLED)


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text_and_never_markup(name):
    timeline = Timeline(graph_of([(name, name, [])]))
    timeline.record(done(name, name, START, START + 1))
    svg = timeline_svg(timeline, note=name)
    assert clean(name) in texts(svg, "title")
    assert clean(name) in texts(svg)
    for forbidden in ("<script", "<svg onload", "\u202e", "\x00", "\x1b"):
        assert forbidden not in svg


def test_the_same_run_is_the_same_bytes():
    assert timeline_svg(followed(50)) == timeline_svg(followed(50))


def test_names_are_ordered_as_people_count():
    names = ["w10", "w2", "w1", "\u00b2", "host-2-w1", "", "host-10-w1"]
    ordered = sorted(names, key=natural)
    assert ordered == ["", "host-2-w1", "host-10-w1", "w1", "w2", "w10", "\u00b2"]


def test_bars_of_a_shared_lane_do_not_overlap_and_take_their_time():
    found = [
        Bar(lane=f"w{n % 2}", start=n, end=n + 1, state=TaskState.DONE, task=str(n))
        for n in range(20)
    ]
    (lane,) = set(lanes_of(["w0", "w1"], most=1).values())
    merged = in_lanes(found, {"w0": lane, "w1": lane}, most=4)
    assert len(merged) <= 4
    assert sum(bar.tasks for bar in merged) == 20
    assert sum(bar.end - bar.start for bar in merged) == pytest.approx(10)
    for one, other in pairwise(merged):
        assert one.end <= other.start


def test_shares_of_a_lane_are_those_of_its_workers():
    found = [Bar(lane="w0", start=0, end=10, state=TaskState.DONE, task="a")]
    assert busy_shares(found, {"w0": "both", "w1": "both"}, steps=2) == [[0.5, 0.5]]
