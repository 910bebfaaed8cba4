# ruff: noqa: RUF001  how often a map calls its function is written with a multiplication sign
from __future__ import annotations

import random
import time
from collections import Counter
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from tests.pictured import five, graph_of, timeline_of, tree
from wfnb.arguments import output_at
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.growth import GrowingGraph
from wfnb.language import task
from wfnb.runner import Run
from wfnb.sizes import size_of, sized
from wfnb.tasks import Function, NamedTask, PartOf, TaskId
from wfnb.terminal import Progress
from wfnb.timeline import TaskState, Timeline
from wfnb.views import picture
from wfnb.widgets.cards import card, seen
from wfnb.widgets.counting import tally_of
from wfnb.widgets.folding import Fold, Folded, fold
from wfnb.widgets.graph_svg import graph_svg
from wfnb.widgets.graph_text import graph_text
from wfnb.widgets.palette import LOOKS, STALE
from wfnb.widgets.progress_line import progress_line, progress_summary

SVG = "{http://www.w3.org/2000/svg}"
DONE, RUNNING, WAITING = TaskState.DONE, TaskState.RUNNING, TaskState.WAITING


@task
def load(): ...


@task
def score(item, model=None): ...


@task
def rate(item, scale=None): ...


@task
def best(*lists): ...


def one_map(expected: int | None = None) -> Graph:
    """Three tasks and a map with a constant."""
    return freeze([best(score.map(load(), model=load(), expected=expected))])


def two_maps() -> Graph:
    """The second follows the first item by item, and has a constant of its own."""
    first = score.map(load(), model=load())
    return freeze([best(rate.map(first, scale=load()))])


def grown(graph: Graph, count: int) -> GrowingGraph:
    growing = GrowingGraph.of_run(graph)
    growing.expand({growing.ids[at]: count for at in growing.maps_of})
    return growing


def run_of(graph: Graph, states: dict[str, TaskState]) -> Timeline:
    """A run in which maps that have items have split, and all else is as told."""
    timeline = timeline_of(graph, {})
    if isinstance(graph, GrowingGraph):
        states = dict.fromkeys(graph.expansions, TaskState.EXPANDED) | states
    timeline.correct({TaskId(name): state for name, state in states.items()})
    return timeline


def shown(folded: Folded) -> dict[str, Fold]:
    return {each.name: each for each in folded.folds}


def cards_of(graph: Graph, timeline: Timeline | None = None, **fold_options):
    known, targets = seen(graph, timeline), frozenset(graph.targets)
    folds = fold(graph, **fold_options).folds
    return {each.name: card(each, known, targets=targets) for each in folds}


def line_of(timeline: Timeline) -> str:
    known = tally_of(timeline)
    return progress_line(
        known.counts,
        elapsed_seconds=1.0,
        width=12,
        unsplit=known.unsplit,
        unlisted=known.unlisted,
    )


def summary_of(timeline: Timeline) -> str:
    known = tally_of(timeline)
    return progress_summary(
        known.counts, elapsed_seconds=1.0, unsplit=known.unsplit, unlisted=known.unlisted
    )


def texts(svg: str, tag: str = "text"):
    return [each.text for each in ET.fromstring(svg).iter(SVG + tag)]


# Folding


def test_a_map_is_one_node_that_reads_what_it_goes_over_and_its_constants():
    folded = fold(grown(one_map(), 12))
    assert list(shown(folded)) == ["load-0", "load-1", "score ×12", "best-0"]
    assert set(folded.edges) == {
        ("load-0", "score-0"),
        ("load-1", "score-0"),
        ("score-0", "best-0"),
    }
    assert (folded.tasks, folded.maps) == (15, 0)


def test_a_map_is_all_its_items_and_what_splits_and_gathers():
    node = shown(fold(grown(one_map(), 3)))["score ×3"]
    assert node.counted == ("score-0[0]", "score-0[1]", "score-0[2]")
    assert node.members == (*node.counted, "score-0", "score-0.items")
    assert (node.map.id, node.map.splitter, node.map.items) == ("score-0", "score-0.items", 3)


