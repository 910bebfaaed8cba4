from __future__ import annotations

import ast
import datetime
import enum
import fractions
import functools
import operator
import re
from collections import namedtuple
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

import wfnb
from tests.exported import Notebook
from wfnb.cells import Wish
from wfnb.errors import ExportError, GraphError
from wfnb.exports.code import flat, laid_out
from wfnb.exports.python import text_of
from wfnb.exports.values import Writing
from wfnb.language import task
from wfnb.tasks import Options

Point = namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1


@dataclass
class Row:
    name: str
    size: int = 0


@task
def merge(parts):
    return parts


@pytest.fixture
def notebook():
    notebook = Notebook()
    yield notebook
    notebook.close()


SCRIPT = '''\
"""Workflow of 6 tasks, written by wfnb VERSION. Run it with Python."""

import math
from collections import Counter as Tally

import wfnb
from wfnb import task

SCALE = 3


def scaled(x):
    return x * SCALE


@task(retries=2)
def count(path, scale=SCALE):
    # as long as its name
    return math.floor(len(path) * scaled(scale))


@task
def merge(rows, *, how="sum"):
    return how, dict(Tally(rows))


counts = [count(path) for path in ["a", "bb", "ccc"]]
last = count("dddd", scale=7)
merged = merge([*counts, last], how="max")
again = merge(counts)


if __name__ == "__main__":
    for result in wfnb.run([merged, again]):
        print(result)
'''


def test_a_notebook_becomes_a_script_that_reads_as_if_written_by_hand(notebook):
    notebook.cell("""
import math
import os
from collections import Counter as Tally
from wfnb import task

SCALE = 3
UNUSED = [1, 2, 3]

def scaled(x):
    return x * SCALE
""")
    notebook.cell("""
@task(retries=2)
def count(path, scale=SCALE):
    # as long as its name
    return math.floor(len(path) * scaled(scale))

@task
def merge(rows, *, how="sum"):
    return how, dict(Tally(rows))
""")
    notebook.cell("""
counts = [count(path) for path in ("a", "bb", "ccc")]
last = count("dddd", scale=7)
merged = merge([*counts, last], how="max")
again = merge(counts)
""")
    text = text_of(notebook.draft)
    assert text.replace(f"wfnb {version('wfnb')}", "wfnb VERSION") == SCRIPT


def test_maps_are_written_as_maps(notebook):
    notebook.cell("""
import wfnb
@wfnb.task
def words(n):
    return list("abc" * n)
@wfnb.task
def pair(a, b, *, sign="-"):
    return a + sign + b
found = words(2)
pairs = pair.map(found, words(1), sign="+", expected=3)
""")
    text = text_of(notebook.draft)
    assert 'pairs = pair.map(found, words_1, sign="+", expected=3)' in text
    assert text_of(notebook.draft.freeze()).count("pair.map(words_0, words_1, sign=") == 1


def test_a_chain_of_calls_is_no_comprehension(notebook):
    notebook.cell("""
from wfnb import task
@task
def step(x):
    return x + 1
last = step(step(step(step(1))))
""")
    text = text_of(notebook.draft)
    assert "step_0 = step(1)\nstep_1 = step(step_0)\n" in text
    assert "last = step(step_2)" in text


def test_many_long_arguments_get_a_list_of_their_own(notebook):
    notebook.cell("""
from wfnb import task
@task
def read(path, *, mode="fast"):
    return path
texts = [read(f"a/rather/long/path/to/file/{n}", mode="slow") for n in range(6)]
""")
    text = text_of(notebook.draft)
    assert 'paths = [\n    "a/rather/long/path/to/file/0",' in text
    assert 'texts = [read(path, mode="slow") for path in paths]' in text
    assert "wfnb.run(texts)" in text


def test_functions_that_other_modules_have_are_imported(notebook):
    notebook.cell("""
from operator import add
import xml.dom.minidom
import os.path as places
from wfnb import demo, task
from functools import cache

@cache
def known(x):
    return places.basename(x)

@task
def name(x):
    return known(x), xml.dom.minidom.parseString("<a/>").toxml()

total = task(add, name="total")(1, 2)
ranked = demo.count([])
named = name("a/b")
""")
    text = text_of(notebook.draft)
    ast.parse(text)
    for line in (
        "import xml.dom.minidom",
        "import posixpath as places",
        "from functools import cache",
        "from operator import add",
        "from wfnb.demo import count",
        'add_task = task(name="total")(add)',
        "total = add_task(1, 2)",
        "@cache\ndef known(x):",
    ):
        assert line in text, line
    assert "\nimport xml\n" not in text


