"""Where a cell gets what it reads, and its code made a function of that."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Protocol

from wfnb.cell_function import CellFunction
from wfnb.cells import CellCode
from wfnb.language import TaskFunction
from wfnb.shells import hides_builtin, is_builtin, is_of_shell
from wfnb.tasks import PartOf, Task

_CODE = (ModuleType, type, FunctionType, BuiltinFunctionType, TaskFunction)


class Producer(Protocol):
    """An earlier cell that is a task."""

    @property
    def name(self) -> str: ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names that it defines for others."""
        ...

    @property
    def imports(self) -> Mapping[str, tuple[ast.stmt, ...]]:
        """The names that it imports."""
        ...

    @property
    def kept(self) -> Collection[str]:
        """The names that it defines for itself alone."""
        ...

    def handle(self, name: str) -> Task | PartOf:
        """Stands for one of its outputs."""
        ...

    def captured(self, name: str) -> Captured | None:
        """What it was given under this name, if that is no other cell's output."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """A variable of the notebook, as the cell saw it when it was run."""

    value: Any
    cell: str | None = None
    """The cell that had bound it."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """The notebook's variables, and where they come from."""

    names: Mapping[str, Any]
    bound: Mapping[str, Any]
    """What wfnb has bound: handles, and values after a run."""
    cells: Mapping[str, str]
    """Name -> the cell that bound it last."""

    def has(self, name: str) -> bool:
        """Whether the user has bound it, rather than wfnb or IPython."""
        if name not in self.names:
            return False
        value = self.names[name]
        if name in self.bound and self.bound[name] is value:
            return False
        return not hides_builtin(name, value)


@dataclass(slots=True)
class Sources:
    data: dict[str, Producer | Captured] = field(default_factory=dict)
    """Arguments of the task."""
    uses: dict[str, Captured] = field(default_factory=dict)
    """Functions, classes and modules: they travel with the code."""
    imports: dict[str, tuple[ast.stmt, ...]] = field(default_factory=dict)
    """What earlier cells import, to be imported again."""

    def add(self, name: str, source: Producer | Captured) -> None:
        if isinstance(source, Captured) and isinstance(source.value, _CODE):
            self.uses[name] = source
        else:
            self.data[name] = source

    def renewed(self, cell: str, bound: Mapping[str, Any]) -> Sources | None:
        """With what this cell has bound anew; None if nothing was taken from it."""
        taken = {**self.data, **self.uses}
        fresh = {
            name: Captured(bound[name], cell)
            for name, source in taken.items()
            if isinstance(source, Captured) and source.cell == cell and name in bound
        }
        if not fresh:
            return None
        renewed = Sources(imports=self.imports)
        for name, source in taken.items():
            renewed.add(name, fresh.get(name, source))
        return renewed


def sources_of(
    code: CellCode,
    notebook: Notebook,
    *,
    earlier: Sequence[Producer] = (),
    known: Sequence[Producer] = (),
    later: Sequence[Producer] = (),
) -> Sources:
    """`earlier` cells in their order; `known` are all, with what this one was until now first.

    From `later` ones, which must not read this one, comes what is to be had nowhere else.
    """
    found = Sources()
    asked = code.wish.inputs
    missing = []
    for name in dict.fromkeys((*code.names.reads, *(asked or ()))):
        is_asked = asked is None or name in asked
        if _is_given(name):
            continue
        source = (
            _source_of(name, notebook, earlier)
            or _first_seen(name, known)
            or next((cell for cell in later if name in cell.outputs), None)
        )
        is_code = isinstance(source, Captured) and isinstance(source.value, _CODE)
        if isinstance(source, tuple):
            found.imports[name] = source
        elif source is not None and (is_asked or is_code):
            found.add(name, source)
        elif source is None and is_asked and not _is_optional(name, code):
            missing.append(name)
    if missing:
        others = [cell for cell in known[1:] if cell is not known[0]]
        for name in missing:
            _refuse_what_is_withheld(name, code, earlier, others)
        _refuse(code, missing, notebook, earlier)
    return found