def test_before_it_has_items_a_map_shows_how_many_are_expected():
    for growing in (False, True):
        for expected, name in ((None, "score ×?"), (12, "score ×~12"), (0, "score ×~0")):
            graph = one_map(expected)
            folded = fold(GrowingGraph.of_run(graph) if growing else graph)
            assert name in shown(folded)
            assert (folded.tasks, folded.maps) == (3, 1)


def test_a_map_of_nothing_is_a_node_too():
    graph = grown(one_map(), 0)
    assert shown(fold(graph))["score ×0"].counted == ()
    assert cards_of(graph)["score ×0"].note == "no items"


@pytest.mark.parametrize("count", [None, 0, 12])
def test_a_map_over_a_map_is_a_node_of_its_own_with_the_constants_of_its_own(count):
    graph = two_maps() if count is None else grown(two_maps(), count)
    folded = fold(graph)
    assert set(folded.edges) == {
        ("load-0", "score-0"),
        ("load-1", "score-0"),
        ("load-2", "rate-0"),
        ("score-0", "rate-0"),
        ("rate-0", "best-0"),
    }
    assert folded.edges["score-0", "rate-0"] == (count or 1)


def test_a_map_that_follows_another_expects_as_many_items():
    graph = freeze([rate.map(score.map(load(), expected=7))])
    assert list(shown(fold(graph))) == ["load-0", "score ×~7", "rate ×~7"]


def test_maps_of_one_function_are_told_apart():
    graph = grown(freeze([score.map(load()), score.map(load())]), 2)
    assert {"score-0 ×2", "score-1 ×2"} <= set(shown(fold(graph)))


def test_very_many_maps_of_one_function_fold_like_tasks():
    graph = grown(freeze([score.map(load()) for _ in range(40)]), 3)
    assert {name: len(each.counted) for name, each in shown(fold(graph)).items()} == {
        "load": 40,
        "score.map": 120,
    }


def test_an_unfolded_map_shows_its_items_and_their_list():
    folded = fold(grown(one_map(), 3), unfolded=["score-0"])
    items = ["score-0[0]", "score-0[1]", "score-0[2]"]
    assert list(shown(folded)) == ["load-0", "load-1", "score ×3", "best-0", *items]
    assert {pair for pair in folded.edges if pair[1] in items} == {
        (read, item) for read in ("load-0", "load-1") for item in items
    }
    assert {pair for pair in folded.edges if pair[0] in items} == {
        (item, "score-0") for item in items
    }
    assert shown(folded)["score ×3"].map.is_unfolded


def test_items_follow_items_when_both_maps_are_unfolded():
    folded = fold(grown(two_maps(), 3), unfolded=["score-0", "rate-0"])
    for n in range(3):
        readers = {end for start, end in folded.edges if start == f"score-0[{n}]"}
        assert readers == {f"rate-0[{n}]"}  # nobody wants the list of the first map
    assert "score ×3" not in shown(folded)


@pytest.mark.parametrize(
    ("unfolded", "edge"),
    [("score-0", ("score-0[1]", "rate-0")), ("rate-0", ("score-0", "rate-0[1]"))],
)
def test_one_of_two_maps_may_be_unfolded(unfolded, edge):
    folded = fold(grown(two_maps(), 3), unfolded=[unfolded])
    assert edge in folded.edges


def test_of_many_items_some_are_shown_and_the_rest_is_one_node():
    folded = fold(grown(one_map(), 1000), unfolded=["score-0"])
    assert len(folded.folds) <= 150
    rest = shown(folded)["… 951 more"]
    assert len(rest.counted) == 951
    assert rest.members[-1] == "score-0[999]"
    assert folded.edges[rest.id, "score-0"] == 951


def test_unfolding_everything_keeps_to_the_limit():
    graph = grown(freeze([score.map(load()) for _ in range(60)]), 100)
    folded = fold(graph, unfolded=[graph.ids[at] for at in graph.maps])
    assert len(folded.folds) <= 150