def test_what_is_made_a_task_without_a_decorator_gets_one(notebook):
    notebook.cell("""
from wfnb import Resources, task
def plain(x):
    return x
inc = task(plain, name="increment", timeout=20, resources=Resources(cpus=2), duration="1m")
def same(x):
    return x
same = task(same, retries=1)
a = inc(same(1))
""")
    text = text_of(notebook.draft)
    (line,) = (line for line in text.splitlines() if line.startswith("inc = "))
    assert line.endswith("resources=Resources(cpus=2), duration=60.0)(plain)")
    assert "@task(retries=1)\ndef same(x):" in text


def test_classes_and_what_is_made_of_them_come_in_their_order(notebook):
    notebook.cell("""
from dataclasses import dataclass, field
from wfnb import task

@dataclass
class Row:
    name: str
    sizes: list = field(default_factory=list)

START = Row("start", [1])

@task
def grown(row: Row) -> Row:
    return Row(row.name, row.sizes + START.sizes)
a = grown(Row("x"))
""")
    text = text_of(notebook.draft)
    assert text.index("class Row") < text.index('START = Row(name="start", sizes=[1])')
    assert text.index("START = ") < text.index("def grown")
    assert 'a = grown(Row(name="x", sizes=[]))' in text


def test_cells_that_are_tasks_become_functions(notebook):
    notebook.cell("""
import math
limit = 3
def shout(x):
    return x.upper() * limit
""")
    notebook.task("import json\nrows = [shout('x')]  # loud\nn = len(rows) + limit\n", name="read")
    notebook.task("total = n + math.floor(1.5)\n", options=Options(retries=2))
    notebook.task('both = json.dumps([rows, total])\ntext = """a\n  b"""\n', outputs=("both",))
    text = text_of(notebook.draft)
    assert "def read(limit):\n    import json\n    rows = [shout('x')]  # loud\n" in text
    assert '    return {"rows": rows, "n": n}\n' in text
    assert '@task(name="total", retries=2)\ndef make_total(n):\n' in text
    assert 'total = make_total(read_0["n"])' in text
    assert "text = 'a\\n  b'" in text
    assert "import json\n" in text.split("import wfnb")[0]
    with pytest.raises(ExportError, match="in the notebook's draft: export the draft"):
        text_of(notebook.draft.freeze())
    assert text_of(notebook.draft.tasks[-1], notebook.draft) == text
    text = text_of(notebook.names["n"], notebook.draft)
    assert 'print(wfnb.run(read_0["n"]))' in text


@pytest.mark.parametrize("name", ["class", "None", "print", "task", "wfnb", "3d", "a-b.c"])
def test_a_cell_may_have_any_name(notebook, name):
    notebook.task("x = 1\n", name=name)
    notebook.task("wfnb = x\n", name="other")
    text = text_of(notebook.draft)
    script = {"__name__": "script"}
    exec(compile(text, "<script>", "exec"), script)
    assert script["x"].function.name == name
    assert script["wfnb"] is wfnb
    assert script.get("print", print) is print


def test_a_list_among_the_targets_is_named_whole(notebook):
    notebook.cell("""
from wfnb import task
@task
def one(x, y=0):
    return x
a = one(0, 1)
some = [one(x) for x in "abc"]
""")
    assert "for result in wfnb.run([a, *some]):" in text_of(notebook.draft)


def test_many_targets_have_a_line_each(notebook):
    for number in range(20):
        notebook.task(f"number_{number} = {number}\n")
    text = text_of(notebook.draft)
    assert "    for result in wfnb.run([\n" in text
    assert max(map(len, text.splitlines())) <= 88


@pytest.mark.parametrize(
    "code",
    [
        "sum = sum([1])",
        "class A:\n    limit = limit",
        "own = 1\nclass A:\n    other = own\n    own = 2",
    ],
)
def test_what_a_function_would_look_up_elsewhere_is_refused(notebook, code):
    notebook.cell("limit = 3")
    notebook.task(code, name="a")
    with pytest.raises(ExportError, match=r"the cell a uses (sum|limit|own) from outside and then"):
        text_of(notebook.draft)


def test_what_a_class_reads_of_itself_is_no_concern(notebook):
    notebook.task("n = 1\nclass A:\n    n = 5\n    m = n * 2\nr = A.m\n", outputs=("r",))
    assert "m = n * 2" in text_of(notebook.draft)


def test_a_graph_is_written_as_the_calls_it_was_made_from(notebook):
    notebook.cell("""
from wfnb import task
@task
def one(x=1):
    return x
@task
def two(a, b):
    return a + b
total = two(one(), one(x=2))
""")
    text = text_of(notebook.draft.freeze())
    assert "one_0 = one()\none_1 = one(x=2)\ntwo_0 = two(one_0, one_1)\n" in text


