from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import pytest

from tests.exported import DATA, broken_rules
from wfnb.errors import CallError, ExportError, FormatError, OptionError
from wfnb.events import RunEnded, RunOpened, Sample, TaskDone, TaskExpanded, WorkerJoined
from wfnb.exports import export
from wfnb.exports.instances import RecordedTask
from wfnb.exports.replay import load, recorded, replay
from wfnb.exports.subject import Subject
from wfnb.exports.wfformat import text_of
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.growth import GrowingGraph
from wfnb.language import task
from wfnb.plan import Placement
from wfnb.resources import Resources
from wfnb.timeline import Timeline

SURVEY = DATA / "survey-1.5.json"
DIAMOND = DATA / "diamond-1.4.json"
RECORDED = sorted(Path(os.environ.get("WFINSTANCES", "nowhere")).glob("*.json*"))


@task(resources=Resources(cpus=0.5))
def count(part):
    return part


@task
def merge(parts):
    return parts


def document(thing):
    return json.loads(text_of(thing))


def facts(graph):
    found = {}
    for at, name in enumerate(graph.ids):
        told = recorded(graph, at)
        sizes = sorted(told.inputs.values()), sorted(told.outputs.values())
        measured = told.runtime_seconds, told.cores, told.memory_bytes, told.machines
        found[name] = told.name, set(graph.inputs(name)), sizes, measured
    return found


def done(task, *, start, seconds=1.0, read=0, wrote=0, worker="w1"):
    sample = Sample(start, 0.25, seconds, seconds / 2, 0.25, read, wrote)
    return TaskDone(at_seconds=start, task=task, attempt=1, sample=sample, worker=worker)


def test_a_graph_that_has_not_run_is_its_structure():
    told = document(merge([count(1), count(2)]))
    assert broken_rules(told) == []
    assert "execution" not in told["workflow"]
    tasks = told["workflow"]["specification"]["tasks"]
    assert [(t["id"], t["name"], t["parents"], t["children"]) for t in tasks] == [
        ("count-0", "count", [], ["merge-0"]),
        ("count-1", "count", [], ["merge-0"]),
        ("merge-0", "merge", ["count-0", "count-1"], []),
    ]


def test_what_was_not_run_yet_is_the_same_text_each_time():
    assert text_of(merge([count(1)])) == text_of(merge([count(1)]))


def test_a_run_is_told_with_its_times_sizes_and_workers():
    graph = freeze([merge([count(1), count(2)])])
    timeline = Timeline(graph)
    for event in (
        RunOpened(at_seconds=1000.0, generation=1),
        WorkerJoined(at_seconds=1000.0, worker="w1", label="host:1"),
        done("count-0", start=1000.5, wrote=10),
        done("count-1", start=1001.0, wrote=20, worker="w2"),
        done("merge-0", start=1002.0, seconds=2.0, read=30, wrote=30),
        RunEnded(at_seconds=1004.5, status="done"),
    ):
        timeline.record(event)
    placements = {"merge-0": Placement(resources=Resources(cpus=4))}
    told = document(Subject(graph=graph, timeline=timeline, placements=placements, run="merge-1a"))
    assert broken_rules(told) == []
    assert told["name"] == "merge-1a"
    execution = told["workflow"]["execution"]
    assert execution["makespanInSeconds"] == 4.5
    assert execution["executedAt"] == "1970-01-01T00:16:40+00:00"
    first, _, last = execution["tasks"]
    assert last == {
        "id": "merge-0",
        "runtimeInSeconds": 2.5,
        "command": {"program": "merge"},
        "coreCount": 4,
        "avgCPU": 50.0,
        "readBytes": 30,
        "writtenBytes": 30,
        "machines": ["w1"],
    }
    assert first["coreCount"] == 1  # half a core is not allowed
    assert execution["machines"] == [
        {"nodeName": "w1", "cpu": {"coreCount": 4}},
        {"nodeName": "w2", "cpu": {"coreCount": 1}},
    ]
    specification = told["workflow"]["specification"]
    sizes = {file["id"]: file["sizeInBytes"] for file in specification["files"]}
    assert sizes == {"count-0.out": 10, "count-1.out": 20, "merge-0.out": 30}
    assert specification["tasks"][2]["inputFiles"] == ["count-0.out", "count-1.out"]


