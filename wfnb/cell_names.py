"""Which names a cell's code reads, and which it defines."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from symtable import SymbolTable, symtable

from wfnb.cell_bindings import Bindings
from wfnb.cell_flow import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of the cell's top level; each mapping goes from a name to its first line."""

    reads: Mapping[str, int]
    """What must come from elsewhere, in the order in which it is read."""
    optional: frozenset[str]
    """Of the reads: those that the cell may define itself before, or that need not exist."""
    defines: Mapping[str, int]
    """What it may have defined at its end, whatever a name was bound by."""
    uncertain: frozenset[str]
    """Of what it defines: what only some paths define."""
    changes: Mapping[str, int]
    """What comes from elsewhere and has an attribute or an element set or deleted."""
    imports: Mapping[str, tuple[ast.stmt, ...]]
    """What is bound by imports at the top level and by nothing else; they could be said again."""
    asides: frozenset[str]
    """Of what it defines: only by a loop, a `with`, a `case` or an `except`."""
    calls: Mapping[str, str]
    """What comes from elsewhere and has a method called that tends to change it."""
    rebound: frozenset[str]
    """What the body of a class takes from outside of it before it defines the same."""
    words: frozenset[str]
    """In its texts, which may be code: df.query("age > @limit")."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it defines for others: no imports, no loop variables, no name with a `_` ahead."""
        return tuple(
            name
            for name in self.defines
            if name not in self.imports and name not in self.asides and not name.startswith("_")
        )


def names_of(tree: ast.Module, source: str) -> Names:
    """`source` is what the tree was parsed from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has been parsed before, and warned of
        table = symtable(source, "<cell>", "exec")
    flow = Flow(evaluates_annotations=not _postpones_annotations(tree))
    found = flow.names
    found.by_functions = frozenset(_bound_by_functions(table))
    flow.run(tree.body)
    _Nested(found, tree, evaluates_annotations=flow.evaluates_annotations).add(table)
    certain, possible = found.certain, found.possible
    for name in found.stored:  # what is not defined this time keeps the value that it had
        if name in possible and name not in certain and found.kinds[name] != {"aside"}:
            found.read(name, found.stored[name], is_needed=False)
    imports = {
        name: tuple(again)
        for name, again in found.imports.items()
        if found.kinds[name] == {"import"} and name in certain
    }
    return Names(
        reads=found.reads,
        optional=frozenset(found.reads.keys() - found.needed),
        defines={name: line for name, line in found.stored.items() if name in possible},
        uncertain=frozenset(possible - certain),
        changes=found.changes,
        imports=imports,
        asides=frozenset(name for name in possible if found.kinds[name] == {"aside"}),
        calls={name: call for name, call in found.calls.items() if name in found.reads},
        rebound=frozenset(found.rebound),
        words=frozenset(_words(tree)),
    )


def _postpones_annotations(tree: ast.Module) -> bool:
    return sys.version_info >= (3, 14) or any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for statement in tree.body
    )


def _words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"[^\W\d]\w*", node.value)


def _bound_by_functions(table: SymbolTable) -> Iterator[str]:
    for child in table.get_children():
        for symbol in child.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                yield symbol.get_name()
        yield from _bound_by_functions(child)


class _Nested:
    """What functions in the cell use of its top level, whenever they are called."""

    def __init__(self, names: Bindings, tree: ast.Module, *, evaluates_annotations: bool) -> None:
        self._names = names
        self._evaluates_annotations = evaluates_annotations
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        self._lines = {node.id: node.lineno for node in reversed(nodes)}

    def add(self, table: SymbolTable) -> None:
        for child in table.get_children():
            self._add_symbols(child)
            self.add(child)

    def _add_symbols(self, table: SymbolTable) -> None:
        kind = str(table.get_type())
        if "annotation" in kind and not self._evaluates_annotations:
            return
        for symbol in table.get_symbols():
            if not symbol.is_global():
                continue
            name = symbol.get_name()
            line = self._lines.get(name, 1)
            if symbol.is_declared_global() and symbol.is_assigned():
                self._names.add_global(name, line)
            elif kind != "class" and symbol.is_referenced():
                self._read(name, line)

    def _read(self, name: str, line: int) -> None:
        names = self._names
        if name not in names.ever and name not in names.reads:
            names.read(name, line, is_needed=name not in names.stored)
