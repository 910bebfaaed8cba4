"""Who worked on what and when, as one SVG, by our own hand: needs no library and no network.

A lane per worker; what was planned stands behind what happened. Every surface is opaque and carries
its own inks, so the picture reads the same on a light page and on a dark one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from wfnb.metrics import Table
from wfnb.timeline import TaskState, Timeline
from wfnb.widgets.chart_bars import Bar, Bars, bars_of, in_lanes, lanes_of
from wfnb.widgets.chart_frames import planned_bars, sorted_workers
from wfnb.widgets.legend import ROW, Chip, chip_rows, draw_chips, ghost, sign
from wfnb.widgets.palette import INK, LINE, LOOKS, MUTED_INK, NEUTRAL, in_words, mix
from wfnb.widgets.svg import FONT, Element, element, number, shorten, text_width, words, written

MOST_BARS = 600
"""Of what happened, and as many planned ones; in all at most 1,500 rectangles."""

_WIDTH = 730.0
"""JupyterLab has so much beside its sidebar, on a laptop, and shows images at their own size."""
_MARGIN = 12.0
_STEP, _LANE = 28.0, 25.0
"""From lane to lane, and the height of one."""
_LABELS = 10.5
_GRID = mix(NEUTRAL, LINE, share=0.3)
_LOUD = frozenset({TaskState.FAILED, TaskState.RETRYING})


def timeline_svg(
    timeline: Timeline,
    planned: Timeline | Table | None = None,
    *,
    now: float | None = None,
    note: str = "",
) -> str:
    """Draw a run. `planned` is a simulated timeline that starts at 0, or a table of one.

    What is running ends `now`, in seconds since 1970. `note` is written beneath.
    """
    plan = bars_of(planned, origin=0.0) if isinstance(planned, Timeline) else planned_bars(planned)
    real = bars_of(timeline, now=now)
    return bars_svg(real, plan, counts=timeline.counts, note=note)


def bars_svg(real: Bars, planned: Bars, *, counts: Mapping[TaskState, int], note: str = "") -> str:
    """Draw what happened, and what was planned behind it; `counts` are told beneath."""
    workers = sorted_workers(real, planned)
    lanes = lanes_of(workers)
    ground = _Ground.of(list(dict.fromkeys(lanes.values())), end=max(real.end, planned.end))
    rows = list(chip_rows(_chips(real, planned, counts, note), _WIDTH))
    root = _root(height=ground.bottom + 32 + ROW * len(rows) + 2 * _MARGIN)
    words(root, "title", _title(real, counts))
    words(root, "desc", in_words(counts) or "nothing has run")
    shift = f"translate({number(_MARGIN)} {number(_MARGIN)})"
    canvas = element(root, "g", transform=shift)
    _draw_lanes(canvas, ground)
    for bar in in_lanes(planned.bars, lanes, most=MOST_BARS):
        _draw_plan(canvas, bar, ground)
    for bar in in_lanes(real.bars, lanes, most=MOST_BARS):
        _draw_bar(canvas, bar, ground)
    if real.is_live:
        _draw_now(canvas, real.end, ground)
    for line, row in enumerate(rows):
        draw_chips(canvas, row, ground.bottom + 34 + ROW * line)
    return written(root)


def _title(real: Bars, counts: Mapping[TaskState, int]) -> str:
    tasks, workers = sum(counts.values()), len(real.workers)
    on = f" on {workers:,} worker{'' if workers == 1 else 's'}" if workers else ""
    return f"timeline of {tasks:,} {'task' if tasks == 1 else 'tasks'}{on}"


def _root(height: float) -> Element:
    width = _WIDTH + 2 * _MARGIN
    return element(
        None,
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        viewBox=f"0 0 {number(width)} {number(height)}",
        style="max-width:100%;height:auto",
        role="img",
        font_family=FONT,
    )


# The ground


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """Lanes and an axis, in pixels."""

    tops: Mapping[str, float]
    left: float
    """Where the axis begins."""
    end: float
    """Seconds at the right end."""

    @classmethod
    def of(cls, lanes: Sequence[str], *, end: float) -> _Ground:
        named = lanes or ["no worker yet"]
        widest = max(text_width(_short(lane), size=12) for lane in named)
        tops = {lane: _STEP * at for at, lane in enumerate(named)}
        return cls(tops=tops, left=max(54.0, widest + 22), end=end or 1.0)

    @property
    def bottom(self) -> float:
        return _STEP * len(self.tops)

    def x(self, seconds: float) -> float:
        return self.left + (_WIDTH - self.left - 8) * min(1.0, seconds / self.end)


def _short(lane: str) -> str:
    return shorten(lane, width=150, size=12)


def _draw_lanes(canvas: Element, ground: _Ground) -> None:
    height = ground.bottom + 18
    element(canvas, "rect", width=_WIDTH, height=height + 8, y=-4, rx=8, fill=NEUTRAL)
    for at, text in _ticks(ground.end):
        x = ground.x(at)
        line = f"M{number(x)} 0V{number(ground.bottom)}"
        element(canvas, "path", d=line, stroke=_GRID)
        if text:
            _axis_text(canvas, text, x=x, y=ground.bottom + 12)
    for lane, top in ground.tops.items():
        if top:
            line = f"M8 {number(top - 1.5)}H{number(_WIDTH - 8)}"
            element(canvas, "path", d=line, stroke=_GRID)
        label = element(canvas, "g")
        words(label, "title", lane)
        words(label, "text", _short(lane), x=12, y=top + 16.5, font_size=12, fill=INK)


def _axis_text(canvas: Element, text: str, *, x: float, y: float) -> None:
    half = text_width(text, size=_LABELS) / 2
    x = min(x, _WIDTH - half - 4)
    words(canvas, "text", text, x=x, y=y, text_anchor="middle", font_size=_LABELS, fill=MUTED_INK)


def _ticks(end: float) -> Iterator[tuple[float, str]]:
    """Yield about eight round instants."""
    rough = end / 8
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough * 0.99)
    digits = max(0, -floor(log10(step)))
    for at in range(int(end / step * 1.0001) + 1):
        yield at * step, f"{at * step:,.{digits}f} s"


# Bars


def _draw_plan(canvas: Element, bar: Bar, ground: _Ground) -> None:
    left, width = _extent(bar, ground)
    group = element(canvas, "g")
    words(group, "title", f"planned: {bar.name}, {_when(bar)}")
    top = ground.tops[bar.lane]
    ghost(group, x=left, y=top + 1, width=width, height=_LANE - 3)


def _draw_bar(canvas: Element, bar: Bar, ground: _Ground) -> None:
    look = LOOKS[bar.state or TaskState.WAITING]
    left, width = _extent(bar, ground)
    is_loud = bar.state in _LOUD
    height = _LANE - 3 if is_loud else 15.0
    middle = ground.tops[bar.lane] + (_LANE - 1) / 2
    group = element(canvas, "g")
    words(group, "title", f"{bar.name}, {look.word}, {_when(bar)}")
    face = element(
        group, "rect", x=left, y=middle - height / 2, width=width, height=height, fill=look.colour
    )
    if width > 4:
        face.set("rx", "2")
        face.set("stroke", NEUTRAL)
        face.set("stroke-width", "0.6")
    if width >= 15:
        place = f"translate({number(left + 8)} {number(middle)}) scale(.85)"
        sign(group, look, transform=place)
    if width >= 44:
        text = shorten(bar.name, width=width - 20, size=_LABELS)
        words(group, "text", text, x=left + 16, y=middle + 3.8, font_size=_LABELS, fill=look.ink)


def _extent(bar: Bar, ground: _Ground) -> tuple[float, float]:
    left = ground.x(bar.start)
    return left, max(1.2, ground.x(bar.end) - left)


def _when(bar: Bar) -> str:
    return f"{bar.start:,.3f} s to {bar.end:,.3f} s on {bar.lane}"


def _draw_now(canvas: Element, end: float, ground: _Ground) -> None:
    x = number(ground.x(end))
    element(canvas, "path", d=f"M{x}-2V{number(ground.bottom)}", stroke=INK, stroke_dasharray="2 3")


# Legend


def _chips(real: Bars, planned: Bars, counts: Mapping[TaskState, int], note: str) -> Iterator[Chip]:
    for state, look in LOOKS.items():
        if counts.get(state):
            yield Chip(text=f"{counts[state]:,} {look.word}", look=look)
    if planned.bars:
        yield Chip(text="planned", is_planned=True)
    if len(real.bars) > MOST_BARS:
        yield Chip(text="a bar may be several tasks")
    if note:
        yield Chip(text=note)
