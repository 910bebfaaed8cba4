"""Workers in containers beside local processes: `python -m benchmarks.docker [--rounds 5]`."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil

from benchmarks import noise, processes
from benchmarks.campaign import say
from benchmarks.notebook_budgets import Budget, Figures, line
from benchmarks.notebook_page import use_private_folders
from tests.docker import connected, daemons
from wfnb import Resources, task
from wfnb.choices import Choices
from wfnb.errors import BackendError, RunTimeoutError, WfnbError
from wfnb.session import Session
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.poolfiles import files_of

WORKERS = 4
PAIR = 2
TURNS = 5
PATIENCE_SECONDS = 60.0
SIZE_BYTES = 256_000_000
KILL_SECONDS = 0.7
BUDGETS = (
    Budget("warm", "warm launch: from `start` to the first line of the task", "ms", 20),
    Budget("warm_process", "... the same on local processes", "ms"),
    Budget("warm_launch", "... of which from the launch's request to the worker's answer", "ms"),
    Budget("bare", "bare container of the same image, until Python runs in it", "ms"),
    Budget("cold", "cold launch: from `start` to the first line of the task", "ms"),
    Budget("cold_more", "... more than the bare container", "ms", 150),
    Budget("four", "4 cold launches at once, until the last has begun", "ms"),
    Budget("four_times", "... times one", "x", 2),
    Budget("each", "2,000 no-ops on warm containers, a task", "us"),
    Budget("each_process", "... on local processes", "us"),
    Budget("each_times", "... times processes", "x", 1.2),
    Budget("dag", "1,000-task DAG on 4 containers, a run", "ms"),
    Budget("dag_process", "... on local processes", "ms"),
    Budget("hangs", "... runs that hung or were wrong", "", 0),
    Budget(
        "fleet_growth", "... growth of the fleet's memory from the 5th run to the last", "MB", 5
    ),
    Budget("fleet_size", "... its memory then", "MB"),
    Budget("kills", "containers killed at random meanwhile"),
    Budget("kill_wrong", "... runs that hung, failed or were wrong", "", 0),
    Budget("left", "containers left when the fleet was told to stop", "", 0),
)
_sizes = count(SIZE_BYTES, 1_000_000)
"""A size of its own is a kind of its own: no container is warm for it."""


@task
def when(*_after: Any) -> float:
    return time.time()


@task
def hold_on(seconds: float) -> float:
    began = time.time()
    time.sleep(seconds)
    return began


@task
def add(*numbers: int) -> int:
    return sum(numbers)


@task
def work(number: int) -> int:
    time.sleep(0.005)
    return number * number


@dataclass(frozen=True, slots=True)
class Place:
    """A session in containers and one on processes, on the same store."""

    containers: Session
    processes: Session
    pair: tuple[Session, Session]
    """The same with a worker for each core, so that neither backend's have to share one."""
    image: str
    fleet: str
    """Its key."""
    foreign: list[float] = field(default_factory=list)

    @property
    def fleet_pid(self) -> int:
        pid = files_of(self.fleet).pid()
        assert pid is not None, "the fleet is alive"
        return pid


@contextmanager
def opened() -> Iterator[Place]:
    image = connected.made()
    containers = Session(Choices(backend="docker", workers=WORKERS))
    local = Session(Choices(workers=WORKERS))
    pair = Session(Choices(backend="docker", workers=PAIR)), Session(Choices(workers=PAIR))
    backend: Any = containers.connection().backend
    try:
        yield Place(containers, local, pair, image, backend.key)
    finally:
        for session in (containers, local, *pair):
            session.close()
        connected.end_fleet(backend.key)
        connected.done()


def sized(function: Any, size_bytes: int) -> Any:
    return task(
        function.function, resources=Resources(memory=size_bytes), name=function.described.name
    )


def begun(session: Session, one: Any) -> tuple[float, Any]:
    """Milliseconds from `start` until the last of these tasks began, by one clock."""
    asked = time.time()
    run = session.start(one)
    told = run.result(PATIENCE_SECONDS)
    return 1000 * (max(told if isinstance(told, list) else [told]) - asked), run


def warm(place: Place) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, session in (("warm", place.containers), ("warm_process", place.processes)):
        begun(session, when())
        found[key], run = begun(session, when())
        if key == "warm":
            found["warm_launch"] = 1000 * float(run.launches["waited_seconds"].iloc[0])
    return found


def cold(place: Place) -> dict[str, float]:
    bare = bare_container(place.image)
    one, _ = begun(place.containers, sized(when, next(_sizes))())
    hold = sized(hold_on, next(_sizes))
    four, _ = begun(place.containers, [hold(1.0) for _ in range(WORKERS)])
    return {
        "bare": bare,
        "cold": one,
        "cold_more": one - bare,
        "four": four,
        "four_times": four / one,
    }


def bare_container(image: str) -> float:
    code = "import time; print(time.time())"
    with Daemon() as daemon:
        client = daemon.client
        asked = time.time()
        said = client.containers.run(
            image, ["-c", code], entrypoint="python3", network_mode="none", remove=True
        )
    return 1000 * (float(said) - asked)


