"""What a notebook shows of runs, plans, graphs and its draft: live where a page can be.

A panel lives as long as its cell's output: run again, the cell gets a new one and frees the old.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from wfnb.answers import asked
from wfnb.building import Building
from wfnb.errors import GraphError, WfnbError
from wfnb.graph import Graph, TaskId
from wfnb.plan import Plan
from wfnb.planners import PLANNERS
from wfnb.runner import Run
from wfnb.session import Session
from wfnb.views import graph_of, picture
from wfnb.widgets.crew import CrewFeed

if TYPE_CHECKING:
    from wfnb.widgets.builder import Builder
    from wfnb.widgets.dashboard import Dashboard

LIBRARIES = ("anywidget", "ipycytoscape")


@cache
def panels_of(shell: Any, session: Session) -> Panels:
    """Those of this shell, told of its cells from now on."""
    header = getattr(shell, "parent_header", None) or {}
    panels = Panels(session, cell=header.get("metadata", {}).get("cellId") or "")
    shell.events.register("pre_run_cell", panels.begin)
    shell.events.register("post_run_cell", panels.end)
    return panels


def is_live(shell: Any) -> bool:
    """Whether panels can be shown: in a kernel, with the libraries there."""
    return hasattr(shell, "kernel") and all(map(find_spec, LIBRARIES))


class Panels:
    """The panels of one notebook, by the cell that they were shown in."""

    def __init__(self, session: Session, *, cell: str = "") -> None:
        self._session = session
        self._cell = cell
        self._of_cell: dict[str, list[Dashboard | Builder]] = {}
        self._of_draft: list[Dashboard] = []
        self._builders: list[Builder] = []
        self._building: Building | None = None

    def begin(self, info: Any = None) -> None:
        self._cell = getattr(info, "cell_id", None) or ""
        if self._cell:
            for board in self._of_cell.pop(self._cell, []):
                board.close()

    def end(self, result: object = None) -> None:
        """The draft has grown, perhaps."""
        del result
        self._builders = [builder for builder in self._builders if not builder.is_closed]
        for builder in self._builders:
            builder.refresh()
        self._follow_draft()

    def _follow_draft(self) -> None:
        self._of_draft = [board for board in self._of_draft if not board.is_closed]
        if not self._of_draft and not self._builders:
            return
        try:
            graph, stale = _drawn(self._session, None)
        except GraphError:
            return  # nothing is left of it, or a part is missing: the last picture stays
        for builder in self._builders:
            if not builder.above.children:
                board = self.board()
                builder.above.children = (board.widget,)
        for board in self._of_draft:
            board.draw(graph, stale=stale)

    def build(self, shell: Any) -> None:
        if self._building is None:
            self._building = Building(shell.user_ns, self._session.draft)
        make = import_module("wfnb.widgets.builder").Builder
        put = partial(shell.set_next_input, replace=False)
        builder: Builder = make(self._building, changed=self._follow_draft, put=put)
        self._of_cell.setdefault(self._cell, []).append(builder)
        self._builders.append(builder)
        self._follow_draft()
        shell.display_pub.publish(builder._repr_mimebundle_())

    def board(self, thing: Any = None) -> Dashboard:
        """A live panel of a run, a plan, a graph, tasks, or the draft; raises GraphError."""
        crew = CrewFeed(self._session.loads)
        make = partial(import_module("wfnb.widgets.dashboard").Dashboard, crew=crew)
        board: Dashboard
        if isinstance(thing, Run):
            board = make(thing.graph, title=str(thing.id)).follow(thing)
        else:
            graph, stale = _drawn(self._session, thing)
            offers = _offers(self._session, thing)
            board = make(graph, actions=offers, title="draft" if thing is None else _title(thing))
            board.draw(graph, stale=stale)
            if isinstance(thing, Plan):
                board.propose(thing)
            if thing is None:
                self._of_draft.append(board)
        self._of_cell.setdefault(self._cell, []).append(board)
        return board


class Offers:
    """What the bar of a panel may ask for: these targets, planned and run by this session."""

    def __init__(
        self, session: Session, targets: tuple[Any, ...], *, given: Plan | None = None
    ) -> None:
        """A `given` plan is taken as it is, until another planner is chosen."""
        self._session = session
        self._targets = targets
        self._given = given

    @property
    def planners(self) -> Sequence[str]:
        return sorted({*PLANNERS, self.planner})

    @property
    def planner(self) -> str:
        return self._given.planner if self._given else self._session.planner

    def plan(self, planner: str) -> Plan:
        return self._session.plan(*self._asked(planner), planner=planner)

    def start(self, planner: str) -> Run:
        return self._session.start(*self._asked(planner), planner=planner)

    def _asked(self, planner: str) -> tuple[Any, ...]:
        if self._given is not None and planner == self._given.planner:
            return (self._given,)
        return self._targets


def _offers(session: Session, thing: Any) -> Offers:
    if isinstance(thing, Plan):
        return Offers(session, (thing.graph,), given=thing)
    return Offers(session, () if thing is None else (thing,))


def show(shell: Any, session: Session, thing: Any = None) -> None:
    """Show it in the output of the cell that runs, live where a page can be; None is the draft.

    Raises GraphError for what has no graph.
    """
    if is_live(shell):
        panels_of(shell, session).board(thing)._ipython_display_()
    else:
        shell.display_pub.publish(bundle_of(session, thing))


def show_run(shell: Any, session: Session, run: Run) -> Dashboard:
    """Show it live; for who waits for its end, and then for that of its panel."""
    board = panels_of(shell, session).board(run)
    board._ipython_display_()
    return board


def bundle_of(session: Session, thing: Any = None) -> dict[str, Any]:
    """How it looks where no panel can live."""
    if isinstance(thing, (Plan, Run)):
        return picture(thing).bundle()
    return picture(*_drawn(session, thing)).bundle()


def build(shell: Any, session: Session) -> None:
    """A form that builds tasks by hand, below the draft that grows with it."""
    if not is_live(shell):
        raise WfnbError("building by hand needs a notebook: `pip install wfnb[notebook]`")
    panels_of(shell, session).build(shell)


def _drawn(session: Session, thing: Any) -> tuple[Graph, frozenset[TaskId]]:
    """The graph, and which of its tasks have changed since they ran."""
    draft = session.draft
    if thing is None:
        return draft.freeze(), draft.stale
    graph = graph_of(thing)
    if isinstance(thing, (Graph, Plan)):
        return graph, frozenset()
    return graph, draft.stale_in(graph, asked((thing,))[0])


def _title(thing: Any) -> str:
    return "" if isinstance(thing, (list, tuple)) else type(thing).__name__.lower()
