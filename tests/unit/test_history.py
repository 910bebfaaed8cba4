"""What workers learn: named by code and size of worker, a few samples of a report, read back."""

from __future__ import annotations

import pytest

from wfnb import task
from wfnb.errors import OptionError
from wfnb.events import Sample
from wfnb.freezing import freeze
from wfnb.graph import Function, Graph
from wfnb.growth import GrowingGraph
from wfnb.history import Recorder, Upload, history_of
from wfnb.history.recorder import MANY, MOST_OF_ONE, MOST_WAITING
from wfnb.plan import Placement, Plan
from wfnb.resources import Resources
from wfnb.signing import Signer
from wfnb.storage import RunId
from wfnb.storage.graphs import Stored, dump_graph, load_graph
from wfnb.storage.history import Part
from wfnb.storage.memory import MemoryStore
from wfnb.storage.outputs import Archive
from wfnb.versions import (
    Version,
    given_bytes,
    learning_of,
    number_given,
    size_named,
    size_read,
    versions_of,
)

SIGNER = Signer(bytes(32))
RUN = RunId("run-1")
BONUS = 1


@task
def double(n: int) -> int:
    return 2 * n


@task
def total(numbers: list[int]) -> int:
    return sum(numbers) + BONUS


@task
def read(content: bytes) -> int:
    return len(content)


def stored_with(graph: Graph, *, upload: str = "completion") -> Stored:
    plan = Plan(graph, dict.fromkeys(graph, Placement(resources=Resources(2, "1GB"), worker="w")))
    learning = learning_of(graph, plan.sizes, upload=upload)
    dumped = dump_graph(graph, SIGNER, RUN, learning=learning)
    return load_graph(dumped.graph, SIGNER, RUN)


def recorder_of(graph: Graph, *, queue: str = "@w", upload: str = "completion") -> Recorder:
    stored = stored_with(graph, upload=upload)
    return Recorder(Archive(MemoryStore(), SIGNER, RUN), stored, queue=queue)


def sample(seconds: float = 0.5, **about: float) -> Sample:
    return Sample(1_795_000_000.0, call_seconds=seconds, **about)


def calls_in(parts: list[Part]) -> list[list[str]]:
    return [words.split(" ") for part in parts for words in part.samples]


def test_a_function_is_the_same_after_it_was_stored_and_loaded():
    graph = freeze([total([double(1), double(2)])])
    again = stored_with(graph).graph
    assert versions_of(again) == versions_of(graph)
    assert len({version.code for version in versions_of(graph)}) == 2


def test_an_edit_changes_the_code_and_keeps_the_family(monkeypatch: pytest.MonkeyPatch):
    (before,) = versions_of(freeze([total([1])]))
    monkeypatch.setitem(globals(), "BONUS", 2)
    (after,) = versions_of(freeze([total([1])]))
    assert before.family == after.family
    assert before.code != after.code


def test_a_function_that_cannot_be_told_is_known_by_its_name_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    def refuse(function: object) -> str:
        raise RuntimeError(function)

    monkeypatch.setattr("wfnb.versions.fingerprint", refuse)
    (version,) = versions_of(freeze([read(b"")]))
    assert version == Version(version.family, "")


def test_arguments_beside_outputs_count_as_bytes_given():
    graph = freeze([read(bytes(5000)), read(b""), double(7), total([[1] * 1000, 3])])
    assert given_bytes(graph) == (5000, 0, 0, 9009)
    assert given_bytes(freeze([double(7)])) == ()


def test_a_number_stands_for_bytes_where_there_is_nothing_else():
    graph = freeze([double(7), double(2.5), double(double(9)), double(float("nan"))])
    given = [number_given(graph, at) for at in range(len(graph))]
    assert sorted(given) == [0, 0, 2, 7, 9]
    assert given_bytes(graph) == ()
    recorder = recorder_of(graph)
    recorder.called(given.index(9), sample())
    assert calls_in(recorder.due())[0][4] == "9"


def test_sizes_of_workers_are_read_as_they_are_named():
    for resources in (Resources(), Resources(0.5, "1GB"), Resources(16)):
        cpus, memory_bytes = size_read(size_named(resources))
        assert (cpus, memory_bytes or None) == (resources.cpus, resources.memory_bytes)


