"""A cell that is to be a task: its code, read, or refused if no worker could run it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from keyword import iskeyword
from typing import NoReturn, cast

from wfnb.cell_names import Names, names_of
from wfnb.errors import CellError
from wfnb.tasks import Options

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_OF_IPYTHON = re.compile(r"\s*[%!?]|.*=\s*[%!]|.*\?\s*$")
_REMEDIES = (
    (re.compile("await|async"), "await inside a function, and call it with asyncio.run"),
    (re.compile("return|yield"), "put this into a function, and call that"),
)
_MEND = "mend it and run the cell again"
_OPTIONS = Options(reuse=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `%%task` is told of a cell."""

    name: str | None = None
    inputs: tuple[str, ...] | None = None
    """The only data it takes; the code that it uses comes along unasked."""
    outputs: tuple[str, ...] | None = None
    options: Options = _OPTIONS
    is_bound: bool = True
    """Whether the notebook's variables become what the cell defines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A cell's code and where a traceback finds it."""

    text: str
    file: str = "<cell>"
    lines_before: int = 0
    """Lines of the cell ahead of this text, as that of `%%task`."""
    cell: str = "cell"
    """What identifies the cell among others."""
    is_lasting: bool = False
    """Whether it still does when the cell is run again."""
    label: str = "cell"
    """What an error calls a cell that has no name yet."""

    @property
    def first_line(self) -> int:
        """Where `%%task` stands, or else the code begins."""
        return max(self.lines_before, 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellCode:
    """The code of a cell that can be a task."""

    label: str
    source: Source
    wish: Wish
    tree: ast.Module
    names: Names

    def line(self, name: str) -> int:
        """Where a name is first met."""
        names = self.names
        return names.reads.get(name) or names.defines.get(name) or self.source.lines_before + 1

    def refuse(self, line: int, message: str) -> NoReturn:
        raise CellError(f"{self.label}, line {line}: {message}")


def read_cell(source: Source, wish: Wish) -> CellCode:
    """The cell's code, analysed; CellError with its line for what no worker could run."""
    if wish.name is not None and not _ID.fullmatch(wish.name):
        remedy = "begin with a letter, and use letters, digits, '_', '.' and '-'"
        raise CellError(f"{wish.name!r} names no cell: {remedy}")
    label = wish.name or source.label
    tree = _parsed(source, label)
    if not tree.body:
        line = source.first_line
        raise CellError(f"{label}, line {line}: there is no code below: write what it is to do")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            message = f"`from {node.module} import *` hides what the cell defines"
            raise CellError(
                f"{label}, line {node.lineno}: {message}: import the names that you use"
            )
    code = CellCode(
        label=label, source=source, wish=wish, tree=tree, names=names_of(tree, source.text)
    )
    if "get_ipython" in code.names.reads:
        message = "get_ipython() is the notebook's, and a task runs elsewhere"
        code.refuse(code.line("get_ipython"), f"{message}: put this in a plain cell")
    _check_asked(code)
    return code


def _parsed(source: Source, label: str) -> ast.Module:
    try:
        # dont_inherit: this module's own `from __future__` is not the cell's.
        parsed = compile(source.text, source.file, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        tree = cast(ast.Module, parsed)
        compile(tree, source.file, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = error.lineno or 1
        message = _syntax(error, source.text.splitlines()[line - 1 : line])
        raise CellError(f"{label}, line {line + source.lines_before}: {message}") from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise CellError(f"{label}: no code that Python can compile ({error}): {_MEND}") from None
    ast.increment_lineno(tree, source.lines_before)
    return tree


def _syntax(error: SyntaxError, lines: list[str]) -> str:
    quoted = f"`{lines[0].strip()}`" if lines and lines[0].strip() else "this line"
    if lines and _OF_IPYTHON.match(lines[0]):
        return f"{quoted} is for the notebook, and a task runs elsewhere: put it in a plain cell"
    told = str(error.msg)
    remedy = next((remedy for told_of, remedy in _REMEDIES if told_of.search(told)), _MEND)
    return f"{quoted}: {told}: {remedy}"


def _check_asked(code: CellCode) -> None:
    names, line = code.names, code.source.first_line
    readable, written = {*names.reads, *names.words}, {*names.defines, *names.reads}
    for option, verb, asked, known in (
        ("--in", "read", code.wish.inputs, readable),
        ("--out", "define", code.wish.outputs, written),
    ):
        for name in asked or ():
            if not name.isidentifier() or iskeyword(name):
                code.refuse(line, f"{option} {name}: it is no name: write names, commas between")
            if name not in known:
                shown = names.reads if option == "--in" else names.outputs
                there = ", ".join(shown) or "nothing"
                message = f"{option} {name}: the cell does not {verb} it; it {verb}s {there}"
                code.refuse(line, f"{message}: take it out, or mend the name")
