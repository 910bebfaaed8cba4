"""A cell that is a task, as a function: what it reads goes in, what it defines comes out."""

from __future__ import annotations

import ast
import builtins
import textwrap
from collections.abc import Sequence

from wfnb.cell_tasks import CellTask
from wfnb.errors import ExportError
from wfnb.exports.code import Bracket, Labelled, laid_out
from wfnb.exports.values import quoted


def function_name(cell: CellTask) -> str:
    """A cell is often named after what it defines; that name is then the variable's.

    It may be a keyword, or a name that is taken.
    """
    name = cell.name.replace("-", "_").replace(".", "_")
    if not name.isidentifier():
        name = f"cell_{name}"
    return f"make_{name}" if name in cell.outputs else name


def function_text(cell: CellTask, name: str, decorator: str) -> str:
    """Raises ExportError for code that means something else in a function."""
    tree = cell.code.tree
    _refuse_what_changes(cell, tree)
    head = f"{decorator}\n{laid_out(Bracket(f'def {name}(', [*cell.sources.data], '):'))}"
    body = [node for node in tree.body if not is_future(node)]
    text = f"{head}\n{_indented(cell.code.source.text, body)}{_ending(cell.outputs)}"
    try:
        compile(text, "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        message = f"the cell {cell.name} cannot be written as a function: {error.msg}"
        raise ExportError(f"{message}: write it with @task and def") from error
    return text


def is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _indented(text: str, body: Sequence[ast.stmt]) -> str:
    """As it was written, comments and all, unless that would change what a long text holds."""
    shifted = textwrap.indent(text.strip("\n").rstrip(), "    ")
    try:
        definition = ast.parse(f"def cell():\n{shifted}").body[0]
    except SyntaxError:
        definition = ast.Pass()
    is_kept = isinstance(definition, ast.FunctionDef) and _dumped(definition.body) == _dumped(body)
    if is_kept or not body:
        return f"{shifted}\n" if is_kept else ""
    return textwrap.indent(ast.unparse(ast.Module([*body], [])), "    ", lambda line: True) + "\n"


def _dumped(body: Sequence[ast.stmt]) -> list[str]:
    return [ast.dump(node) for node in body]


def _ending(outputs: Sequence[str]) -> str:
    if not outputs:
        return "    return None"
    if len(outputs) == 1:
        return f"    return {outputs[0]}"
    parts = [Labelled(f"{quoted(name)}: ", name) for name in outputs]
    return laid_out(Bracket("{", parts, "}"), before="return ", indent="    ")


def _refuse_what_changes(cell: CellTask, tree: ast.Module) -> None:
    remedy = "write it as a function, with @task and def"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            named = ", ".join(node.names)
            message = f"the cell {cell.name}, line {node.lineno}, has `global {named}`"
            raise ExportError(f"{message}, and in a script that is another variable: {remedy}")
    names = cell.code.names
    both = [name for name in names.reads if name in names.defines and _is_outside(name, cell)]
    local = names.defines.keys() | cell.sources.data
    for name in (*both, *sorted(names.rebound & local)):
        message = f"the cell {cell.name} uses {name} from outside and then defines it"
        raise ExportError(f"{message}: give the second another name, or {remedy}")


def _is_outside(name: str, cell: CellTask) -> bool:
    """Whether a function finds it among its module's names, or Python's."""
    sources = cell.sources
    if name in sources.data:
        return False
    return name in sources.uses or name in sources.imports or hasattr(builtins, name)