def test_nothing_is_recorded_where_history_is_off():
    recorder = recorder_of(freeze([double(1)]), upload="off")
    recorder.called(0, sample())
    recorder.moved("up", 1 << 20, 0.1)
    assert recorder.due() == []


def test_a_sample_says_what_a_call_was_given_and_took():
    recorder = recorder_of(freeze([read(bytes(5000))]))
    called = Sample(1_795_000_000.0, 0.1, 0.5, 0.4, 0.2, 1000, 80)
    recorder.called(0, called)
    (part,) = recorder.due()
    (words,) = calls_in([part])
    assert part.name.endswith(":2-1000000000")
    assert words[:9] == ["run-1", "1", "0.5", "1795000000", "6000", "80", "0.4", "0.1", "0.2"]
    assert recorder.due() == []


def test_the_size_of_a_worker_is_read_from_a_queue_that_no_plan_named():
    for queue, size in [("1cpu", "1-0"), ("0.5cpu-2000-net+abc", "0.5-2000"), ("@w9", "1-0")]:
        recorder = recorder_of(freeze([double(1)]), queue=queue)
        recorder.called(0, sample())
        assert recorder.due()[0].name.endswith(f":{size}")


def test_of_a_long_report_a_few_samples_stand_for_all():
    graph = freeze([double(n) for n in range(100)])
    recorder = recorder_of(graph)
    for at in range(100):
        recorder.called(at, sample(at + 1.0))
    words = calls_in(recorder.due())
    assert len(words) <= MOST_OF_ONE + 1
    assert sum(float(count) for _, count, *_ in words) == pytest.approx(100)
    middles = [float(seconds) for _, _, seconds, *_ in words if float(seconds) > 1]
    assert middles == pytest.approx([13.5, 38, 63, 88], abs=2)


def test_of_many_reports_one_sample_each_stands_for_all():
    graph = freeze([double(n) for n in range(10)])
    recorder = recorder_of(graph)
    counts = []
    for _ in range(2 * MANY // MOST_OF_ONE):
        for at in range(10):
            recorder.called(at, sample())
        words = calls_in(recorder.due())
        counts.append(len(words))
        assert sum(float(count) for _, count, *_ in words) == 10
    assert counts[1] == MOST_OF_ONE
    assert counts[-1] == 1


def test_only_the_first_call_in_a_process_is_cold():
    def fresh(n: int) -> int:
        return n + 123_456

    graph = freeze([task(fresh)(1), task(fresh)(2)])
    for expected in ("1", "0"):
        recorder = recorder_of(graph)
        recorder.called(0, sample())
        recorder.called(1, sample())
        assert [words[-1] for words in calls_in(recorder.due())] == [expected, "0"]


def test_a_record_is_marked_as_used_once_a_run():
    graph = freeze([double(1), double(2)])
    recorder = recorder_of(graph)
    marks = []
    for at in (0, 1):
        recorder.called(at, sample())
        marks += [part.is_first for part in recorder.due()]
    assert marks == [1, 0]


def test_moves_are_recorded_by_size_the_first_few_and_then_some():
    recorder = recorder_of(freeze([double(1)]))
    for _ in range(40):
        recorder.moved("up", 100_000, 0.001)
        recorder.moved("up", 100, 0.001)  # part of a report
    recorder.moved("down", 1 << 22, 0.01)
    up, down = recorder.due()
    assert (up.name, down.name) == ("move-net:up", "move-net:down")
    assert (len(up.samples), len(down.samples)) == (12, 1)


def test_how_many_items_a_map_had_is_recorded_with_its_function():
    graph = freeze([total(double.map(double.map([1, 2, 3])))])
    recorder = recorder_of(graph)
    (splitter,) = graph.maps_of
    recorder.expanded(splitter, 3, sample())
    (part, *_) = recorder.due()
    family, code, rest = part.name.split(":")
    assert Version(family, code) in versions_of(graph)
    assert (rest, part.samples[0].split(" ")[-1]) == ("items", "3")


def test_items_are_recorded_as_calls_of_their_function():
    stored = stored_with(freeze([total(double.map([1, 2, 3]))]))
    graph = stored.graph
    assert isinstance(graph, GrowingGraph)
    (splitter,) = graph.maps_of
    graph.expand({graph.ids[splitter]: 3})
    recorder = Recorder(Archive(MemoryStore(), SIGNER, RUN), stored, queue="@w")
    recorder.called(len(graph) - 1, sample())
    (part,) = recorder.due()
    called = graph.function_at[len(graph) - 1]
    assert part.name.startswith(versions_of(graph)[called].family)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("completion", Upload()),
        ("5 s", Upload(seconds=5)),
        ("0.5s", Upload(seconds=0.5)),
        ("100 samples", Upload(samples=100)),
        ("end", Upload(seconds=float("inf"))),
    ],
)
def test_a_strategy_is_read_from_words(words: str, expected: Upload):
    assert Upload.read(words) == expected


