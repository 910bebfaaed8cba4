"""The command line, as far as it goes without a store."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wfnb import cli
from wfnb.doctor import Finding
from wfnb.listing import RunSummary, RunTable
from wfnb.storage import RunId


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([])
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "doctor", "runs", "gc", "pool"])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: wfnb {command}" in capsys.readouterr().out


def test_an_address_that_is_none_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["runs", "--store", "http://somewhere"]) == 1
    written = capsys.readouterr()
    assert "is no store address" in written.err
    assert len(written.err.strip().splitlines()) == 1


def test_the_command_line_loads_no_notebook() -> None:
    code = "import wfnb.cli, sys; print(*sys.modules.keys() & {'IPython', 'pandas', 'altair'})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_a_finding_is_a_line_with_its_grade_first() -> None:
    assert str(Finding("fail", "store", "start it")) == "fail  store           start it"


def test_runs_show_as_a_table_of_text() -> None:
    run = RunSummary(
        id=RunId("merge-3f9a2c1b"),
        status="done",
        tasks=1198,
        done=1198,
        failed=0,
        created_seconds=0.0,
        owner="ada@host",
    )
    lines = repr(RunTable([run])).splitlines()
    assert lines[0].split() == ["run", "status", "tasks", "done", "failed", "started", "owner"]
    assert lines[1].startswith("merge-3f9a2c1b  done    1,198  1,198       0  ")
    assert "wfnb.run" in repr(RunTable())
