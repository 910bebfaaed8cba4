"""What a user reads when tasks have failed."""

from __future__ import annotations

import linecache

import pytest

from wfnb.errors import ErrorRecord
from wfnb.failures import all_described, described, in_a_line, task_error, with_sources


def record(**change: object) -> ErrorRecord:
    known = {
        "task": "count-3",
        "attempt": 2,
        "kind": "raised",
        "type": "ValueError",
        "message": "no",
    }
    return ErrorRecord(**known | change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("raised", 'mend count and run it again; run.log("count-3")'),
        ("timeout", "give it longer"),
        ("memory", "Resources(memory=...)"),
        ("lost", "its worker died"),
        ("not-serialisable", "pass and return what pickle can write"),
        ("input", "run.resume()"),
        ("unheard-of", 'run.log("count-3")'),
    ],
)
def test_every_kind_of_failure_has_a_remedy(kind: str, remedy: str) -> None:
    assert remedy in described(record(kind=kind))


def test_a_failure_is_told_in_a_line() -> None:
    assert in_a_line(record(message="two\nlines")) == "ValueError: two lines"
    assert in_a_line(record(message="")) == "ValueError"
    assert in_a_line(record(type="", message="")) == "raised"


def test_what_a_record_says_commands_no_terminal() -> None:
    told = described(record(message="\x1b]52;c;x\x07 \u202etxt.exe", traceback="a\r\x9bb\tc\n"))
    assert not set(told) & set("\x1b\x07\r\x9b\u202e")
    assert "]52;c;x\ufffd \ufffdtxt.exe" in told
    assert "\tc" in told


def test_what_the_worker_wrote_last_stands_in_for_a_traceback() -> None:
    assert "  Segmentation fault" in described(record(kind="lost", stderr="Segmentation fault\n"))


def test_five_failures_are_shown_and_the_rest_counted() -> None:
    records = [record(task=f"count-{n}", message=f"no {n}") for n in range(7)]
    error = task_error("run-1", records, tasks=9, not_tried=2)
    message = str(error)
    assert message.startswith("7 of 9 tasks failed in run run-1; 2 more needed their outputs")
    assert message.count("remedy:") == 5
    assert "and 2 more" in message
    assert len(error.records) == 7


def test_failures_that_are_alike_are_told_once() -> None:
    records = [record(task=f"count-{n}") for n in range(20)]
    message = str(task_error("run-1", records, tasks=20))
    assert message.count("remedy:") == 1
    assert "20 tasks failed like this: count-0, count-1, count-2, count-3, ..." in message
    attempts = all_described([record(attempt=n) for n in (1, 2, 3)])
    assert attempts.endswith("3 attempts failed like this")
    both = all_described([record(task=f"count-{n}", attempt=a) for n in (0, 1) for a in (1, 2)])
    assert both.endswith("2 tasks failed like this, in 4 attempts: count-0, count-1")


def test_the_remedy_says_what_run_is() -> None:
    assert 'run = wfnb.attach("run-1") is this run; run.resume()' in str(
        task_error("run-1", [record()], tasks=1)
    )


def test_a_worker_is_named_without_the_serial_of_its_joining() -> None:
    assert "attempt 2 on w3: " in described(record(worker="w3:7"))


def test_cells_are_quoted_where_they_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "/tmp/ipykernel_1/2.py"
    source = ["def f(x):\n", "    return 1 / x\n"]
    monkeypatch.setitem(linecache.cache, name, (9, None, source, name))
    told = f'Traceback:\n  File "{name}", line 2, in f\n  File "gone.py", line 1, in g\nError'
    assert with_sources(told).splitlines() == [
        "Traceback:",
        f'  File "{name}", line 2, in f',
        "    return 1 / x",
        '  File "gone.py", line 1, in g',
        "Error",
    ]


def test_code_that_the_worker_quoted_is_not_quoted_twice() -> None:
    told = f'  File "{__file__}", line 1, in f\n    quoted\n    ^^^^^^'
    assert with_sources(told) == told
