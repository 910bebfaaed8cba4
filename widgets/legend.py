"""The lines of chips under a picture: what occurs in it, in words, each with its sign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wfnb.widgets.palette import INK, LINE, MUTED_INK, NEUTRAL, PAPER, STALE, Look, mix
from wfnb.widgets.svg import Element, element, number, text_width, words

ROW = 26.0
"""Pixels from one row of chips to the next."""
GHOST = mix(LINE, PAPER, share=0.6)
_GAP = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    text: str
    look: Look | None = None
    is_planned: bool = False
    is_target: bool = False

    @property
    def left(self) -> float:
        return 26.0 if self.look or self.is_planned or self.is_target else 12.0

    @property
    def width(self) -> float:
        return self.left + text_width(self.text, size=11) + 10


def chip_rows(chips: Iterable[Chip], width: float) -> Iterator[list[Chip]]:
    row: list[Chip] = []
    for chip in chips:
        if row and row_width([*row, chip]) > width:
            yield row
            row = []
        row.append(chip)
    if row:
        yield row


def draw_chips(canvas: Element, row: Sequence[Chip], y: float) -> None:
    x = 0.0
    for chip in row:
        group = element(canvas, "g", transform=f"translate({number(x)} {number(y)})")
        fill = chip.look.tint if chip.look else NEUTRAL
        element(group, "rect", width=chip.width, height=20, rx=10, fill=fill)
        if chip.look:
            badge(group, chip.look, x=11.0, y=10.0)
        if chip.is_planned:
            ghost(group, x=6, y=5.5, width=14, height=9)
        if chip.is_target:
            bullseye(group, x=13.0, y=10.0)
        words(group, "text", chip.text, x=chip.left, y=13.9, font_size=11, fill=INK)
        x += chip.width + _GAP


def badge(parent: Element, look: Look, *, x: float, y: float, size: float = 8.0) -> None:
    """Draw a state's icon on a disc of its colour."""
    mark = element(parent, "g", transform=f"translate({number(x)} {number(y)})")
    rim = {"stroke": MUTED_INK, "stroke_width": 1.2} if look is STALE else {}
    element(mark, "circle", r=size, fill=look.colour, **rim)
    sign(mark, look)


def bullseye(parent: Element, *, x: float, y: float) -> None:
    """Draw the sign of a target."""
    mark = element(parent, "g", transform=f"translate({number(x)} {number(y)})", fill="none")
    element(mark, "circle", r=5, stroke=INK, stroke_width=1.4)
    element(mark, "circle", r=2, fill=INK)


def sign(parent: Element, look: Look, **attributes: object) -> None:
    """Draw a state's icon, in the ink of its colour."""
    element(
        parent,
        "path",
        d=look.stroke,
        fill="none",
        stroke=look.ink,
        stroke_width=1.7,
        stroke_linecap="round",
        stroke_linejoin="round",
        **attributes,
    )


def ghost(parent: Element, *, x: float, y: float, width: float, height: float) -> Element:
    """Draw what is only planned: pale, with a dashed edge."""
    return element(
        parent,
        "rect",
        x=x,
        y=y,
        width=width,
        height=height,
        rx=2,
        fill=GHOST,
        stroke=LINE,
        stroke_dasharray="3 2",
    )


def row_width(row: Sequence[Chip]) -> float:
    return sum(chip.width for chip in row) + _GAP * (len(row) - 1)
