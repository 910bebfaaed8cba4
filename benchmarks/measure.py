"""Measure one engine of `benchmarks.engines` once: `python -m benchmarks.measure wfnb`.

Prints one JSON object per case, of the form the peers' `run_peer.py` prints.  `seconds` runs from
the first line that builds the engine's graph to the sink's value in the client.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import engines, noise, processes
from benchmarks.cases import CASES

LATENCY_SAMPLES = 50
MIB = 1 << 20
SMALLER = {
    "noop_fanout_10k": "noop_fanout_1k",
    "payload_10mib": "payload_1mib",
    "build_100k": "build_10k",
}


class CapReachedError(Exception):
    """A case took longer than it may."""


@contextlib.contextmanager
def cap(seconds: int) -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        message = f"over {seconds} s"
        raise CapReachedError(message)

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Measurement:
    """One engine, started once, and the cases asked of it."""

    def __init__(self, name: str, workloads: Any, *, cap_seconds: int) -> None:
        self.name, self.workloads, self.cap_seconds = name, workloads, cap_seconds
        self.spent: dict[str, float] = {}

    def emit(self, case: str, n: int | None, **fields: Any) -> None:
        row = {"peer": self.name, "workload": case, "n": n, **fields}
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()

    def start(self, folder: str, *, is_reported: bool) -> None:
        """Import, bring up, one result: the cold start."""
        module, options = engines.ENGINES[self.name]
        single = self.workloads.single()
        with noise.ForeignLoad() as load:
            begin = time.monotonic()
            home: Any = importlib.import_module(f"benchmarks.engines.{module}")
            self.engine: engines.Engine = home.Engine(**options)
            self.engine.start(folder)
            up = time.monotonic()
            value = self.execute(single)[0]
            end = time.monotonic()
        self.check(value, single)
        if is_reported:
            fields = {"start_s": up - begin, "first_task_s": end - up}
            self.emit("startup", 1, seconds=end - begin, foreign_cores=load.cores, **fields)

    def execute(self, graph: Any) -> tuple[Any, float, float, float]:
        """Return the value, when it began, seconds to build, seconds in all."""
        begin = time.monotonic()
        handle = self.engine.build(graph)
        built = time.monotonic()
        value = self.engine.run(handle)
        end = time.monotonic()
        self.engine.clean()
        return value, begin, built - begin, end - begin

    def check(self, value: Any, graph: Any) -> None:
        if not self.workloads.same_answer(value, graph.evaluate()):
            message = f"{self.name} gave a wrong answer for {graph.workload}"
            raise AssertionError(message)

    def warm_up(self) -> None:
        self.execute(self.workloads.noop_fanout(100))
        for _ in range(3):
            self.execute(self.workloads.single())

    def measure(self, case: str) -> float:
        if case == "submit_latency":
            return self.measure_latency()
        if case in self.workloads.BUILD_CASES:
            return self.measure_build(case)
        return self.measure_run(case)

    def measure_run(self, case: str) -> float:
        graph = self.workloads.CASES[case]()
        processes.reset_peak_memory()
        with noise.ForeignLoad() as load:
            value, begin, build_seconds, seconds = self.execute(graph)
        fields = {
            "client_peak_rss_mib": round(processes.peak_memory_bytes() / MIB, 1),
            "cluster_pss_mib": round(processes.memory_of_descendants_bytes() / MIB, 1),
            "first_result_ms": 1000 * (value[1] - begin),
            "foreign_cores": load.cores,
        }
        self.check(value, graph)
        if self.engine.is_lazy:
            fields["build_s"] = build_seconds
        if graph.bytes_moved:
            fields["mib_per_s"] = graph.bytes_moved / seconds / MIB
        self.emit(case, len(graph), **rates(seconds, len(graph)), **fields)
        return seconds

    def measure_latency(self) -> float:
        single = self.workloads.single()
        with noise.ForeignLoad() as load:
            samples = [self.execute(single)[3] for _ in range(LATENCY_SAMPLES)]
        p95_ms = 1000 * sorted(samples)[int(0.95 * len(samples))]
        middle = statistics.median(samples)
        fields = {"p95_ms": p95_ms, "foreign_cores": load.cores}
        self.emit("submit_latency", 1, **rates(middle, 1), **fields)
        return middle

    def measure_build(self, case: str) -> float:
        graph = self.workloads.BUILD_CASES[case]()
        processes.reset_peak_memory()
        with noise.ForeignLoad() as load:
            begin = time.monotonic()
            built = self.engine.build(graph)
            seconds = time.monotonic() - begin
        peak = round(processes.peak_memory_bytes() / MIB, 1)
        fields = {"client_peak_rss_mib": peak, "foreign_cores": load.cores}
        self.emit(case, len(graph), **rates(seconds, len(graph)), **fields)
        del built
        return seconds

    def why_skipped(self, case: str) -> str | None:
        if case in self.workloads.BUILD_CASES and not self.engine.is_lazy:
            return "not lazy: there is nothing to build"
        smaller = SMALLER.get(case, "")
        if 10 * self.spent.get(smaller, 0) > self.cap_seconds:
            return f"ten times {smaller} is over the cap of {self.cap_seconds} s"
        return None

    def run(self, cases: list[str]) -> None:
        for case in cases:
            reason = self.why_skipped(case)
            if reason:
                self.emit(case, None, skipped=reason)
                continue
            try:
                with cap(self.cap_seconds):
                    self.spent[case] = self.measure(case)
            except CapReachedError as error:
                # The engine may be busy with the abandoned graph: what follows would be wrong.
                self.emit(case, None, failed=str(error))
                return
            except Exception as error:  # noqa: BLE001 - an engine's failure is a row of the table
                traceback.print_exc()
                self.emit(case, None, failed=f"{type(error).__name__}: {str(error)[:300]}")


def rates(seconds: float, n: int) -> dict[str, float]:
    return {"seconds": seconds, "tasks_per_s": n / seconds, "per_task_ms": 1000 * seconds / n}


def use_private_folders(folder: str) -> None:
    """Give this measurement a store, a key and a pool of its own, cold, ended with it."""
    for kind in ("STATE", "CONFIG", "CACHE", "DATA"):
        path = Path(folder) / kind.lower()
        path.mkdir(mode=0o700)
        os.environ[f"XDG_{kind}_HOME"] = str(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("engine", choices=engines.ENGINES)
    parser.add_argument("--cases", default=",".join(CASES[1:]))
    parser.add_argument("--cap-s", type=int, default=300, help="give a case up after this long")
    parser.add_argument("--shared-workloads", action="store_true", help="graphs of the peers")
    options = parser.parse_args()
    noise.mark_environment()
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = "workloads" if options.shared_workloads else "benchmarks.workloads"
    one = Measurement(options.engine, importlib.import_module(home), cap_seconds=options.cap_s)
    folder = tempfile.mkdtemp(prefix="wfnb-bench-")
    use_private_folders(folder)
    try:
        measure_all(one, options.cases.split(","), folder)
        return 0
    except (Exception, SystemExit, KeyboardInterrupt):  # noqa: BLE001 - told to the campaign
        traceback.print_exc()
        return 1
    finally:
        processes.end_descendants()
        shutil.rmtree(folder, ignore_errors=True)


def measure_all(one: Measurement, cases: list[str], folder: str) -> None:
    with cap(one.cap_seconds):
        one.start(folder, is_reported="startup" in cases)
    wanted = [case for case in cases if case != "startup"]
    if wanted:
        with cap(one.cap_seconds):
            one.warm_up()
        one.run(wanted)
    with cap(60):
        one.engine.stop()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # an engine may leave threads behind