def test_a_map_without_items_and_an_unknown_one_cannot_be_unfolded():
    for graph in (one_map(), grown(one_map(), 0)):
        assert fold(graph, unfolded=["score-0", "nothing-7"]) == fold(graph)


def test_unfolding_a_map_leaves_other_tasks_unfolded():
    graph = grown(freeze([best(score.map(load()), *[load() for _ in range(5)])]), 100)
    folded = fold(graph, unfolded=["score-0"])
    assert {f"load-{n}" for n in range(6)} <= {each.id for each in folded.folds}


def random_workflow(seed: int) -> Graph:
    rng = random.Random(seed)
    known = [load()]
    maps = []
    for _ in range(rng.randrange(3, 40)):
        kind = rng.random()
        some = rng.sample(known, min(len(known), 3))
        if kind < 0.4:
            known.append(best(*some))
        elif kind < 0.7 or not maps:
            known.append(score.map(some[0], model=some[-1]))
            maps.append(known[-1])
        else:
            known.append(rate.map(rng.choice(maps), scale=some[0]))
            maps.append(known[-1])
    return freeze(known[-3:])


@pytest.mark.parametrize("seed", range(40))
def test_however_maps_are_written_the_folded_graph_has_no_cycle_and_misses_nothing(seed):
    rng = random.Random(seed)
    graph = GrowingGraph.of_run(random_workflow(seed))
    for at in graph.maps_of:
        if rng.random() < 0.8:
            graph.expand({**graph.expansions, graph.ids[at]: rng.choice([0, 1, 3, 70])})
    unfolded = [graph.ids[at] for at in graph.maps if rng.random() < 0.4]
    folded = fold(graph, unfolded=unfolded, at_most=rng.choice([5, 40, 150]))
    level = {each.id: each.level for each in folded.folds}
    assert len(level) == len(folded.folds)
    assert all(level[start] < level[end] for start, end in folded.edges)
    members = Counter(task for each in folded.folds for task in each.members)
    assert set(members.values()) <= {1}
    lists = {graph.ids[at] for at in (*graph.maps, *graph.maps_of)}
    assert set(graph.ids) - lists <= set(members) <= set(graph.ids)
    counted = [task for each in folded.folds for task in each.counted]
    assert (len(counted), folded.maps) == size_of(graph) == (folded.tasks, folded.maps)
    home = {task: each.id for each in folded.folds for task in each.members}
    for reader, reads in zip(graph.ids, graph.inputs_at, strict=True):
        for read in (graph.ids[at] for at in reads):
            if read.endswith(".items") or not {read, reader} <= home.keys():
                continue  # what splits is not shown: its map reads for it
            if not reader.endswith(".items"):
                assert home[read] == home[reader] or (home[read], home[reader]) in folded.edges


def test_ten_thousand_items_fold_as_fast_as_one():
    graph = grown(one_map(), 10_000)
    took = []
    for _ in range(10):
        start = time.perf_counter()
        fold(graph)
        took.append(time.perf_counter() - start)
    # 2 ms on an idle core, where as many plain tasks take 20; the rest is for a busy machine.
    assert min(took) < 0.03


# Cards, counts, words


def states_of_items(**states: int) -> dict[str, TaskState]:
    each = [TaskState(word) for word, count in states.items() for _ in range(count)]
    return {f"score-0[{n}]": state for n, state in enumerate(each)}


def test_a_card_of_a_map_counts_its_items_only():
    graph = grown(one_map(), 4)
    timeline = run_of(graph, states_of_items(done=2, skipped=1, running=1))
    shown_card = cards_of(graph, timeline)["score ×4"]
    assert shown_card.note == "3 / 4 done"
    assert shown_card.state is RUNNING
    assert dict(shown_card.counts) == {DONE: 2, TaskState.SKIPPED: 1, RUNNING: 1}
    assert shown_card.tooltip == "score-0: score ×4; 2 done, 1 skipped, 1 running"
    assert shown_card.is_folded


