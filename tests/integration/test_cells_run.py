"""Cells as tasks, in workers: what they capture, what they give, how they fail."""

from __future__ import annotations

import atexit
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.kernels import executed
from wfnb import extension
from wfnb.session import Choices, Session

PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def warm() -> Iterator[Session]:
    session = Session(Choices(workers=2))
    session.connection()
    yield session
    session.close()


class Notebook:
    """Cells with ids in one namespace, run through IPython as a kernel would."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shell = InteractiveShell()
        extension.install(self.shell, session)

    def cell(self, code: str, id: str | None = None) -> Any:
        ran = self.shell.run_cell(textwrap.dedent(code), store_history=True, cell_id=id)
        ran.raise_error()
        return ran.result

    def run(self, *names: str) -> None:
        self.cell(f"%wf run {' '.join(names)} --timeout {PATIENCE_SECONDS} --fresh")

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]

    def close(self) -> None:
        extension.uninstall(self.shell)
        self.shell.atexit_operations()
        atexit.unregister(self.shell.atexit_operations)


@pytest.fixture
def notebook(warm: Session, capsys: pytest.CaptureFixture[str]) -> Iterator[Notebook]:
    main, hook, prompt = sys.modules["__main__"], sys.displayhook, sys.excepthook
    warm.draft = type(warm.draft)()
    notebook = Notebook(warm)
    sys.modules["__main__"] = notebook.shell.user_module
    yield notebook
    sys.modules["__main__"], sys.displayhook, sys.excepthook = main, hook, prompt
    notebook.close()


def test_cells_run_in_workers_and_their_outputs_come_back(notebook: Notebook) -> None:
    notebook.cell("import os\nhere = os.getpid()")
    notebook.cell("%%task load\nrows = list(range(10))\nwhere = os.getpid()")
    notebook.cell("%%task\ntotal = sum(rows)")
    notebook.run("load", "total")
    assert notebook["total"] == 45
    assert notebook["rows"] == list(range(10))
    assert notebook["where"] != notebook["here"]


def test_a_chain_over_one_name_and_its_first_cell_again(notebook: Notebook) -> None:
    notebook.cell("%%task a\nx = 1", "1")
    notebook.cell("%%task b\nx += 1", "2")
    notebook.cell("%%task c\ny = x", "3")
    notebook.run()
    assert notebook["y"] == 2
    notebook.cell("%%task a\nx = 40", "1")
    notebook.run()
    assert notebook["y"] == 41


def test_functions_classes_modules_and_data_are_captured(notebook: Notebook) -> None:
    notebook.cell("""
        import math
        from collections import Counter
        from dataclasses import dataclass
        factor = 3
        def scaled(n): return math.sqrt(n) * factor
        @dataclass
        class Reading:
            value: float
            def double(self): return Reading(2 * self.value)
        readings = [Reading(1.0), Reading(4.0)]
    """)
    notebook.cell("""
        %%task used
        assert all(isinstance(one, Reading) for one in readings)
        values = [scaled(one.double().value) for one in readings]
        counted = Counter("aab")
    """)
    notebook.cell("%%task\nback = [Reading(value) for value in values], counted['a']")
    notebook.run("back")
    expected = "[Reading(scaled(2.0)), Reading(scaled(8.0))], 2"
    assert notebook.cell(f"back == ({expected})")


def test_what_a_cell_defines_is_used_by_others(notebook: Notebook) -> None:
    notebook.cell("""
        %%task tools
        import functools
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int
            def moved(self, by): return Point(self.x + by)
        @functools.cache
        def step(n): return 1 if n < 2 else step(n - 1) + step(n - 2)
    """)
    notebook.cell("%%task\nend = Point(1).moved(step(5))")
    notebook.cell("%%task\nis_same = isinstance(end, Point) and type(end) is Point")
    notebook.run("end", "is_same", "tools")
    assert notebook["is_same"] is True
    assert notebook.cell("end.x, step(5), Point(3).moved(1).x") == (9, 8, 4)


def test_plain_cells_and_tasks_of_cells_mix(notebook: Notebook) -> None:
    notebook.cell("from wfnb import task\n@task\ndef inc(n): return n + 1")
    notebook.cell("first = inc(1)")
    notebook.cell("%%task\nlow, high = first, first * 10")
    notebook.cell("@task\ndef both(*n): return sum(n)\ntotal = both(inc(low), high)")
    notebook.cell("%%task last\n@task\ndef half(n): return n / 2\nend = half(total) + inc(0)")
    notebook.run("last")
    assert notebook["end"] == (3 + 20) / 2 + 1


def test_a_map_over_a_cells_output(notebook: Notebook) -> None:
    notebook.cell("from wfnb import task\n@task\ndef inc(n): return n + 1")
    notebook.cell("%%task\nns, k = list(range(4)), 2")
    notebook.cell("@task\ndef times(n, k): return n * k\nproducts = times.map(inc.map(ns), k=k)")
    notebook.cell("%%task\nbest = max(products)")
    notebook.run("best")
    assert notebook["best"] == 8


def test_a_traceback_points_at_the_users_cell_and_line(notebook: Notebook) -> None:
    notebook.cell("def ratio(n):\n    return 1 / n  # the helper")
    notebook.cell(
        "%%task broken\nx = 0\ndef inner():\n    return ratio(x)  # the call\n\ny = inner()"
    )
    with pytest.raises(Exception, match="ZeroDivisionError") as raised:
        notebook.run("broken")
    (record,) = notebook.session.last.errors
    for quoted in ("y = inner()", "return ratio(x)  # the call", "return 1 / n  # the helper"):
        assert quoted in record.traceback
        assert quoted in str(raised.value)
    assert "line 6, in broken" in record.traceback
    assert record.traceback.count('File "') == 3


def test_an_output_that_was_not_defined_is_told(notebook: Notebook) -> None:
    notebook.cell("%%task odd\nn = 2\nif n % 2:\n    found = n")
    with pytest.raises(Exception, match=r"odd, line 4: the cell has ended .* for `found`"):
        notebook.run("odd")


def test_a_module_that_is_missing_there_is_told_where_it_is_read(notebook: Notebook) -> None:
    notebook.cell("%%task a\nimport json as tool\ntext = '1'")
    notebook.cell("%%task b\n\nvalue = tool.loads(text)")
    notebook.run("b")
    assert notebook["value"] == 1


def test_large_data_goes_as_an_argument_and_a_lock_is_named(notebook: Notebook) -> None:
    notebook.cell("import threading\nguard, big = threading.Lock(), bytes(5_000_000)")
    notebook.cell("%%task\nsize = len(big)")
    notebook.run("size")
    assert notebook["size"] == 5_000_000
    notebook.cell("%%task\nheld = guard.locked()")
    with pytest.raises(Exception, match=r"lock.*: make it inside the function"):
        notebook.run("held")


def test_mutation_in_a_task_stays_there(notebook: Notebook) -> None:
    notebook.cell("rows = [1]")
    notebook.cell("%%task a --no-bind\nrows[0] = 5")
    notebook.cell("%%task b\nmore = rows + [2]")
    notebook.run("b")
    assert notebook["rows"] == [1]
    assert notebook["more"] == [1, 2]  # the name is the user's own: it was not bound


KERNEL_CELLS = (
    "%load_ext wfnb\n%wf connect --workers 2",
    "%%task load\nimport math\nrows, k = [1, 2, 3], 2",
    "%%task\ntotal = math.fsum(rows) * k",
    "%wf run",
    "assert total == 12.0, total",
    "%%task bad\nx = 1\ny = x / 0  # the culprit",
    "run = wfnb.start(y); run.wait(60)",
    "(record,) = run.errors\nassert 'line 3, in bad' in record.traceback, record.traceback",
    "assert '# the culprit' in record.traceback, record.traceback",
    "wfnb.session.default_session().close()",
)


def test_a_real_kernel_does_the_same(tmp_path: Path) -> None:
    ran = executed(("import wfnb, wfnb.session", *KERNEL_CELLS), tmp_path)
    assert ran.returncode == 0, ran.stderr
