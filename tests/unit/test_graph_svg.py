from __future__ import annotations

import re
import unicodedata
from itertools import combinations
from math import dist
from xml.etree import ElementTree as ET

import pytest

from tests.pictured import chain, five, graph_of, grid, timeline_of, tree
from wfnb.graph import Graph, TaskId
from wfnb.timeline import TaskState, Timeline
from wfnb.widgets.cards import card, seen
from wfnb.widgets.drawing import draw
from wfnb.widgets.folding import fold
from wfnb.widgets.graph_svg import graph_svg
from wfnb.widgets.graph_text import graph_text
from wfnb.widgets.palette import INK, LINE, LOOKS, MUTED_INK, NEUTRAL, overall
from wfnb.widgets.svg import clean, shorten, text_width

SVG = "{http://www.w3.org/2000/svg}"
NASTY = [
    "<script>alert(1)</script>",
    "]]><svg onload='x()'>",
    "a\"b'c&amp;d",
    "control\x00\x1b[31m\x7f\x9b",
    "bidi\u202eevil\u2066x\u2069",
    "lines\nand\u2028more\r",
    "lone\ud800 \ufffe\uffff",
    "/etc/passwd",
]
# Machado, Oliveira, Fernandes 2009: what people without red or green receptors see (linear RGB).
SIGHTS = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
TO_XYZ = ((0.41246, 0.35758, 0.18044), (0.21267, 0.71515, 0.07217), (0.01933, 0.11919, 0.95030))
WHITE = (0.95047, 1.0, 1.08883)


