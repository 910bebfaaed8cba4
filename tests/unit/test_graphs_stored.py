"""Graphs as signed bytes: small, each thing once, named errors, and what comes back."""

from __future__ import annotations

import linecache
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from wfnb import codec
from wfnb.arguments import Constant, Nested, OutputOf, constants_of, fill
from wfnb.errors import SerialisationError, SignatureError
from wfnb.freezing import freeze
from wfnb.graph import Function, Graph, NamedCall, Options, Task
from wfnb.language import task
from wfnb.resources import Resources
from wfnb.signing import Signer
from wfnb.storage.constants import load_constant
from wfnb.storage.graphs import Dumped, dump_graph, load_graph
from wfnb.storage.sources import MOST_CHARACTERS, remember

SIGNER = Signer(bytes(range(32)))
MIB = 1 << 20


@task
def same(value: Any) -> Any:
    return value


@task
def two(left: Any, right: Any) -> Any:
    return left, right


@dataclass
class Setting:
    data: Any
    rate: float = 0.1


def dumped(*targets: Task) -> Dumped:
    return dump_graph(freeze(targets), SIGNER, "run")


def loaded(*targets: Task) -> Graph:
    return load_graph(dumped(*targets).graph, SIGNER, "run").graph


def filled(dump: Dumped, at: int, *outputs: Any) -> tuple[Any, Any]:
    """The arguments of a call as a worker would make them."""
    arguments = load_graph(dump.graph, SIGNER, "run").graph.arguments_at[at]
    constants = {
        content: codec.decode(load_constant(dump.constants[content], SIGNER, content))
        for content in constants_of(arguments)
    }
    return fill(arguments, outputs, constants)


def test_a_graph_of_130_small_tasks_takes_10_kb_at_most() -> None:
    level = [same({"file": f"part-{n}.txt", "n": n}) for n in range(65)]
    level = [two(left, right) for left, right in zip(level, level[1:] + level[:1], strict=True)]
    assert len(dumped(*level).graph) <= 10_000


def test_a_graph_comes_back_as_it_was() -> None:
    one = same([1, {"a": 2}])
    graph = loaded(two(one, right=[one, 3]), one)
    assert graph.ids == ("same-0", "two-0")
    assert graph.targets == ("two-0", "same-0")
    assert graph.inputs_at == ((), (0,))
    assert graph.functions[1].call(1, 2) == (1, 2)


def test_a_graph_with_names_comes_back_with_them() -> None:
    options = Options(retries=2, resources=Resources(2, "1GB"), requirements=("numpy",))
    calls = [
        NamedCall("end", Function("same", same.function), (OutputOf("begin"),)),
        NamedCall("begin", Function("other", same.function, options), (1,)),
    ]
    graph = load_graph(dump_graph(Graph.of(calls), SIGNER, "r").graph, SIGNER, "r").graph
    assert graph.ids == ("begin", "end")
    assert graph.functions[0].options == options
    assert [function.name for function in graph.functions] == ["other", "same"]


def test_a_chain_of_20_000_is_written_and_read_without_recursion() -> None:
    end = same(0)
    for _ in range(20_000):
        end = two(end, 1)
    dump = dumped(end)
    graph = load_graph(dump.graph, SIGNER, "run").graph
    assert (len(graph), graph.inputs_at[-1]) == (20_001, (19_999,))
    assert filled(dump, 20_000, "out")[0] == ["out", 1]


