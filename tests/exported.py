"""What tests of exports share: a notebook without IPython, and the rules of WfFormat 1.5."""

from __future__ import annotations

import linecache
import re
from itertools import count
from pathlib import Path
from typing import Any

from wfnb.cells import Source, Wish
from wfnb.draft import Draft

DATA = Path(__file__).parent / "data"
_numbers = count(1)
_ID = re.compile(r"[0-9a-zA-Z_.-]+")


class Notebook:
    """Runs cells as IPython does, as far as an export can see."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.draft = Draft()
        self._files: list[str] = []

    def cell(self, text: str) -> None:
        file = self._remember(text)
        before = dict(self.names)
        exec(compile(text, file, "exec", dont_inherit=True), self.names)
        bound = {
            name: value
            for name, value in self.names.items()
            if not name.startswith("_") and value is not before.get(name)
        }
        self.draft.ran(file, bound)

    def task(self, text: str, **wish: Any) -> None:
        """A cell under `%%task`."""
        file = self._remember(text)
        source = Source(text=text, file=file, cell=file)
        made = self.draft.define(source, Wish(**wish), self.names)
        self.draft.bind(self.names, made, made.handles)

    def close(self) -> None:
        for file in self._files:
            linecache.cache.pop(file, None)

    def _remember(self, text: str) -> str:
        file = f"<ipython-input-{next(_numbers)}-export>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        self._files.append(file)
        return file


def broken_rules(document: dict[str, Any]) -> list[str]:
    """What WfFormat 1.5 forbids, and what WfCommons' reader stumbles over."""
    broken = [key for key in ("name", "description", "author") if not document.get(key)]
    if document["schemaVersion"] != "1.5":
        broken.append("schemaVersion")
    if set(document["runtimeSystem"]) != {"name", "version", "url"}:
        broken.append("runtimeSystem")
    specification = document["workflow"]["specification"]
    tasks = {task["id"]: task for task in specification["tasks"]}
    files = {file["id"]: file["sizeInBytes"] for file in specification["files"]}
    if not tasks or len(tasks) < len(specification["tasks"]):
        broken.append("tasks")
    broken += [f"size of {name}" for name, size in files.items() if type(size) is not int]
    broken += [name for name in (*tasks, *files) if not _ID.fullmatch(name)]
    for name, task in tasks.items():
        broken += [f"child {c}" for c in task["children"] if name not in tasks[c]["parents"]]
        broken += [f"parent {p}" for p in task["parents"] if name not in tasks[p]["children"]]
        used = task["inputFiles"] + task["outputFiles"]
        broken += [f"file {f} of {name}" for f in used if f not in files]
    return broken + _broken_execution(document["workflow"].get("execution"), tasks)


def _broken_execution(execution: dict[str, Any] | None, tasks: dict[str, Any]) -> list[str]:
    if execution is None:
        return []
    broken = [key for key in ("executedAt", "tasks") if not execution[key]]
    machines = {machine["nodeName"]: machine["cpu"] for machine in execution.get("machines", [])}
    for task in execution["tasks"]:
        is_sound = task["id"] in tasks and task["runtimeInSeconds"] >= 0
        if not is_sound or task.get("coreCount", 1) < 1:
            broken.append(task["id"])
        broken += [name for name in task.get("machines", []) if name not in machines]
    return broken
