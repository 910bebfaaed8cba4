"""What `@task` may be told, checked where it is told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from wfnb.declared import seconds_of
from wfnb.errors import OptionError
from wfnb.requirements import requirements_of
from wfnb.resources import Resources
from wfnb.tasks import Options

_IO = re.compile(r"constant|linear|power:\d+(\.\d+)?")


def options_of(  # noqa: PLR0913  the options of @task, spelt out
    *,
    retries: int = 0,
    retry_delay: float | timedelta = 0.0,
    timeout: float | timedelta | None = None,
    resources: Resources | None = None,
    requirements: str | Iterable[str] = (),
    io: str | None = None,
    on_worker_lost: str = "retry",
    duration: str | float | timedelta | None = None,
    reuse: bool = False,
    pure: bool = True,
    more_memory: float | None = None,
) -> Options:
    """Raises OptionError, naming option and value, for what makes no sense."""
    return Options(
        retries=_retries(retries),
        retry_delay_seconds=_seconds("retry_delay", retry_delay),
        timeout_seconds=None if timeout is None else _seconds("timeout", timeout, above_zero=True),
        resources=_resources(resources),
        requirements=requirements_of(requirements),
        io=_choice(
            "io", io, io is None or _IO.fullmatch(str(io)), "'constant', 'linear', wfnb.power(2)"
        ),
        on_worker_lost=_choice(
            "on_worker_lost", on_worker_lost, on_worker_lost in ("retry", "fail"), "'retry', 'fail'"
        ),
        duration_seconds=None if duration is None else seconds_of("duration", duration),
        reuse=_choice("reuse", reuse, isinstance(reuse, bool), "True, False"),
        more_memory=None if more_memory is None else _factor("more_memory", more_memory),
        pure=_choice("pure", pure, isinstance(pure, bool), "True, False"),
    )


def readable(name: str) -> str:
    """Only [A-Za-z0-9_.-], so that ids are safe in keys, file names and commands."""
    if not isinstance(name, str) or not name:
        raise OptionError(f"name={name!r}: give a text, such as 'count'")
    plain = unicodedata.normalize("NFKD", name.replace("<lambda>", "lambda"))
    return re.sub(r"[^A-Za-z0-9_.-]+", "", plain)[:100] or "task"


def _retries(retries: int) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise OptionError(f"retries={retries!r}: give a whole number, 0 or more")
    return retries


def _seconds(option: str, value: float | timedelta, *, above_zero: bool = False) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    fits = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not fits or not 0 <= seconds < float("inf") or (above_zero and not seconds):
        least = "more than 0" if above_zero else "0 or more"
        raise OptionError(f"{option}={value!r}: give seconds or a timedelta, {least}")
    return float(seconds)


def _factor(option: str, value: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 1 < value < float("inf"):
        raise OptionError(f"{option}={value!r}: give a number above 1, such as 1.5")
    return float(value)


def _resources(resources: Resources | None) -> Resources:
    if resources is None:
        return Resources()
    if not isinstance(resources, Resources):
        raise OptionError(f"resources={resources!r}: write Resources(cpus=1, memory='512MB')")
    return resources


def _choice(option: str, value: Any, is_valid: object, choices: str) -> Any:
    if not is_valid:
        raise OptionError(f"{option}={value!r}: choose from {choices}")
    return value
