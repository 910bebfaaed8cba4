"""Every key wfnb writes to Redis. Those of a run expire together with it; the rest is listed here.

What lies under a run's prefix is described at the head of prelude.lua, which makes those names.
"""

from __future__ import annotations

from wfnb.storage.records import RunId

RUNS = "wfnb:runs"
"""zset of run -> last activity in ms"""
ACTIVE = "wfnb:active"
"""zset of the runs that have not ended"""
POOLS = "wfnb:pools"
"""hash of launch list -> "deadline in ms, space, JSON" of the pool that serves it"""

REUSE = "wfnb:reuse:"
"""Prefix of what is kept for reuse, see the head of reusing.lua"""

HISTORY = "wfnb:history:"
"""Prefix of records of past runs, see the head of recording.lua"""

STARTS = "wfnb:starts:"
"""Prefix of lists, one for each launch list: how its latest launches were met, as JSON"""


def prefix(run: RunId) -> str:
    return f"wfnb:{run}:"


def launches(pool: str) -> str:
    """The list of launch requests of a pool."""
    return f"wfnb:pool:{pool}"


def constant(run: RunId, content: str) -> str:
    return f"{prefix(run)}constant:{content}"


def chunk(run: RunId, name: str, number: int) -> str:
    return f"{prefix(run)}out:{name}:{number}"


def reused_chunk(name: str, number: int) -> str:
    return f"{REUSE}value:{name}:{number}"
