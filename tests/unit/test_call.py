"""One call of a user's function, and the record of any way in which it can fail."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from wfnb.language import Attempt, InWorker, current_attempt, running, task
from wfnb.workers.call import LONGEST_TRACEBACK, call, call_inline

ATTEMPT = Attempt(run="run-1", task="divide-0", attempt=2)


def divide(a, b=1):
    return a / b


def failure_of(function, *args):
    outcome = call(function, args, {}, ATTEMPT)
    assert outcome.error is not None
    assert outcome.value is None
    assert (outcome.error.task, outcome.error.attempt) == ("divide-0", 2)
    assert outcome.error.kind == "raised"
    return outcome.error


def test_a_value_comes_back_with_its_times():
    outcome = call(divide, (6,), {"b": 3}, ATTEMPT)
    assert (outcome.value, outcome.error) == (2, None)
    assert 0 <= outcome.call_seconds < 1
    assert 0 <= outcome.cpu_seconds < 1


def test_a_failure_is_recorded_with_the_users_frames_only():
    error = failure_of(divide, 1, 0)
    assert (error.type, error.message) == ("ZeroDivisionError", "division by zero")
    assert error.traceback.startswith("Traceback (most recent call last):")
    assert "return a / b" in error.traceback
    assert "call.py" not in error.traceback.replace("test_call.py", "")
    assert "language.py" not in error.traceback


def test_arguments_that_do_not_fit_show_no_frame_of_ours():
    error = failure_of(divide)
    assert error.type == "TypeError"
    assert "File" not in error.traceback


def test_a_task_called_inside_a_task_is_a_plain_call_without_our_frames():
    inner = task(divide)

    def outer():
        return inner(1, 0)

    error = failure_of(outer)
    assert error.traceback.count("File") == 2
    assert "language.py" not in error.traceback


def test_chained_causes_are_kept():
    def convert():
        try:
            divide(1, 0)
        except ZeroDivisionError as error:
            raise ValueError("no such ratio") from error

    text = failure_of(convert).traceback
    assert (
        text.index("ZeroDivisionError") < text.index("direct cause") < text.index("no such ratio")
    )


def test_each_member_of_a_group_is_kept():
    def many():
        raise ExceptionGroup(
            "two", [ValueError("first"), ExceptionGroup("deep", [KeyError("second")])]
        )

    error = failure_of(many)
    assert "first" in error.traceback
    assert "second" in error.traceback


def test_locals_never_show():
    def secret():
        password = "hunter2"
        raise RuntimeError(len(password))

    assert "hunter2" not in failure_of(secret).traceback.replace('password = "hunter2"', "")


class UnsayableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class InterruptingError(Exception):
    def __str__(self):
        raise KeyboardInterrupt


class LyingError(Exception):
    __cause__ = property(lambda _: 1 / 0)


def raise_(error):
    raise error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (UnsayableError(), "UnsayableError"),
        (InterruptingError(), "InterruptingError"),
        (LyingError("x"), "LyingError"),
        (SystemExit(3), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (MemoryError(), "MemoryError"),
        (StopIteration(1), "StopIteration"),
        (OSError(2, "No such file"), "OSError"),
        (BaseExceptionGroup("g", [SystemExit(1)]), "BaseExceptionGroup"),
        (ValueError("\ud800 surrogate"), "ValueError"),
    ],
)
def test_whatever_is_raised_becomes_a_record(error, name):
    record = failure_of(raise_, error)
    assert record.type.split(".")[-1] in (name, "FileNotFoundError")
    assert record.traceback
    (record.message + record.traceback).encode()


def test_a_class_of_a_module_is_named_with_it():
    assert failure_of(raise_, UnsayableError()).type == f"{__name__}.UnsayableError"


def test_endless_recursion_is_a_record_and_the_stack_is_folded():
    def down():
        return down()

    error = failure_of(down)
    assert error.type == "RecursionError"
    assert "more times" in error.traceback


def test_a_long_message_keeps_its_head_and_tail():
    error = failure_of(raise_, ValueError("A" + "x" * 10**6 + "Z"))
    assert len(error.traceback) < LONGEST_TRACEBACK + 100
    assert error.message.startswith("A")
    assert error.message.endswith("Z")
    assert "characters left out" in error.message


def test_the_attempt_is_known_inside_also_to_threads_and_unknown_after():
    found = []

    def look():
        thread = threading.Thread(target=lambda: found.append(current_attempt()))
        thread.start()
        thread.join()
        found.append(current_attempt())

    call(look, (), {}, ATTEMPT)
    assert found == [ATTEMPT, ATTEMPT]
    assert current_attempt() is None
    assert InWorker.attempt is None


def test_inline_the_attempt_is_known_and_an_interrupt_is_the_callers():
    assert call_inline(current_attempt, (), {}, ATTEMPT).value == ATTEMPT
    with pytest.raises(KeyboardInterrupt):
        call_inline(raise_, (KeyboardInterrupt(),), {}, ATTEMPT)
    assert running.get() is None
    outcome = call_inline(raise_, (SystemExit(2),), {}, ATTEMPT)
    assert outcome.error is not None
    assert outcome.error.type == "SystemExit"


def test_a_call_costs_little():
    best = min(_seconds_per_call() for _ in range(5))
    # 2 us is the aim; a loaded machine and a tracer may take more.
    assert best < (50e-6 if sys.gettrace() else 10e-6)


def _seconds_per_call():
    start = time.perf_counter()
    for _ in range(2000):
        call(int, (), {}, ATTEMPT)
    return (time.perf_counter() - start) / 2000


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param(lambda: 1, 0, id="returns"),
        pytest.param(lambda: sys.exit(3), 3, id="sys.exit"),
        pytest.param(sys.exit, 0, id="sys.exit without a word"),
        pytest.param(lambda: divide(1, 0), 1, id="raises"),
    ],
)
def test_a_process_that_a_task_forked_ends_and_never_answers_for_the_task(end, status):
    def fork():
        child = os.fork()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else end()

    outcome = call(fork, (), {}, ATTEMPT)
    assert (outcome.value, outcome.error) == (status, None)
