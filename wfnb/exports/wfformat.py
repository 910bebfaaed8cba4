"""A workflow in WfFormat 1.5, the form in which WfCommons and its tools exchange them.

What ran is told with its times and sizes; of what did not there is only the structure. A replayed
workflow that has not run again is told as it was recorded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from wfnb.draft import Draft
from wfnb.errors import ExportError
from wfnb.exports.instances import Instance, RecordedTask
from wfnb.exports.names import safe_names
from wfnb.exports.recording import instance_of
from wfnb.exports.subject import subject_of

SCHEMA = "1.5"
_HOME = "urn:wfnb"
_AUTHOR = {"name": "unknown", "email": "unknown@example.org"}
"""The schema can do without; WfCommons' reader of 1.5 cannot, nor without a url and a cpu."""


def text_of(thing: Any, draft: Draft | None = None) -> str:
    """Raises ExportError for a graph without tasks: the format has no word for it."""
    instance = instance_of(subject_of(thing))
    if not instance.tasks:
        raise ExportError("the graph has no tasks, and WfFormat has no empty workflows: add one")
    return json.dumps(document_of(instance), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def document_of(instance: Instance) -> dict[str, Any]:
    workflow: dict[str, Any] = {"specification": _specification(instance.tasks)}
    ids = safe_names(task.id for task in instance.tasks)
    ran = [_run(task, ids[task.id]) for task in instance.tasks if task.runtime_seconds is not None]
    if ran and instance.makespan_seconds is not None and instance.executed_at:
        workflow["execution"] = {
            "makespanInSeconds": instance.makespan_seconds,
            "executedAt": instance.executed_at,
            "tasks": ran,
        }
        if instance.cores:
            machines = [_machine(name, cores) for name, cores in instance.cores.items()]
            workflow["execution"]["machines"] = machines
    tasks = len(instance.tasks)
    about = {
        "name": instance.name,
        "description": f"Workflow of {tasks:,} task{'' if tasks == 1 else 's'}, written by wfnb",
        "createdAt": instance.executed_at or None,
        "schemaVersion": SCHEMA,
        "runtimeSystem": {"name": "wfnb", "version": version("wfnb"), "url": _HOME},
        "author": _AUTHOR,
        "workflow": workflow,
    }
    return {key: value for key, value in about.items() if value is not None}


def _specification(tasks: Sequence[RecordedTask]) -> dict[str, Any]:
    """Names of files are made safe: 1.5 knows no "/" in them."""
    ids = safe_names(task.id for task in tasks)
    sizes: dict[str, int] = {}
    children: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        sizes |= {**task.inputs, **task.outputs}
        for parent in task.parents:
            children[parent].append(ids[task.id])
    files = safe_names(sizes)
    specified = [
        {
            "name": task.name,
            "id": ids[task.id],
            "parents": [ids[parent] for parent in task.parents],
            "children": children[task.id],
            "inputFiles": [files[name] for name in task.inputs],
            "outputFiles": [files[name] for name in task.outputs],
        }
        for task in tasks
    ]
    known = [{"id": files[name], "sizeInBytes": size} for name, size in sizes.items()]
    return {"tasks": specified, "files": known}


def _run(task: RecordedTask, id: str) -> dict[str, Any]:
    told = {
        "id": id,
        "runtimeInSeconds": task.runtime_seconds,
        "command": {"program": task.program} if task.program else None,
        "coreCount": None if task.cores is None else max(1, task.cores),  # no less is allowed
        "avgCPU": task.cpu_percent,
        "readBytes": task.read_bytes,
        "writtenBytes": task.written_bytes,
        "memoryInBytes": task.memory_bytes,
        "machines": list(task.machines) or None,
    }
    return {key: value for key, value in told.items() if value is not None}


def _machine(name: str, cores: int) -> dict[str, Any]:
    return {"nodeName": name, "cpu": {"coreCount": cores} if cores else {}}
