"""Where the cards and edges of a picture lie, in pixels; a long graph goes on in a next line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil

from wfnb.widgets.cards import Card
from wfnb.widgets.folding import Folded
from wfnb.widgets.layout import Edge, Place, layout, waypoints
from wfnb.widgets.svg import number, shorten, text_width

NAME, NOTE = 12.5, 10.5
"""Font sizes of a card's two lines."""
WIDEST = 190.0
"""Wider names lose their middle."""

_PAGE = 1100.0
"""What a notebook's width shows without making text too small to read."""
_LANES = 10
"""More edges than this do not follow to a next line legibly: the picture stays one wide line."""
_LANE = 6.0
_TIP = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A card, or the passage of an edge through a column."""

    x: float
    y: float
    """Of its middle."""
    width: float
    height: float
    floor: float
    """The lowest point of its whole line."""

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything a picture needs but its colours."""

    cards: Mapping[str, Card]
    boxes: Mapping[str, Box]
    """Of cards, and of the waypoints of long edges."""
    curves: Mapping[Edge, str]
    """Each edge as SVG path data."""
    weights: Mapping[Edge, int]
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """The places of a layout, cut into lines of columns."""

    places: Mapping[str, Place]
    columns: Mapping[int, float]
    """Width by level."""
    airs: Mapping[int, float]
    """Room after each column for the edges that leave it."""
    lines: Sequence[Sequence[int]]
    lanes: Mapping[Edge, int]
    """The edge steps that go on in a next line, each with its lane."""


def draw(folded: Folded, cards: Mapping[str, Card]) -> Drawing:
    level = {each.id: each.level for each in folded.folds}
    paths = waypoints(folded.edges, level)
    for path in paths.values():
        level |= {stop: level[path[0]] + step for step, stop in enumerate(path)}
    nodes = list(level)
    heights = {node: _height(cards[node]) if node in cards else 4.0 for node in nodes}
    steps = [step for path in paths.values() for step in pairwise(path)]
    places = layout(nodes, steps, level=level, heights=heights)
    plan = _plan(places, cards, steps)
    boxes = _boxes(plan, heights)
    return Drawing(
        cards=cards,
        boxes=boxes,
        curves={edge: _curve(path, boxes, plan) for edge, path in paths.items()},
        weights=folded.edges,
        right=max((box.right for box in boxes.values()), default=0.0) + _beside(plan),
        bottom=max((box.bottom for box in boxes.values()), default=0.0),
    )


def text_left(shown: Card) -> float:
    """Where a card's text begins: after the badge, if it has one."""
    return 12.0 if shown.state is None else 30.0


def marks_width(shown: Card) -> float:
    """What the marks in a card's right corner take: stale, and target."""
    return 12.0 + 14.0 * shown.is_target + 22.0 * bool(shown.stale)


def _height(shown: Card) -> float:
    if shown.is_folded:
        return 44.0 if shown.state is None else 50.0
    return 42.0 if shown.note else 32.0


def _width(shown: Card) -> float:
    name = text_width(shorten(shown.name, width=WIDEST, size=NAME), size=NAME)
    note = text_width(shorten(shown.note, width=WIDEST, size=NOTE), size=NOTE)
    return max(64.0, text_left(shown) + max(name, note) + marks_width(shown))


# Lines of columns


def _plan(places: Mapping[str, Place], cards: Mapping[str, Card], steps: Sequence[Edge]) -> _Plan:
    columns = {level: 0.0 for level, _ in sorted(places.values())}
    for name, shown in cards.items():
        level = places[name].level
        columns[level] = max(columns[level], _width(shown))
    rises = dict.fromkeys(columns, 0.0)
    for start, end in steps:
        level, y = places[start]
        rises[level] = max(rises[level], abs(places[end].y - y))
    airs = {level: 38.0 + min(72.0, rise / 6) for level, rise in rises.items()}
    leaving = Counter(places[start].level for start, _ in steps)
    lines = _lines({level: width + airs[level] for level, width in columns.items()}, leaving)
    return _Plan(places, columns, airs, lines, _lanes(steps, places, lines))


