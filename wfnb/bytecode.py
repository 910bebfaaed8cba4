"""What compiled code says, wherever it was compiled: no file, no lines."""

from __future__ import annotations

import dis
import functools
import marshal
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any


def atom(value: Any) -> bytes:
    """A plain constant; marshal 2 writes no references, which depend on reference counts."""
    return marshal.dumps(value, 2)


@functools.lru_cache(maxsize=4096)
def code_content(code: CodeType) -> bytes:
    """Bytecode, constants, names and arguments; no file, no lines."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    parts = [
        atom(
            (
                code.co_code,
                code.co_exceptiontable,
                code.co_names,
                code.co_varnames[:arguments],
                (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
                len(code.co_freevars),
                len(code.co_consts),
            )
        )
    ]
    # From Python 3.13 on, a class body stores the number of its first line.
    line = code.co_firstlineno if "__firstlineno__" in code.co_names else None
    parts += [
        _constant(constant) for constant in code.co_consts if line is None or constant != line
    ]
    return b"".join(parts)


@functools.lru_cache(maxsize=4096)
def local_names(code: CodeType) -> tuple[Any, ...]:
    """How it calls its variables, which `DataFrame.query("a > @limit")` and `locals()` look at."""
    own = (code.co_varnames, code.co_cellvars, code.co_freevars)
    return own, tuple([local_names(inner) for inner in _inner_codes(code)])


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement."""

    module: str
    names: tuple[str, ...]
    """What is taken from it."""
    level: int
    """The number of dots before it."""


@functools.lru_cache(maxsize=1024)
def imports_of(code: CodeType) -> tuple[Import, ...]:
    """What this code and the code nested in it import when they run."""
    return tuple(_imports_of(code))


def imports_by_value(code: CodeType) -> bool:
    """Whether it may import what no statement of it names."""
    if not {"import_module", "__import__"}.isdisjoint(code.co_names):
        return True
    return any(map(imports_by_value, _inner_codes(code)))


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """A piece of code and all that is nested in it."""
    yield code
    for inner in _inner_codes(code):
        yield from codes_in(inner)


def _inner_codes(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _imports_of(code: CodeType) -> Iterator[Import]:
    if code.co_names:
        before: list[dis.Instruction] = []
        for step in dis.get_instructions(code):
            if step.opname == "EXTENDED_ARG":
                continue
            if step.opname == "IMPORT_NAME":
                level, names = (one.argval for one in before[-2:])
                yield Import(str(step.argval), names or (), level if type(level) is int else 0)
            before.append(step)
    for inner in _inner_codes(code):
        yield from imports_of(inner)


def _constant(value: Any) -> bytes:
    if isinstance(value, CodeType):
        return b"code" + code_content(value)
    if isinstance(value, frozenset):
        return b"set" + atom(len(value)) + b"".join(sorted(_constant(element) for element in value))
    if isinstance(value, tuple):
        return b"tuple" + atom(len(value)) + b"".join(_constant(element) for element in value)
    return atom(value)
