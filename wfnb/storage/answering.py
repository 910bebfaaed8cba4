"""What a worker is told at the end of claim, complete and expand: the same as answering.lua."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Literal

from wfnb.graph import TaskId
from wfnb.storage.hand import Hand
from wfnb.storage.ledger import Entry, Ledger, name_of
from wfnb.storage.records import Ask, Reply

STOP = Reply(status="stop")
_MOST_LOOKED_AT = 16
"""Launch requests, for one of another run."""


def is_stale(run: Ledger, ask: Ask) -> bool:
    return (
        ask.identity not in run.leases
        or run.generation != ask.generation
        or run.status != "running"
    )


def answered(run: Ledger, ask: Ask) -> Reply | None:
    """The answer to this very call, if it was given before and its reply got lost."""
    nonce, reply = run.replies.get(ask.identity, ("", None))
    if reply is None or nonce != ask.nonce:
        return None
    return Reply(
        status=reply.status, claims=reply.claims, refused=reply.refused, dropped=reply.dropped
    )


def _making_way(run: Ledger, ask: Ask) -> Ask:
    """Runs share a pool in turns: a tired worker takes nothing more if another has asked for one.

    That request comes to the head of the launch list, for the one that will be idle.
    """
    if not ask.tired or ask.queue.startswith("@"):
        return ask
    waiting = run.launchpad(ask.queue).requests
    for at, request in enumerate(islice(waiting, _MOST_LOOKED_AT)):
        if request.run != run.opening.run:
            waiting.rotate(-at)
            return replace(ask, want=0)
    return ask


def next_for(
    run: Ledger,
    ask: Ask,
    fresh: dict[TaskId, None],
    refused: tuple[TaskId, ...],
    dropped: tuple[bytes, ...],
) -> Reply:
    entries: list[Entry] = []
    if run.status == "running":
        ask = _making_way(run, ask)
        entries = _hand_out(run, ask, fresh)
    claims = run.take(ask.identity, entries)
    run.tell_claims("claimed", claims)
    reply = Reply(
        status=_how(run, ask),
        claims=tuple(claims),
        inputs=run.inputs_of(entries) if entries else {},
        refused=refused,
        dropped=dropped,
    )
    if reply.status == "left":
        _leave(run, ask)
    run.publish(name_of(ask.identity))
    run.replies[ask.identity] = (ask.nonce, reply)
    return reply


def _how(run: Ledger, ask: Ask) -> Literal["go", "wait", "left", "stop"]:
    if run.status != "running":
        return "stop"
    if run.claims.get(ask.identity):
        return "go"
    if ask.stay or any(held.identity == ask.identity for held in run.held.values()):
        return "wait"
    return "left"


def _hand_out(run: Ledger, ask: Ask, fresh: dict[TaskId, None]) -> list[Entry]:
    """First what the worker prefers, then what became ready just now; then whatever is ready."""
    preferred = {task: None for task in ask.prefer if task in fresh or run.is_queued(task)}
    tasks = preferred | fresh if preferred else fresh
    hand = Hand(ask.want, ask.short)
    for task in tasks:
        if run.queue_of(task) == ask.queue and hand.fits(task):
            hand.taken[task] = ask.hints.get(task, "")
    others = [task for task in tasks if task in fresh and task not in hand.taken]
    if others:
        run.enqueue(others, ask.hints)
    run.pop(ask.queue, hand)
    return list(hand.taken.items())


def _leave(run: Ledger, ask: Ask) -> None:
    del run.leases[ask.identity]
    run.alive[ask.queue] -= 1
    run.tell("left", 1)
    if ask.want == 0:
        run.launch_missing(ask.queue)
