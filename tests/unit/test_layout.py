from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest

from tests.pictured import chain, five, graph_of, grid, tree
from wfnb.widgets.folding import Folded, fold
from wfnb.widgets.layout import layout, levels, waypoints

DIAMOND = (["a", "b", "c", "d"], [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])


def random_graph(nodes, edges, columns):
    rng = random.Random(7)
    names = [f"n{i}" for i in range(nodes)]
    wide = nodes // columns
    pairs = {}
    while len(pairs) < edges:
        start = rng.randrange(nodes - wide)
        pairs[names[start], names[min(nodes - 1, start + wide + rng.randrange(-3, 4))]] = None
    return names, list(pairs)


def fastest(call, tries):
    took = []
    for _ in range(tries):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return min(took)


def test_a_node_stands_right_of_all_its_inputs():
    nodes, edges = random_graph(300, 600, 12)
    level = levels(nodes, edges)
    assert all(level[start] < level[end] for start, end in edges)


def test_a_source_stands_just_before_its_first_reader():
    level = levels(["a", "b", "c", "late"], [("a", "b"), ("b", "c"), ("late", "c")])
    assert level == {"a": 0, "b": 1, "c": 2, "late": 1}


def test_a_diamond_is_symmetric():
    place = layout(*DIAMOND)
    assert place["a"].y == place["d"].y == (place["b"].y + place["c"].y) / 2


def test_nodes_of_one_column_never_overlap():
    nodes, edges = random_graph(300, 600, 12)
    heights = {node: 20.0 + 10 * (i % 4) for i, node in enumerate(nodes)}
    place = layout(nodes, edges, heights=heights, gap=8.0)
    columns: dict[int, list[str]] = {}
    for node in nodes:
        columns.setdefault(place[node].level, []).append(node)
    for column in columns.values():
        column.sort(key=lambda node: place[node].y)
        for above, below in pairwise(column):
            room = (heights[above] + heights[below]) / 2 + 8
            assert place[below].y - place[above].y >= room - 0.2
    assert min(place[node].y - heights[node] / 2 for node in nodes) == pytest.approx(0, abs=0.1)


def test_a_tree_is_drawn_without_crossings():
    graph = tree(16)
    edges = [(start, end) for end in graph for start in graph.inputs(end)]
    place = layout(graph.ids, edges)
    for a, b in edges:
        for c, d in edges:
            if place[a].level == place[c].level and b != d:
                assert (place[a].y - place[c].y) * (place[b].y - place[d].y) > 0


def test_the_same_graph_has_the_same_layout():
    nodes, edges = random_graph(200, 400, 8)
    assert layout(nodes, edges) == layout(nodes, list(edges))


@pytest.mark.parametrize(("nodes", "edges"), [([], []), (["a"], []), (["a", "b"], [])])
def test_a_graph_without_edges_has_a_layout(nodes, edges):
    assert [place.level for place in layout(nodes, edges).values()] == [0] * len(nodes)


def test_a_long_edge_stops_in_every_column_it_crosses():
    paths = waypoints([("a", "d"), ("a", "b")], {"a": 0, "b": 1, "d": 3})
    assert len(paths["a", "d"]) == 4
    assert paths["a", "b"] == ("a", "b")
    assert len(set(paths["a", "d"])) == 4


def test_long_edges_that_begin_together_stop_together():
    edges = [("a", "d"), ("a", "e"), ("b", "d")]
    paths = waypoints(edges, {"a": 0, "b": 0, "d": 2, "e": 3})
    assert paths["a", "d"][1] == paths["a", "e"][1]
    assert paths["a", "d"][1] != paths["b", "d"][1]


def test_a_chain_of_20000_nodes_needs_no_recursion():
    nodes = [str(i) for i in range(20_000)]
    assert levels(nodes, pairwise(nodes))["19999"] == 19_999


def test_a_thousand_nodes_are_laid_out_in_the_time_of_a_frame():
    nodes, edges = random_graph(1000, 2000, 20)
    # 10 ms on an idle core; the rest is for a busy machine.
    assert fastest(lambda: layout(nodes, edges), 5) < 0.03


def assert_whole(folded: Folded, graph):
    members = [task for each in folded.folds for task in each.members]
    assert sorted(members) == sorted(graph.ids)
    home = {task: each for each in folded.folds for task in each.members}
    between = [(home[a], home[b]) for b in graph for a in graph.inputs(b)]
    assert sum(folded.edges.values()) == sum(a is not b for a, b in between)
    assert all(a.level < b.level for a, b in between if a is not b)
    assert len({each.id for each in folded.folds}) == len(folded.folds)


def test_a_small_graph_is_not_folded():
    folded = fold(five())
    assert [each.name for each in folded.folds] == list(five().ids)
    assert set(folded.edges.values()) == {1}


def test_only_what_is_big_is_folded():
    graph = tree(100)
    folded = fold(graph)
    assert_whole(folded, graph)
    sizes = {each.name: len(each) for each in folded.folds}
    assert sizes["count"] == 100
    assert sizes["merge-101"] == 1
    assert folded.edges["count@0", "merge@1"] == 100


@pytest.mark.parametrize(
    "graph",
    [
        grid(8, 125),
        grid(4, 300, functions=300),
        grid(160, 3),
        chain(1000),
        graph_of([(f"t{n}", f"f{n}", []) for n in range(500)]),
        graph_of([("hub", "hub", []), *((f"t{n}", f"f{n}", ["hub"]) for n in range(400))]),
    ],
    ids=["wide", "many functions", "deep", "chain", "no edges", "star"],
)
def test_a_big_graph_folds_into_few_nodes(graph):
    folded = fold(graph, at_most=150)
    assert_whole(folded, graph)
    assert 1 <= len(folded.folds) <= 150


def test_a_graph_of_many_tasks_folds_at_once():
    graph = graph_of(
        [(f"a-{n}", "a", []) for n in range(10_000)]
        + [(f"b-{n}", "b", [f"a-{n}"]) for n in range(9_999)]
        + [("end", "end", ["b-0", "b-1"])]
    )
    # 100,000 tasks take half a second; the rest is for a busy machine.
    assert fastest(lambda: fold(graph), 3) < 0.2
    assert [len(each) for each in fold(graph).folds] == [10_000, 9_999, 1]
