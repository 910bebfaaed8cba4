"""Tasks whose values are the same for certain, and tasks whose values may not be."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import functools
import io
import os
import pathlib
import re
import sys
import textwrap
import threading
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wfnb import codec, modules
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.language import task
from wfnb.maps import SKIP
from wfnb.needs import needs, options_of
from wfnb.provenance import fingerprints
from wfnb.signing import Signer
from wfnb.storage.constants import load_constant
from wfnb.storage.graphs import dump_graph, load_graph, loaded

SIGNER = Signer(bytes(32))
Build = Callable[[], Any]


def one(value: Any, **options: Any) -> str | None:
    """The fingerprint of a task that is given this value."""
    return of(freeze([task(take, **options)(value)]))


#: As of a cell: functions of this file would count with all that it imports.
CELL: dict[str, Any] = {"__name__": "__main__"}
exec("def take(value, other=None): return value, other", CELL)
take = CELL["take"]


def of(graph: Graph) -> str | None:
    return fingerprints(graph)[-1]


def code(source: str, file: str = "<cell>", **given: Any) -> str | None:
    """The fingerprint of a task that calls `f` of this cell."""
    namespace: dict[str, Any] = {"__name__": "__main__", **given}
    exec(compile(textwrap.dedent(source), file, "exec", dont_inherit=True), namespace)
    return of(freeze([task(namespace["f"])()]))


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


@dataclass
class Box:
    size: int = 1
    contents: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


Pair = collections.namedtuple("Pair", "a b")


class Plain:
    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


class Closed:
    def __reduce__(self) -> Any:
        raise TypeError("no")


def drawn(generator: Any, times: int = 1) -> Any:
    generator.random(times) if hasattr(generator, "bit_generator") else generator.rand(times)
    return generator


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None], "c": [0.5, 1.5, 2.5], **columns})


WRAPPER = """
import functools
class W:
    def __init__(self, wrapped, n):
        functools.update_wrapper(self, wrapped)
        self.n = n
    def __call__(self):
        return self.__wrapped__() * self.n