def linear(colour):
    parts = [part / 255 for part in bytes.fromhex(colour[1:])]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def through(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(rgb):
    rgb = [min(1, max(0, part)) for part in rgb]
    scaled = [part / white for part, white in zip(through(TO_XYZ, rgb), WHITE, strict=True)]
    x, y, z = (s ** (1 / 3) if s > 0.008856 else 7.787 * s + 16 / 116 for s in scaled)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def contrast(one, other):
    low, high = sorted(through(TO_XYZ, linear(colour))[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def all_states() -> tuple[Graph, Timeline]:
    graph = graph_of([(state.value, "f", []) for state in TaskState])
    return graph, timeline_of(graph, {state.value: state for state in TaskState})


def half_done(graph: Graph) -> Timeline:
    states = {}
    for at, task in enumerate(graph):
        states[task] = TaskState.DONE if at < len(graph) / 2 else TaskState.WAITING
    states[graph.ids[len(graph) // 2]] = TaskState.RUNNING
    return timeline_of(graph, states)


PICTURES = {
    "no tasks": (graph_of([]), None),
    "one task": (chain(1), None),
    "five": (five(), half_done(five())),
    "tree": (tree(100), half_done(tree(100))),
    "chain": (chain(40), half_done(chain(40))),
    "thousand": (grid(8, 125), half_done(grid(8, 125))),
    "many edges": (grid(6, 19), None),
    "all states": all_states(),
    "nasty": (graph_of([(name, name, NASTY[:at]) for at, name in enumerate(NASTY)]), None),
}
pictures = pytest.mark.parametrize(("graph", "timeline"), PICTURES.values(), ids=PICTURES)


def texts(svg, tag="text"):
    return [each.text for each in ET.fromstring(svg).iter(SVG + tag)]


def test_every_state_has_a_look_of_its_own():
    assert set(LOOKS) == set(TaskState)
    assert [look.word for look in LOOKS.values()] == [state.value for state in LOOKS]
    for field in ("colour", "word", "icon", "stroke"):
        assert len({getattr(look, field) for look in LOOKS.values()}) == len(TaskState)


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_of_states_differ_for_every_eye(sight):
    seen_as = {s: lab(through(SIGHTS[sight], linear(look.colour))) for s, look in LOOKS.items()}
    nearest = min(combinations(seen_as, 2), key=lambda two: dist(*(seen_as[s] for s in two)))
    assert dist(*(seen_as[state] for state in nearest)) >= 15, nearest


@pytest.mark.parametrize("look", LOOKS.values(), ids=lambda look: look.word)
def test_text_is_legible_on_every_fill(look):
    assert contrast(look.ink, look.colour) >= 4.5
    assert contrast(INK, look.tint) >= 4.5
    assert contrast(MUTED_INK, look.tint) >= 4.5


def test_text_and_lines_are_visible_on_light_and_dark_pages():
    assert contrast(INK, NEUTRAL) >= 4.5
    assert contrast(MUTED_INK, NEUTRAL) >= 4.5
    assert min(contrast(LINE, page) for page in ("#ffffff", "#111111")) >= 3


@pytest.mark.parametrize("look", LOOKS.values(), ids=lambda look: look.word)
def test_icons_in_text_are_one_column_wide(look):
    for sign in (look.icon, look.bar):
        assert len(sign) == 1
        assert unicodedata.east_asian_width(sign) not in "WF"


def test_a_fold_shows_its_loudest_state():
    assert overall({}) is None
    assert overall({TaskState.DONE: 9, TaskState.FAILED: 1}) is TaskState.FAILED
    assert overall({TaskState.DONE: 9, TaskState.WAITING: 1}) is TaskState.RUNNING
    assert overall({TaskState.WAITING: 9, TaskState.QUEUED: 1}) is TaskState.QUEUED
    assert overall({TaskState.DONE: 2, TaskState.REUSED: 3}) is TaskState.REUSED


@pictures
def test_the_picture_is_well_formed_and_refers_to_nothing(graph, timeline):
    svg = graph_svg(graph, timeline)
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert [child.tag for child in root[:2]] == [SVG + "title", SVG + "desc"]
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "rect", "circle", "path", "text"}
    names = {name for each in root.iter() for name in each.attrib}
    assert not {name for name in names if name.startswith("on") or "href" in name or name == "id"}
    assert "url(" not in svg
    assert svg.count("http") == 1


@pictures
def test_the_same_graph_is_the_same_bytes(graph, timeline):
    assert graph_svg(graph, timeline) == graph_svg(graph, timeline)
    assert graph_text(graph, timeline) == graph_text(graph, timeline)


@pictures
def test_no_two_cards_overlap_and_all_lie_inside(graph, timeline):
    known, folded = seen(graph, timeline), fold(graph)
    cards = {f.id: card(f, known, targets=frozenset(graph.targets)) for f in folded.folds}
    drawing = draw(folded, cards)
    for a, b in combinations([drawing.boxes[name] for name in cards], 2):
        apart = a.right < b.x or b.right < a.x or a.bottom < b.top or b.bottom < a.top
        assert apart, (a, b)
    for box in drawing.boxes.values():
        assert box.x >= 0
        assert box.top >= -0.1
        assert box.right <= drawing.right
        assert box.bottom <= drawing.bottom


@pictures
def test_every_text_fits_the_shape_behind_it(graph, timeline):
    root = ET.fromstring(graph_svg(graph, timeline))
    for group in root.iter(SVG + "g"):
        shapes, labels = group.findall(SVG + "rect"), group.findall(SVG + "text")
        for label in labels:
            end = float(label.get("x")) + text_width(label.text, size=float(label.get("font-size")))
            assert end <= float(shapes[0].get("width")) + float(shapes[0].get("x", 0)) + 0.1


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text_and_never_markup(name):
    graph = graph_of([(name, name, []), ("end", "end", [name])])
    svg = graph_svg(graph)
    assert clean(name) in texts(svg, "title")
    for forbidden in (
        "<script",
        "<svg onload",
        "\x00",
        "\x1b",
        "\u202e",
        "\u2066",
        "\ud800",
        "\uffff",
    ):
        assert forbidden not in svg
    svg.encode()
    listing = graph_text(graph)
    assert len(listing.splitlines()) == 4
    assert clean(listing.replace("\n", "")) == listing.replace("\n", "")


def test_a_worker_name_is_text_too():
    graph = chain(1)
    timeline = timeline_of(graph, {})
    timeline._change(TaskId("step-0"), state=TaskState.RUNNING, worker="<b>\u202e")
    assert "<b>\ufffd" in texts(graph_svg(graph, timeline))


def test_a_long_name_keeps_its_ends_and_is_whole_in_the_tooltip():
    name = "fit_gradient_boosting_model_with_a_very_long_name-17"
    svg = graph_svg(graph_of([(name, name, [])]))
    shown = next(text for text in texts(svg) if "…" in text)
    assert shown.startswith("fit_grad")
    assert shown.endswith("-17")
    assert name in texts(svg, "title")


@pytest.mark.parametrize("text", ["W" * 60, "i" * 200, "タスク" * 40, "e\u0301" * 99, "x" * 10**6])
def test_shortened_text_is_never_wider_than_asked(text):
    assert text_width(shorten(text, width=120, size=12), size=12) <= 120


def test_states_that_occur_are_explained_and_no_others():
    svg = graph_svg(five(), half_done(five()))
    assert {"2 done", "1 running", "2 waiting", "5 tasks", "target"} <= set(texts(svg))
    assert "failed" not in svg


def test_a_picture_without_a_run_shows_no_states():
    assert not any(look.word in graph_svg(five()) for look in LOOKS.values())


def test_readers_of_a_failed_task_are_shown_as_upstream_failed():
    graph = five()
    known = seen(graph, timeline_of(graph, {"clean": TaskState.FAILED}))
    assert known.states["report"] is TaskState.UPSTREAM_FAILED
    assert known.states["load"] is TaskState.WAITING


def test_folds_show_counts_and_a_bar_of_their_states():
    graph = tree(100)
    timeline = timeline_of(graph, {f"count-{n}": TaskState.DONE for n in range(60)})
    svg = graph_svg(graph, timeline)
    assert "60 / 100 done" in texts(svg)
    assert "202 tasks in 30 nodes" in texts(svg)
    bars = [r for r in ET.fromstring(svg).iter(SVG + "rect") if r.get("height") == "4"]
    assert LOOKS[TaskState.DONE].colour in {bar.get("fill") for bar in bars}


def test_a_picture_shrinks_to_the_page_and_a_long_chain_goes_on_below():
    svg = graph_svg(chain(20))
    assert 'width="100%"' in svg
    assert "max-width:100%" in graph_svg(chain(3))
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    assert width < 1300
    assert height > 120


@pictures
def test_the_text_has_at_most_twenty_lines_of_a_hundred_columns(graph, timeline):
    lines = graph_text(graph, timeline).splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 100


def test_the_text_of_a_small_graph_names_its_tasks():
    assert graph_text(five(), half_done(five())).splitlines() == [
        "graph of 5 tasks, 5 functions, 5 levels",
        " ✓  load    done  -> clean",
        " ✓  clean   done  -> train, score",
        " ▸  train   running  -> score",
        " ·  score   waiting  -> report",
        " ·  report  waiting",
        "target: report",
    ]


def test_the_text_of_a_big_graph_names_its_functions():
    assert graph_text(tree(100)).splitlines() == [
        "graph of 202 tasks, 2 functions, 8 levels",
        "   count  x 100  -> merge",
        "   merge  x 102",
        "target: merge-101",
    ]


def test_the_text_of_many_functions_says_how_many_more():
    listing = graph_text(graph_of([(f"t{n}", f"f{n}", []) for n in range(500)]))
    assert "  … 483 more functions, 483 tasks" in listing.splitlines()
