"""Forking workers from a clean process, and what becomes of them when somebody dies."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.waiting import wait_until
from wfnb.workers.template import Born, Died, start_template


class Started:
    """A template and what it has reported."""

    def __init__(self, worker):
        self.template = start_template(worker)
        self.seen = []

    def next(self, kind, *, timeout_seconds=5.0):
        found = []

        def has_come():
            self.seen += self.template.reports()
            found.extend(report for report in self.seen if isinstance(report, kind))
            return found

        wait_until(has_come, timeout_seconds=timeout_seconds, description=kind.__name__)
        self.seen.remove(found[0])
        return found[0]


@pytest.fixture
def started():
    made = []

    def start(worker):
        made.append(Started(worker))
        return made[-1]

    yield start
    for one in made:
        one.template.close()


def sleep_long(_slot=0):
    faulthandler.disable()
    time.sleep(60)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_worker_is_forked_in_milliseconds_and_its_exit_code_reported(started):
    one = started(lambda slot: sys.exit(slot))
    begin = time.perf_counter()
    one.template.fork(7)
    born = one.next(Born)
    assert time.perf_counter() - begin < 1
    died = one.next(Died)
    assert (born.slot, died.slot, died.pid) == (7, 7, born.pid)
    assert os.waitstatus_to_exitcode(died.status) == 7


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_death_by_signal_is_reported_with_its_number(started, number):
    reader, writer = os.pipe()

    def live(_slot):
        faulthandler.disable()
        os.write(writer, b"!")  # signals mean to it now what they mean to a worker
        sleep_long()

    one = started(live)
    one.template.fork(0)
    pid = one.next(Born).pid
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)
    os.kill(pid, number)
    assert os.waitstatus_to_exitcode(one.next(Died).status) == -number


def test_a_worker_that_raises_ends_with_one(started):
    one = started(lambda slot: 1 / slot)
    one.template.fork(0)
    assert os.waitstatus_to_exitcode(one.next(Died).status) == 1


def test_a_kill_reaches_what_the_worker_has_started(started):
    reader, writer = os.pipe()

    def start_a_child(_slot):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        os.write(writer, str(child.pid).encode())
        sleep_long()

    one = started(start_a_child)
    one.template.fork(3)
    born = one.next(Born)
    child = int(os.read(reader, 20))
    os.close(reader)
    os.close(writer)
    one.template.kill(3, born.pid)
    assert os.waitstatus_to_exitcode(one.next(Died).status) == -signal.SIGKILL
    wait_until(lambda: is_gone(child), description="the worker's child is gone")


def test_a_kill_meant_for_a_predecessor_spares_the_successor(started):
    one = started(sleep_long)
    one.template.fork(0)
    first = one.next(Born)
    one.template.kill(0, first.pid)
    one.next(Died)
    one.template.fork(0)
    second = one.next(Born)
    one.template.kill(0, first.pid)
    one.template.fork(1)
    one.next(Born)
    assert not is_gone(second.pid)


def test_many_workers_are_forked_and_all_their_deaths_reported(started):
    one = started(lambda slot: os._exit(slot))
    for slot in range(40):
        one.template.fork(slot)
    codes = [os.waitstatus_to_exitcode(one.next(Died).status) for _ in range(40)]
    assert sorted(codes) == list(range(40))


def test_when_the_pool_is_killed_everything_goes(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "from wfnb.workers.template import Born, start_template\n"
        "def worker(slot):\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(60)\n"
        "template = start_template(worker)\n"
        "template.fork(0)\n"
        "print(template.pid, flush=True)\n"
        "born = None\n"
        "while born is None:\n"
        "    time.sleep(0.005)\n"
        "    born = next((r for r in template.reports() if isinstance(r, Born)), None)\n"
        "print(born.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as pool:
        assert pool.stdout is not None
        pids = [int(pool.stdout.readline()) for _ in range(3)]
        assert not any(is_gone(pid) for pid in pids)
        pool.kill()
        wait_until(lambda: all(is_gone(pid) for pid in pids), description="all of them gone")


def test_when_the_template_is_killed_the_workers_go_and_the_pool_learns_it(started):
    one = started(sleep_long)
    one.template.fork(0)
    worker = one.next(Born).pid
    os.kill(one.template.pid, signal.SIGKILL)
    wait_until(
        lambda: (list(one.template.reports()), not one.template.is_alive)[1], description="known"
    )
    wait_until(lambda: is_gone(worker), description="the worker is gone")
    one.template.fork(0)
