"""A worker's cell: what the pool sees in it, also in mid-write and after a kill."""

from __future__ import annotations

import os
import signal
import time

from wfnb.workers.cell import make_cells


def test_a_fresh_cell_shows_neither_run_nor_task():
    view = make_cells(1)[0].view()
    assert (view.run, view.task, view.joins, view.deadline) == ("", "", 0, None)


def test_the_view_follows_a_worker_through_a_run():
    cell = make_cells(3)[1]
    cell.occupy(4711)
    cell.enter("run-1", "w1:7", 2)
    entered = cell.view()
    assert (entered.pid, entered.run, entered.identity, entered.generation) == (
        4711,
        "run-1",
        "w1:7",
        2,
    )
    assert entered.task == ""
    before = time.monotonic()
    cell.start("add-0", 3, timeout_seconds=5.0, memory_bytes=10**9)
    view = cell.view()
    assert (view.task, view.attempt, view.memory_bytes) == ("add-0", 3, 10**9)
    assert view.deadline is not None
    assert before <= view.started <= view.deadline - 5.0 + 1e-6
    cell.start("add-1", 1)
    view = cell.view()
    assert (view.task, view.deadline, view.memory_bytes) == ("add-1", None, None)
    cell.stop()
    assert (cell.view().run, cell.view().task) == ("run-1", "")
    cell.leave()
    assert (cell.view().run, cell.view().joins) == ("", 1)


def test_a_second_stop_or_leave_changes_nothing():
    cell = make_cells(1)[0]
    cell.enter("run-1", "w1:1", 1)
    cell.start("a-0", 1)
    for _ in range(2):
        cell.stop()
        assert cell.view().task == ""
    for _ in range(2):
        cell.leave()
        assert cell.view().joins == 1


def test_a_new_worker_in_the_slot_inherits_no_run():
    cell = make_cells(1)[0]
    cell.enter("run-1", "w1:1", 1)
    cell.start("a-0", 1)
    cell.occupy(12)
    assert (cell.view().pid, cell.view().run, cell.view().task) == (12, "", "")
    cell.enter("run-2", "w1:2", 1)
    assert (cell.view().run, cell.view().joins) == ("run-2", 2)


def test_a_reader_never_sees_a_mixture_while_a_writer_hammers():
    cell = make_cells(1)[0]
    writer = _fork(lambda: _hammer(cell))
    try:
        seen = set()
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            view = cell.view()
            if not view.run:
                continue
            letter = view.run[0]
            assert view.run == letter * 60
            assert view.identity == letter * 80
            assert view.generation == ord(letter)
            if view.task:
                digit = view.task[1]
                assert view.task == letter + digit * 100
                assert view.attempt == view.memory_bytes == int(digit) + 1
            seen.add(view.task)
        assert len(seen) > 10
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)


def test_a_writer_killed_at_any_moment_leaves_a_whole_record():
    for _ in range(20):
        cell = make_cells(1)[0]
        writer = _fork(lambda cell=cell: _hammer(cell))
        while not cell.view().joins:
            pass
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        view = cell.view()
        assert view.run == view.run[:1] * 60 * bool(view.run)


def _hammer(cell):
    while True:
        for letter in "abcdefgh":
            cell.enter(letter * 60, letter * 80, ord(letter))
            for digit in range(9):
                cell.start(letter + str(digit) * 100, digit + 1, memory_bytes=digit + 1)
            cell.leave()


def _fork(life):
    pid = os.fork()
    if pid == 0:
        try:
            life()
        finally:
            os._exit(1)
    return pid