def _lines(widths: Mapping[int, float], leaving: Mapping[int, int]) -> list[list[int]]:
    """Cut the columns into even lines, where few edges leave; one line when that cannot be."""
    rest, total = list(widths), sum(widths.values())
    if total <= _PAGE * 1.35:
        return [rest]
    page = 1.1 * total / ceil(total / _PAGE)
    lines = []
    while sum(widths[level] for level in rest) > page:
        fit = _fit(rest, widths, page)
        cuts = range(max(1, fit - fit // 4), fit + 1)
        cut = min(cuts, key=lambda at: (leaving.get(rest[at - 1], 0), -at))
        if leaving.get(rest[cut - 1], 0) > _LANES:
            return [list(widths)]
        lines.append(rest[:cut])
        rest = rest[cut:]
    return [line for line in (*lines, rest) if line]


def _fit(levels: Sequence[int], widths: Mapping[int, float], page: float) -> int:
    """Count the columns that fit a line: at least one."""
    ends = accumulate(widths[level] for level in levels)
    return max(1, sum(1 for end in ends if end <= page))


def _lanes(
    steps: Sequence[Edge], places: Mapping[str, Place], lines: Sequence[Sequence[int]]
) -> dict[Edge, int]:
    """Number the steps that leave each line, lowest first: so they nest instead of crossing."""
    lanes = {}
    for last in (line[-1] for line in lines[:-1]):
        leaving = {step for step in steps if places[step[0]].level == last}
        ranked = sorted(leaving, key=lambda s: (-places[s[0]].y, -places[s[1]].y, s))
        lanes.update({step: lane for lane, step in enumerate(ranked)})
    return lanes


def _boxes(plan: _Plan, heights: Mapping[str, float]) -> dict[str, Box]:
    found: dict[str, Box] = {}
    down, x = 0.0, 0.0
    for line in plan.lines:
        left = {}
        for level in line:
            left[level] = x
            x += plan.columns[level] + plan.airs[level]
        found.update(_line(left, down, plan=plan, heights=heights))
        down = max((box.floor for box in found.values()), default=0.0) + _indent(plan) + 10
        x = _indent(plan)
    return found


def _line(
    left: Mapping[int, float], down: float, *, plan: _Plan, heights: Mapping[str, float]
) -> Iterator[tuple[str, Box]]:
    """Yield the boxes of one line, moved so that the highest begins at `down`."""
    places = {name: place for name, place in plan.places.items() if place.level in left}
    top = min((place.y - heights[name] / 2 for name, place in places.items()), default=0.0)
    low = max((place.y + heights[name] / 2 for name, place in places.items()), default=0.0)
    for name, (level, y) in places.items():
        width, height = plan.columns[level], heights[name]
        middle, floor = y - top + down, low - top + down
        yield name, Box(x=left[level], y=middle, width=width, height=height, floor=floor)


def _indent(plan: _Plan) -> float:
    """Room for the lanes, beside and between lines."""
    return 24.0 + _LANE * (1 + max(plan.lanes.values(), default=0))


def _beside(plan: _Plan) -> float:
    """Room to the right of the last column, for lanes or for the cards beneath a fold."""
    return _indent(plan) - 4 if plan.lanes else 6.0


# Edges


def _curve(path: Sequence[str], boxes: Mapping[str, Box], plan: _Plan) -> str:
    """Go from card to card, level within each column it passes, bent only between columns."""
    first = boxes[path[0]]
    parts = [f"M{number(first.right)} {number(first.y)}"]
    for start, end in pairwise(path):
        a, b = boxes[start], boxes[end]
        stop = b.x - (_TIP if end == path[-1] else 0)
        lane = plan.lanes.get((start, end))
        parts.append(_bend(a, b, stop) if lane is None else _next_line(a, b, stop, lane=lane))
        if end != path[-1]:
            parts.append(f"H{number(b.right)}")
    return "".join(parts)


def _bend(a: Box, b: Box, stop: float) -> str:
    middle = number((a.right + stop) / 2)
    return f"C{middle} {number(a.y)} {middle} {number(b.y)} {number(stop)} {number(b.y)}"


def _next_line(a: Box, b: Box, stop: float, *, lane: int) -> str:
    """Go out to the right, back between the lines, and in from the left, with round corners."""
    shift = _LANE * lane
    right, between, left = a.right + 14 + shift, a.floor + 17 + shift, 6 + shift
    return (
        f"H{number(right - 6)}q6 0 6 6V{number(between - 6)}q0 6-6 6"
        f"H{number(left + 6)}q-6 0-6 6V{number(b.y - 6)}q0 6 6 6H{number(stop)}"
    )
