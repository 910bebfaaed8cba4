"""Text that others wrote, made safe to read: its colours kept, what commands a terminal taken out.

A log may move a cursor, write to the clipboard, hide a link or turn the direction of text. Of that
only SGR sequences (colour, weight, underline) remain, and each line says its own.
"""

from __future__ import annotations

import re

LONGEST_LINE = 4000
"""Characters; a page lays out a line of a mebibyte for seconds."""
MOST_CODES = 16
"""SGR sequences a line can inherit: nobody needs more, and a log could hold a million."""

_SGR = r"\x1b\[[0-9;:]*m"
_COMMAND = re.compile(
    rf"({_SGR})"  # kept
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # other CSI: cursor, screen, modes
    r"|\x1b[ -/]*[0-~]?"  # every other escape
    r"|[\x00-\x08\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
)
_DECEIVING = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_CODE = re.compile(_SGR)
_RESET = re.compile(r"\x1b\[[0;:]*m")


def safe_lines(text: str) -> list[str]:
    """The lines of a log: text and SGR sequences, nothing else; each begins in its own colours."""
    text = _DECEIVING.sub("\ufffd", _COMMAND.sub(r"\1", text.replace("\r\n", "\n")))
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if "\r" in text:
        lines = [_overwritten(line) for line in lines]
    lines = [line if len(line) <= LONGEST_LINE else _cut(line) for line in lines]
    return _self_contained(lines) if "\x1b" in text else lines


def safe_text(text: str) -> str:
    """The same without any colour: for tracebacks, messages and names."""
    return _CODE.sub("", "\n".join(safe_lines(text)))


def safe_line(text: str, *, at_most: int = 300) -> str:
    """One line of it, its blanks and breaks as single spaces."""
    if len(text) <= at_most and text.isascii() and text.isprintable() and " " not in text:
        return text  # as the ids of 10,000 tasks are
    line = " ".join(safe_text(text[: 4 * at_most]).split())
    return line if len(line) <= at_most else f"{line[: at_most - 1]}…"


def _overwritten(line: str) -> str:
    """What a terminal shows of a line that was written over itself: a progress bar's last state."""
    parts = [part for part in line.split("\r") if part]
    return parts[-1] if parts else ""


def _cut(line: str) -> str:
    return f"{line[:LONGEST_LINE]}… {len(line) - LONGEST_LINE:,} more characters"


def _self_contained(lines: list[str]) -> list[str]:
    """Begin each line with the colours that the lines before left on."""
    active: list[str] = []
    whole = []
    for line in lines:
        before = "".join(active)
        whole.append(before + line)
        for code in _CODE.findall(line):
            if _RESET.fullmatch(code):
                active.clear()
            elif code not in active:
                active = [*active, code][-MOST_CODES:]
    return whole
