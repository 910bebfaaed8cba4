"""The fault driver: workers that can be stopped at any step, for good or for a while.

On the memory store it carries scripts out itself, without processes or time; `announced` lets a
real worker process tell each step it comes to, so that it can be killed there.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from wfnb.errors import ErrorRecord
from wfnb.events import START, Sample, TaskDone, done_note, read_entry
from wfnb.graph import Function, Graph, Options, TaskId
from wfnb.role import Role
from wfnb.script import (
    Call,
    Called,
    Complete,
    Fail,
    Load,
    Release,
    Save,
    Script,
    Step,
    Take,
    Wait,
    work,
)
from wfnb.storage import Ask, Joined, Lane, Opening, Policy, Reply, Request, RunId, Seed
from wfnb.storage.memory import MemoryStore

RUN = RunId("r")
POOL = "pool"
QUEUE = "1cpu"
ELSEWHERE = Request(run=RunId("elsewhere"), serial="1", queue=QUEUE, generation=1)
BIG_OUTPUT_BYTES = 1 << 20
MOST_STEPS = 10_000


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A small workflow as tests write it: task -> its inputs, space between."""

    inputs: Mapping[str, str]
    queues: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Options] = field(default_factory=dict)
    fails: Mapping[str, int] = field(default_factory=dict)
    """How many of a task's calls fail before one is ok."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    big: frozenset[str] = frozenset()
    """Tasks whose output lies outside the store."""
    targets: tuple[str, ...] = ()
    limit: int = 4

    def reads(self, task: str) -> list[str]:
        return self.inputs[task].split()

    def readers(self, task: str) -> list[str]:
        return [reader for reader in self.inputs if task in self.reads(reader)]

    def queue_of(self, task: str) -> str:
        return self.queues.get(task, QUEUE)

    def options_of(self, task: str) -> Options:
        return self.options.get(task, Options())

    @property
    def all_targets(self) -> tuple[str, ...]:
        return self.targets or tuple(task for task in self.inputs if not self.readers(task))

    @property
    def graph(self) -> Graph:
        names = list(self.inputs)
        functions = {task: Function(task, crc32, self.options_of(task)) for task in names}
        return Graph(
            functions=tuple(functions.values()),
            ids=tuple(map(TaskId, names)),
            function_at=tuple(range(len(names))),
            arguments_at=[()] * len(names),
            inputs_at=tuple(tuple(names.index(i) for i in self.reads(task)) for task in names),
            targets=tuple(map(TaskId, self.all_targets)),
        )

    @property
    def queue_at(self) -> tuple[str, ...] | None:
        queues = tuple(self.queue_of(task) for task in self.inputs)
        return queues if len(set(queues)) > 1 else None

    @property
    def opening(self) -> Opening:
        ready: dict[str, list[TaskId]] = {}
        for task in self.inputs:
            if not self.reads(task):
                ready.setdefault(self.queue_of(task), []).append(TaskId(task))
        counts = {TaskId(task): len(self.reads(task)) for task in self.inputs}
        lanes = {
            queue: Lane(limit=1 if queue.startswith("@") else self.limit, pool=POOL)
            for queue in dict.fromkeys(map(self.queue_of, self.inputs))
        }
        return Opening(
            run=RUN,
            graph=b"",
            plan=b"",
            seed=Seed(ready=ready, missing={t: n for t, n in counts.items() if n > 1}),
            queue=QUEUE,
            queues={TaskId(t): q for t, q in self.queues.items()},
            lanes=lanes,
            policies={TaskId(t): _policy(o) for t, o in self.options.items()},
            constants={},
            about={},
            tasks=len(self.inputs),
            keep_seconds=1000,
        )

    def evaluated(self) -> dict[str, int]:
        """Every task's value, as one process computes them."""
        values: dict[str, int] = {}
        for task in self.inputs:
            values[task] = combined(task, [values[read] for read in self.reads(task)])
        return values


def _policy(options: Options) -> Policy:
    return Policy(
        retries=options.retries,
        retry_delay_seconds=options.retry_delay_seconds,
        on_worker_lost=options.on_worker_lost,
    )


def combined(task: str, values: Sequence[int]) -> int:
    return crc32(f"{task}{list(values)}".encode())


