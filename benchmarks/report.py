"""From samples to medians, ratios, verdicts and the Markdown table; pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cases import METRICS, Metric, Target

OURS = "wfnb"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one engine reached in one metric."""

    median: float
    lowest: float
    highest: float
    samples: int
    foreign_cores: float
    is_noisy: bool
    """No sample was taken while others left the machine alone."""


def figure(rows: Iterable[Row], metric: Metric, *, most_foreign: float) -> Figure | None:
    """Medians over the quiet samples, or over all of them when none is quiet."""
    samples = [row for row in rows if isinstance(row.get(metric.field), int | float)]
    quiet = [row for row in samples if row.get("foreign_cores", 0) <= most_foreign]
    chosen = quiet or samples
    if not chosen:
        return None
    values = [float(row[metric.field]) for row in chosen]
    foreign = statistics.median(float(row.get("foreign_cores", 0)) for row in chosen)
    middle = statistics.median(values)
    return Figure(middle, min(values), max(values), len(values), foreign, is_noisy=not quiet)


def figures(rows: Sequence[Row], *, most_foreign: float) -> dict[tuple[str, Metric], Figure]:
    found = {}
    for engine in dict.fromkeys(row["peer"] for row in rows):
        for metric in METRICS:
            own = [r for r in rows if r["peer"] == engine and r["workload"] == metric.case]
            one = figure(own, metric, most_foreign=most_foreign)
            if one:
                found[engine, metric] = one
    return found


def times_better(ours: float, theirs: float, *, is_higher_better: bool) -> float:
    """How many times better `ours` is; below 1 it is worse."""
    return ours / theirs if is_higher_better else theirs / ours


def verdicts(rows: Sequence[Row], *, most_foreign: float) -> list[dict[str, Any]]:
    """One entry per target; `is_met` is None where this run cannot tell."""
    reached = figures(rows, most_foreign=most_foreign)
    return [
        {
            "workload": metric.case,
            "field": metric.field,
            "target": describe(metric, target),
            "is_met": is_met(metric, target, reached),
        }
        for metric in METRICS
        for target in metric.targets
    ]


def is_met(
    metric: Metric, target: Target, reached: Mapping[tuple[str, Metric], Figure]
) -> bool | None:
    """None when this run cannot tell, because an engine it takes is missing."""
    ours = reached.get((OURS, metric))
    if ours is None:
        return None
    bound = target.bound
    if target.times_engine:
        theirs = reached.get((target.times_engine, metric))
        if theirs is None:
            return None
        better = metric.is_higher_better
        return times_better(ours.median, theirs.median, is_higher_better=better) >= bound
    return ours.median >= bound if metric.is_higher_better else ours.median <= bound


def describe(metric: Metric, target: Target) -> str:
    sign = ">=" if metric.is_higher_better else "<="
    if target.times_engine:
        return f">= {short(target.bound)}x {target.times_engine}"
    return f"{sign} {short(target.bound)}"


def verdict(metric: Metric, reached: Mapping[tuple[str, Metric], Figure]) -> str:
    words = {True: "met", False: "**missed**", None: "unknown"}
    answers = [is_met(metric, target, reached) for target in metric.targets]
    if len(set(answers)) == 1:
        return words[answers[0]]
    return ", ".join(words[answer] for answer in answers)


def short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(one: Figure) -> str:
    """Half the range in per cent of the median."""
    percent = 50 * (one.highest - one.lowest) / one.median if one.median else 0.0
    return f"±{percent:.0f}%" + ("*" if one.is_noisy else "")


def cell(engine: str, metric: Metric, reached: Mapping[tuple[str, Metric], Figure]) -> str:
    one = reached.get((engine, metric))
    if one is None:
        return ""
    text = f"{short(one.median)} {spread(one)}"
    ours = reached.get((OURS, metric))
    if engine == OURS or ours is None or not one.median or not ours.median:
        return text
    better = metric.is_higher_better
    ratio = times_better(ours.median, one.median, is_higher_better=better)
    return f"{text} ({short(ratio)}x)"


def unmeasured(rows: Iterable[Row], engine: str, metric: Metric) -> str:
    """What stands in a cell without a figure."""
    own = [r for r in rows if r["peer"] == engine and r["workload"] == metric.case]
    return "failed" if any("failed" in row for row in own) else "-"


def table(rows: Sequence[Row], *, most_foreign: float) -> str:
    """One line per metric: wfnb, its target, and every other engine with the ratio."""
    reached = figures(rows, most_foreign=most_foreign)
    others = [e for e in dict.fromkeys(row["peer"] for row in rows) if e != OURS]
    lines = [
        f"| workload | unit | {OURS} | target | met? | {' | '.join(others)} |",
        "|---" * (5 + len(others)) + "|",
    ]
    for metric in METRICS:
        if not any((engine, metric) in reached for engine in (OURS, *others)):
            continue
        wanted = ", ".join(describe(metric, target) for target in metric.targets)
        met = verdict(metric, reached) if metric.targets else ""
        shown = [
            cell(engine, metric, reached) or unmeasured(rows, engine, metric)
            for engine in (OURS, *others)
        ]
        cells = [metric.title, metric.unit, shown[0], wanted, met, *shown[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def troubles(rows: Sequence[Row]) -> list[str]:
    """Each reason for failing or being skipped once, with the cases it befell."""
    befell: dict[tuple[str, str, str], dict[str, None]] = {}
    for row in rows:
        for word in ("failed", "skipped"):
            if word in row and "lazy" not in row[word]:
                cases = befell.setdefault((row["peer"], word, row[word]), {})
                cases[row["workload"]] = None
    return [
        f"{engine} {word} {', '.join(cases)}: {reason}"
        for (engine, word, reason), cases in befell.items()
    ]


def markdown(document: Mapping[str, Any]) -> str:
    rows, most_foreign = document["samples"], document["max_foreign_cores"]
    rounds = max((row.get("round", 1) for row in rows), default=0)
    busiest = max((row.get("foreign_cores", 0) for row in rows), default=0)
    machine = document["machine"]
    notes = [*document["notes"], *troubles(rows)]
    return (
        f"{document['when']}, {machine['cpus']} cores ({machine['cpu']}), Python "
        f"{machine['python']}, 2 workers, {rounds} interleaved rounds; medians ± half the range. "
        f"A byte to another process and back takes {machine['handover_us']:g} us here. "
        f"(Nx): wfnb is N times better, below 1 worse. Others used at most {busiest} cores; * "
        f"marks figures for which no sample saw less than {most_foreign}. wfnb: embedded Redis, "
        "AOF everysec, signing, leases and events on; `_aof`: the floor with AOF everysec.\n\n"
        f"{table(rows, most_foreign=most_foreign)}"
        + "".join(f"\n- {note}" for note in notes)
        + ("\n" if notes else "")
    )
