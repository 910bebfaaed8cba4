"""One colour, one word, one icon per task state: for graphs, bars, charts and text.

The colours are told apart by people who see no red or no green too (the test simulates both), and
every ink is legible on its colour. They are opaque and carry their own inks, because a picture in a
notebook cannot know whether the page around it is light or dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wfnb.timeline import TaskState

INK = "#121a26"
"""Text on every tint."""
MUTED_INK = "#465264"
"""Small text on every tint."""
PAPER = "#ffffff"
"""What a tint is mixed with; text on dark colours."""
NEUTRAL = "#f3f5f8"
"""A card whose task has no state yet."""
LINE = "#7b8798"
"""Edges and borders: visible on a white page and on a black one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one state is shown, wherever it is shown."""

    word: str
    colour: str
    """Bars, badges, chart marks."""
    ink: str
    """Text and icons on `colour`."""
    tint: str
    """Large areas; `INK` and `MUTED_INK` are legible on it."""
    icon: str
    """One character of one column, in text."""
    bar: str
    """One character of a progress bar in text."""
    stroke: str
    """The icon as an SVG path in a box from -5 to 5, to be stroked, not filled."""


def mix(colour: str, other: str, *, share: float) -> str:
    """Put a `share` of `other` in `colour`; both as #rrggbb."""
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _look(word: str, colour: str, ink: str, signs: str, stroke: str) -> Look:
    tint = mix(colour, PAPER, share=0.82)
    return Look(
        word=word, colour=colour, ink=ink, tint=tint, icon=signs[0], bar=signs[1], stroke=stroke
    )


_ROWS = (
    ("done", "#45aa4e", INK, "✓█", "M-3.5 .4L-1 3L3.6-2.8"),
    ("reused", "#90e9a3", INK, "≡█", "M-3.4-2.6H3.4M-3.4 0H3.4M-3.4 2.6H3.4"),
    ("expanded", "#692e9b", PAPER, "⊞█", "M-3.6 0H3.6M0-3.6V3.6"),
    ("held", "#007c82", PAPER, "◆█", "M0-3.8L3.8 0L0 3.8L-3.8 0Z"),
    ("skipped", "#756d52", PAPER, "»█", "M-3.4-3L-.4 0L-3.4 3M.4-3L3.4 0L.4 3"),
    ("running", "#1a6de5", PAPER, "▸▓", "M-1.8-3.4L3.4 0L-1.8 3.4Z"),
    ("retrying", "#fcb33b", INK, "↻▓", "M3.2-1.6A3.6 3.6 0 1 0 3.4 1.4M3.6-4V-1.3H.9"),
    ("preparing", "#9e88da", INK, "◌▒", "M0-3.6V-1.9M0 3.6V1.9M-3.6 0H-1.9M3.6 0H1.9"),
    ("queued", "#abcffd", INK, "○▒", "M3.4 0A3.4 3.4 0 1 1-3.4 0A3.4 3.4 0 1 1 3.4 0Z"),
    ("waiting", "#d1d5d9", INK, "·░", "M-3.2 0H-3.1M0 0H.1M3.1 0H3.2"),
    ("failed", "#cd0713", PAPER, "✗✗", "M-3-3L3 3M3-3L-3 3"),
    ("upstream-failed", "#d3999a", INK, "⊘-", "M-3.2 3.2L3.2-3.2"),
    ("cancelled", "#45484d", PAPER, "□-", "M-2.8-2.8H2.8V2.8H-2.8Z"),
)
_BY_WORD = {row[0]: _look(*row) for row in _ROWS}

LOOKS: Mapping[TaskState, Look] = {TaskState(word): look for word, look in _BY_WORD.items()}
"""In the order of bars and legends: what is over first, what went wrong last."""

STALE = Look(
    word="stale",
    colour=PAPER,
    ink=INK,
    tint=NEUTRAL,
    icon="≠",
    bar="≠",
    stroke="M-3.4-1.5H3.4M-3.4 1.5H3.4M2.1-4L-2.1 4",
)
"""No state but a mark beside it: the task, or something it needs, has changed since it ran."""

SUCCEEDED = frozenset(
    {
        TaskState.DONE,
        TaskState.REUSED,
        TaskState.EXPANDED,
        TaskState.HELD,
        TaskState.SKIPPED,
    }
)
"""States in which a task needs nothing more from anybody."""

_LOUDEST = (
    TaskState.FAILED,
    TaskState.RUNNING,
    TaskState.RETRYING,
    TaskState.PREPARING,
    TaskState.UPSTREAM_FAILED,
    TaskState.CANCELLED,
    TaskState.QUEUED,
)


def overall(counts: Mapping[TaskState, int]) -> TaskState | None:
    """Choose the one state to show for several tasks; None when none has a state."""
    present = [state for state, count in counts.items() if count]
    if len(present) < 2:
        return present[0] if present else None
    for state in _LOUDEST:
        if counts.get(state, 0):
            return state
    if counts.get(TaskState.WAITING, 0):
        return TaskState.RUNNING if SUCCEEDED & set(present) else TaskState.WAITING
    return max(present, key=lambda state: counts[state])


def in_words(counts: Mapping[TaskState, int]) -> str:
    """Name the states that occur, in the palette's order: 12 done, 3 running, 1 failed."""
    return ", ".join(f"{counts[s]:,} {look.word}" for s, look in LOOKS.items() if counts.get(s))


def succeeded(counts: Mapping[TaskState, int]) -> int:
    return sum(counts.get(state, 0) for state in SUCCEEDED)
