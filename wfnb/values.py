"""The values of a run's tasks, read from its store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wfnb.errors import StoreError
from wfnb.graph import TaskId
from wfnb.growth import item_ids
from wfnb.maps import Gathered, Shape
from wfnb.storage import Store
from wfnb.storage.outputs import Archive

_AT_ONCE = 4000


def values_of(
    store: Store, archive: Archive, tasks: Sequence[TaskId], results: Sequence[bytes | None] = ()
) -> list[Any]:
    """Of each task; `results` if they came along. StoreError for what is no longer there."""
    found = results or store.results(archive.run, tasks)
    return [_whole(store, archive, *pair) for pair in zip(tasks, found, strict=True)]


def _whole(store: Store, archive: Archive, task: TaskId, result: bytes | None) -> Any:
    value = _value(archive, task, result)
    if type(value) is not Gathered:
        return value
    items = item_ids(task, _count(value.shape))
    found: list[Any] = []
    for first in range(0, len(items), _AT_ONCE):
        some = items[first : first + _AT_ONCE]
        results = store.results(archive.run, some)
        found += [_value(archive, *pair) for pair in zip(some, results, strict=True)]
    return value.assembled(found)


def _value(archive: Archive, task: TaskId, result: bytes | None) -> Any:
    if result is None:
        raise StoreError(f"the output of {task} is no longer in the store: start the run again")
    return archive.value(task, result)


def _count(shape: Shape) -> int:
    return shape if isinstance(shape, int) else sum(map(_count, shape))
