"""What a task, graph, plan or run looks like: one SVG, and the same as text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from wfnb.answers import asked
from wfnb.freezing import freeze
from wfnb.graph import Graph, TaskId
from wfnb.plan import Plan
from wfnb.runner import Run
from wfnb.widgets.graph_svg import graph_svg
from wfnb.widgets.graph_text import graph_text
from wfnb.widgets.plan_text import plan_text


@dataclass(frozen=True, slots=True)
class Picture:
    svg: str
    text: str

    def bundle(self) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.text}


def graph_of(thing: Any) -> Graph:
    """Raises GraphError for what is no run, plan, graph, task or list of tasks."""
    if isinstance(thing, (Run, Plan)):
        return thing.graph
    if isinstance(thing, Graph):
        return thing
    tasks, _ = asked((thing,))
    return freeze(tasks)


def picture(thing: Any, stale: Collection[TaskId] = ()) -> Picture:
    """Draw a graph, a plan, a run with its states, or tasks with all that they need.

    `stale` tasks, by their ids in the graph, are marked: they have changed since they ran.
    """
    # First: with its timeline, a run's graph gets the items of its maps.
    timeline = thing.timeline if isinstance(thing, Run) else None
    graph = graph_of(thing)
    text = graph_text(graph, timeline, stale=stale)
    if isinstance(thing, Plan):
        text = f"{plan_text(thing)}\n{text}"
    return Picture(svg=graph_svg(graph, timeline, stale=stale), text=text)
