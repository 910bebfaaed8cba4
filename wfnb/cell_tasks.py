"""The task of a cell, written anew each time the cell is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from wfnb.cell_sources import Captured, Producer, Sources, function_of
from wfnb.cells import CellCode
from wfnb.errors import CellError
from wfnb.fingerprint import fingerprint
from wfnb.language import capture, next_serial
from wfnb.nesting import ATOMS
from wfnb.tasks import Function, NamedTask, PartOf, Task


class Gone(tuple[Task, ...]):
    """In the place of a task's inputs: whoever needs the task is told why it cannot run."""

    def __new__(cls, _message: str) -> Gone:
        return super().__new__(cls)

    def __init__(self, message: str) -> None:
        self.message = message

    def __iter__(self) -> Iterator[Task]:
        raise CellError(self.message)


class CellTask:
    """A cell among the cells of a draft; its `task` stays the same while its outputs fit."""

    def __init__(self, name: str, code: CellCode, sources: Sources) -> None:
        self.code = code
        self.sources = sources
        self._outputs = _outputs(code, sources)
        self._function = function_of(code, name, sources, outputs=self._outputs)
        self._fingerprint = fingerprint(self._function)
        self._parts: dict[str, PartOf] = {}
        self._is_dropped = False
        self.passed_over: dict[str, str] = {}
        """What it reads -> the later cell that makes something else of it."""
        self.task = self._new(name)
        self.link()

    def __repr__(self) -> str:
        return f"<cell {self.name}>"

    def __str__(self) -> str:
        inputs = ", ".join([*self.sources.data, *self.sources.imports])
        return f"task {self.name}: {inputs or 'nothing'} -> {', '.join(self.outputs) or 'nothing'}"

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._outputs

    @property
    def cell(self) -> str:
        return self.code.source.cell

    @property
    def imports(self) -> Mapping[str, tuple[ast.stmt, ...]]:
        return self.code.names.imports

    @property
    def kept(self) -> frozenset[str]:
        """What it defines and does not hand on."""
        return frozenset(self.code.names.defines).difference(self.outputs, self.imports)

    def handle(self, name: str) -> Task | PartOf:
        if name not in self.outputs:
            self._refuse_part(name)
        if len(self.outputs) == 1:
            return self.task
        return self._parts.setdefault(name, PartOf(self.task, name))

    @property
    def handles(self) -> dict[str, Task | PartOf]:
        return {name: self.handle(name) for name in self.outputs}

    def captured(self, name: str) -> Captured | None:
        found = self.sources.data.get(name) or self.sources.uses.get(name)
        return found if isinstance(found, Captured) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user may not expect."""
        changed = [
            f"note: what .{call}() does to {name} stays in this task; --out {name} hands it on"
            for name, call in self.code.names.calls.items()
            if name in self.sources.data and name not in self.outputs
        ]
        passed_over = [
            f"note: {name} is not what the cell {cell} makes of it, as that was first run after "
            f"this one; to read that, %wf drop {self.name} and run this cell again"
            for name, cell in self.passed_over.items()
        ]
        return (*changed, *passed_over)

    @property
    def producers(self) -> set[CellTask]:
        """The cells that it reads."""
        return {source for source in self.sources.data.values() if isinstance(source, CellTask)}

    def write(self, name: str, code: CellCode, sources: Sources) -> bool:
        """What the cell is from now on; whether that makes a difference to what it returns."""
        outputs = _outputs(code, sources)
        function = function_of(code, name, sources, outputs=outputs)
        is_same = (
            code.wish.options == self.code.wish.options
            and _same_data(sources.data, self.sources.data)
            and fingerprint(function) == self._fingerprint
        )
        fits = self._fits(outputs)
        self.code, self.sources, self._function = code, sources, function
        self._fingerprint = fingerprint(function)
        if fits:
            self.task.name = name
            self._outputs = outputs
        else:
            self._replace(name, outputs)
        self.link()
        return not is_same

    def has_changed(self) -> bool:
        """Whether a helper of its helpers, or a variable of theirs, is another than last time."""
        before, self._fingerprint = self._fingerprint, fingerprint(self._function)
        return before != self._fingerprint

    def link(self) -> None:
        """Take what the cells that it reads are now."""
        name, options = self.name, self.code.wish.options
        self.task.function = Function(name, self._function, options)
        try:
            values = tuple(
                source.value if isinstance(source, Captured) else source.handle(read)
                for read, source in self.sources.data.items()
            )
        except CellError as error:
            self.task.inputs = Gone(f"{name} cannot run: {error}")
            return
        self.task.arguments, self.task.inputs = capture(values, {})

    def drop(self) -> None:
        """Whatever still needs it cannot run from now on."""
        names = ", ".join(f"`{name}`" for name in self.outputs) or "what it does"
        self._leave(f"{names} of the cell {self.name} is gone, which was dropped")
        self._outputs, self._is_dropped = (), True

    def _refuse_part(self, name: str) -> None:
        message = f"the cell {self.name} no longer defines `{name}`"
        if self._is_dropped:
            message = f"the cell {self.name}, which defined `{name}`, is a task no more"
        raise CellError(f"{message}: run the cell that defines it now, then those that read it")

    def _fits(self, outputs: tuple[str, ...]) -> bool:
        """Whether what was made of its outputs elsewhere still means the same."""
        before = self.outputs
        are_several = len(before) > 1 and len(outputs) > 1
        return not before or before == outputs or (are_several and set(before) <= set(outputs))

    def _replace(self, name: str, outputs: tuple[str, ...]) -> None:
        defined = ", ".join(f"`{output}`" for output in outputs) or "nothing"
        self._leave(f"the cell {name} defines {defined} since it was run again")
        self._outputs, self._parts = outputs, {}
        self.task = self._new(name)

    def _leave(self, reason: str) -> None:
        self.task.inputs = Gone(f"{reason}: run the cells again that use it")

    def _new(self, name: str) -> NamedTask:
        function = Function(name, self._function, self.code.wish.options)
        return NamedTask(next_serial(), function, (), (), name=name)


def _outputs(code: CellCode, sources: Sources) -> tuple[str, ...]:
    if code.wish.outputs is not None:
        return tuple(dict.fromkeys(code.wish.outputs))
    names = code.names
    changed = [
        name
        for name in names.changes
        if name in sources.data or (name in sources.uses and not _is_module(sources.uses[name]))
    ]
    return tuple(dict.fromkeys((*names.outputs, *changed)))


def _is_module(captured: Captured) -> bool:
    return isinstance(captured.value, ModuleType)


def _same_data(
    data: Mapping[str, Producer | Captured], before: Mapping[str, Producer | Captured]
) -> bool:
    return data.keys() == before.keys() and all(
        _is_same(source, before[name]) for name, source in data.items()
    )


def _is_same(source: Producer | Captured, before: Producer | Captured) -> bool:
    if not (isinstance(source, Captured) and isinstance(before, Captured)):
        return source is before
    value: Any = source.value
    is_atom = type(value) in ATOMS and type(before.value) is type(value)
    return value is before.value or (is_atom and bool(value == before.value))
