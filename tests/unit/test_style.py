"""The habits that no linter checks; limits and exceptions stand in pyproject, [tool.wfnb.style]."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STYLE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["wfnb"]["style"]
EXCEPTIONS = STYLE["exceptions"]
PRODUCT = ("wfnb", "widgets", "workers")
EVERYTHING = (*PRODUCT, "benchmarks", "tests")

EMPTY_MODULE = re.compile(r"_?(utils?|commons?|helpers?|misc|base)")
EMPTY_CLASS = re.compile(
    r"_?Abstract\w*|\w*(Manager|Handler|Provider|Processor|Helper|Utils?|Impl|Mixin)"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(folders: tuple[str, ...] = PRODUCT) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def definitions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.ClassDef | Function):
            yield prefix + child.name, child
            inner = f"{prefix}{child.name}."
        yield from definitions(child, inner)


def named(kind: type | object, folders: tuple[str, ...] = PRODUCT) -> Iterator[tuple[str, ast.AST]]:
    for path in modules(folders):
        for name, node in definitions(tree_of(path)):
            if isinstance(node, kind):
                yield f"{name_of(path)}::{name}", node


def lines_of(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def too_long(lengths: dict[str, int], limit: int) -> list[str]:
    allowed = {name: EXCEPTIONS.get(name, limit) for name in lengths}
    return [f"{name}: {n} lines" for name, n in lengths.items() if n > allowed[name]]


def module_lengths(folder_pattern: str = "*.py") -> dict[str, int]:
    paths = (p for folder in PRODUCT for p in (ROOT / folder).rglob(folder_pattern))
    return {name_of(path): len(path.read_text().splitlines()) for path in paths}


def function_lengths() -> dict[str, int]:
    return {name: lines_of(node) for name, node in named(Function)}


def test_no_module_is_too_long():
    assert too_long(module_lengths(), STYLE["longest_module_lines"]) == []


def test_no_function_is_too_long():
    assert too_long(function_lengths(), STYLE["longest_function_lines"]) == []


def test_no_script_of_the_store_is_too_long():
    assert too_long(module_lengths("*.lua"), STYLE["longest_lua_lines"]) == []


def test_no_exception_is_larger_than_it_needs_to_be():
    lengths = module_lengths() | module_lengths("*.lua") | function_lengths()
    assert {name: lengths.get(name) for name in EXCEPTIONS} == EXCEPTIONS


def test_no_module_or_folder_has_an_empty_name():
    names = {part for path in modules(EVERYTHING) for part in path.relative_to(ROOT).parts}
    assert [name for name in names if EMPTY_MODULE.fullmatch(name.removesuffix(".py"))] == []


def test_no_class_has_an_empty_name():
    classes = [name for name, _ in named(ast.ClassDef, EVERYTHING)]
    assert [name for name in classes if EMPTY_CLASS.fullmatch(re.split("[.:]", name)[-1])] == []


def test_no_protocol_has_more_than_seven_methods():
    sizes = {
        name: sum(isinstance(member, Function) for member in node.body)
        for name, node in named(ast.ClassDef)
        if any("Protocol" in ast.unparse(base) for base in node.bases)
    }
    assert {n: s for n, s in sizes.items() if s > STYLE["most_protocol_methods"]} == {}


@pytest.mark.parametrize("name", ["TaskManager", "AbstractStore", "_StoreImpl", "NodeMixin"])
def test_the_check_of_names_sees_an_empty_one(name):
    assert EMPTY_CLASS.fullmatch(name)


def test_the_checks_look_at_every_part_of_the_product():
    seen = {name_of(path).split("/")[0] for path in modules()}
    assert seen == set(PRODUCT)
