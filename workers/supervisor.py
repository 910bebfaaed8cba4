"""What watches over the workers of one pool: beats, limits, deaths, and what is said of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wfnb.errors import ErrorRecord
from wfnb.storage import Identity, RunId, Store
from wfnb.storage.records import ANY_TASK
from wfnb.workers.capture import last_words, left_over, size_of
from wfnb.workers.cell import Cell, CellView
from wfnb.workers.crowd import Crowd
from wfnb.workers.losses import Loss, Losses
from wfnb.workers.template import Born, Died
from wfnb.workers.verdicts import (
    Sentence,
    how,
    lost,
    sentence_of,
    timeout_of,
)

STALE_EXIT = 64
"""A worker's own wish to be forked anew: what it has imported is out of date."""
QUICK_SECONDS = 1.0
SLOWEST_FORK_SECONDS = 5.0
SECOND_LOOK_SECONDS = 0.05


class Children(Protocol):
    """Where workers come from; a Template."""

    def fork(self, slot: int) -> None: ...

    def kill(self, slot: int, pid: int) -> None: ...


@dataclass(slots=True)
class Slot:
    """A place for one worker after another."""

    cell: Cell
    log: int
    pid: int = 0
    """0 while there is no worker, -1 from when one is ordered until it is there."""
    born_at: float = 0.0
    fork_at: float | None = None
    quick_deaths: int = 0
    sentence: Sentence | None = None
    doubted: tuple[str, float] | None = None
    """Identity whose beat was refused, and when."""
    heard: int = 0
    """Up to where the pool's log has what idle workers say."""


class MemoryWatch(Protocol):
    """How much memory a task may use, and who sees to that."""

    def look(self, slot: Slot, view: CellView, *, whole_family: bool) -> Sentence | None:
        """Why this living worker must die for it. `whole_family` takes longer, and is rarer."""
        ...

    def at_death(self, slot: Slot, view: CellView, code: int) -> Sentence | None:
        """If that is what it died of: somebody else may have killed it for its memory."""
        ...