class World:
    """A run on the memory store, everything it needs, and a clock that tests set."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.graph = flow.graph
        self.now = 1_795_000_000.0
        self.store = MemoryStore(clock=lambda: self.now)
        self.files: dict[str, int] = {}
        """Outputs outside the store."""
        self.calls: Counter[str] = Counter()
        self.failed_calls: Counter[str] = Counter()
        self.workers: list[Worker] = []
        self.is_busy = False
        """Another run always waits for workers, and those of this one are always tired."""
        self.repeats = False
        """Each reply to a worker gets lost at first, and the call is made again."""
        self.serials = itertools.count()
        self.store.open_run(flow.opening)

    @property
    def status(self) -> str:
        return self.store._runs[RUN].status

    def come(self) -> list[Worker]:
        """A worker for each launch that was asked for."""
        came = []
        while request := self.store.take_request([POOL], block_seconds=0):
            joined = self.store.join(request, f"host {next(self.serials)}", want=1)
            if joined is not None:
                came.append(Worker(self, joined))
        if self.is_busy:
            self.store.return_request(POOL, ELSEWHERE)
        self.workers += came
        return came

    def lose(self, worker: Worker, how: str) -> None:
        """It is not heard of any more: "reap" finds out by its lease, "abandon" by its death."""
        worker.is_lost = True
        if worker in self.workers:
            self.workers.remove(worker)
        if how == "abandon":
            self.store.abandon(RUN, worker.joined.identity, worker.blame())
        else:
            self.pass_time()
        assert self.store.audit(RUN) == {}

    def pass_time(self) -> None:
        """More than a lease; those who live have beaten meanwhile."""
        self.now += 11
        for worker in self.workers:
            self.store.beat(RUN, worker.joined.identity)
        self.store.reap(RUN)

    def finish(self, choose: Callable[[Sequence[Worker]], Worker] | None = None) -> None:
        """Let workers come and work, one step at a time, until the run has ended."""
        quiet = 0
        for turn in itertools.count():
            assert turn < MOST_STEPS, f"the run goes on for ever: {self.store.snapshot(RUN)}"
            self.come()
            if self.status != "running":
                return
            if not self.workers or quiet > 3 * len(self.workers):
                self.pass_time()
                quiet = 0
                continue
            worker = choose(self.workers) if choose else self.workers[turn % len(self.workers)]
            quiet = quiet + 1 if isinstance(worker.pending, Wait) else 0
            if not worker.advance():
                self.workers.remove(worker)

    def let(self, worker: Worker) -> bool:
        """Have it do a step. What it waits for, the others do meanwhile."""
        if isinstance(worker.pending, Wait):
            self.come()
            for other in [other for other in self.workers if other is not worker]:
                if not all(other.advance() for _ in range(10)):
                    self.workers.remove(other)
        return worker.advance()

    def drain(self) -> None:
        """The run has ended: each worker that is left hears so, and leaves."""
        for worker in self.workers:
            worker.run_on()
        self.workers.clear()

    def value(self, task: str) -> int | None:
        (result,) = self.store.results(RUN, [TaskId(task)])
        return None if result is None else self.read(result)

    def read(self, result: bytes) -> int | None:
        """None if it was deleted."""
        if result[:1] != b"{":
            return int(result)
        return self.files.get(json.loads(result)["name"])

    def told(self) -> tuple[object, ...]:
        """All there is to see of the run."""
        snapshot = self.store.snapshot(RUN)
        outputs = self.store.pointers(RUN)
        return snapshot.status, dict(snapshot.states), dict(outputs), snapshot.last_event

    def completions(self) -> Counter[tuple[str, int]]:
        events = [e for _, entry in self.store.events(RUN, START) for e in read_entry(entry)]
        return Counter((e.task, e.attempt) for e in events if isinstance(e, TaskDone))


class Worker:
    """One worker, which does a step when it is told to."""

    def __init__(self, world: World, joined: Joined) -> None:
        self.world = world
        self.joined = joined
        self.role = Role(world.graph, joined.identity, world.flow.queue_at, joined.queue)
        self.script: Script = work(self.role, joined.first)
        self.steps: list[Step] = []
        self.pending: Step | None = next(self.script, None)
        self.is_lost = False
        """It may go on, as a zombie: others may then have cleared away what it wants to read."""
        self._nonces = itertools.count()
        self._values: dict[int, int] = {}
        self._inbox: dict[TaskId, bytes] = dict(joined.first.inputs) if joined.first else {}
        self._counted: set[int] = set()
        self._careful: Call | None = None
        self._has_failed = False
        names = list(world.flow.inputs)
        self._own = (
            sum(world.flow.queue_of(t) == joined.queue for t in names) * self.role.is_planned
        )

    def advance(self) -> bool:
        """Carry out the step at hand; False once the script has ended."""
        if self.pending is None:
            return False
        step = self.pending
        self.steps.append(step)
        answer = self._do(step)
        try:
            self.pending = self.script.send(answer)
        except StopIteration:
            self.pending = None
        return self.pending is not None

    def run_on(self) -> list[Step]:
        """To the end; a planned worker that only waits is none of our business."""
        for _ in range(MOST_STEPS):
            if not self.advance():
                return self.steps
        raise AssertionError(f"{self.joined.identity} never ends")

    def blame(self) -> ErrorRecord | None:
        """What the supervisor says if it dies now."""
        at = self.pending if isinstance(self.pending, Call) else self._careful
        if at is None:
            return None
        task = self.world.graph.ids[at.at]
        return ErrorRecord(
            task=task, attempt=at.attempt, kind="lost", type="WorkerLost", message="it died"
        )

    def _do(self, step: Step) -> Any:
        do: dict[type, Callable[[Any], Any]] = {
            Take: lambda take: self._told(lambda ask: self.world.store.claim(RUN, ask), take),
            Load: self._load,
            Call: self._call,
            Save: self._save,
            Complete: self._complete,
            Fail: self._fail,
            Release: self._release,
            Wait: lambda wait: None,
        }
        return do[type(step)](step)

    def _release(self, step: Release) -> None:
        self._twice(lambda: self.world.store.release(RUN, self._ask(0), step.claims))

    def _ask(self, want: int, prefer: Sequence[TaskId] = ()) -> Ask:
        return Ask(
            identity=self.joined.identity,
            generation=self.joined.generation,
            queue=self.joined.queue,
            want=want,
            nonce=str(next(self._nonces)),
            prefer=prefer,
            stay=self._own > 0,
            tired=self.world.is_busy and not self._has_failed,
        )

    def _twice(self, call: Callable[[], Any]) -> Any:
        if self.world.repeats:
            call()
        return call()

    def _told(self, call: Callable[[Ask], Reply], step: Take | Complete) -> Reply:
        ask = self._ask(step.want, step.prefer)
        reply: Reply = self._twice(lambda: call(ask))
        self._inbox.update(reply.inputs)
        for pointer in reply.dropped:
            del self.world.files[json.loads(pointer)["name"]]
        return reply

    def _load(self, step: Load) -> None:
        graph = self.world.graph
        for at in {i for c in step.claims for i in graph.inputs_at[graph.position[c.task]]}:
            if at in self._values:
                continue
            task = graph.ids[at]
            result = self._inbox.pop(task, None) or self.world.store.results(RUN, [task])[0]
            value = None if result is None else self.world.read(result)
            if value is None:
                assert self.is_lost, f"{self.joined.identity} misses the output of {task}"
                continue
            if result[:1] == b"{":
                self._counted.add(at)
            self._values[at] = value

    def _call(self, step: Call) -> Called:
        flow, graph = self.world.flow, self.world.graph
        task = graph.ids[step.at]
        inputs = [self._values.get(i) for i in graph.inputs_at[step.at]]
        if None in inputs:
            return Called(is_ok=False, seconds=0.0)
        self.world.calls[task] += 1
        self._careful = step if self.role.is_careful(step.at) else None
        self._has_failed = self.world.failed_calls[task] < flow.fails.get(task, 0)
        if self._has_failed:
            self.world.failed_calls[task] += 1
            return Called(is_ok=False, seconds=0.0)
        self._values[step.at] = combined(task, inputs)
        size = BIG_OUTPUT_BYTES if task in flow.big else 8
        return Called(is_ok=True, seconds=flow.seconds.get(task, 1e-6), output_bytes=size)

    def _save(self, step: Save) -> None:
        for record in step.finished:
            at = self.world.graph.position[record.task]
            if record.held:
                self._counted.add(at)
            elif record.task in self.world.flow.big and not record.is_target:
                name = f"{record.task}/{record.attempt}/{self.joined.identity}"
                self.world.files[name] = self._values[at]
                record.result = json.dumps({"at": "file", "name": name}).encode()
                self._counted.add(at)
            else:
                record.unread = 0
                record.result = str(self._values[at]).encode()

    def _complete(self, step: Complete) -> Reply:
        graph = self.world.graph
        here = {graph.position[record.task] for record in step.finished}
        for record in step.finished:
            at = graph.position[record.task]
            record.note = done_note(
                record.task, record.attempt, Sample(1.0), how="held" if record.held else "done"
            )
            record.reads = [
                graph.ids[i]
                for i in graph.inputs_at[at]
                if i in self._counted and (record.held or i not in here)
            ]
        self._own -= len(here) if self._own else 0
        reply = self._told(lambda ask: self.world.store.complete(RUN, step.finished, ask), step)
        self._careful = None
        for at in here:
            if here.issuperset(graph.readers_at[at]):
                self._values.pop(at, None)
        return reply

    def _fail(self, step: Fail) -> bool:
        claim = step.claim
        record = ErrorRecord(
            task=claim.task, attempt=claim.attempt, kind="raised", type="ValueError", message="no"
        )
        ask = self._ask(0)
        self._careful, self._has_failed = None, False
        told: bool = self._twice(lambda: self.world.store.fail(RUN, ask, record))
        return told


def at_random(seed: int) -> Callable[[Sequence[Worker]], Worker]:
    return random.Random(seed).choice


def announced(script: Script, tell: Callable[[Step, str], object]) -> Iterator[Any]:
    """The same script, which tells of each step before and after it is carried out."""
    answer = None
    while True:
        try:
            step = script.send(answer)
        except StopIteration:
            return
        tell(step, "before")
        answer = yield step
        tell(step, "after")
