"""One call of a user's function: what it returns, or what there is to say about its failure."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from wfnb import language
from wfnb.errors import ErrorRecord
from wfnb.language import Attempt, InWorker

LONGEST_TRACEBACK = 32 * 1024
LONGEST_MESSAGE = 4 * 1024
BRIEF = 0.0002
"""Seconds. A shorter call is taken to compute all the while: asking would cost as much as it."""

# Both folders, since wfnb/workers may be a link.
_OURS = tuple(f"{Path(file).parent}/" for file in (__file__, language.__file__))
_DEMO = f"{Path(language.__file__).parent}/demo.py"


@dataclass(slots=True)
class Outcome:
    """How a call ended: with a value, or with a record that lacks only worker and time.

    Not frozen: that would double what it costs, once a task.
    """

    value: Any
    error: ErrorRecord | None
    call_seconds: float
    cpu_seconds: float
    """Of all threads of the process; of the calling thread alone when inline."""


def call(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], attempt: Attempt
) -> Outcome:
    """Call it in a worker process. Whatever it raises, sys.exit() too, is a failed attempt.

    Only the worker returns from here: a process that the call forked ends as a program would.
    """
    InWorker.attempt = attempt
    worker = os.getpid()
    cpu = time.process_time()
    start = time.perf_counter()
    value = error = None
    try:
        value = function(*args, **kwargs)
    except BaseException as raised:  # noqa: BLE001  the user's code may raise anything
        if os.getpid() != worker:
            _end_forked(raised)
        error = record_of(raised, attempt)
    finally:
        InWorker.attempt = None
    if os.getpid() != worker:
        _end_forked(None)
    seconds = time.perf_counter() - start
    return Outcome(value, error, seconds, seconds if seconds < BRIEF else time.process_time() - cpu)


def _end_forked(raised: BaseException | None) -> NoReturn:
    """It has the worker's connections: one step on, and it would be a second worker of its name."""
    status = int(raised is not None)
    if isinstance(raised, SystemExit):
        status = raised.code if isinstance(raised.code, int) else int(raised.code is not None)
    elif raised is not None:
        traceback.print_exception(raised)
    with suppress(OSError, ValueError):  # closed, perhaps
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status & 255)


def call_inline(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], attempt: Attempt
) -> Outcome:
    """Call it in the caller's own thread, where the stop button is meant for the caller."""
    token = language.running.set(attempt)
    cpu = time.thread_time()
    start = time.perf_counter()
    value = error = None
    try:
        value = function(*args, **kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # noqa: BLE001  the user's code may raise anything
        error = record_of(raised, attempt)
    finally:
        language.running.reset(token)
    seconds = time.perf_counter() - start
    return Outcome(value, error, seconds, seconds if seconds < BRIEF else time.thread_time() - cpu)


def record_of(raised: BaseException, attempt: Attempt, *, kind: str = "raised") -> ErrorRecord:
    """Text only: the exception itself may hold the whole input, or not travel at all."""
    return ErrorRecord(
        task=attempt.task,
        attempt=attempt.attempt,
        kind=kind,
        type=_clean(_type_of(raised), LONGEST_MESSAGE),
        message=_clean(_message_of(raised), LONGEST_MESSAGE),
        traceback=_clean(_traceback_of(raised), LONGEST_TRACEBACK),
    )


def refusal(task: str, attempt: int, kind: str, error: Exception) -> ErrorRecord:
    """What is wrong with what a call was to be given, or with what it returned."""
    name = type(error).__name__
    return ErrorRecord(task=task, attempt=attempt, kind=kind, type=name, message=str(error))


def _type_of(raised: BaseException) -> str:
    kind = type(raised)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _message_of(raised: BaseException) -> str:
    try:
        return str(raised)
    except BaseException:  # noqa: BLE001  the user's own __str__
        return f"<str() of this {type(raised).__name__} failed>"


def _traceback_of(raised: BaseException) -> str:
    """As Python prints it, causes and groups included, without wfnb's own frames."""
    with suppress(BaseException):  # the user's own __str__, __cause__, __notes__
        report = traceback.TracebackException.from_exception(raised, compact=True)
        _keep_users_frames(report)
        return "".join(report.format())
    return f"<the traceback of this {type(raised).__name__} cannot be shown>\n"


def _keep_users_frames(report: traceback.TracebackException) -> None:
    to_see: list[traceback.TracebackException | None] = [report]
    while to_see:
        one = to_see.pop()
        if one is None:
            continue
        one.stack[:] = [frame for frame in one.stack if not _is_ours(frame.filename)]
        to_see += (one.__cause__, one.__context__, *(one.exceptions or ()))


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS) and filename != _DEMO


def _clean(text: str, longest: int) -> str:
    """Head and tail of what is too long; lone surrogates, which no encoding takes, escaped."""
    if len(text) > longest:
        head, tail = text[: longest // 2], text[-longest // 2 :]
        text = f"{head}\n... {len(text) - longest} characters left out ...\n{tail}"
    return text.encode(errors="backslashreplace").decode()
