"""Outputs live until their last counted reader is done: the same as dropping.lua."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from wfnb.graph import TaskId
from wfnb.storage.ledger import Ledger
from wfnb.storage.records import Finished


def keep_output(run: Ledger, item: Finished) -> None:
    """In the store, that is: not what its worker holds."""
    result = item.result
    if result is not None:
        (run.results if item.is_target else run.values)[item.task] = result
        if pointer := pointer_of(result):
            keep_chunks(run, pointer)


def keep_chunks(run: Ledger, pointer: dict[str, Any]) -> None:
    """A completion names the output's chunks, so they no longer expire early."""
    if pointer["at"] == "chunks" and pointer["name"] in run.chunks:
        run.chunks[pointer["name"]].deadline = run.now + run.opening.keep_seconds


def drop_read(run: Ledger, tasks: Iterable[TaskId]) -> list[bytes]:
    """One of these tasks' readers is done. Returns the pointers of what nobody reads any more.

    A held one whose last reader is done lets go of what it read itself, and so on up.
    """
    dropped, to_see = [], list(tasks)
    while to_see:
        task = to_see.pop()
        if task not in run.unread:
            continue
        run.unread[task] -= 1
        if run.unread[task] > 0:
            continue
        del run.unread[task]
        if held := run.held.pop(task, None):
            run.state[task] = held.how
            to_see += held.reads
        else:
            dropped += _drop(run, task)
    return dropped


def _drop(run: Ledger, task: TaskId) -> list[bytes]:
    result = run.values.pop(task, None)
    pointer = pointer_of(result)
    if pointer is None:
        return []
    if pointer["at"] != "chunks":
        return [result]
    run.chunks.pop(pointer["name"], None)
    return []


def pointer_of(result: Any) -> dict[str, Any] | None:
    """Where an output lies, if this is not the output itself."""
    if isinstance(result, bytes) and result.startswith(b"{"):
        pointer: dict[str, Any] = json.loads(result)
        return pointer
    return None
