"""Functions and classes of cells (run as `__main__`) go to a clean interpreter and back."""

from __future__ import annotations

import collections
import dataclasses
import functools
import gc
import sqlite3
import struct
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wfnb import codec
from wfnb.codec import (
    Encoded,
    decode,
    dump_function,
    encode,
    find_unserialisable,
    load_function,
    pack,
    unpack,
)
from wfnb.errors import SerialisationError

ELSEWHERE = """
import struct, sys
from wfnb import codec

def read():
    (length,) = struct.unpack("<Q", sys.stdin.buffer.read(8))
    return sys.stdin.buffer.read(length)

while True:
    function = codec.load_function(read())
    arguments = codec.decode(codec.unpack(read()))
    try:
        result = function(*arguments)
        reply = codec.pack(codec.encode(result, name="the result"))
    except Exception as error:
        reply = codec.pack(codec.encode(("raised", type(error).__name__, str(error))))
    sys.stdout.buffer.write(struct.pack("<Q", len(reply)) + reply)
    sys.stdout.buffer.flush()
"""


class Elsewhere:
    """A clean interpreter that calls what it is sent."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )

    def call(self, function: Any, *arguments: Any) -> Any:
        return decode(unpack(self.reply(function, *arguments)))

    def reply(self, function: Any, *arguments: Any) -> bytes:
        assert self._process.stdin
        assert self._process.stdout
        for blob in (dump_function(function), pack(encode(arguments))):
            self._process.stdin.write(struct.pack("<Q", len(blob)) + blob)
        self._process.stdin.flush()
        (length,) = struct.unpack("<Q", self._process.stdout.read(8))
        return self._process.stdout.read(length)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    process = Elsewhere()
    yield process
    process.close()


class Cells(dict[str, Any]):
    """A notebook's namespace."""

    def __init__(self) -> None:
        super().__init__(__name__="__main__")

    def run(self, source: str) -> Cells:
        exec(compile(textwrap.dedent(source), "<cell>", "exec", dont_inherit=True), self)
        return self


@pytest.fixture
def cells() -> Cells:
    return Cells()


Point = collections.namedtuple("Point", "x y")