"""

SAME_CODE = {
    "comments and blank lines": (
        "def f(): return 1 + k()\ndef k(): return 2",
        "# a comment\n\n\ndef f():\n    # another\n    return 1 + k()\n\n\ndef k():\n    return 2",
    ),
    "other spaces": ("def f(): return [1,2]", "def f( ) :  return [ 1, 2 ]"),
    "annotations of a function": ("def f(a: int = 1) -> int: return a", "def f(a=1): return a"),
    "a global not used": ("k = 1\ndef f(): return 1", "k = 2\ndef f(): return 1"),
    "a comment in a class": (
        "class C:\n    n = 1\ndef f(): return C().n",
        "class C:\n    # one\n    n = 1\ndef f(): return C().n",
    ),
    "a set built otherwise": (
        "s = {'a', 'b', 'c'}\ndef f(): return s",
        "s = {'c', 'b'} | {'a'}\ndef f(): return s",
    ),
}

OTHER_CODE = {
    "a constant": ("def f(): return 1", "def f(): return 2"),
    "a constant's type": ("def f(): return 1", "def f(): return 1.0"),
    "a default": ("def f(a=1): return a", "def f(a=2): return a"),
    "a helper": (
        "def g(): return 1\ndef f(): return g()",
        "def g(): return 2\ndef f(): return g()",
    ),
    "a helper's global": (
        "k = 1\ndef g(): return k\ndef f(): return g()",
        "k = 2\ndef g(): return k\ndef f(): return g()",
    ),
    "a helper's default": (
        "def g(a=[1]): return a\ndef f(): return g()",
        "def g(a=[2]): return a\ndef f(): return g()",
    ),
    "a helper's name, which results may show": (
        "def g(): return 1\nh = g\ndef f(): return h.__name__",
        "def k(): return 1\nh = k\ndef f(): return h.__name__",
    ),
    "an attribute of a function": (
        "def g(): return g.n\ng.n = 1\ndef f(): return g()",
        "def g(): return g.n\ng.n = 2\ndef f(): return g()",
    ),
    "a closure": (
        "def m(n):\n    def f(): return n\n    return f\nf = m(1)",
        "def m(n):\n    def f(): return n\n    return f\nf = m([1])",
    ),
    "names of variables, which a query may look up": (
        "def f(d=1):\n    a = 1\n    b = 2\n    return d.query('x > @a')",
        "def f(d=1):\n    b = 1\n    a = 2\n    return d.query('x > @a')",
    ),
    "an inner function": ("def f(): return (lambda: 1)()", "def f(): return (lambda: 2)()"),
    "a class annotation": (
        "class C:\n    n: int\ndef f(): return C.__annotations__",
        "class C:\n    m: int\ndef f(): return C.__annotations__",
    ),
    "a method": (
        "class C:\n    def m(self): return 1\ndef f(): return C().m()",
        "class C:\n    def m(self): return 2\ndef f(): return C().m()",
    ),
    "a task function it calls": (
        "from wfnb import task\n@task\ndef g(): return 1\ndef f(): return g()",
        "from wfnb import task\n@task\ndef g(): return 2\ndef f(): return g()",
    ),
    "a wrapper with state of its own": (
        f"{WRAPPER}f = W(lambda: 1, 2)",
        f"{WRAPPER}f = W(lambda: 1, 3)",
    ),
    "a partial": (
        "import functools\nf = functools.partial(int, '11', base=2)",
        "import functools\nf = functools.partial(int, '11', base=3)",
    ),
    "which of two equal lists": (
        "a = [1]\nb = a\ndef f(): a.append(2); return b",
        "a = [1]\nb = [1]\ndef f(): a.append(2); return b",
    ),
    "an element of a set": (
        "import enum\nclass E(enum.Enum):\n    A = 1\ns = {E.A}\ndef f(): return s",
        "import enum\nclass E(enum.Enum):\n    A = 2\ns = {E.A}\ndef f(): return s",
    ),
}


@pytest.mark.parametrize(("first", "second"), SAME_CODE.values(), ids=SAME_CODE)
def test_code_that_says_the_same_has_one_fingerprint(first, second):
    assert code(first) == code(second, file="another.py") is not None


@pytest.mark.parametrize(("first", "second"), OTHER_CODE.values(), ids=OTHER_CODE)
def test_code_that_may_do_something_else_has_another(first, second):
    assert None not in (code(first), code(second))
    assert code(first) != code(second)
    assert code(first) == code(first)


def test_that_a_helper_is_a_task_does_not_matter_to_how_often_it_is_tried():
    source = "from wfnb import task\n@task{}\ndef g(): return 1\ndef f(): return g()"
    assert code(source.format("")) == code(source.format("(retries=3)"))


#: Each is made twice, and must be the same; no two of them may be.
VALUES: dict[str, Build] = {
    "None": lambda: None,
    "an int": lambda: 1,
    "a bool": lambda: True,
    "a float": lambda: 1.0,
    "a negative zero": lambda: -0.0,
    "a zero": lambda: 0.0,
    "not a number": lambda: float("nan"),
    "a complex": lambda: 1j,
    "a text": lambda: "1",
    "bytes": lambda: b"1",
    "a long text": lambda: "1" * 100_000,
    "a bytearray": lambda: bytearray(b"1"),
    "a list": lambda: [1, 2],
    "a tuple": lambda: (1, 2),
    "a set": lambda: {1, 2},
    "a set of texts": lambda: {str(n) for n in range(100)},
    "a frozenset": lambda: frozenset((1, 2)),
    "a dict": lambda: {"a": 1, "b": 2},
    "a dict in another order": lambda: {"b": 2, "a": 1},
    "nested": lambda: {"a": [1, (2, {"b": {3}})]},
    "one list twice": lambda: [[1]] * 2,
    "two lists": lambda: [[1], [1]],
    "a range": lambda: range(5),
    "a slice": lambda: slice(1, 5),
    "a defaultdict": lambda: collections.defaultdict(list, a=[1]),
    "a Counter": lambda: collections.Counter("aab"),
    "an OrderedDict": lambda: collections.OrderedDict(a=1),
    "a deque": lambda: collections.deque([1, 2], maxlen=3),
    "a namespace": lambda: SimpleNamespace(a=1),
    "a date": lambda: datetime.date(2026, 1, 2),
    "a datetime": lambda: datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC),
    "a datetime of a zone": lambda: datetime.datetime(
        2026, 1, 2, 3, tzinfo=zoneinfo.ZoneInfo("Europe/Vienna")
    ),
    "a timedelta": lambda: datetime.timedelta(seconds=1.5),
    "a Decimal": lambda: decimal.Decimal("1.10"),
    "another Decimal": lambda: decimal.Decimal("1.1"),
    "a Path": lambda: pathlib.Path("a/b"),
    "a PurePath": lambda: pathlib.PurePosixPath("a/b"),
    "a pattern": lambda: re.compile("a+"),
    "a pattern with flags": lambda: re.compile("a+", re.IGNORECASE),
    "an enumeration's member": lambda: Colour.RED,
    "another member": lambda: Colour.GREEN,
    "a set of members": lambda: {Colour.RED, Colour.GREEN},
    "a dataclass": lambda: Box(1, [2]),
    "a frozen dataclass": lambda: Point(1, 2),
    "a set of dataclasses": lambda: {Point(1), Point(2)},
    "a namedtuple": lambda: Pair(1, 2),
    "an object": lambda: Plain(a=1),
    "an object with more": lambda: Plain(a=1, b=None),
    "a class": lambda: Plain,
    "a function": lambda: take,
    "a lambda": lambda: lambda x: x + 1,
    "a partial": lambda: functools.partial(take, other=1),
    "a bound method": lambda: Point(1).__repr__,
    "a builtin": lambda: len,
    "a method of a type": lambda: str.upper,
    "a module": lambda: np,
    "a submodule": lambda: np.linalg,
    "a numpy function": lambda: np.sum,
    "a ufunc": lambda: np.add,
    "an exception": lambda: ValueError("a"),
    "an array": lambda: np.arange(6),
    "an array of another type": lambda: np.arange(6, dtype="i4"),
    "an array of another shape": lambda: np.arange(6).reshape(2, 3),
    "an array in another order": lambda: np.asfortranarray(np.arange(6).reshape(2, 3)),
    "an array with gaps": lambda: np.arange(12)[::2],
    "a big array": lambda: np.arange(100_000),
    "an array of objects": lambda: np.array([1, "a", None], dtype=object),
    "an array of records": lambda: np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "an array of dates": lambda: np.array(["2026-01-01"], dtype="datetime64[D]"),
    "a masked array": lambda: np.ma.array([1, 2], mask=[True, False]),
    "a scalar of numpy": lambda: np.float32(1.5),
    "a dtype": lambda: np.dtype("f4"),
    "a generator of numpy": lambda: np.random.default_rng(1),
    "a generator that was used": lambda: drawn(np.random.default_rng(1)),
    "a generator of another seed": lambda: np.random.default_rng(2),
    "a RandomState": lambda: np.random.RandomState(1),
    "a RandomState that was used": lambda: drawn(np.random.RandomState(1)),
    "a frame": frame,
    "a frame with another value": lambda: frame(c=[0.5, 1.5, 2.6]),
    "a frame with another index": lambda: frame().set_axis([1, 2, 4]),
    "a frame with categories": lambda: frame(d=pd.Categorical(["u", "v", "u"])),
    "a frame with dates": lambda: frame(d=pd.date_range("2026-01-01", periods=3, tz="UTC")),
    "a series": lambda: frame()["a"],
    "a series of another name": lambda: frame()["a"].rename("z"),
    "an index": lambda: pd.Index([1, 2]),
    "a timestamp": lambda: pd.Timestamp("2026-01-01"),
}


def test_equal_values_are_the_same_and_no_others():
    found = {name: one(build()) for name, build in VALUES.items()}
    assert [name for name, first in found.items() if first is None] == []
    assert found == {name: one(build()) for name, build in VALUES.items()}
    assert len(set(found.values())) == len(found)


#: After a journey it shares its mask no more: it is computed again for nothing.
UNLIKE_AFTER_TRAVEL = {"a masked array"}


@pytest.mark.parametrize("name", VALUES.keys() - UNLIKE_AFTER_TRAVEL)
def test_a_value_that_travelled_is_the_same(name):
    value = VALUES[name]()
    assert one(codec.decode(codec.encode(value))) == one(value)


def test_where_an_arrays_elements_lie_does_not_matter():
    strided, whole = np.arange(12)[::2], np.arange(0, 12, 2)
    assert one(strided) == one(whole)
    assert one(np.arange(6).reshape(2, 3)) != one(np.asfortranarray(np.arange(6).reshape(2, 3)))


WITHOUT: dict[str, Build] = {
    "a lock": threading.Lock,
    "a generator": lambda: (n for n in range(3)),
    "a file": lambda: io.TextIOWrapper(io.BytesIO()),
    "a thread": lambda: threading.Thread(target=len),
    "an object that refuses": Closed,
    "a lock inside": lambda: {"a": [1, threading.Lock()]},
    "a set of objects": lambda: {Plain()},
    "an object that holds a file": lambda: Plain(file=io.FileIO(os.devnull)),
    "a memoryview": lambda: memoryview(b"a"),
    "what is too deep": lambda: functools.reduce(lambda inner, _: [inner], range(100_000), []),
    "what is deep and the user's": lambda: functools.reduce(
        lambda inner, _: [inner], range(100), Plain()
    ),
}


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_what_has_no_stable_content_has_no_fingerprint(name):
    value = WITHOUT[name]()
    assert one(value) is None
    assert code("def f(): return v", v=value) is None


def test_plain_data_that_is_deep_is_written_down_otherwise():
    def deep(n: int) -> Any:
        return functools.reduce(lambda inner, _: [inner], range(100), n)

    assert one(deep(1)) == one(deep(1)) is not None
    assert one(deep(1)) != one(deep(2))


def test_a_file_named_in_deep_data_counts(tmp_path):
    def deep() -> Any:
        return functools.reduce(lambda inner, _: [inner], range(100), str(tmp_path / "a.csv"))

    first = one(deep())
    (tmp_path / "a.csv").write_text("")
    assert None not in (first, one(deep()))
    assert one(deep()) != first


def test_whether_two_arguments_are_one_object_matters():
    take_both = task(take)
    a, b = [1], [1]
    assert of(freeze([take_both(a, b)])) == of(freeze([take_both([1], [1])]))
    array = np.arange(3)
    one_array = of(freeze([take_both(array, array)]))
    assert one_array != of(freeze([take_both(array, array.copy())]))
    box = Plain()
    assert of(freeze([take_both(box, {"in": box})])) != of(
        freeze([take_both(box, {"in": Plain()})])
    )


def test_by_position_and_by_name_are_told_apart():
    take_both = task(take)
    found = {
        of(freeze([call]))
        for call in (take_both(1, 2), take_both(2, 1), take_both(1, other=2), take_both((1, 2)))
    }
    assert len(found) == 4


# Graphs


@task
def load(n: int) -> int:
    return n


@task
def add(*values: Any) -> Any:
    return sum(values)


@task
def scale(value: Any, by: int = 1) -> Any:
    return value * by


def test_inputs_count_by_where_they_come_from():
    assert of(freeze([add(load(1), load(2))])) == of(freeze([add(load(1), load(2))]))
    different = [
        add(load(1), load(2)),
        add(load(2), load(1)),
        add(load(1)),
        add(load(1), load(3)),
        add([load(1), load(2)]),
        add(scale(load(1)), load(2)),
        add(load(1), 2),
    ]
    assert len({of(freeze([target])) for target in different}) == len(different)


def test_what_else_is_in_the_graph_does_not_matter():
    alone = of(freeze([scale(load(1))]))
    graph = freeze([scale(load(1)), scale(load(7)), add(load(3))])
    assert fingerprints(graph)[graph.at(graph.targets[0])] == alone


def test_how_a_task_is_run_does_not_matter_but_what_it_requires_does():
    assert one(1) == one(1, retries=3, timeout=5, name="other", reuse=True, duration=3)
    assert one(1) != one(1, requirements=["six==1.16.0"])


def test_what_is_not_pure_and_what_depends_on_it_has_none():
    now = task(take, pure=False)
    graph = freeze([add(scale(now(1)), load(1)), load(2)])
    found = dict(zip(graph.ids, fingerprints(graph), strict=True))
    assert {name for name, known in found.items() if known is None} == {
        "take-0",
        "scale-0",
        "add-0",
    }


# Maps


def last(target: Any) -> str | None:
    graph = freeze([target])
    return fingerprints(graph)[graph.at(graph.targets[0])]


def odd(n: int) -> Any:
    return n if n % 2 else SKIP


def test_a_map_counts_by_its_function_its_items_and_its_constants():
    different = [
        scale.map([1, 2]),
        scale.map([1, 3]),
        scale.map([1, 2], by=2),
        scale.map([1, 2], by=load(2)),
        scale.map([1, 2], by=load(3)),
        scale.map(load(1)),
        scale.map(load(2)),
        scale.map([1, 2], [3, 4]),
        scale.map([[1, 2]]),
        scale.map([[1, 2]], depth=2),
        scale.map([[1], [2]], flatten=True),
        load.map([1, 2]),
    ]
    found = [last(target) for target in different]
    assert None not in found
    assert len(set(found)) == len(found)
    assert last(scale.map([1, 2], by=load(2))) == found[3]
    assert last(scale.map([1, 2], expected=7)) == found[0]


def test_a_map_over_a_map_counts_by_it_however_its_items_get_there():
    def chained(first: int, **more: Any) -> Any:
        return scale.map(load.map([first, 2]), **more)

    assert last(chained(1)) == last(chained(1))
    assert last(chained(1)) != last(chained(3))
    # The constant waits for the group: the second map then cannot follow item by item.
    inner = load.map([1, 2])
    waiting = freeze([scale.map(inner, by=add(inner))])
    assert not any(call.over is not None for call in waiting.maps.values())
    plain = load.map([1, 2])
    listed = last(scale.map(plain))
    apart = freeze([add(scale.map(plain))])
    assert fingerprints(apart)[apart.at(next(apart.ids[at] for at in [*apart.maps][1:]))] == listed


def test_maps_of_what_is_not_pure_have_none():
    assert last(task(odd, pure=False).map([1, 2])) is None
    assert last(scale.map(task(odd, pure=False)(1))) is None
    assert last(scale.map([1], by=task(odd, pure=False)(1))) is None
    assert last(task(odd).map([1, 2])) is not None


def test_the_options_of_a_map_are_those_of_its_items():
    graph = freeze([task(odd, reuse=True).map([1, 2])])
    gather = graph.at(graph.targets[0])
    assert options_of(graph, gather).reuse
    assert not options_of(graph, graph.maps[gather].splitter).reuse


# Stored graphs


def stored(graph: Graph) -> list[str | None]:
    dumped = dump_graph(graph, SIGNER, "run")

    def constant(content: str) -> Any:
        return codec.decode(load_constant(dumped.constants[content], SIGNER, content))

    arrived = load_graph(dumped.graph, SIGNER, "run").graph
    return fingerprints(arrived, loaded=loaded, constant=constant)


def test_a_stored_graph_has_the_fingerprints_of_the_graph():
    namespace: dict[str, Any] = {"__name__": "__main__", "Box": Box, "K": {"b", "a", "c"}}
    source = "class C:\n    n: int = 1\ndef g(x): return K\ndef f(x, y=Box()): return C, g(x)"
    exec(compile(source, "<cell>", "exec"), namespace)
    f = task(namespace["f"])
    big, frame_ = np.arange(50_000)[::2], frame(d=np.arange(3))
    graph = freeze(
        [
            f(big),
            f(big, y=[big, load(1)]),
            f([load(2), {"a": big}]),
            f(frame_, "x" * 100_000),
            f(list(range(5_000))),
            f({"a": [1]}, (1, "2")),
            scale.map([1, 2], by=[big, load(3)]),
            scale.map(scale.map(load(9))),
        ]
    )
    assert None not in fingerprints(graph)
    assert stored(graph) == fingerprints(graph)


def test_a_large_constant_that_is_not_at_hand_leaves_its_task_without():
    graph = freeze([add(np.arange(50_000), load(1))])
    arrived = load_graph(dump_graph(graph, SIGNER, "run").graph, SIGNER, "run").graph
    known = fingerprints(arrived, loaded=loaded)
    assert known[0] == fingerprints(graph)[0]
    assert known[1] is None


# Modules of the user's own


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes modules that a cell can import."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def write(**sources: str) -> None:
        for name, source in sources.items():
            path = tmp_path / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
            when = path.stat().st_mtime_ns + len(known)
            os.utime(path, ns=(when, when))
        for name in set(sys.modules) - known:
            del sys.modules[name]

    yield write
    write()


IMPORTS = {
    "a module": "import own_a\ndef f(): return own_a.g()",
    "a function of it": "from own_a import g\ndef f(): return g()",
    "inside the function": "def f():\n    import own_a\n    return own_a.g()",
    "inside the function, from": "def f():\n    from own_a import g\n    return g()",
}


@pytest.mark.parametrize("cell", IMPORTS.values(), ids=IMPORTS)
def test_the_users_modules_count_by_their_code_and_by_what_they_import(own, cell):
    own(own_a="import own_b\ndef g(): return own_b.K", own_b="K = 1")
    first = code(cell)
    assert first == code(cell) is not None
    own(own_b="K = 2")
    assert code(cell) != first
    own(own_b="# a comment\n\nK = 1")
    assert code(cell) == first
    own(own_b=f"K = 1 if {__file__!r} else 0")
    assert code(cell) != first
    own(own_a="import own_b\ndef g(): return -own_b.K")
    assert code(cell) != first


def test_a_package_counts_with_its_modules(own):
    cell = "import own_p.own_m\ndef f(): return own_p.own_m.g()"
    own(
        own_p__in____init__="",
        own_p__in__own_m="from . import own_n\ndef g(): return own_n.K",
        own_p__in__own_n="K = 1",
    )
    first = code(cell)
    own(own_p__in__own_n="K = 2")
    assert code(cell) not in (first, None)


def test_that_a_module_loaded_a_moment_ago_was_edited_is_seen_too(own):
    # Modules of tests before may be gone from the disk.
    files = [Path(file) for file in [__file__, *modules._own_files(0, "")]]
    latest = max(file.stat().st_mtime for file in files if file.exists())
    assert not modules.were_edited_since(latest + 999)
    own(own_a="K = 1")
    exec("import own_a", {})
    os.utime(sys.modules["own_a"].__file__, (latest + 1_000, latest + 1_000))
    assert modules.were_edited_since(latest + 999)


def test_a_module_that_was_edited_after_its_import_has_no_content(own):
    own(own_a="def g(): return 1")
    cell = "from own_a import g\ndef f(): return g()"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(cell, namespace)
    assert of(freeze([task(namespace["f"])()])) is not None
    module = sys.modules["own_a"]
    own(own_a="def g(): return 2")
    sys.modules["own_a"] = module
    assert of(freeze([task(namespace["f"])()])) is None


def test_that_a_module_was_edited_is_seen_by_whoever_has_it_loaded(own):
    own(own_a="K = 1")
    exec("import own_a", {})
    file = Path(sys.modules["own_a"].__file__)
    written = file.stat().st_mtime
    os.utime(file, (written + 1_000, written + 1_000))
    assert modules.were_edited_since(written + 999)
    assert not modules.were_edited_since(written + 1_001)
    file.unlink()
    assert not modules.were_edited_since(written + 999)


def test_a_setting_of_a_module_counts(own):
    own(own_a="K = 1\ndef g(): return K")
    cell = "def f(): return m.g()"
    exec("import own_a", {})
    module = sys.modules["own_a"]
    first = code(cell, m=module)
    module.K = 2
    assert code(cell, m=module) not in (first, None)


def test_a_module_that_imports_what_nobody_knows_has_no_content(own):
    own(own_a="import importlib\ndef g(n): return importlib.import_module(n)")
    assert code("import own_a\ndef f(): return own_a.g('x')") is None
    assert code("def f(n='os'): return __import__(n)") is None


def test_an_installed_package_counts_by_its_version(monkeypatch):
    cell = "import numpy as np\ndef f(): return np.sum([1])"
    first = code(cell)
    monkeypatch.setattr(modules, "_version_of", lambda top: "another")
    assert code(cell) not in (first, None)


# Files

NAMING = {
    "in the code": "def f(): return open('{}').read()",
    "in a helper": "def g(name='{}'): return open(name)\ndef f(): return g()",
    "a global": "NAME = '{}'\ndef f(): return open(NAME)",
    "a path": "from pathlib import Path\nNAME = Path('{}')\ndef f(): return open(NAME)",
    "one of several": "NAMES = ['a', '{}', 'b']\ndef f(): return map(open, NAMES)",
    "one of a set": "NAMES = {{'a', '{}', 'b'}}\ndef f(): return map(open, NAMES)",
}


@pytest.mark.parametrize("cell", NAMING.values(), ids=NAMING)
def test_a_file_that_is_named_counts_by_what_is_in_it(tmp_path, cell):
    file = tmp_path / "data.csv"
    file.write_text("a,b")
    first = code(cell.format(file))
    assert first == code(cell.format(file)) is not None
    file.write_text("a,b,c")
    assert code(cell.format(file)) != first


def test_a_file_that_is_an_argument_counts_by_what_is_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def found() -> list[str | None]:
        named = [["data.csv"], Path("data.csv"), {"in": [1, "data.csv"]}, "./data.csv", "data.csv"]
        return [one(name) for name in named] + [last(scale.map(["data.csv"]))]

    nothing = found()
    Path("data.csv").write_text("a,b")
    first = found()
    assert first == found()
    Path("data.csv").write_text("a,b,c")
    assert None not in first
    assert len({*nothing, *first, *found()}) == 18


def test_a_folder_or_a_text_with_a_dot_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = "def f(x='a.b'): return x.split('.'), './'"
    first = code(cell)
    (tmp_path / "new.txt").write_text("")
    assert code(cell) == first


# What must run


def plan(graph: Graph, *found: str) -> tuple[str, str, str]:
    known = needs(graph, {graph.at(name) for name in found})
    shown = ([graph.ids[at] for at in part] for part in (known.run, known.reused, known.unneeded))
    run, reused, unneeded = (" ".join(names) for names in shown)
    return run, reused, unneeded


def test_only_what_the_targets_need_and_nobody_knows_is_run():
    a = load(1)
    b, c = scale(a), scale(a, 2)
    graph = freeze([add(b, c)])
    assert plan(graph) == ("load-0 scale-0 scale-1 add-0", "", "")
    assert plan(graph, "load-0") == ("scale-0 scale-1 add-0", "load-0", "")
    assert plan(graph, "scale-0") == ("load-0 scale-1 add-0", "scale-0", "")
    assert plan(graph, "scale-0", "scale-1") == ("add-0", "scale-0 scale-1", "load-0")
    assert plan(graph, "load-0", "scale-0", "scale-1") == ("add-0", "scale-0 scale-1", "load-0")
    assert plan(graph, "add-0") == ("", "add-0", "load-0 scale-0 scale-1")


def test_a_target_in_the_middle_is_reused_beside_what_runs():
    a = load(1)
    b = scale(a)
    graph = freeze([b, add(b)])
    assert plan(graph, "scale-0") == ("add-0", "scale-0", "load-0")
    assert plan(graph, "add-0") == ("load-0 scale-0", "add-0", "")


def test_a_map_is_split_only_if_it_must_run():
    graph = freeze([add(scale.map(load(1)))])
    assert plan(graph, "scale-0") == ("add-0", "scale-0", "load-0 scale-0.items")
    assert plan(graph, "load-0") == ("scale-0.items scale-0 add-0", "load-0", "")
    assert plan(graph, "scale-0.items")[1] == ""


def test_maps_that_follow_each_other_run_together():
    first = load.map([1, 2])
    graph = freeze([add(scale.map(first)), first])
    run, reused, unneeded = plan(graph, "load-0")
    assert (set(run.split()), reused, unneeded) == (set(graph.ids), "", "")
    assert plan(graph, "load-0", "scale-0")[1] == "load-0 scale-0"
    assert replace(graph).maps == graph.maps
