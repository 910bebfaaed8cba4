"""How far a run has come, as one line of text: for terminals, logs and saved notebooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from wfnb.sizes import plus
from wfnb.timeline import TaskState
from wfnb.widgets.palette import LOOKS, SUCCEEDED, in_words, succeeded

_TOLD = (
    TaskState.REUSED,
    TaskState.SKIPPED,
    TaskState.RUNNING,
    TaskState.RETRYING,
    TaskState.PREPARING,
    TaskState.FAILED,
    TaskState.UPSTREAM_FAILED,
    TaskState.CANCELLED,
)
_MOVING = (TaskState.RUNNING, TaskState.RETRYING, TaskState.PREPARING)
_NONE: Mapping[TaskState, int] = {}


def progress_line(
    counts: Mapping[TaskState, int],
    *,
    elapsed_seconds: float,
    width: int = 40,
    unsplit: Mapping[TaskState, int] = _NONE,
    unlisted: Mapping[TaskState, int] = _NONE,
) -> str:
    """Write a bar of `width` characters, then what it says in words; no newline at the end.

    Totals are of what people wrote, as a `Tally` counts it: a map's items and ordinary tasks. A
    map without items is no part of the total, which says "+ map", but it is of the bar, as is a
    list that is missing: it is full when nothing is left to do.
    """
    total, maps = sum(counts.values()), sum(unsplit.values())
    all_counts = _sum(counts, unsplit, unlisted)
    done = f"{succeeded(counts):,}/{total:,} done{f' + {plus(maps)}' if maps else ''}"
    parts = [f"{_bar(all_counts, width)} {done}", *_told(all_counts), _clock(elapsed_seconds)]
    return " · ".join(parts)


def progress_summary(
    counts: Mapping[TaskState, int],
    *,
    elapsed_seconds: float,
    unsplit: Mapping[TaskState, int] = _NONE,
    unlisted: Mapping[TaskState, int] = _NONE,
) -> str:
    """Write the last line of a run: did it do what it was asked; if not, what is missing.

    It counts like `progress_line`; a map that never got its items counts as a task, and so does
    a list if nothing else is missing.
    """
    counts = _sum(counts, unsplit)
    if succeeded(counts) == sum(counts.values()):
        counts = _sum(counts, unlisted)
    total, done = sum(counts.values()), succeeded(counts)
    tasks = "1 task" if total == 1 else f"{total:,} tasks"
    if done == total:
        extra = _besides(counts)
        return f"✓ {tasks} done in {_clock(elapsed_seconds)}{f', {extra}' if extra else ''}"
    sign = "✗" if counts.get(TaskState.FAILED, 0) else "□"
    missing = in_words({s: count for s, count in counts.items() if s not in SUCCEEDED})
    return f"{sign} {done:,} of {tasks} done after {_clock(elapsed_seconds)}: {missing}"


def _sum(*several: Mapping[TaskState, int]) -> Mapping[TaskState, int]:
    total: Counter[TaskState] = Counter()
    for counts in several:
        total.update(counts)
    return total


def _besides(counts: Mapping[TaskState, int]) -> str:
    """What of all that is done was not done here, or gave nothing."""
    told = [s for s in (TaskState.REUSED, TaskState.SKIPPED) if counts.get(s, 0)]
    words = [f"{counts[state]:,} of them {LOOKS[state].word}" for state in told]
    return ", ".join(words)


def _told(counts: Mapping[TaskState, int]) -> list[str]:
    # Nothing moves, but something could: it is for want of a worker, and that is worth a word.
    waits = not any(counts.get(state, 0) for state in _MOVING)
    told = (TaskState.QUEUED, *_TOLD) if waits else _TOLD
    return [f"{counts[state]:,} {LOOKS[state].word}" for state in told if counts.get(state, 0)]


def _bar(counts: Mapping[TaskState, int], width: int) -> str:
    cells = shares([counts.get(state, 0) for state in LOOKS], width)
    bar = "".join(look.bar * n for look, n in zip(LOOKS.values(), cells, strict=True))
    return bar or LOOKS[TaskState.WAITING].bar * width


def shares(amounts: list[int], cells: int) -> list[int]:
    """Give whole cells to amounts, `cells` in all; what is there at all gets one while they last.

    One failure among 10,000 tasks has to be seen, and nothing looks finished before it is.
    """
    total = sum(amounts)
    if not total:
        return [0] * len(amounts)
    exact = [amount * cells / total for amount in amounts]
    given = [max(int(part), 1 if part else 0) for part in exact]
    spare = cells - sum(given)
    while spare:
        step = 1 if spare > 0 else -1
        able = [i for i, part in enumerate(exact) if part and (step > 0 or given[i] > 0)]
        neediest = max(able, key=lambda i: ((exact[i] - given[i]) * step, given[i], -i))
        given[neediest] += step
        spare -= step
    return given


def _clock(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
