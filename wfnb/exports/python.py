"""A workflow as a plain Python script, which runs without a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from importlib.metadata import version
from itertools import groupby
from typing import Any

from wfnb.answers import asked
from wfnb.draft import Draft
from wfnb.errors import GraphError
from wfnb.exports.calls import Calls, Written
from wfnb.exports.code import laid_out
from wfnb.exports.definitions import Block, Definitions
from wfnb.exports.imports import in_groups
from wfnb.exports.thawing import tasks_of
from wfnb.freezing import with_ancestors
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.runner import Run
from wfnb.tasks import PartOf, Task


def text_of(thing: Any, draft: Draft | None = None) -> str:
    """Raises ExportError, by name and with the remedy, for what no script can hold."""
    targets = _targets(thing)
    definitions = Definitions()
    definitions.bind("wfnb", import_module("wfnb"))
    tasks = _in_order([one.task if isinstance(one, PartOf) else one for one in targets])
    calls = Calls(definitions, tasks, _written(thing if isinstance(thing, Draft) else draft))
    lines, main = list(calls.lines()), _main(calls, targets)  # both may add imports
    head = [_title(len(tasks)), in_groups(definitions.imports)]
    if definitions.constants:
        head.append("\n".join(definitions.constants))
    blocks = [*_apart(definitions.blocks), "\n".join(lines)]
    if not definitions.blocks:  # nothing for the calls to stand clear of
        head.append(blocks.pop())
    return "\n\n\n".join(["\n\n".join(head), *blocks, main]) + "\n"


def _apart(blocks: Sequence[Block]) -> Iterator[str]:
    """Definitions each by itself, assignments that follow each other together."""
    for is_definition, some in groupby(blocks, key=lambda block: block.is_definition):
        texts = [block.text for block in some]
        yield from texts if is_definition else ["\n".join(texts)]


def _title(tasks: int) -> str:
    counted = "1 task" if tasks == 1 else f"{tasks:,} tasks"
    return f'"""Workflow of {counted}, written by wfnb {version("wfnb")}. Run it with Python."""'


def _main(calls: Calls, targets: Sequence[Task | PartOf]) -> str:
    wanted = calls.named(targets)
    if len(targets) == 1:
        body = laid_out(wanted, before="print(wfnb.run(", after="))", indent="    ")
    else:
        loop = laid_out(wanted, before="for result in wfnb.run(", after="):", indent="    ")
        body = f"{loop}\n        print(result)"
    return f'if __name__ == "__main__":\n{body}'


def _targets(thing: Any) -> tuple[Task | PartOf, ...]:
    match thing:
        case Draft() if not thing.sinks:
            raise GraphError("the draft holds no task: call a @task function and name it")
        case Draft():
            return thing.sinks
        case Graph():
            return tuple(tasks_of(thing))
        case Plan() | Run():
            return tuple(tasks_of(thing.graph))
        case _:
            asked((thing,))  # refuses what is no task
            return tuple(thing) if isinstance(thing, (list, tuple)) else (thing,)


def _written(draft: Draft | None) -> Written:
    if draft is None:
        return Written()
    names = {
        tuple(task.serial for task in tasks): name
        for held in draft.cells.values()
        for name, tasks in held.items()
    }
    return Written(names, {cell.task.serial: cell for cell in draft.cell_tasks})


def _in_order(targets: Sequence[Task]) -> list[Task]:
    """With all that they need: in the order of writing, unless a cell was written anew."""
    found = {task.serial: task for task in with_ancestors(targets)}
    reads = {at: sorted({read.serial for read in task.inputs}) for at, task in found.items()}
    if all(not inputs or inputs[-1] < at for at, inputs in reads.items()):
        return [found[at] for at in reads]
    try:
        return [found[at] for at in TopologicalSorter(reads).static_order()]
    except CycleError as error:
        path = " -> ".join(found[at].function.name for at in error.args[1])
        message = f"tasks wait on each other: {path}: take one of them out"
        raise GraphError(message) from None
