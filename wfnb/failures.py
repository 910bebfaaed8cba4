"""What a user is told when tasks have failed: which, where in their own code, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from linecache import getline

from wfnb.errors import ErrorRecord, TaskError

MOST_SHOWN = 5
_FRAME = re.compile(r'( *)File "(.+)", line (\d+), in ')

_REMEDIES = {
    "raised": "mend {function} and run it again; {log} shows what it printed",
    "timeout": "give it longer, @task(timeout=...), or less to do; {log} shows how far it came",
    "memory": "give it more, @task(resources=Resources(memory=...)), or smaller pieces",
    "lost": "its worker died, as when native code crashes; {log} shows the last it said",
    "not-serialisable": "return what pickle can write, such as plain data instead of open files",
    "input": "an input could not be read on the worker; run.resume() computes what is missing",
}


def task_error(
    run: str, failed: Sequence[ErrorRecord], *, tasks: int, not_tried: int = 0
) -> TaskError:
    """`failed` is the last record of each task that failed for good; at most five are shown."""
    parts = [_headline(run, len(failed), tasks=tasks, not_tried=not_tried)]
    parts += [described(record) for record in failed[:MOST_SHOWN]]
    rest = len(failed) - MOST_SHOWN
    if rest > 0:
        parts.append(f"... and {rest:,} more: run.errors has them all")
    parts.append("run.resume() tries again, with the same code, and re-runs only what is missing")
    return TaskError("\n\n".join(parts), failed)


def described(record: ErrorRecord) -> str:
    """One failure: what happened, the user's own frames, and a remedy."""
    where = f" on {record.worker}" if record.worker else ""
    lines = [f"{record.task}, attempt {record.attempt}{where}: {in_a_line(record)}"]
    if record.traceback:
        lines.append(_indented(with_sources(record.traceback)))
    elif record.stderr:
        lines.append(_indented(record.stderr))
    function = record.task.rpartition("-")[0] or record.task
    remedy = _REMEDIES.get(record.kind, "{log} shows what it printed")
    log = f'run.log("{record.task}")'
    lines.append("  remedy: " + remedy.format(function=function, log=log))
    return "\n".join(lines)


def in_a_line(record: ErrorRecord) -> str:
    message = " ".join(record.message.split())
    return ": ".join(part for part in (record.type, message) if part) or record.kind


def with_sources(traceback: str) -> str:
    """Quote the code that the worker could not: only its kernel knows a notebook's cells."""
    lines: list[str] = []
    for line, after in pairwise([*traceback.splitlines(), ""]):
        lines.append(line)
        frame = _FRAME.match(line)
        if frame and not after.startswith("    "):
            source = getline(frame[2], int(frame[3])).strip()
            lines += [f"{frame[1]}  {source}"] if source else []
    return "\n".join(lines)


def _headline(run: str, failed: int, *, tasks: int, not_tried: int) -> str:
    head = f"{failed:,} of {tasks:,} {'task' if tasks == 1 else 'tasks'} failed in run {run}"
    if not not_tried:
        return head
    return f"{head}; {not_tried:,} more needed their outputs and were not tried"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
