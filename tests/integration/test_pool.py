"""The pool process: what it sees of its workers, and how fast; when it comes and goes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.redis_server import RedisServer
from tests.waiting import wait_until
from wfnb import Resources, task
from wfnb.choices import Choices
from wfnb.errors import BackendError, RunCancelledError, TaskError
from wfnb.events import START, WorkerLost, read_entry
from wfnb.session import Session
from wfnb.storage import embedded
from wfnb.storage.stores import connect_store
from wfnb.workers.poolfiles import files_of
from wfnb.workers.process import ProcessBackend, pool_key

PATIENCE_SECONDS = 20.0


@pytest.fixture
def session(redis_server):
    made = Session(Choices(store=redis_server.url, workers=2))
    yield made
    made.close()
    end_pool(redis_server.url)


@pytest.fixture
def short_folder():
    folder = Path(tempfile.mkdtemp(prefix="wf"))
    yield folder
    shutil.rmtree(folder)


def end_pool(url):
    """One that a client has just started, and that has not even its lock, too."""
    key, told = pool_key(url), set()
    try:
        wait_until(lambda: is_ended(key, told), timeout_seconds=10, description="its end")
    except pytest.fail.Exception:
        # A task that killed its worker's parent may have hit the pool: nobody tells what is left.
        for process in processes_of(key):
            with suppress(psutil.Error):
                process.kill()
    wait_until(lambda: not processes_of(key), timeout_seconds=10, description="the pool has ended")


def is_ended(key, told):
    """Tell each process of it once, also one that comes up meanwhile; its children it ends."""
    family = processes_of(key)
    for process in set(family) - told:
        with suppress(psutil.Error):
            if process.parent() not in family:
                process.terminate()
                told.add(process)
    return not family


def processes_of(key):
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if key in process.cmdline():
                found.append(process)
    return found


def pool_of(redis_server):
    files = files_of(pool_key(redis_server.url))
    wait_until(files.pid, description="a pool is there")
    return psutil.Process(files.pid())


def start_by_hand(redis_server, *words):
    command = [sys.executable, "-P", "-m", "wfnb.workers", "pool", "--slots", "1", *words]
    return subprocess.Popen(command, env={**os.environ, "WFNB_STORE": redis_server.url})


def failure_of(run):
    with pytest.raises(TaskError):
        run.result(PATIENCE_SECONDS)
    return run.errors


@task
def die(how):
    os.kill(os.getpid(), how)


@task
def leave(code):
    os._exit(code)


@task(timeout=1.5)
def linger():
    sys.stderr.write("still at it\n")
    time.sleep(60)


@task(resources=Resources(memory="200MB"))
def swell():
    hoard = [bytearray(b"x") * 10**7 for _ in range(40)]
    time.sleep(60)
    return len(hoard)


@task
def mark_and_wait(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


@task
def parent(path):
    child = subprocess.Popen(["sleep", "60"])
    Path(path).write_text(str(child.pid))
    os.abort()


@task
def double(number):
    return 2 * number


def test_a_death_by_signal_is_named_and_poison_ends_after_three_losses(session):
    begin = time.monotonic()
    errors = failure_of(session.start(die(signal.SIGSEGV)))
    assert time.monotonic() - begin < 5
    assert [record.kind for record in errors] == ["lost"] * 3
    assert all("SIGSEGV" in record.message for record in errors)


def test_an_exit_code_is_named(session):
    errors = failure_of(session.start(leave(7)))
    assert "exit code 7" in errors[0].message


def test_a_lost_worker_is_seen_within_a_second_and_the_task_runs_again(session, tmp_path):
    seen = tmp_path / "seen"

    @task
    def once():
        if not seen.exists():
            seen.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "second time"

    run = session.start(once())
    assert run.result(PATIENCE_SECONDS) == "second time"
    events = [e for _, entry in session.store.events(run.id, START) for e in read_entry(entry)]
    (lost,) = [event for event in events if isinstance(event, WorkerLost)]
    # Not from the start of the run: what its workers import may take longer than that.
    assert lost.at_seconds - seen.stat().st_mtime < 1


def test_a_timeout_kills_and_is_the_tasks_own_failure(session):
    session.start(double(1)).result(PATIENCE_SECONDS)
    begin = time.monotonic()
    errors = failure_of(session.start(linger()))
    assert time.monotonic() - begin < 15
    (record,) = errors
    assert record.kind == "timeout"
    assert "1.5 s" in record.message
    assert "still at it" in record.stderr


def test_a_memory_limit_kills_and_names_limit_and_peak(session):
    (record,) = failure_of(session.start(swell()))
    assert record.kind == "memory"
    assert "200.0 MB" in record.message
    assert "used" in record.message


def test_cancel_kills_within_a_second(session, tmp_path):
    mark = tmp_path / "mark"
    run = session.start(mark_and_wait(str(mark)))
    wait_until(lambda: mark.exists() and mark.read_text(), description="the task runs")
    worker = psutil.Process(int(mark.read_text()))
    begin = time.monotonic()
    run.cancel()
    wait_until(lambda: not worker.is_running(), description="its worker is gone")
    assert time.monotonic() - begin < 1.2
    with pytest.raises(RunCancelledError):
        run.result(PATIENCE_SECONDS)
    assert session.start(double(4)).result(PATIENCE_SECONDS) == 8


def test_what_a_dead_worker_had_started_dies_with_it(session, tmp_path):
    mark = tmp_path / "mark"
    failure_of(session.start(parent(str(mark))))
    child = int(mark.read_text())
    wait_until(lambda: not psutil.pid_exists(child), description="the task's child is gone")


def test_a_killed_pool_takes_its_workers_along_and_is_replaced(session, redis_server, tmp_path):
    mark = tmp_path / "mark"
    run = session.start(double(3))
    assert run.result(PATIENCE_SECONDS) == 6
    session.start(mark_and_wait(str(mark))).cancel()
    family = [pool_of(redis_server), *pool_of(redis_server).children(recursive=True)]
    assert len(family) == 4
    family[0].kill()
    wait_until(lambda: not any(p.is_running() for p in family), description="all are gone")


def test_of_two_pools_one_stays(redis_server):
    first = start_by_hand(redis_server)
    second = start_by_hand(redis_server)
    try:
        wait_until(
            lambda: first.poll() is not None or second.poll() is not None, description="one goes"
        )
        loser, winner = (first, second) if first.poll() is not None else (second, first)
        assert loser.returncode == 0
        assert winner.poll() is None
        assert files_of(pool_key(redis_server.url)).pid() == winner.pid
    finally:
        for pool in (first, second):
            pool.terminate()
            pool.wait(10)


def test_an_idle_pool_goes_by_itself_and_is_seen_no_more(redis_server):
    pool = start_by_hand(redis_server, "--idle-seconds", "0.3")
    store = connect_store(redis_server.url)
    assert pool.wait(10) == 0
    assert pool_key(redis_server.url) not in store.pools()
    store.close()


def test_the_private_server_goes_when_the_last_kernel_has_gone(monkeypatch, short_folder):
    monkeypatch.setenv("XDG_STATE_HOME", str(short_folder))
    kernel = connect_store("embedded")
    server = embedded.running()
    command = [sys.executable, "-P", "-m", "wfnb.workers", "pool", "--slots", "1"]
    environment = {**os.environ, "WFNB_STORE": "embedded"}
    pool = subprocess.Popen([*command, "--idle-seconds", "0.5"], env=environment)
    files = files_of(pool_key("embedded"))
    wait_until(lambda: files.pid() is not None, description="the pool is there")
    wait_until(lambda: files.pid() is None, timeout_seconds=15, description="the pool is idle")
    assert embedded.running() == server
    assert pool.poll() is None
    kernel.close()
    assert pool.wait(15) == 0
    assert embedded.running() is None


def test_a_told_pool_stops_and_gives_work_back_unblamed(session, redis_server, tmp_path):
    mark = tmp_path / "mark"
    run = session.start(mark_and_wait(str(mark)))
    wait_until(lambda: mark.exists() and mark.read_text(), description="the task runs")
    end_pool(redis_server.url)
    assert not run.errors
    run.cancel()


def test_a_worker_talks_to_the_pools_log_outside_runs_only(session, redis_server):
    @task
    def speak():
        os.write(2, b"inside a run\n")

        def outside():
            time.sleep(0.2)
            os.write(2, b"outside a run\n")

        threading.Thread(target=outside).start()

    run = session.start(speak())
    run.result(PATIENCE_SECONDS)
    files = files_of(pool_key(redis_server.url))
    wait_until(lambda: "outside a run" in files.log_tail(), description="it is in the log")
    assert "inside a run" not in files.log_tail()
    assert "inside a run" in str(run.log("speak-0"))


def test_a_pool_with_too_few_workers_grows(redis_server):
    store = connect_store(redis_server.url)
    pool = start_by_hand(redis_server)
    backend = ProcessBackend(store, redis_server.url, workers=2)
    try:
        wait_until(lambda: backend.pool in store.pools(), description="the pool is seen")
        files_of(backend.pool).want(3)
        wait_until(
            lambda: store.pools()[backend.pool]["slots"] == "3", description="it has three slots"
        )
        family = psutil.Process(pool.pid)
        wait_until(
            lambda: len(family.children(recursive=True)) == 4, description="template and workers"
        )
    finally:
        pool.terminate()
        pool.wait(10)
        store.close()


def test_a_pool_outlives_its_store(tmp_path):
    with RedisServer(aof=True) as server:
        pool = start_by_hand(server)
        key = pool_key(server.url)
        store = connect_store(server.url)
        try:
            wait_until(lambda: key in store.pools(), description="the pool is seen")
            server.kill()
            server.start()
            store.announce(key, {}, ttl_seconds=0)
            wait_until(lambda: key in store.pools(), description="the pool is seen again")
            assert pool.poll() is None
        finally:
            pool.terminate()
            pool.wait(10)
            store.close()


def test_one_worker_by_hand_serves_a_given_pool(redis_server):
    store = connect_store(redis_server.url)
    command = [sys.executable, "-P", "-m", "wfnb.workers", "worker", "--pool", "process:far:1"]
    worker = subprocess.Popen(command, env={**os.environ, "WFNB_STORE": redis_server.url})
    try:
        wait_until(lambda: "process:far:1" in store.pools(), description="the worker is seen")
        assert store.pools()["process:far:1"]["slots"] == "1"
    finally:
        worker.terminate()
        worker.wait(10)
    assert "process:far:1" not in store.pools()
    store.close()


def test_a_template_that_dies_is_replaced_with_its_workers(session, redis_server):
    session.start(double(1)).result(PATIENCE_SECONDS)
    pool = pool_of(redis_server)
    (template,) = pool.children()
    template.kill()
    wait_until(
        lambda: [c for c in pool.children() if c.pid != template.pid], description="a new template"
    )
    assert session.start(double(21)).result(PATIENCE_SECONDS) == 42


def test_a_task_that_kills_the_template_fails_and_does_not_do_so_for_ever(session):
    @task
    def kill_the_parent():
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(PATIENCE_SECONDS)

    errors = failure_of(session.start(kill_the_parent()))
    assert {error.kind for error in errors} == {"lost"}
    assert "forked from" in errors[-1].message or "SIGKILL" in errors[-1].message


#: A pool that is told to end when it is about to begin anew.
TOLD_TOO_LATE = """
import os, signal, sys
from wfnb.workers import pool
from wfnb.workers.__main__ import main
end = pool.Pool._end
def end_and_hear(self, *words, **how):
    end(self, *words, **how)
    os.kill(os.getpid(), signal.SIGTERM)
