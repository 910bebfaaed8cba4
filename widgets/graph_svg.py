"""A graph as one SVG: for saved notebooks, PDF, GitHub, and wherever no kernel answers.

Cards are opaque and carry their own inks, so the picture reads the same on a light page and on a
dark one. No times are drawn: the same graph in the same states is the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import log2

from wfnb.graph import Graph, TaskId
from wfnb.sizes import sized
from wfnb.timeline import TaskState, Timeline
from wfnb.widgets.cards import Card, Seen, card, seen
from wfnb.widgets.drawing import NAME, NOTE, WIDEST, Box, Drawing, draw, marks_width, text_left
from wfnb.widgets.folding import Folded, fold
from wfnb.widgets.legend import Chip, badge, bullseye, chip_rows, draw_chips, row_width
from wfnb.widgets.palette import INK, LINE, LOOKS, MUTED_INK, NEUTRAL, STALE, Look, in_words, mix
from wfnb.widgets.progress_line import shares
from wfnb.widgets.svg import FONT, Element, element, number, shorten, words, written

_MARGIN = 12.0
_FITS_ANYWHERE = 960.0
"""Pixels; what is wider takes the width of the page, whatever that is."""
_CROWD = 120
_LOUD = frozenset({TaskState.RUNNING, TaskState.FAILED, TaskState.RETRYING})


def graph_svg(
    graph: Graph,
    timeline: Timeline | None = None,
    *,
    stale: Collection[TaskId] = (),
    unfolded: Collection[TaskId] = (),
) -> str:
    """Draw a graph; coloured by the states of `timeline` when there is one.

    `stale` tasks are marked; the maps in `unfolded` show their items.
    """
    known, folded = seen(graph, timeline), fold(graph, unfolded=unfolded)
    targets, changed = frozenset(graph.targets), frozenset(stale)
    cards = {f.id: card(f, known, targets=targets, stale=changed) for f in folded.folds}
    drawing = draw(folded, cards)
    chips = list(_chips(drawing, folded, known))
    across = max(drawing.right, min(460.0, row_width(chips)))
    rows = list(chip_rows(chips, across))
    height = drawing.bottom + 22 + 26 * len(rows) if drawing.cards else 26.0
    root = _root(across + 2 * _MARGIN, height + 2 * _MARGIN)
    words(root, "title", f"graph of {sized(folded.tasks, folded.maps)}")
    words(root, "desc", in_words(known.counts) or "nothing has run")
    shift = f"translate({number(_MARGIN)} {number(_MARGIN)})"
    canvas = element(root, "g", transform=shift)
    _draw_edges(canvas, drawing)
    for name, shown in drawing.cards.items():
        _draw_card(canvas, shown, drawing.boxes[name])
    for line, row in enumerate(rows):
        draw_chips(canvas, row, drawing.bottom + 22 + 26 * line if drawing.cards else 0.0)
    return written(root)


def _root(width: float, height: float) -> Element:
    # JupyterLab puts it in an <img> without a limit, so a wide one must have no width of its own.
    is_wide = width > _FITS_ANYWHERE
    size = {"width": "100%"} if is_wide else {"width": number(width), "height": number(height)}
    return element(
        None,
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        **size,
        viewBox=f"0 0 {number(width)} {number(height)}",
        style=f"max-width:{number(width) + 'px' if is_wide else '100%'};height:auto",
        role="img",
        font_family=FONT,
    )


# Edges


def _draw_edges(canvas: Element, drawing: Drawing) -> None:
    lines = element(canvas, "g", fill="none", stroke=LINE)
    if len(drawing.curves) > _CROWD:
        lines.set("stroke-opacity", "0.6")
    for edge, curve in drawing.curves.items():
        width = 1.3 + min(2.2, log2(drawing.weights[edge]) / 4)
        element(lines, "path", d=curve, stroke_width=width)
    heads = element(canvas, "g", fill=LINE)
    for end in dict.fromkeys(end for _, end in drawing.curves):
        box = drawing.boxes[end]
        element(heads, "path", d=f"M{number(box.x - 1)} {number(box.y)}l-7.5-4v8z")


# Cards


def _draw_card(canvas: Element, shown: Card, box: Box) -> None:
    state = shown.state
    look = LOOKS[state] if state is not None else None
    group = element(canvas, "g", transform=f"translate({number(box.x)} {number(box.top)})")
    words(group, "title", shown.tooltip)
    for rank in (2, 1) if shown.is_folded else ():
        _sheet(group, box, look, down=3.0 * rank)
    face = _sheet(group, box, look, down=0.0)
    if state in _LOUD:
        face.set("stroke-width", "2")
    if look is not None:
        badge(group, look, x=16.0, y=16.0)
    _write(group, shown, box)
    if shown.is_target:
        bullseye(group, x=box.width - 13, y=16.0)
    if shown.stale:
        _dashes(group, box)
        badge(group, STALE, x=box.width - marks_width(shown) + 16, y=16.0)
    if shown.is_folded and shown.counts:
        _bar(group, shown.counts, box)


def _sheet(group: Element, box: Box, look: Look | None, *, down: float) -> Element:
    """Draw the face of a card or, further down, of one that lies beneath it."""
    return element(
        group,
        "rect",
        x=down,
        y=down,
        width=box.width,
        height=box.height,
        rx=8,
        fill=look.tint if look else NEUTRAL,
        stroke=mix(look.colour, LINE, share=0.35) if look else LINE,
        stroke_width=1.2,
    )


def _dashes(group: Element, box: Box) -> None:
    """A second border, inside the card: beyond it the page may be as dark as the dashes."""
    width, height = box.width - 6, box.height - 6
    lines = {"stroke": MUTED_INK, "stroke_width": 1.2, "stroke_dasharray": "5 3.5"}
    element(group, "rect", x=3, y=3, width=width, height=height, rx=5.5, fill="none", **lines)


def _write(group: Element, shown: Card, box: Box) -> None:
    left = text_left(shown)
    name = shorten(shown.name, width=WIDEST, size=NAME)
    style = {"font_size": NAME, "font_weight": 600 if shown.is_folded else 500, "fill": INK}
    words(group, "text", name, x=left, y=20.4, **style)
    if shown.note:
        note = shorten(shown.note, width=WIDEST, size=NOTE)
        words(group, "text", note, x=left, y=34.5, font_size=NOTE, fill=MUTED_INK)


def _bar(group: Element, counts: Mapping[TaskState, int], box: Box) -> None:
    """Show the states of a fold as one stacked bar."""
    left, span = 10.0, int(box.width - 20)
    y = box.height - 10
    widths = shares([counts.get(state, 0) for state in LOOKS], span)
    for look, width in zip(LOOKS.values(), widths, strict=True):
        if width:
            element(group, "rect", x=left, y=y, width=width, height=4, fill=look.colour)
            left += width


def _chips(drawing: Drawing, folded: Folded, known: Seen) -> Iterator[Chip]:
    shown, tasks = len(folded.folds), sized(folded.tasks, folded.maps)
    is_fewer = shown < folded.tasks + folded.maps
    nodes = "1 node" if shown == 1 else f"{shown:,} nodes"
    yield Chip(text=f"{tasks} in {nodes}" if is_fewer else tasks)
    if any(each.is_target for each in drawing.cards.values()):
        yield Chip(text="target", is_target=True)
    stale = sum(each.stale for each in drawing.cards.values())
    if stale:
        yield Chip(text=f"{stale:,} {STALE.word}", look=STALE)
    for state, look in LOOKS.items():
        if known.counts[state]:
            yield Chip(text=f"{known.counts[state]:,} {look.word}", look=look)
