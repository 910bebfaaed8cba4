"""What a page is told of a graph and its timeline: all of it once, then only what has changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, compress, repeat
from operator import is_not
from typing import Any

from wfnb.errors import ErrorRecord
from wfnb.failures import with_sources
from wfnb.graph import Graph, TaskId
from wfnb.plan import Plan
from wfnb.timeline import Span, TaskState, Timeline
from wfnb.widgets.ansi import safe_line, safe_text
from wfnb.widgets.palette import LOOKS
from wfnb.widgets.shaping import shaped

Message = dict[str, Any]

NUMBER = {state: at for at, state in enumerate(LOOKS)}
LONGEST_TRACEBACK = 20_000
LONG_ERRORS = 300
"""So many with their tracebacks; nobody reads more, and a page has to hold them."""
SHORT_MESSAGE = 300


def looks() -> list[Message]:
    """The palette, in the order of the numbers that rows give as states."""
    return [
        {
            "state": state.value,
            "word": look.word,
            "colour": look.colour,
            "ink": look.ink,
            "stroke": look.stroke,
        }
        for state, look in LOOKS.items()
    ]


class Telling:
    """Numbers the tasks in the order of their appearance, and remembers what was told of each."""

    def __init__(self) -> None:
        self._number: dict[TaskId, int] = {}
        self._told: tuple[object, ...] = ()
        self._spans: Sequence[Span | None] = ()
        self._worker: dict[str, int] = {}
        self._crew: list[list[Any]] = []
        self._began: float | None = None
        self._errors: set[tuple[str, int, float]] = set()

    @property
    def ids(self) -> Mapping[TaskId, int]:
        return self._number

    def shape(
        self,
        graph: Graph,
        *,
        plan: Plan | None = None,
        stale: Collection[TaskId] = (),
    ) -> Message:
        """The graph, if it is another one or has grown since the last time; else nothing.

        When tasks are gone the others get new numbers, and all that was told by number is void.
        """
        told = (graph, len(graph), plan, frozenset(stale))
        if told == self._told:
            return {}
        message: Message = {}
        if not self._number.keys() <= graph.position.keys():
            self._number = {}
            self.forget_times()
            message["reset"] = True
        self._told = told
        for task in graph:
            self._number.setdefault(task, len(self._number))
        message["g"] = shaped(
            graph,
            self._number,
            placements=plan.placements if plan else {},
            stale=stale,
            predicted=plan.foreseen.timeline if plan and plan.foreseen else None,
        )
        return message

    def changed(self, timeline: Timeline) -> list[Span]:
        """Spans that are not as they were when this was asked before."""
        # Spans are values: one that is the same object says the same. By their places, for there
        # may be 10,000 of them; what has moved to another place is told once more.
        spans, told = timeline.spans, chain(self._spans, repeat(None))
        self._spans = spans
        return [
            span for span in compress(spans, map(is_not, spans, told)) if span.task in self._number
        ]

    def changes(self, timeline: Timeline, changed: Sequence[Span]) -> Message:
        """Rows of these, and workers if one came or went."""
        if self._began is None:
            self._began = timeline.start_seconds
        # A page takes a task for waiting until it is told otherwise.
        rows = [
            self._row(span)
            for span in changed
            if span.attempt or span.state is not TaskState.WAITING
        ]
        crew = self._workers(timeline)
        told: Message = {"d": rows} if rows else {}
        if crew != self._crew:
            told["w"] = self._crew = crew
        return told

    def errors(self, records: Sequence[ErrorRecord]) -> Message:
        """Those that were not told before; of very many the later ones in short."""
        fresh: list[Message] = []
        for record in records:
            key = (record.task, record.attempt, record.at_seconds)
            if key not in self._errors:
                self._errors.add(key)
                number = self._number.get(TaskId(record.task), -1)
                is_long = len(self._errors) <= LONG_ERRORS
                told = _told_error(record, number, is_long=is_long)
                fresh.append({"n": len(self._errors) - 1, **told})
        return {"e": fresh} if fresh else {}

    def forget_times(self) -> None:
        """A run was resumed, or another one is shown: every row is told anew."""
        self._spans, self._began, self._crew = (), None, []
        self._errors.clear()
        self._worker = {}

    def _row(self, span: Span) -> list[Any]:
        row = [
            self._number[span.task],
            NUMBER[span.state],
            span.attempt,
            -1 if span.worker is None else self._worker_number(span.worker),
            self._since(span.start_seconds),
            self._since(span.end_seconds),
        ]
        sample = span.sample
        if sample is not None:
            times = (sample.load_seconds, sample.call_seconds, sample.save_seconds)
            row += [round(seconds, 5) for seconds in (*times, sample.cpu_seconds)]
            row += [sample.input_bytes, sample.output_bytes]
        return row

    def _since(self, seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds - (self._began or 0.0), 4)

    def _workers(self, timeline: Timeline) -> list[list[Any]]:
        labels, present = timeline.crew.labels, timeline.crew.present
        for name in labels:
            self._worker_number(name)
        return [
            [safe_line(name), safe_line(labels.get(name, "")), name in present]
            for name in self._worker
        ]

    def _worker_number(self, name: str) -> int:
        return self._worker.setdefault(name, len(self._worker))


def _told_error(record: ErrorRecord, task: int, *, is_long: bool) -> Message:
    traceback = with_sources(record.traceback) if is_long else ""
    return {
        "task": task,
        "id": safe_line(record.task),
        "attempt": record.attempt,
        "kind": safe_line(record.kind),
        "type": safe_line(record.type),
        "message": safe_text(record.message)[: LONGEST_TRACEBACK if is_long else SHORT_MESSAGE],
        "traceback": safe_text(traceback)[-LONGEST_TRACEBACK:],
        "stderr": safe_text(record.stderr)[-LONGEST_TRACEBACK:] if is_long else "",
        "worker": safe_line(record.worker.partition(":")[0]),
        "resources": safe_line(record.resources),
    }
