"""The tour: its plain functions, its graph, and that notebook and demo say the same."""

from __future__ import annotations

import json
import keyword
import os
import sysconfig
import tokenize
from collections import Counter
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from wfnb import demo
from wfnb.freezing import freeze

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_tour.ipynb"
FILES = {
    "one.py": "class Box:\n    def open(self): return self.lid\n",
    "two.py": "def open(path): return path\ndef open(other): return other\n",
    "sub/three.py": "async def open(): pass\n",
    "empty.py": "",
    "latin.py": b"name = '\xe9'\n",
    "torn.py": "def open(:\n    '''never closed\n",
    "test/skipped.py": "def skipped(): pass\n",
    "notes.txt": "def skipped(): pass\n",
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    return tmp_path


def cells(kind: str) -> dict[str, str]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return {
        cell["id"]: "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == kind
    }


def test_sources_are_sorted_and_leave_out_tests_and_other_files(library: Path) -> None:
    found = demo.sources()
    assert found == ["empty.py", "latin.py", "one.py", "sub/three.py", "torn.py", "two.py"]


def test_every_path_is_dealt_once_and_no_chunk_is_empty() -> None:
    paths = [f"{n}.py" for n in range(10)]
    assert demo.deal(paths, 4)[0] == ["0.py", "4.py", "8.py"]
    assert sorted(path for chunk in demo.deal(paths, 4) for path in chunk) == paths
    assert demo.deal(paths[:2], 4) == [["0.py"], ["1.py"]]


def test_a_tally_counts_names_keywords_operators_and_definitions(library: Path) -> None:
    index = demo.tally(["one.py", "two.py"])
    assert index["symbols"] == {"open": 3, "Box": 1}
    assert index["places"] == {
        ("Box", "one.py"): 1,
        ("open", "one.py"): 1,
        ("open", "two.py"): 2,
    }
    assert index["keywords"] == {"class": 1, "def": 3, "return": 3}
    assert index["names"] == {"Box": 1, "open": 3, "self": 2, "lid": 1, "path": 2, "other": 2}
    assert index["operators"]["."] == 1
    assert index["totals"]["files"] == 2


def test_a_file_that_cannot_be_read_is_counted_but_leaves_nothing_half_read(library: Path) -> None:
    index = demo.tally(["latin.py", "torn.py", "empty.py"])
    assert index["totals"] == {"files": 3, "unreadable": 2, "tokens": 1}
    assert not index["names"]


def test_the_order_of_equal_counts_is_alphabetical(library: Path) -> None:
    index = demo.tally(demo.sources())
    assert demo.table(index, "keywords", top=2) == [("def", 4), ("return", 3)]
    assert demo.table(index, "longest", top=3) == [("other", 5), ("open", 4), ("path", 4)]
    assert demo.table(index, "symbols", top=2) == [("open", 4, "two.py"), ("Box", 1, "one.py")]


@pytest.mark.parametrize("chunks", [1, 2, 3, 5])
def test_the_answer_does_not_depend_on_how_the_files_were_dealt(library: Path, chunks: int) -> None:
    index = reduce(demo.combine, map(demo.tally, demo.deal(demo.sources(), chunks)))
    ranking = {s: demo.table(index, s, top=demo.TOP) for s in demo.SECTIONS}
    assert ranking == demo.expected()


def test_the_report_has_a_line_for_each_section(library: Path) -> None:
    lines = demo.report(demo.expected()).splitlines()
    assert [line.split()[0] for line in lines] == list(demo.SECTIONS)


def test_the_graph_has_about_200_tasks_with_readable_ids() -> None:
    graph = freeze([demo.build()])
    kinds = Counter(task.rsplit("-", 1)[0] for task in graph)
    assert kinds == {"count": 96, "merge": 95, "rank": 6, "gather": 1}
    assert graph.targets == ("gather-0",)


def test_the_notebook_is_well_formed() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert len(cells("code")) + len(cells("markdown")) == len(notebook["cells"])


def test_the_notebook_and_the_demo_count_alike(library: Path) -> None:
    modules = (Counter, Path, keyword, os, sysconfig, tokenize)
    names: dict[str, Any] = {module.__name__: module for module in modules}
    exec(cells("code")["ordinary-functions"], names)
    paths = names["sources"]()
    index = names["tally"](paths)
    assert paths == demo.sources()
    assert {s: names["table"](index, s, demo.TOP) for s in names["SECTIONS"]} == demo.expected()
