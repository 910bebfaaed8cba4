from __future__ import annotations

from types import SimpleNamespace

from tests.pictured import five
from wfnb.freezing import freeze
from wfnb.graph import Graph, TaskId
from wfnb.growth import GrowingGraph
from wfnb.language import task
from wfnb.plan import Placement, Plan
from wfnb.resources import Resources
from wfnb.timeline import Span, TaskState, Timeline
from wfnb.widgets.shaping import planned, shaped
from wfnb.widgets.telling import Telling


@task
def grid(): ...


@task(retries=2, timeout=30, reuse=True, requirements="numpy")
def score(item, model): ...


@task
def rate(item): ...


@task
def best(*lists): ...


def maps() -> Graph:
    """A map with a constant, and one that follows it."""
    return GrowingGraph.of_run(freeze([best(rate.map(score.map(grid(), model=grid())))]))


def expand(graph: Graph, count: int) -> None:
    assert isinstance(graph, GrowingGraph)
    splitter = graph.ids[next(iter(graph.maps.values())).splitter]
    graph.expand({splitter: count})


def numbered(graph: Graph) -> dict[TaskId, int]:
    return {each: at for at, each in enumerate(graph)}


def test_a_map_is_told_with_what_it_is_made_of():
    graph = maps()
    number = numbered(graph)
    first, second = shaped(graph, number, placements={})["maps"]
    assert first["items"] is None
    assert [graph.ids[first[part]] for part in ("at", "splitter")] == ["score-0", "score-0.items"]
    assert [graph.ids[at] for at in first["constants"]] == ["grid-1"]
    assert second["over"] == first["at"]


def test_items_are_told_as_stretches_without_names():
    graph = maps()
    expand(graph, 3)
    told = shaped(graph, numbered(graph), placements={})
    first, second = (each["items"] for each in told["maps"])
    assert [graph.ids[at] for at in range(first[0][0], first[0][1] + 1)] == [
        "score-0[0]",
        "score-0[1]",
        "score-0[2]",
    ]
    assert {told["ids"][at] for at, _ in (*first, *second)} == {0}
    assert {told["in"][at] for at, _ in (*first, *second)} == {0}
    nodes = {node["name"]: node for node in told["view"]["nodes"]}
    assert nodes["score ×3"]["map"] == number_of(graph, "score-0")  # noqa: RUF001  it is the name
    assert nodes["score ×3"]["counted"] == first  # noqa: RUF001  it is the name


def number_of(graph: Graph, name: str) -> int:
    return graph.at(TaskId(name))


def test_items_are_placed_as_their_map_is():
    graph = maps()
    expand(graph, 2)
    placements = dict.fromkeys(graph.as_planned, Placement())
    placements[TaskId("score-0")] = Placement(resources=Resources(cpus=2), environment="packages")
    told = shaped(graph, numbered(graph), placements=placements)
    item = number_of(graph, "score-0[1]")
    assert told["sizes"][told["size"][item]] == "2 cpus"
    assert told["packages"][told["package"][item]] == "packages"


def test_what_a_function_asks_for_is_told_in_words():
    graph = maps()
    told = shaped(graph, numbered(graph), placements={})
    call = graph.maps[number_of(graph, "score-0")]
    assert dict(told["needs"][call.function]) == {
        "requirements": "numpy",
        "retries": "2",
        "timeout": "30 s",
        "reuse": "computed once, then reused",
    }


def test_a_prediction_is_told_with_the_graph():
    graph = five()
    simulated = Timeline(graph)
    simulated._spans = {
        TaskId(name): Span(
            task=TaskId(name),
            state=TaskState.DONE,
            worker="w1",
            start_seconds=at,
            end_seconds=at + 1.0,
        )
        for at, name in enumerate(["load", "elsewhere[0]"])
    }
    told = planned(simulated, numbered(graph))
    assert told["rows"] == [[0, 0, 0, 1.0], [-1, 0, 1, 2.0, "elsewhere[0]"]]
    assert (told["lanes"], told["end"]) == (["w1"], 2.0)
    plan = Plan(graph, dict.fromkeys(graph, Placement()))
    vars(plan)["outlook"] = SimpleNamespace(timeline=simulated)
    assert Telling().shape(graph, plan=plan)["g"]["planned"] == told


def test_a_graph_that_grows_is_told_again_and_one_that_shrinks_anew():
    graph, telling = maps(), Telling()
    assert "reset" not in telling.shape(graph)
    expand(graph, 4)
    grown = telling.shape(graph)
    assert len(grown["g"]["ids"]) == len(graph)
    assert "reset" not in grown
    expand(graph, 2)
    assert telling.shape(graph)["reset"]
    assert len(telling.ids) == len(graph)


def test_an_error_is_told_once():
    telling, record = Telling(), SimpleNamespace(**dict.fromkeys(_FIELDS, ""), attempt=1)
    record.at_seconds = 1.0
    assert [each["n"] for each in telling.errors([record])["e"]] == [0]
    assert telling.errors([record]) == {}
    later = SimpleNamespace(**{**vars(record), "attempt": 2})
    assert [each["n"] for each in telling.errors([record, later])["e"]] == [1]


_FIELDS = ("task", "kind", "type", "message", "traceback", "stderr", "worker", "resources")
