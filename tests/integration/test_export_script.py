"""Scripts that were written from a notebook give what the notebook's own run gives."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.exported import DATA, Notebook
from tests.sessions import session
from wfnb.exports import export
from wfnb.exports.replay import load

__all__ = ["session"]


@pytest.fixture
def notebook():
    notebook = Notebook()
    yield notebook
    notebook.close()


def printed(path):
    """The values that a script prints, in a process that knows nothing of the notebook."""
    done = subprocess.run(
        [sys.executable, "-P", str(path)],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [ast.literal_eval(line) for line in done.stdout.splitlines()]


def test_functions_maps_and_all_they_use(notebook, session, tmp_path):
    notebook.cell("""
import math as maths
import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from wfnb import task, Resources

WEIGHTS = {"a": 1.5, "b": [2, None], "home": Path("x")}

@dataclass
class Row:
    name: str
    size: int = 0

    def grown(self, by):
        return Row(self.name, maths.floor(self.size * by))

@functools.cache
def weight(name):
    return WEIGHTS.get(name[:1]) or 1
""")
    notebook.cell("""
@task(retries=1, resources=Resources(cpus=1))
def measure(name, times=2):
    return Row(name, len(name)).grown(times)

@task
def total(rows):
    return {row.name: row.size for row in rows}

@task
def names(sizes):
    return sorted(sizes)

def scored(name, sizes):
    return name, sizes[name], str(weight(name))
score = task(scored, name="score")
""")
    notebook.cell("""
rows = [measure(name) for name in ("alpha", "gamma", "delta")]
extra = measure("beta", times=10)
sizes = total([*rows, extra])
scores = score.map(names(sizes), sizes=sizes)
best = task(max)(scores)
""")
    expected = session.run([notebook.names["scores"], notebook.names["best"]])
    notebook.cell("kept = [scores, best]")
    path = export([notebook.names["scores"], notebook.names["best"]], tmp_path / "flow.py")
    assert printed(path) == expected
    path = export(notebook.draft, tmp_path / "draft.py")
    assert printed(path) == expected[1:]


def test_cells_that_are_tasks(notebook, session, tmp_path):
    notebook.cell("import math\nlimit = 3\ndef shout(x):\n    return x.upper() * limit\n")
    notebook.task(
        "import json\nrows = [shout(x) for x in 'ab']\nn = len(rows) + limit\n", name="read"
    )
    notebook.task("total = n + math.floor(1.5)\n")
    notebook.task('both = json.dumps([rows, total])\ntext = """a\n  b"""\n')
    targets = list(notebook.draft.sinks)
    expected = session.run(targets)
    path = export(notebook.draft, tmp_path / "cells.py")
    assert printed(path) == expected


def test_a_recorded_workflow_is_replayed_and_its_run_told_again(session, tmp_path):
    graph = load(DATA / "survey-1.5.json", time_scale=0.001, data_scale=0.01)
    run = session.start(graph)
    assert {name: len(data) for name, data in run.result(60).items()} == {"found.tsv": 40}
    for suffix in ("json", "mmd", "svg"):
        assert export(run, tmp_path / f"run.{suffix}").stat().st_size > 200
    again = load(tmp_path / "run.json")
    assert set(again.ids) == set(graph.ids)
    assert {t: set(again.inputs(t)) for t in again} == {t: set(graph.inputs(t)) for t in graph}
