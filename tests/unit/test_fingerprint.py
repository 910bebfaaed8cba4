"""Pairs of cells that are the same code, and pairs that are not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wfnb.codec import dump_function, load_function
from wfnb.fingerprint import content_hash, fingerprint


def of(source: str, **given: Any) -> str:
    namespace: dict[str, Any] = {"__name__": "__main__", **given}
    exec(compile(textwrap.dedent(source), "<cell>", "exec", dont_inherit=True), namespace)
    return fingerprint(namespace["f"])


SAME: dict[str, tuple[str, str]] = {
    "the same cell": ("def f(x): return x + 1", "def f(x): return x + 1"),
    "other lines": (
        "def f(x):\n    return x + 1",
        "\n\n\n# a comment\n\ndef f(x):\n\n    return x + 1",
    ),
    "other annotations": ("def f(x: int) -> int: return x", "def f(x): return x"),
    "a global that it does not use": ("k = 1\ndef f(x): return x.k", "k = 2\ndef f(x): return x.k"),
    "an inner function on other lines": (
        "def f():\n    g = lambda: 1\n    return g",
        "def f():\n\n    g = lambda: 1\n    return g",
    ),
    "a helper on other lines": (
        "def g(): return 1\ndef f(): return g()",
        "def f(): return g()\n\ndef g(): return 1",
    ),
    "a set written otherwise": (
        "def f(x): return x in {'a', 'b', 'c'}",
        "def f(x): return x in {'a', 'b', 'c'}",
    ),
    "a global set built otherwise": (
        "s = {'a', 'b', 'c'}\ndef f(): return s",
        "s = {'c'} | {'b'} | {'a'}\ndef f(): return s",
    ),
    "values without content": ("import threading\nl = threading.Lock()\ndef f(): return l",) * 2,
    "a cycle of functions": ("def f(n): return g(n)\ndef g(n): return f(n)",) * 2,
    "a cycle of values": ("v = []\nv.append(v)\ndef f(): return v",) * 2,
    "a cycle through a set": ("class C: pass\nc = C()\nc.s = {c}\ndef f(): return c",) * 2,
    "a class on other lines": (
        "class C:\n    n = 1\n    def m(self): return C\ndef f(): return C",
        "\n\nclass C:\n    n = 1\n    def m(self): return C\ndef f(): return C",
    ),
    "a deep value": ("v = []\nfor _ in range(100_000): v = [v]\ndef f(): return v",) * 2,
    "a missing global": ("def f(): return nowhere",) * 2,
}

DIFFERENT: dict[str, tuple[str, str]] = {
    "a constant": ("def f(): return 1", "def f(): return 2"),
    "a constant's type": ("def f(): return 1", "def f(): return True"),
    "a sign of zero": ("def f(): return 0.0", "def f(): return -0.0"),
    "an operation": ("def f(x): return x + 1", "def f(x): return x - 1"),
    "an attribute": ("def f(x): return x.a", "def f(x): return x.b"),
    "an argument's name": ("def f(a): return a", "def f(b): return b"),
    "the kind of an argument": ("def f(a, b=1): return a", "def f(a, *, b=1): return a"),
    "an inner function": ("def f(): return lambda: 1", "def f(): return lambda: 2"),
    "a default": ("def f(x=1): return x", "def f(x=2): return x"),
    "a keyword default": ("def f(*, x=1): return x", "def f(*, x=2): return x"),
    "a global": ("k = 1\ndef f(): return k", "k = 2\ndef f(): return k"),
    "inside a global": (
        "k = {'a': [1, 2]}\ndef f(): return k",
        "k = {'a': [1, 3]}\ndef f(): return k",
    ),
    "a global set": ("k = {(1, 'a')}\ndef f(): return k", "k = {(1, 'b')}\ndef f(): return k"),
    "a list and a tuple": ("k = [1]\ndef f(): return k", "k = (1,)\ndef f(): return k"),
    "a global that is missing": ("k = 1\ndef f(): return k", "def f(): return k"),
    "a helper": (
        "def g(): return 1\ndef f(): return g()",
        "def g(): return 2\ndef f(): return g()",
    ),
    "a helper's helper": (
        "def h(): return 1\ndef g(): return h()\ndef f(): return g()",
        "def h(): return 2\ndef g(): return h()\ndef f(): return g()",
    ),
    "a closure": (
        "def m(n):\n    def f(): return n\n    return f\nf = m(1)",
        "def m(n):\n    def f(): return n\n    return f\nf = m(2)",
    ),
    "a decorated function": (
        "import functools\n@functools.cache\ndef f(): return 1",
        "import functools\n@functools.cache\ndef f(): return 2",
    ),
    "a class attribute": ("class C: n = 1\ndef f(): return C", "class C: n = 2\ndef f(): return C"),
    "a method": (
        "class C:\n    def m(self): return 1\ndef f(): return C",
        "class C:\n    def m(self): return 2\ndef f(): return C",
    ),
    "a property": (
        "class C:\n    @property\n    def m(self): return 1\ndef f(): return C",
        "class C:\n    @property\n    def m(self): return 2\ndef f(): return C",
    ),
    "a base class": (
        "class B: n = 1\nclass C(B): pass\ndef f(): return C",
        "class B: n = 2\nclass C(B): pass\ndef f(): return C",
    ),
    "an object's state": (
        "class C: pass\nc = C()\nc.n = 1\ndef f(): return c",
        "class C: pass\nc = C()\nc.n = 2\ndef f(): return c",
    ),
    "a builtin": ("g = len\ndef f(x): return g(x)", "g = sum\ndef f(x): return g(x)"),
    "a module": (
        "import os as m\ndef f(): return m.name",
        "import sys as m\ndef f(): return m.name",
    ),
    "a library's function": (
        "from textwrap import dedent as g\ndef f(x): return g(x)",
        "from textwrap import indent as g\ndef f(x): return g(x)",
    ),
    "a pattern": (
        "import re\np = re.compile('a')\ndef f(): return p",
        "import re\np = re.compile('b')\ndef f(): return p",
    ),
    "a partial": (
        "import functools\nf = functools.partial(int, base=2)",
        "import functools\nf = functools.partial(int, base=3)",
    ),
    "a bound method": (
        "class C:\n    def m(self): return self.n\nc = C(); c.n = 1\nf = c.m",
        "class C:\n    def m(self): return self.n\nc = C(); c.n = 2\nf = c.m",
    ),
    "an enumeration": (
        "import enum\nclass E(enum.Enum): A = 1\ndef f(): return E.A",
        "import enum\nclass E(enum.Enum): A = 2\ndef f(): return E.A",
    ),
    "a dataclass's default": (
        "import dataclasses\n@dataclasses.dataclass\nclass C: n: int = 1\ndef f(): return C()",
        "import dataclasses\n@dataclasses.dataclass\nclass C: n: int = 2\ndef f(): return C()",
    ),
    "what an exception handler covers": (
        "def f(x):\n    try:\n        a = x()\n        b = x()\n    except ValueError:\n"
        "        a = b = 0\n    return a, b",
        "def f(x):\n    a = x()\n    try:\n        b = x()\n    except ValueError:\n"
        "        a = b = 0\n    return a, b",
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_code_has_one_fingerprint(one: str, other: str) -> None:
    assert of(one) == of(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_other_code_has_another_fingerprint(one: str, other: str) -> None:
    assert of(one) != of(other)
    assert of(one) == of(one)


def test_an_array_counts_by_its_content() -> None:
    source = "def f(): return a.sum()"
    assert of(source, a=np.arange(5)) == of(source, a=np.arange(5))
    assert of(source, a=np.arange(5)) != of(source, a=np.arange(5) + 1)
    assert of(source, a=np.arange(4)) != of(source, a=np.arange(4).reshape(2, 2))
    assert of(source, a=np.sin) != of(source, a=np.cos)


MANY = """
import dataclasses, enum, math, re, functools
import numpy as np
COLOURS = {'red', 'green', 'blue'}
class Kind(enum.Enum):
    A = 'a'
    B = 'b'
