"""The panel of a run, a plan or a graph under construction: one widget, live while a cell runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from threading import Event
from typing import Any

from wfnb.errors import WfnbError
from wfnb.graph import Graph, TaskId
from wfnb.plan import Plan
from wfnb.timeline import Span, TaskState, Timeline
from wfnb.widgets.ansi import safe_line, safe_text
from wfnb.widgets.companion import Companion
from wfnb.widgets.crew import CrewFeed
from wfnb.widgets.followed import Actions, Followed
from wfnb.widgets.graph_panel import GraphPanel
from wfnb.widgets.graph_svg import graph_svg
from wfnb.widgets.graph_text import graph_text
from wfnb.widgets.keepsake import Keepsake
from wfnb.widgets.live import Live, guarded
from wfnb.widgets.log_feed import LogFeed
from wfnb.widgets.plan_text import UNKNOWN, notes_of, outlook_words, plan_text
from wfnb.widgets.telling import Message, Telling

_VIEW = "application/vnd.jupyter.widget-view+json"
_FAILING = (TaskState.FAILED, TaskState.RETRYING)


class Dashboard:
    """Shows a graph, with `follow` a run of it. Every method may be called from any thread."""

    def __init__(
        self,
        graph: Graph,
        *,
        actions: Actions | None = None,
        title: str = "",
        crew: CrewFeed | None = None,
    ) -> None:
        self._graph = graph
        self._actions = actions
        self._crew = crew
        self._telling = Telling()
        self._panel = GraphPanel()
        self._companion = Companion(self._panel.model, heard=self._hear)
        self._mailbox = self._companion.mailbox
        self._run: Followed | None = None
        self._live: Live | None = None
        self._logs: LogFeed | None = None
        self._timeline: Timeline | None = None
        self._plan_shown: Plan | None = None
        self._stale: Collection[TaskId] = ()
        self._keepsake = Keepsake()
        self._at_end: list[Callable[[], object]] = []
        self._is_closed = False
        self._is_settled = Event()
        self._is_settled.set()
        planners = list(actions.planners) if actions else []
        planner = actions.planner if actions else ""
        facts = {"title": safe_line(title), "planners": planners, "planner": planner}
        self._mailbox.put({"r": {"status": "", "can_run": actions is not None, **facts}})

    def __repr__(self) -> str:
        return graph_text(self._graph, self._timeline)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """A live view for a page with a kernel; the same as a picture and as text for others."""
        svg, text = self._picture()
        return {**self._view(), "image/svg+xml": svg, "text/plain": text}

    def _ipython_display_(self) -> None:
        """The same as two outputs: of these the picture is seen when the kernel is gone."""
        self._keepsake.show(self._view(), *self._picture())

    def _view(self) -> dict[str, Any]:
        self._begin()
        view: Any = self._companion._repr_mimebundle_() or {}
        data = view[0] if isinstance(view, tuple) else view
        return {_VIEW: data[_VIEW]} if _VIEW in data else {}

    def _picture(self) -> tuple[str, str]:
        graph, timeline, stale = self._graph, self._timeline, self._stale
        text = graph_text(graph, timeline, stale=stale)
        if self._plan_shown is not None and self._run is None:
            text = f"{plan_text(self._plan_shown)}\n{text}"
        return graph_svg(graph, timeline, stale=stale), text

    def on_end(self, act: Callable[[], object]) -> None:
        """Have this called, in another thread, whenever a run that is shown has ended."""
        self._at_end.append(act)

    def draw(self, graph: Graph, *, stale: Collection[TaskId] = ()) -> None:
        """Show this graph from now on; `stale` tasks have changed since they last ran.

        Not while a run is shown that goes on: that is what people look at.
        """
        if not self._is_settled.is_set():
            return
        if graph is not self._graph:
            self._timeline = None
        if self._plan_shown is not None and self._plan_shown.graph.ids != graph.ids:
            self._plan_shown = None
            self._mailbox.put({"r": {"outlook": "", "notes": []}})
        self._graph, self._stale = graph, stale
        self._tell_graph()
        if self._keepsake.is_shown:
            self._keepsake.replace(*self._picture())

    def propose(self, plan: Plan) -> Dashboard:
        """Show what this plan is expected to come to; not while a run is shown that goes on."""
        if not self._is_settled.is_set():
            return self
        outlook = plan.outlook
        words = " · ".join(outlook_words(outlook)) if outlook is not None else UNKNOWN
        facts = {"planner": safe_line(plan.planner), "notes": notes_of(plan), "outlook": words}
        self._plan_shown = plan
        self._mailbox.put({"r": {**facts, "trouble": ""}})
        self.draw(plan.graph, stale=self._stale)
        return self

    def _begin(self) -> None:
        """Tell the graph, if no run or drawing has told it: a page needs it once."""
        if not self._telling.ids:
            self._tell_graph()

    def _tell_graph(self) -> None:
        told = self._telling.shape(self._graph, plan=self._plan_shown, stale=self._stale)
        if told.get("reset"):
            told["r"] = {"id": "", "status": ""}
        self._mailbox.put(told)

    def follow(self, run: Followed) -> Dashboard:
        """Show this run, live until it ends."""
        self._stop()
        self._run, self._graph, self._logs = run, run.graph, LogFeed(run)
        self._plan_shown, self._stale, self._timeline = run.plan, (), None
        self._telling.forget_times()
        about = {"id": safe_line(str(run.id)), "status": "running", "elapsed": 0.0, "trouble": ""}
        planner = safe_line(run.plan.planner)
        told = {**about, "planner": planner, "notes": [], "outlook": ""}
        self._mailbox.put({"reset": True, "r": told})
        self._mailbox.put(self._telling.shape(run.graph, plan=run.plan))
        self._is_settled.clear()
        self._live = Live(run.apart(), self)
        self._live.start()
        return self

    def settle(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until the end of a run is shown, so that a cell ends with its last picture."""
        if self._live is not None:
            self._live.hurry()
        return self._is_settled.wait(timeout_seconds)

    @property
    def widget(self) -> Companion:
        """For a box that it is shown in."""
        self._begin()
        return self._companion

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """Free everything, here and in the page; the run goes on."""
        self._is_closed = True
        self._stop()
        self._companion.close()
        self._panel.close()

    # What its Live asks of it

    def show(self, timeline: Timeline, *, is_over: bool) -> None:
        with self._mailbox.together():
            self._show(timeline, is_over=is_over)

    def _show(self, timeline: Timeline, *, is_over: bool) -> None:
        self._timeline = timeline
        told = self._telling.shape(timeline.graph, plan=self._plan_shown)
        if told.get("reset") and self._run is not None:
            self._logs = LogFeed(self._run)
        changed = self._telling.changed(timeline)
        told |= self._telling.changes(timeline, changed)
        if told or is_over:
            status = timeline.status if is_over else "running"
            told["r"] = {"status": status, "elapsed": _elapsed(timeline)}
        self._mailbox.put(told)
        # Apart, for they ask the store: without an answer the picture is still right.
        if self._crew is not None:
            self._mailbox.put(self._crew.told(timeline))
        self._mailbox.put(self._failures(changed))
        self._mailbox.put(self._printed(changed, is_over=is_over))

    def say(self, text: str) -> None:
        self._mailbox.put({"r": {"trouble": safe_text(text)}})

    def finish(self) -> None:
        self._companion.finish()
        self._keepsake.replace(*self._picture())
        self._is_settled.set()
        for act in self._at_end:
            guarded(self, act)

    def catch_up(self) -> bool:
        self._mailbox.put(self._printed((), is_over=True))
        return self._logs is not None and self._logs.has_more

    def _failures(self, changed: Sequence[Span]) -> Message:
        run = self._run
        if run is None or not any(s.state in _FAILING or s.attempt > 1 for s in changed):
            return {}
        return self._telling.errors(run.errors)

    def _printed(self, changed: Sequence[Span], *, is_over: bool) -> Message:
        if self._logs is None:
            return {}
        logs, number = self._logs.take(changed, is_over=is_over), self._telling.ids
        told = {
            "l": {str(number[task]): log for task, log in logs["l"].items()},
            "q": [number[task] for task in logs["q"]],
        }
        return {part: value for part, value in told.items() if value}

    def _stop(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = None
        self._is_settled.set()

    # What the page asks of it

    def _hear(self, asked: Message) -> None:
        actions: dict[str, Callable[[Message], None]] = {
            "cancel": self._cancel,
            "log": self._watch,
            "plan": self._plan,
            "resume": self._resume,
            "start": self._start,
        }
        action = actions.get(str(asked.get("t")))
        if action is None or self._is_closed:
            return
        try:
            action(asked)
        except WfnbError as error:
            self.say(str(error))
        finally:
            if "n" in asked:
                self._mailbox.put({"r": {"answered": asked["n"]}})

    def _cancel(self, _: Message) -> None:
        if self._run is not None:
            self._run.cancel()

    def _resume(self, _: Message) -> None:
        if self._run is not None:
            self._run.resume()
            self.follow(self._run)

    def _start(self, asked: Message) -> None:
        if self._actions is not None:
            self.follow(self._actions.start(self._named_planner(asked)))

    def _plan(self, asked: Message) -> None:
        if self._actions is not None:
            self.propose(self._actions.plan(self._named_planner(asked)))

    def _named_planner(self, asked: Message) -> str:
        assert self._actions is not None
        wanted = str(asked.get("planner"))
        return wanted if wanted in self._actions.planners else self._actions.planner

    def _watch(self, asked: Message) -> None:
        if self._logs is None:
            return
        by_number: dict[Any, TaskId] = {at: task for task, at in self._telling.ids.items()}
        task = asked.get("task")
        self._logs.watch(by_number.get(task) if isinstance(task, int) else None)
        if self._live is None or not self._live.is_alive:
            self._mailbox.put(self._printed((), is_over=True))


def _elapsed(timeline: Timeline) -> float:
    if timeline.start_seconds is None:
        return 0.0
    end = timeline.end_seconds if timeline.status != "running" else None
    return round(max(0.0, (end or time.time()) - timeline.start_seconds), 3)
