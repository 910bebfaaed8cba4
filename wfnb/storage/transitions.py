"""What workers do to a run, on its ledger: the same as join, claim, complete, fail, release.lua."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wfnb.errors import ErrorRecord
from wfnb.graph import TaskId
from wfnb.plan import memory_of
from wfnb.storage.answering import STOP, answered, is_stale, next_for
from wfnb.storage.dropping import drop_read, keep_output
from wfnb.storage.ledger import NEVER, Held, Ledger, map_of, name_of
from wfnb.storage.records import (
    LAUNCH_SECONDS,
    LEASE_SECONDS,
    Ask,
    Claim,
    Finished,
    Identity,
    Joined,
    Policy,
    Reply,
    Request,
    Start,
)


def join(
    run: Ledger, request: Request, label: str, want: int, age_seconds: float | None
) -> Joined | None:
    if run.status != "running" or run.generation != request.generation:
        return None
    serial = request.serial
    asked = run.asked.pop(serial, None)
    if asked is None:
        return _joined_before(run, serial, label, want)
    due, queue = asked
    name = queue[1:] if queue.startswith("@") else _name(run, label)
    run.joins += 1
    identity = Identity(f"{name}:{run.joins}")
    run.joined[serial] = name
    run.workers[name] = {"serial": serial, "label": label, "identity": identity, "queue": queue}
    run.seats[identity] = queue
    run.leases[identity] = run.now + LEASE_SECONDS
    run.asked_for[queue] -= 1
    run.alive[queue] += 1
    run.tell("joined", label)
    _note_start(run, queue, run.now - due + LAUNCH_SECONDS, age_seconds)
    if not want:
        run.publish(name)
    return _joined(run, identity, queue, want)


def _note_start(run: Ledger, queue: str, waited: float, age_seconds: float | None) -> None:
    """Planners learn from it what launches take."""
    waited = round(waited, 3)
    is_cold = age_seconds is not None and age_seconds < waited
    run.tell("waited", waited)
    run.tell("cold", int(is_cold))
    start = Start(waited_seconds=waited, is_cold=is_cold, at_seconds=round(run.now, 3))
    run.launchpad(queue).starts.appendleft(start)


def _joined_before(run: Ledger, serial: str, label: str, want: int) -> Joined | None:
    known = run.workers.get(run.joined.get(serial, ""))
    if known is None or known["serial"] != serial or known["label"] != label:
        return None
    return _joined(run, known["identity"], known["queue"], want)


def _joined(run: Ledger, identity: Identity, queue: str, want: int) -> Joined | None:
    ask = Ask(
        identity=identity,
        generation=run.generation,
        queue=queue,
        want=want,
        nonce="join",
        stay=queue.startswith("@"),
    )
    first = claim(run, ask) if want else None
    if first is STOP:  # given up before it heard of this
        return None
    return Joined(identity=identity, generation=run.generation, queue=queue, first=first)


def _name(run: Ledger, label: str) -> str:
    """A flexible worker's name; planned ones are called as the plan says."""
    if label not in run.names:
        run.named += 1
        while f"@w{run.named}" in run.opening.lanes:
            run.named += 1
        run.names[label] = f"w{run.named}"
    return run.names[label]


def claim(run: Ledger, ask: Ask) -> Reply:
    before = answered(run, ask)
    if before is not None:
        return before
    if is_stale(run, ask):
        return STOP
    return next_for(run, ask, {}, (), ())


def complete(run: Ledger, finished: Sequence[Finished], ask: Ask) -> Reply:
    before = answered(run, ask)
    if before is not None:
        return before
    if is_stale(run, ask):
        return STOP
    # The readers whose last input is among these, in order, but for those that became it at once.
    fresh: dict[TaskId, None] = {}
    accepted, refused = _take_in(run, finished, ask.identity, fresh)
    ended = sum([not item.became for item in accepted.values()])
    if notes := [item.note for item in accepted.values() if item.note]:
        run.tell_done(notes)
    run.done += len(accepted)
    dropped: list[bytes] = []
    for item in accepted.values():
        if not item.held and item.reads:
            dropped += drop_read(run, item.reads)
    run.count_active(len(fresh) - ended)
    return next_for(run, ask, fresh, tuple(refused), tuple(dropped))


