"""Recorded workflows as files say them: WfFormat 1.3 to 1.6, read into one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfnb.exports.reading import Reading

VERSIONS = ("1.3", "1.4", "1.5", "1.6")
_RUNTIME = ("runtimeInSeconds", "runtime")
_SIZE = ("sizeInBytes", "size")

_Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTask:
    """One task as it was recorded; its files with their bytes."""

    id: str
    name: str
    parents: tuple[str, ...] = ()
    inputs: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, int] = field(default_factory=dict)
    runtime_seconds: float | None = None
    program: str = ""
    cores: float | None = None
    memory_bytes: int | None = None
    cpu_percent: float | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A whole file."""

    name: str
    tasks: tuple[RecordedTask, ...]
    makespan_seconds: float | None = None
    executed_at: str = ""
    cores: Mapping[str, int] = field(default_factory=dict)
    """Of each machine that is named; 0 where it is not said."""


def read_instance(path: Path) -> Instance:
    """Raises FormatError for a file that is none or contradicts itself; cycles are not looked for.

    Up to 1.4 tasks name each other, and hold all there is to say of them; from 1.5 on they are told
    apart by ids, and what they are stands apart from what they took.
    """
    reading = Reading(path.name)
    document = reading.document(path)
    version = document.get("schemaVersion")
    if version not in VERSIONS:
        said = "has no schemaVersion" if version is None else f"is of version {version!r:.20}"
        known = ", ".join(VERSIONS)
        reading.refuse(f"it {said}: give a WfFormat file of version {known}")
    workflow = reading.record(document.get("workflow"), "workflow")
    is_old = version in ("1.3", "1.4")
    specification = (
        workflow if is_old else reading.record(workflow.get("specification"), "specification")
    )
    execution = workflow if is_old else reading.record(workflow.get("execution") or {}, "execution")
    tasks = reading.records(specification, "tasks")
    if not tasks:
        reading.refuse("it has no tasks: there is nothing to replay")
    read = _old_tasks(reading, tasks) if is_old else _tasks(reading, specification, execution)
    executed_at, name = execution.get("executedAt"), document.get("name")
    return Instance(
        name=name if isinstance(name, str) and name else path.name.partition(".")[0],
        tasks=tuple(read),
        makespan_seconds=reading.number(execution, ("makespanInSeconds", "makespan"), "the run"),
        executed_at=executed_at if isinstance(executed_at, str) else "",
        cores=dict(_machines(reading, execution)),
    )


def _tasks(reading: Reading, specification: _Record, execution: _Record) -> Iterator[RecordedTask]:
    tasks = reading.records(specification, "tasks")
    ids = [reading.text(task, "id", f"task {at}") for at, task in enumerate(tasks)]
    reading.refuse_twins(ids)
    parents = _parents(reading, tasks, ids, dict(zip(ids, ids, strict=True)))
    sizes = {
        name: reading.size(file, _SIZE, f"file {name}")
        for file in reading.records(specification, "files")
        for name in [reading.text(file, "id", "a file")]
    }
    took = {
        reading.text(task, "id", "a task of execution"): task
        for task in reading.records(execution, "tasks")
    }
    for unknown in took.keys() - set(ids):
        reading.refuse(f"execution tells of {unknown}, and there is no such task: take it out")
    for task_id, task in zip(ids, tasks, strict=True):
        files = {
            key: {name: sizes.get(name, 0) for name in reading.texts(task, key, task_id)}
            for key in ("inputFiles", "outputFiles")
        }
        yield RecordedTask(
            id=task_id,
            name=str(task.get("name") or task_id),
            parents=tuple(parents[task_id]),
            inputs=files["inputFiles"],
            outputs=files["outputFiles"],
            **_measured(reading, took.get(task_id, {}), task_id),
        )