def test_a_run_that_has_done_only_some_is_told_as_far_as_it_came():
    graph = freeze([merge([count(1), count(2)])])
    timeline = Timeline(graph)
    assert broken_rules(document(timeline)) == []
    timeline.record(RunOpened(at_seconds=1000.0, generation=1))
    timeline.record(done("count-0", start=1000.5, wrote=10))
    told = document(timeline)
    assert broken_rules(told) == []
    assert [ran["id"] for ran in told["workflow"]["execution"]["tasks"]] == ["count-0"]
    assert told["workflow"]["execution"]["makespanInSeconds"] == 2.0


def test_a_map_that_has_expanded_is_its_items():
    graph = freeze([merge(count.map(count.map(merge([]))))])
    timeline = Timeline(GrowingGraph.of_run(graph))
    first, second = (graph.ids[at] for at in graph.maps)
    splitter = f"{first}.items"
    sample = Sample(1001.0, output_bytes=100)
    expanded = TaskExpanded(at_seconds=1001.0, task=splitter, attempt=1, sample=sample, count=2)
    for event in (
        RunOpened(at_seconds=1000.0, generation=1),
        expanded,
        done(f"{first}[0]", start=1002.0, read=7, wrote=5),
        done(f"{first}[1]", start=1002.0, read=8, wrote=6),
        done(f"{second}[1]", start=1003.0, read=6, wrote=9),
    ):
        timeline.record(event)
    told = document(timeline)
    assert broken_rules(told) == []
    specification = told["workflow"]["specification"]
    tasks = {task["id"]: task for task in specification["tasks"]}
    sizes = {file["id"]: file["sizeInBytes"] for file in specification["files"]}
    assert tasks[f"{first}_0"]["parents"] == [splitter]
    assert tasks[f"{second}_1"]["parents"] == [f"{first}_1"]
    assert set(tasks[second]["parents"]) >= {f"{second}_0", f"{second}_1"}
    (given,) = tasks[f"{first}_1"]["inputFiles"]
    assert given in tasks[splitter]["outputFiles"]
    assert sizes[given] == 8


def test_nothing_is_no_workflow():
    with pytest.raises(ExportError, match="no tasks"):
        text_of(Graph.of([]))


@pytest.mark.parametrize("path", [SURVEY, DIAMOND], ids=lambda path: path.stem)
def test_what_is_loaded_and_written_is_loaded_the_same(path, tmp_path):
    graph = load(path)
    again = load(export(graph, tmp_path / "again.json"))
    assert broken_rules(document(graph)) == []
    assert facts(again) == facts(graph)
    assert again.instance == graph.instance
    assert text_of(again) == text_of(graph)


@pytest.mark.skipif(not RECORDED, reason="WFINSTANCES names no folder of recorded workflows")
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.partition(".")[0])
def test_recorded_workflows_are_loaded_and_written(path, tmp_path):
    graph = load(path)
    again = load(export(graph, tmp_path / "again.json"))
    assert broken_rules(document(graph)) == []
    assert facts(again) == facts(graph)


def test_a_recorded_workflow_becomes_tasks_of_the_kinds_that_it_had():
    graph = load(SURVEY)
    assert [(f.name, f.options.resources) for f in graph.functions] == [
        ("cut", Resources(cpus=1, memory=2**29)),
        ("scan", Resources(cpus=2, memory=2**29)),
        ("merge", Resources()),
    ]
    assert graph.targets == ("merge_ID0000005",)
    assert load(SURVEY, resources=Resources()).functions[0].options.resources == Resources()


