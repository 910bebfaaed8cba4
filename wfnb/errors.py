"""Everything wfnb raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class WfnbError(Exception):
    """Something went wrong in wfnb."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the message is the remedy, wfnb's own frames are noise."""
        return [f"{type(self).__name__}: {self}"]


class GraphError(WfnbError):
    """The tasks do not form a directed acyclic graph."""


class CellError(GraphError):
    """A cell cannot be a task."""


class CallError(WfnbError, TypeError):
    """The arguments do not fit the task's function."""


class OptionError(WfnbError, ValueError):
    """An option has a value that it cannot have."""


class SerialisationError(WfnbError):
    """A value or function cannot travel to another process."""


class SignatureError(WfnbError):
    """Data in the store was not written with this user's key."""


class PlanError(WfnbError):
    """The plan does not cover its graph."""


class StoreError(WfnbError):
    """The store could not be reached, or lost what it was given."""


class StoreFullError(StoreError):
    """The store has no memory left: drop old runs with `wfnb gc`, or raise its maxmemory."""


class RunNotFoundError(StoreError):
    """No such run is in the store."""


class BackendError(WfnbError):
    """No worker can be started."""


class ImageError(BackendError):
    """There is no image for workers, and none can be made."""


class RequirementsError(WfnbError):
    """What a task requires cannot be installed."""


class ExportError(WfnbError):
    """Something cannot be written to a file."""


class FormatError(WfnbError, ValueError):
    """A file does not say what it should."""


class RunCancelledError(WfnbError):
    """The run was cancelled."""


class RunTimeoutError(WfnbError, TimeoutError):
    """The run has not ended in time; it goes on."""


class WaitInterrupted(KeyboardInterrupt):
    """The user stopped waiting for a run; what there is to say has been printed."""

    def _render_traceback_(self) -> list[str]:
        return ["KeyboardInterrupt: the wait was stopped, not the run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """One failed attempt, as the run's errors key holds it."""

    task: str
    attempt: int
    kind: str
    """raised, timeout, memory, lost, not-serialisable, input or refused."""
    type: str
    message: str
    traceback: str = ""
    stderr: str = ""
    worker: str = ""
    resources: str = ""
    at_seconds: float = 0.0


class TaskError(WfnbError):
    """A task of the run failed."""

    def __init__(self, message: str, records: Sequence[ErrorRecord] = ()) -> None:
        super().__init__(message)
        self.records = tuple(records)
