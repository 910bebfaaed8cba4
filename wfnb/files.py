"""Texts that name files: what is in such a file counts with the text.

A cell that says `read_csv("data.csv")` means what is in the file. Only texts that are whole paths
are seen, not those that code puts together.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from types import CodeType
from typing import Any

_LONGEST = 255
_LONGEST_SUFFIX = 8
_MOST_LOOKED_AT = 20_000


def stamp(text: str) -> tuple[int, int] | None:
    """Size and time of the file of this name, if there is one; fast for texts that are none."""
    if not may_be_path(text):
        return None
    try:
        status = os.stat(text)  # noqa: PTH116  three times as fast, for every text
    except (OSError, ValueError):
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def may_be_path(text: str) -> bool:
    if len(text) > _LONGEST or not ("/" in text or "." in text[-_LONGEST_SUFFIX:-1]):
        return False
    return "\n" not in text and "://" not in text


def stamps(values: Iterable[Any]) -> list[tuple[str, int, int]]:
    """Of the texts among these values, those that name files, with what is known of these."""
    texts = [value for value in values if type(value) is str and may_be_path(value)]
    found = ((text, stamp(text)) for text in texts[:_MOST_LOOKED_AT])
    return [(text, *known) for text, known in found if known is not None]


def texts_of(code: CodeType) -> list[Any]:
    """The constants of this code and of the code in it."""
    found: list[Any] = []
    to_see: list[Any] = [*code.co_consts]
    while to_see:
        one = to_see.pop()
        if isinstance(one, CodeType):
            to_see += one.co_consts
        elif isinstance(one, (tuple, frozenset)):
            to_see += one
        else:
            found.append(one)
    return sorted(text for text in found if type(text) is str)
