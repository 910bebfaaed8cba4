"""What workers share: each run's tasks, outputs and events, and the launches they ask for.

A store moves opaque bytes and decides by state alone. Each verb is one atomic transition; called
again with the same words after a lost reply, it gives the same answer and changes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from wfnb.errors import ErrorRecord
from wfnb.events import EventId
from wfnb.graph import TaskId
from wfnb.storage.history import Histories
from wfnb.storage.records import (
    LAUNCH_SECONDS,
    LEASE_SECONDS,
    MOST_LOSSES,
    Ask,
    Claim,
    Expansion,
    Finished,
    Identity,
    Joined,
    Lane,
    Opening,
    Policy,
    Reaped,
    Reply,
    Request,
    RunId,
    Seat,
    Seed,
    Snapshot,
    Start,
)
from wfnb.storage.reuse import Reusable, Reusables

__all__ = [
    "LAUNCH_SECONDS",
    "LEASE_SECONDS",
    "MOST_LOSSES",
    "Ask",
    "Choreography",
    "Claim",
    "Expansion",
    "Feed",
    "Finished",
    "Histories",
    "Identity",
    "Joined",
    "Lane",
    "Launches",
    "Opening",
    "Outputs",
    "Policy",
    "Reaped",
    "Recovery",
    "Reply",
    "Request",
    "Reusable",
    "Reusables",
    "RunId",
    "Runs",
    "Seat",
    "Seed",
    "Snapshot",
    "Start",
    "Store",
]


class Choreography(Protocol):
    """What a worker does in a run."""

    def join(
        self, request: Request, label: str, *, want: int = 0, age_seconds: float | None = None
    ) -> Joined | None:
        """Enter the run; None if the request was met already or the run is over.

        With `want`, claim as many tasks in the same call. A worker that is younger than the
        request, by the time since it was asked for itself, counts as a cold start.
        """
        ...

    def claim(self, run: RunId, ask: Ask) -> Reply: ...

    def complete(self, run: RunId, finished: Sequence[Finished], ask: Ask) -> Reply:
        """Take in finished tasks, make their readers ready, hand out the next, ask for launches."""
        ...

    def expand(self, run: RunId, splitter: Finished, expansion: Expansion, ask: Ask) -> Reply:
        """Take in a task that split iterables, and make its maps' items; else like `complete`."""
        ...

    def fail(self, run: RunId, ask: Ask, record: ErrorRecord) -> bool:
        """End the attempt badly; False if it no longer counted. Retries follow the task's policy.

        Of `ask` only identity and generation matter.
        """
        ...

    def release(self, run: RunId, ask: Ask, tasks: Sequence[Claim]) -> None:
        """Give claimed tasks back untouched; it counts neither as attempt nor as loss."""
        ...

    def await_ready(self, run: RunId, queue: str, *, block_seconds: float) -> None:
        """Return when a planned worker's queue may have something, or after this long."""
        ...


class Recovery(Protocol):
    """What anybody may do for a run, at any time."""

    def beat(self, run: RunId, identity: Identity) -> int:
        """Renew the lease. The run's generation, or 0 if this worker was given up: kill it."""
        ...

    def reap(self, run: RunId) -> Reaped:
        """Give up workers whose lease ran out, queue retries that are due, repeat lost launches."""
        ...

    def abandon(self, run: RunId, identity: Identity, record: ErrorRecord | None) -> Reaped:
        """Give up a worker that is known to be dead.

        `record` blames the task it was executing, if any; its other claims go back uncounted.
        """
        ...

    def cancel(self, run: RunId) -> bool:
        """End a running run under a new generation; False if it had ended."""
        ...

    def resume(self, run: RunId, generation: int, seed: Seed) -> int:
        """Start an ended run again; the new generation.

        0 if the run is not, or no longer, what the seed was made from.
        """
        ...

    def crew(self, run: RunId) -> Mapping[str, Seat]:
        """The living workers, by label: who learns that one died can abandon it at once."""
        ...

    def audit(self, run: RunId) -> Mapping[str, int]:
        """Recount what decides when a run ends, and put it right: counter -> difference."""
        ...


