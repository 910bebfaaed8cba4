"""What a panel needs of a run, and of whoever plans and starts one for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from wfnb.errors import ErrorRecord
from wfnb.graph import Graph
from wfnb.plan import Plan
from wfnb.timeline import Timeline


class Told(Protocol):
    """What the panel tells of a run."""

    id: Any
    graph: Graph

    @property
    def status(self) -> str: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def timeline(self) -> Timeline: ...

    @property
    def errors(self) -> list[ErrorRecord]: ...

    def log(self, task: str, attempt: int | None = None) -> str: ...


class Followed(Told, Protocol):
    """What the panel needs of a run."""

    def cancel(self) -> bool: ...

    def resume(self) -> Any: ...

    def apart(self) -> Any:
        """The same run with a timeline of its own, for the thread that follows it."""
        ...


class Actions(Protocol):
    """What the bar offers for what is shown; a session does it."""

    @property
    def planners(self) -> Sequence[str]: ...

    @property
    def planner(self) -> str: ...

    def plan(self, planner: str) -> Plan: ...

    def start(self, planner: str) -> Followed: ...
