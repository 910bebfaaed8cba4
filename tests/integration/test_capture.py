# ruff: noqa: T201  printing is what is tested
"""What a worker process prints, by whatever means, and what of it reaches the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from wfnb.errors import StoreError
from wfnb.workers import capture
from wfnb.workers.capture import Capture, last_words, left_over, open_log, size_of
from wfnb.workers.cell import make_cells

MIB = 1024 * 1024


class Worker:
    """A forked process with captured output, which runs `life` and leaves its answer in a file."""

    def __init__(self, tmp_path):
        self.cell = make_cells(1)[0]
        self.log = open_log()
        self._answer = tmp_path / "answer"

    def run(self, life, *, append=None):
        pid = os.fork()
        if pid == 0:
            try:
                sent = []
                took = Capture(self.log, self.cell)
                took.redirect()
                took.enter(append or (lambda *words, at: sent.append([*words, at])))
                self.cell.enter("run-1", "w1:1", 1)
                answer = life(took, sent)
                took.flush()
                words = [(task, number, text.decode(), at) for task, number, text, at in sent]
                self._answer.write_text(json.dumps([words, answer]))
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        sent, answer = json.loads(self._answer.read_text())
        return sent, answer

    def close(self):
        os.close(self.log)


@pytest.fixture
def worker(tmp_path):
    made = Worker(tmp_path)
    yield made
    made.close()


def of_task(sent, task):
    return "".join(text for name, _, text, _ in sent if name == task)


def test_every_way_of_printing_is_attributed_to_its_task(worker):
    def life(took, _sent):
        took.start("python-0", 1)
        print("from print", end="")
        print("from stderr", file=sys.stderr)
        took.end()
        took.start("silent-0", 1)
        took.end()
        took.start("write-0", 2)
        os.write(1, b"from write\n")
        took.end()
        took.start("child-0", 1)
        subprocess.run(["sh", "-c", "echo from child; echo from its stderr >&2"], check=True)
        took.end()
        took.start("c-0", 1)
        capture._LIBC.puts(b"from C")
        took.end()

    sent, _ = worker.run(life)
    assert "from stderr\n" in of_task(sent, "python-0")
    assert "from print" in of_task(sent, "python-0")
    assert "silent-0" not in {task for task, *_ in sent}
    assert of_task(sent, "write-0") == "from write\n"
    assert of_task(sent, "child-0") == "from child\nfrom its stderr\n"
    assert of_task(sent, "c-0") == "from C\n"
    assert [number for task, number, *_ in sent if task == "write-0"] == [2]


def test_a_long_task_is_followed_while_it_runs(worker):
    def life(took, sent):
        took.start("slow-0", 1)
        print("early")
        deadline = time.monotonic() + 5
        while not sent and time.monotonic() < deadline:
            time.sleep(0.01)
        early = [text.decode() for _, _, text, _ in sent]
        print("late")
        took.end()
        return early

    sent, early = worker.run(life)
    assert early == ["early\n"]
    assert of_task(sent, "slow-0") == "early\nlate\n"
    assert [at for *_, at in sent] == [0, 6]


def test_a_task_that_closes_or_replaces_its_streams_harms_no_other(worker):
    def life(took, _sent):
        took.start("rude-0", 1)
        print("before")
        sys.stdout.close()
        sys.stderr = None
        took.end()
        took.start("next-0", 1)
        print("after")
        took.end()

    sent, _ = worker.run(life)
    assert of_task(sent, "rude-0") == "before\n"
    assert of_task(sent, "next-0") == "after\n"


def test_input_is_at_its_end(worker):
    def life(took, _sent):
        took.start("ask-0", 1)
        answer = os.read(0, 10).decode()
        took.end()
        return answer

    assert worker.run(life)[1] == ""


def test_a_hundred_megabytes_neither_block_nor_fill(worker):
    def life(took, sent):
        took.start("loud-0", 1)
        line = b"x" * 99_999 + b"\n"
        print("the first line")
        for _ in range(1000):
            os.write(1, line)
        print("the last line")
        took.end()
        took.flush()
        took.start("next-0", 1)
        print("quiet")
        took.end()
        return os.fstat(1).st_blocks * 512

    begin = time.monotonic()
    sent, held_bytes = worker.run(life)
    assert time.monotonic() - begin < 10
    text = of_task(sent, "loud-0")
    assert text.startswith("the first line\n")
    assert text.endswith("the last line\n")
    assert "bytes left out ..." in text
    assert len(text) < 2 * MIB + 100
    assert held_bytes <= capture.KEPT_BYTES
    assert of_task(sent, "next-0") == "quiet\n"


def test_what_one_tick_of_the_log_thread_ships_is_bounded(worker):
    def life(took, sent):
        took.start("loud-0", 1)
        os.write(1, b"x" * 4 * MIB)
        deadline = time.monotonic() + 5
        while len(sent) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        longest = max(len(text) for _, _, text, _ in sent)
        took.end()
        return longest

    assert worker.run(life)[1] <= capture.PIECE_BYTES


def test_a_store_that_refuses_logs_fails_no_task(worker):
    def refuse(*_words, at):
        raise StoreError("full")

    def life(took, _sent):
        took.start("a-0", 1)
        print("lost")
        took.end()
        took.flush()
        return "survived"

    assert worker.run(life, append=refuse)[1] == "survived"


def test_what_a_dead_worker_left_is_found_by_its_cell(worker):
    pid = os.fork()
    if pid == 0:
        took = Capture(worker.log, worker.cell)
        took.redirect()
        worker.cell.enter("run-1", "w1:1", 1)
        took.start("a-0", 1)
        print("of a")
        took.end()
        worker.cell.start("b-0", 1)
        took.start("b-0", 1)
        os.write(2, b"last words")
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    view = worker.cell.view()
    assert view.task == "b-0"
    end = size_of(worker.log)
    assert left_over(worker.log, view.log_start, view.log_shipped, end) == b"last words"
    assert last_words(worker.log, view.log_start) == "last words"


def test_left_over_output_is_whole_or_head_note_and_tail():
    log = open_log()
    os.write(log, b"before" + b"h" * MIB + b"m" * 1000 + b"t" * MIB)
    end = size_of(log)
    assert left_over(log, end - 10, end - 4, end) == b"t" * 4
    whole = left_over(log, 6, 6, end)
    assert whole == b"h" * MIB + b"\n... 1,000 bytes left out ...\n" + b"t" * MIB
    assert left_over(log, 6, 6 + MIB, end) == whole[MIB:]
    os.close(log)
