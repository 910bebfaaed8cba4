"""Real worker processes for fault tests: they announce their steps, and are killed there."""

from __future__ import annotations

import os
import select
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from zlib import crc32

import psutil

from tests.stoppable import Flow, announced
from tests.waiting import wait_until
from wfnb import task
from wfnb.events import START, TaskDone, read_entry
from wfnb.freezing import freeze
from wfnb.graph import Graph, TaskId
from wfnb.plan import Placement, Plan
from wfnb.runner import Run
from wfnb.script import Step
from wfnb.session import Session
from wfnb.signing import Signer, load_key
from wfnb.storage import Lane, Request, RunId, Store
from wfnb.storage.opening import opening_of
from wfnb.storage.outputs import Archive, shared_folder
from wfnb.storage.stores import connect_store
from wfnb.tasks import NamedTask
from wfnb.workers import serve
from wfnb.workers.capture import Capture, open_log
from wfnb.workers.cell import Cell, make_cells
from wfnb.workers.resident import ResidentMemory
from wfnb.workers.supervisor import Slot, Supervisor
from wfnb.workers.template import Born, Died

POOL = "mortals"
LARGE_BYTES = 300_000
CHUNKED_BYTES = 100_000


def value_of(name: str, size: int, inputs: Any) -> bytes:
    seed = crc32(name.encode() + b"".join(value[:64] for value in inputs))
    return seed.to_bytes(4, "little") * (size // 4)


def make(log: str, name: str, size: int, fails: int, *inputs: bytes) -> bytes:
    """A task of every flow: leaves a line for each of its calls."""
    with open(log, "a") as file:  # noqa: PTH123
        file.write(f"{name}\n")
    if Path(log).read_text().split("\n").count(name) <= fails:
        raise ConnectionError(f"{name} fails {fails} times")
    seed = crc32(name.encode() + b"".join(value[:64] for value in inputs))
    return seed.to_bytes(4, "little") * (size // 4)


class Planned:
    """A graph that is opened as a run, any worker for each of its tasks."""

    log: Path

    def graph(self) -> Graph:
        raise NotImplementedError

    def plan(self) -> Plan:
        graph = self.graph()
        return Plan(graph, dict.fromkeys(graph, Placement()))

    def open(self, store: Store, signer: Signer, run: RunId) -> None:
        plan = self.plan()
        lanes = {
            queue: Lane(limit=1 if queue.startswith("@") else 2, pool=POOL)
            for queue in dict.fromkeys(plan.queue_at)
        }
        opening = opening_of(plan, lanes, run=run, signer=signer, about={}, keep_seconds=1000)
        self.log.write_text("")
        store.open_run(opening)

    def calls(self) -> Counter[str]:
        return Counter(self.log.read_text().split())


@dataclass
class Workload(Planned):
    """A flow as a plan of real tasks."""

    flow: Flow
    sizes: dict[str, int]
    log: Path

    def graph(self) -> Graph:
        made: dict[str, Any] = {}
        for name in self.flow.inputs:
            options = self.flow.options_of(name)
            function = task(
                retries=options.retries,
                retry_delay=options.retry_delay_seconds,
                on_worker_lost=options.on_worker_lost,
            )(make)
            inputs = [made[read] for read in self.flow.reads(name)]
            fails = self.flow.fails.get(name, 0)
            found = function(str(self.log), name, self.size(name), fails, *inputs)
            words = (found.serial, found.function, found.arguments, found.inputs)
            made[name] = NamedTask(*words, name=name)
        return freeze([made[name] for name in self.flow.all_targets])

    def size(self, name: str) -> int:
        return self.sizes.get(name, 400)

    def plan(self) -> Plan:
        graph = self.graph()
        queues = self.flow.queues
        placements = {
            name: Placement(worker=queues[name][1:] if name in queues else None) for name in graph
        }
        return Plan(graph, placements)

    def evaluated(self) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        for name in self.flow.inputs:
            inputs = [values[read] for read in self.flow.reads(name)]
            values[name] = value_of(name, self.size(name), inputs)
        return values


def processes_of(key: str) -> list[psutil.Process]:
    """Those of the pool with this key."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if key in process.cmdline():
                found.append(process)
    return found


def end_pool(key: str) -> None:
    for process in processes_of(key):
        with suppress(psutil.Error):
            process.terminate()
    wait_until(lambda: not processes_of(key), timeout_seconds=10, description="the pool has ended")


def done_of(session: Session, run: Run) -> Counter[str]:
    """How often each task was taken in as done."""
    entries = session.store.events(run.id, START)
    events = [event for _, entry in entries for event in read_entry(entry)]
    return Counter(event.task for event in events if isinstance(event, TaskDone))


class NoChildren:
    """A supervisor's, whose workers are forked and killed by the test."""

    def fork(self, slot: int) -> None:
        pass

    def kill(self, slot: int, pid: int) -> None:
        pass


class Field:
    """One store, where workers live and die."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = connect_store(url)
        self.signer = Signer(load_key(create=True))
        watched, self.unwatched = make_cells(2)
        self.slot = Slot(watched, open_log())
        self.forked: list[tuple[int, int]] = []
        self.supervisor = Supervisor(self.store, [self.slot], NoChildren(), ResidentMemory())

    def close(self) -> None:
        self.store.close()
        os.close(self.slot.log)

    def request(self) -> Request | None:
        return self.store.take_request([POOL], block_seconds=0)

    def fork(self, request: Request, *, stop_at: int | None = None) -> tuple[int, int]:
        """A worker that serves this request; it stops at its nth announcement, and says so."""
        said, say = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(said)
            _live(self.url, request, self.slot.cell if stop_at else self.unwatched, stop_at, say)
        os.close(say)
        return pid, said

    def kill_at(self, request: Request, stop_at: int) -> tuple[str, Died | None]:
        """What it was about when it was killed; nothing if it ended before."""
        pid, said = self.fork(request, stop_at=stop_at)
        while not select.select([said], [], [], 0.02)[0]:
            other = self.request() if request.queue.startswith("@") else None
            if other is not None:  # it does what a planned worker waits for
                self.forked.append(self.fork(other))
        words = os.read(said, 200).decode()
        os.close(said)
        if words:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert words or status == 0, "a worker died by itself"
        return words, Died(0, pid, status) if words else None

    def bury(self, death: Died) -> None:
        """As the pool does that sees it die."""
        self.supervisor.note(Born(0, death.pid))
        self.supervisor.note(death)
        self.supervisor.settle()

    def finish(self, run: RunId, between: Callable[[], object] = lambda: None) -> str:
        """Fork a worker for each request until the run has ended; its status."""
        while (status := self.store.wait_for_end(run, timeout_seconds=0)) == "running":
            request = self.request()
            if request is not None:
                self.forked.append(self.fork(request))
            else:
                self.store.wait_for_end(run, timeout_seconds=0.005)
                between()
                self.store.reap(run)
        while self.forked:
            pid, said = self.forked.pop()
            os.close(said)
            assert os.waitpid(pid, 0)[1] == 0, "a worker died by itself"
        return status

    def value(self, run: RunId, name: str) -> bytes:
        (result,) = self.store.results(run, [TaskId(name)])
        assert result is not None, f"{name} has no result"
        found = self.archive(run).value(TaskId(name), result)
        assert isinstance(found, bytes)
        return found

    def archive(self, run: RunId) -> Archive:
        return Archive(self.store, self.signer, run, shared_folder(run))

    def completions(self, run: RunId) -> Counter[tuple[str, int]]:
        entries = self.store.events(run, START)
        events = [event for _, entry in entries for event in read_entry(entry)]
        return Counter((e.task, e.attempt) for e in events if isinstance(e, TaskDone))


def _live(url: str, request: Request, cell: Cell, stop_at: int | None, say: int) -> NoReturn:
    """All of a worker's life, in its own process, with the real driver, bench and cell."""
    status, stderr = 1, os.dup(2)
    try:
        cell.occupy(os.getpid())
        capture = Capture(open_log(), cell)
        store = connect_store(url)
        bench = serve.ProcessBench(cell, capture, f"mortal {os.getpid()}")
        desk = serve.Desk(store, Signer(load_key(create=False)), bench, shares_files=True)
        capture.redirect()
        _announce(stop_at, say)
        serve._serve_one(store, desk, request, cell, capture)
        status = 0
    except BaseException:  # noqa: BLE001  a forked child never returns into the test
        os.write(stderr, traceback.format_exc().encode())
    os._exit(status)


def _announce(stop_at: int | None, say: int) -> None:
    """Before and after each step, and inside each call; at the nth of these the worker stops."""
    work, call, told = serve.work, serve.call, 0

    def tell(words: str) -> None:
        nonlocal told
        told += 1
        if told == stop_at:
            os.write(say, words.encode())
            signal.pause()

    def tell_step(step: Step, when: str) -> None:
        tell(f"{when} {type(step).__name__}")

    def told_call(*words: Any) -> Any:
        tell("in Call")
        return call(*words)

    serve.work = lambda role, *words: announced(work(role, *words), tell_step)
    serve.call = told_call