def test_time_and_data_are_scaled():
    graph = load(SURVEY, time_scale=0.01, data_scale=0.001)
    cut = recorded(graph, 0)
    assert cut.runtime_seconds == pytest.approx(0.025)
    assert cut.outputs["part-1.fits"] == 3000
    assert graph.instance.makespan_seconds == pytest.approx(0.145)


def test_an_old_file_names_its_tasks_and_their_files_in_place():
    graph = load(DIAMOND)
    bottom = recorded(graph, graph.at("bottom"))
    assert set(graph.inputs("bottom")) == {"left", "right"}
    assert bottom.inputs == {"l.bin": 32, "r.bin": 16}
    assert bottom.memory_bytes == 1000
    assert recorded(graph, 0).machines == ("node-a",)
    assert graph.instance.executed_at == "20260102T030405Z"


def test_version_1_3_counts_in_its_own_units_and_may_leave_edges_to_files(tmp_path):
    def file(name, link):
        return {"name": name, "size": 5, "link": link}

    tasks = [
        {"name": "a", "runtime": 1, "memory": 2, "files": [file("x", "output")]},
        {"name": "b", "runtime": 2, "cores": 2, "files": [file("x", "input")]},
    ]
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"schemaVersion": "1.3", "workflow": {"tasks": tasks}}))
    graph = load(path)
    assert graph.inputs("b") == ("a",)
    assert recorded(graph, 0).memory_bytes == 2000
    assert recorded(graph, 1).cores == 2
    assert graph.instance.name == "old"


def test_ids_that_wfnb_does_not_have_are_made_safe_and_stay_apart(tmp_path):
    told = json.loads(SURVEY.read_text())
    text = json.dumps(told).replace("scan_ID0000002", "scan/a").replace("scan_ID0000003", "scan:a")
    path = tmp_path / "named.json"
    path.write_text(text)
    graph = load(path)
    assert {"scan_a", "scan_a-2"} < set(graph.ids)
    assert recorded(graph, graph.at("scan_a-2")).name == "scan:a"


def test_a_packed_file_is_unpacked(tmp_path):
    path = tmp_path / "survey.json.gz"
    path.write_bytes(gzip.compress(SURVEY.read_bytes()))
    assert facts(load(path)) == facts(load(SURVEY))


def test_replaying_takes_the_time_and_writes_the_bytes_that_were_recorded():
    told = RecordedTask(id="a", name="a", outputs={"x": 200_000, "y": 0}, runtime_seconds=0.001)
    written = replay(told, "sleep")
    assert {name: len(data) for name, data in written.items()} == told.outputs
    reader = RecordedTask(id="b", name="b", inputs={"x": 200_000, "elsewhere": 5})
    assert replay(reader, "busy", written) == {}
    short = RecordedTask(id="c", name="c", inputs={"x": 1})
    with pytest.raises(CallError, match=r"c reads 1 bytes of x, and 200,000 came"):
        replay(short, "sleep", written)


def broken(change):
    told = json.loads(SURVEY.read_text())
    change(told, told["workflow"]["specification"], told["workflow"]["execution"])
    return json.dumps(told)


def changed(path, value):
    def change(told, specification, execution):
        place = {"told": told, "specification": specification, "execution": execution}
        *way, last = path.split(".")
        thing = place[way[0]]
        for step in way[1:]:
            thing = thing[int(step) if step.isdigit() else step]
        thing[int(last) if last.isdigit() else last] = value

    return broken(change)


