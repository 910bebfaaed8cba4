"""What a worker's script may ask of whoever carries it out, one step at a time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from wfnb.graph import TaskId
from wfnb.storage.records import Claim, Finished


@dataclass(frozen=True, slots=True)
class Take:
    """Ask for up to `want` ready tasks; answered by a Reply."""

    want: int
    prefer: Sequence[TaskId] = ()
    short: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """Have the inputs of these tasks here."""

    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True)
class Call:
    """Execute one task; answered by a Called."""

    at: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Called:
    is_ok: bool
    seconds: float
    output_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Save:
    """Have these outputs where others can read them; each record gets its result."""

    finished: Sequence[Finished]


@dataclass(frozen=True, slots=True)
class Complete:
    """Report finished tasks and ask for the next; answered by a Reply."""

    finished: Sequence[Finished]
    want: int
    prefer: Sequence[TaskId] = ()
    short: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Expand:
    """Save the elements that a task split, report it, give its maps their items, and ask for more.

    Answered by a Reply.
    """

    claim: Claim
    want: int
    short: Sequence[str] = ()
    prefer: Sequence[TaskId] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """Report the attempt whose call has just not been ok."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Release:
    """Give claims back untouched, for others to take."""

    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True)
class Wait:
    """Until this planned worker's queue may have something."""


Step: TypeAlias = Take | Load | Call | Save | Complete | Expand | Fail | Release | Wait
Script: TypeAlias = Generator[Step, Any, None]