def _is_given(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_optional(name: str, code: CellCode) -> bool:
    return is_builtin(name) or name in code.names.optional


def _source_of(
    name: str, notebook: Notebook, earlier: Sequence[Producer]
) -> Producer | Captured | tuple[ast.stmt, ...] | None:
    if notebook.has(name):
        return Captured(notebook.names[name], notebook.cells.get(name))
    for cell in reversed(earlier):
        if name in cell.outputs:
            return cell
        if name in cell.imports:
            return cell.imports[name]
    value = getattr(builtins, name, None)
    return Captured(value) if isinstance(value, _CODE) and is_of_shell(value) else None


def _first_seen(name: str, known: Sequence[Producer]) -> Captured | None:
    """It has been bound anew by this cell or a later one: what was there first is meant."""
    found = (cell.captured(name) for cell in known)
    return next((captured for captured in found if captured is not None), None)


def _refuse_what_is_withheld(
    name: str, code: CellCode, earlier: Sequence[Producer], others: Sequence[Producer]
) -> None:
    """A cell has it, and yet it is not to be had from there."""
    for cell in reversed(earlier):
        if name in cell.kept:
            asked = ",".join([*cell.outputs, name])
            there = f"the cell {cell.name} has `{name}` and does not hand it on"
            code.refuse(code.line(name), f"{there}: run that again with --out {asked}")
    for cell in others:
        if name in cell.outputs:
            there = f"`{name}` comes from the cell {cell.name}, which needs what this one defines"
            remedy = "no task can wait for itself, so let one of them do without"
            code.refuse(code.line(name), f"{there}: {remedy}")


def _refuse(
    code: CellCode, missing: list[str], notebook: Notebook, earlier: Sequence[Producer]
) -> None:
    named = ", ".join(f"`{name}`" for name in missing)
    known = [*notebook.names, *(name for cell in earlier for name in cell.outputs)]
    near = get_close_matches(missing[0], known, n=1, cutoff=0.8)
    hint = f"did you mean `{near[0]}`? Else run" if near else "run"
    message = f"nothing defines {named}: {hint} the cell that does, or name the inputs with --in"
    code.refuse(code.line(missing[0]), message)


def function_of(
    code: CellCode, name: str, sources: Sources, *, outputs: Iterable[str]
) -> CellFunction:
    again = [
        _moved(statement, code.line(imported))
        for imported, statements in sources.imports.items()
        for statement in statements
    ]
    body = code.tree.body
    first = sum(1 for _ in _ahead(body))
    body = _shown(body, code.source.text)
    tree = ast.Module(body=[*body[:first], *again, *body[first:]], type_ignores=[])
    compiled: CodeType = compile(tree, code.source.file, "exec", dont_inherit=True)
    uses = {used: captured.value for used, captured in sources.uses.items()}
    function = FunctionType(
        compiled.replace(co_name=name, co_qualname=name), {"__name__": "__main__", **uses}, name
    )
    return CellFunction(function, tuple(sources.data), tuple(outputs))


def _shown(body: list[ast.stmt], text: str) -> list[ast.stmt]:
    """The value of a last expression is printed, as a notebook shows it, unless `;` ends it."""
    last = body[-1] if body else None
    if not isinstance(last, ast.Expr) or text.rstrip().endswith(";"):
        return body
    show = ast.parse("__import__('sys').displayhook", mode="eval").body
    for node in ast.walk(show):
        ast.copy_location(node, last.value)
    call = ast.copy_location(ast.Call(show, [last.value], []), last.value)
    return [*body[:-1], ast.copy_location(ast.Expr(call), last)]


def _ahead(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The docstring and what is imported from __future__, which come first."""
    for statement in body:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        is_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if not is_text and not is_future:
            return
        yield statement


def _moved(statement: ast.stmt, line: int) -> ast.stmt:
    """If it fails, that is because of what reads it."""
    moved = copy.deepcopy(statement)
    for node in ast.walk(moved):
        for attribute in ("lineno", "end_lineno"):
            setattr(node, attribute, line)
        for attribute in ("col_offset", "end_col_offset"):
            setattr(node, attribute, 0)
    return moved
