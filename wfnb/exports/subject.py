"""What there is to write: a graph, and what is known of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wfnb.answers import asked
from wfnb.draft import Draft
from wfnb.freezing import freeze
from wfnb.graph import Graph, TaskId
from wfnb.plan import Placement, Plan
from wfnb.runner import Run
from wfnb.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    graph: Graph
    timeline: Timeline | None = None
    placements: Mapping[TaskId, Placement] = field(default_factory=dict)
    run: str = ""


def subject_of(thing: Any) -> Subject:
    """Raises GraphError for what holds no task."""
    match thing:
        case Subject():
            return thing
        case Run():
            timeline = thing.timeline
            return Subject(
                graph=timeline.graph,  # with the items of maps, which thing.graph may lack
                timeline=timeline,
                placements=thing.plan.placements,
                run=thing.id,
            )
        case Timeline():
            return Subject(graph=thing.graph, timeline=thing)
        case Plan():
            return Subject(graph=thing.graph, placements=thing.placements)
        case Graph():
            return Subject(graph=thing)
        case Draft():
            return Subject(graph=thing.freeze())
        case _:
            return Subject(graph=freeze(asked((thing,))[0]))
