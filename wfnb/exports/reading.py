"""A JSON file that comes from anywhere, read with care.

What it says wrong is told with the file's name, the task's and the remedy; what it says besides is
not looked at.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from wfnb.errors import FormatError

MOST_BYTES = 1_000_000_000
"""Of a file, unpacked: a small one may unpack to more than there is memory."""
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Reading:
    """One file being read: each thing in it is what it should be, or is refused by name."""

    file: str

    def refuse(self, message: str) -> NoReturn:
        raise FormatError(f"{self.file}: {message}")

    def document(self, path: Path) -> Mapping[str, Any]:
        """The object that the file holds; it may be packed by gzip."""
        try:
            with path.open("rb") as file:
                is_packed = file.read(2) == _GZIP
            with gzip.open(path) if is_packed else path.open("rb") as file:
                text = file.read(MOST_BYTES + 1)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            self.refuse(f"it cannot be read: {getattr(error, 'strerror', None) or error}")
        if len(text) > MOST_BYTES:
            self.refuse(f"it holds more than {MOST_BYTES:,} bytes: give a smaller one")
        try:
            document = json.loads(text)
        except RecursionError:
            self.refuse("it is nested too deep: is it a WfFormat file?")
        except ValueError as error:
            self.refuse(f"it is no JSON: {error}")
        return self.record(document, "its content")

    def record(self, value: Any, what: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.refuse(f"{what} is missing, or no object: is it a WfFormat file?")
        return value

    def records(self, of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        """A list of objects; an empty one where there is none."""
        values = of.get(key) or []
        if not isinstance(values, list):
            self.refuse(f"{key} is no list: is it a WfFormat file?")
        return [self.record(one, f"an entry of {key}") for one in values]

    def text(self, of: Mapping[str, Any], key: str, what: str) -> str:
        value = of.get(key)
        if not isinstance(value, str) or not value:
            self.refuse(f"{what} has no {key}: give it one")
        return value

    def texts(self, of: Mapping[str, Any], key: str, what: str) -> list[str]:
        """Each once, in their order; none where nothing is said."""
        values = of.get(key) or []
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            self.refuse(f"{key} of {what} is no list of texts: make it one")
        return list(dict.fromkeys(values))

    def number(self, of: Mapping[str, Any], keys: Sequence[str], what: str) -> float | None:
        """What the first key says that is there; None where nothing is said."""
        for key in keys:
            value = of.get(key)
            if value is None:
                continue
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= 1e18:
                self.refuse(f"{key} of {what} is {value!r:.40}: give a number, 0 or more")
            return float(value)
        return None

    def size(self, of: Mapping[str, Any], keys: Sequence[str], what: str) -> int:
        size = self.number(of, keys, what)
        if size is None:
            self.refuse(f"{what} has no {keys[0]}: give its bytes")
        return int(size)

    def refuse_twins(self, ids: Sequence[str]) -> None:
        if len(set(ids)) == len(ids):
            return
        seen: set[str] = set()
        for one in ids:
            if one in seen:
                self.refuse(f"two tasks have the id {one}: give one of them another")
            seen.add(one)
