"""What anybody may do to a run, on its ledger: the same as losing, reap, cancel, resume.lua."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from wfnb.errors import ErrorRecord
from wfnb.graph import TaskId
from wfnb.storage.ledger import NEVER, Ledger, name_of
from wfnb.storage.records import (
    ANY_TASK,
    LEASE_SECONDS,
    MOST_LOSSES,
    Claim,
    Identity,
    Reaped,
    Seat,
    Seed,
)
from wfnb.storage.transitions import end_attempt, give_up, policy_of

_DONE = frozenset({"done", "held", "expanded", "skipped", "reused"})
"""States that count as done."""
_OVER = _DONE - {"held"}
"""States of readers that read no more."""


def beat(run: Ledger, identity: Identity) -> int:
    if run.status != "running" or identity not in run.leases:
        return 0
    run.leases[identity] = run.now + LEASE_SECONDS
    return run.generation


def reap(run: Ledger, record: ErrorRecord) -> Reaped:
    workers = tasks = launches = 0
    overdue = [worker for worker, deadline in run.leases.items() if deadline <= run.now]
    for identity in sorted(overdue, key=lambda worker: (run.leases[worker], worker)):
        if run.status == "running":
            back, asked = _lose(run, identity, record)
            workers, tasks, launches = workers + 1, tasks + back, launches + asked
    if run.status != "running":
        return Reaped(workers=workers, tasks=tasks, launches=launches)
    launches += _queue_due_retries(run) + _repeat_launches(run)
    next_due = max(0.0, min(run.delayed.values()) - run.now) if run.delayed else None
    return Reaped(workers=workers, tasks=tasks, launches=launches, next_due_seconds=next_due)


def _queue_due_retries(run: Ledger) -> int:
    due = [task for task, at in run.delayed.items() if at <= run.now]
    due.sort(key=lambda task: (run.delayed[task], task))
    for task in due:
        del run.delayed[task]
    return run.enqueue(due)


def _repeat_launches(run: Ledger) -> int:
    for serial, (deadline, queue) in list(run.asked.items()):
        if deadline < run.now:
            del run.asked[serial]
            run.asked_for[queue] -= 1
    return sum([run.launch_missing(queue) for queue in run.opening.lanes])


def abandon(run: Ledger, identity: Identity, record: ErrorRecord) -> Reaped:
    if run.status != "running" or identity not in run.leases:
        return Reaped()
    tasks, launches = _lose(run, identity, record)
    return Reaped(workers=1, tasks=tasks, launches=launches)


def _lose(run: Ledger, identity: Identity, record: ErrorRecord) -> tuple[int, int]:
    """How many tasks came back, and how many launches that asked for."""
    del run.leases[identity]
    queue = run.seats[identity]
    run.alive[queue] -= 1
    back, given_up = _lose_claims(run, identity, record)
    ready, active = _restore_held(run, identity, back)
    launches = run.enqueue(ready) + run.launch_missing(queue)
    run.replies.pop(identity, None)
    run.tell("lost", record.message)
    run.count_active(active - given_up)
    run.publish(name_of(identity))
    return len(ready), launches


def _lose_claims(run: Ledger, identity: Identity, record: ErrorRecord) -> tuple[list[TaskId], int]:
    """Those that were executing are blamed, the others go back uncounted."""
    back: list[Claim] = []
    failed: list[Claim] = []
    for task, attempt in list(run.claims.get(identity, {}).items()):
        end_attempt(run, identity, task)
        is_blamed = record.task in (ANY_TASK, task)
        is_lost = is_blamed and _blame(run, Claim(task, attempt), identity, record)
        (failed if is_lost else back).append(Claim(task, attempt))
    given_up = len(failed)
    failed += _blame_unclaimed(run, identity, record)
    for claim in failed:
        give_up(run, claim.task)
    if failed:
        run.tell("failed", [[c.task, c.attempt, "its worker was lost", 1] for c in failed])
    run.tell_claims("returned", back)
    return [claim.task for claim in back], given_up


def _blame(run: Ledger, claim: Claim, identity: Identity, record: ErrorRecord) -> bool:
    """True if the task may not be tried again: one that loses worker after worker is poison."""
    if record.task == ANY_TASK:
        record = replace(
            record,
            task=claim.task,
            attempt=claim.attempt,
            worker=name_of(identity),
            at_seconds=run.now,
        )
    run.errors.setdefault(claim.task, []).append(record)
    run.lost[claim.task] = run.lost.get(claim.task, 0) + 1
    return (
        run.lost[claim.task] >= MOST_LOSSES or policy_of(run, claim.task).on_worker_lost == "fail"
    )


def _blame_unclaimed(run: Ledger, identity: Identity, record: ErrorRecord) -> list[Claim]:
    """The worker died in a task that it became and never claimed: still waiting for all we know."""
    task = TaskId(record.task)
    if task in (ANY_TASK, "") or task in run.state:
        return []
    # Not claimed, it has used up no number: who becomes it the next time says the same.
    claim = Claim(task, record.attempt)
    return [claim] if _blame(run, claim, identity, record) else []


def _restore_held(
    run: Ledger, identity: Identity, back: Sequence[TaskId]
) -> tuple[list[TaskId], int]:
    """Lineage: outputs that only this worker held are made again; their readers wait once more.

    Returns what is ready now, and by how much the number of active tasks changed.
    """
    lost = {task: held for task, held in run.held.items() if held.identity == identity}
    active = len(lost)
    run.done -= len(lost)
    again: Counter[TaskId] = Counter()
    for task, held in lost.items():
        del run.held[task]
        run.attempts[task] = held.attempt
        read_already = [reader for reader in held.readers if run.state.get(reader) in _OVER]
        run.unread.pop(task, None)
        if read_already:
            run.unread[task] = -len(read_already)
        again.update(held.readers)
    returned = {*lost, *back}
    for reader, count in again.items():
        state = run.state.get(reader)
        if state is None:
            run.missing[reader] = run.missing.get(reader, 1) + count
        elif reader in returned or state in ("queued", "retrying"):
            run.missing[reader] = count
            del run.state[reader]
            run.delayed.pop(reader, None)
            active -= 1
        else:
            run.missing[reader] = NEVER
    return sorted(task for task in returned if task not in again), active


def cancel(run: Ledger) -> bool:
    if run.status != "running":
        return False
    run.generation += 1
    run.end("cancelled")
    for claims in run.claims.values():
        run.attempts.update(claims)
    run.claims.clear()
    run.leases.clear()
    run.replies.clear()
    run.publish()
    return True


def resume(run: Ledger, generation: int, seed: Seed) -> int:
    if run.status in ("running", "unknown") or run.generation != generation:
        return 0
    for task in seed.forget:
        # What was reused counts as tried: made again, it may have readers that were tried before.
        if run.state.pop(task, "") in _DONE:
            run.attempts[task] = run.attempts.get(task, 0) + 1
    run.forget_the_living()
    # What is settled is not made ready by inputs that are made again for others.
    run.missing.update(dict.fromkeys(run.state, NEVER))
    run.generation += 1
    run.status, run.ended_at = "running", None
    run.failed = 0
    run.tasks = run.tasks if seed.tasks is None else seed.tasks
    run.sow(seed)
    run.publish()
    return run.generation


def crew(run: Ledger) -> dict[str, Seat]:
    if run.status != "running":
        return {}
    return {
        run.workers[name_of(identity)]["label"]: Seat(
            identity=identity,
            generation=run.generation,
            queue=run.seats[identity],
            claims=dict(run.claims.get(identity, {})),
        )
        for identity in sorted(run.leases, key=lambda one: int(one.rpartition(":")[2]))
    }


def audit(run: Ledger) -> dict[str, int]:
    if run.status != "running":
        return {}
    real: Counter[str] = Counter(map(_counter, run.state.values()))
    wrong = {}
    for counter in ("active", "done", "failed"):
        if difference := real[counter] - getattr(run, counter):
            wrong[counter] = difference
            setattr(run, counter, real[counter])
    run.count_active(0)
    run.publish()
    return wrong


def _counter(state: str) -> str:
    kind = state.partition(" ")[0]
    if kind in ("queued", "running", "retrying"):
        return "active"
    return "done" if kind in _DONE else kind
