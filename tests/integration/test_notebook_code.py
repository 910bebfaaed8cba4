"""Functions as users write them: in cells, scripts, modules, classes; and never a stale one."""

from __future__ import annotations

import atexit
import functools
import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.kernels import executed
from wfnb import task
from wfnb.choices import Choices
from wfnb.errors import SerialisationError, TaskError
from wfnb.session import Session

PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def warm() -> Iterator[Session]:
    session = Session(Choices(workers=2))
    session.connection()
    yield session
    session.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from, and forgotten after the test."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", "") in {str(p) for p in tmp_path.rglob("*.py")}:
            del sys.modules[name]


class Notebook:
    """Cells in one namespace, run through IPython as a kernel would."""

    def __init__(self, session: Session) -> None:
        self.shell = InteractiveShell()
        self.shell.user_ns["run"] = functools.partial(session.run, timeout=PATIENCE_SECONDS)
        self.shell.user_ns["start"] = session.start

    def cell(self, code: str) -> Any:
        ran = self.shell.run_cell(textwrap.dedent(code), store_history=True, silent=False)
        ran.raise_error()
        return ran.result

    def close(self) -> None:
        self.shell.atexit_operations()
        atexit.unregister(self.shell.atexit_operations)


@pytest.fixture
def notebook(warm: Session, capsys: pytest.CaptureFixture[str]) -> Iterator[Notebook]:
    main, hook, prompt = sys.modules["__main__"], sys.displayhook, sys.excepthook
    notebook = Notebook(warm)
    sys.modules["__main__"] = notebook.shell.user_module
    yield notebook
    sys.modules["__main__"], sys.displayhook, sys.excepthook = main, hook, prompt
    notebook.close()


def test_a_cell_defines_and_another_runs(notebook: Notebook) -> None:
    notebook.cell("""
        from wfnb import task
        import math
        factor = 3
        def helper(n):
            return math.sqrt(n) * factor
        @task
        def scaled(n):
            return helper(n)
    """)
    assert notebook.cell("run(scaled(16))") == 12.0


def test_a_redefined_helper_or_variable_is_never_stale(notebook: Notebook) -> None:
    notebook.cell("""
        from wfnb import task
        factor = 1
        def helper(n): return n
        @task
        def scaled(n): return helper(n) * factor
    """)
    assert notebook.cell("run(scaled(2))") == 2
    notebook.cell("factor = 10")
    assert notebook.cell("run(scaled(2))") == 20
    notebook.cell("def helper(n): return n + 1")
    assert notebook.cell("run(scaled(2))") == 30
    notebook.cell("@task\ndef scaled(n): return -n")
    assert notebook.cell("run(scaled(2))") == -2


def test_a_class_of_a_cell_is_one_class_everywhere(notebook: Notebook) -> None:
    notebook.cell("""
        from dataclasses import dataclass
        from wfnb import task
        @dataclass
        class Reading:
            value: float
        @task
        def double(reading):
            assert isinstance(reading, Reading), type(reading)
            return Reading(reading.value * 2)
        @task
        def check(*readings):
            return [isinstance(reading, Reading) for reading in readings]
    """)
    notebook.cell("found = run(double(double(Reading(1.5))))")
    assert notebook.cell("isinstance(found, Reading) and found == Reading(6.0)")
    assert notebook.cell("run(check(Reading(1), double(Reading(1))))") == [True, True]


def test_a_class_whose_helper_is_redefined_is_never_stale(notebook: Notebook) -> None:
    notebook.cell("""
        from wfnb import task
        def weight(n): return n
        class Model:
            def __init__(self, n): self.n = n
            def score(self): return weight(self.n)
        @task
        def score(model): return model.score()
    """)
    assert notebook.cell("run(score(Model(2)), score(Model(3)))") == (2, 3)
    notebook.cell("def weight(n): return 100 * n")
    assert notebook.cell("run(score(Model(2)), score(Model(3)))") == (200, 300)


