"""The calls of a script, in the order of writing, each result under a name that tells what it is.

Calls of one function that differ in one argument become a list comprehension.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from wfnb.arguments import Output
from wfnb.arguments import Part as PartOfOutput
from wfnb.cell_function import CellFunction
from wfnb.cell_tasks import CellTask
from wfnb.errors import ExportError
from wfnb.exports.code import WIDTH, Bracket, Code, Labelled, call, flat, laid_out
from wfnb.exports.definitions import Definitions
from wfnb.exports.slots import Slot, slots_of
from wfnb.exports.values import Writing, quoted
from wfnb.tasks import MapTask, NamedTask, PartOf, Task

FEWEST = 3
"""Fewer calls are written one by one."""
_REMEDY = "make it in a task of its own, or let this one read it from a file"


@dataclass(frozen=True, slots=True)
class _Row:
    """One call; in the keys of its arguments, a task is its serial."""

    task: Task
    function: str
    slots: tuple[Slot, ...]
    keys: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    """Calls written as one statement; `differs` is the argument in which several do."""

    rows: list[_Row]
    differs: int | None = None
    name: str = ""

    @property
    def serials(self) -> tuple[int, ...]:
        return tuple(row.task.serial for row in self.rows)


@dataclass(frozen=True, slots=True)
class Written:
    """What the notebook says of the tasks."""

    names: Mapping[tuple[int, ...], str] = field(default_factory=dict)
    """The variables that hold a task, or a list of some, by serials."""
    cells: Mapping[int, CellTask] = field(default_factory=dict)
    """The cells that are tasks, by serial."""


class Calls:
    """All of a script's calls; defines what they need when it is made."""

    def __init__(
        self,
        definitions: Definitions,
        tasks: Sequence[Task],
        written: Written,
    ) -> None:
        self._definitions = definitions
        self._written = written
        self._taken: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._text: dict[int, str] = {}
        self._lists: dict[tuple[int, ...], str] = {}
        self._lists_by_first: dict[int | None, tuple[int, ...]] = {}
        self._groups = _grouped(list(map(self._row, tasks)))
        for group in self._groups:
            self._name(group)

    def lines(self) -> Iterator[str]:
        for group in self._groups:
            yield from self._one(group) if len(group.rows) == 1 else self._several(group)

    def named(self, tasks: Sequence[Task | PartOf]) -> Code:
        """An expression for one task, or for a list of several."""
        serials = tuple(task.serial for task in tasks if isinstance(task, Task))
        if len(tasks) > 1 and len(serials) == len(tasks) and serials in self._lists:
            return self._lists[serials]
        texts = [
            flat(self._part(one.task, one.name))
            if isinstance(one, PartOf)
            else self._text[one.serial]
            for one in tasks
        ]
        if len(texts) == 1:
            return texts[0]
        whole = [task.serial if isinstance(task, Task) else None for task in tasks]
        return Bracket("[", [*self._starred(whole, texts.__getitem__)], "]")

    def _row(self, task: Task) -> _Row:
        function = self._function(task)
        slots = slots_of(task)
        keys = []
        for slot in slots:
            writing = Writing(self._definitions.reference, _output(slot, lambda t: f"<{t.serial}>"))
            try:
                keys.append(flat(writing.of(slot.value)))
            except ExportError as error:
                what = f"{slot.label.rstrip('=')} of {function}" if slot.label else function
                message = f"an argument of {what} is {error}, which a script cannot hold"
                raise ExportError(f"{message}: {_REMEDY}") from None
        return _Row(task, function, slots, tuple(keys))

    def _function(self, task: Task) -> str:
        if task.serial in self._written.cells:
            return self._definitions.cell(self._written.cells[task.serial])
        if isinstance(task.function.call, CellFunction):
            message = f"the source of the cell {task.function.name} is in the notebook's draft"
            raise ExportError(f"{message}: export the draft, in the notebook")
        return self._definitions.function(task.function)

    # Names

    def _name(self, group: _Group) -> None:
        serials, first = group.serials, group.rows[0]
        if len(serials) > 1:
            plural = f"{first.function}{'es' if first.function.endswith('s') else 's'}"
            group.name = self._free(self._written.names.get(serials), plural, f"all_{plural}")
            self._lists[serials] = group.name
            self._lists_by_first[serials[0]] = serials
            self._text |= {serial: f"{group.name}[{at}]" for at, serial in enumerate(serials)}
            return
        task = first.task
        own = self._own_name(task)
        numbered = f"{first.function}_{self._counts[first.function]}"
        self._counts[first.function] += 1
        group.name = self._text[task.serial] = self._free(
            self._written.names.get(serials), own, numbered
        )

    def _own_name(self, task: Task) -> str | None:
        cell = self._written.cells.get(task.serial)
        if cell is not None and len(cell.outputs) == 1:
            return cell.outputs[0]
        return task.name if isinstance(task, NamedTask) else None

    def _free(self, *wanted: str | None) -> str:
        more = (f"{wanted[-1]}_{number}" for number in count(2))
        for name in chain(filter(None, wanted), more):
            if name not in self._taken and self._definitions.is_free(name):
                self._taken.add(name)
                return name
        raise AssertionError

    # Lines

    def _one(self, group: _Group) -> Iterator[str]:
        row = group.rows[0]
        yield laid_out(self._call(row, map(self._code, row.slots)), before=f"{group.name} = ")

    def _several(self, group: _Group) -> Iterator[str]:
        row, differs = group.rows[0], group.differs or 0
        item = self._item_name(row, differs)
        codes = [item if at == differs else self._code(s) for at, s in enumerate(row.slots)]
        body, items = flat(self._call(row, codes)), self._items(group)
        line = f"{group.name} = [{body} for {item} in {flat(items)}]"
        if len(line) <= WIDTH:
            yield line
            return
        if len(flat(items)) > WIDTH // 2:
            plural = f"all_{item}" if item.endswith("s") else f"{item}s"
            name = self._free(plural, f"{plural}_of_{group.name}")
            yield laid_out(items, before=f"{name} = ")
            items = name
        line = f"{group.name} = [{body} for {item} in {flat(items)}]"
        if len(line) > WIDTH:
            line = f"{group.name} = [\n    {body}\n    for {item} in {flat(items)}\n]"
        yield line

    def _items(self, group: _Group) -> Code:
        slots = [row.slots[group.differs or 0] for row in group.rows]
        if all(slot.only_read is not None for slot in slots):
            return self.named([slot.reads[0] for slot in slots if slot.only_read is not None])
        return Bracket("[", [self._code(slot) for slot in slots], "]")

    def _item_name(self, row: _Row, differs: int) -> str:
        label = row.slots[differs].label.rstrip("=")
        name = label or _parameter(row.task.function.call, differs)
        is_free = self._definitions.is_free(name) and name not in self._taken
        return name if is_free else "item"

    def _call(self, row: _Row, codes: Any) -> Bracket:
        labelled = [
            Labelled(slot.label, code) if slot.label else code
            for slot, code in zip(row.slots, codes, strict=True)
        ]
        is_map = isinstance(row.task, MapTask)
        return call(f"{row.function}.map" if is_map else row.function, labelled)

    def _code(self, slot: Slot) -> Code:
        def in_lists(values: list[Any]) -> list[Code] | None:
            if not any(type(value) is Output for value in values):
                return None
            serials = [slot.reads[v.position].serial if type(v) is Output else None for v in values]
            return list(self._starred(serials, lambda at: writing.of(values[at])))

        output = _output(slot, lambda task: self._text[task.serial], self._part)
        writing = Writing(self._definitions.reference, output, in_lists)
        return writing.of(slot.value)

    def _starred(
        self, serials: Sequence[int | None], code: Callable[[int], Code]
    ) -> Iterator[Code]:
        """What a list holds, with a star before each list that is in it whole."""
        at = 0
        while at < len(serials):
            whole = self._lists_by_first.get(serials[at], ())
            if whole and tuple(serials[at : at + len(whole)]) == whole:
                yield f"*{self._lists[whole]}"
                at += len(whole)
            else:
                yield code(at)
                at += 1

    def _part(self, task: Task, name: str) -> Code:
        return f"{self._text[task.serial]}[{quoted(name)}]"


