"""The words between workers and store: what a run is opened with, asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NewType

from wfnb.events import EventId
from wfnb.graph import TaskId
from wfnb.storage.history import Part

RunId = NewType("RunId", str)
Identity = NewType("Identity", str)
"""A worker's name and the serial of its joining, "w1:7": never the same twice in a run."""

LEASE_SECONDS = 10.0
LAUNCH_SECONDS = 10.0
"""After this long without a joining worker, a launch is asked for again."""
ANY_TASK = TaskId("$TASK$")
"""In a lost worker's record: each task it had claimed."""
MOST_LOSSES = 3
"""A task whose attempts lose this many workers is poison, and fails."""
MOST_STARTS = 100
"""So many of each pool are kept, the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One queue of ready tasks, and who may be asked to serve it."""

    limit: int
    """Workers that may serve it at once."""
    pool: str
    """The launch list to ask for them on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What becomes of a failed or lost attempt; tasks for which this default holds have none."""

    retries: int = 0
    retry_delay_seconds: float = 0.0
    on_worker_lost: str = "retry"
    more: str = ""
    """The queue of workers with more memory, for an attempt after one that had too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """The state a run starts from, at first and at each resume."""

    ready: Mapping[str, Sequence[TaskId]]
    """Per queue, in order."""
    missing: Mapping[TaskId, int]
    """Inputs not yet done, where there are several: a waiting task not named misses one."""
    forget: Sequence[TaskId] = ()
    """At a resume: tasks that wait or are queued again, whatever they were; maps fold again."""
    done: int = 0
    """Tasks that need not run, or not again."""
    tasks: int | None = None
    """At a resume, of all tasks and items, if that is not what it was."""
    reused: Mapping[TaskId, bytes] = field(default_factory=dict)
    """Tasks that need not run, for what they return is there: results, b"" if nobody reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Everything a new run consists of."""

    run: RunId
    graph: bytes
    plan: bytes
    seed: Seed
    queue: str
    """The queue of every task that `queues` does not name."""
    queues: Mapping[TaskId, str]
    lanes: Mapping[str, Lane]
    policies: Mapping[TaskId, Policy]
    constants: Mapping[str, bytes]
    """Large values by content hash."""
    about: Mapping[str, str]
    """Owner, name, sizes, versions: shown, never decided on."""
    tasks: int
    keep_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A launch that a transition asked for: one worker for one queue of one run."""

    run: RunId
    serial: str
    """Joins are accepted once a serial."""
    queue: str
    generation: int
    graph: bytes = b""
    """The graph itself when it is small, so that a worker starts without another look."""


DISMISSAL = Request(run=RunId(""), serial="", queue="", generation=0)
"""Of no run: whoever takes it goes, for another kind of worker is to have its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a worker wants next; `nonce` tells a repeated call from a new one."""

    identity: Identity
    generation: int
    queue: str
    want: int
    nonce: str
    prefer: Sequence[TaskId] = ()
    """Taken first if they are ready: what they share with this worker's last tasks is here."""
    short: Sequence[str] | None = None
    """Names of functions whose tasks may come several at a time, others come alone; None: all."""
    stay: bool = False
    """Wait when there is nothing to take, and do not leave: a planned worker has tasks to come."""
    tired: bool = False
    """Long in the run: it takes nothing more, and leaves, if another run waits for its pool."""
    hints: Mapping[TaskId, str] = field(default_factory=dict)
    """Of tasks that may become ready in this call: their inputs, space between, to come along."""
    learned: Sequence[Part] = ()
    """For the history: kept if this call is not a repeated one."""


@dataclass(slots=True, kw_only=True)
class Finished:
    """One task that ended well, as its worker reports it."""

    task: TaskId
    attempt: int
    became: bool = False
    """It was never claimed: all its missing inputs finish before it in the same call."""
    readers: Sequence[TaskId] = ()
    result: bytes | None = None
    """Sealed output, or pointer; None when all its readers finish in the same call."""
    is_target: bool = False
    unread: int = 0
    """Readers to count down until the output is dropped; 0 leaves a small one to the run's end."""
    reads: Sequence[TaskId] = ()
    """Inputs whose readers are counted."""
    held: bool = False
    """Its output stays in this worker's memory, for readers that only this worker may take."""
    how: Literal["done", "skipped", "reused"] = "done"
    """skipped: an item that a filter left out. reused: its value was known. Both count as done."""
    note: str = ""
    """Its part of the events entry, see events.done_note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What the items of a map are, when its splitting has ended well.

    An item is named after its map, "score-0[3]", an element after the task that split the
    iterables, "score-0.items[3]".
    """

    count: int
    maps: Sequence[TaskId]
    """The maps that get so many items each: those of the first are ready at once, each with its
    element; those of the others become ready by the items they follow."""
    elements: Sequence[bytes]
    """Results, in order: sealed elements, or pointers, which are dropped after their one reader."""
    hint: str = ""
    """What else the first map's items read, space between, to come along with them."""


@dataclass(frozen=True, slots=True)
class Claim:
    task: TaskId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a worker may do next."""

    status: Literal["go", "wait", "left", "stop"]
    """wait: a planned worker's tasks are not ready yet. left: nothing to take, the worker is out of
    the run. stop: the run ended, was cancelled or resumed, or this worker was given up."""
    claims: tuple[Claim, ...] = ()
    inputs: Mapping[TaskId, bytes] = field(default_factory=dict)
    """Results of the claims' inputs, as far as they came along."""
    refused: tuple[TaskId, ...] = ()
    """Finished tasks that were not taken: somebody else's attempt counts."""
    dropped: tuple[bytes, ...] = ()
    """Pointers of outputs nobody will read again, whose bytes lie outside the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    identity: Identity
    generation: int
    queue: str
    first: Reply | None = None
    """What a claim made at once was answered, if one was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A living worker in a run, as whoever learns of its death has to name it."""

    identity: Identity
    generation: int
    queue: str
    claims: Mapping[TaskId, int]
    """Its tasks -> attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a launch was met."""

    waited_seconds: float
    """From when it was asked for until its worker joined, by the store's clock."""
    is_cold: bool
    """Whether the worker was started for it."""
    at_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    workers: int = 0
    tasks: int = 0
    launches: int = 0
    next_due_seconds: float | None = None
    """Until the next retry is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """State and the last event it includes: draw, then follow from there, without a gap."""

    status: str
    """running, done, failed or cancelled."""
    generation: int
    states: Mapping[TaskId, str]
    """Only tasks that do not simply wait."""
    last_event: EventId
    about: Mapping[str, str]
    expansions: Mapping[TaskId, int] = field(default_factory=dict)
    """Tasks that split -> how many items each made."""
