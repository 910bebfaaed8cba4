"""What a cell reads and defines: a table; and its code as a function."""

from __future__ import annotations

import ast
import pickle
import sys
from typing import Any

import pytest

from wfnb.cell_names import names_of
from wfnb.cell_sources import Captured, Notebook, Sources, function_of, sources_of
from wfnb.cells import Source, Wish, read_cell
from wfnb.codec import dump_function, load_function
from wfnb.errors import CellError
from wfnb.fingerprint import fingerprint

# Source, what it reads, what it hands on; builtins are left out of the reads here.
CASES = {
    "assignment": ("x = 1\ny = x", "", "x y"),
    "read_then_written": ("y = x\nx = 1", "x", "y x"),
    "augmented": ("x += 1", "x", "x"),
    "augmented_own": ("x = 0\nx += k", "k", "x"),
    "augmented_attribute": ("m.rate += 1", "m", "m"),
    "augmented_element": ("d['k'] += v", "d v", "d"),
    "annotated": ("x: Kind = v", "v Kind", "x"),
    "annotated_without_value": ("x: int", "", ""),
    "annotations_postponed": ("from __future__ import annotations\nx: Kind = 1", "", "x"),
    "several_targets": ("a = b = c", "c", "a b"),
    "unpacked": ("a, (b, c) = t", "t", "a b c"),
    "starred": ("a, *b = t", "t", "a b"),
    "unpacked_into_elements": ("a, d['k'] = t", "t d", "a d"),
    "walrus": ("(n := f(x)) + n", "f x", "n"),
    "walrus_in_comprehension": ("[last := v for v in vs]\nw = last", "vs", "last w"),
    "deleted": ("del x", "x", ""),
    "defined_and_deleted": ("x = 1\ndel x", "", ""),
    "deleted_and_defined": ("x = 1\ndel x\nx = 2", "", "x"),
    "deleted_element": ("del d['k']", "d", "d"),
    "deleted_attribute": ("del m.a", "m", "m"),
    "attribute_written": ("m.a = 1", "m", "m"),
    "element_written": ("d['k'] = v", "v d", "d"),
    "deep_write": ("m.a[0].b = 1", "m", "m"),
    "write_behind_a_method": ("df.loc[0, 'a'] = 1", "df", "df"),
    "write_to_own": ("d = {}\nd['k'] = 1", "", "d"),
    "write_to_a_loop_variable": ("for row in rows:\n    row['a'] = 1", "rows", "rows"),
    "comprehension": ("y = [i * k for i in xs if i > low]", "xs low k", "y"),
    "comprehension_hides": ("y = [x for x in range(3)]", "", "y"),
    "nested_comprehension": ("y = [b for a in t for b in a]", "t", "y"),
    "dict_comprehension": ("y = {k: v + o for k, v in d.items()}", "d o", "y"),
    "generator": ("y = sum(v for v in vs)\ndel vs", "vs", "y"),
    "own_in_comprehension_then_deleted": ("v = [1]\ny = [a for a in v]\ndel v", "", "y"),
    "lambda": ("f = lambda a, b=d: a + b + g", "d g", "f"),
    "function": ("def f(a, b=d):\n    return a + b + g(a)", "d g", "f"),
    "function_reads_what_follows": ("def f():\n    return g()\ndef g():\n    return 1", "", "f g"),
    "recursive_function": ("def f(n):\n    return f(n - 1)", "", "f"),
    "nested_functions": ("def f():\n    v = 1\n    def g():\n        return v + w", "w", "f"),
    "function_local": ("def f():\n    x = 1\n    return x", "", "f"),
    "decorated": ("@cached(size)\ndef f(): pass", "cached size", "f"),
    "annotated_function": ("def f(a: A, *b: B, c: C = 1) -> D: pass", "A C B D", "f"),
    "async_function": ("async def f():\n    await g()", "g", "f"),
    "global_in_function": ("n = 0\ndef f():\n    global n\n    n += 1", "", "n f"),
    "global_from_elsewhere": ("def f():\n    global n\n    n += 1", "n", "f n"),
    "global_read_below": (
        "def main():\n    global cfg\n    cfg = load()\nmain()\ny = cfg",
        "cfg load",
        "main y cfg",
    ),
    "nonlocal": ("def f():\n    v = 1\n    def g():\n        nonlocal v\n        v = o", "o", "f"),
    "class": ("class A(B, meta=M):\n    z = q\n    w = z", "B M q", "A"),
    "method": ("class A:\n    def m(self):\n        return A, k", "k", "A"),
    "class_of_the_same_name": ("class A:\n    x = x", "x", "A"),
    "import": ("import numpy as np, os.path\ny = np.pi", "", "y"),
    "import_from": ("from m import a as b, c\ny = b + c", "", "y"),
    "import_used_in_function": ("import m\ndef f(): return m.x", "", "f"),
    "import_in_try": ("try:\n    import a\nexcept ImportError:\n    a = None", "", "a"),
    "if": ("if c:\n    x = 1\nelse:\n    x = 2\ny = x", "c", "x y"),
    "if_only": ("if c:\n    x = 1\ny = x", "c x", "x y"),
    "if_that_leaves": ("if c:\n    raise E\nelse:\n    x = 1\ny = x", "c E", "x y"),
    "conditional": ("x = a if c else b", "c a b", "x"),
    "for": ("for i in xs:\n    last = i", "xs", "last"),
    "for_else": ("for i in xs: pass\nelse:\n    z = 1\ny = i", "xs", "z y"),
    "loop_variable_also_bound": ("i = 0\nfor i in xs: pass", "xs", "i"),
    "while": ("while x < 9:\n    x = x + k", "x k", "x"),
    "with": ("with open(p) as f:\n    t = f.read()", "p", "t"),
    "with_several": ("with a() as x, b(x): pass", "a b", ""),
    "try": ("try:\n    y = f()\nexcept E as e:\n    print(e)\nz = y", "f E", "y z"),
    "except_defines": ("try:\n    f()\nexcept E:\n    told = g\nh", "f E g h", ""),
    "finally": ("try:\n    f()\nfinally:\n    z = g", "f g", "z"),
    "name_error_expected": ("try:\n    old\nexcept NameError:\n    old = 1", "old", "old"),
    "match": ("match s:\n    case {'k': v}: y = v\n    case P(a=1): y = 2", "s P y", "y"),
    "match_complete": ("match s:\n    case 1: y = a\n    case _: y = b", "s a b", "y"),
    "f_string": ("t = f'{x!r:>{w}} {y=}'", "x w y", "t"),
    "slices": ("y = x[a:b, ::c]", "x a b c", "y"),
    "call": ("y = f(*a, k=b, **c)", "f a b c", "y"),
    "private": ("_p = q\ny = _p", "q", "y"),
    "assert": ("assert ok, text", "ok text", ""),
    "docstring": ('"""What it does."""\nx = 1', "", "x"),
    "names_of_python": ("x = __name__", "__name__", "x"),
    "method_called": ("model.fit(X)", "model X", ""),
    "builtins_hidden": ("list = 3\ny = list", "", "list y"),
}
if sys.version_info >= (3, 12):
    CASES["type_parameters"] = ("def f[T](a: T) -> list[T]: return k", "k", "f")
    CASES["type_alias"] = ("type Pair[T] = tuple[T, K]", "K", "Pair")


