"""What is known of a cell's names at one point of its code."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TypeAlias

_Chain: TypeAlias = ast.Attribute | ast.Subscript


@dataclass(slots=True)
class Bindings:
    """Names of the top level; each mapping goes from a name to its first line."""

    certain: set[str] = field(default_factory=set)
    """Defined at this point in any case."""
    possible: set[str] = field(default_factory=set)
    """Defined at this point on some path at least."""
    ever: set[str] = field(default_factory=set)
    """What was certain at some time, even if it is deleted later."""
    reads: dict[str, int] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)
    """Of the reads: what must exist."""
    stored: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, set[str]] = field(default_factory=dict)
    """How a name was bound: plain, import, or aside, by what only passes a value on."""
    changes: dict[str, int] = field(default_factory=dict)
    by_functions: frozenset[str] = frozenset()
    """What functions in the cell bind, which say `global`."""
    imports: dict[str, list[ast.stmt]] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    """Loop variable -> what it goes over, and may change."""
    hidden: list[set[str]] = field(default_factory=list)
    """Names that mean something else in here: in a comprehension, or `except ... as`."""
    of_class: set[str] | None = None
    """What the body of the class has defined, inside of one."""
    read_by_class: set[str] = field(default_factory=set)
    """What that body has read from outside of it."""
    rebound: dict[str, None] = field(default_factory=dict)
    """What the body of a class reads from the cell, and then defines anew for itself."""
    is_exceptional: bool = False
    """Whether this is only reached after something has been raised."""

    def read(self, name: str, line: int, *, is_needed: bool = True) -> None:
        if self.of_class is not None and name in self.of_class:
            return
        if self.is_hidden(name):
            return
        self.read_by_class.add(name)
        if name in self.certain:
            return
        self.reads.setdefault(name, line)
        if is_needed and name not in self.possible and name not in self.by_functions:
            self.needed.add(name)

    def is_hidden(self, name: str) -> bool:
        return any(name in hidden for hidden in self.hidden)

    def store(self, name: str, line: int, kind: str = "plain") -> None:
        if self.of_class is not None:
            self.of_class.add(name)
            if name in self.read_by_class:
                self.rebound[name] = None
            return
        self.certain.add(name)
        self.possible.add(name)
        self.stored.setdefault(name, line)
        self.kinds.setdefault(name, set()).add("aside" if self.is_exceptional else kind)

    def delete(self, name: str) -> None:
        if self.of_class is not None:
            self.of_class.discard(name)
            return
        self.certain.discard(name)
        self.possible.discard(name)

    def change(self, target: ast.expr) -> None:
        """An attribute or an element of something is set or deleted."""
        name = self.from_elsewhere(target)
        if name is not None:
            self.changes.setdefault(name, target.lineno)

    def from_elsewhere(self, target: ast.expr) -> str | None:
        """The name that this is a part of, if the cell has not bound it."""
        root = root_of(target)
        if root is None or self.is_hidden(root.id):
            return None
        name = self.elements.get(root.id, root.id)
        is_own = name in self.kinds or (self.of_class is not None and name in self.of_class)
        return None if is_own else name

    def add_global(self, name: str, line: int) -> None:
        """A function binds it, if it is called."""
        if name not in self.ever:
            self.possible.add(name)
            self.stored.setdefault(name, line)
            self.kinds.setdefault(name, set()).add("plain")


def root_of(node: ast.expr) -> ast.Name | None:
    """`df` of df["a"], of df.a.b[0] and of df.items()."""
    while True:
        if isinstance(node, _Chain):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            return node if isinstance(node, ast.Name) else None