@pytest.mark.parametrize(
    ("states", "state", "note"),
    [
        ({}, WAITING, "items not known yet"),
        ({"score-0.items": RUNNING}, RUNNING, "splitting"),
        ({"score-0.items": TaskState.FAILED}, TaskState.FAILED, "failed to split"),
        ({"load-0": TaskState.FAILED}, TaskState.UPSTREAM_FAILED, "upstream-failed"),
        ({"score-0": TaskState.REUSED}, TaskState.REUSED, "reused"),
    ],
)
def test_a_card_of_a_map_without_items_says_why(states, state, note):
    graph = GrowingGraph.of_run(one_map())
    shown_card = cards_of(graph, run_of(graph, states))["score ×?"]
    assert (shown_card.state, shown_card.note) == (state, note)


def test_a_map_is_done_when_its_list_is():
    graph = grown(one_map(), 2)
    items = states_of_items(done=2)
    assert cards_of(graph, run_of(graph, items))["score ×2"].state is RUNNING
    ended = items | {"score-0": DONE}
    assert cards_of(graph, run_of(graph, ended))["score ×2"].state is DONE
    reused = states_of_items(reused=2) | {"score-0": DONE}
    assert cards_of(graph, run_of(graph, reused))["score ×2"].state is TaskState.REUSED


def test_a_map_without_items_is_done_when_its_list_is():
    graph = grown(one_map(), 0)
    assert cards_of(graph, run_of(graph, {"score-0": DONE}))["score ×0"].state is DONE


def test_sizes_count_what_was_written():
    assert [sized(*pair) for pair in ((1, 0), (3, 1), (1200, 2), (0, 1), (0, 2), (0, 0))] == [
        "1 task",
        "3 tasks + map",
        "1,200 tasks + 2 maps",
        "1 map",
        "2 maps",
        "0 tasks",
    ]
    assert texts(graph_svg(one_map()), "title")[0] == "graph of 3 tasks + map"
    assert texts(graph_svg(grown(one_map(), 12)), "title")[0] == "graph of 15 tasks"


def test_a_picture_counts_tasks_as_the_progress_line_does():
    graph = grown(one_map(), 12)
    timeline = run_of(graph, states_of_items(done=5, reused=1, running=1) | {"load-0": DONE})
    chips = set(texts(graph_svg(graph, timeline)))
    assert {"15 tasks in 4 nodes", "6 done", "1 reused", "1 running", "7 waiting"} <= chips
    assert not any("expanded" in chip for chip in chips)
    assert line_of(timeline).split(" ", 1)[1] == "7/15 done · 1 reused · 1 running · 1.0 s"


def test_a_line_says_that_a_map_is_not_counted_yet():
    graph = GrowingGraph.of_run(one_map())
    timeline = run_of(graph, {"load-0": DONE, "load-1": DONE})
    assert line_of(timeline) == "██████░░░░░░ 2/3 done + map · 1.0 s"
    timeline.correct({TaskId("score-0.items"): RUNNING})
    assert line_of(timeline) == "██████▓▓▓░░░ 2/3 done + map · 1 running · 1.0 s"
    graph = GrowingGraph.of_run(two_maps())
    assert " 0/4 done + 2 maps · " in line_of(run_of(graph, {}))


def test_a_bar_is_not_full_before_the_lists_are_there():
    graph = grown(freeze([score.map(load())]), 100)
    ended = states_of_items(done=100) | {"load-0": DONE}
    timeline = run_of(graph, ended)
    assert "░" in line_of(timeline)
    timeline.correct({TaskId("score-0"): DONE})
    assert line_of(timeline) == "████████████ 101/101 done · 1.0 s"


