"""The graph under construction, one cell at a time."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

from wfnb.cell_sources import Notebook, Sources, sources_of
from wfnb.cell_tasks import CellTask
from wfnb.cells import CellCode, Source, Wish, read_cell
from wfnb.errors import GraphError
from wfnb.freezing import freeze
from wfnb.graph import Graph, PartOf, Task, TaskId
from wfnb.lineage import Dropped, ancestors, tasks_in
from wfnb.staleness import Begun, Changes


@dataclass(slots=True)
class Draft:
    """Cells that are tasks, and the tasks that other cells bound to names.

    What those need comes in as their ancestors.
    """

    cells: dict[str, dict[str, tuple[Task, ...]]] = field(default_factory=dict)
    """Plain cell -> name -> tasks, in the order of writing."""
    cell_tasks: list[CellTask] = field(default_factory=list)
    """In the order in which they were first run: a cell reads what those before it define."""
    bound: dict[str, Any] = field(default_factory=dict)
    """What wfnb has bound to the notebook's names: handles, and values after a run."""
    _binders: dict[str, str] = field(default_factory=dict)
    """Name -> the plain cell that has bound it last."""
    _makers: dict[str, CellTask] = field(default_factory=dict)
    """Name -> the cell whose output wfnb has bound to it last."""
    _written: dict[str, frozenset[int]] = field(default_factory=dict)
    _changes: Changes = field(default_factory=Changes)

    def define(
        self,
        source: Source,
        wish: Wish,
        names: Mapping[str, Any],
        *,
        beside: Container[CellTask] = (),
    ) -> CellTask:
        """Make a cell a task, or another one than it was; CellError if it can be none.

        `names` are the notebook's variables; `beside` what the same cell has made besides, just
        now, which stays.
        """
        code = read_cell(source, wish)
        before = self._before(code, beside)
        notebook = Notebook(names, self.bound, self._binders)
        sources = self._sources(code, before, notebook)
        name = wish.name or self._name_for(code, before)
        if before is None:
            before = CellTask(name, code, sources)
            self.cell_tasks.append(before)
        else:
            self._rewrite(before, name, code, sources)
        before.passed_over = self._passed_over(before, notebook)
        return before

    def forget(self, cell: str, *, beside: Container[CellTask] = ()) -> tuple[Dropped, ...]:
        """The cell is no task any more, nor several; but for those `beside`."""
        gone = [one for one in self.cell_tasks if one.cell == cell and one not in beside]
        return tuple([self._remove(one) for one in gone])

    def bind(self, names: dict[str, Any], cell: CellTask, values: Mapping[str, Any]) -> None:
        """Give notebook variables what a cell defines, and remember that it was not the user."""
        names.update(values)
        self.bound.update(values)
        self._makers.update(dict.fromkeys(values, cell))

    def unbind(self, names: dict[str, Any]) -> None:
        """Take those names away that stand for what no cell defines any more.

        Values that the user has put away are let go of here, too.
        """
        alive = {id(handle) for one in self.cell_tasks for handle in one.handles.values()}
        for name, value in list(self.bound.items()):
            is_there = names.get(name) is value
            is_dead = isinstance(value, (Task, PartOf)) and id(value) not in alive
            if is_dead or not is_there:
                del self.bound[name]
            if is_dead and is_there:
                del names[name]

    def ran(self, cell: str, bound: Mapping[str, Any]) -> None:
        """A plain cell has run and bound these names; cells that took them from it take them anew.

        What is bound to the same name by another cell is another variable, and changes nothing.
        """
        self._binders.update(dict.fromkeys(bound, cell))
        found = {name: tasks for name, value in bound.items() if (tasks := tasks_in(value))}
        self.write(cell, found)
        for one in self.cell_tasks:
            sources = one.sources.renewed(cell, bound)
            if sources is not None:
                self._rewrite(one, one.name, one.code, sources)

    def write(self, cell: str, tasks: Mapping[str, Iterable[Task]]) -> None:
        """What a cell binds replaces all it bound before, and those names in other cells."""
        self.cells.pop(cell, None)
        for name in tasks:
            self._drop_name(name)
        written = {name: tuple(some) for name, some in tasks.items()}
        if written:
            self.cells[cell] = written
        serials = frozenset(task.serial for some in written.values() for task in some)
        self._changes.note(self._written.pop(cell, frozenset()) - serials)
        self._written[cell] = serials

    def drop(self, name: str) -> Dropped | None:
        """Forget the task of a cell, or a name that holds tasks; None if there is neither."""
        found = next((one for one in self.cell_tasks if one.name == name), None)
        if found is not None:
            return self._remove(found)
        tasks = self._drop_name(name)
        if not tasks:
            return None
        return Dropped(name, is_cell=False, readers=self._readers({t.serial for t in tasks}, name))

    def keep(self, names: Iterable[str]) -> None:
        """Forget every name but these: the others are gone from the notebook."""
        kept = set(names)
        for name in [name for held in self.cells.values() for name in held if name not in kept]:
            self._drop_name(name)

    def producer(self, name: str) -> CellTask | None:
        """The cell of this name, or else the last one that defines it."""
        named = (one for one in self.cell_tasks if one.name == name)
        defining = (one for one in reversed(self.cell_tasks) if name in one.outputs)
        return next(named, None) or next(defining, None)

    @property
    def names(self) -> tuple[str, ...]:
        """Of cells that are tasks, and of variables that hold tasks."""
        cells = (one.name for one in self.cell_tasks)
        return (*cells, *(name for names in self.cells.values() for name in names))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Each once, in the order of writing."""
        plain = (task for names in self.cells.values() for some in names.values() for task in some)
        found = {task.serial: task for task in (*plain, *(one.task for one in self.cell_tasks))}
        return tuple(found[serial] for serial in sorted(found))

    @property
    def sinks(self) -> tuple[Task, ...]:
        """The tasks that no other task of the draft reads; and cycles, to be refused."""
        tasks = self.tasks
        read = {task.serial for task in ancestors(tasks)}
        last = [task for task in tasks if task.serial not in read]
        reached = {task.serial for task in (*last, *ancestors(last))}
        return (*last, *(task for task in tasks if task.serial not in reached))

    def freeze(self, targets: Iterable[Task | PartOf] | None = None) -> Graph:
        """The graph of these targets, or of the draft's sinks; GraphError if there are none."""
        wanted = self.sinks if targets is None else tuple(targets)
        if not wanted:
            raise GraphError(
                "the draft holds no task: call a @task function and give it a name, or write "
                "%%task above a cell"
            )
        return freeze(wanted)

    @property
    def stale(self) -> frozenset[TaskId]:
        """Of `freeze()`: what has run, before it or anything it needs was written anew."""
        sinks = self.sinks
        self._look()
        try:
            return self._changes.stale(freeze(sinks), sinks)
        except GraphError:
            return frozenset()

    def stale_in(self, graph: Graph, targets: Iterable[Task | PartOf]) -> frozenset[TaskId]:
        """Of the graph that was frozen from these targets."""
        self._look()
        return self._changes.stale(graph, targets)

    def begin(self, graph: Graph, targets: Iterable[Task | PartOf]) -> Begun:
        """A run begins, of the graph that was frozen from these targets."""
        self._look()
        return self._changes.begin(graph, targets)

    def end(self, begun: Begun, done: Container[TaskId]) -> None:
        """That run is over and has done these tasks."""
        self._changes.end(begun, done)

    def _look(self) -> None:
        """Functions that cells use look up their globals when they are called."""
        self._changes.note([one.task.serial for one in self.cell_tasks if one.has_changed()])

    def _sources(self, code: CellCode, before: CellTask | None, notebook: Notebook) -> Sources:
        cells = self.cell_tasks
        if before is None:
            return sources_of(code, notebook, earlier=cells, known=cells)
        place = cells.index(before)
        return sources_of(
            code,
            notebook,
            earlier=cells[:place],
            known=[before, *cells],
            later=[
                one
                for one in cells[place + 1 :]
                if all(task is not before.task for task in ancestors([one.task]))
            ],
        )

    def _passed_over(self, cell: CellTask, notebook: Notebook) -> dict[str, str]:
        """What the notebook's variables now mean by a later cell, and to this cell do not."""
        later = self.cell_tasks[self.cell_tasks.index(cell) + 1 :]
        return {
            name: maker.name
            for name, source in cell.sources.data.items()
            if (maker := self._makers.get(name)) in later
            and maker is not None
            and maker is not source
            and not notebook.has(name)
            and all(task is not cell.task for task in ancestors([maker.task]))
        }

    def _before(self, code: CellCode, beside: Container[CellTask]) -> CellTask | None:
        """What is to be written anew; CellError if another cell has the name."""
        source, name = code.source, code.wish.name
        twin = next((one for one in self.cell_tasks if name and one.name == name), None)
        own = [one for one in self.cell_tasks if one.cell == source.cell and one not in beside]
        if twin is None or twin in own:
            return twin or next(iter(own), None)
        if twin in beside or (source.is_lasting and twin.code.source.is_lasting):
            message = f"another cell is named {name} already, {twin.code.source.label}"
            code.refuse(source.first_line, f"{message}: rename one, or %wf drop {name}")
        return twin

    def _name_for(self, code: CellCode, before: CellTask | None) -> str:
        """After the first thing it defines."""
        base = next(iter(code.wish.outputs or code.names.outputs), "cell")
        base = base if base.isascii() else "cell"
        taken = {one.name for one in self.cell_tasks if one is not before}
        numbered = (f"{base}-{number}" for number in count(2))
        return next(name for name in (base, *islice(numbered, len(taken) + 1)) if name not in taken)

    def _rewrite(self, cell: CellTask, name: str, code: CellCode, sources: Sources) -> None:
        serial = cell.task.serial
        is_changed = cell.write(name, code, sources)
        if cell.task.serial != serial:
            self._changes.move(serial, cell.task.serial)
        if is_changed:
            self._changes.note([serial, cell.task.serial])
        self._link_readers(cell)

    def _remove(self, cell: CellTask) -> Dropped:
        readers = self._readers({cell.task.serial}, cell.name)
        self.cell_tasks.remove(cell)
        self._changes.note([cell.task.serial])
        cell.drop()
        self._link_readers(cell)
        return Dropped(cell.name, is_cell=True, readers=readers)

    def _link_readers(self, cell: CellTask) -> None:
        for one in self.cell_tasks:
            if cell in one.producers:
                one.link()

    def _drop_name(self, name: str) -> tuple[Task, ...]:
        found = [names.pop(name) for names in self.cells.values() if name in names]
        for cell in [cell for cell, names in self.cells.items() if not names]:
            del self.cells[cell]
        return tuple(task for tasks in found for task in tasks)

    def _readers(self, serials: set[int], name: str) -> tuple[str, ...]:
        """The names of the draft whose tasks need one of these."""
        held: list[tuple[str, tuple[Task, ...]]]
        held = [(one.name, (one.task,)) for one in self.cell_tasks]
        held += [pair for names in self.cells.values() for pair in names.items()]
        return tuple(
            reader
            for reader, tasks in held
            if reader != name and any(task.serial in serials for task in ancestors(tasks))
        )