REFUSED = {
    "live data": (
        "table = object()\n@task\ndef f():\n    return table\na = f()",
        r"f uses table: table is an object, which a script cannot hold: make it in a function",
    ),
    "live data of a helper": (
        "table = iter([])\ndef g():\n    return table\n@task\ndef f():\n    return g()\na = f()",
        r"f uses g: g uses table: table is a list_iterator",
    ),
    "too much data": (
        "table = list(range(10_000))\n@task\ndef f():\n    return table\na = f()",
        r"table is a list of more than 10,000 characters",
    ),
    "an argument": (
        "@task\ndef f(x):\n    return x\na = f(x=object())",
        r"an argument of x of f is an object.*make it in a task of its own",
    ),
    "a lambda": (
        "f = task(lambda x: x)\na = f(1)",
        r"a lambda has no source .* with def and a name",
    ),
    "a closure": (
        "def outer(n):\n    @task\n    def f():\n        return n\n    return f\na = outer(3)()",
        r"f uses n of the function that it was written in: give it as an argument",
    ),
    "what was written anew": (
        "@task\ndef f():\n    return 1\na = f()\n@task\ndef f():\n    return 2",
        r"f was defined anew since it was called: run the cells that call it again",
    ),
    "an object's method": (
        "class C:\n    def m(self):\n        return 1\nf = task(C().m)\na = f()",
        r"m is a method, which a script cannot hold: write it as a function, with def",
    ),
    "a wrapper without a decorator": (
        "import functools\ndef g(x):\n    return x\nh = functools.cache(g)\n"
        "@task\ndef f():\n    return h(1)\na = f()",
        r"f uses h: h is made by a call: write it with a decorator",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_no_script_can_hold_is_refused_by_name_with_the_remedy(notebook, text, message):
    notebook.cell("from wfnb import task\n" + text)
    with pytest.raises(ExportError, match=message):
        text_of(notebook.draft)


def test_cells_that_mean_something_else_in_a_function_are_refused(notebook):
    notebook.task("n = 1\ndef f():\n    global n\n    n = 2\nf()\n", name="sets")
    with pytest.raises(ExportError, match=r"the cell sets, line 3, has `global n`.* with @task"):
        text_of(notebook.draft)


def test_a_cell_that_is_run_again_as_it_was_is_no_other(notebook):
    cell = "from wfnb import task\n@task\ndef f():\n    return 1\n"
    notebook.cell(cell)
    notebook.cell("a = f()")
    notebook.cell(cell)
    assert text_of(notebook.draft).count("def f()") == 1


def test_postponed_annotations_stay_postponed(notebook):
    notebook.cell(
        "from __future__ import annotations\nfrom wfnb import task\n"
        "@task\ndef f(x: Unknown = 1) -> None:\n    return x\na = f()"
    )
    assert "\nfrom __future__ import annotations\n" in text_of(notebook.draft)


def test_a_draft_without_tasks_is_told():
    with pytest.raises(GraphError, match="holds no task"):
        text_of(Notebook().draft)


VALUES = [
    None,
    -3,
    1.5,
    1e300,
    2 + 3j,
    "it's",
    'say "hi"',
    "'\"\\\n\t\u202e",
    b"\0x",
    [],
    (),
    (1,),
    {},
    set(),
    {3, 1, 2},
    frozenset({1}),
    {"a": [1, (2, {3: None})]},
    list(range(200)),
    Path("a/b"),
    fractions.Fraction(1, 3),
    datetime.date(2020, 2, 29),
    datetime.datetime(2020, 2, 29, 1, 2, 3, 4),  # noqa: DTZ001
    datetime.timedelta(days=-1, seconds=5),
    range(1, 9, 2),
    Colour.RED,
    Point(1, Path("x")),
    Row("a"),
    Row("a", 5),
    operator.add,
    len,
    Wish,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{value!r:.30}")
def test_a_value_is_written_as_an_expression_that_gives_it_again(value):
    known = {}

    def reference(thing):
        known[thing.__name__] = thing
        return thing.__name__

    for indent in ("", " " * 80):
        text = laid_out(Writing(reference).of(value), before="x = ", indent=indent)
        names = dict(known)
        exec("if True:\n" + text if indent else text, names)
        assert names["x"] == value
        assert type(names["x"]) is type(value)


def test_what_has_no_literal_is_called_for():
    writing = Writing(lambda thing: thing.__name__)
    assert writing.of(float("nan")) == 'float("nan")'
    assert writing.of(float("-inf")) == 'float("-inf")'
    assert flat(writing.of(functools.partial(max, 1, key=len))) == "partial(max, 1, key=len)"
    assert flat(writing.of(re.compile("a.", re.IGNORECASE))) == 'compile("a.", 2)'


@pytest.mark.parametrize("value", [object(), iter([]), (n for n in ()), [object()]])
def test_a_value_without_an_expression_is_refused(value):
    with pytest.raises(ExportError):
        Writing(str).of(value)


def test_a_list_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(ExportError, match="holds itself"):
        Writing(str).of(endless)
