"""What a task, graph, plan or run looks like: one SVG, and the same as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wfnb.answers import asked
from wfnb.graph import Graph, freeze
from wfnb.plan import Plan
from wfnb.runner import Run
from wfnb.timeline import Timeline
from wfnb.widgets.graph_svg import graph_svg
from wfnb.widgets.graph_text import graph_text


@dataclass(frozen=True, slots=True)
class Picture:
    svg: str
    text: str

    def bundle(self) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.text}


def picture(thing: Any) -> Picture:
    """Draw a graph, a plan, a run with its states, or tasks with all that they need."""
    timeline: Timeline | None = None
    match thing:
        case Run():
            graph, timeline = thing.graph, thing.timeline
        case Plan():
            graph = thing.graph
        case Graph():
            graph = thing
        case _:
            tasks, _ = asked((thing,))
            graph = freeze(tasks)
    return Picture(svg=graph_svg(graph, timeline), text=graph_text(graph, timeline))
