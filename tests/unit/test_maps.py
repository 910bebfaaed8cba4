"""Maps before they run: what may be written, how they are grouped, what their items are."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from wfnb import SKIP, task
from wfnb.errors import CallError, OptionError
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.growth import GrowingGraph, map_id
from wfnb.language import Attempt, next_serial, running
from wfnb.maps import Elements, Gathered, ItemCall, split
from wfnb.tasks import Function, NamedTask, TaskId


@task
def grid(count: int = 3) -> list[int]:
    return [*range(count)]


@task
def score(point: int, scale: int = 1) -> int:
    return point * scale


@task
def best(scores: list[int]) -> int:
    return max(scores)


def grown(graph: Graph, **counts: int) -> GrowingGraph:
    growing = GrowingGraph.of_run(graph)
    assert isinstance(growing, GrowingGraph)
    growing.expand({TaskId(f"{name}-0.items"): count for name, count in counts.items()})
    return growing


def test_a_map_is_a_task_that_splits_and_one_that_stands_for_the_list() -> None:
    graph = freeze([best(score.map(grid()))])
    assert graph.ids == ("grid-0", "score-0.items", "score-0", "best-0")
    assert graph.inputs_at == ((), (0,), (1,), (2,))
    assert graph.maps.keys() == {2}


def test_maps_count_with_the_other_tasks_of_their_function() -> None:
    graph = freeze([score(1), score.map(grid()), score(2)])
    assert [i for i in graph.ids if i.startswith("score")] == [
        "score-0",
        "score-1.items",
        "score-1",
        "score-2",
    ]


def test_a_map_over_a_map_is_of_its_group() -> None:
    graph = freeze([score.map(score.map(grid()))])
    assert graph.ids == ("grid-0", "score-0.items", "score-0", "score-1")
    assert graph.maps[3].over == 2


def test_a_map_waits_for_the_whole_map_where_its_constant_does() -> None:
    first = score.map(grid())
    graph = freeze([score.map(first, scale=best(first))])
    assert "score-1.items" in graph.ids
    assert all(call.over is None for call in graph.maps.values())


def test_a_constant_that_is_a_task_is_waited_for_before_the_split() -> None:
    graph = freeze([score.map(grid(), scale=score(2))])
    splitter = graph.position[TaskId("score-1.items")]
    assert [graph.ids[at] for at in graph.inputs_at[splitter]] == ["grid-0", "score-0"]
    assert graph.reads(splitter) == ("grid-0",)


def test_groups_never_wait_for_each_other_in_a_circle() -> None:
    one, two = score.map(grid()), score.map(grid())
    after_one = score.map(one, scale=best(two))
    graph = freeze([score.map(two, scale=best(after_one)), after_one])
    assert sum(call.over is not None for call in graph.maps.values()) == 1


def test_a_cell_written_anew_may_read_a_later_map_of_the_group() -> None:
    cell = NamedTask(next_serial(), Function("cell", max), ((3,),), (), name="cell")
    first = score.map(grid())
    follower = score.map(first, scale=cell)
    later = score.map(first)
    cell.arguments, cell.inputs = (), (later,)
    graph = freeze([follower])
    one, other, last = (graph.maps[at] for at in graph.maps)
    assert graph.targets == (graph.ids[max(graph.maps)],)
    assert (one.over, last.over) == (None, None)
    assert other.over == min(graph.maps)


def test_several_iterables_flattening_and_another_depth_each_begin_a_group() -> None:
    first = score.map(grid())
    for follower in (
        score.map(first, grid()),
        score.map(score.map(grid(), flatten=True)),
        score.map(first, depth=2),
    ):
        assert all(call.over is None for call in freeze([follower]).maps.values())


def test_items_are_added_behind_all_tasks() -> None:
    graph = grown(freeze([best(score.map(score.map(grid())))]), score=2)
    assert graph.ids[5:] == ["score-0[0]", "score-0[1]", "score-1[0]", "score-1[1]"]
    assert graph.inputs_at[5:] == [(1,), (1,), (5,), (6,)]
    assert graph.reads(5) == ("score-0.items[0]",)
    assert graph.reads(8) == ("score-0[1]",)
    assert graph.readers_at[5] == (2, 7)
    assert graph.base(8) == 3
    assert map_id(TaskId("score-1[1]")) == "score-1"
    assert map_id(TaskId("score-1")) is None


def test_items_of_a_target_are_targets() -> None:
    graph = grown(freeze([score.map(grid())]), score=2)
    assert graph.is_target_at == [False, False, True, True, True]


def test_told_twice_nothing_grows_and_told_otherwise_all_is_taken_back() -> None:
    graph = freeze([score.map(grid())])
    growing = grown(graph, score=3)
    assert not growing.expand({TaskId("score-0.items"): 3})
    assert growing.expand({TaskId("score-0.items"): 1})
    assert [*growing.ids] == [*graph.ids, "score-0[0]"]
    assert growing.position[TaskId("score-0[0]")] == 3
    assert growing.as_planned is graph


@pytest.mark.parametrize(
    ("iterables", "depth", "expected"),
    [
        (([1, 2],), 1, Elements([1, 2], 2)),
        (([],), 1, Elements([], 0)),
        (("ab",), 1, Elements(["a", "b"], 2)),
        (({"k": 1},), 1, Elements(["k"], 1)),
        ((range(3), "ab"), 1, Elements([(0, "a"), (1, "b")], 2)),
        (([[1], [], [2, 3]],), 2, Elements([1, 2, 3], [1, 0, 2])),
        (([[[1]], []],), 3, Elements([1], [[1], []])),
        (([[1, 2]], [[3, 4]]), 2, Elements([(1, 3), (2, 4)], [2])),
    ],
)
def test_iterables_are_split_into_elements(
    iterables: tuple[Any, ...], depth: int, expected: Elements
) -> None:
    assert split(*iterables, depth=depth) == expected


@pytest.mark.parametrize(
    ("gathered", "values", "expected"),
    [
        (Gathered(3, flatten=False), [1, SKIP, None], [1, None]),
        (Gathered(2, flatten=True), [[1], [2, 3]], [1, 2, 3]),
        (Gathered(2, flatten=True), [SKIP, [1]], [1]),
        (Gathered([1, 0, 2], flatten=False), [1, 2, SKIP], [[1], [], [2]]),
        (Gathered(0, flatten=True), [], []),
        (Gathered([2, 1], flatten=True), [[1], [2, 3], [4]], [[1, 2, 3], [4]]),
        (Gathered([[1], []], flatten=True), [[1, 2]], [[[1, 2]], []]),
    ],
)
def test_what_items_return_is_put_in_a_list_of_the_same_form(
    gathered: Gathered, values: list[Any], expected: list[Any]
) -> None:
    assert gathered.assembled(values) == expected


def test_an_item_that_is_given_skip_is_not_called() -> None:
    def refuse(*_values: Any) -> None:
        raise AssertionError

    assert ItemCall(refuse, is_spread=False, flatten=False)(SKIP) is SKIP
    assert ItemCall(refuse, is_spread=True, flatten=False)((1, SKIP)) is SKIP


def test_skip_is_one_object_in_every_process() -> None:
    assert pickle.loads(pickle.dumps(SKIP)) is SKIP
    assert repr(SKIP) == "wfnb.SKIP"


def test_what_cannot_be_iterated_or_flattened_is_named() -> None:
    with pytest.raises(CallError, match="was given a int"):
        split(7)
    with pytest.raises(CallError, match="an item returned a int"):
        ItemCall(int, is_spread=False, flatten=True)("7")


def test_too_many_items_are_refused() -> None:
    with pytest.raises(CallError, match="100,000 items at most"):
        split(range(100_001))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"depth": 0}, "depth=0: give a whole number"),
        ({"flatten": "yes"}, "flatten='yes': choose from True, False"),
        ({"expected": -1}, "expected=-1: give a number of items"),
    ],
)
def test_options_of_a_map_that_make_no_sense_are_refused(
    words: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        score.map(grid(), **words)


def test_arguments_that_do_not_fit_are_refused_where_the_map_is_written() -> None:
    with pytest.raises(CallError, match="score"):
        score.map(grid(), speed=2)
    with pytest.raises(CallError, match="score"):
        score.map(grid(), grid(), grid())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, flatten: x, {"flatten": True}),
        (lambda x, flatten: x, {}),
        (lambda x, depth=3: x, {"depth": 2}),
        (lambda x, *, expected=0: x, {"expected": 5}),
    ],
)
def test_a_word_that_map_and_the_function_both_know_is_refused(
    function: Any, words: dict[str, Any]
) -> None:
    with pytest.raises(CallError, match=r"is an option of map, .*rename the parameter"):
        task(function).map(grid(), **words)


def test_a_parameter_named_like_an_option_may_be_left_out_or_be_what_is_mapped() -> None:
    level = task(lambda depth=1, expected=0: depth)
    assert level.map([[1]], depth=2).call.depth == 2
    assert level.map(grid()).call.depth == 1
    assert task(lambda x, *depth: x).map([[1]], depth=2).call.depth == 2


def test_inside_a_task_a_map_is_a_plain_loop() -> None:

    token = running.set(Attempt("r", "t", 1))
    try:
        assert score.map([1, 2], scale=3) == [3, 6]  # type: ignore[comparison-overlap]
    finally:
        running.reset(token)