def _old_tasks(reading: Reading, tasks: Sequence[_Record]) -> Iterator[RecordedTask]:
    """Up to 1.4."""
    names = [reading.text(task, "name", f"task {at}") for at, task in enumerate(tasks)]
    are_ids = len(set(names)) == len(names)
    ids = names if are_ids else [reading.text(t, "id", str(t["name"])) for t in tasks]
    reading.refuse_twins(ids)
    files = [_old_files(reading, task, task_id) for task, task_id in zip(tasks, ids, strict=True)]
    known: dict[str, str] = {}
    for key in ("name", "id"):
        for task_id, task in zip(ids, tasks, strict=True):
            known.setdefault(str(task.get(key, task_id)), task_id)
    parents = _parents(reading, tasks, ids, known)
    if not any(parents.values()):
        parents = _parents_by_files(ids, files)
    for task_id, task, (inputs, outputs) in zip(ids, tasks, files, strict=True):
        yield RecordedTask(
            id=task_id,
            name=str(task["name"]),
            parents=tuple(parents[task_id]),
            inputs=inputs,
            outputs=outputs,
            **_measured(reading, task, task_id),
        )


def _parents(
    reading: Reading, tasks: Sequence[_Record], ids: Sequence[str], known: Mapping[str, str]
) -> dict[str, dict[str, None]]:
    """Either end of an edge may be the one that tells of it."""
    parents: dict[str, dict[str, None]] = {task_id: {} for task_id in ids}
    for task_id, task in zip(ids, tasks, strict=True):
        for parent in reading.texts(task, "parents", task_id):
            parents[task_id][_known(reading, known, parent, f"a parent of {task_id}")] = None
    for task_id, task in zip(ids, tasks, strict=True):
        for child in reading.texts(task, "children", task_id):
            parents[_known(reading, known, child, f"a child of {task_id}")][task_id] = None
    return parents


def _known(reading: Reading, known: Mapping[str, str], name: str, what: str) -> str:
    if name not in known:
        reading.refuse(f"{name} is said to be {what}, but no task is named so: mend the name")
    return known[name]


def _parents_by_files(
    ids: Sequence[str], files: Sequence[tuple[Mapping[str, int], Mapping[str, int]]]
) -> dict[str, dict[str, None]]:
    maker = {
        name: task_id for task_id, (_, outputs) in zip(ids, files, strict=True) for name in outputs
    }
    return {
        task_id: {maker[name]: None for name in inputs if maker.get(name, task_id) != task_id}
        for task_id, (inputs, _) in zip(ids, files, strict=True)
    }


def _old_files(
    reading: Reading, task: _Record, task_id: str
) -> tuple[dict[str, int], dict[str, int]]:
    inputs: dict[str, int] = {}
    outputs: dict[str, int] = {}
    for file in reading.records(task, "files"):
        name = reading.text(file, "name", f"a file of {task_id}")
        side = inputs if str(file.get("link")).lower() == "input" else outputs
        side[name] = reading.size(file, _SIZE, f"file {name} of {task_id}")
    return inputs, outputs


def _measured(reading: Reading, took: _Record, task_id: str) -> dict[str, Any]:
    """What a task took; the old forms count memory in kilobytes and name one machine."""
    command = took.get("command")
    program = command.get("program") if isinstance(command, dict) else took.get("category")
    memory = reading.number(took, ("memoryInBytes",), task_id)
    old_memory = reading.number(took, ("memory",), task_id)
    machine = took.get("machine")
    machines = [machine] if isinstance(machine, str) else reading.texts(took, "machines", task_id)
    if memory is None and old_memory is not None:
        memory = old_memory * 1000
    return {
        "runtime_seconds": reading.number(took, _RUNTIME, task_id),
        "program": program if isinstance(program, str) else "",
        "cores": reading.number(took, ("coreCount", "cores"), task_id) or None,
        "memory_bytes": int(memory) if memory else None,
        "cpu_percent": reading.number(took, ("avgCPU",), task_id),
        "machines": tuple(filter(None, machines)),
    }


def _machines(reading: Reading, execution: _Record) -> Iterator[tuple[str, int]]:
    for machine in reading.records(execution, "machines"):
        name = reading.text(machine, "nodeName", "a machine")
        cpu = machine.get("cpu")
        about = cpu if isinstance(cpu, dict) else {}
        yield name, int(reading.number(about, ("coreCount", "count"), f"machine {name}") or 0)
