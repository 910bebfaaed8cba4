"""Layered layout, left to right: longest path, barycentre sweeps, then straight lines.

In Python because a browser's dagre needs 4 to 20 s for 1,000 nodes, and because the same graph must
give the same picture on every page. Nothing here recurses, and nothing depends on hash order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

Edge = tuple[str, str]

_SWEEPS = 4
_SETTLES = 4


class Place(NamedTuple):
    """Where a node's centre lies: a column, and a height in pixels."""

    level: int
    y: float


class _Links(NamedTuple):
    """Neighbours by index: ints sort and hash faster than names."""

    inputs: list[list[int]]
    readers: list[list[int]]


def levels(nodes: Sequence[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Give each node its column: after its inputs, a source just before its first reader."""
    links = _links(nodes, edges)
    return dict(zip(nodes, _ranks(links), strict=True))


def layout(
    nodes: Sequence[str],
    edges: Iterable[Edge],
    *,
    level: Mapping[str, int] | None = None,
    heights: Mapping[str, float] | None = None,
    gap: float = 16.0,
) -> dict[str, Place]:
    """Place every node; nodes of one column never overlap and start at y >= 0.

    `level` when the caller knows the columns already; `heights` when not all nodes are 32 high.
    """
    links = _links(nodes, edges)
    ranks = [level[node] for node in nodes] if level is not None else _ranks(links)
    sizes = [heights[node] for node in nodes] if heights is not None else [32.0] * len(nodes)
    columns = _columns(ranks)
    _order(columns, links)
    y = _settle(columns, links, sizes, gap)
    top = min((y[i] - sizes[i] / 2 for i in range(len(nodes))), default=0.0)
    return {node: Place(ranks[i], round(y[i] - top, 1)) for i, node in enumerate(nodes)}


def waypoints(edges: Iterable[Edge], level: Mapping[str, int]) -> dict[Edge, tuple[str, ...]]:
    """List the stops of each edge, its ends included: one in every column it crosses.

    A stop laid out like a node keeps the column free there, so an edge never runs behind a card.
    Edges that begin together stop together: they are one line up to where they part.
    """
    paths = {}
    numbers: dict[str, int] = {}
    for start, end in edges:
        number = numbers.setdefault(start, len(numbers))
        crossed = range(level[start] + 1, level[end])
        paths[start, end] = (start, *(f"\0{number}:{column}" for column in crossed), end)
    return paths


def _links(nodes: Sequence[str], edges: Iterable[Edge]) -> _Links:
    index = {node: i for i, node in enumerate(nodes)}
    links = _Links([[] for _ in nodes], [[] for _ in nodes])
    for start, end in edges:
        a, b = index[start], index[end]
        links.readers[a].append(b)
        links.inputs[b].append(a)
    return links


def _ranks(links: _Links) -> list[int]:
    inputs, readers = links
    ranks = [0] * len(inputs)
    missing = [len(of) for of in inputs]
    queue = [i for i, count in enumerate(missing) if not count]
    for i in queue:
        after = ranks[i] + 1
        for reader in readers[i]:
            if ranks[reader] < after:
                ranks[reader] = after
            missing[reader] -= 1
            if not missing[reader]:
                queue.append(reader)
    for i in queue:
        if readers[i] and not inputs[i]:
            ranks[i] = min([ranks[reader] for reader in readers[i]]) - 1
    return ranks


def _columns(ranks: list[int]) -> list[list[int]]:
    columns: dict[int, list[int]] = {}
    for i, rank in enumerate(ranks):
        columns.setdefault(rank, []).append(i)
    return [columns[rank] for rank in sorted(columns)]


def _order(columns: list[list[int]], links: _Links) -> None:
    """Sort each column by the mean position of its neighbours, there and back."""
    position = [0.0] * len(links.inputs)
    for column in columns:
        _number(column, position)
    for sweep in range(_SWEEPS):
        near = links.readers if sweep % 2 else links.inputs
        for column in reversed(columns) if sweep % 2 else columns:
            wish = _wishes(column, near, position)
            if len(column) > 1:
                ranked = sorted(zip(wish, range(len(column)), column, strict=True))
                column[:] = [i for _, _, i in ranked]
            _number(column, position)


def _number(column: list[int], position: list[float]) -> None:
    middle = (len(column) - 1) / 2
    for place, i in enumerate(column):
        position[i] = place - middle


def _wishes(column: list[int], near: list[list[int]], at: list[float]) -> list[float]:
    """Where each would like to be: amid its neighbours, or where it is."""
    wishes = []
    for i in column:
        friends = near[i]
        if not friends:
            wishes.append(at[i])
        elif len(friends) == 1:
            wishes.append(at[friends[0]])
        else:
            wishes.append(sum([at[friend] for friend in friends]) / len(friends))
    return wishes


def _settle(columns: list[list[int]], links: _Links, sizes: list[float], gap: float) -> list[float]:
    """Heights in pixels: as near to the neighbours as the order and the sizes allow."""
    y = [0.0] * len(sizes)
    offsets = []
    for column in columns:
        offset = [0.0]
        for above, below in pairwise(column):
            offset.append(offset[-1] + (sizes[above] + sizes[below]) / 2 + gap)
        offsets.append(offset)
        for i, down in zip(column, offset, strict=True):
            y[i] = down - offset[-1] / 2
    for turn in range(_SETTLES):
        near = links.inputs if turn % 2 else links.readers
        pairs = list(zip(columns, offsets, strict=True))
        for column, offset in pairs if turn % 2 else reversed(pairs):
            wish = _wishes(column, near, y)
            for i, height in zip(column, _spread(wish, offset), strict=True):
                y[i] = height
    return y


def _spread(wishes: list[float], offsets: list[float]) -> list[float]:
    """Least-squares nearest heights that keep the order and the distances (isotonic regression)."""
    blocks: list[tuple[float, int]] = []
    for wish, offset in zip(wishes, offsets, strict=True):
        total, count = wish - offset, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            before, members = blocks.pop()
            total, count = total + before, count + members
        blocks.append((total, count))
    flat = [total / count for total, count in blocks for _ in range(count)]
    return [height + offset for height, offset in zip(flat, offsets, strict=True)]
