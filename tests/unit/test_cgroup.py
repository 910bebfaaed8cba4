"""Figures of the kernel, from folders that look like those of version 1 and 2."""

from __future__ import annotations

import os
import signal

import pytest

from wfnb.errors import ErrorRecord
from wfnb.workers.cell import CellView, make_cells
from wfnb.workers.docker import oom
from wfnb.workers.docker.cgroup import Cgroup
from wfnb.workers.docker.oom import ContainerMemory, ContainerWitness
from wfnb.workers.supervisor import Slot

VERSION_1 = {
    "memory/memory.limit_in_bytes": "100000000\n",
    "memory/memory.usage_in_bytes": "50000000\n",
    "memory/memory.max_usage_in_bytes": "80000000\n",
    "memory/memory.stat": "cache 1\ninactive_file 7\ntotal_inactive_file 20000000\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "cpuacct/cpuacct.usage": "1500000000\n",
}
VERSION_2 = {
    "cgroup.controllers": "cpu memory\n",
    "memory.max": "100000000\n",
    "memory.current": "50000000\n",
    "memory.peak": "80000000\n",
    "memory.stat": "anon 1\ninactive_file 20000000\n",
    "memory.events": "low 0\noom 9\noom_kill 2\noom_group_kill 0\n",
    "cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
}
UNLIMITED_1 = "9223372036854771712\n"
RECORD = ErrorRecord(task="t-0", attempt=1, kind="raised", type="ValueError", message="said so")


@pytest.fixture
def root(tmp_path, request):
    for name, text in getattr(request, "param", VERSION_2).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


both_versions = pytest.mark.parametrize(
    "root", [VERSION_1, VERSION_2], indirect=True, ids=["version 1", "version 2"]
)


@both_versions
def test_both_versions_tell_the_same(root):
    cgroup = Cgroup(root)
    assert cgroup.limit_bytes() == 100_000_000
    assert cgroup.used_bytes() == 30_000_000
    assert cgroup.peak_bytes() == 80_000_000
    assert cgroup.oom_kills() == 2
    assert cgroup.cpu_seconds() == 1.5


@pytest.mark.parametrize(
    ("root", "name", "text"),
    [
        (VERSION_1, "memory/memory.limit_in_bytes", UNLIMITED_1),
        (VERSION_2, "memory.max", "max\n"),
    ],
    indirect=["root"],
    ids=["version 1", "version 2"],
)
def test_no_limit_is_none(root, name, text):
    (root / name).write_text(text)
    assert Cgroup(root).limit_bytes() is None


def test_what_the_kernel_does_not_give_is_nothing(tmp_path):
    cgroup = Cgroup(tmp_path)
    assert cgroup.limit_bytes() is None
    assert (cgroup.used_bytes(), cgroup.peak_bytes(), cgroup.oom_kills()) == (0, 0, 0)
    assert cgroup.cpu_seconds() == 0


def test_without_a_peak_it_is_at_least_what_is_in_use(root):
    (root / "memory.peak").unlink()
    assert Cgroup(root).peak_bytes() == 50_000_000


@both_versions
def test_a_kill_is_seen_in_a_file_that_stays_open(root):
    cgroup = Cgroup(root)
    assert cgroup.oom_kills() == 2
    kill_one(root)
    assert cgroup.oom_kills() == 3


def kill_one(root):
    for name in ("memory.events", "memory/memory.oom_control"):
        path = root / name
        if path.exists():
            path.write_text(path.read_text().replace("oom_kill 2", "oom_kill 3"))


def view_of(**words):
    return CellView(pid=1, run="r", task="t-0", attempt=1, **words)


def test_a_worker_that_was_killed_for_memory_is_told_limit_and_peak(root):
    memory, slot = ContainerMemory(Cgroup(root)), Slot(make_cells(1)[0], log=-1)
    sentence = memory.at_death(slot, view_of(kills=1), -signal.SIGKILL)
    assert sentence.kind == "memory"
    assert "80.0 MB" in sentence.message
    assert "100.0 MB" in sentence.message


@pytest.mark.parametrize(("kills", "code"), [(2, -signal.SIGKILL), (1, -signal.SIGSEGV), (1, 0)])
def test_other_deaths_are_not_called_so(root, kills, code):
    memory, slot = ContainerMemory(Cgroup(root)), Slot(make_cells(1)[0], log=-1)
    assert memory.at_death(slot, view_of(kills=kills), code) is None


@pytest.fixture
def witness(root):
    (cell,) = make_cells(1)
    made = ContainerWitness(Cgroup(root), cell)
    made.cell = cell
    return made


def test_the_supervisor_learns_how_many_were_killed_before_a_call(witness, root):
    assert witness.cell.view().kills == 2
    witness.start()
    kill_one(root)
    witness.look()
    assert witness.cell.view().kills == 2
    witness.start()
    assert witness.cell.view().kills == 3


def test_a_kill_is_seen_at_the_end_of_a_call_that_was_not_brief(witness, root, capfd, monkeypatch):
    witness.start()
    kill_one(root)
    monkeypatch.setattr(oom, "BRIEF_SECONDS", 0.0)
    witness.end()
    assert "the kernel killed a process of this task" in capfd.readouterr().err


def test_a_failed_call_that_lost_a_process_is_of_kind_memory_and_keeps_its_words(
    witness, root, capfd
):
    witness.start()
    kill_one(root)
    witness.look()
    witness.look()
    witness.end()
    assert capfd.readouterr().err.count("the kernel killed a process of this task") == 1
    record = witness.explained(RECORD)
    assert (record.kind, record.type) == ("memory", "ValueError")
    assert record.message.startswith("said so\n")
    assert "Resources(memory=...)" in record.message


def test_a_kill_between_calls_is_nobodys(witness, root, capfd):
    witness.start()
    witness.end()
    kill_one(root)
    witness.look()
    witness.start()
    witness.end()
    assert not capfd.readouterr().err
    assert witness.explained(RECORD).kind == "raised"


def test_a_module_that_is_missing_is_named_with_the_remedy(witness):
    missing = ErrorRecord(
        task="t-0",
        attempt=1,
        kind="not-serialisable",
        type="SerialisationError",
        message="cannot be loaded (ModuleNotFoundError: No module named 'numpy.core')",
    )
    record = witness.explained(missing)
    assert 'requirements=["numpy"]' in record.message
    assert (record.kind, record.type) == ("raised", "ModuleNotFoundError")
    assert os.linesep in record.message
