"""What marks look like and say: colours, shapes and Vega expressions, before Altair comes in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from math import ceil, floor, log10

from wfnb.timeline import TaskState
from wfnb.widgets.chart_frames import THE_REST
from wfnb.widgets.legend import GHOST
from wfnb.widgets.palette import LOOKS, PAPER, mix

WIDTH = 600
"""With names at both sides it fits JupyterLab beside its sidebar, on a laptop: an image in an
output is shown at its own size."""
LANE = 28
BUSY = LOOKS[TaskState.RUNNING].colour
MIDDLE = mix(BUSY, PAPER, share=0.55)
LOUD = [TaskState.FAILED.value, TaskState.RETRYING.value]
"""What went wrong is drawn higher than the rest, so that its shape says so too."""
DARK = [look.word for look in LOOKS.values() if look.ink == PAPER]
"""States that are written on in white."""

CLOCK = (
    "datum.value < 1 ? format(datum.value * 1000, '~g') + ' ms' : format(datum.value, ',~g') + ' s'"
)
DETAILS = ("id", "function", "state", "worker", "attempt", "tasks", "start", "end", "seconds")
WORDS = frozenset({"id", "function", "state", "worker"})
"""Columns of text; all others are numbers, and those below are no seconds."""
COUNTS = frozenset({"attempt", "tasks"})

_SPREAD = 50.0
"""From this ratio of the longest to the shortest time on, axes are logarithmic."""
_FUNCTIONS = {
    "#0072b2": "circle",
    "#c24e00": "square",
    "#008260": "triangle-up",
    "#9b4f80": "diamond",
    "#946400": "cross",
    "#1f86bb": "triangle-down",
    "#121a26": "triangle-right",
    "#6b7788": "triangle-left",
}
MOST_TOLD_APART = len(_FUNCTIONS)


def function_looks(names: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Functions by name, and a colour and a shape of each; the last one is for all the others."""
    known = sorted(set(names) - {THE_REST})
    colours, shapes = list(_FUNCTIONS), list(_FUNCTIONS.values())
    if THE_REST not in names:
        return known, colours[: len(known)], shapes[: len(known)]
    at = len(known)
    return [*known, THE_REST], [*colours[:at], colours[-1]], [*shapes[:at], shapes[-1]]


def state_looks(words: Iterable[str]) -> tuple[list[str], list[str], str]:
    """States that occur in the palette's order, their colours, and an expression: icon and word."""
    present = set(words)
    looks = {"planned": (GHOST, "┄"), **{s.value: (k.colour, k.icon) for s, k in LOOKS.items()}}
    known = {word: look for word, look in looks.items() if word in present}
    icons = {word: f"{icon} {word}" for word, (_, icon) in known.items()}
    return list(known), [colour for colour, _ in known.values()], f"({icons!r})[datum.label]"


def label(end: float) -> str:
    """Write an expression of what fits on a bar: icon and name, the icon alone, or nothing.

    A chart that became part of another has no scale of that name; then its own width is assumed.
    """
    drawn = "scale('x', datum.shown) - scale('x', datum.start)"
    pixels = f"({drawn} || (datum.shown - datum.start) * {WIDTH / end!r})"
    name = f"truncate(datum.label, floor(({pixels} - 20) / 6.5), 'center')"
    return f"{pixels} > 46 ? datum.sign + ' ' + {name} : {pixels} > 15 ? datum.sign : ''"


def time_domain(seconds: Iterable[float]) -> tuple[list[float], str]:
    """Give the ends of an axis for these times, and whether it is log or linear."""
    known = sorted(seconds)
    if not known or known[-1] <= 0:
        return [0.0, 1.0], "linear"
    positive = [each for each in known if each > 0]
    if positive[-1] / positive[0] > _SPREAD:
        return [max(positive[0], positive[-1] * 1e-7) / 1.3, positive[-1] * 1.3], "log"
    return [0.0, positive[-1] * 1.05], "linear"


def round_times(domain: Sequence[float]) -> list[float]:
    """Give what to write at a logarithmic axis: at most ten round times."""
    low, high = domain
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        times = [digit * 10.0**decade for decade in decades for digit in digits]
        if len(within := [each for each in times if low <= each <= high]) <= 10:
            break
    return within


def count(things: Sized, noun: str) -> str:
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"