def test_equal_arrays_are_stored_once() -> None:
    dump = dumped(same(np.ones(MIB // 8)), same(np.ones(MIB // 8)), same(np.zeros(MIB // 8)))
    assert len(dump.constants) == 2
    assert len(dump.graph) < 2_000


@pytest.mark.parametrize(
    "wrap",
    [
        lambda array: [array],
        lambda array: {"data": array, "rate": 1},
        lambda array: ([1, [array]],),
        lambda array: {"x": [{"y": array}]},
    ],
)
def test_an_array_inside_short_containers_is_stored_once_for_all(wrap: Any) -> None:
    array = np.ones(MIB // 8)
    dump = dumped(same(array), same(wrap(array)), two(same(1), [wrap(array), 7]))
    assert len(dump.constants) == 1
    assert len(dump.graph) < 3_000
    (value,), _ = filled(dump, 1)
    assert repr(value) == repr(wrap(array))


def test_a_large_part_beside_a_task_is_stored_apart() -> None:
    array = np.ones(MIB // 8)
    dump = dumped(same([same(1), array, "x" * 100_000]))
    assert len(dump.constants) == 2
    (value,), _ = filled(dump, 1, "out")
    assert value[0] == "out"
    assert (value[1] == array).all()
    assert value[2] == "x" * 100_000


@pytest.mark.parametrize(
    "value",
    [
        "x" * 100_000,
        b"x" * 100_000,
        bytearray(100_000),
        list(range(50_000)),
        {n: str(n) for n in range(20_000)},
        Setting(np.ones(10_000)),
        {"settings": Setting([Setting(np.ones(10_000))])},
    ],
    ids=lambda value: type(value).__name__,
)
def test_large_values_of_every_kind_are_apart_and_come_back(value: Any) -> None:
    dump = dumped(same(value), same(value))
    assert len(dump.constants) == 1
    assert len(dump.graph) < 3_000
    (first,), _ = filled(dump, 0)
    (second,), _ = filled(dump, 1)
    assert repr(first) == repr(value)
    assert first is not second or isinstance(value, (str, bytes))


def test_each_task_names_only_the_constants_that_it_needs() -> None:
    ones, zeros = np.ones(MIB // 8), np.zeros(MIB // 8)
    dump = dumped(same(ones), two(zeros, right=ones), same(5))
    graph = load_graph(dump.graph, SIGNER, "run").graph
    assert [len(constants_of(its)) for its in graph.arguments_at] == [1, 2, 0]


def test_a_container_of_tasks_and_many_small_values_stays_in_the_graph() -> None:
    dump = dumped(same([*range(20_000), same(1)]))
    assert dump.constants == {}
    (value,), _ = filled(dump, 1, "out")
    assert value == [*range(20_000), "out"]


def test_what_looks_large_and_is_small_stays_in_the_graph() -> None:
    assert dumped(same([0] * 2_000)).constants == {}


def test_a_constant_is_loaded_only_under_its_own_name() -> None:
    ((content, blob),) = dumped(same("x" * 100_000)).constants.items()
    with pytest.raises(SignatureError):
        load_constant(blob, SIGNER, content[::-1])


def test_a_graph_is_loaded_only_for_its_own_run_and_key() -> None:
    graph = dumped(same(1)).graph
    with pytest.raises(SignatureError):
        load_graph(graph, SIGNER, "another")
    with pytest.raises(SignatureError):
        load_graph(graph, Signer(b"k" * 32), "run")


def test_arguments_that_a_task_could_change_are_new_each_time() -> None:
    shared = [1]
    arguments = loaded(same(shared), same(shared), same(Setting([1]))).arguments_at
    assert arguments[0][0][0] is not arguments[1][0][0]
    arguments[0][0][0].append(2)
    arguments[2][0][0].data.append(2)
    assert arguments[0] == (([1],),)
    assert arguments[2] == ((Setting([1]),),)


def test_one_object_given_twice_to_one_call_is_one_object_there() -> None:
    shared = Setting([1])
    ((left, right),) = loaded(two(shared, shared)).arguments_at[0]
    assert left is right


def test_a_function_is_stored_once_however_many_task_functions_wrap_it() -> None:
    text = "x" * 10_000

    def speak() -> str:
        return text

    once = len(dumped(task(speak)()).graph)
    assert len(dumped(task(speak)(), task(retries=1)(speak)()).graph) < once + 500


def test_an_argument_that_cannot_travel_is_named_by_task_and_parameter() -> None:
    with pytest.raises(SerialisationError) as caught:
        dumped(same(1), two(2, {"inner": [1, threading.Lock()]}))
    message = str(caught.value)
    assert "two-0 (two): right['inner'][1] is a _thread.lock" in message
    assert "make it inside the function" in message


def test_an_argument_beside_a_task_that_cannot_travel_is_named_too() -> None:
    with pytest.raises(SerialisationError, match=r"same-1 \(same\): value\[1\] is a _thread.lock"):
        dumped(same([same(1), threading.Lock()]))


def test_an_argument_after_the_parameters_is_named_by_its_number() -> None:
    @task
    def many(first: Any, *others: Any, **named: Any) -> None: ...

    with pytest.raises(SerialisationError, match=r"many-0 \(many\): argument 2 is a generator"):
        dumped(many(1, 2, (n for n in range(3))))
    with (
        closing(sqlite3.connect(":memory:")) as memory,
        pytest.raises(SerialisationError, match=r"many-0 \(many\): key is a sqlite3"),
    ):
        dumped(many(1, key=memory))


def test_a_large_argument_that_cannot_travel_is_named_too() -> None:
    with pytest.raises(SerialisationError, match=r"same-0 .*value\[1000\] is a _thread.lock"):
        dumped(same([*range(1_000), threading.Lock()]))


@pytest.mark.parametrize("take", [dict.values, dict.keys, dict.items, lambda d: (k for k in d)])
def test_what_has_to_be_a_list_is_told_so(take: Any) -> None:
    made = take({"a": same(1)})
    with pytest.raises(SerialisationError, match=r"value is a .*: pass list\(\.\.\.\) of it"):
        dumped(same(made))


def test_a_closure_variable_that_cannot_travel_is_named() -> None:
    lock = threading.Lock()

    @task
    def locked() -> bool:
        return lock.locked()

    with pytest.raises(SerialisationError, match=r"locked-0: function `locked` .*`lock`, a _thr"):
        dumped(locked())


def test_a_global_of_a_cell_that_cannot_travel_is_named() -> None:
    space: dict[str, Any] = {"__name__": "__main__", "GUARD": threading.Lock()}
    exec("def guarded():\n    return GUARD.locked()\n", space)
    with pytest.raises(SerialisationError, match=r"guarded-0: function `guarded` .*`GUARD`, a _t"):
        dumped(task(space["guarded"])())


def test_a_task_in_a_closure_is_refused_by_name() -> None:
    early = same(1)

    @task
    def late() -> Any:
        return early

    with pytest.raises(SerialisationError, match=r"`early`, a wfnb.tasks.Task.*as an argument"):
        dumped(late())


def test_a_task_where_nobody_looks_is_refused_by_name() -> None:
    class Holder:
        pass

    holder = Holder()
    holder.task = same(1)
    with pytest.raises(SerialisationError, match=r"value.task is a wfnb.tasks.Task"):
        dumped(same(holder))
    objects = np.array([None], dtype=object)
    objects[0] = same(1)
    with pytest.raises(SerialisationError, match=r"same-0 \(same\): .*<task same> has no value"):
        dumped(same(objects))


def test_the_source_of_a_cell_travels_with_its_functions() -> None:
    name = "<cell of test_graphs_stored>"
    text = "def helper(n):\n    return 1 / n\ndef divide(n):\n    return helper(n)\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), space)
    graph = freeze([task(space["divide"])(1)])
    sources = load_graph(dump_graph(graph, SIGNER, "r").graph, SIGNER, "r").sources
    del linecache.cache[name]
    remember(sources)
    assert linecache.getline(name, 2) == "    return 1 / n\n"
    remember(b"")
    assert linecache.getline(name, 2) == ""


def test_cells_that_are_not_needed_or_are_huge_stay_at_home() -> None:
    names = ["<other cell of test_graphs_stored>", "<huge cell of test_graphs_stored>"]
    texts = ["x = 1\n", "def huge(): ...\n#" + "x" * MOST_CHARACTERS]
    space: dict[str, Any] = {"__name__": "__main__"}
    for name, text in zip(names, texts, strict=True):
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), space)
    graph = freeze([task(space["huge"])()])
    stored = load_graph(dump_graph(graph, SIGNER, "r").graph, SIGNER, "r")
    for name in names:
        del linecache.cache[name]
    assert stored.sources == b""


def test_a_graph_that_was_loaded_can_be_stored_again_under_another_run() -> None:
    graph = loaded(two(same(1), [2]))
    again = load_graph(dump_graph(graph, SIGNER, "other").graph, SIGNER, "other").graph
    assert again.ids == graph.ids
    assert again.arguments_at[1] == graph.arguments_at[1]


def test_a_loaded_graph_whose_constants_are_elsewhere_is_refused() -> None:
    graph = loaded(same(np.ones(MIB // 8)))
    with pytest.raises(SerialisationError, match=r"same-0 has a large constant.*resume that run"):
        dump_graph(graph, SIGNER, "other")


def test_an_object_that_answers_anything_is_no_array() -> None:
    class Answers:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise RuntimeError(name)

    assert dumped(same(Answers())).constants == {}


def test_nested_values_know_that_they_hold_something() -> None:
    array = np.ones(MIB // 8)
    dump = dumped(same([array, 1]))
    ((value,),) = load_graph(dump.graph, SIGNER, "run").graph.arguments_at[0]
    assert isinstance(value, Nested)
    assert isinstance(value.template[0], Constant)
