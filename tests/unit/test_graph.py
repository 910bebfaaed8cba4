"""Graphs: frozen from tasks, or made of calls with names; ids, order, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from wfnb.arguments import Nested, OutputOf, output_at
from wfnb.errors import GraphError
from wfnb.freezing import freeze
from wfnb.graph import Function, Graph, NamedCall, NamedTask, Options, Task, TaskId
from wfnb.language import next_serial, task


@task
def count(*words: Any) -> int:
    return len(words)


@task
def merge(*parts: Any) -> list[Any]:
    return [*parts]


def identity(value: Any = None) -> Any:
    return value


IDENTITY = Function("identity", identity)


def named(name: str, *inputs: Task) -> NamedTask:
    return NamedTask(next_serial(), Function(name, identity), (), inputs, name=name)


def call(name: str, *reads: str, **named: str) -> NamedCall:
    kwargs = {word: OutputOf(read) for word, read in named.items()}
    return NamedCall(name, IDENTITY, tuple(OutputOf(read) for read in reads), kwargs)


def test_ids_count_the_tasks_of_a_function_in_the_order_of_writing() -> None:
    first, second = count("a"), count("b")
    graph = freeze([merge(second, first)])
    assert graph.ids == ("count-0", "count-1", "merge-0")
    assert graph.inputs(TaskId("merge-0")) == ("count-1", "count-0")


def test_ids_are_the_same_when_a_cell_is_run_again() -> None:
    def cell() -> Task:
        return merge(count("a"), count("b"))

    assert freeze([cell()]).ids == freeze([cell()]).ids == ("count-0", "count-1", "merge-0")


def test_tasks_that_nobody_asked_for_are_not_there_and_not_counted() -> None:
    count("left over")
    wanted = count("wanted")
    assert freeze([wanted]).ids == ("count-0",)


def test_functions_of_one_name_share_the_count() -> None:
    def define() -> Any:
        @task
        def count() -> None: ...

        return count

    assert freeze([define()(), define()(), count()]).ids == ("count-0", "count-1", "count-2")


def test_names_are_ids_where_they_are_given() -> None:
    graph = freeze([count(1), named("total")])
    assert graph.ids == ("count-0", "total")
    assert graph.names == {1: "total"}


def test_two_tasks_of_one_given_name_are_refused() -> None:
    with pytest.raises(GraphError, match="two tasks are named x: give one"):
        freeze([named("x"), named("x")])


def test_a_task_is_there_once_however_often_it_is_read_or_wanted() -> None:
    one = count()
    graph = freeze([merge(one, [one]), one, one])
    assert graph.ids == ("count-0", "merge-0")
    assert graph.targets == ("merge-0", "count-0")


def test_a_graph_knows_readers_descendants_and_targets() -> None:
    one = count()
    two = merge(one)
    graph = freeze([merge(two, one)])
    assert graph.readers(TaskId("count-0")) == ("merge-0", "merge-1")
    assert graph.descendants([TaskId("count-0")]) == {"merge-0", "merge-1"}
    assert graph.is_target_at == (False, False, True)


def test_a_name_that_is_not_there_is_answered_with_those_alike() -> None:
    graph = freeze([count(), count()])
    with pytest.raises(GraphError, match="no task is named count-7; there is count-0, count-1"):
        graph.function(TaskId("count-7"))


@pytest.mark.parametrize("target", [count, 5, "count-0", None, [1]])
def test_what_is_not_a_task_is_no_target(target: Any) -> None:
    with pytest.raises(GraphError, match="not a task: call a @task function"):
        freeze([target])


def test_a_chain_of_20_000_is_built_and_frozen_without_recursion() -> None:
    end = count()
    for _ in range(20_000):
        end = count(end)
    graph = freeze([end])
    assert len(graph) == 20_001
    assert graph.ids[-1] == "count-20000"
    assert len(graph.descendants([graph.ids[0]])) == 20_000


def test_a_fan_of_10_000_is_one_task_with_10_000_inputs() -> None:
    graph = freeze([merge([count(n) for n in range(10_000)])])
    assert len(graph.inputs_at[-1]) == 10_000


def test_calls_with_names_come_in_any_order() -> None:
    graph = Graph.of([call("c", "b", "a"), call("b", "a"), call("a")])
    assert graph.ids == ("a", "b", "c")
    assert graph.inputs(TaskId("c")) == ("b", "a")
    assert graph.targets == ("c",)


def test_references_lie_at_any_depth_and_among_keywords() -> None:
    nested = NamedCall("b", IDENTITY, ([1, {"x": OutputOf("a")}],), {"value": OutputOf("a")})
    graph = Graph.of([call("a"), nested])
    hole = output_at(0)
    assert graph.arguments_at[1] == ((Nested([1, {"x": hole}]),), {"value": hole})
    assert graph.inputs_at[1] == (0,)


def test_targets_of_calls_can_be_chosen() -> None:
    assert Graph.of([call("a"), call("b", "a")], targets=["a"]).targets == ("a",)
    with pytest.raises(GraphError, match="no task is named z"):
        Graph.of([call("a")], targets=["z"])


def test_a_cycle_is_refused_with_its_path() -> None:
    with pytest.raises(GraphError, match=r"wait on each other: (\w) -> .* -> \1:"):
        Graph.of([call("a", "b"), call("b", "c"), call("c", "a"), call("d", "a")])


def test_a_task_that_reads_itself_is_a_cycle() -> None:
    with pytest.raises(GraphError, match="a -> a"):
        Graph.of([call("a", value="a")])


def test_an_unknown_input_is_refused_with_a_remedy() -> None:
    with pytest.raises(GraphError, match=r"total reads part-3.*there is part-1.*mend the name"):
        Graph.of([call("part-1"), call("total", "part-3")])


def test_an_id_given_twice_is_refused() -> None:
    with pytest.raises(GraphError, match="two tasks are named a"):
        Graph.of([call("a"), call("a")])


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a:b", "x" * 129, "a\n"])
def test_an_id_that_is_no_id_is_refused(name: str) -> None:
    with pytest.raises(GraphError, match="is no name for a task"):
        Graph.of([call(name)])


def test_calls_of_one_function_share_it() -> None:
    other = Function("identity", identity, Options(retries=1))
    graph = Graph.of([call("a"), call("b"), NamedCall("c", other)])
    assert graph.functions == (IDENTITY, other)
    assert graph.function_at == (0, 0, 1)


def test_a_long_chain_of_names_is_ordered_without_recursion() -> None:
    calls = [call("t0")] + [call(f"t{n}", f"t{n - 1}") for n in range(1, 5_000)]
    assert Graph.of(reversed(calls)).ids == tuple(f"t{n}" for n in range(5_000))


def test_a_graph_written_out_of_order_is_refused() -> None:
    graph = freeze([merge(count())])
    with pytest.raises(GraphError, match="does not come before it"):
        Graph(
            functions=graph.functions,
            ids=graph.ids,
            function_at=graph.function_at,
            arguments_at=graph.arguments_at,
            inputs_at=((1,), ()),
            targets=graph.targets,
        )
