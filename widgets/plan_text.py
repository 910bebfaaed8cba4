"""What a plan is expected to come to, in words for people."""

from __future__ import annotations

from wfnb.plan import Outlook, Plan
from wfnb.predictions.explaining import in_words
from wfnb.widgets.ansi import safe_line

UNKNOWN = "nothing is predicted: connect first"


def plan_text(plan: Plan) -> str:
    """Its planner, what it comes to, and what should be known of that, a line each."""
    outlook = plan.outlook
    words = [UNKNOWN]
    if outlook is not None:
        words = [f"predicted {in_words(outlook.makespan_seconds)}", *outlook_words(outlook)]
    return "\n".join(
        [f"plan by {safe_line(plan.planner)}: {' · '.join(words)}", *_indented(notes_of(plan))]
    )


def outlook_words(outlook: Outlook) -> list[str]:
    """All but the time: what it costs, by memory if that is limited, what moves, and who works."""
    cost = f"{outlook.cpu_seconds:,.2f} CPU-s"
    if outlook.gb_seconds:
        cost = f"{outlook.gb_seconds:,.2f} GB-s"
    moved = f"{(outlook.up_bytes + outlook.down_bytes) / 1e6:,.1f} MB moved"
    workers = _counted(len(outlook.workers), "worker")
    return [cost, moved, workers, _counted(outlook.cold_starts, "cold start")]


def notes_of(plan: Plan) -> list[str]:
    """The planner's own, and those of the history that it was told from."""
    said = plan.foresight.notes(plan) if plan.foresight else ()
    return [safe_line(note) for note in dict.fromkeys((*plan.notes, *said))]


def _indented(lines: list[str]) -> list[str]:
    return [f"   {line}" for line in lines]


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
