"""`%wf` and the draft, in an IPython of this process; runs are inline, on the store in memory."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import wfnb
from tests.shells import session, shell, the_shell
from wfnb import extension
from wfnb.session import Session

__all__ = ["session", "shell", "the_shell"]


def cell(shell: InteractiveShell, code: str, *, id: str | None = None) -> Any:
    """What a cell gives; its error, if it raises one, is raised here."""
    done = shell.run_cell(code, store_history=True, cell_id=id)
    done.raise_error()
    return done.result


DEFINITIONS = """
from wfnb import task
@task
def one(*inputs): return 1 + sum(inputs)
@task
def bad(): print("before it"); raise ValueError("no such luck")
"""


@pytest.fixture
def told(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Any:
    cell(shell, DEFINITIONS)

    def told(code: str) -> str:
        cell(shell, code)
        return capsys.readouterr().out

    return told


def test_without_a_command_it_lists_the_commands(told: Any) -> None:
    assert "%wf connect [STORE]" in told("%wf")
    assert len(told("%wf").splitlines()) < 25


@pytest.mark.parametrize("command", ["run", "show", "connect", "log"])
def test_each_command_explains_itself(told: Any, command: str) -> None:
    assert f"usage: %wf {command}" in told(f"%wf {command} --help")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fly", "no command is named fly: %wf alone"),
        ("shwo", "did you mean %wf show?"),
        ("run nothing_here", "nothing_here"),
        ("run 'open", "close the quotes"),
        ("log count-0", "no run yet"),
        ("drop nothing_here", "the draft has no nothing_here"),
        ("run --planner best one", "invalid choice: 'best'"),
    ],
)
def test_a_line_that_makes_no_sense_is_answered_in_one_line(
    told: Any, shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    capsys.readouterr()
    shell.run_cell(f"%wf {line}")
    written = capsys.readouterr()
    shown = (written.out + written.err).strip()
    assert message in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) == 1


def test_a_run_is_waited_for_and_its_values_go_where_asked(told: Any, shell: Any) -> None:
    shown = told("total = one(one(), one())\n%wf run total --into answer")
    assert "3 tasks done" in shown
    assert shell.user_ns["answer"] == 3


def test_without_names_the_sinks_of_the_draft_run(told: Any, shell: Any) -> None:
    told("first = one()\nsecond = one(first)\naside = one()")
    assert "3 tasks done" in told("%wf run --into answer")
    assert shell.user_ns["answer"] == [2, 1]


def test_a_failure_is_one_clear_message_with_the_users_own_frames(
    told: Any, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    shell.run_cell("broken = bad()\n%wf run broken", store_history=True)
    shown = capsys.readouterr().out
    assert "ValueError: no such luck" in shown
    assert "site-packages" not in shown
    assert "wfnb/runner.py" not in shown
    assert "no such luck" in told("%wf errors")


def test_runs_are_listed_and_come_back_by_id(told: Any, session: Session, shell: Any) -> None:
    told("total = one()\n%wf run total")
    assert session.last is not None
    assert session.last.id in told("%wf runs")
    told(f"again = get_ipython().run_line_magic('wf', 'attach {session.last.id}')")
    assert shell.user_ns["again"].result() == 1


def test_a_finished_run_can_no_longer_be_cancelled(told: Any) -> None:
    told("total = one()\n%wf run total")
    assert "had ended already: done" in told("%wf cancel")


def test_the_draft_follows_the_cells(shell: Any, session: Session) -> None:
    cell(shell, DEFINITIONS)
    cell(shell, "parts = [one(), one()]\ntotal = one(*parts)", id="a")
    assert session.draft.names == ("parts", "total")
    cell(shell, "total = one()", id="a")
    assert session.draft.names == ("total",)
    cell(shell, "del total", id="b")
    assert session.draft.names == ()


def test_a_name_that_becomes_something_else_leaves_the_draft(shell: Any, session: Session) -> None:
    cell(shell, DEFINITIONS)
    cell(shell, "total = one()", id="a")
    cell(shell, "total = 3", id="b")
    assert session.draft.names == ()


def test_silent_code_of_front_ends_is_no_cell(shell: Any, session: Session) -> None:
    cell(shell, DEFINITIONS)
    shell.run_cell("hidden = one()", silent=True)
    assert session.draft.names == ()


def test_a_name_is_dropped_from_the_draft(told: Any, session: Session) -> None:
    told("total = one()")
    told("%wf drop total")
    assert session.draft.names == ()


@pytest.mark.parametrize("expression", ["total", "plan", "plan.graph", "run"])
def test_what_is_drawn_as_a_last_expression(shell: Any, session: Session, expression: str) -> None:
    cell(shell, DEFINITIONS)
    cell(shell, "total = one(one())")
    shell.user_ns["plan"] = session.plan(shell.user_ns["total"])
    shell.user_ns["run"] = session.start(shell.user_ns["total"])
    session.last.wait()
    formatted, _ = shell.display_formatter.format(shell.ev(expression))
    assert formatted["image/svg+xml"].startswith("<svg")
    assert "graph of 2 tasks" in formatted["text/plain"]


def test_after_unloading_nothing_is_left_of_it(the_shell: Any, session: Session) -> None:
    extension.install(the_shell, session)
    extension.uninstall(the_shell)
    assert "wf" not in the_shell.magics_manager.magics["line"]
    cell(the_shell, DEFINITIONS + "total = one()")
    assert session.draft.names == ()


def test_a_reloaded_package_still_has_its_names() -> None:
    assert callable(wfnb.plan)
    assert callable(importlib.reload(wfnb).plan)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%wf re", ["resume"]),
        ("%wf run tot", ["total"]),
        ("%wf run total --pl", ["--planner"]),
        ("%wf run --planner ", ["uniform"]),
        ("%wf connect --backend in", ["inline"]),
        ("%wf log one-", ["one-0", "one-1"]),
        ("%wf drop ", ["total"]),
    ],
)
def test_tab_completes(told: Any, shell: Any, line: str, expected: list[str]) -> None:
    told("total = one(one())\n%wf run total")
    assert [word for word in tab(shell, line) if word in expected] == expected


def test_tab_completes_ids_of_runs(told: Any, shell: Any, session: Session) -> None:
    told("total = one()\n%wf run total")
    assert session.last.id in tab(shell, "%wf attach one")


def tab(shell: InteractiveShell, line: str) -> list[str]:
    with provisionalcompleter():
        return [found.text for found in shell.Completer.completions(line, len(line))]