def _take_in(
    run: Ledger, finished: Sequence[Finished], identity: Identity, fresh: dict[TaskId, None]
) -> tuple[dict[TaskId, Finished], list[TaskId]]:
    accepted: dict[TaskId, Finished] = {}
    refused: list[TaskId] = []
    for item in finished:
        if item.task in accepted or not _counts(run, item, identity, fresh):
            refused.append(item.task)
            continue
        if item.became:
            del fresh[item.task]
        else:
            del run.claims[identity][item.task]
        accepted[item.task] = item
        _accept(run, item, identity)
        _count_down(run, item.readers, fresh)
    return accepted, refused


def _counts(run: Ledger, item: Finished, identity: Identity, fresh: dict[TaskId, None]) -> bool:
    if item.became:
        return item.task in fresh and item.task not in run.attempts
    return run.claims.get(identity, {}).get(item.task) == item.attempt


def _accept(run: Ledger, item: Finished, identity: Identity) -> None:
    task = item.task
    run.state[task] = "held" if item.held else item.how
    if item.held:
        run.held[task] = Held(identity, item.attempt, item.readers, item.reads, item.how)
    else:
        keep_output(run, item)
    if item.unread:
        # Made again, it may have lost readers that are done: they stand here as a negative count.
        run.unread[task] = item.unread + run.unread.get(task, 0)


def _count_down(run: Ledger, readers: Iterable[TaskId], fresh: dict[TaskId, None]) -> None:
    missing = run.missing
    for reader in readers:
        left = missing.get(reader, 1) - 1
        if left:
            missing[reader] = left
        else:
            missing.pop(reader, None)
            fresh[reader] = None


def fail(run: Ledger, ask: Ask, record: ErrorRecord) -> bool:
    task, attempt = TaskId(record.task), record.attempt
    if run.last_failed.get(ask.identity) == Claim(task, attempt):
        return True
    if run.status != "running" or run.generation != ask.generation:
        return False
    if run.claims.get(ask.identity, {}).get(task) != attempt:
        return False
    run.last_failed[ask.identity] = Claim(task, attempt)
    end_attempt(run, ask.identity, task)
    policy = policy_of(run, task)
    if record.kind == "memory" and policy.more not in ("", run.seats[ask.identity]):
        _give_more(run, record, policy.more)
    else:
        _count_failure(run, record, policy)
    run.publish(name_of(ask.identity))
    return True


def _give_more(run: Ledger, record: ErrorRecord, queue: str) -> None:
    """An attempt that had too little memory is followed by one, uncounted, where there is more."""
    task = TaskId(record.task)
    words = f"; the next attempt gets {(memory_of(queue) or 0) / 1e6:.1f} MB"
    run.errors.setdefault(task, []).append(replace(record, message=record.message + words))
    run.queues[map_of(task)] = queue
    run.tell("failed", [[task, record.attempt, _told(record) + words, 0]])
    run.enqueue([task])


def _count_failure(run: Ledger, record: ErrorRecord, policy: Policy) -> None:
    task = TaskId(record.task)
    run.errors.setdefault(task, []).append(record)
    failures = run.failures[task] = run.failures.get(task, 0) + 1
    is_hopeless = record.kind == "not-serialisable"  # it would be again
    is_final = is_hopeless or failures > policy.retries
    run.tell("failed", [[task, record.attempt, _told(record), int(is_final)]])
    if is_final:
        give_up(run, task)
        run.count_active(-1)
    elif policy.retry_delay_seconds > 0:
        run.state[task] = "retrying"
        run.delayed[task] = run.now + policy.retry_delay_seconds * 2 ** (failures - 1)
    else:
        run.enqueue([task])


def _told(record: ErrorRecord) -> str:
    return f"{record.type}: {record.message}"[:500]


def release(run: Ledger, ask: Ask, tasks: Sequence[Claim]) -> None:
    if run.status != "running" or run.generation != ask.generation:
        return
    mine = run.claims.get(ask.identity, {})
    back = [claim for claim in tasks if mine.get(claim.task) == claim.attempt]
    for claim in back:
        end_attempt(run, ask.identity, claim.task)
    run.enqueue([claim.task for claim in back])
    run.tell_claims("returned", back)
    run.publish(name_of(ask.identity))


def policy_of(run: Ledger, task: TaskId) -> Policy:
    return run.opening.policies.get(map_of(task)) or Policy()


def end_attempt(run: Ledger, identity: Identity, task: TaskId) -> None:
    run.attempts[task] = run.claims[identity].pop(task)


def give_up(run: Ledger, task: TaskId) -> None:
    """It failed for good; inputs of it that are made again do not make it ready."""
    run.state[task] = "failed"
    run.missing[task] = NEVER
    run.failed += 1
