"""`%%task` in an IPython of this process; runs are inline, on the store in memory."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from tests.shells import session, shell, the_shell
from wfnb.session import Session

__all__ = ["session", "shell", "the_shell"]


class Cells:
    """Cells with ids, as a front end runs them."""

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._capsys = capsys

    def __call__(self, code: str, id: str | None = None) -> str:
        """What the cell writes; its error, if it raises one, is raised here."""
        self._capsys.readouterr()
        done = self.shell.run_cell(code, store_history=True, cell_id=id)
        done.raise_error()
        return self._capsys.readouterr().out

    def refused(self, code: str, id: str | None = None) -> str:
        """The one line that a cell is answered with which cannot be a task."""
        self._capsys.readouterr()
        done = self.shell.run_cell(code, store_history=True, cell_id=id)
        assert not done.success
        written = self._capsys.readouterr()
        shown = (written.out + written.err).strip()
        assert len(shown.splitlines()) == 1, shown
        return shown

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.shell.user_ns

    def run(self, *names: str, options: str = "") -> None:
        self(f"%wf run {' '.join(names)} {options}")


@pytest.fixture
def cells(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Cells:
    return Cells(shell, capsys)


def test_a_cell_is_a_task_and_its_outputs_are_bound_after_a_run(cells: Cells) -> None:
    assert cells("%%task\ntotal = 1 + 1") == "task total: nothing -> total\n"
    assert repr(cells["total"]) == "<task total>"
    cells.run("total")
    assert cells["total"] == 2


def test_several_outputs_are_bound_under_their_names(cells: Cells) -> None:
    told = cells("%%task split\nfirst, *rest = [1, 2, 3]")
    assert told == "task split: nothing -> first, rest\n"
    cells("%%task\nn = first + sum(rest)")
    cells.run()
    assert cells["n"] == 6
    assert repr(cells["first"]) == "<first of <task split>>"
    cells.run("split")
    assert (cells["first"], cells["rest"]) == (1, [2, 3])


def test_a_chain_over_one_name(cells: Cells, session: Session) -> None:
    cells("%%task start\nx = 1", "a")
    cells("%%task more\nx += 1", "b")
    cells("%%task last\ny = x", "c")
    assert session.draft.freeze().inputs("last") == ("more",)
    cells.run("last")
    assert cells["y"] == 2
    cells("%%task start\nx = 10", "a")
    assert session.draft.freeze().inputs("last") == ("more",)
    cells.run("y")
    assert cells["y"] == 11
    cells.run("more")
    assert cells["x"] == 11


def test_running_a_cell_again_changes_what_reads_it(cells: Cells, session: Session) -> None:
    cells("%%task load\ndata = [1, 2]", "a")
    cells("%%task\ntotal = sum(data)", "b")
    handle = cells["data"]
    cells("%%task load\ndata = [1, 2, 3]", "a")
    assert cells["data"] is handle
    cells.run()
    assert cells["total"] == 6
    assert session.draft.names == ("load", "total")


def test_a_cell_that_augments_its_own_name_can_be_run_again(cells: Cells) -> None:
    cells("x = 1")
    cells("%%task\nx += 1", "a")
    cells("%%task\nx += 2", "a")
    cells.run("x")
    assert cells["x"] == 3


def test_what_the_user_has_bound_anew_is_captured(cells: Cells) -> None:
    cells("%%task\nx = 1", "a")
    cells("x = 5", "b")
    cells("%%task\ny = x", "c")
    cells.run("y")
    assert cells["y"] == 5


def test_what_a_run_has_bound_still_means_the_cell(cells: Cells) -> None:
    cells("%%task\nx = 1", "a")
    cells.run("x")
    cells("%%task\ny = x", "b")
    cells("%%task\nx = 2", "a")
    cells.run("y")
    assert cells["y"] == 2


def test_a_variable_is_captured_as_it_was_unless_its_own_cell_is_run_again(cells: Cells) -> None:
    cells("limit = 1\ndef twice(n): return 2 * n", "a")
    cells("%%task\ny = twice(limit)", "b")
    cells("limit = 100", "other")
    cells.run("y")
    assert cells["y"] == 2
    cells("limit = 3\ndef twice(n): return 20 * n", "a")
    cells.run("y")
    assert cells["y"] == 60


def test_plain_cells_compose_on_a_cells_output_and_the_other_way_round(cells: Cells) -> None:
    cells("from wfnb import task\n@task\ndef one(*n): return 1 + sum(n)")
    cells("first = one()")
    cells("%%task pair\nleft, right = first, first + 1")
    cells("total = one(left, right)\ncells = [one(left), one(right)]")
    cells("%%task\nlast = total * sum(cells)")
    cells.run("last")
    assert cells["last"] == 4 * 5


def test_a_task_function_in_a_cell_is_called_plainly(cells: Cells) -> None:
    cells("from wfnb import task")
    cells("%%task\n@task\ndef inc(n): return n + 1\ntwo = inc(inc(0))")
    cells("%%task\nthree = inc(two)")
    cells.run("three")
    assert cells["three"] == 3


def test_an_import_of_a_cell_is_there_for_those_that_read_it(cells: Cells) -> None:
    cells("%%task\nimport json as j, os.path\nfrom math import pi\ntext = j.dumps([1])")
    assert cells("%%task\nvalue = j.loads(text), pi > 3, os.path.sep") == (
        "task value: text, j, pi, os -> value\n"
    )
    cells.run()
    assert cells["value"] == ([1], True, "/")


def test_writes_to_what_comes_from_elsewhere_are_a_new_version(cells: Cells) -> None:
    cells("%%task\nrow = {'a': 1}")
    assert cells("%%task more\nrow['b'] = 2") == "task more: row -> row\n"
    cells("%%task\nkeys = sorted(row)")
    cells.run("keys")
    assert cells["keys"] == ["a", "b"]


def test_a_method_that_tends_to_change_is_told(cells: Cells) -> None:
    cells("%%task\nrows = [1]")
    assert "--out rows hands it on" in cells("%%task more\nrows.append(2)", "a")
    assert "note" not in cells("%%task more --out rows\nrows.append(2)", "a")
    cells("%%task\nn = len(rows)")
    cells.run("n")
    assert cells["n"] == 2


def test_what_is_left_alone_on_request(cells: Cells) -> None:
    cells("%%task a --no-bind\nhidden = 1")
    assert "hidden" not in cells
    cells("%%task b\nshown = hidden")
    cells.run("b", options="--no-bind")
    assert repr(cells["shown"]) == "<task b>"


def test_inputs_and_outputs_as_asked(cells: Cells) -> None:
    cells("big, small = [1] * 3, 2")
    assert cells("%%task a --in small --out n,i\nfor i in range(small): n = i") == (
        "task a: small -> n, i\n"
    )
    assert "limit" in cells("limit = 1") + cells("%%task b --in limit\nq = 'a > @limit'")
    cells.run("a")
    assert (cells["n"], cells["i"]) == (1, 1)


def test_options_are_those_of_task(cells: Cells, session: Session) -> None:
    cells(
        "%%task a --cpus 2 --memory 1GB --retries 3 --timeout 5 --io linear\nx = 1",
    )
    options = session.draft.freeze().options("a")
    assert (options.retries, options.timeout_seconds, options.io) == (3, 5.0, "linear")
    assert (options.resources.cpus, options.resources.memory) == (2, "1GB")
    assert options.reuse
    cells("%%task b --no-reuse --more-memory 1.5\nz = 1")
    options = session.draft.freeze().options("b")
    assert (options.reuse, options.more_memory) == (False, 1.5)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("%%task a\nx = 1\nfrom math import *", "a, line 3: `from math import *` hides"),
        ("%%task a\nx = 1\nawait f()", "a, line 3: `await f()`: 'await' outside function: await"),
        ("%%task a\nreturn 1", "a, line 2: `return 1`: 'return' outside function: put this into"),
        ("%%task a\nyield 1", "a, line 2: `yield 1`"),
        ("%%task a\n\nx = = 1", "a, line 3: `x = = 1`: invalid syntax: mend it"),
        ("%%task a\n%time x = 1", "a, line 2: `%time x = 1` is for the notebook"),
        ("%%task a\nx = !ls", "`x = !ls` is for the notebook"),
        ("%%task a\nget_ipython().magic", "a, line 2: get_ipython() is the notebook's"),
        ("%%task a\ny = nowhere + 1", "a, line 2: nothing defines `nowhere`: run the cell that"),
        ("%%task\nlenght = 1\ny = (lenth)", "line 3: nothing defines `lenth`"),
        (
            "%%task a --in q\nx = 1",
            "a, line 1: --in q: the cell does not read it; it reads nothing",
        ),
        (
            "%%task a --out q\nx = 1",
            "a, line 1: --out q: the cell does not define it; it defines x",
        ),
        ("%%task a --in 1q\nx = 1", "a, line 1: --in 1q: it is no name"),
        ("%%task a --fast\nx = 1", "unrecognized arguments: --fast; %%task? tells"),
        ("%%task a --cpus many\nx = 1", "argument --cpus: invalid float value: 'many'"),
        ("%%task a --memory much\nx = 1", "memory='much'"),
        ("%%task a --retries -1\nx = 1", "retries=-1"),
        ("%%task a --io sometimes\nx = 1", "io='sometimes'"),
        ("%%task a b\nx = 1", "unrecognized arguments: b"),
        ("%%task a/b\nx = 1", "'a/b' names no cell"),
        ("%%task ..\nx = 1", "'..' names no cell: begin with a letter"),
        ("%wf run --into 3d", "argument --into: '3d' is no name for a variable; %wf run --help"),
        ("%wf run --into for", "argument --into: 'for' is no name for a variable"),
        ("%wf run nowhere", "nowhere: name 'nowhere' is not defined; the draft has nothing"),
        ("%%task 'a\nx = 1", "close the quotes"),
        ("%%task a\n\n", "a, line 1: there is no code below"),
        ("%%task a\n# but a remark", "a, line 1: there is no code below"),
    ],
)
def test_a_cell_that_cannot_be_a_task_is_answered_in_one_line(
    cells: Cells, code: str, told: str
) -> None:
    shown = cells.refused(code)
    assert told in shown
    assert "Traceback" not in shown


def test_what_a_cell_does_not_hand_on_is_asked_of_that_cell(cells: Cells) -> None:
    cells("%%task count\nn = 0\nfor i in range(3):\n    n += i", "first")
    told = cells.refused("%%task\ny = i", "second")
    assert "line 2: the cell count has `i` and does not hand it on" in told
    assert "run that again with --out n,i" in told
    cells("%%task count --out n,i\nn = 0\nfor i in range(3):\n    n += i", "first")
    cells("%%task\ny = i", "second")
    cells.run("y")
    assert cells["y"] == 2


def test_a_cell_that_would_wait_for_itself_is_told_for_whom_it_waits(cells: Cells) -> None:
    cells("%%task a\nx = 1", "first")
    cells("%%task b\ny = x", "second")
    told = cells.refused("%%task a\nx = y + 1", "first")
    assert "a, line 2: `y` comes from the cell b, which needs what this one defines" in told
    cells.run("b")
    assert cells["y"] == 1


def test_requirements_are_told_apart_by_spaces_but_for_those_within_one(
    cells: Cells, session: Session
) -> None:
    for given, meant in (
        ("idna>=2 six", ("idna>=2", "six")),
        ("idna >= 2 six", ("idna>=2", "six")),
        ("idna >=2, <9 six [x] ==1", ("idna<9,>=2", "six[x]==1")),
        ("idna; python_version > '3'", ('idna; python_version > "3"',)),
        (" ", ()),
    ):
        cells(f'%%task a --requirements "{given}"\nx = 1', "first")
        assert session.draft.cell_tasks[0].code.wish.options.requirements == meant


def test_the_log_says_of_a_task_without_one_what_became_of_it(cells: Cells) -> None:
    cells("%%task a\nx = 1", "first")
    cells.run("a")
    assert cells("%wf log a").startswith("a (done) printed nothing in ")
    cells.run("a")
    assert cells("%wf log a").startswith("a (reused) printed nothing in ")


def test_a_log_keeps_its_colours_and_commands_no_terminal(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = "\x1b[31mred\x1b[0m \x1b]52;c;x\x07\u202eend\n"
    monkeypatch.setattr("wfnb.runner.Run.log", lambda run, task, attempt: printed)
    cells("%%task a\nx = 1", "first")
    cells.run("a")
    assert cells("%wf log a") == "\x1b[31mred\x1b[0m \ufffdend\n"


def test_a_graph_runs_beside_a_draft(cells: Cells, session: Session) -> None:
    cells("%%task a\nx = 1", "first")
    cells.shell.user_ns["g"] = session.draft.freeze()
    cells("%wf run g --into value")
    assert (cells["value"], session.run(cells["g"])) == (1, 1)


def test_a_name_is_one_cells(cells: Cells) -> None:
    cells("%%task a\nx = 1", "first")
    assert "another cell is named a already" in cells.refused("%%task a\ny = 1", "second")
    cells("%%task b\nx = 1", "first")
    cells("%%task a\ny = 1", "second")


def test_a_renamed_cell_is_the_same_task(cells: Cells, session: Session) -> None:
    cells("%%task a\nx = 1", "first")
    cells("%%task\ny = x", "second")
    cells("%%task b\nx = 2", "first")
    assert session.draft.names == ("b", "y")
    assert session.draft.freeze().inputs("y") == ("b",)


def test_a_cell_that_is_a_task_no_longer_says_who_needed_it(cells: Cells, session: Session) -> None:
    cells("%%task a\nx = 1", "first")
    cells("%%task\ny = x", "second")
    assert cells("x = 1", "first") == "dropped a; without it these cannot run: y\n"
    told = cells.refused("%wf run")
    assert "y cannot run: the cell a, which defined `x`, is a task no more: run the" in told
    cells("%%task\ny = x", "second")
    cells.run("y")
    assert cells["y"] == 1


def test_what_is_dropped_says_who_needed_it(cells: Cells, session: Session) -> None:
    cells("from wfnb import task\n@task\ndef one(*n): return 1 + sum(n)")
    cells("%%task load\nx, z = 1, 2")
    cells("%%task\ny = x")
    cells("plain = one(x)")
    assert cells("%wf drop load") == "dropped load; without it these cannot run: y, plain\n"
    assert "x" not in cells
    assert "`x`, `z` of the cell load" in cells.refused("%wf run plain")
    assert "`x`" in cells.refused("%wf run y")
    assert "nothing defines `x`" in cells.refused("%%task\nq = x")
    assert cells("%wf drop plain") == "dropped plain; nothing in the draft needs it\n"


def test_an_output_is_not_dropped_without_its_cell(cells: Cells) -> None:
    cells("%%task load\nx = 1")
    assert "the cell load defines it" in cells.refused("%wf drop x")


def test_outputs_of_another_form_are_taken_up_by_cells_and_refused_in_old_calls(
    cells: Cells,
) -> None:
    cells("from wfnb import task\n@task\ndef one(*n): return 1 + sum(n)")
    cells("%%task load\nx = 1", "a")
    cells("%%task\ny = x", "b")
    cells("plain = one(x)", "c")
    cells("%%task load\nx, z = 1, 2", "a")
    cells.run("y")
    assert cells["y"] == 1
    assert "the cell load defines `x`, `z` since" in cells.refused("%wf run plain")
    cells("plain = one(x)", "c")
    cells("%wf run plain --into value")
    assert cells["value"] == 2
    cells("%%task load\nw = 1", "a")
    assert "x" not in cells
    assert "y cannot run: the cell load no longer defines `x`" in cells.refused("%wf run y")


def test_what_has_run_and_would_be_something_else_now_is_stale(
    cells: Cells, session: Session
) -> None:
    cells("from wfnb import task\n@task\ndef one(*n): return 1 + sum(n)")
    cells("%%task load\nx = 1", "a")
    cells("%%task\ny = x", "b")
    cells("%%task other\nz = 1", "c")
    cells("plain = one(one(x))", "d")
    assert session.draft.stale == frozenset()
    cells.run()
    assert session.draft.stale == frozenset()
    cells("%%task load\nx = 1  # the same", "a")
    assert session.draft.stale == frozenset()
    cells("%%task load\nx = 2", "a")
    assert session.draft.stale == {"load", "y", "one-0", "one-1"}
    cells.run("y")
    assert session.draft.stale == {"one-0", "one-1"}
    cells.run()
    assert session.draft.stale == frozenset()


def test_a_changed_helper_makes_stale_too(cells: Cells, session: Session) -> None:
    cells("k = 1\ndef inner(n): return n + k\ndef outer(n): return inner(n)", "helpers")
    cells("%%task\nx = outer(1)", "a")
    cells("%%task\ny = x", "b")
    cells.run()
    assert session.draft.stale == frozenset()
    cells("k = 2", "elsewhere")
    assert session.draft.stale == {"x", "y"}
    cells.run()
    assert (cells["y"], session.draft.stale) == (3, frozenset())
    cells("k = 2\ndef inner(n): return n - k\ndef outer(n): return inner(n)", "helpers")
    assert session.draft.stale == {"x", "y"}


def test_only_what_a_change_reaches_is_computed_again(cells: Cells, session: Session) -> None:
    cells("%%task load\nrows = [1, 2, 3]", "a")
    cells("%%task left\nl = sum(rows)", "b")
    cells("%%task right\nr = max(rows)", "c")
    cells("%%task last\nend = l + r", "d")
    cells.run()
    cells("%%task left\nl = sum(rows) + 1", "b")
    assert "4 tasks done" in (told := cells("%wf run"))
    assert "2 of them reused" in told
    assert cells["end"] == 10
    assert "reused" not in cells("%wf run --fresh")


def test_plain_tasks_are_stale_when_a_cell_above_is_run_again(
    cells: Cells, session: Session
) -> None:
    cells("from wfnb import task\n@task\ndef one(*n): return 1 + sum(n)")
    cells("first = one()", "a")
    cells("second = one(first)", "b")
    cells.run()
    cells("first = one()", "a")
    assert session.draft.freeze().ids == ("one-0", "one-1", "one-2")
    assert session.draft.stale == {"one-0", "one-1"}


def test_after_a_failure_what_was_done_is_up_to_date(cells: Cells, session: Session) -> None:
    cells("%%task load\nx = 0", "a")
    cells("%%task\ny = 1 / x", "b")
    done = cells.shell.run_cell("%wf run", store_history=True)
    assert not done.success
    cells("%%task load\nx = 1", "a")
    assert session.draft.stale == {"load"}
    cells.run()
    assert cells["y"] == 1


def test_a_run_in_the_background_is_bound_by_a_later_cell(cells: Cells, session: Session) -> None:
    cells("%%task\nx = 1")
    assert "has started" in cells("%wf run x --background")
    assert repr(cells["x"]) == "<task x>"
    session.last.wait(10)
    cells("pass")
    assert cells["x"] == 1


def test_a_name_that_is_missing_at_the_end_is_told(cells: Cells) -> None:
    cells("%%task odd\nn = 2\nif n % 2:\n    x = 1")
    done = cells.shell.run_cell("%wf run odd")
    assert "odd, line 4: the cell has ended without a value for `x`" in str(done.error_in_exec)


def test_a_traceback_points_at_the_cell_and_line(cells: Cells, session: Session) -> None:
    cells("\n\n%%task broken\nx = 1\n\ny = x / 0  # the culprit")
    assert not cells.shell.run_cell("%wf run broken").success
    (record,) = session.last.errors
    assert "y = x / 0  # the culprit" in record.traceback
    assert "line 6, in broken" in record.traceback
    assert record.traceback.count('File "') == 1


def test_help_and_completion(
    cells: Cells, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell.Completer, "use_jedi", False)
    told = cells("%%task --help\nx = 1")
    assert "usage: %%task" in told
    assert "--requirements" in told
    assert "--requirements" in shell.find_cell_magic("task").__doc__
    with provisionalcompleter():
        line = "%%task a --re"
        found = [one.text for one in shell.Completer.completions(line, len(line))]
    assert {"--retries", "--requirements"} <= set(found)


def test_cells_of_a_program_stay_side_by_side(cells: Cells, session: Session) -> None:
    code = "for n in range(3):\n    get_ipython().run_cell_magic('task', f't{n}', f'x{n} = {n}')"
    cells(code, "a")
    assert session.draft.names == ("t0", "t1", "t2")
    cells(code.replace("3", "2"), "a")
    assert session.draft.names == ("t0", "t1")


def test_a_cell_written_in_later_above_is_read_if_nothing_else_can_be(cells: Cells) -> None:
    cells("z = 1")
    cells("%%task\ny = z", "below")
    cells("%%task\nx = 5", "above")
    assert cells("%%task\ny = x", "below") == "task y: x -> y\n"
    cells.run("y")
    assert cells["y"] == 5


def test_a_cell_written_in_later_above_is_told_of_where_it_is_passed_over(cells: Cells) -> None:
    cells("%%task first\nx = 1", "a")
    cells("%%task\ny = x", "c")
    cells("%%task between\nx = 2 * x", "b")
    told = cells("%%task\ny = x", "c")
    assert "note: x is not what the cell between makes of it" in told
    cells("%wf drop y")
    assert cells("%%task\ny = x", "c") == "task y: x -> y\n"
    cells.run("y")
    assert cells["y"] == 2
    assert "note" not in cells("%%task between\nx = 2 * x", "b")


def test_a_cell_that_is_refused_is_what_it_was(cells: Cells, session: Session) -> None:
    cells("%%task a\nx = 1", "a")
    cells.refused("%%task a\nx = = 2", "a")
    cells.refused("%%task a\nx = nowhere", "a")
    cells.run("a")
    assert cells["x"] == 1


def test_a_value_that_the_user_puts_away_is_let_go_of(cells: Cells, session: Session) -> None:
    cells("%%task\nx = {1}")
    cells.run("x")
    assert session.draft.bound == {"x": {1}}
    cells("del x")
    assert session.draft.bound == {}
    cells("%%task\ny = x")
    cells.run("y")
    assert cells["y"] == {1}


def test_a_cycle_is_told_with_its_path(cells: Cells) -> None:
    cells("from wfnb import task\n@task\ndef one(*n): return 1 + sum(n)")
    cells("%%task load\nx = 1", "a")
    cells("plain = one(x)", "b")
    cells("%%task load\nx = plain", "a")
    assert "tasks wait on each other" in cells.refused("%wf run")


def test_a_last_expression_is_printed_as_a_notebook_shows_it(cells: Cells) -> None:
    cells("%%task table\ntable = [1, 2]\ntable", "a")
    assert "[1, 2]" in cells("%wf run table")
    cells("%%task table\ntable = [3]\ntable;", "a")
    assert "[3]" not in cells("%wf run table")
