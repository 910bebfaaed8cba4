"""The source of functions and classes, wherever they were written: a module or a cell."""

from __future__ import annotations
import __future__

import ast
import inspect
import linecache
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import FunctionType
from typing import Any

from wfnb.errors import ExportError
from wfnb.functions import global_names

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_ANNOTATIONS = __future__.annotations.compiler_flag


@dataclass(frozen=True)
class Source:
    """One `def` or `class` with its decorators, at the margin."""

    text: str
    postpones_annotations: bool = False

    def under(self, decorator: str) -> Source:
        return replace(self, text=f"{decorator}\n{self.text}")

    @cached_property
    def node(self) -> Definition:
        node = ast.parse(self.text).body[0]
        assert isinstance(node, Definition)
        return node

    def is_decorated_by(self, decorator: Any, space: Mapping[str, Any]) -> bool:
        """With arguments or without; `space` says what names mean."""
        found = [d.func if isinstance(d, ast.Call) else d for d in self.node.decorator_list]
        return any(_meaning(expression, space) is decorator for expression in found)

    def attributes(self) -> Iterator[tuple[str, list[str]]]:
        """For each `name.a.b`: the name, and a, a.b."""
        for part in ast.walk(self.node):
            chain: list[str] = []
            while isinstance(part, ast.Attribute):
                chain.insert(0, part.attr)
                part = part.value
            if chain and isinstance(part, ast.Name):
                yield part.id, [".".join(chain[: end + 1]) for end in range(len(chain))]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What it looks up outside of itself, decorators, defaults and annotations included."""
        flags = _ANNOTATIONS if self.postpones_annotations else 0
        return global_names(compile(self.text, "<source>", "exec", flags, dont_inherit=True))


def source_of(thing: Any) -> Source:
    """Raises ExportError, with the remedy, for what has no source of its own."""
    written = inspect.unwrap(thing)
    name = getattr(written, "__name__", type(thing).__name__)
    if isinstance(written, type):
        return Source(_class_text(written), _postpones(written))
    if not isinstance(written, FunctionType):
        kind = type(thing).__name__
        raise ExportError(f"{name} is a {kind}, which has no source: write it as a function")
    if written.__name__ == "<lambda>":
        message = "a lambda has no source of its own: write it as a function, with def and a name"
        raise ExportError(f"{message} ({_place(written)})")
    if written.__code__.co_freevars:
        used = ", ".join(written.__code__.co_freevars)
        message = f"{name} uses {used} of the function that it was written in"
        raise ExportError(f"{message}: give it as an argument, and write {name} outside")
    try:
        text = inspect.getsource(written)
    except (OSError, TypeError) as error:
        message = f"the source of {name} is not to be found: run the cell that defines it again"
        raise ExportError(message) from error
    flag = bool(written.__code__.co_flags & _ANNOTATIONS)
    return Source(_defined(text, name), postpones_annotations=flag)


def _defined(text: str, name: str) -> str:
    """The text, checked to be one definition and nothing else."""
    text = textwrap.dedent(text).rstrip()
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        message = f"the source of {name} does not stand by itself: write it at the margin of a cell"
        raise ExportError(message) from error
    if len(body) != 1 or not isinstance(body[0], Definition):
        raise ExportError(f"{name} is no definition of its own: write it as a function, with def")
    return text


def _class_text(kind: type) -> str:
    try:
        return _defined(inspect.getsource(kind), kind.__name__)
    except (OSError, TypeError):
        pass  # Python looks for a class in its module's file, and a notebook has none
    found = [text for text in _cells() if f"class {kind.__name__}" in text]
    for text in reversed(found):
        for node in _body(text):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                return _segment(text, node)
    message = f"the source of class {kind.__name__} is not to be found"
    raise ExportError(f"{message}: run the cell that defines it again, at the cell's margin")


def _cells() -> Iterator[str]:
    """Texts that were run and are no files: the cells of a notebook, the oldest first."""
    for entry in list(linecache.cache.values()):
        if len(entry) == 4 and entry[1] is None:
            yield "".join(entry[2])


def _body(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except SyntaxError:
        return []


def _segment(text: str, node: ast.ClassDef) -> str:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _postpones(kind: type) -> bool:
    codes = (getattr(part, "__code__", None) for part in vars(kind).values())
    return any(code is not None and code.co_flags & _ANNOTATIONS for code in codes)


def _place(function: FunctionType) -> str:
    return f"line {function.__code__.co_firstlineno} of its cell or file"


def _meaning(expression: ast.expr, space: Mapping[str, Any]) -> Any:
    if isinstance(expression, ast.Name):
        return space.get(expression.id)
    if isinstance(expression, ast.Attribute):
        return getattr(_meaning(expression.value, space), expression.attr, None)
    return None
