"""What a worker is told at the end of claim, complete and expand: the same as answering.lua."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from wfnb.graph import TaskId
from wfnb.storage.hand import Hand
from wfnb.storage.ledger import Entry, Ledger, name_of
from wfnb.storage.records import Ask, Reply

STOP = Reply(status="stop")


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


def next_for(
    run: Ledger,
    ask: Ask,
    fresh: dict[TaskId, None],
    refused: tuple[TaskId, ...],
    dropped: tuple[bytes, ...],
) -> Reply:
    entries: list[Entry] = _hand_out(run, ask, fresh) if run.status == "running" else []
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


def _hand_out(run: Ledger, ask: Ask, fresh: Iterable[TaskId]) -> list[Entry]:
    """First what became ready in this call, what the worker prefers of that before the rest.

    Then what it prefers of the ready; then whatever is ready.
    """
    preferred = frozenset(ask.prefer)
    fresh = sorted(fresh, key=lambda task: task not in preferred) if preferred else list(fresh)
    hand = Hand(ask.want, ask.short)
    for task in fresh:
        if run.queue_of(task) == ask.queue and hand.fits(task):
            hand.taken[task] = ask.hints.get(task, "")
    if len(hand.taken) < len(fresh):
        run.enqueue([task for task in fresh if task not in hand.taken], ask.hints)
    for task in ask.prefer:
        if run.is_queued(task) and run.queue_of(task) == ask.queue and hand.fits(task):
            hand.taken.setdefault(task, "")
    run.pop(ask.queue, hand)
    return list(hand.taken.items())


def _leave(run: Ledger, ask: Ask) -> None:
    del run.leases[ask.identity]
    run.alive[ask.queue] -= 1
    run.tell("left", 1)
    if ask.want == 0:
        run.launch_missing(ask.queue)