class Supervisor:
    """Decides by cells and the store's answers alone; called by the pool's loop."""

    def __init__(
        self,
        store: Store,
        slots: Sequence[Slot],
        children: Children,
        memory: MemoryWatch,
        *,
        launches: str = "",
    ) -> None:
        self._store = store
        self._slots = slots
        self._children = children
        self._memory = memory
        self._crowd = Crowd()
        self._losses = Losses(store, launches)

    def open(self, count: int) -> None:
        """Have at least so many slots filled."""
        for number, slot in enumerate(self._slots[:count]):
            if not slot.pid and slot.fork_at is None:
                self._fork(number)

    def waiting(self, count: int) -> list[int]:
        """Those of the first so many slots whose workers have nothing to do in their runs."""
        return self._crowd.waiting([slot.cell.view() for slot in self._slots[:count]])

    def send_away(self, number: int) -> None:
        """Kill a worker that waits: when there is something for it, its run asks again."""
        if self._slots[number].pid > 0 and not self._slots[number].sentence:
            self._kill(number, Sentence())

    def note(self, report: Born | Died) -> None:
        slot = self._slots[report.slot]
        if isinstance(report, Born):
            slot.pid, slot.born_at, slot.fork_at = report.pid, time.monotonic(), None
        else:
            self._bury(slot, report)

    def look(self, now: float) -> float | None:
        """Enforce limits and fork what is due; the earliest deadline that is known now."""
        deadlines = []
        for number, slot in enumerate(self._slots):
            if slot.fork_at is not None and now >= slot.fork_at and not slot.pid:
                self._fork(number)
            if slot.pid <= 0:
                continue
            view = slot.cell.view()
            if not view.task or slot.sentence:
                continue
            if view.deadline is not None:
                deadlines.append(view.deadline)
            sentence = timeout_of(view, now) or self._memory.look(slot, view, whole_family=False)
            if sentence:
                self._kill(number, sentence)
        return min(deadlines, default=None)

    def beat(self, now: float) -> None:
        """Renew the lease of every worker in a run; kill those that the run does not know."""
        for number, slot in enumerate(self._slots):
            view = slot.cell.view()
            if not view.run:
                _listen(slot, view)
            if slot.pid <= 0 or not view.run or slot.sentence:
                continue
            sentence = self._memory.look(slot, view, whole_family=True)
            if sentence:
                self._kill(number, sentence)
                continue
            self._beat_one(number, slot, view, now)

    def beat_doubted(self, now: float) -> None:
        """Look again at workers whose beat was refused: they may have been leaving just then."""
        for number, slot in enumerate(self._slots):
            if (
                slot.pid > 0
                and slot.doubted
                and now - slot.doubted[1] >= SECOND_LOOK_SECONDS
                and not slot.sentence
            ):
                view = slot.cell.view()
                if view.identity == slot.doubted[0]:
                    self._beat_one(number, slot, view, now)
                else:
                    slot.doubted = None

    def settle(self) -> None:
        """Tell the store of the dead. Raises StoreError; what is not told stays to be told."""
        self._losses.settle()

    def busy(self) -> bool:
        return bool(self._losses) or any(s.pid and s.cell.view().run for s in self._slots)

    def joins(self) -> int:
        """Grows with every run that a worker enters."""
        return sum(slot.cell.view().joins for slot in self._slots if slot.pid)

    def end(self, *, reports: Iterable[Born | Died] = (), why: str = "") -> None:
        """The pool goes: its workers are dead or about to be.

        Nobody is to blame, unless `why` says what none of their tasks may do again and again.
        """
        for report in reports:
            self.note(report)
        if not why:
            # A whole service may be told to stop at once: workers that went first died of that.
            self._losses.forgive()
        for slot in self._slots:
            view = slot.cell.view()
            if slot.pid and view.run:
                sentence = sentence_of(view, "lost", "WorkerLost", why) if why else None
                record = _record(slot, view, sentence, 0) if view.task and why else None
                self._losses.add(Loss(view, record, _rest(slot, view)))
            elif slot.pid:
                self._losses.add_idle(view)
            slot.pid, slot.fork_at = 0, None

    def _fork(self, number: int) -> None:
        self._slots[number].fork_at = None
        self._slots[number].pid = -1
        self._children.fork(number)

    def _kill(self, number: int, sentence: Sentence) -> None:
        slot = self._slots[number]
        slot.sentence = sentence
        self._children.kill(number, slot.pid)

    def _beat_one(self, number: int, slot: Slot, view: CellView, now: float) -> None:
        answer = self._store.beat(RunId(view.run), Identity(view.identity))
        if answer == view.generation:
            slot.doubted = None
        elif slot.doubted and slot.doubted[0] == view.identity:
            self._kill(number, Sentence())
        else:
            slot.doubted = (view.identity, now)

    def _bury(self, slot: Slot, death: Died) -> None:
        if slot.pid not in (death.pid, -1):
            return
        view = slot.cell.view()
        code = os.waitstatus_to_exitcode(death.status)
        sentence = slot.sentence or self._memory.at_death(slot, view, code)
        slot.sentence, slot.doubted, slot.pid = None, None, 0
        if view.run:
            record = _record(slot, view, sentence, code)
            self._losses.add(Loss(view, record, _rest(slot, view)))
        elif code != STALE_EXIT:
            self._losses.add_idle(view)
            if sentence is None:
                say(f"worker {death.pid} ended outside a run: {how(code)}")
                _listen(slot, view)
        slot.fork_at = self._next_fork(slot, view, expected=bool(sentence) or code == STALE_EXIT)

    def _next_fork(self, slot: Slot, view: CellView, *, expected: bool) -> float:
        now = time.monotonic()
        is_quick = now - slot.born_at < QUICK_SECONDS and not view.run and not expected
        slot.quick_deaths = slot.quick_deaths + 1 if is_quick else 0
        if not is_quick:
            return now
        return now + min(SLOWEST_FORK_SECONDS, 0.1 * 2.0**slot.quick_deaths)


def say(text: str) -> None:
    """To the pool's log."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    sys.stderr.write(f"{stamp} {text.rstrip()}\n")
    sys.stderr.flush()


def _listen(slot: Slot, view: CellView) -> None:
    """What a worker says outside a run is about wfnb: it goes to the pool's own log."""
    end = size_of(slot.log)
    begin = max(slot.heard, view.log_start)
    slot.heard = end
    if end > begin:
        say(f"worker {view.pid}: {last_words(slot.log, begin)}")


def _record(slot: Slot, view: CellView, sentence: Sentence | None, code: int) -> ErrorRecord | None:
    """None when nobody is to blame: between tasks, or killed for a task that was over by then.

    Out of memory between tasks, it was for what they read or return: any of them may be the one.
    """
    if code == STALE_EXIT or (sentence is None and not view.task):
        return None
    if sentence is None:
        sentence = lost(view, code)
    if not sentence.kind or not sentence.fits(view):
        return None
    return ErrorRecord(
        task=view.task or ANY_TASK,
        attempt=view.attempt,
        kind=sentence.kind,
        type=sentence.type,
        message=sentence.message,
        stderr=last_words(slot.log, view.log_start),
        worker=view.identity,
        at_seconds=time.time(),
    )


def _rest(slot: Slot, view: CellView) -> bytes:
    if not view.task:
        return b""
    return left_over(slot.log, view.log_start, view.log_shipped, size_of(slot.log))