def read(code: str) -> Any:
    return names_of(ast.parse(code), code)


@pytest.mark.parametrize("case", CASES)
def test_what_a_cell_reads_and_defines(case: str) -> None:
    code, reads, defines = CASES[case]
    builtins = vars(__import__("builtins"))
    found = read(code)
    assert [name for name in found.reads if name not in builtins or name == "__name__"] == (
        reads.split()
    )
    assert {*found.outputs, *found.changes} == set(defines.split())


@pytest.mark.parametrize(
    ("code", "optional"),
    [
        ("if c:\n    x = 1\ny = x", {"x"}),
        ("y = x\nx = 1", set()),
        ("def f():\n    global n\n    n += 1", {"n"}),
        ("def main():\n    global c\n    c = 1\nmain()\ny = c", {"c"}),
        ("try:\n    old\nexcept NameError:\n    old = 1", {"old"}),
        ("def f():\n    return late\nif c:\n    late = 1", {"late"}),
    ],
)
def test_what_may_be_missing(code: str, optional: set[str]) -> None:
    assert read(code).optional - {"NameError"} == optional


def test_what_only_some_paths_define_is_known() -> None:
    assert read("if c:\n    x = 1\nz = 1").uncertain == {"x"}


def test_lines_are_those_where_a_name_is_first_met() -> None:
    found = read("a = 1\n\nb = c\ndef f():\n    return d")
    assert (found.reads, found.defines) == ({"c": 3, "d": 5}, {"a": 1, "b": 3, "f": 4})


def test_a_method_that_tends_to_change_what_it_is_called_on_is_known() -> None:
    assert read(
        "rows.append(1)\ndf.drop(0, inplace=True)\ndf2.head()\nown = []\nown.sort()"
    ).calls == {
        "rows": "append",
        "df": "drop",
    }


def made(code: str, *, travels: bool = True, **names: Any) -> Any:
    """The cell's function, as another process gets it, and what it is called with."""
    read = read_cell(Source(text=code), Wish())
    sources = sources_of(read, Notebook(names, {}, {}))
    outputs = tuple(dict.fromkeys((*read.names.outputs, *read.names.changes)))
    function = function_of(read, "cell", sources, outputs=outputs)
    values = [source.value for source in sources.data.values() if isinstance(source, Captured)]
    return (load_function(dump_function(function)) if travels else function), values


