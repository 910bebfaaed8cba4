"""The store on Redis does what the one in memory does, whatever happens in whatever order.

Every verb, by workers alive, dead and given up, with lost replies, against both stores at once.
After each step both must look the same, and what keeps a run from hanging must hold.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.redis_server import REDIS_6, REDIS_7
from tests.storing import (
    DONE,
    POOL,
    QUEUE,
    RUN,
    Shape,
    Stored,
    StoredInMemory,
    StoredInRedis,
    Worker,
    error,
    expansion,
    finished,
    map_of,
    pointer,
)
from wfnb.events import START
from wfnb.graph import TaskId
from wfnb.storage import (
    Ask,
    Claim,
    Expansion,
    Finished,
    Joined,
    Lane,
    Policy,
    Reply,
    Request,
    RunId,
)

NAMES = "abcdefg"
MORE = "1cpu-2000000"
POLICIES = st.sampled_from(
    [
        None,
        Policy(retries=1),
        Policy(retries=2, retry_delay_seconds=600),
        Policy(on_worker_lost="fail"),
        Policy(more=MORE),
        Policy(more=MORE, retries=1),
    ]
)
#: MODEL_SHRINK=1 looks for a short history, which may take minutes.
SHRINK = [Phase.shrink] if os.getenv("MODEL_SHRINK") else []
#: Their second answer says what the second call did, which is nothing.
COUNTING = ("reap", "abandon", "release")
#: What a worker says: that it wants tasks, has finished some, or has split iterables.
Words = list[Finished] | tuple[Finished, Expansion] | None


@st.composite
def shapes(draw: Any) -> Shape:
    names = NAMES[: draw(st.sampled_from([6, 7, 4, 5, 3, 1]))]
    inputs: dict[str, list[str]] = {}
    maps = {}
    for i, name in enumerate(names):
        reads = draw(st.sets(st.sampled_from(names[:i]), min_size=i > 2, max_size=3)) if i else ()
        if is_map := draw(st.sampled_from([False, False, True])):
            group = draw(st.sampled_from([[name], [f"{name}1", name], [f"{name}1", name]]))
            inputs |= {one: [f"{name}.items"] for one in group}
            maps[f"{name}.items"] = group
        inputs[f"{name}.items" if is_map else name] = sorted(reads)
    kinds = draw(st.sampled_from([[QUEUE], ["@w1"], [QUEUE, "@w1", "@w1", "@w2"]]))
    queues = {name: draw(st.sampled_from(kinds)) for name in inputs}
    return Shape(inputs, {name: queue for name, queue in queues.items() if queue != QUEUE}, maps)


@st.composite
def reused(draw: Any, shape: Shape, kept: frozenset[str] = frozenset()) -> dict[str, bytes]:
    """A task that splits only with all its maps."""
    if not draw(st.sampled_from([False, False, False, True]), label="reuses"):
        return {}
    chosen = draw(st.sets(st.sampled_from([*shape.inputs])), label="reused") - kept
    for splitter, maps in shape.maps.items():
        if not {*maps} <= chosen | kept:
            chosen.discard(splitter)
    return {task: draw(st.sampled_from([b"", b"of before"])) for task in sorted(chosen)}


class Twice(StoredInRedis):
    """Each call's first reply gets lost, and the connection repeats it."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        scripts = self.store._scripts
        once = scripts.call

        def twice(verb: str, prefix: str, *args: Any) -> Any:
            first = once(verb, prefix, *args)
            again = once(verb, prefix, *args)
            if verb not in COUNTING:
                assert without_inputs(first) == without_inputs(again), verb
            return first

        scripts.call = twice


