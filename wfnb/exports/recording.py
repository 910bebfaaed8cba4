"""A run, as a record that other programs can read: what each task took, read and wrote.

A task's output is a file of its own. A map that has expanded is its items; what its iterables were
split into is a file for each item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil

from wfnb.answers import name_of
from wfnb.exports.instances import Instance, RecordedTask
from wfnb.exports.replay import Replay, recorded
from wfnb.exports.subject import Subject
from wfnb.graph import Graph
from wfnb.growth import GrowingGraph
from wfnb.timeline import Span, Timeline


def instance_of(subject: Subject) -> Instance:
    """As this run recorded it; a replayed workflow that has not run is as its file recorded it."""
    graph, timeline = subject.graph, subject.timeline
    spans = {} if timeline is None else {span.task: span for span in timeline.spans}
    span_at = [spans.get(task) for task in graph.ids]
    outputs = [_written(graph, span_at, at) for at in range(len(graph))]
    tasks = tuple([_task(subject, span_at, outputs, at) for at in range(len(graph))])
    known = graph.instance if isinstance(graph, Replay) else None
    if known is not None and timeline is None:
        return replace(known, tasks=tasks)
    return Instance(
        name=subject.run or (known.name if known is not None else name_of(graph)),
        tasks=tasks,
        makespan_seconds=None if timeline is None else _makespan(timeline),
        executed_at="" if timeline is None else _executed_at(timeline),
        cores=_machines(tasks),
    )


def _task(
    subject: Subject,
    span_at: Sequence[Span | None],
    outputs: Sequence[Mapping[str, int]],
    at: int,
) -> RecordedTask:
    graph = subject.graph
    known, parents = recorded(graph, at), _parents(graph, at)
    function = graph.functions[graph.function_at[at]]
    told = RecordedTask(
        id=graph.ids[at],
        name=known.name if known is not None else function.name,
        parents=tuple([graph.ids[parent] for parent in parents]),
        inputs=known.inputs if known is not None else _read(graph, outputs, parents, at),
        outputs=outputs[at],
    )
    span = span_at[at]
    if subject.timeline is None and known is not None:
        return replace(known, id=told.id, parents=told.parents)
    if span is None or span.sample is None:
        return told
    sample = span.sample
    placement = subject.placements.get(graph.ids[graph.base(at)])
    resources = function.options.resources if placement is None else placement.resources
    called = sample.call_seconds
    return replace(
        told,
        runtime_seconds=max(0.0, sample.end_seconds - sample.start_seconds),
        program=function.name,
        cores=resources.cpus,
        cpu_percent=round(100 * sample.cpu_seconds / called, 2) if called > 0 else None,
        read_bytes=sample.input_bytes,
        written_bytes=sample.output_bytes,
        machines=(span.worker,) if span.worker else (),
    )


def _parents(graph: Graph, at: int) -> list[int]:
    """The tasks whose outputs it is given, or that it waits for."""
    found = dict.fromkeys(graph.inputs_at[at])
    if at in graph.maps:
        found.update(dict.fromkeys(_items(graph, at)))
    elif graph.base(at) != at:
        found.update(dict.fromkeys(graph.maps[graph.base(at)].constants))
    return list(found)


def _items(graph: Graph, gather: int) -> list[int]:
    """The items of a map; none of one that has not expanded."""
    if not isinstance(graph, GrowingGraph):
        return []
    return [graph.position[item] for item in graph.items(gather)]


def _written(graph: Graph, span_at: Sequence[Span | None], at: int) -> dict[str, int]:
    known = recorded(graph, at)
    if known is not None:
        return dict(known.outputs)
    if at in graph.maps_of:
        items = _items(graph, graph.maps_of[at][0])
        return {_element(graph, item): _given(graph, span_at, item) for item in items}
    size = _output_bytes(span_at[at])
    return {} if size is None else {f"{graph.ids[at]}.out": size}


def _element(graph: Graph, item: int) -> str:
    return f"{graph.ids[item]}.in"


def _given(graph: Graph, span_at: Sequence[Span | None], item: int) -> int:
    """The bytes of an item's element: what it read but for the constants."""
    span = span_at[item]
    if span is None or span.sample is None:
        return 0
    constants = graph.maps[graph.base(item)].constants
    fixed = sum(_output_bytes(span_at[constant]) or 0 for constant in constants)
    return max(0, span.sample.input_bytes - fixed)


def _read(
    graph: Graph, outputs: Sequence[Mapping[str, int]], parents: Sequence[int], at: int
) -> dict[str, int]:
    found: dict[str, int] = {}
    own = _element(graph, at)
    for parent in parents:
        written = outputs[parent]
        if parent in graph.maps_of:  # of what was split, only what is its own
            written = {own: written[own]} if own in written else {}
        found.update(written)
    return found


def _output_bytes(span: Span | None) -> int | None:
    return None if span is None or span.sample is None else span.sample.output_bytes


def _makespan(timeline: Timeline) -> float:
    """Up to now, or rather to the last that is known, while it runs."""
    ends = [span.end_seconds for span in timeline.spans if span.end_seconds is not None]
    end = timeline.end_seconds or max(ends, default=0.0)
    return max(0.0, end - (timeline.start_seconds or end))


def _executed_at(timeline: Timeline) -> str:
    began = timeline.start_seconds
    return "" if began is None else datetime.fromtimestamp(began, UTC).isoformat()


def _machines(tasks: Sequence[RecordedTask]) -> dict[str, int]:
    """Workers, each as large as the largest task that it ran."""
    found: dict[str, int] = {}
    for task in tasks:
        for machine in task.machines:
            found[machine] = max(found.get(machine, 1), ceil(task.cores or 1))
    return found