def run(code: str, **names: Any) -> Any:
    function, values = made(code, **names)
    return function(*values)


def helper(n: int) -> int:
    return 2 * n


def test_none_one_or_several_outputs() -> None:
    assert run("print") is None
    assert run("x = 3") == 3
    assert run("x, y = 3, 4") == {"x": 3, "y": 4}


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("def f(n):\n    return n * f(n - 1) if n else 1\nx = f(4)\ndel f", 24),
        ("class A:\n    def m(self): return A\nx = isinstance(A().m()(), A)\ndel A", True),
        ("def f():\n    global n\n    n += 1\nn = 0\nf(); f()\ndel f", 2),
        ("def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n and even(n - 1)\n"
         "x = even(10)\ndel even, odd", True),
        ("from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\n"
         "x = P(3).a\ndel P", 3),
        ("import functools\n@functools.cache\ndef f(n): return n + k\nx = f(1)\ndel f", 8),
        ("k = 2\nx = [k * i for i in range(3)]\ndel k", [0, 2, 4]),
        ("def f():\n    n = 1\n    def g():\n        nonlocal n\n        n += 1\n        return n\n"
         "    return g\nx = f()()\ndel f", 2),
        ("def main():\n    global x\n    x = k\nmain()\nx = x + 1\ndel main", 8),
        ("x = (lambda a: helper(a) + k)(1)", 9),
        ("x = eval('k + 1')", None),
        ("from __future__ import annotations\ndef f(a: Nowhere): return 1\nx = f(1)\ndel f", 1),
        ("x = __name__", "__main__"),
    ],
)  # fmt: skip
def test_code_means_what_it_means_in_a_notebook(code: str, value: Any) -> None:
    if value is None:
        with pytest.raises(NameError):  # text is not read: name it with --in
            run(code, k=7)
    else:
        assert run(code, k=7, helper=helper) == value


def test_what_is_not_defined_after_all_is_told_with_its_line() -> None:
    with pytest.raises(CellError, match="cell, line 3: the cell has ended without a value for `x`"):
        run("k\nif k > 9:\n    x = 1", k=7)


def test_a_second_call_begins_anew() -> None:
    function, values = made("x = [1]\ndef f():\n    global x\n    x = x + [2]\nf()\ndel f")
    assert function(*values) == function(*values) == [1, 2]


def test_functions_and_classes_of_a_cell_travel_on() -> None:
    made_there = run(
        "k = 3\ndef f(n): return g(n) + k\ndef g(n): return 2 * n\nclass A:\n    b = f"
    )
    function = load_function(dump_function(made_there["f"]))
    assert function(1) == 5
    assert made_there["A"].b(1) == 5


def test_the_same_code_has_the_same_fingerprint_wherever_it_stands() -> None:
    first, _ = made("x = helper(1)", helper=helper)
    again, _ = made("\n# moved\nx = helper(1)", helper=helper)
    other, _ = made("x = helper(2)", helper=helper)
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)
    assert fingerprint(made("x = f(1)", f=lambda n: n)[0]) != fingerprint(
        made("x = f(1)", f=lambda n: -n)[0]
    )


def test_code_travels_with_the_code_and_data_as_arguments() -> None:
    function, values = made(
        "x = json.dumps(helper(n)), Path", json=pickle, helper=helper, n=3, Path=int
    )
    assert (function.inputs, values) == (("n",), [3])
    assert {"json", "helper", "Path"} <= set(function.body.__globals__)


def test_data_alone_is_left_out_by_in() -> None:
    read = read_cell(Source(text="y = helper(n) + m"), Wish(inputs=("n",)))
    sources: Sources = sources_of(read, Notebook({"helper": helper, "n": 1, "m": 2}, {}, {}))
    assert list(sources.data) == ["n"]
    assert list(sources.uses) == ["helper"]


def test_a_name_that_is_nearly_known_is_offered() -> None:
    read = read_cell(Source(text="y = lenght"), Wish(name="a"))
    with pytest.raises(CellError, match=r"a, line 1: .*did you mean `length`"):
        sources_of(read, Notebook({"length": 3}, {}, {}))


def test_all_missing_names_are_told_at_once() -> None:
    read = read_cell(Source(text="y = p\nz = q"), Wish(name="a"))
    with pytest.raises(CellError, match="a, line 1: nothing defines `p`, `q`"):
        sources_of(read, Notebook({}, {}, {}))


@pytest.mark.parametrize("code", ["x = '\0'", "(" * 5000 + ")" * 5000])
def test_what_python_cannot_even_parse_is_refused(code: str) -> None:
    with pytest.raises(CellError, match="cell"):
        read_cell(Source(text=code), Wish())
