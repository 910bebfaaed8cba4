"""Workflows as files for other programs and people: a module for each kind of file."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfnb.errors import OptionError
from wfnb.exports.files import write_text

if TYPE_CHECKING:  # workers import this package, and need no draft
    from wfnb.draft import Draft

FORMATS = {
    ".json": "wfnb.exports.wfformat",
    ".mmd": "wfnb.exports.mermaid",
    ".py": "wfnb.exports.python",
    ".svg": "wfnb.exports.picture",
}
_KINDS = {
    ".json": "WfFormat 1.5",
    ".mmd": "Mermaid",
    ".py": "a Python script",
    ".svg": "a picture",
}


def export(thing: Any, path: str | os.PathLike[str], *, draft: Draft | None = None) -> Path:
    """Write a task, list of tasks, draft, graph, plan or run to a file, as its suffix says.

    A file of that name is replaced, at once and whole. From the draft that the tasks are in, a
    script takes the names of variables and the source of cells. Raises OptionError for a suffix
    that is not known, ExportError where `thing` cannot be written so, or the file not at all.
    """
    target = Path(path).expanduser()
    text: str = import_module(_home(target)).text_of(thing, draft)
    write_text(target, text)
    return target


def _home(path: Path) -> str:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(f"{suffix} ({kind})" for suffix, kind in _KINDS.items())
        message = f"{path.name!r} has no suffix that says what to write: give it one of {known}"
        raise OptionError(message) from None
