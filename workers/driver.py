"""Carries a worker's script out for real: I/O with the store, and the user's functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import replace
from itertools import count
from typing import Any

from wfnb import codec
from wfnb.errors import CallError, ErrorRecord, SerialisationError
from wfnb.events import Sample, done_note
from wfnb.graph import TaskId
from wfnb.history import Recorder
from wfnb.language import Attempt
from wfnb.maps import SKIP, Elements
from wfnb.role import Role
from wfnb.steps import (
    Call,
    Called,
    Complete,
    Expand,
    Fail,
    Load,
    Release,
    Save,
    Script,
    Step,
    Take,
    Wait,
)
from wfnb.storage import Ask, Finished, Joined, Reply, RunId, Store
from wfnb.storage.graphs import Stored
from wfnb.storage.outputs import Archive, refuse_too_big
from wfnb.workers.bench import Bench, options_in
from wfnb.workers.call import Outcome, refusal
from wfnb.workers.inputs import Inputs, Unusable
from wfnb.workers.keeping import Keeping
from wfnb.workers.memory import Memory, settled
from wfnb.workers.splits import Splits

_MOST_HINTED_INPUTS = 8
_WAIT_SECONDS = 1.0
TIRED_SECONDS = 1.0
"""So long it works for one run before it asks whether another waits for workers."""
_AGAIN_SECONDS = 0.05
"""Until it asks again, when none did."""


class Driver:
    """One worker in one run, from its joining to its leaving."""

    def __init__(
        self, *, store: Store, archive: Archive, stored: Stored, joined: Joined, bench: Bench
    ) -> None:
        self._store = store
        self._archive = archive
        self._run: RunId = archive.run
        self._graph = stored.graph
        self._joined = joined
        self._bench = bench
        self._worker = joined.identity.rpartition(":")[0]
        self._nonces = count()
        self._memory = Memory()
        self._recorder = Recorder(archive, stored, queue=joined.queue)
        self._inputs = Inputs(store, archive, stored, self._memory, self._recorder.moved)
        self._samples: dict[int, Sample] = {}
        """Of calls that ended well, until they are reported."""
        self._errors: dict[int, ErrorRecord] = {}
        """Of those that did not."""
        self._splits = Splits(self._graph, archive)
        self._keeping = Keeping(store, archive.signer, stored)
        self._skipped: set[int] = set()
        self._own_tasks = 0
        self._tired_at = time.monotonic() + TIRED_SECONDS
        self._options = [
            options_in(joined.queue, function.options) for function in self._graph.functions
        ]
        self._do: dict[type, Callable[[Any], Any]] = {
            Take: self._take,
            Load: self._load,
            Call: self._call,
            Save: self._save,
            Complete: self._complete,
            Expand: self._expand,
            Fail: self._fail,
            Release: self._release,
            Wait: self._wait,
        }

    def carry_out(self, script: Script, role: Role) -> None:
        if role.is_planned:
            self._own_tasks = sum(map(role.may_take, range(len(self._graph))))
        if self._joined.first is not None:
            self._inputs.learn(self._joined.first)
        do, answer = self._do, None
        try:
            while True:
                step: Step = script.send(answer)
                answer = do[type(step)](step)
        except StopIteration:
            self._recorder.finish(self._store)

    def _is_tired(self) -> bool:
        """A failed call that was not asked for is claimed first, to be told of."""
        return time.monotonic() >= self._tired_at and not self._errors

    def _ask(
        self, step: Take | Complete | Expand | None, hints: dict[TaskId, str] | None = None
    ) -> Ask:
        return Ask(
            identity=self._joined.identity,
            generation=self._joined.generation,
            queue=self._joined.queue,
            want=step.want if step else 0,
            nonce=str(next(self._nonces)),
            prefer=getattr(step, "prefer", ()),
            short=tuple(step.short) if step else (),
            stay=self._own_tasks > 0,
            tired=self._is_tired(),
            hints=hints or {},
            learned=self._recorder.due() if isinstance(step, Complete | Expand) else (),
        )

    def _take(self, step: Take) -> Reply:
        return self._learn(self._store.claim(self._run, self._ask(step)))

    def _learn(self, reply: Reply) -> Reply:
        self._recorder.handed()
        if reply.claims and time.monotonic() >= self._tired_at:
            self._tired_at = time.monotonic() + _AGAIN_SECONDS
        return self._inputs.learn(reply)

    def _load(self, step: Load) -> None:
        self._inputs.load([self._graph.position[claim.task] for claim in step.claims])

    def _call(self, step: Call) -> Called:
        at, graph = step.at, self._graph
        task = graph.ids[at]
        begun = time.time()
        start = time.perf_counter()
        self._bench.start(task, step.attempt, self._options[graph.function_at[at]])
        try:
            call = self._inputs.function(at)
            args, kwargs = self._inputs.arguments(at)
        except Unusable as refused:
            return self._not_called(step, refused)
        loaded_at = time.perf_counter()
        outcome = self._keeping.known(at, args) or self._bench.call(
            call, args, kwargs, Attempt(self._run, task, step.attempt)
        )
        called_at = time.perf_counter()
        size, error = 0, outcome.error
        if error is None:
            size, error = self._keep(at, task, step.attempt, outcome)
        self._bench.end()
        ended_at = time.perf_counter()
        read_bytes = self._inputs.size_bytes(at)
        if error is not None:
            self._errors[at] = self._bench.explained(error)
            return Called(is_ok=False, seconds=ended_at - start)
        self._recorder.moved("load", read_bytes, loaded_at - start)
        if not self._own_tasks:
            self._inputs.were_read(at)
        self._samples[at] = Sample(
            begun,
            loaded_at - start,
            outcome.call_seconds,
            outcome.cpu_seconds,
            ended_at - called_at,
            read_bytes,
            size,
        )
        return Called(is_ok=True, seconds=ended_at - start, output_bytes=size)

    def _keep(
        self, at: int, task: TaskId, attempt: int, outcome: Outcome
    ) -> tuple[int, ErrorRecord | None]:
        try:
            if isinstance(outcome.value, Elements):
                self._splits.keep(task, outcome.value.values)
                outcome.value = outcome.value.shape
            elif outcome.value is SKIP and self._graph.base(at) != at:
                self._skipped.add(at)
            start = time.perf_counter()
            encoded = codec.encode(outcome.value, name=f"the result of {task}")
            refuse_too_big(task, encoded)
            encoded = settled(encoded, outcome)
            self._recorder.moved("dump", encoded.size_bytes, time.perf_counter() - start)
        except SerialisationError as error:
            return 0, refusal(task, attempt, "not-serialisable", error)
        self._memory.keep(task, encoded, is_elsewhere=False)
        self._keeping.keep(at, encoded, self._inputs)
        return encoded.size_bytes, None

    def _not_called(self, step: Call, error: Exception) -> Called:
        self._bench.end()
        kind = "raised" if isinstance(error, CallError) else "input"
        kind = "not-serialisable" if isinstance(error, SerialisationError) else kind
        record = refusal(self._graph.ids[step.at], step.attempt, kind, error)
        self._errors[step.at] = self._bench.explained(record)
        return Called(is_ok=False, seconds=0.0)

    def _save(self, step: Save) -> None:
        for record in step.finished:
            at = self._graph.position[record.task]
            if record.held:
                self._inputs.counted.add(record.task)
                continue
            encoded = self._memory[record.task]
            start = time.perf_counter()
            record.result = self._archive.write(
                record.task, record.attempt, encoded, is_target=record.is_target
            )
            self._memory.saved(record.task)
            self._samples[at].save_seconds += (seconds := time.perf_counter() - start)
            if record.result[:1] == b"{":
                self._recorder.moved("up", encoded.size_bytes, seconds)
            if record.result[:1] != b"{" or not self._inputs.count(record.task):
                record.unread = 0

    def _complete(self, step: Complete) -> Reply:
        graph, hints = self._graph, dict[TaskId, str]()
        positions = [graph.position[record.task] for record in step.finished]
        here = {record.task for record in step.finished}
        for at, record in zip(positions, step.finished, strict=True):
            self._describe(at, record, here)
            for reader in graph.readers_at[at]:
                if graph.ids[reader] not in here and self._is_hinted(reader):
                    hints[graph.ids[reader]] = " ".join(graph.reads(reader))
        if self._own_tasks:
            self._own_tasks -= sum(graph.base(at) == at for at in positions)
        self._bench.flush()
        reply = self._store.complete(self._run, step.finished, self._ask(step, hints))
        self._bench.reported()
        for at, record in zip(positions, step.finished, strict=True):
            if graph.base(at) == at and all(
                graph.ids[reader] in here for reader in graph.readers_at[at]
            ):
                self._memory.forget(record.task)
        return self._learn(reply)

    def _describe(self, at: int, record: Finished, here: Container[TaskId]) -> None:
        counted, sample = self._inputs.counted, self._samples.pop(at)
        if at in self._skipped:
            record.how = "skipped"
        elif at in self._keeping.reused:
            record.how = "reused"
        else:
            self._recorder.called(at, sample)
        how = "held" if record.held else record.how
        record.note = done_note(record.task, record.attempt, sample, how=how)
        if counted:
            record.reads = [
                name
                for name in self._inputs.outputs_read(at)
                if name in counted and (record.held or name not in here)
            ]

    def _is_hinted(self, reader: int) -> bool:
        return len(self._graph.inputs_at[reader]) <= _MOST_HINTED_INPUTS

    def _expand(self, step: Expand) -> Reply:
        """Elements are written first; the report then makes them inputs."""
        task, attempt, start = step.claim.task, step.claim.attempt, time.perf_counter()
        at = self._graph.position[task]
        expansion = self._splits.expansion(task, attempt)
        result = self._archive.write(task, attempt, self._memory[task], is_target=False)
        self._samples[at].save_seconds += time.perf_counter() - start
        self._recorder.expanded(at, expansion.count, self._samples[at])
        record = Finished(task=task, attempt=attempt, result=result)
        self._describe(at, record, ())
        self._own_tasks -= 1 if self._own_tasks else 0
        self._bench.flush()
        reply = self._store.expand(self._run, record, expansion, self._ask(step))
        self._bench.reported()
        self._memory.saved(task)
        return self._learn(reply)

    def _fail(self, step: Fail) -> None:
        at = self._graph.position[step.claim.task]
        error = self._errors.pop(at)
        record = replace(
            error,
            attempt=step.claim.attempt,
            worker=self._worker,
            resources=str(self._options[self._graph.function_at[at]].resources),
            at_seconds=time.time(),
        )
        self._bench.flush()
        self._store.fail(self._run, self._ask(None), record)
        self._bench.reported()

    def _release(self, step: Release) -> None:
        self._store.release(self._run, self._ask(None), step.claims)

    def _wait(self, step: Wait) -> None:
        del step
        self._store.await_ready(self._run, self._joined.queue, block_seconds=_WAIT_SECONDS)