VALUES = {
    "nothing": None,
    "a long integer": 10**400,
    "not a number is still one": float("inf"),
    "text with half a surrogate": "\ud800x",
    "text in many scripts": "naïve 日本 🎉",
    "empty bytes": b"",
    "a pair": (1, 2.5),
    "a long shallow list": list(range(1000)),
    "nested containers": {"a": [1, (2, {3: {4}})], b"b": frozenset({None})},
    "bytes that can change": bytearray(b"abc"),
    "a complex number": 1 + 2j,
    "an ellipsis": ...,
    "a type": int,
    "the type of None": type(None),
    "a builtin": len,
    "a method of a builtin type": "a-b".split,
    "a partial": functools.partial(int, base=2).args,
    "a module": sys,
    "a named tuple": Point(1, 2),
    "a slice": slice(1, 2, 3),
    "a path": Path("x/y"),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_data_comes_back_equal(value: Any) -> None:
    if value == "a-b".split:
        assert decode(encode(value))("-") == ["a", "b"]
        return
    encoded = encode(value, check=True)
    back = decode(unpack(pack(encoded)))
    assert back == value
    assert type(back) is type(value)
    assert encoded.size_bytes > 0


def test_an_array_is_not_copied_to_be_encoded_and_comes_back_writable_and_independent() -> None:
    array = np.arange(1000.0)
    encoded = encode({"array": array, "small": array[:3]})
    assert len(encoded.stream) < 600
    assert [memoryview(buffer).nbytes for buffer in encoded.buffers] == [8000]
    first, second = decode(encoded), decode(encoded)
    first["array"][0] = first["small"][0] = 99
    assert second["array"][0] == second["small"][0] == array[0] == 0
    array[1] = 77
    assert decode(encoded)["array"][1] == 77


def test_owned_buffers_do_not_change_with_the_value() -> None:
    array = np.arange(1000.0)
    owned = encode(array).owned()
    array[0] = 99
    assert decode(owned)[0] == 0


def test_buffers_can_be_handed_over_without_a_copy() -> None:
    encoded = encode(np.zeros(1000))
    buffers = tuple(bytearray(buffer) for buffer in encoded.buffers)
    array = decode(Encoded(encoded.stream, buffers), copy=False)
    array[0] = 1.0
    assert bytes(buffers[0][:8]) == struct.pack("<d", 1.0)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_packed_buffers_are_aligned_and_come_back(count: int) -> None:
    arrays = [np.full(1001 + index, index, dtype=np.int8) for index in range(count)] + [np.zeros(0)]
    blob = pack(encode(arrays))
    back = decode(unpack(memoryview(blob)))
    assert all((one == other).all() for one, other in zip(arrays, back, strict=True))


@pytest.mark.parametrize("length", [0, 3, 10, 40, 1500])
def test_a_packed_value_that_was_cut_short_is_refused(length: int) -> None:
    blob = pack(encode([np.zeros(1000), np.zeros(1000)]))
    with pytest.raises(SerialisationError, match=r"cut short|length that it names"):
        unpack(blob[:length])


def test_bytes_that_are_no_pickle_are_refused() -> None:
    with pytest.raises(
        SerialisationError, match=r"input `x` cannot be loaded here \(UnpicklingError"
    ):
        decode(Encoded(b"\xff\xfe"), name="input `x`")


FUNCTIONS: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "a plain function": ("def f(x): return x + 1", (1,), 2),
    "a lambda": ("f = lambda x: x * 2", (4,), 8),
    "a global constant": ("k = 3\ndef f(x): return x * k", (2,), 6),
    "a helper of another cell": ("def g(x): return x * k\nk = 5\ndef f(x): return g(x)", (2,), 10),
    "a module": ("import math\ndef f(x): return math.floor(x)", (2.5,), 2),
    "a submodule by attribute": (
        "import xml.dom.minidom\ndef f(): return xml.dom.minidom.Node.TEXT_NODE",
        (),
        3,
    ),
    "an import inside": ("def f(x):\n    import json\n    return json.dumps(x)", ([1],), "[1]"),
    "a closure": (
        "def make(n):\n    def inner(x): return x + n\n    return inner\nf = make(10)",
        (1,),
        11,
    ),
    "a closure over itself": (
        "def make():\n    def fact(n): return 1 if n < 2 else n * fact(n - 1)\n"
        "    return fact\nf = make()",
        (5,),
        120,
    ),
    "two closures over one cell": (
        "def make():\n    n = 0\n    def add():\n        nonlocal n\n        n += 1\n"
        "    def f():\n        add(); add()\n        return n\n    return f\nf = make()",
        (),
        2,
    ),
    "recursion": ("def f(n): return 1 if n < 2 else n * f(n - 1)", (5,), 120),
    "functions that call each other": (
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\n"
        "f = even",
        (10,),
        True,
    ),
    "a mutable default": (
        "def f(x, seen=[]):\n    seen.append(x)\n    return list(seen)",
        (1,),
        [1],
    ),
    "a keyword default": ("def f(x, *, y=2): return x + y", (1,), 3),
    "a generator's function": (
        "def g(n):\n    yield from range(n)\ndef f(n): return list(g(n))",
        (3,),
        [0, 1, 2],
    ),
    "a coroutine's function": (
        "import asyncio\nasync def g(n): return n\ndef f(n): return asyncio.run(g(n))",
        (3,),
        3,
    ),
    "a partial": (
        "import functools\ndef g(a, b): return a - b\nf = functools.partial(g, b=1)",
        (3,),
        2,
    ),
    "a decorated function": (
        "import functools\ndef twice(g):\n    @functools.wraps(g)\n"
        "    def inner(*a): return g(g(*a))\n    return inner\n@twice\ndef f(x): return x * 3",
        (1,),
        9,
    ),
    "a cached recursion": (
        "import functools\n@functools.lru_cache(maxsize=None)\n"
        "def f(n): return n if n < 2 else f(n-1) + f(n-2)",
        (50,),
        12586269025,
    ),
    "a bound method": (
        "class C:\n    n = 4\n    def m(self, x): return x + self.n\nf = C().m",
        (1,),
        5,
    ),
    "a class method": (
        "class C:\n    n = 4\n    @classmethod\n    def m(cls, x): return x + cls.n\nf = C.m",
        (1,),
        5,
    ),
    "a static method": (
        "class C:\n    @staticmethod\n    def m(x): return x + 1\nf = C.m",
        (1,),
        2,
    ),
    "a callable": (
        "class C:\n    def __init__(self, n): self.n = n\n"
        "    def __call__(self, x): return x + self.n\nf = C(7)",
        (1,),
        8,
    ),
    "a function bound by hand": (
        "import types\ndef g(self, x): return self + x\nf = types.MethodType(g, 5)",
        (1,),
        6,
    ),
    "an annotation that means nothing": (
        "import threading\nlock = threading.Lock()\ndef f(x: lock) -> lock: return x",
        (1,),
        1,
    ),
    "a global named like an attribute": (
        "import threading\nreal = threading.Lock()\ndef f(x): return x.real",
        (1,),
        1,
    ),
    "a global that is assigned": (
        "n = 1\ndef g():\n    global n\n    n += 1\ndef f():\n    g()\n    return n",
        (),
        2,
    ),
    "a global that does not exist": (
        "def f(): return nowhere",
        (),
        ("raised", "NameError", "name 'nowhere' is not defined"),
    ),
    "a function with more than 256 names": (
        "\n".join(f"v{i} = {i}" for i in range(300))
        + "\ndef f(): return "
        + " + ".join(f"v{i}" for i in range(300)),
        (),
        sum(range(300)),
    ),
    "a class body inside": ("k = 3\ndef f():\n    class C:\n        n = k\n    return C.n", (), 3),
    "a comprehension": ("k = 3\ndef f(n): return [k * i for i in range(n)]", (3,), [0, 3, 6]),
    "a builtin": ("f = len", ([1, 2],), 2),
    "a class": ("f = int", ("3",), 3),
    "a module's function": ("from textwrap import dedent as f", ("  a",), "a"),
    "its own attributes": ("def f(): return f.n\nf.n = 3", (), 3),
    "its own name": (
        "def f(): return f.__name__, f.__qualname__, f.__module__, f.__doc__",
        (),
        ("f", "f", "__main__", None),
    ),
    "a read-only view of a dict": (
        "import types\nd = types.MappingProxyType({'a': 1})\ndef f(): return d['a']",
        (),
        1,
    ),
    "a code object": ("def g(): return 3\nc = g.__code__\ndef f(): return eval(c)", (), 3),
}


