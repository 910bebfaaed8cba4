"""Where the cards of a live graph lie. A page unfolds them by itself: it is told their members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, islice, pairwise
from typing import Any

from wfnb.graph import Graph, TaskId
from wfnb.widgets.ansi import safe_line
from wfnb.widgets.folding import Fold, Folded, fold
from wfnb.widgets.layout import Place, layout, waypoints
from wfnb.widgets.svg import text_width

TASK_HEIGHT, FOLD_HEIGHT, PASSAGE_HEIGHT = 42.0, 58.0, 6.0
NARROWEST, WIDEST = 158.0, 220.0
GAP = 14.0
_NAME = 12.5
_BESIDE_NAME = 46.0
_MEASURED = 40
"""Members of a fold whose names decide its column's width: they are much alike."""


def placed(graph: Graph, position: Mapping[TaskId, int]) -> dict[str, Any]:
    """The folded graph as a page draws it; `position` numbers the tasks for the page."""
    folded = fold(graph)
    level = {each.id: each.level for each in folded.folds}
    paths = waypoints(folded.edges, level)
    for path in paths.values():
        level |= {stop: level[path[0]] + step for step, stop in enumerate(path)}
    heights = dict.fromkeys(level, PASSAGE_HEIGHT)
    heights |= {each.id: _height(each) for each in folded.folds}
    steps = [step for path in paths.values() for step in pairwise(path)]
    places = layout(list(level), steps, level=level, heights=heights, gap=GAP)
    columns = _columns(folded, places, steps)
    number = {each.id: at for at, each in enumerate(folded.folds)}
    return {
        "columns": [[round(x), round(width)] for x, width in columns.values()],
        "nodes": [
            {
                "column": list(columns).index(places[each.id].level),
                "y": round(places[each.id].y, 1),
                **_told(each, position),
            }
            for each in folded.folds
        ],
        "edges": [
            [
                number[start],
                number[end],
                folded.edges[start, end],
                [round(places[stop].y, 1) for stop in path[1:-1]],
            ]
            for (start, end), path in paths.items()
        ],
    }


def _height(shown: Fold) -> float:
    return FOLD_HEIGHT if len(shown) > 1 or shown.map is not None else TASK_HEIGHT


def _told(shown: Fold, position: Mapping[TaskId, int]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": shown.id,
        "name": safe_line(shown.name),
        "members": runs(position[task] for task in shown.members),
    }
    if shown.counted != shown.members:
        told["counted"] = runs(position[task] for task in shown.counted)
    if shown.map is not None:
        told["map"] = position[shown.map.id]
    return told


def runs(numbers: Iterable[int]) -> list[list[int]]:
    """Ascending stretches, as [first, last]: members of a fold mostly stand side by side."""
    stretches = []
    for _, stretch in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        found = [number for _, number in stretch]
        stretches.append([found[0], found[-1]])
    return stretches


def _columns(
    folded: Folded, places: Mapping[str, Place], steps: Sequence[tuple[str, str]]
) -> dict[int, tuple[float, float]]:
    """Left edge and width of each level's column; more air where edges rise more."""
    widths = {place.level: 0.0 for place in sorted(places.values())}
    for each in folded.folds:
        widths[each.level] = max(widths[each.level], _width(each))
    rises = dict.fromkeys(widths, 0.0)
    for start, end in steps:
        at, y = places[start]
        rises[at] = max(rises[at], abs(places[end].y - y))
    columns, x = {}, 0.0
    for level, width in widths.items():
        columns[level] = (x, width)
        x += width + 40.0 + min(64.0, rises[level] / 6)
    return columns


def _width(shown: Fold) -> float:
    names = [shown.name, *(islice(shown.members, _MEASURED) if len(shown) > 1 else ())]
    widest = max(text_width(safe_line(name), size=_NAME) for name in names)
    return min(WIDEST, max(NARROWEST, widest + _BESIDE_NAME))