def test_a_summary_tells_of_items_reused_and_skipped():
    graph = grown(freeze([score.map(load())]), 9)
    items = states_of_items(done=4, reused=3, skipped=2)
    timeline = run_of(graph, items | {"load-0": DONE, "score-0": DONE})
    assert summary_of(timeline) == ("✓ 10 tasks done in 1.0 s, 3 of them reused, 2 of them skipped")


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ({"score-0.items": TaskState.FAILED, "best-0": TaskState.UPSTREAM_FAILED}, "1 failed, "),
        (dict.fromkeys(("score-0.items", "score-0", "best-0"), TaskState.CANCELLED), "2 cancelled"),
    ],
)
def test_a_map_that_never_had_items_counts_as_a_task_of_the_summary(states, told):
    graph = GrowingGraph.of_run(one_map())
    summary = summary_of(run_of(graph, {"load-0": DONE, "load-1": DONE, **states}))
    assert summary.startswith(("✗ 2 of 4 tasks done", "□ 2 of 4 tasks done"))
    assert told in summary


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.CANCELLED])
def test_a_list_that_ended_badly_by_itself_is_told(state):
    graph = grown(freeze([score.map(load())]), 3)
    timeline = run_of(graph, states_of_items(done=3) | {"load-0": DONE, "score-0": state})
    assert f"4 of 5 tasks done after 1.0 s: 1 {state.value}" in summary_of(timeline)


def test_lists_that_end_with_their_items_are_not_told():
    graph = grown(freeze([score.map(load())]), 3)
    items = states_of_items(done=2, cancelled=1) | {"load-0": DONE}
    cancelled = run_of(graph, items | {"score-0": TaskState.CANCELLED})
    assert summary_of(cancelled) == "□ 3 of 4 tasks done after 1.0 s: 1 cancelled"
    items = states_of_items(done=2, failed=1) | {"load-0": DONE}
    failed = run_of(graph, items | {"score-0": TaskState.UPSTREAM_FAILED})
    assert summary_of(failed) == "✗ 3 of 4 tasks done after 1.0 s: 1 failed"


def test_progress_is_told_and_summed_up_of_a_run_that_grows():
    lines: list[str] = []
    surface = SimpleNamespace(show=lines.append, finish=lines.append)
    graph = grown(freeze([score.map(load())]), 3)
    ended = states_of_items(done=2, skipped=1) | {"load-0": DONE, "score-0": DONE}
    run = SimpleNamespace(timeline=run_of(graph, ended), id="score-1")
    progress = Progress(surface, width=4)
    progress.tell(run)
    progress.end(run)
    assert lines[0].startswith("████ 4/4 done · 1 skipped · ")
    assert lines[1].startswith("✓ 4 tasks done in ")


# Text


def test_the_text_of_a_map_is_one_line():
    assert graph_text(two_maps()).splitlines() == [
        "graph of 4 tasks + 2 maps, 4 functions, 4 levels",
        "   load-0    -> score ×?",
        "   load-1    -> score ×?",
        "   load-2    -> rate ×?",
        "   score ×?  items not known yet  -> rate ×?",
        "   rate ×?   items not known yet  -> best-0",
        "   best-0",
        "target: best-0",
    ]


def test_the_text_of_a_map_counts_its_items():
    graph = grown(one_map(), 1200)
    timeline = run_of(graph, {"load-0": DONE, "load-1": DONE} | states_of_items(done=2, running=1))
    assert graph_text(graph, timeline).splitlines() == [
        "graph of 1,203 tasks, 3 functions, 3 levels",
        " ✓  load-0        done  -> score ×1,200",
        " ✓  load-1        done  -> score ×1,200",
        " ▸  score ×1,200  2 done, 1 running, 1,197 waiting  -> best-0",
        " ·  best-0        waiting",
        "target: best-0",
    ]


def test_the_text_of_a_big_graph_with_maps_names_its_functions():
    loads = [load() for _ in range(30)]
    graph = grown(freeze([best(score.map(loads[0]), *loads), *map(rate.map, loads[1:3])]), 5)
    assert graph_text(graph).splitlines() == [
        "graph of 46 tasks, 4 functions, 3 levels",
        "   load      x 30  -> best, score ×5, rate.map",
        "   score ×5        -> best",
        "   best",
        "   rate.map  x 10",
        "targets: best-0, rate-0, rate-1",
    ]


