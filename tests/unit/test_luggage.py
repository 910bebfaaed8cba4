"""Which of the user's modules travel, how, and where they arrive."""

from __future__ import annotations

import sys
import textwrap

import pytest

from wfnb import codec, luggage
from wfnb.errors import SerialisationError, SignatureError
from wfnb.freezing import freeze
from wfnb.language import task
from wfnb.luggage import modules_in, packed, unpack
from wfnb.signing import Signer
from wfnb.storage.graphs import dump_graph, load_graph

SIGNER = Signer(bytes(range(32)))


@pytest.fixture
def write(tmp_path, monkeypatch):
    folder = tmp_path / "client"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def write(**texts):
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        return folder

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def cell():
    def run(text):
        namespace = {"__name__": "__main__"}
        exec(textwrap.dedent(text), namespace)
        return namespace

    return run


def found_in(value):
    return modules_in([codec.encode(value)])


def files_in(modules, tmp_path):
    content, blob = packed(modules, SIGNER)
    folder = unpack(blob, SIGNER, content, into=tmp_path / "worker")
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_modules_are_found_by_what_pickles_name(write, cell):
    write(near_a="class A: pass", near_b="def f(): return 1", near_c="", near_d="")
    space = cell(
        """
        import near_a, near_b
        from functools import partial
        def uses(x):
            import near_c
            def inner():
                from near_d import anything
            return near_b.f() + x
        def closed(value):
            return lambda: value
        class Own:
            def method(self):
                return near_a.A()
        """
    )
    own = {"near_a", "near_b", "near_c", "near_d"}
    assert found_in(space["uses"]) & own == {"near_b", "near_c", "near_d"}
    assert found_in([space["near_a"].A()]) & own == {"near_a"}
    assert found_in(space["closed"](space["near_b"].f)) & own == {"near_b"}
    assert found_in(space["partial"](space["near_b"].f, 1)) & own == {"near_b"}
    assert found_in(space["Own"]()) & own == {"near_a"}
    assert found_in({"text": "near_a"}) & own == set()


def test_nothing_is_imported_by_looking(write, cell):
    write(near_e="raise SystemExit('imported')")
    space = cell("def f():\n    import near_e\n")
    assert "near_e" in found_in(space["f"])
    assert "near_e" not in sys.modules


def test_a_pickle_that_cannot_be_followed_takes_all_the_users_modules_along(write, cell):
    write(near_f="")
    cell("import near_f")
    broken = codec.Encoded(b"\x80\x05not a pickle")
    assert "near_f" in modules_in([broken])


def test_code_that_imports_by_value_takes_all_that_are_loaded_along(write, cell, tmp_path):
    write(near_g="", near_h="import importlib\nimportlib.import_module('near' + '_g')")
    cell("import near_h")
    files = files_in(["near_h"], tmp_path)
    assert {"near_g.py", "near_h.py"} <= files


def test_imports_are_followed_and_installed_modules_are_not(write, tmp_path):
    write(near_i="import json, numpy, near_j", near_j="from wfnb import task")
    assert files_in(["near_i", "numpy", "__main__", "wfnb.plan"], tmp_path) == {
        "near_i.py",
        "near_j.py",
    }


