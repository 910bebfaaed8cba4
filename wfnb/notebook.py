"""A notebook and its draft: what cells bind goes there, and what runs give comes back."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wfnb.cell_tasks import CellTask
from wfnb.cells import Source, Wish
from wfnb.draft import Draft
from wfnb.errors import StoreError
from wfnb.graph import PartOf, Task, TaskId
from wfnb.lineage import Dropped, tasks_in
from wfnb.runner import Run
from wfnb.staleness import Begun
from wfnb.timeline import TaskState

_DONE = frozenset(
    {
        TaskState.DONE,
        TaskState.HELD,
        TaskState.REUSED,
        TaskState.EXPANDED,
        TaskState.SKIPPED,
    }
)

_MOST_TASKS = 20_000


@dataclass(frozen=True, slots=True)
class Started:
    """A run, and what its values are to the notebook."""

    run: Run
    begun: Begun
    targets: tuple[CellTask | Any, ...]
    is_listed: bool
    """Whether its result is a list even of one target."""
    is_bound: bool
    """Whether the notebook's variables become what the cells among the targets define."""


class CellWatch:
    """Told when a cell begins and when it has ended."""

    def __init__(self, names: dict[str, Any], draft: Draft) -> None:
        self.names = names
        self._draft = draft
        self._before: dict[str, Any] = {}
        self._made: list[CellTask] = []
        self._pending: list[Started] = []
        self._is_running = False
        self._count = 0
        self.cell = ""
        """Its id, or in a shell that gives none, one that no other has."""
        self.info: Any = None
        """What IPython says of the cell that runs now."""

    def begin(self, info: Any = None) -> None:
        self.info = info
        self._made = []
        self._settle_pending()
        self._before = dict(self.names)
        self._is_running = True
        self._count += 1
        self.cell = getattr(info, "cell_id", None) or f"cell {self._count}"

    def end(self, result: Any) -> tuple[Dropped, ...]:
        """What has left the draft, being needed by what is still there."""
        # It also ends for silent code and for messages of widgets, which are no cells.
        info = result.info
        if not self._is_running or info is None or info.silent:
            return ()
        self._is_running = False
        before, self._before = self._before, {}
        changed = {
            name: value
            for name, value in self.names.items()
            if not name.startswith("_")
            and name not in ("In", "Out")
            and value is not before.get(name)
        }
        self._draft.keep(name for name in self.names if name not in changed)
        bound = self._draft.bound
        users = {name: value for name, value in changed.items() if bound.get(name) is not value}
        self._draft.ran(info.cell_id or self.cell, users)
        is_known = info.cell_id and result.success
        dropped = self._draft.forget(info.cell_id, beside=self._made) if is_known else ()
        self._draft.unbind(self.names)
        return tuple(one for one in dropped if one.readers)

    def define(self, source: Source, wish: Wish) -> CellTask:
        """Make the cell that runs a task, and its outputs variables that stand for them."""
        made = self._draft.define(source, wish, self.names, beside=self._made)
        self._made.append(made)
        if wish.is_bound:
            self._draft.bind(self.names, made, made.handles)
        self._draft.unbind(self.names)
        return made

    def drop(self, name: str) -> Dropped | None:
        dropped = self._draft.drop(name)
        self._draft.unbind(self.names)
        return dropped

    def target(self, name: str) -> CellTask | None:
        """The cell meant by its name, or by something it defines that the user has not rebound."""
        value = self.names.get(name)
        is_users = name in self.names and self._draft.bound.get(name) is not value
        cell = self._draft.producer(name)
        return None if is_users and (tasks_in(value) or cell is None or cell.name != name) else cell

    def started(self, run: Run, targets: Sequence[Any], *, is_bound: bool) -> Started:
        """A run of these, or without any of the draft; call it before the draft changes."""
        cells = {cell.task.serial: cell for cell in self._draft.cell_tasks}
        sinks = [] if targets else self._draft.sinks
        wanted = (*targets, *(cells.get(task.serial, task) for task in sinks))
        begun = self._draft.begin(run.graph, _tasks(wanted))
        return Started(run, begun, wanted, is_listed=not targets, is_bound=is_bound)

    def heard(self, run: Run, targets: Sequence[Any]) -> None:
        """A run was started, by whatever means: remember, after its end, what is up to date."""
        if self._draft.names and len(run.graph) <= _MOST_TASKS:
            self.later(self.started(run, targets, is_bound=False))

    def later(self, started: Started) -> None:
        """It goes on alone; its values are bound when a cell begins after its end."""
        self._pending.append(started)

    def settle(self, started: Started) -> None:
        """The run has ended: bind what it gave, and remember what is up to date."""
        run = started.run
        is_done = run.status == "done"
        self._draft.end(started.begun, run.graph if is_done else _done(run))
        if is_done and started.is_bound and any(_is_cell(one) for one in started.targets):
            for cell, values in _values(started, run.result()):
                self._draft.bind(self.names, cell, values)

    def _settle_pending(self) -> None:
        pending, self._pending = self._pending, []
        for started in pending:
            with suppress(StoreError):  # it is away, or the run is gone from it
                if started.run.status == "running":
                    self._pending.append(started)
                else:
                    self.settle(started)


def _done(run: Run) -> Container[TaskId]:
    return {span.task for span in run.timeline.spans if span.state in _DONE}


def _is_cell(target: Any) -> bool:
    return isinstance(target, CellTask)


def _values(started: Started, result: Any) -> Iterator[tuple[CellTask, Mapping[str, Any]]]:
    """What the cells among the targets have defined, each under its names."""
    is_single = len(started.targets) == 1 and not started.is_listed
    for target, value in zip(started.targets, [result] if is_single else result, strict=True):
        if isinstance(target, CellTask) and target.outputs:
            yield target, {target.outputs[0]: value} if len(target.outputs) == 1 else value


def _tasks(targets: Sequence[Any]) -> list[Task | PartOf]:
    found: list[Task | PartOf] = []
    for target in targets:
        if isinstance(target, CellTask):
            found.append(target.task)
        elif isinstance(target, (Task, PartOf)):
            found.append(target)
        elif isinstance(target, (list, tuple)):
            found += target
    return found