BAD = {
    "nothing": ("", "it is no JSON"),
    "no JSON": ("{", "it is no JSON"),
    "no text": ("\udcff", "it is no JSON"),
    "a list": ("[]", "json: its content is missing, or no object: is it a WfFormat file"),
    "too deep": ("[" * 200_000, "nested too deep"),
    "no version": ("{}", "has no schemaVersion: give a WfFormat file of version 1.3, 1.4"),
    "a later version": (changed("told.schemaVersion", "9.0"), "of version '9.0': give"),
    "a number for a version": (changed("told.schemaVersion", 1.5), "of version 1.5: give"),
    "no workflow": (changed("told.workflow", None), "workflow is missing"),
    "no specification": (changed("told.workflow", {}), "specification is missing"),
    "no tasks": (changed("specification.tasks", []), "it has no tasks"),
    "tasks that are none": (
        changed("specification.tasks.0", 3),
        "entry of tasks is missing, or no",
    ),
    "a task without id": (changed("specification.tasks.1.id", ""), "task 1 has no id"),
    "two of one id": (
        changed("specification.tasks.1.id", "cut_ID0000001"),
        "two tasks have the id cut_ID0000001",
    ),
    "an unknown parent": (
        changed("specification.tasks.4.parents", ["ghost"]),
        "ghost is said to be a parent of merge_ID0000005, but no task is named so",
    ),
    "an unknown child": (changed("specification.tasks.4.children", ["ghost"]), "a child of merge"),
    "parents that are no list": (changed("specification.tasks.4.parents", "cut"), "no list of"),
    "a cycle": (
        changed("specification.tasks.0.parents", ["merge_ID0000005"]),
        "tasks wait on each other: .*cut_ID0000001",
    ),
    "itself for a parent": (
        changed("specification.tasks.0.parents", ["cut_ID0000001"]),
        "tasks wait on each other: cut_ID0000001 -> cut_ID0000001",
    ),
    "a negative size": (
        changed("specification.files.0.sizeInBytes", -1),
        "sizeInBytes of file sky.fits is -1: give a number, 0 or more",
    ),
    "no size": (changed("specification.files.0.sizeInBytes", None), "sky.fits has no sizeInBytes"),
    "a size in words": (changed("specification.files.0.sizeInBytes", "9 MB"), "'9 MB': give a"),
    "a file without id": (changed("specification.files.0.id", 7), "a file has no id"),
    "a negative time": (changed("execution.tasks.0.runtimeInSeconds", -2), "cut_ID0000001 is -2"),
    "an endless time": (
        changed("execution.tasks.0.runtimeInSeconds", float("inf")),
        "runtimeInSeconds of cut_ID0000001 is inf",
    ),
    "a time that is none": (
        changed("execution.tasks.0.runtimeInSeconds", float("nan")),
        "runtimeInSeconds of cut_ID0000001 is nan",
    ),
    "what no task took": (changed("execution.tasks.0.id", "ghost"), "tells of ghost"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_its_name_and_the_remedy(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(FormatError, match=message) as caught:
        load(path)
    assert "bad.json: " in str(caught.value)
    assert ": " in str(caught.value).split("bad.json: ")[1]


def test_a_file_that_is_not_there_or_not_whole_is_told(tmp_path):
    with pytest.raises(FormatError, match=r"missing\.json: it cannot be read: No such file"):
        load(tmp_path / "missing.json")
    with pytest.raises(FormatError, match="it cannot be read: Is a directory"):
        load(tmp_path)
    half = tmp_path / "half.json.gz"
    half.write_bytes(gzip.compress(SURVEY.read_bytes())[:200])
    with pytest.raises(FormatError, match="it cannot be read"):
        load(half)


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("wfnb.exports.reading.MOST_BYTES", 1000)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b" " * 100_000))
    with pytest.raises(FormatError, match="more than 1,000 bytes"):
        load(path)


@pytest.mark.parametrize(
    "options",
    [{"time_scale": -1}, {"data_scale": "2"}, {"time_scale": float("nan")}, {"mode": "fast"}],
)
def test_options_of_load_are_checked(options):
    with pytest.raises(OptionError, match=re.escape(f"{next(iter(options))}=")):
        load(SURVEY, **options)