def test_packages_travel_whole_but_for_what_is_hidden_or_made(write, tmp_path):
    folder = write() / "crate"
    for name in ("__init__.py", "a.py", "deep/__init__.py", "deep/b.py", "deep/data.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    for name in (".git/config", "__pycache__/a.cpython.pyc", ".secret"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    files = files_in(["crate.deep.b"], tmp_path)
    assert files == {f"crate/{name}" for name in ("__init__.py", "a.py")} | {
        f"crate/deep/{name}" for name in ("__init__.py", "b.py", "data.csv")
    }


def test_a_module_of_a_package_without_init_arrives_under_its_name(write, tmp_path):
    folder = write() / "space"
    folder.mkdir()
    (folder / "only.py").write_text("")
    (folder / "other.py").write_text("")
    assert files_in(["space.only"], tmp_path) == {"space/only.py"}


def test_the_name_is_that_of_the_content(write):
    write(near_k="VALUE = 1")
    first, again = packed(["near_k"], SIGNER), packed(["near_k"], SIGNER)
    assert first == again
    write(near_k="VALUE = 2")
    assert packed(["near_k"], SIGNER)[0] != first[0]


def test_too_many_bytes_are_refused_and_the_largest_files_named(write, monkeypatch):
    write(near_l="x = '" + "y" * 2000 + "'\nimport near_m", near_m="")
    monkeypatch.setattr(luggage, "MOST_BYTES", 1000)
    with pytest.raises(SerialisationError, match=r"the largest: near_l\.py .*wfnb image build"):
        packed(["near_l"], SIGNER)


def test_another_key_opens_nothing(write, tmp_path):
    write(near_n="")
    content, blob = packed(["near_n"], SIGNER)
    with pytest.raises(SignatureError):
        unpack(blob, Signer(bytes(32)), content, into=tmp_path)
    assert list(tmp_path.glob("modules*")) == []


@pytest.mark.parametrize("name", ["/etc/x.py", "../x.py", "a/../../x.py"])
def test_no_file_lands_outside_the_folder(tmp_path, name, monkeypatch):
    monkeypatch.setattr(luggage, "_files_of", lambda _: [(name, tmp_path / "text")])
    (tmp_path / "text").write_text("")
    content, blob = packed(["any"], SIGNER)
    with pytest.raises(SerialisationError, match="was not written by wfnb"):
        unpack(blob, SIGNER, content, into=tmp_path / "worker" / "deep")
    assert not (tmp_path / "worker" / "x.py").exists()


def test_what_was_unpacked_before_makes_room(write, tmp_path):
    write(near_o="A = 1")
    first = unpack(*_sealed("near_o"), into=tmp_path)
    write(near_o="A = 2")
    second = unpack(*_sealed("near_o"), into=tmp_path)
    assert (second / "near_o.py").read_text() == "A = 2"
    assert not first.exists()


def _sealed(module):
    content, blob = packed([module], SIGNER)
    return blob, SIGNER, content


@task
def same(value):
    return value


def test_a_graph_takes_modules_along_only_for_workers_that_see_no_files():
    graph = freeze([same(1)])
    here = dump_graph(graph, SIGNER, "run")
    away = dump_graph(graph, SIGNER, "run", sees_files=False)
    assert here.constants == {}
    assert load_graph(here.graph, SIGNER, "run").home.luggage == ""
    home = load_graph(away.graph, SIGNER, "run").home
    assert (home.folder, home.path) == ("", ())
    assert set(away.constants) == {home.luggage}


def test_a_graph_of_cells_alone_takes_nothing_along(cell):
    space = cell("def double(x):\n    return 2 * x\n")
    dumped = dump_graph(freeze([task(space["double"])(2)]), SIGNER, "run", sees_files=False)
    assert dumped.constants == {}


def test_whatever_a_pickle_makes_is_followed(write, cell):
    write(near_p="")
    space = cell(
        """
        import collections, datetime, decimal, enum, functools, re, near_p
        import numpy as np
        class Colour(enum.Enum):
            RED = 1
        class Words(dict):
            pass
        class Row(list):
            pass
        """
    )
    np, functools = space["np"], space["functools"]
    values = [
        space["Colour"].RED,
        space["Words"]({1: 2}),
        space["Row"]([1, 2]),
        {space["Colour"].RED: {1, frozenset({2})}},
        space["collections"].OrderedDict(a=1),
        space["collections"].deque([1]),
        space["datetime"].datetime(2026, 1, 1),
        space["decimal"].Decimal(1),
        space["re"].compile("x"),
        functools.partial(max, 1),
        [].append,
        np.arange(10_000),
        np.float64(1),
        np.array([{1: 2}], dtype=object),
        ValueError("x"),
        lambda: 1,
        functools.lru_cache(lambda: 1),
        property(lambda self: 1),
    ]
    for value in values:
        assert "near_p" not in found_in(value), value
