"""Fingerprints agree between processes, and cost little for very many tasks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wfnb.freezing import freeze
from wfnb.language import task
from wfnb.provenance import fingerprints


def test_other_processes_with_other_hash_seeds_agree():
    script = (
        "from tests.unit import test_provenance as t\n"
        "print([t.one(build()) for name, build in t.VALUES.items()])\n"
        "print(t.code(*t.OTHER_CODE['an element of a set'][:1]))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


@task
def load(n: int) -> int:
    return n


@task
def scale(value: int, by: int = 1) -> int:
    return value * by


def test_very_many_tasks_take_little_time():
    graph = freeze([scale(load(n), by=n % 5) for n in range(50_000)])
    began = time.process_time()
    found = fingerprints(graph)
    assert time.process_time() - began < 1.5
    assert len(set(found)) == len(graph) == 100_000


class Mine:
    """Of no content that pickle would know without its code."""


def of_argument(value: Any) -> str | None:
    return fingerprints(freeze([scale(value)]))[0]


def test_very_large_data_is_written_down_in_another_way():
    def records(first: int) -> list[dict[str, int]]:
        return [{"a": n} for n in range(first, 60_000)]

    assert of_argument(records(0)) == of_argument(records(0)) is not None
    assert of_argument(records(0)) != of_argument(records(1))
    assert of_argument([Mine() for _ in range(60_000)]) is None


def test_objects_of_ones_own_take_little_time():
    graph = freeze([scale(Mine(), by=n) for n in range(5_000)])
    began = time.process_time()
    found = fingerprints(graph)
    assert time.process_time() - began < 1.5
    assert None not in found
    assert len(set(found)) == 5_000
