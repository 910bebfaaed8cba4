"""A worker killed at every step of a run with maps, the split among them: no item is lost."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.test_every_step import expire_leases
from tests.mortals import Field, Planned
from wfnb import SKIP, task
from wfnb.events import START, TaskDone, TaskExpanded, read_entry
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.storage import RunId
from wfnb.storage.outputs import drop_files_of_done, shared_folder

LEAST_STEPS = {"in Call", "before Complete", "before Expand", "after Expand"}
MOST_LIVES = 200


def listed(log: str, count: int, size: int) -> list[bytes]:
    with open(log, "a") as file:  # noqa: PTH123
        file.write("listed\n")
    return [bytes([number]) * size for number in range(count)]


def changed(element: bytes, log: str, by: int) -> object:
    with open(log, "a") as file:  # noqa: PTH123
        file.write(f"{by}-{element[0]}\n")
    return SKIP if by == 1 and element[0] == 2 else bytes([element[0] + by]) * len(element)


def summed(parts: list[bytes]) -> tuple[int, int]:
    return sum(part[0] for part in parts), sum(map(len, parts))


@dataclass
class Maps(Planned):
    """A map over a map, with a filter, and who reads both."""

    log: Path
    size: int

    def graph(self) -> Graph:
        elements = task(listed)(str(self.log), 4, self.size)
        first = task(changed).map(elements, log=str(self.log), by=1)
        second = task(changed).map(first, log=str(self.log), by=10)
        reducer = task(summed)
        return freeze([reducer(first), reducer(second)])


@pytest.fixture
def field(redis_server):
    field = Field(redis_server.url)
    yield field
    field.close()


def check(field, run, maps):
    expected = {"summed-0": (1 + 2 + 4, 3 * maps.size), "summed-1": (11 + 12 + 14, 3 * maps.size)}
    for name, value in expected.items():
        (result,) = field.store.results(run, [name])
        assert result is not None
        assert field.archive(run).value(name, result) == value
    entries = field.store.events(run, START)
    events = [event for _, entry in entries for event in read_entry(entry)]
    done = Counter(event.task for event in events if isinstance(event, TaskDone))
    assert max(done.values()) == 1, done
    assert len(done) == 1 + 2 + 2 * 4 + 2
    assert sum(isinstance(event, TaskExpanded) for event in events) == 1
    drop_files_of_done(field.store)
    assert not shared_folder(run).exists()


@pytest.mark.parametrize(
    ("size", "how"), [(10, "abandon"), (300_000, "abandon"), (100_000, "reap")]
)
def test_a_worker_killed_at_any_step_of_a_map_is_made_up_for(field, tmp_path, size, how):
    maps = Maps(tmp_path / "calls", size)
    killed, stop_at = Counter(), 0
    for serial in itertools.count(1):
        stop_at += 1
        run = RunId(f"run-{serial}")
        maps.open(field.store, field.signer, run)
        words, death = field.kill_at(field.request(), stop_at)
        if death and how == "abandon":
            field.bury(death)
        elif death:
            expire_leases(field, run)
        assert field.finish(run) == "done", field.store.errors(run)
        check(field, run, maps)
        field.store.drop(run)
        if not death and (killed.keys() >= LEAST_STEPS or serial >= MOST_LIVES):
            break
        stop_at = stop_at if death else 0
        killed.update([words] if death else [])
        while field.request():
            pass
    assert killed.keys() >= LEAST_STEPS
