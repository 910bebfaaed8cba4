"""Recorded workflows that run: each task takes as long, and writes as much, as it once did."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from wfnb.arguments import OutputOf, values_of
from wfnb.errors import CallError, FormatError, GraphError, OptionError
from wfnb.exports.instances import Instance, RecordedTask, read_instance
from wfnb.exports.names import safe_names
from wfnb.graph import Function, Graph, NamedCall, Options
from wfnb.options import readable
from wfnb.resources import Resources

MODES = ("sleep", "busy")
LEAST_MEMORY = 256 * 2**20
"""A worker itself needs this much; what was recorded may have been a smaller program."""
_NOISE = hashlib.shake_128(b"wfnb").digest(2**16)
"""What files hold: no compression makes less of it."""


@dataclass(frozen=True, eq=False, repr=False)
class Replay(Graph):
    """A graph of replayed tasks, and what its file said of the whole run."""

    instance: Instance | None = None
    """Without its tasks: they are the arguments of the calls."""


def load(
    path: str | os.PathLike[str],
    *,
    time_scale: float = 1.0,
    data_scale: float = 1.0,
    mode: str = "sleep",
    resources: Resources | None = None,
) -> Graph:
    """Read a WfFormat file, of version 1.3 to 1.6, into a workflow that `wfnb.run` replays.

    Each task waits for as long as it was recorded to take, times `time_scale` ("busy" computes
    instead, as much of the time as was recorded), and returns a dict: file -> bytes, of the
    recorded sizes times `data_scale`. Files that no task writes are taken to be there already.
    A task asks for the cores and memory of its record, memory rounded up to a power of two so that
    similar tasks share workers, unless `resources` says what every task gets.

    Raises FormatError for a file that does not say what it should.
    """
    _refuse_nonsense(time_scale, data_scale, mode)
    file = Path(path).expanduser()
    instance = read_instance(file)
    scaled = [_scaled(task, time_scale, data_scale) for task in instance.tasks]
    names = safe_names(task.id for task in scaled)
    functions = _Functions(resources)
    calls = [
        NamedCall(
            names[task.id],
            functions.of(task),
            (replace(task, id=names[task.id]), mode, *(OutputOf(names[p]) for p in task.parents)),
        )
        for task in scaled
    ]
    try:
        graph = Replay.of(calls)
    except GraphError as error:
        raise FormatError(f"{file}: {error}") from error
    about = replace(
        instance, tasks=(), makespan_seconds=_times(instance.makespan_seconds, time_scale)
    )
    return replace(graph, instance=about)  # type: ignore[call-arg]


def replay(task: RecordedTask, mode: str, *inputs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Do as the recorded task did; raises CallError if a file it reads has not come whole."""
    received = {name: data for files in inputs for name, data in files.items()}
    for name, size in task.inputs.items():
        if name in received and len(received[name]) != size:
            came = len(received[name])
            message = f"{task.id} reads {size:,} bytes of {name}, and {came:,} came: load it anew"
            raise CallError(message)
    _spend(task.runtime_seconds or 0.0, mode, task.cpu_percent)
    return {name: _filled(size) for name, size in task.outputs.items()}


def recorded(graph: Graph, at: int) -> RecordedTask | None:
    """What the task at this position replays; None if it is no such task."""
    if graph.functions[graph.function_at[at]].call is not replay:
        return None
    first = values_of(graph.arguments_at[at])[0]
    return first if isinstance(first, RecordedTask) else None


def _spend(seconds: float, mode: str, cpu_percent: float | None) -> None:
    end = time.perf_counter() + seconds
    if mode == "busy":
        share = 1.0 if cpu_percent is None else min(cpu_percent / 100, 1.0)
        burnt = time.thread_time() + seconds * share
        while time.thread_time() < burnt:
            pass
    time.sleep(max(0.0, end - time.perf_counter()))


def _filled(size: int) -> bytes:
    whole, rest = divmod(size, len(_NOISE))
    return _NOISE * whole + _NOISE[:rest]


class _Functions:
    """One function for all tasks of a kind and size."""

    def __init__(self, resources: Resources | None) -> None:
        self._resources = resources
        self._known: dict[tuple[str, Resources], Function] = {}

    def of(self, task: RecordedTask) -> Function:
        key = (_kind(task), self._resources or _size(task))
        if key not in self._known:
            self._known[key] = Function(key[0], replay, Options(resources=key[1]))
        return self._known[key]


def _kind(task: RecordedTask) -> str:
    """The name of its program, unless that is a whole script, or its own without its number."""
    program = PurePosixPath(task.program).name if len(task.program.split()) == 1 else ""
    return readable(program or re.sub(r"[_-]?(ID)?\d+$", "", task.name) or task.name)


def _size(task: RecordedTask) -> Resources:
    memory: int | None = None
    if task.memory_bytes is not None:
        moved = sum(task.inputs.values()) + 2 * sum(task.outputs.values())
        needed = max(task.memory_bytes, LEAST_MEMORY + moved)
        memory = 1 << (needed - 1).bit_length()
    return Resources(cpus=_plain(task.cores or 1.0), memory=memory)


def _plain(number: float) -> float:
    return int(number) if number == int(number) else number


def _times(seconds: float | None, scale: float) -> float | None:
    return None if seconds is None else seconds * scale


def _scaled(task: RecordedTask, time_scale: float, data_scale: float) -> RecordedTask:
    return replace(
        task,
        runtime_seconds=_times(task.runtime_seconds, time_scale),
        inputs={name: round(size * data_scale) for name, size in task.inputs.items()},
        outputs={name: round(size * data_scale) for name, size in task.outputs.items()},
    )


def _refuse_nonsense(time_scale: Any, data_scale: Any, mode: Any) -> None:
    for name, scale in (("time_scale", time_scale), ("data_scale", data_scale)):
        is_number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
        if not is_number or not 0 <= scale <= 1e9:
            raise OptionError(f"{name}={scale!r}: give a number, such as 0.01 for a hundredth")
    if mode not in MODES:
        raise OptionError(f"mode={mode!r}: choose from 'sleep', 'busy'")