def test_a_strategy_that_nobody_knows_is_refused_by_name():
    with pytest.raises(OptionError, match="history='sometimes': choose from"):
        Upload.read("sometimes")


def test_samples_wait_until_there_are_enough_of_them():
    graph = freeze([double(1)])
    recorder = recorder_of(graph, upload="3 samples")
    counts = []
    for _ in range(7):
        recorder.called(0, sample())
        counts.append(sum(len(part.samples) for part in recorder.due()))
    assert counts == [0, 0, 3, 0, 0, 3, 0]


def test_what_is_left_is_handed_in_at_the_end_and_never_more_than_a_bound_waits():
    graph = freeze([double(1)])
    recorder = recorder_of(graph, upload="end")
    handed_in = 0
    for _ in range(MOST_WAITING + 10):
        recorder.called(0, sample())
        handed_in += sum(len(part.samples) for part in recorder.due())
    assert handed_in == MOST_WAITING
    store = MemoryStore()
    recorder.finish(store)
    recorder.finish(store)
    (taken,) = history_of(store, graph, place="net").functions[0]
    assert len(taken.past) == 10


def test_history_is_read_for_a_whole_graph_with_the_sizes_that_were_seen():
    graph = freeze([total([double(1)])])
    store = MemoryStore()
    assert history_of(store, graph, place="net").functions == {}
    for queue in ("1cpu", "4cpu"):
        recorder = recorder_of(graph, queue=queue)
        recorder.called(0, sample(0.25))
        recorder.moved("up", 1 << 20, 0.01)
        recorder.finish(store)
    history = history_of(store, graph, place="net")
    assert [taken.resources for taken in history.functions[0]] == [Resources(1), Resources(4)]
    assert 1 not in history.functions
    assert history.functions[0][0].past[0].call_seconds == 0.25
    assert [move.size_bytes for move in history.moves["up"]] == [1 << 20] * 2


def test_edited_code_starts_afresh_with_what_it_was_as_a_prior(monkeypatch: pytest.MonkeyPatch):
    store = MemoryStore()
    recorder = recorder_of(freeze([total([1])]))
    recorder.called(0, sample(1.0))
    recorder.finish(store)
    monkeypatch.setitem(globals(), "BONUS", 3)
    graph = freeze([total([1])])
    (before,) = history_of(store, graph, place="net").functions[0]
    assert before.is_prior
    recorder = recorder_of(graph)
    for _ in range(4):
        recorder.called(0, sample(2.0))
    recorder.finish(store)
    taken = history_of(store, graph, place="net").functions[0]
    assert sorted((its.is_prior, its.past[0].call_seconds) for its in taken) == [
        (False, 2.0),
        (True, 1.0),
    ]
    for _ in range(8):
        recorder.called(0, sample(2.0))
        recorder.finish(store)
    (own,) = history_of(store, graph, place="net").functions[0]
    assert not own.is_prior


def test_reading_takes_two_round_trips_however_many_functions_there_are():
    calls: list[str] = []

    class Counting(MemoryStore):
        def known_records(self, families):
            calls.append("known")
            return super().known_records(families)

        def recorded(self, names):
            calls.append("recorded")
            return super().recorded(names)

    functions = [Function(f"f{n}", lambda n=n: n) for n in range(30)]
    graph = Graph(
        functions=tuple(functions),
        ids=tuple(f"t-{n}" for n in range(30)),
        function_at=tuple(range(30)),
        arguments_at=[()] * 30,
        inputs_at=((),) * 30,
        targets=(),
    )
    history_of(Counting(), graph, place="host")
    assert calls == ["known", "recorded"]