pool.Pool._end = end_and_hear
sys.exit(main(sys.argv[1:]))
"""


def test_a_pool_that_is_told_to_end_while_it_begins_anew_does_end(redis_server):
    key = pool_key(redis_server.url)
    command = [sys.executable, "-P", "-c", TOLD_TOO_LATE, "pool", "--slots", "1", "--pool", key]
    pool = subprocess.Popen(command, env={**os.environ, "WFNB_STORE": redis_server.url})
    try:
        store = connect_store(redis_server.url)
        wait_until(lambda: key in store.pools(), description="the pool is seen")
        store.close()
        (template,) = psutil.Process(pool.pid).children()
        template.kill()
        assert pool.wait(10) == 0
    finally:
        pool.kill()
        pool.wait(10)


def test_serve_returns_at_once_and_starts_one_pool(redis_server):
    store = connect_store(redis_server.url)
    backend = ProcessBackend(store, redis_server.url, workers=1)
    begin = time.monotonic()
    backend.serve()
    backend.serve()
    assert time.monotonic() - begin < 0.1
    wait_until(lambda: backend.pool in store.pools(), description="the pool is seen")
    backend.serve()
    end_pool(redis_server.url)
    store.close()


def test_a_task_too_large_for_the_host_is_refused_by_name(session):
    @task(resources=Resources(cpus=10_000))
    def huge():
        pass

    with pytest.raises(BackendError, match=r"huge-0 wants 10000 cpus, and this host has \d+"):
        session.start(huge())

    @task(resources=Resources(memory="900TB"))
    def fat():
        pass

    with pytest.raises(BackendError, match="fat-0 wants 900TB"):
        session.start(fat())