class Runs(RuleBasedStateMachine):
    client: Any

    @initialize(
        shape=shapes(),
        limit=st.integers(1, 3),
        data=st.data(),
        loses_replies=st.booleans(),
    )
    def open(self, *, shape: Shape, limit: int, data: Any, loses_replies: bool) -> None:
        self.client.flushdb()
        self.shape = shape
        self.memory = StoredInMemory()
        self.redis = (Twice if loses_replies else StoredInRedis)(self.client)
        self.workers: list[Worker] = []
        self.last_calls: list[tuple[Worker, Words, Ask]] = []
        self.counted: set[str] = set()
        self.done: set[str] = set()
        self.last_event = {self.memory: START, self.redis: START}
        self.nonces = 0
        policies = {task: data.draw(POLICIES, label=f"policy of {task}") for task in shape.inputs}
        opening = shape.opening(
            limit=limit,
            policies={task: policy for task, policy in policies.items() if policy},
            reused=data.draw(reused(shape)),
        )
        lanes = {**opening.lanes, MORE: Lane(limit=limit, pool=POOL)}
        opening = replace(opening, lanes=lanes)
        self.both(lambda stored: stored.store.open_run(opening))
        if request := self.next_request():
            self.enter(request, "host:1", 2)

    # What both stores are asked

    def both(self, call: Any) -> Any:
        expected, found = call(self.memory), call(self.redis)
        assert found == expected
        return found

    def ask(self, worker: Worker, **words: Any) -> Ask:
        self.nonces += 1
        return worker.ask(nonce=f"n{self.nonces}", **words)

    def worker(self, data: Any) -> Worker:
        busy = [w for w in self.workers if self.mine(w)]
        pool = data.draw(st.sampled_from([busy, busy, self.workers])) or self.workers
        return data.draw(st.sampled_from(pool), label="worker")

    def claims(self, worker: Worker, data: Any) -> list[Claim]:
        """Mostly what it has, sometimes what it had."""
        current = [Claim(task, attempt) for task, attempt in self.mine(worker).items()]
        pool = data.draw(st.sampled_from([current, current, worker.mine]))
        if not pool:
            return []
        return data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique=True))

    @property
    def ledger(self) -> Any:
        return self.memory.memory._runs[RUN]

    @property
    def tasks(self) -> list[str]:
        return self.shape.tasks(self.ledger.expansions)

    def inputs(self, task: str) -> list[str]:
        """All that it reads: also the element that an item is given."""
        found = self.shape.reads(task, self.ledger.expansions)
        if found or task == map_of(task):
            return found
        (splitter,) = self.shape.inputs[map_of(task)]
        return [f"{splitter}{task.removeprefix(map_of(task))}"]

    # What workers do

    @rule(data=st.data(), fate=st.sampled_from(["join", "join", "join", "join again", "lost"]))
    def launch(self, data: Any, fate: str) -> None:
        request = self.next_request()
        if request is None or fate == "lost":
            return
        label = data.draw(st.sampled_from(["host:1", "host:2", "host:3"]))
        want = data.draw(st.integers(0, 2), label="want at once")
        self.enter(request, label, want)
        if fate == "join again":
            self.both(lambda stored: bare(stored.store.join(request, label, want=want)))
            self.both(lambda stored: stored.store.join(request, "host:4", want=want))

    def enter(self, request: Request, label: str, want: int) -> None:
        joined = self.both(lambda stored: stored.store.join(request, label, want=want))
        if joined:
            self.workers.append(Worker(self.memory.store, joined))
            self.workers[-1].mine += joined.first.claims if joined.first else ()

    def next_request(self) -> Any:
        return self.both(lambda stored: stored.store.take_request([POOL], block_seconds=0))

    def call(self, words: Words, ask: Ask) -> Reply:
        def answer(stored: Stored) -> Reply:
            if words is None:
                return stored.store.claim(RUN, ask)
            if isinstance(words, tuple):
                return stored.store.expand(RUN, *words, ask)
            return stored.store.complete(RUN, words, ask)

        return self.both(answer)

    def new_call(self, worker: Worker, words: Words, data: Any) -> Reply:
        tasks = st.sampled_from(self.tasks)
        ask = self.ask(
            worker,
            want=data.draw(st.integers(0, 3), label="want"),
            stay=worker.joined.queue not in (QUEUE, MORE)
            and data.draw(st.booleans(), label="stay"),
            prefer=data.draw(st.lists(tasks, max_size=2), label="prefer"),
            tired=data.draw(st.booleans(), label="tired"),
            hints={} if words is None else self.hints(),
        )
        reply = self.call(words, ask)
        worker.mine += reply.claims
        self.last_calls = [(worker, words, ask), *self.last_calls[:3]]
        return reply

    def hints(self) -> dict[TaskId, str]:
        """For calls that may make tasks ready; a claim makes none."""
        return {task: " ".join(ins) for task in self.tasks if (ins := self.inputs(task))}

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def claim(self, data: Any) -> None:
        self.new_call(self.worker(data), None, data)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), becomes=st.booleans(), doubles=st.sampled_from([False] * 5 + [True]))
    def complete(self, *, data: Any, becomes: bool, doubles: bool) -> None:
        worker = self.worker(data)
        claims = [c for c in self.claims(worker, data) if c.task not in self.shape.maps]
        items = [self.item(c.task, c.attempt, worker, data) for c in claims]
        if becomes:
            self.add_became(items, worker, data)
        if doubles and items:
            items.append(items[0])
        self.finish(items, worker, data)

    def finish(self, items: list[Finished], worker: Worker, data: Any) -> None:
        reply = self.new_call(worker, items, data)
        for item in items:
            given = [other.task for other in items].count(item.task)
            if reply.status != "stop" and reply.refused.count(item.task) < given:
                (self.counted.add if item.unread else self.counted.discard)(item.task)

    def add_became(self, items: list[Finished], worker: Worker, data: Any) -> None:
        left = dict(self.ledger.missing)
        for item in items:
            apart = {*self.shape.maps, *(item.task for item in items)}
            for reader in [r for r in item.readers if r not in apart]:
                left[reader] = left.get(reader, 1) - 1
                mine = self.shape.queue_of(reader) == worker.joined.queue
                errs = data.draw(st.sampled_from([False] * 4 + [True]), label="too early")
                if (
                    mine
                    and (left[reader] == 0 or errs)
                    and data.draw(st.booleans(), label=f"be {reader}")
                ):
                    items.append(self.item(reader, 1, worker, data, became=True))

    def item(self, task: str, attempt: int, worker: Worker, data: Any, **words: Any) -> Finished:
        readers = self.shape.readers(task)
        mine = worker.joined.queue
        may_hold = mine != QUEUE and readers and {self.shape.queue_of(r) for r in readers} == {mine}
        if may_hold and data.draw(st.booleans(), label="held"):
            words |= {"held": True, "unread": len(readers), "result": None}
        elif data.draw(st.booleans(), label="big"):
            name, at = f"{task}:{attempt}", data.draw(st.sampled_from(["chunks", "file"]))
            self.both(lambda stored: stored.store.put(RUN, {name: [b"x"]}))
            words |= {"result": pointer(name, at=at), "unread": len(readers)}
        words["reads"] = [i for i in self.inputs(task) if i in self.counted]
        words["is_target"] = not readers
        if task != map_of(task):
            hows = st.sampled_from(["done", "done", "skipped", "reused"])
            words["how"] = data.draw(hows, label="how")
        return finished(self.shape, task, attempt, **words)

    @precondition(lambda self: self.shape.maps and self.claimed())
    @rule(data=st.data(), is_late=st.sampled_from([False] * 4 + [True]))
    def expand(self, *, data: Any, is_late: bool) -> None:
        """Mostly what is to be split, sometimes what was."""
        now = [(w, claim) for w, claim in self.claimed() if claim.task in self.shape.maps]
        ever = [(w, c) for w in self.workers for c in w.mine if c.task in self.shape.maps]
        pool = ever if is_late else now
        if pool:
            worker, claim = data.draw(st.sampled_from(pool), label="splits")
            self.split(worker, claim, data)

    @precondition(lambda self: self.claimed())
    @rule(data=st.data(), turns=st.integers(1, 6))
    def go_on(self, data: Any, turns: int) -> None:
        """Nothing befalls anybody for a while."""
        for _ in range(turns):
            if not (claimed := self.claimed()):
                return
            worker, claim = data.draw(st.sampled_from(claimed), label="goes on with")
            if claim.task in self.shape.maps:
                self.split(worker, claim, data)
            else:
                self.finish([self.item(claim.task, claim.attempt, worker, data)], worker, data)
            self.it_holds()

    def claimed(self) -> list[tuple[Worker, Claim]]:
        mine = [(w, task, a) for w in self.workers for task, a in self.mine(w).items()]
        return [(w, Claim(task, attempt)) for w, task, attempt in mine]

    def mine(self, worker: Worker) -> dict[str, int]:
        return self.ledger.claims.get(worker.identity, {})

    def split(self, worker: Worker, claim: Claim, data: Any) -> None:
        reads = [i for i in self.inputs(claim.task) if i in self.counted]
        splitter = finished(self.shape, claim.task, claim.attempt, reads=reads)
        made = self.expansion(splitter, data.draw(st.sampled_from([2, 3, 1, 0])), data)
        reply = self.new_call(worker, (splitter, made), data)
        if reply.status != "stop" and not reply.refused:
            for i, element in enumerate(made.elements):
                is_counted = element.startswith(b"{")
                change = self.counted.add if is_counted else self.counted.discard
                change(f"{claim.task}[{i}]")

    def expansion(self, splitter: Finished, count: int, data: Any) -> Expansion:
        elements = []
        for i in range(count):
            name = f"{splitter.task}[{i}]:{splitter.attempt}"
            at = data.draw(st.sampled_from(["inline", "inline", "chunks", "file"]), label=name)
            if at != "inline":
                self.both(lambda stored, name=name: stored.store.put(RUN, {name: [b"x"]}))
            elements.append(b"element" if at == "inline" else pointer(name, at=at))
        hint = data.draw(st.sampled_from(["", *self.shape.inputs[splitter.task][:1]]), label="hint")
        return expansion(self.shape, splitter.task, count, elements=elements, hint=hint)

    @precondition(lambda self: self.last_calls)
    @rule(data=st.data())
    def ask_again(self, data: Any) -> None:
        """Only the very last call of each worker can have lost its reply."""
        worker, words, ask = data.draw(st.sampled_from(self.last_calls))
        if ask is next(ask for known, _, ask in self.last_calls if known is worker):
            before = self.memory.store.snapshot(RUN)
            self.call(words, ask)
            assert self.memory.store.snapshot(RUN) == before

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def fail(self, data: Any) -> None:
        worker = self.worker(data)
        ask = self.ask(worker)
        for claim in self.claims(worker, data)[:1]:
            kind = data.draw(st.sampled_from(["raised", "memory"]), label="why")
            record = error(claim.task, claim.attempt, kind=kind)
            self.both(lambda stored, record=record: stored.store.fail(RUN, ask, record))

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        worker = self.worker(data)
        ask, claims = self.ask(worker), self.claims(worker, data)
        self.both(lambda stored: stored.store.release(RUN, ask, claims))

    # What befalls them

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), blames=st.sampled_from(["nobody", "its own", "any"]))
    def abandon(self, data: Any, blames: str) -> None:
        worker, record = self.worker(data), None
        if blames == "its own" and (claims := self.claims(worker, data)):
            record = error(claims[0].task, claims[0].attempt, kind="lost")
        elif blames == "any":
            task = data.draw(st.sampled_from(self.tasks))
            record = error(task, self.ledger.attempts.get(task, 0) + 1, kind="lost")
        self.both(lambda stored: stored.store.abandon(RUN, worker.identity, record))

    @rule(data=st.data(), what=st.sampled_from(["leases", "retries", "launches", "nothing"]))
    def time_passes(self, data: Any, what: str) -> None:
        for stored in (self.memory, self.redis):
            if what == "leases":
                stored.expire_leases()
            if what == "retries":
                stored.make_retries_due()
            if what == "launches":
                stored.make_launches_overdue()
        for worker in self.workers:
            if what == "leases" and data.draw(st.booleans(), label=f"{worker.identity} beats"):
                self.both(lambda stored, i=worker.identity: stored.store.beat(RUN, i))
        self.both(lambda stored: replace(stored.store.reap(RUN), next_due_seconds=None))

    @rule()
    def another_run_asks(self) -> None:
        elsewhere = Request(run=RunId("elsewhere"), serial="1", queue=QUEUE, generation=1)
        ours = []
        while request := self.next_request():
            ours.append(request)
        for request in [elsewhere, *reversed(ours)]:
            self.both(lambda stored, r=request: stored.store.return_request(POOL, r))

    @precondition(lambda self: self.workers and self.nonces % 4 == 3)
    @rule()
    def cancel(self) -> None:
        self.both(lambda stored: stored.store.cancel(RUN))

    @precondition(lambda self: self.ledger.status != "running")
    @rule(data=st.data())
    def resume(self, data: Any) -> None:
        run = self.memory.store.snapshot(RUN)
        kept = self.kept()
        again = data.draw(reused(self.shape, kept))
        states = {task: run.states[task] for task in kept}
        seed = self.shape.seed(states, run.expansions, reused=again)
        seed = replace(seed, forget=[t for t in run.states if t not in kept])
        self.both(lambda stored: stored.store.resume(RUN, run.generation, seed))
        self.both(lambda stored: stored.store.resume(RUN, run.generation, seed))
        self.counted.clear()
        self.done = {*kept, *again}

    def kept(self) -> frozenset[str]:
        """What need not run again. Maps fold if an element of an item that has to is gone."""
        has = self.memory.store.pointers(RUN)
        run = self.ledger
        kept = {t for t, s in run.state.items() if s in DONE and (t in has or s == "reused")}
        kept |= {t for t, s in run.state.items() if s == "expanded"}
        for splitter, count in run.expansions.items():
            first = self.shape.maps[splitter][0]
            needed = {f"{splitter}[{i}]" for i in range(count) if f"{first}[{i}]" not in kept}
            if not needed <= has.keys():
                kept.discard(splitter)
                kept -= {
                    t for t in kept if t != map_of(t) and map_of(t) in self.shape.maps[splitter]
                }
        return frozenset(kept)

    # What always holds

    @invariant()
    def it_holds(self) -> None:
        self.both_look_the_same()
        self.the_counters_are_right()
        self.what_is_running_is_claimed_once_by_somebody_alive()
        self.what_is_done_stays_done()
        self.a_waiting_task_misses_as_many_inputs_as_are_not_done()
        self.whatever_is_ready_has_somebody_who_may_take_it()

    def both_look_the_same(self) -> None:
        def looks(stored: Stored) -> Any:
            store, run = stored.store, stored.store.snapshot(RUN)
            counts = {name: run.about[name] for name in ("tasks", "active", "done", "failed")}
            assert store.expansions(RUN) == run.expansions
            errors = {
                task: [replace(record, at_seconds=0.0) for record in records]
                for task, records in store.errors(RUN).items()
            }
            events = store.events(RUN, self.last_event[stored])
            self.last_event[stored] = events[-1][0] if events else self.last_event[stored]
            assert self.last_event[stored] == run.last_event
            told = [plain(entry) for _, entry in events]
            known = run.status, run.generation, run.states, run.expansions, counts
            return *known, errors, told, store.pointers(RUN)

        self.both(looks)
        self.both(lambda stored: stored.chunk_names())
        self.both(lambda stored: stored.requests())
        self.both(lambda stored: stored.store.crew(RUN))

    def the_counters_are_right(self) -> None:
        if self.ledger.status == "running":
            assert self.both(lambda stored: stored.store.audit(RUN)) == {}
            assert self.both(lambda stored: stored.crew()) == {}

    def what_is_running_is_claimed_once_by_somebody_alive(self) -> None:
        run = self.ledger
        running = [t for t, s in run.state.items() if s.startswith("running")]
        claimed = [t for i in run.leases for t in run.claims.get(i, {})]
        if run.status == "running":
            assert sorted(claimed) == sorted(running)

    def what_is_done_stays_done(self) -> None:
        done = {task for task, state in self.ledger.state.items() if state in DONE}
        assert self.done <= done
        self.done = done

    def a_waiting_task_misses_as_many_inputs_as_are_not_done(self) -> None:
        run = self.ledger
        if run.status != "running":
            return
        found = self.client.hgetall(f"wfnb:{RUN}:missing")
        for task in self.tasks:
            if task not in run.state:
                inputs = self.shape.reads(task, run.expansions)
                real = sum(run.state.get(i) not in {*DONE, "held"} for i in inputs)
                assert int(found.get(task.encode(), 1)) == run.missing.get(task, 1) == real

    def whatever_is_ready_has_somebody_who_may_take_it(self) -> None:
        run = self.ledger
        if run.status != "running":
            return
        assert run.active > 0
        for task, state in run.state.items():
            if state == "queued":
                # Items that were ready before their map was moved stay where they were.
                queues = {self.shape.queue_of(task), MORE}
                found = [q for q in queues if task in [entry[0] for entry in run.ready[q]]]
                assert any(run.alive[queue] + run.asked_for[queue] > 0 for queue in found)

    def teardown(self) -> None:
        if hasattr(self, "shape"):
            self.work_off()
            self.redis.store.drop(RUN)
            assert self.redis.is_empty()

    def work_off(self) -> None:
        """Everybody dies, others come: the run ends."""
        for _ in range(20):
            if self.ledger.status != "running":
                break
            for stored in (self.memory, self.redis):
                stored.expire_leases()
                stored.make_retries_due()
                stored.make_launches_overdue()
            self.both(lambda stored: replace(stored.store.reap(RUN), next_due_seconds=None))
            while request := self.next_request():
                joined = self.both(lambda stored, r=request: stored.store.join(r, "last"))
                if joined:
                    self.work_with(Worker(self.memory.store, joined))
            self.both_look_the_same()
        assert self.ledger.status in ("done", "failed", "cancelled")
        assert self.ledger.tasks == len(self.tasks)
        done = sum(state in {*DONE, "held"} for state in self.ledger.state.values())
        assert (self.ledger.status == "done") == (done == len(self.tasks))

    def work_with(self, worker: Worker) -> None:
        reply = self.call(None, self.ask(worker))
        while reply.claims:
            ((task, attempt),) = [(claim.task, claim.attempt) for claim in reply.claims]
            item = finished(self.shape, task, attempt)
            splits = task in self.shape.maps
            words = (item, expansion(self.shape, task, 2)) if splits else [item]
            reply = self.call(words, self.ask(worker))


