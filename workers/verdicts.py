"""Why a worker is killed, or how it died: the words that its task's error record gets."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from wfnb.workers.cell import CellView

MORE_MEMORY = (
    "give it more, @task(resources=Resources(memory=...)), or more after this has happened, "
    "@task(more_memory=1.5)"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Why a worker is being killed, and for which attempt. Without a kind, nobody is to blame."""

    kind: str = ""
    run: str = ""
    task: str = ""
    attempt: int = 0
    type: str = ""
    message: str = ""

    def fits(self, view: CellView) -> bool:
        """Whether the worker was still at it when it died."""
        return (self.run, self.task, self.attempt) == (view.run, view.task, view.attempt)


def sentence_of(view: CellView, kind: str, type: str, message: str) -> Sentence:
    return Sentence(kind, view.run, view.task, view.attempt, type, message)


def timeout_of(view: CellView, now: float) -> Sentence | None:
    if view.deadline is None or now < view.deadline:
        return None
    limit = view.deadline - view.started
    message = (
        f"{view.task} was stopped at its time limit of {limit:g} s: give it longer, "
        "@task(timeout=...)"
    )
    return sentence_of(view, "timeout", "TimeLimitExceeded", message)


def too_much(view: CellView, peak_bytes: int, limit_bytes: int) -> Sentence:
    message = (
        f"{view.task or 'the worker'} used {peak_bytes / 1e6:,.1f} MB and its limit is "
        f"{limit_bytes / 1e6:,.1f} MB: {MORE_MEMORY}"
    )
    return sentence_of(view, "memory", "MemoryLimitExceeded", message)


def lost(view: CellView, code: int) -> Sentence:
    message = f"the worker died while it ran {view.task}: {how(code)}"
    return sentence_of(view, "lost", "WorkerLost", message)


def how(code: int) -> str:
    """An exit code or signal in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    hints = {
        "SIGKILL": ", from outside wfnb: perhaps the machine ran out of memory",
        "SIGSEGV": ", a crash in compiled code",
    }
    return f"{name}{hints.get(name, '')}"