def test_a_traceback_quotes_the_cell(notebook: Notebook, warm: Session) -> None:
    notebook.cell("""
        from wfnb import task
        def ratio(n):
            return 1 / n  # the culprit
        @task
        def divide(n):
            return ratio(n)
    """)
    run = notebook.cell("start(divide(0))")
    assert run.wait(PATIENCE_SECONDS)
    (record,) = run.errors
    assert "return 1 / n  # the culprit" in record.traceback
    assert "return ratio(n)" in record.traceback
    assert record.traceback.count('File "') == 2


def test_a_method_of_a_cells_class_runs_with_its_instance(notebook: Notebook) -> None:
    notebook.cell("""
        from wfnb import task
        class Scale:
            unit = 10
            def __init__(self, by): self.by = by
            @task
            def apply(self, n): return n * self.by
            @classmethod
            @task
            def of(cls, n): return cls(n).by * cls.unit
            @staticmethod
            @task
            def half(n): return n / 2
        scale = Scale(3)
    """)
    assert notebook.cell("run(scale.apply(2), Scale.of(4), Scale.half(5), scale.half(1))") == (
        6,
        40,
        2.5,
        0.5,
    )


def test_running_a_cell_twice_changes_nothing(notebook: Notebook) -> None:
    notebook.cell(
        "from wfnb import task\n@task\ndef one(): return 1\n@task\ndef add(*n): return sum(n)"
    )
    cell = (
        "parts = [one() for _ in range(3)]\ntotal = add(*parts)\nrun(total), start(total).graph.ids"
    )
    first = notebook.cell(cell)
    assert notebook.cell(cell) == first == (3, ("one-0", "one-1", "one-2", "add-0"))


def test_a_task_that_calls_itself_or_its_partner_calls_plainly(notebook: Notebook) -> None:
    notebook.cell("""
        from wfnb import task
        @task
        def factorial(n, least=1): return least if n <= least else n * factorial(n - 1)
        @task
        def even(n): return n == 0 or odd(n - 1)
        @task
        def odd(n): return n != 0 and even(n - 1)
    """)
    assert notebook.cell("run(factorial(5), even(10), odd(10))") == (120, True, False)


def test_a_task_may_use_processes_and_threads_of_its_own(notebook: Notebook) -> None:
    notebook.cell("""
        from concurrent.futures import ThreadPoolExecutor
        import multiprocessing
        from wfnb import task
        @task
        def one(n): return n + 1
        @task
        def threads(n):
            with ThreadPoolExecutor(2) as pool:
                return list(pool.map(one, range(n)))
        @task
        def processes(n):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                return pool.map(abs, range(-n, 0))
    """)
    assert notebook.cell("run(threads(3), processes(3))") == ([1, 2, 3], [3, 2, 1])


def test_a_lock_in_the_notebook_is_named(notebook: Notebook) -> None:
    notebook.cell("""
        import threading
        from wfnb import task
        guard = threading.Lock()
        @task
        def guarded(): return guard.locked()
    """)
    with pytest.raises(SerialisationError, match=r"guarded-0: .*`guard`, a _thread.lock"):
        notebook.cell("run(guarded())")


def test_unused_names_of_the_notebook_stay_there(notebook: Notebook) -> None:
    notebook.cell("""
        import threading
        from wfnb import task
        huge, lock = bytearray(10_000_000), threading.Lock()
        @task
        def small(): return 1
    """)
    assert notebook.cell("run(small())") == 1


def closure_of(factor: int) -> Any:
    def times(number: int) -> int:
        return number * factor

    return times


class Adder:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, number: int) -> int:
        return number + self.by

    def method(self, number: int) -> int:
        return number - self.by


@functools.lru_cache
def cached(number: int) -> int:
    return number + 100


