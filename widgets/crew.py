"""What the panel's workers tab is told of each worker beside its name: what it is, what it uses."""

from __future__ import annotations

from typing import Any

from wfnb.crews import Member, crew_of
from wfnb.loads import Loads
from wfnb.timeline import Timeline
from wfnb.widgets.ansi import safe_line

Message = dict[str, Any]


class CrewFeed:
    """Part `c` of the picture: worker -> facts; each replaces all that was told before."""

    def __init__(self, loads: Loads) -> None:
        self._loads = loads
        self._told: Message = {}

    def told(self, timeline: Timeline) -> Message:
        """What has changed since the last time, if anything."""
        loads = self._loads.look(timeline.crew.labels.values())
        facts = {safe_line(one.worker): _facts(one) for one in crew_of(timeline, loads)}
        if facts == self._told:
            return {}
        self._told = facts
        return {"c": facts}


def _facts(member: Member) -> Message:
    """Without what is not known: most of it, of a process."""
    load = member.load
    known = {
        "container": safe_line(load.container),
        "image": safe_line(load.image),
        "state": safe_line(load.state),
        "cpus": load.cpus,
        "percent": None if load.cpu_percent is None else round(load.cpu_percent),
        "memory": load.memory_bytes,
        "peak": load.peak_bytes,
        "limit": load.limit_bytes,
        "cold": member.is_cold,
        "waited": member.waited_seconds,
    }
    return {name: value for name, value in known.items() if value not in ("", None)}
