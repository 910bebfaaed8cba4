from __future__ import annotations

import re

import pytest

from wfnb.arguments import OutputOf
from wfnb.events import RunEnded, RunOpened, Sample, TaskClaimed, TaskDone, TaskFailed
from wfnb.exports.mermaid import text_of
from wfnb.freezing import freeze
from wfnb.graph import Function, Graph, NamedCall
from wfnb.language import task
from wfnb.timeline import Timeline

NASTY = [
    '"]; click n0 "javascript:alert(1)" n1["',
    "`**bold**`",
    "<img src=x onerror=alert(1)>",
    "a\nclick n0 callback",
    "#quot; &quot;",
    "end",
    "1. list",
    "- list",
    "\u202egnp.exe",
    "%%{init: {'securityLevel': 'loose'}}%%",
    "\x1b[31m",
]


@task
def count(part):
    return part


@task
def merge(*parts):
    return parts


def test_a_small_graph_is_drawn_node_by_node():
    text = text_of(merge(count(1), count(2)))
    assert text == (
        "flowchart LR\n"
        '    n0["count-0"]\n'
        '    n1["count-1"]\n'
        '    n2(["merge-0"])\n'
        "    n0 --> n2\n"
        "    n1 --> n2\n"
    )


def test_a_big_graph_is_folded():
    text = text_of(merge(*map(count, range(1000))))
    assert '[["count, 1,000 tasks"]]' in text
    assert "-->|1000|" in text
    assert len(text.splitlines()) < 10


@pytest.mark.parametrize("name", NASTY)
def test_no_name_breaks_out_of_its_label(name):
    first, second = Function(name, print), Function("second", print)
    calls = [NamedCall(f"t-{at}", first) for at in range(400)]
    reads = tuple(OutputOf(call.id) for call in calls)
    text = text_of(Graph.of([*calls, NamedCall("last", second, reads)]))
    line = re.compile(
        r"flowchart LR|    n\d+(\(\[|\[\[|\[)\"[A-Za-z0-9_.,/() #;-]*\"(\]\)|\]\]|\])"
        r"|    n\d+ -->(\|\d+\|)? n\d+"
    )
    assert [one for one in text.splitlines() if not line.fullmatch(one)] == []
    labels = re.findall(r'"(.*?)"', text)
    assert all(re.fullmatch(r"([A-Za-z0-9_.,/() -]|#\d+;)*", label) for label in labels)


def test_states_are_classes():
    graph = freeze([merge(count(1), count(2))])
    timeline = Timeline(graph)
    timeline.record(RunOpened(at_seconds=1.0, generation=1))
    done = TaskDone(at_seconds=2.0, task=graph.ids[0], attempt=1, sample=Sample(1.0), worker="w1")
    timeline.record(TaskClaimed(at_seconds=1.0, task=graph.ids[1], attempt=1, worker="w2"))
    failed = TaskFailed(
        at_seconds=2.0, task=graph.ids[1], attempt=1, message="no", is_final=True, worker="w2"
    )
    for event in (done, failed, RunEnded(at_seconds=3.0, status="failed")):
        timeline.record(event)
    text = text_of(timeline)
    assert re.search(
        r"classDef done fill:#\w{6},stroke:#\w{6},color:#\w{6}\n    class n0 done", text
    )
    assert "    class n1 failed\n" in text
    assert "    class n2 upstream_failed\n" in text
