"""Dead workers, until the store is told of them: what they were doing, and what they had taken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from wfnb.errors import ErrorRecord
from wfnb.graph import TaskId
from wfnb.storage import Ask, Identity, RunId, Store
from wfnb.workers.cell import Asked, CellView

MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that died in a run, as the store is to be told."""

    view: CellView
    record: ErrorRecord | None
    rest: bytes


class Losses:
    """In the order of the deaths."""

    def __init__(self, store: Store, launches: str) -> None:
        self._store = store
        self._launches = launches
        self._losses: list[Loss] = []
        self._dropped: list[Asked] = []
        self._returned: deque[tuple[str, str]] = deque(maxlen=MOST_REMEMBERED)

    def __bool__(self) -> bool:
        return bool(self._losses or self._dropped)

    def add(self, loss: Loss) -> None:
        self._losses.append(loss)

    def add_idle(self, view: CellView) -> None:
        """It died outside a run, perhaps on its way into one."""
        if view.asked is not None:
            self._dropped.append(view.asked)

    def forgive(self) -> None:
        """Nobody is to blame."""
        self._losses = [replace(loss, record=None) for loss in self._losses]

    def settle(self) -> None:
        """Tell the store. Raises StoreError; what is not told stays to be told."""
        while self._losses:
            self._tell(self._losses[0])
            self._losses.pop(0)
        while self._dropped:
            self._give_back(self._dropped[0])
            self._dropped.pop(0)

    def _tell(self, loss: Loss) -> None:
        view, record = loss.view, loss.record
        run, task = RunId(view.run), TaskId(view.task)
        if loss.rest:
            at = max(0, view.log_shipped - view.log_start)
            self._store.append_log(run, task, view.attempt, loss.rest, at=at)
        is_own_doing = record is not None and record.kind != "lost" and view.task
        # Then its retries count, not the workers that it may lose. But what was never claimed has
        # no attempt that could fail: of that, each one that dies of it is a loss all the same.
        if record is not None and is_own_doing and self._store.fail(run, _as(view), record):
            record = None
        self._store.abandon(run, Identity(view.identity), record)

    def _give_back(self, asked: Asked) -> None:
        """Or else it is missed only when nobody has joined, or the lease has ended, after 10 s."""
        request = asked.request
        seat = self._store.crew(request.run).get(asked.label)
        if seat is not None:
            self._store.abandon(request.run, seat.identity, None)
        elif (request.run, request.serial) not in self._returned:
            # Once: it may be what workers die of.
            self._returned.append((request.run, request.serial))
            self._store.return_request(self._launches, request)


def _as(view: CellView) -> Ask:
    return Ask(
        identity=Identity(view.identity), generation=view.generation, queue="", want=0, nonce=""
    )