def without_inputs(answer: Any) -> Any:
    """They need not come along again."""
    if not isinstance(answer, list):
        return answer
    if len(answer) == 5:
        return [*answer[:2], *answer[3:]]
    return [without_inputs(part) for part in answer]


def bare(joined: Joined | None) -> Joined | None:
    """Inputs need not come along again."""
    return joined and joined.first and replace(joined, first=replace(joined.first, inputs={}))


def plain(entry: bytes) -> dict[str, Any]:
    """Without its time, and tasks that ended together in any order."""
    note = json.loads(entry, object_pairs_hook=without_doubles)
    note.pop("at")
    note.pop("waited", None)
    for name in ("failed", "returned"):
        note[name] = sorted(note.get(name, []))
    return note


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a part of an entry hides another"
    return dict(pairs)


@pytest.mark.parametrize(("version", "examples"), [(REDIS_6, 150), (REDIS_7, 50)])
def test_redis_and_memory_agree_on_every_history(redis_servers, version, examples):
    client = redis_servers(version).client()
    examples = int(os.getenv("MODEL_EXAMPLES", examples))
    machine = type("Runs", (Runs,), {"client": client})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            derandomize=bool(os.getenv("CI")),
            phases=[Phase.explicit, Phase.reuse, Phase.generate, *SHRINK],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    client.close()
