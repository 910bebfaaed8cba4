"""What an author declares in words: how output grows with input, and how long a thing takes."""

from __future__ import annotations

import re
from datetime import timedelta

from wfnb.errors import OptionError

_MOST_SECONDS = 1e12
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]+)\s*")


def power(k: float) -> str:
    """For `@task(io=...)`: output grows as input to the power of `k`; 1 is linear, 0 constant."""
    is_number = isinstance(k, (int, float)) and not isinstance(k, bool)
    if not is_number or not 0 <= k <= 100:
        raise OptionError(f"power({k!r}): give a number from 0 to 100, as in wfnb.power(2)")
    return f"power:{k:.6f}".rstrip("0").rstrip(".")


def seconds_of(option: str, value: float | str | timedelta, *, above_zero: bool = False) -> float:
    """Read seconds, a timedelta, or a text such as "500ms", "2s", "1.5m", "2h"."""
    seconds: float | None = None
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        seconds = _read(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value
    if seconds is None or not 0 <= seconds <= _MOST_SECONDS or (above_zero and not seconds):
        least = "more than 0" if above_zero else "0 or more"
        forms = "seconds, a timedelta, or a text such as '500ms', '2s', '1.5m', '2h'"
        raise OptionError(f"{option}={value!r}: give {forms}; {least}")
    return float(seconds)


def _read(text: str) -> float | None:
    match = _DURATION.fullmatch(text.lower())
    if match is None or match[2] not in _UNITS:
        return None
    return float(match[1]) * _UNITS[match[2]]
