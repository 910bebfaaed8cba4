"""A task that split iterables has its maps become their items: the same as expand.lua."""

from __future__ import annotations

from dataclasses import replace

from wfnb.graph import TaskId
from wfnb.storage.answering import STOP, answered, is_stale, next_for
from wfnb.storage.dropping import drop_read, keep_chunks, keep_output, pointer_of
from wfnb.storage.ledger import Ledger
from wfnb.storage.records import Ask, Expansion, Finished, Reply


def expand(run: Ledger, splitter: Finished, expansion: Expansion, ask: Ask) -> Reply:
    before = answered(run, ask)
    if before is not None:
        return before
    if is_stale(run, ask):
        return STOP
    mine = run.claims.get(ask.identity, {})
    if mine.get(splitter.task) != splitter.attempt:
        return next_for(run, ask, {}, (splitter.task,), ())
    del mine[splitter.task]
    _end(run, splitter, expansion)
    ready = _count_items(run, expansion)
    hints = dict(ask.hints) | _keep_elements(run, splitter.task, expansion)
    if expansion.count:
        # The first ones for this worker, if it may have them.
        run.enqueue(ready[ask.want :], hints)
    dropped = drop_read(run, splitter.reads)
    run.count_active(len(ready) - 1)
    fresh = dict.fromkeys(ready[: ask.want] if expansion.count else ready)
    return next_for(run, replace(ask, hints=hints), fresh, (), tuple(dropped))


def _end(run: Ledger, splitter: Finished, expansion: Expansion) -> None:
    task = splitter.task
    run.state[task] = "expanded"
    run.expansions[task] = expansion.count
    keep_output(run, splitter)
    if splitter.unread:
        run.unread[task] = splitter.unread
    run.done += 1
    run.tasks += expansion.count * len(expansion.maps)
    if splitter.note:
        run.tell_expanded(splitter.note, expansion.count)


def _count_items(run: Ledger, expansion: Expansion) -> list[TaskId]:
    """What is ready now. Of the other maps' items nothing need be written: they miss one input.

    A map that is settled already, in a run that was resumed, stays so.
    """
    waiting = [task for task in expansion.maps if task not in run.state]
    if not expansion.count:
        return waiting
    run.missing.update(dict.fromkeys(waiting, expansion.count))
    return [_item(expansion.maps[0], at) for at in range(expansion.count)]


def _keep_elements(run: Ledger, splitter: TaskId, expansion: Expansion) -> dict[TaskId, str]:
    """Returns what the items of the first map read, for it to come along with them."""
    also = f" {expansion.hint}" if expansion.hint else ""
    hints = {}
    for at, element in enumerate(expansion.elements):
        name = _item(splitter, at)
        run.values[name] = element
        if pointer := pointer_of(element):
            run.unread[name] = 1
            keep_chunks(run, pointer)
        hints[_item(expansion.maps[0], at)] = name + also
    return hints


def _item(task: TaskId, at: int) -> TaskId:
    """Of a map, or of the task that splits for it: an element."""
    return TaskId(f"{task}[{at}]")
