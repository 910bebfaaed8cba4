"""What a script defines before its first call: imports, constants, functions, classes.

Each name is given once, and after all that it needs. What cannot be written is refused by name.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import chain, count
from types import FunctionType, ModuleType
from typing import Any

from wfnb.cell_tasks import CellTask
from wfnb.errors import ExportError
from wfnb.exports.cell_functions import function_name, function_text, is_future
from wfnb.exports.code import Code, Labelled, call, flat, laid_out
from wfnb.exports.imports import import_of, submodules
from wfnb.exports.sources import Source, source_of
from wfnb.exports.values import Writing, quoted
from wfnb.language import TaskFunction, task
from wfnb.tasks import Function, Options

_SPELT = {
    "retry_delay_seconds": "retry_delay",
    "timeout_seconds": "timeout",
    "duration_seconds": "duration",
}
"""Options that `@task` calls otherwise."""
_OURS = ("task", "wfnb")
"""What the script itself calls by these names, even if it does so later."""
_DATA = (int, float, complex, str, bytes, bool, list, tuple, dict, set)
_DEFAULT = Options()
_REMEDY = "make it in a function, or let one read it from a file"


@dataclass(frozen=True, slots=True)
class Block:
    text: str
    is_definition: bool
    """Of a function or class; else an assignment."""


class Definitions:
    """Grows by `bind` and `function`; is read when all is in."""

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.constants: list[str] = []
        self.blocks: list[Block] = []
        """In the order in which each finds what it needs."""
        self._bound: dict[str, Any] = {}
        self._defined: set[str] = set()
        """Names that blocks give: what refers to them cannot stand above."""
        self._refers_to_block = False
        self._writing = Writing(self.reference)

    def is_free(self, name: str) -> bool:
        is_taken = name in self._bound or keyword.iskeyword(name) or hasattr(builtins, name)
        return name.isidentifier() and not is_taken and name not in _OURS

    def reference(self, thing: Any) -> str:
        """The script's name for a module, function or class."""
        name = getattr(thing, "__name__", "")
        if getattr(builtins, name, None) is thing and name not in self._bound:
            return name
        for known, value in self._bound.items():
            if value is thing:
                name = known
                break
        else:
            self.bind(name, thing)
        self._refers_to_block |= name in self._defined
        return name

    def bind(self, name: str, value: Any) -> None:
        """See to it that the script means by this name what this process means."""
        if name in self._bound:
            self._refuse_another(name, value)
            return
        self._bound[name] = value
        line = None if _is_data(value) else import_of(name, value)
        if line is not None:
            self.imports[line] = None
        elif isinstance(value, TaskFunction):
            self._add_task_function(name, value)
        elif isinstance(value, type) or _is_written(value):
            self._add_source(name, source_of(value), value)
        else:
            self._add_constant(name, value)

    def function(self, described: Function) -> str:
        """The script's name for the function of some tasks."""
        known = [name for name, value in self._bound.items() if _describes(value, described)]
        if known:
            return known[0]
        space = getattr(described.call, "__globals__", {})
        wanted = getattr(described.call, "__name__", described.name)
        found = [name for name, value in space.items() if _describes(value, described)]
        if found:
            name = wanted if wanted in found else found[0]
            self.bind(name, space[name])
            return name
        made = TaskFunction(described.call, described.name, described.options)
        latest = space.get(wanted)
        if isinstance(latest, TaskFunction):
            if not _is_same(latest, made):
                message = f"{wanted} was defined anew since it was called"
                raise ExportError(f"{message}: run the cells that call it again")
            made = latest
        name = wanted if made is latest else self._free_name(made)
        self.bind(name, made)
        return name

    def cell(self, cell: CellTask) -> str:
        """The script's name for a cell, as a function."""
        own, wanted = function_name(cell), cell.name
        counted = (f"{own}_{number}" for number in count(2))
        name = next(filter(self.is_free, chain([own, f"make_{own}"], counted)))
        self._bound[name] = cell
        try:
            for used, captured in cell.sources.uses.items():
                self.bind(used, captured.value)
        except ExportError as error:
            raise ExportError(f"the cell {wanted} uses {used}: {error}") from error
        future = [[node] for node in cell.code.tree.body if is_future(node)]
        for statements in (*cell.sources.imports.values(), *future):
            self.imports |= dict.fromkeys(map(ast.unparse, statements))
        decorator = self._decorator(wanted, name, cell.code.wish.options)
        text = function_text(cell, name, laid_out(decorator, before="@"))
        self._add_block(name, text, is_definition=True)
        return name

    def _free_name(self, made: TaskFunction[..., Any]) -> str:
        """That of the function, unless the script needs it for the function itself."""
        own = getattr(made.function, "__name__", "")
        is_imported = hasattr(builtins, own) or import_of(own, made.function) is not None
        wanted = [f"{own}_task"] if is_imported else [own, f"{own}_task"]
        counted = (f"task_{number}" for number in count(1))
        return next(filter(self.is_free, chain(wanted, counted)))

    def _add_task_function(self, name: str, value: TaskFunction[..., Any]) -> None:
        call = value.function
        source = source_of(call) if isinstance(call, FunctionType) else None
        if source is not None and source.is_decorated_by(task, call.__globals__):
            self._add_source(name, source, call)
        elif source is not None and source.node.name == name:
            self.reference(task)
            decorator = laid_out(self._decorator_of(value), before="@")
            self._add_source(name, source.under(decorator), call)
        else:
            self.reference(task)
            made = _with_first(self.reference(call), self._decorator_of(value))
            self._add_block(name, laid_out(made, before=f"{name} = "))

    def _decorator_of(self, value: TaskFunction[..., Any]) -> Code:
        described = value.described
        own = getattr(value.function, "__name__", "")
        return self._decorator(described.name, own, described.options)

    def _decorator(self, name: str, own: str, options: Options) -> Code:
        """`task(...)` as it makes a function of that name, whose own is `own`, have the options."""
        parts = [] if name == own else [Labelled("name=", quoted(name))]
        for each in fields(Options):
            given = getattr(options, each.name)
            if given != getattr(_DEFAULT, each.name):
                label = f"{_SPELT.get(each.name, each.name)}="
                parts.append(Labelled(label, self._writing.of(given)))
        return call(self.reference(task), parts) if parts else self.reference(task)

    def _add_source(self, name: str, source: Source, value: Any) -> None:
        node, call = source.node, inspect.unwrap(value)
        if call is not value and not node.decorator_list:
            raise ExportError(f"{name} is made by a call: write it with a decorator, above its def")
        space = _globals_of(call)
        if source.postpones_annotations:
            self.imports["from __future__ import annotations"] = None
        if node.name != name:
            self._bound.setdefault(node.name, value)
        for used in source.names:
            if used in space and used != node.name and not used.startswith("__"):
                self._bind_for(node.name, used, space[used])
        self._add_submodules(source, space)
        self._add_block(node.name, source.text, is_definition=True)
        if node.name != name:
            self._add_block(name, f"{name} = {node.name}")

    def _bind_for(self, user: str, name: str, value: Any) -> None:
        try:
            self.bind(name, value)
        except ExportError as error:
            raise ExportError(f"{user} uses {name}: {error}") from error

    def _add_submodules(self, source: Source, space: Mapping[str, Any]) -> None:
        for name, attributes in source.attributes():
            module = space.get(name)
            if isinstance(module, ModuleType) and module.__name__ == name:
                self.imports |= dict.fromkeys(submodules(module, attributes))

    def _add_block(self, name: str, text: str, *, is_definition: bool = False) -> None:
        self._defined.add(name)
        self.blocks.append(Block(text, is_definition))

    def _add_constant(self, name: str, value: Any) -> None:
        self._refers_to_block = False
        try:
            code = self._writing.of(value)
        except ExportError as error:
            remedy = "write it as a function, with def" if callable(value) else _REMEDY
            raise ExportError(f"{name} is {error}, which a script cannot hold: {remedy}") from None
        text = laid_out(code, before=f"{name} = ")
        if self._refers_to_block:
            self._add_block(name, text)
        else:
            self.constants.append(text)

    def _refuse_another(self, name: str, value: Any) -> None:
        known = self._bound[name]
        if known is value or (_is_data(value) and type(known) is type(value) and known == value):
            return
        if _unwrapped(known) is _unwrapped(value):
            return
        raise ExportError(f"two things are named {name}: rename one, and run what uses it again")


def _describes(value: Any, described: Function) -> bool:
    return isinstance(value, TaskFunction) and value.described is described


def _unwrapped(value: Any) -> Any:
    return value.function if isinstance(value, TaskFunction) else value


def _is_same(one: TaskFunction[..., Any], other: TaskFunction[..., Any]) -> bool:
    """Whether a cell was run again as it was."""
    if one.described.options != other.described.options:
        return False
    return source_of(one.function).text == source_of(other.function).text


def _is_written(value: Any) -> bool:
    return isinstance(value, FunctionType) or isinstance(inspect.unwrap(value), FunctionType)


def _is_data(value: Any) -> bool:
    return value is None or type(value) in _DATA


def _globals_of(thing: Any) -> Mapping[str, Any]:
    for part in (thing, *vars(thing).values()):
        if isinstance(part, FunctionType):
            return part.__globals__
    module = sys.modules.get(thing.__module__)
    return {} if module is None else vars(module)


def _with_first(function: str, decorator: Code) -> Code:
    """`task(f, ...)`, spelt so that options do not come in between."""
    return f"{flat(decorator)}({function})"