@dataclasses.dataclass(slots=True)
class Box:
    n: int = 1
    l: list = dataclasses.field(default_factory=list)
def helper(x): return x in {'one', 'two', 'three'} and COLOURS
a = np.arange(3)
p = re.compile('x')
g = functools.partial(helper, x=1)
def f(x, y=frozenset({'p', 'q', 'r'})):
    return helper(x), Kind.A, Box(), a, math.pi, p, g, {Kind.A, Kind.B}
"""


def test_other_processes_with_other_hash_seeds_agree() -> None:
    script = (
        "from wfnb.fingerprint import fingerprint\nn = {'__name__': '__main__'}\n"
        f"exec({MANY!r}, n)\nprint(fingerprint(n['f']))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    assert printed == {of(MANY)}


def test_a_function_that_travelled_keeps_its_fingerprint() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(MANY, namespace)
    sent = namespace["f"]
    arrived = load_function(dump_function(sent))
    assert arrived is not sent
    assert fingerprint(arrived) == fingerprint(sent)


def test_the_users_modules_count_by_their_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = "import mine_counted as m\ndef f(): return m.g()"
    (tmp_path / "mine_counted.py").write_text("def g(): return 1\n")
    first = of(source)
    assert of(source) == first
    (tmp_path / "mine_counted.py").write_text("def g(): return 1_000\n")
    assert of(source) != first
    monkeypatch.delitem(sys.modules, "mine_counted")


def test_content_hashes_name_bytes() -> None:
    assert content_hash(b"a") == content_hash(memoryview(b"a"))
    assert content_hash(b"a") != content_hash(b"b")
    assert len(content_hash(b"")) == len(of("def f(): pass")) == 32