# Stale tasks


def test_stale_tasks_are_marked_in_the_picture():
    plain, svg = graph_svg(five()), graph_svg(five(), stale=["score", "report"])
    assert "stroke-dasharray" not in plain
    assert svg.count("stroke-dasharray") == 2
    assert svg.count(STALE.stroke) == 3  # the legend has one too
    assert "2 stale" in texts(svg)
    assert texts(svg).count("stale") == 2
    assert "score; stale" in texts(svg, "title")


def test_a_stale_task_shows_its_state_as_well():
    svg = graph_svg(five(), timeline_of(five(), {"score": DONE}), stale=["score"])
    assert {LOOKS[DONE].stroke, STALE.stroke} <= {
        each.get("d") for each in ET.fromstring(svg).iter(SVG + "path")
    }


def test_a_fold_says_how_many_of_it_are_stale():
    stale = ["count-1", "count-2"]
    assert "100 tasks · 2 stale" in texts(graph_svg(tree(100), stale=stale))
    assert " ≠  count  x 100  2 stale  -> merge" in graph_text(tree(100), stale=stale)


def test_a_stale_map_is_stale_as_a_whole():
    assert "items not known yet · stale" in texts(graph_svg(one_map(), stale=["score-0"]))
    assert "12 tasks · stale" in texts(graph_svg(grown(one_map(), 12), stale=["score-0"]))


def test_stale_tasks_are_marked_in_the_text():
    timeline = timeline_of(five(), {"load": TaskState.REUSED, "clean": DONE})
    assert graph_text(five(), timeline, stale=["clean", "train"]).splitlines()[1:4] == [
        " ≡  load    reused  -> clean",
        " ✓  clean   done  stale  -> train, score",
        " ·  train   waiting  stale  -> score",
    ]
    assert " ≠  train   stale  -> score" in graph_text(five(), stale=["train"])


def test_what_is_no_longer_in_the_graph_marks_nothing():
    assert graph_svg(five(), stale=["gone"]) == graph_svg(five())


@pytest.mark.parametrize("unfolded", [(), ("score-0",)])
@pytest.mark.parametrize("count", [None, 0, 3, 60])
def test_a_picture_of_a_map_is_well_formed(count, unfolded):
    graph = one_map() if count is None else grown(one_map(), count)
    timeline = run_of(graph, {} if count is None else states_of_items(done=2, failed=1))
    svg = graph_svg(graph, timeline, stale=["score-0", "best-0"], unfolded=unfolded)
    tags = {each.tag.removeprefix(SVG) for each in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "title", "desc", "g", "rect", "circle", "path", "text"}
    assert ".items" not in svg


# Views


def test_a_picture_can_be_taken_of_every_kind_of_task():
    mapped = score.map(load())
    function = Function("prepare", print)
    named = NamedTask(10**9, function, ((output_at(0),),), (mapped,), name="prepare")
    for thing in (mapped, named, PartOf(named, "x"), [mapped, PartOf(named, "x")], best(mapped)):
        assert "score ×?" in picture(thing).text
    assert "prepare" in picture(PartOf(named, "x")).text


def test_a_picture_of_a_run_shows_the_items_that_came_meanwhile():
    class Grown(Run):
        def __init__(self) -> None:
            self.graph = GrowingGraph.of_run(one_map())

        @property
        def timeline(self) -> Timeline:
            timeline = Timeline(self.graph)
            timeline.expand({TaskId("score-0.items"): 4})
            return timeline

    assert "graph of 7 tasks" in picture(Grown()).text


def test_a_picture_marks_what_is_stale():
    shown_picture = picture(graph_of([("a", "f", []), ("b", "f", ["a"])]), stale=["b"])
    assert " ≠  b  stale" in shown_picture.text
    assert "1 stale" in shown_picture.svg