class Runs(Protocol):
    def open_run(self, opening: Opening) -> bool:
        """True if a pool that serves every lane's launch list is known to be alive."""
        ...

    def graph(self, run: RunId) -> bytes: ...

    def plan(self, run: RunId) -> bytes: ...

    def constants(self, run: RunId, hashes: Sequence[str]) -> list[bytes]: ...

    def runs(self) -> Sequence[tuple[RunId, Mapping[str, str]]]:
        """Known runs, the latest first, with what `about` and their status say."""
        ...

    def active_runs(self) -> Sequence[RunId]:
        """Runs that have not ended."""
        ...

    def drop(self, run: RunId) -> None:
        """Delete everything of a run, whatever its status."""
        ...


class Outputs(Protocol):
    def put(self, run: RunId, outputs: Mapping[str, Sequence[bytes | memoryview]]) -> None:
        """Write outputs' chunks, by name; they expire unless a completion names them."""
        ...

    def get(self, run: RunId, name: str, chunks: int) -> list[bytes]:
        """The chunks of an output; StoreError if one is gone."""
        ...

    def whole(self, run: RunId, outputs: Mapping[str, int]) -> set[str]:
        """The names of those outputs, of so many chunks each, that `get` would give."""
        ...

    def results(self, run: RunId, tasks: Sequence[TaskId]) -> list[bytes | None]:
        """Sealed outputs or pointers, None where there is none."""
        ...

    def await_results(
        self, run: RunId, tasks: Sequence[TaskId], *, timeout_seconds: float
    ) -> tuple[str, list[bytes | None]]:
        """What `wait_for_end` and then `results` say, in one round trip."""
        ...

    def pointers(self, run: RunId) -> Mapping[TaskId, bytes]:
        """Every output the run still has."""
        ...

    def expansions(self, run: RunId) -> Mapping[TaskId, int]:
        """Tasks that split -> how many items each made."""
        ...


class Feed(Protocol):
    """What watchers read."""

    def events(
        self, run: RunId, after: EventId, *, block_seconds: float = 0.0
    ) -> list[tuple[EventId, bytes]]:
        """Entries after this one, oldest first; waits up to `block_seconds` for the first."""
        ...

    def note(self, run: RunId, entry: str) -> None:
        """Append an entry that changes no state, such as "none"."""
        ...

    def wait_for_end(self, run: RunId, *, timeout_seconds: float) -> str:
        """The run's status after at most this long; returns at once when it is not running."""
        ...

    def snapshot(self, run: RunId) -> Snapshot: ...

    def errors(self, run: RunId) -> Mapping[TaskId, Sequence[ErrorRecord]]: ...

    def append_log(
        self, run: RunId, task: TaskId, attempt: int, text: bytes, *, at: int | None = None
    ) -> None:
        """Keeps the first and the last MiB of an attempt's output, and counts what falls between.

        `at` is where the text begins in that output: what is known already is not taken twice.
        None appends.
        """
        ...

    def log(self, run: RunId, task: TaskId, attempt: int | None = None) -> bytes:
        """Standard output and error of one attempt, the last one by default."""
        ...


class Launches(Protocol):
    """Between transitions that ask for workers and pools that start them."""

    def take_request(self, pools: Sequence[str], *, block_seconds: float) -> Request | None: ...

    def return_request(self, pool: str, request: Request) -> None:
        """Put a request back at the head: this worker cannot serve it."""
        ...

    def waiting(self, pools: Sequence[str]) -> Sequence[int]:
        """How many requests each launch list has that nobody has taken."""
        ...

    def starts(self, pool: str) -> Sequence[Start]:
        """How the latest launches of a launch list were met, the latest first."""
        ...

    def announce(self, pool: str, about: Mapping[str, str], *, ttl_seconds: float) -> None:
        """A pool is alive and takes requests from this list; ttl 0 says that it goes."""
        ...

    def pools(self) -> Mapping[str, Mapping[str, str]]:
        """Launch lists that a living pool serves."""
        ...


class Store(Choreography, Recovery, Runs, Outputs, Feed, Launches, Reusables, Histories, Protocol):
    """Workers and clients coordinate through nothing else."""

    def close(self) -> None: ...