def _output(
    slot: Slot,
    text: Callable[[Task], str],
    part: Callable[[Task, str], Code] | None = None,
) -> Callable[[Output | PartOfOutput], Code]:
    def code(hole: Output | PartOfOutput) -> Code:
        task = slot.reads[hole.position]
        if isinstance(hole, Output):
            return text(task)
        return f"{text(task)}.{hole.name}" if part is None else part(task, hole.name)

    return code


def _grouped(rows: Sequence[_Row]) -> list[_Group]:
    groups: list[_Group] = []
    run: list[_Row] = []
    differs: int | None = None
    for row in rows:
        at = _differs(run, differs, row) if run else None
        if at is None:
            groups += _closed(run, differs)
            run, differs = [row], None
        else:
            run.append(row)
            differs = at
    return groups + _closed(run, differs)


def _closed(run: list[_Row], differs: int | None) -> list[_Group]:
    if len(run) >= FEWEST:
        return [_Group(run, differs)]
    return [_Group([row]) for row in run]


def _differs(run: Sequence[_Row], differs: int | None, row: _Row) -> int | None:
    """In which argument alone a call differs from those before it; None: it is another call."""
    last = run[-1]
    if isinstance(row.task, (MapTask, NamedTask)) or row.function != last.function:
        return None
    if [slot.label for slot in row.slots] != [slot.label for slot in last.slots]:
        return None
    found = [
        at for at, (one, two) in enumerate(zip(last.keys, row.keys, strict=True)) if one != two
    ]
    if len(found) != 1 or differs not in (None, found[0]):
        return None
    one, two = last.slots[found[0]], row.slots[found[0]]
    if (one.only_read is None) != (two.only_read is None) or one.holds_more or two.holds_more:
        return None
    made = {each.task.serial for each in run}
    return None if two.only_read is not None and two.only_read.serial in made else found[0]


def _parameter(function: Callable[..., Any], at: int) -> str:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return "item"
    return names[at] if at < len(names) else "item"
