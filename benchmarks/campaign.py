"""Rounds: every engine once, in turn, each in a fresh process group that is ended afterwards."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import noise, processes
from benchmarks.contestants import IMPORTS, REPOSITORY, Contestant

IMPORT_SAMPLES = 5
SHM = "/dev/shm"
TIME_IMPORT = "from time import perf_counter as now; t = now(); {statement}; print(now() - t)"


@dataclass(frozen=True, slots=True)
class Options:
    cases: tuple[str, ...]
    cap_seconds: int
    most_foreign_cores: float
    quiet_budget_seconds: float
    """How long a whole run may wait for others to leave the machine alone."""


@dataclass(slots=True)
class Campaign:
    contestants: Sequence[Contestant]
    options: Options
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waited_seconds: float = 0.0

    def round(self, number: int) -> None:
        """Measure every engine once; each round starts with another one."""
        turn = (number - 1) % max(1, len(self.contestants))
        for contestant in [*self.contestants[turn:], *self.contestants[:turn]]:
            cases = self.open_cases(contestant.name)
            if not cases:
                continue
            self.wait()
            begin, shared = time.monotonic(), shared_memory_bytes()
            rows = self.measure(contestant, cases)
            self.rows += [{**row, "round": number} for row in rows]
            took = time.monotonic() - begin
            say(f"round {number} {contestant.name}: {len(rows)} rows in {took:.0f} s")
            left = (shared_memory_bytes() - shared) >> 20
            if left > 0:
                self.notes.append(f"round {number} {contestant.name}: left {left} MiB in {SHM}")

    def open_cases(self, engine: str) -> list[str]:
        settled = {r["workload"] for r in self.rows if r["peer"] == engine and "skipped" in r}
        return [case for case in self.options.cases if case not in settled]

    def wait(self) -> None:
        left = self.options.quiet_budget_seconds - self.waited_seconds
        self.waited_seconds += noise.wait_for_quiet(
            self.options.most_foreign_cores, budget_seconds=left
        )

    def measure(self, contestant: Contestant, cases: list[str]) -> list[dict[str, Any]]:
        rows = []
        if "import" in cases and contestant.name in IMPORTS:
            rows.append(import_row(contestant))
        wanted = [case for case in cases if case != "import"]
        if not wanted:
            return rows
        cap = self.options.cap_seconds
        command = [*contestant.arguments, "--cases", ",".join(wanted), "--cap-s", str(cap)]
        found, words = run_and_parse(contestant, command, limit_seconds=cap * (len(wanted) + 2))
        if not found:
            reason = words.strip().splitlines()[-1:] or ["no answer"]
            found = [
                {"peer": contestant.name, "workload": case, "n": None, "failed": reason[0]}
                for case in wanted
            ]
        return rows + found


def run_and_parse(
    contestant: Contestant, command: Sequence[str], *, limit_seconds: float
) -> tuple[list[dict[str, Any]], str]:
    """Return the rows printed and the words on stderr; leave nothing running."""
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(
            [contestant.python, *command],
            env=contestant.environment(),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, _ = communicate_or_kill(process)
        finally:
            processes.end_descendants()
        words.seek(0)
        return parse(out), words.read()


def communicate_or_kill(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


def parse(out: str) -> list[dict[str, Any]]:
    """Pick the JSON rows among whatever else an engine prints."""
    return [json.loads(line) for line in out.splitlines() if line.startswith('{"peer"')]


def import_row(contestant: Contestant) -> dict[str, Any]:
    """Median seconds of the library's import in fresh interpreters."""
    code = TIME_IMPORT.format(statement=IMPORTS[contestant.name])
    row = {"peer": contestant.name, "workload": "import", "n": 1}
    samples = []
    with noise.ForeignLoad() as load:
        for _ in range(IMPORT_SAMPLES):
            done = subprocess.run(
                [contestant.python, "-c", code],
                env=contestant.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                return {**row, "failed": (done.stderr.splitlines() or ["no answer"])[-1]}
            samples.append(float(done.stdout))
    seconds = statistics.median(samples)
    times = {"seconds": seconds, "per_task_ms": 1000 * seconds, "foreign_cores": load.cores}
    return {**row, **times}


def shared_memory_bytes() -> int:
    """Say what all programs keep in shared memory: what is left there outlives its engine."""
    try:
        state = os.statvfs(SHM)
    except OSError:
        return 0
    return (state.f_blocks - state.f_bfree) * state.f_frsize


def say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()
