"""Where a worker's calls are made, and with what options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from wfnb.errors import ErrorRecord
from wfnb.graph import Options, TaskId
from wfnb.language import Attempt
from wfnb.plan import memory_of, resized
from wfnb.workers.call import Outcome


class Bench(Protocol):
    """Where calls are made: a supervised process, or the user's own."""

    label: str

    def start(self, task: TaskId, attempt: int, options: Options) -> None: ...

    def call(
        self, function: Callable[..., Any], args: Any, kwargs: Any, attempt: Attempt
    ) -> Outcome: ...

    def end(self) -> None:
        """The call is over; what it printed is known."""
        ...

    def explained(self, record: ErrorRecord) -> ErrorRecord:
        """What is known here of a call that failed, besides what it says itself."""
        ...

    def reported(self) -> None:
        """Nothing that was started here is unreported any more."""
        ...

    def flush(self) -> None:
        """Have the log in the store before what printed it counts as done."""
        ...


class Witness(Protocol):
    """What knows how a call fared from outside it."""

    def start(self) -> None: ...

    def look(self) -> None:
        """Meanwhile, from another thread."""
        ...

    def end(self) -> None: ...

    def explained(self, record: ErrorRecord) -> ErrorRecord:
        """Of the call that has started last."""
        ...


def options_in(queue: str, options: Options) -> Options:
    """Of an attempt that was claimed there: after one with too little memory, it has more."""
    memory_bytes, resources = memory_of(queue), options.resources
    if memory_bytes is None or resources.memory_bytes in (None, memory_bytes):
        return options
    return replace(options, resources=resized(resources, memory_bytes))
