"""What a user is told when tasks have failed: which, where in their own code, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from linecache import getline

from wfnb.errors import ErrorRecord, TaskError

MOST_SHOWN = 5
MOST_NAMED = 4
_DECEIVING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What commands a terminal, or turns the direction of text: a record comes from another machine."""
_FRAME = re.compile(r'( *)File "(.+)", line (\d+), in ')

_REMEDIES = {
    "raised": "mend {function} and run it again; {log} shows what it printed",
    "timeout": (
        "give it longer, @task(timeout=...) or %%task --timeout, or less to do; "
        "{log} shows how far it came"
    ),
    "memory": (
        "give it more, @task(resources=Resources(memory=...)) or %%task --memory, or smaller pieces"
    ),
    "lost": "its worker died, as when native code crashes; {log} shows the last it said",
    "not-serialisable": (
        "pass and return what pickle can write and read, such as plain data; "
        "what a cell defines for itself alone, leave out with --out"
    ),
    "refused": "no worker can take it as things are; once that is mended, run.resume() goes on",
    "input": "an input could not be read on the worker; run.resume() computes what is missing",
}
_COUNTED = re.compile(r"(-\d+)?(\.items|\[\d+\])?$")


def task_error(
    run: str, failed: Sequence[ErrorRecord], *, tasks: int, not_tried: int = 0
) -> TaskError:
    """`failed` is the last record of each task that failed for good."""
    again = "run.resume() tries again with the same code and re-runs only what is missing"
    parts = [
        _headline(run, len(failed), tasks=tasks, not_tried=not_tried),
        all_described(failed),
        f'run = wfnb.attach("{run}") is this run; {again}',
    ]
    return TaskError("\n\n".join(parts), failed)


def all_described(records: Sequence[ErrorRecord]) -> str:
    """Each of the first five failures; those that differ only in their task are told as one."""
    alike: dict[tuple[str, ...], list[ErrorRecord]] = {}
    for record in records:
        told = (record.kind, record.type, record.message, record.traceback, record.stderr)
        alike.setdefault((_function(record), *told), []).append(record)
    parts = [described(same[0]) + _others(same) for same in list(alike.values())[:MOST_SHOWN]]
    rest = sum(len(same) for same in list(alike.values())[MOST_SHOWN:])
    if rest:
        parts.append(f"... and {rest:,} more: run.errors has them all")
    return "\n\n".join(parts)


def _others(same: Sequence[ErrorRecord]) -> str:
    tasks = list(dict.fromkeys(record.task for record in same))
    if len(same) == 1:
        return ""
    if len(tasks) == 1:
        return f"\n  {len(same):,} attempts failed like this"
    attempts = f", in {len(same):,} attempts" if len(same) > len(tasks) else ""
    more = ", ..." if len(tasks) > MOST_NAMED else ""
    named = ", ".join(tasks[:MOST_NAMED])
    return f"\n  {len(tasks):,} tasks failed like this{attempts}: {named}{more}"


def _function(record: ErrorRecord) -> str:
    return _COUNTED.sub("", record.task)


def described(record: ErrorRecord) -> str:
    """One failure: what happened, the user's own frames, and a remedy."""
    worker = record.worker.partition(":")[0]  # "w1:7" is its seventh joining of a run
    where = f" on {worker}" if worker else ""
    lines = [f"{record.task}, attempt {record.attempt}{where}: {in_a_line(record)}"]
    if record.traceback:
        lines.append(_indented(with_sources(record.traceback)))
    elif record.stderr:
        lines.append(_indented(record.stderr))
    remedy = _REMEDIES.get(record.kind, "{log} shows what it printed")
    log = f'run.log("{record.task}")'
    lines.append("  remedy: " + remedy.format(function=_function(record), log=log))
    return _DECEIVING.sub("\ufffd", "\n".join(lines))


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