@pytest.mark.parametrize(("source", "arguments", "result"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_of_a_cell_works_elsewhere(
    elsewhere: Elsewhere, cells: Cells, source: str, arguments: tuple[Any, ...], result: Any
) -> None:
    assert elsewhere.call(cells.run(source)["f"], *arguments) == result


CLASSES: dict[str, tuple[str, Any]] = {
    "a plain class": (
        "class C:\n    def __init__(self, x=1): self.x = x\n    def show(self): return self.x",
        1,
    ),
    "a dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n    x: int = 1\n"
        "    l: list = dataclasses.field(default_factory=list)\n"
        "    def show(self): return [f.name for f in dataclasses.fields(self)], "
        "dataclasses.replace(self, x=2).x",
        (["x", "l"], 2),
    ),
    "a frozen dataclass with slots": (
        "import dataclasses\n@dataclasses.dataclass(frozen=True, slots=True)\nclass C:\n"
        "    x: int = 1\n"
        "    def show(self): return hash(self) == hash(C(1)), hasattr(self, '__dict__')",
        (True, False),
    ),
    "a dataclass extended elsewhere": (
        "import dataclasses\n@dataclasses.dataclass\nclass B:\n    x: int\nclass C:\n"
        "    def show(self):\n        @dataclasses.dataclass\n        class D(B):\n"
        "            y: int\n        return D(1, 2).y",
        2,
    ),
    "a named tuple": (
        "import collections\nclass C(collections.namedtuple('P', 'x y', defaults=(1, 2))):\n"
        "    def show(self): return self.x, self._replace(y=5).y",
        (1, 5),
    ),
    "a typed named tuple": (
        "import typing\nclass C(typing.NamedTuple):\n    x: int = 1\n"
        "    def show(self): return self._fields, self.x",
        (("x",), 1),
    ),
    "slots": (
        "class C:\n    __slots__ = ('x', '__y')\n"
        "    def __init__(self): self.x = 1; self.__y = 2\n"
        "    def show(self): return self.x, self.__y",
        (1, 2),
    ),
    "inheritance and super": (
        "class B:\n    def show(self): return 1\nclass C(B):\n"
        "    def show(self): return super().show() + 1",
        2,
    ),
    "a base that makes its child": (
        "class B:\n    def show(self): return type(self) is C\nclass C(B): pass",
        True,
    ),
    "a reference to itself": (
        "class C:\n    def show(self): return isinstance(self, C) and C is type(self)",
        True,
    ),
    "two classes that use each other": (
        "class C:\n    def show(self): return D().c() is C\nclass D:\n    def c(self): return C",
        True,
    ),
    "properties": (
        "import functools\nclass C:\n    @property\n    def p(self): return 2\n"
        "    @functools.cached_property\n    def q(self): return 3\n    @staticmethod\n"
        "    def s(): return 4\n    @classmethod\n    def t(cls): return cls is C\n"
        "    def show(self): return self.p, self.q, self.s(), self.t()",
        (2, 3, 4, True),
    ),
    "an abstract base": (
        "import abc\nclass B(abc.ABC):\n    @abc.abstractmethod\n    def show(self): ...\n"
        "class C(B):\n"
        "    def show(self): return B.__abstractmethods__ == {'show'} and isinstance(1, V)\n"
        "class V(abc.ABC): pass\nV.register(int)",
        True,
    ),
    "a metaclass": (
        "class M(type):\n    def __getitem__(cls, i): return i\nclass C(metaclass=M):\n"
        "    def show(self): return C[3]",
        3,
    ),
    "a hook for subclasses": (
        "class B:\n    names = []\n"
        "    def __init_subclass__(cls, *, name): B.names.append(name)\nclass C(B, name='c'):\n"
        "    def show(self): return B.names",
        ["c"],
    ),
    "a generic class": (
        "import typing\nT = typing.TypeVar('T')\nclass B(typing.Generic[T]): pass\n"
        "class C(B[int]):\n    def show(self): return C.__orig_bases__ == (B[int],)",
        True,
    ),
    "a protocol": (
        "import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n"
        "    def show(self): ...\nclass C:\n"
        "    def show(self): return isinstance(self, P) and not isinstance(1, P)",
        True,
    ),
    "an exception": (
        "class C(ValueError):\n    def show(self):\n        try: raise C('x')\n"
        "        except ValueError as e: return str(e)",
        "x",
    ),
    "a nested class": (
        "class C:\n    class D:\n        n = 3\n"
        "    def show(self): return C.D().n, C.D.__qualname__",
        (3, "C.D"),
    ),
    "equality and hash": (
        "class C:\n    def __eq__(self, o): return type(o) is C\n    __hash__ = None\n"
        "    def show(self): return self == C(), C.__hash__",
        (True, None),
    ),
    "a typed dict": (
        "import typing\nclass D(typing.TypedDict):\n    a: int\nclass C:\n"
        "    def show(self): return D(a=1)",
        {"a": 1},
    ),
}


@pytest.mark.parametrize(("source", "shown"), CLASSES.values(), ids=CLASSES)
def test_a_class_of_a_cell_is_one_class_elsewhere_and_comes_back_as_the_original(
    elsewhere: Elsewhere, cells: Cells, source: str, shown: Any
) -> None:
    cells.run(source).run("def f(given): return type(given) is C, given.show(), C()")
    original = cells["C"]
    same, result, made = elsewhere.call(cells["f"], original())
    assert (same, result) == (True, shown)
    assert type(made) is original


ENUMS: dict[str, str] = {
    "plain": "class C(enum.Enum):\n    A = 1\n    B = 2\n    ALIAS = 1",
    "text": "class C(str, enum.Enum):\n    A = 'a'\n    B = 'b'\n    ALIAS = 'a'",
    "strings": "class C(enum.StrEnum):\n    A = enum.auto()\n    B = enum.auto()\n    ALIAS = A",
    "integers": "class C(enum.IntEnum):\n    A = 3\n    B = 4\n    ALIAS = 3",
    "flags": "class C(enum.Flag):\n    A = 1\n    B = 2\n    ALIAS = 1",
    "rich": "class C(enum.Enum):\n    A = (1, 2)\n    B = (3, 4)\n    ALIAS = (1, 2)\n"
    "    def __init__(self, x, y): self.x = x\n    def show(self): return self.x",
}


@pytest.mark.parametrize("source", ENUMS.values(), ids=ENUMS)
def test_an_enumeration_of_a_cell_keeps_its_members_everywhere(
    elsewhere: Elsewhere, cells: Cells, source: str
) -> None:
    cells.run("import enum\n" + source)
    cells.run(
        "def f(m): return m is C.A, C.ALIAS is C.A, C.B, list(C), getattr(m, 'x', 1), "
        "C(m.value) is m"
    )
    kind = cells["C"]
    assert elsewhere.call(cells["f"], kind.A) == (True, True, kind.B, list(kind), 1, True)


def test_a_class_that_is_defined_again_is_another_class(elsewhere: Elsewhere, cells: Cells) -> None:
    source = "class C:\n    n = {}\ndef f(c): return type(c) is C, c.n"
    first = cells.run(source.format(1))["C"]
    assert elsewhere.call(cells["f"], first()) == (True, 1)
    second = cells.run(source.format(2))["C"]
    assert elsewhere.call(cells["f"], second()) == (True, 2)
    assert elsewhere.call(cells["f"], first()) == (False, 1)


def test_a_class_made_elsewhere_comes_back_as_one_class(elsewhere: Elsewhere, cells: Cells) -> None:
    cells.run("def f():\n    class C:\n        n = 3\n    return [C(), C()]")
    first, second = elsewhere.call(cells["f"])
    assert type(first) is type(second)
    assert first.n == 3


def test_a_notebook_started_anew_gets_the_class_with_the_result(
    elsewhere: Elsewhere, cells: Cells
) -> None:
    cells.run("class C:\n    def m(self): return type(self) is C\ndef f(c): return c")
    reply = elsewhere.reply(cells["f"], cells["C"]())
    original = weakref.ref(cells["C"])
    cells.clear()
    gc.collect()
    assert original() is None
    assert decode(unpack(reply)).m()


def test_a_changed_helper_of_an_unchanged_class_counts_once_loaded_classes_are_forgotten(
    elsewhere: Elsewhere, cells: Cells
) -> None:
    cells.run(
        "def step(): return 1\nclass C:\n    def go(self): return step()\ndef f(c): return c.go()"
    )
    assert elsewhere.call(cells["f"], cells["C"]()) == 1
    cells.run("def step(): return 2")
    cells.run("def forget():\n    import wfnb.codec\n    wfnb.codec.forget_classes()")
    elsewhere.call(cells["forget"])
    assert elsewhere.call(cells["f"], cells["C"]()) == 2


def test_a_function_takes_only_the_globals_that_it_uses(cells: Cells) -> None:
    cells.run(
        "import threading\nlock = threading.Lock()\nbig = 'x' * 1_000_000\ndef f(x): return x.big"
    )
    assert len(dump_function(cells["f"])) < 500


def test_an_importable_function_goes_by_name() -> None:
    assert len(dump_function(textwrap.dedent)) < 50
    assert load_function(dump_function(textwrap.dedent)) is textwrap.dedent


def test_what_a_decorator_of_a_module_hides_goes_by_name() -> None:
    hidden = hidden_by_a_decorator.__wrapped__  # type: ignore[attr-defined]
    assert load_function(dump_function(hidden)) is hidden


def test_dumping_twice_gives_the_same_bytes(cells: Cells) -> None:
    cells.run("k = 3\ndef g(x): return k\ndef f(x): return g(x), 'text', {1, 2} | {3}")
    assert dump_function(cells["f"]) == dump_function(cells["f"])


def test_a_closure_of_a_module_finds_the_globals_of_that_module(
    elsewhere: Elsewhere, cells: Cells
) -> None:
    cells.run("import contextlib\n@contextlib.contextmanager\ndef g():\n    yield 3")
    cells.run("def f():\n    with g() as n: return n")
    assert elsewhere.call(cells["f"]) == 3
    assert _lock_of_this_module.acquire(blocking=False)
    _lock_of_this_module.release()
    assert load_function(dump_function(_make_closure()))() is _lock_of_this_module


_lock_of_this_module = threading.Lock()


def _make_closure() -> Any:
    def closure() -> Any:
        return _lock_of_this_module

    return closure


def _decorate(function: Any) -> Any:
    @functools.wraps(function)
    def inner() -> Any:
        return function()

    return inner


@_decorate
def hidden_by_a_decorator() -> int:
    return 1


@dataclasses.dataclass
class Box:
    content: Any


class UnloadableError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__("both")


def _cycle() -> list[Any]:
    value: list[Any] = [threading.Lock()]
    value.insert(0, value)
    return value


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


class Rude:
    def __reduce__(self) -> Any:
        raise ZeroDivisionError("rude")

    def __repr__(self) -> str:
        raise ZeroDivisionError("ruder")


class Hostile:
    """Raises whatever one does with it."""

    def __getattribute__(self, name: str) -> Any:
        raise ZeroDivisionError(name)

    def __repr__(self) -> str:
        raise ZeroDivisionError


class Node:
    """One of a tree whose children know their parent."""

    def __init__(self, parent: Node | None) -> None:
        self.children = [Node(self), Node(self)] if parent is None else []
        self.parent = parent
        self.lock = None if parent else threading.Lock()


REFUSED: dict[str, tuple[Any, str]] = {
    "a lock in a dict": (
        {"lock": threading.Lock()},
        r"argument `a`\['lock'\] is a _thread.lock .*: make it inside the function",
    ),
    "a lock far inside": (
        {"a": [1, (2, Box({"k": threading.RLock()}))]},
        r"argument `a`\['a'\]\[1\]\[1\].content\['k'\] is a _thread.RLock",
    ),
    "a lock in a named tuple": (Point(1, threading.Lock()), r"argument `a`.y is a _thread.lock"),
    "a lock in a cycle": (_cycle(), r"argument `a`\[1\] is a _thread.lock"),
    "a generator": ((x for x in ()), r"argument `a` is a generator .*: pass list\(...\) of it"),
    "a connection": ([sqlite3.connect(":memory:")], r"argument `a`\[0\] is a sqlite3.Connection"),
    "a frame": (sys._getframe(), r"argument `a` is a frame"),
    "a deep list": (_deep(), r"argument `a` is nested too deeply \(a list\): flatten it"),
    "a deep list in a dict": ({"x": _deep()}, r"argument `a`\['x'\] is nested too deeply"),
    "an object that refuses": ({"r": Rude()}, r"argument `a`\['r'\] is a .*Rude \(rude\)"),
    "an object that raises at every touch": ({"h": Hostile()}, r"argument `a`"),
    "a lock above children who know their parent": ([Node(None)], r"`a`\[0\].lock is a _thread"),
    "a lock behind much else": (
        [[n] for n in range(50_000)] + [Node(None)],
        r"\[50000\].lock is a",
    ),
    "a set's element": (
        {Rude()},
        r"argument `a` element <Rude, whose repr raises ZeroDivisionError> is a",
    ),
    "a local partial": (
        functools.partial(print, threading.Lock()),
        r"argument `a`.args\[0\] is a _thread.lock",
    ),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_serialised_is_named_with_its_path_and_a_remedy(
    value: Any, message: str
) -> None:
    with pytest.raises(SerialisationError, match=message):
        encode(value, name="argument `a`")
    assert find_unserialisable(value)


def test_an_open_file_is_refused_by_name(tmp_path: Path) -> None:
    with (
        (tmp_path / "x").open("w") as file,
        pytest.raises(SerialisationError, match="pass its path"),
    ):
        encode({"file": file})


def test_a_value_that_does_not_load_back_is_found_when_asked() -> None:
    value = {"fine": 1, "error": UnloadableError(1, 2)}
    encode(value)
    with pytest.raises(
        SerialisationError, match=r"value\['error'\] is an? .*UnloadableError .*missing 1 required"
    ):
        encode(value, check=True)


def test_nothing_is_found_in_what_can_be_serialised() -> None:
    assert find_unserialisable({"a": [1, np.zeros(3)]}) == ""


class Careful:
    """Sends less than it has."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inner = {"held": threading.Lock()}

    def __getstate__(self) -> dict[str, Any]:
        return {"inner": self.inner}


def test_only_what_would_be_sent_is_blamed() -> None:
    assert "value.inner['held'] is a _thread.lock" in find_unserialisable(Careful())


REFUSED_FUNCTIONS: dict[str, tuple[str, str]] = {
    "a global": (
        "conn = lock\ndef f(): return conn",
        r"function `f` uses the variable `conn`, a _thread.lock .*: make it inside",
    ),
    "inside a global": (
        "config = {'lock': lock}\ndef f(): return config",
        r"function `f` uses the variable `config`, whose \['lock'\] is a _thread.lock",
    ),
    "through a helper": (
        "def g(): return lock\ndef f(): return g()",
        r"function `f` uses the variable `g`, which uses the variable `lock`, a _thread.lock",
    ),
    "a closure": (
        "def make(held):\n    def f(): return held\n    return f\nf = make(lock)",
        r"function `f` uses the variable `held`, a _thread.lock",
    ),
    "a default": (
        "def f(x, y=lock): return y",
        r"function `f` has the default `y`, a _thread.lock",
    ),
    "a class attribute": (
        "class C:\n    held = lock\ndef f(): return C",
        r"function `f` uses the variable `C`, whose .held is a _thread.lock",
    ),
    "a method's variable": (
        "class C:\n    def m(self): return lock\ndef f(): return C",
        r"function `f` uses the variable `C`, whose .m is the function `m`, which uses the "
        r"variable `lock`",
    ),
    "the notebook itself": (
        "import sys, types\nm = types.ModuleType('made_here')\ndef f(): return m",
        r"uses the variable `m`, a module \(the module `made_here` exists in this process only",
    ),
}


@pytest.mark.parametrize(("source", "message"), REFUSED_FUNCTIONS.values(), ids=REFUSED_FUNCTIONS)
def test_a_function_that_cannot_be_serialised_names_its_variable(
    cells: Cells, source: str, message: str
) -> None:
    cells["lock"] = threading.Lock()
    with pytest.raises(SerialisationError, match=message):
        dump_function(cells.run(source)["f"])


def test_dill_is_not_imported_for_data_and_plain_functions() -> None:
    source = (
        "import sys\nfrom wfnb.codec import *\ndef f(x): return x\n"
        "decode(encode({'a': [1]})), load_function(dump_function(f))\n"
        "assert 'dill' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", source], check=True, cwd=Path(__file__).parents[2])


def test_the_public_names_are_these() -> None:
    assert codec.__all__ == sorted(codec.__all__, key=str)