def recursive(number: int) -> int:
    return 1 if number <= 1 else number * recursive(number - 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda number: number + 1, 6),
        (closure_of(3), 15),
        (functools.partial(closure_of(1), 7), None),
        (Adder(10), 15),
        (Adder(1).method, 4),
        (cached, 105),
        (recursive, 120),
        (abs, 5),
        (str, "5"),
        (range, range(5)),
        ([1, 2, 3].count, 0),
    ],
    ids=[
        "lambda",
        "closure",
        "partial",
        "callable",
        "bound_method",
        "cached",
        "recursive",
        "builtin",
        "str",
        "range",
        "of_a_list",
    ],
)
def test_anything_callable_is_a_task(warm: Session, function: Any, expected: Any) -> None:
    call = task(function)() if expected is None else task(function)(5)
    assert warm.run(call, timeout=PATIENCE_SECONDS) == (7 if expected is None else expected)


def test_a_changed_module_is_never_stale_for_warm_workers(warm: Session, folder: Path) -> None:
    source = folder / "edited_by_user.py"
    for version in range(5):
        source.write_text(f"def answer():\n    return {version}\n")
        if version == 0:
            importlib.invalidate_caches()
            module = importlib.import_module("edited_by_user")
        ask = [task(module.answer)() for _ in range(4)]
        assert warm.run(ask, timeout=PATIENCE_SECONDS) == [version] * 4


def test_a_changed_module_that_a_task_imports_is_never_stale(warm: Session, folder: Path) -> None:
    @task
    def ask() -> int:
        return importlib.import_module("inner_of_user").VALUE

    for version in range(4):
        (folder / "inner_of_user.py").write_text(f"VALUE = {version}\n")
        assert warm.run([ask(), ask(), ask()], timeout=PATIENCE_SECONDS) == [version] * 3


def test_a_module_whose_file_is_gone_travels_along(warm: Session, folder: Path) -> None:
    (folder / "gone_soon.py").write_text("def answer():\n    return 1\n")
    importlib.invalidate_caches()
    answer = importlib.import_module("gone_soon").answer
    (folder / "gone_soon.py").unlink()
    assert warm.run(task(answer)(), timeout=PATIENCE_SECONDS) == 1


def test_a_module_that_breaks_on_the_workers_is_told_by_name(warm: Session, folder: Path) -> None:
    (folder / "breaks.py").write_text("def answer():\n    return 1\n")
    importlib.invalidate_caches()
    answer = importlib.import_module("breaks").answer
    (folder / "breaks.py").write_text("raise OSError('no license')\n")
    run = warm.start(task(answer)())
    with pytest.raises(TaskError, match=r"answer(.|\n)*no license"):
        run.result(PATIENCE_SECONDS)


SCRIPT = """
import wfnb
from dataclasses import dataclass

@dataclass(frozen=True)
class Word:
    text: str

def helper(word):
    return Word(word.text.upper())

@wfnb.task
def shout(word):
    assert isinstance(word, Word)
    return helper(word)

@wfnb.task
def fail():
    return 1 / 0

if __name__ == "__main__":
    wfnb.connect(workers=2)
    assert wfnb.run(shout(shout(Word("hey")))) == Word("HEY")
    try:
        wfnb.run(fail())
    except wfnb.TaskError as error:
        assert "return 1 / 0" in str(error), error
    print("well")
"""


def test_a_script_runs_its_own_functions(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (ran.stdout, ran.stderr) == ("well\n", "")


KERNEL_CELLS = (
    "import wfnb; wfnb.connect(workers=2)",
    """
from dataclasses import dataclass
@dataclass
class Reading:
    value: float
def ratio(reading):
    return Reading(1 / reading.value)  # the culprit
""",
    """
@wfnb.task
def invert(reading):
    assert isinstance(reading, Reading)
    return ratio(reading)
""",
    "assert wfnb.run(invert(invert(Reading(4)))) == Reading(4)",
    "run = wfnb.start(invert(Reading(0))); run.wait(60)",
    "assert '# the culprit' in run.errors[0].traceback, run.errors[0].traceback",
    "assert run.errors[0].traceback.count('File ') == 2, run.errors[0].traceback",
    "wfnb.session.default_session().close()",
)


def test_a_real_kernel_does_the_same(tmp_path: Path) -> None:
    ran = executed(KERNEL_CELLS, tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_code_from_standard_input_runs_too(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace('assert "return', 'assert True or "return')],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (ran.stdout, ran.stderr) == ("well\n", "")