def each(place: Place) -> dict[str, float]:
    """By turns, for what others do in the second of a measurement would be half of it."""
    times: dict[str, list[float]] = {"each": [], "each_process": []}
    for _ in range(TURNS):
        for found, session in zip(times.values(), place.pair, strict=True):
            began = time.perf_counter()
            total = session.run(add(*[add(n) for n in range(1_999)]), timeout=PATIENCE_SECONDS)
            found.append(1e6 * (time.perf_counter() - began) / 2_000)
            assert total == sum(range(1_999))
    medians = {key: statistics.median(values) for key, values in times.items()}
    return medians | {"each_times": medians["each"] / medians["each_process"]}


def dag() -> tuple[Any, int]:
    """Ten layers of a hundred, each task reading three of the layer before, and their sum."""
    choose = random.Random(7)
    layer, values = [add(n) for n in range(100)], list(range(100))
    for _ in range(9):
        inputs = [choose.sample(range(100), 3) for _ in range(100)]
        layer = [add(*(layer[at] for at in three)) for three in inputs]
        values = [sum(values[at] for at in three) for three in inputs]
    return add(*layer), sum(values)


def dags(place: Place, runs: int, figures: Figures) -> None:
    hangs, sizes = 0, []
    for number in range(runs):
        target, expected = dag()
        for key, session in (("dag", place.containers), ("dag_process", place.processes)):
            began = time.perf_counter()
            hangs += not is_right(session, target, expected)
            figures.add({key: 1000 * (time.perf_counter() - began)})
        sizes.append(psutil.Process(place.fleet_pid).memory_info().rss / 1e6)
        say(f"1,000 tasks, run {number + 1}: fleet {sizes[-1]:.1f} MB")
    first = sizes[min(4, len(sizes) - 1)]
    figures.add({"hangs": hangs, "fleet_growth": sizes[-1] - first, "fleet_size": sizes[-1]})


def is_right(session: Session, target: Any, expected: Any) -> bool:
    try:
        found = session.run(target, timeout=PATIENCE_SECONDS)
    except RunTimeoutError as error:
        say(f"hung: {error}")
        return False
    except WfnbError as error:
        say(f"failed: {error}")
        return False
    return bool(found == expected)


def killed(place: Place, runs: int) -> dict[str, float]:
    """While somebody kills a container every now and then."""
    is_over, kills, wrong = Event(), [0], 0
    killer = Thread(target=kill_some, args=(place.fleet, is_over, kills), daemon=True)
    killer.start()
    for _ in range(runs):
        numbers = [random.randrange(1000) for _ in range(60)]
        expected = sum(number * number for number in numbers)
        wrong += not is_right(place.containers, add(*map(work, numbers)), expected)
    is_over.set()
    killer.join()
    return {"kills": kills[0], "kill_wrong": wrong}


def kill_some(fleet: str, is_over: Event, kills: list[int]) -> None:
    with Daemon() as daemon:
        while not is_over.wait(KILL_SECONDS):
            there = daemon.client.containers.list(filters={"label": f"wfnb.pool={fleet}"})
            if there:
                with suppress(BackendError), daemon.translated("it cannot be killed"):
                    random.choice(there).kill()
                    kills[0] += 1


def left(place: Place) -> dict[str, float]:
    os.kill(place.fleet_pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while files_of(place.fleet).pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"left": len(connected.containers_of(place.fleet))}


def measure(place: Place, options: argparse.Namespace) -> Figures:
    """Round by round, so that a disturbance meets all cases alike."""
    figures = Figures()
    cases: Sequence[Callable[[Place], dict[str, float]]] = (warm, cold, each)
    begun(place.containers, when())
    begun(place.processes, when())
    for number in range(1, options.rounds + 1):
        for case in cases:
            noise.wait_for_quiet(0.2, budget_seconds=options.quiet_budget_s)
            with noise.ForeignLoad() as load:
                measured = case(place)
            place.foreign.append(load.cores)
            figures.add(measured)
            shown = ", ".join(f"{key} {value:.3g}" for key, value in measured.items())
            say(f"round {number}, {case.__name__}, others {load.cores} cores: {shown}")
    dags(place, options.dags, figures)
    figures.add(killed(place, options.kills))
    figures.add(left(place))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.docker", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dags", type=int, default=20, help="runs of the 1,000-task DAG")
    parser.add_argument("--kills", type=int, default=100, help="runs while containers are killed")
    parser.add_argument("--quiet-budget-s", type=float, default=5, help="wait for quiet, a case")
    options = parser.parse_args()
    noise.mark_environment()
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A unix socket's path has at most 100 bytes.
    home = Path(tempfile.mkdtemp(prefix="wfnb-", dir="/tmp"))
    use_private_folders(home)
    try:
        with opened() as place:
            figures = measure(place, options)
            foreign = place.foreign
    except daemons.MissingError as error:
        sys.exit(f"{error}: nothing was measured")
    finally:
        processes.end_descendants()
        shutil.rmtree(home, ignore_errors=True)
    print(
        f"\n{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores for kernel, fleet, daemon, "
        f"workers and Redis alike; others used {min(foreign):g} to {max(foreign):g} cores; "
        f"medians of {options.rounds} interleaved rounds (lowest to highest).\n"
    )
    print("| figure | measured | target | met? |\n|---|---|---|---|")
    print("\n".join(line(budget, figures) for budget in BUDGETS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
