"""A check that can never fail checks nothing: each leak is planted once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import both_redis
from tests.isolation import end_processes
from tests.leaks import footprint, lasting_keys, leaked

ROOT = Path(__file__).parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_thread_that_goes_on_is_a_leak():
    before, stop = footprint(), threading.Event()
    thread = threading.Thread(target=stop.wait, name="planted")
    thread.start()
    left = leaked(before, patience_seconds=0)
    stop.set()
    thread.join()
    assert [line for line in left if "planted" in line] == left != []


def test_a_child_process_that_goes_on_is_a_leak():
    before = footprint()
    with subprocess.Popen(SLEEP) as child:
        left = leaked(before, patience_seconds=0)
        child.kill()
    assert [line for line in left if f"process {child.pid}" in line] == left != []


@pytest.mark.skipif(sys.platform != "linux", reason="file descriptors are looked up in /proc")
def test_an_open_socket_is_a_leak():
    before = footprint()
    with socket.socket():
        left = leaked(before, patience_seconds=0)
    assert len(left) == 1
    assert left[0].startswith("socket:")


def test_a_file_in_shared_memory_is_a_leak():
    before, path = footprint(), Path(os.environ["WFNB_SHM_DIR"], "planted")
    path.touch()
    left = leaked(before, patience_seconds=0)
    path.unlink()
    assert left == [f"file {path}"]


def test_what_ends_in_time_is_no_leak():
    before = footprint()
    timer = threading.Timer(0.05, int)
    timer.start()
    assert leaked(before) == []


@both_redis
def test_a_key_without_expiry_is_a_leak_unless_it_is_a_permanent_one(redis_server):
    with redis_server.client() as client:
        client.set("wfnb:r1:meta", "1", ex=60)
        client.set("wfnb:runs", "1")
        client.set("wfnb:pool:process:e:1", "1")
        client.set("wfnb:r1:state", "1")
        assert lasting_keys(client) == ["wfnb:r1:state"]
        client.flushall()


@both_redis
def test_a_server_is_of_the_version_asked_for(redis_server):
    with redis_server.client() as client:
        assert f"redis-{client.info('server')['redis_version']}".startswith(redis_server.version)


def test_a_process_that_outlives_its_session_is_found_and_killed(tmp_path):
    with subprocess.Popen(SLEEP, env=os.environ | {"PLANTED_HOME": str(tmp_path)}) as child:
        left = end_processes(str(tmp_path), patience_seconds=0)
        assert child.wait(10) == -signal.SIGKILL
    assert [line.split(":")[0] for line in left] == [str(child.pid)]


def test_a_survivor_is_asked_to_end_and_is_no_leak(tmp_path):
    script = tmp_path / "redis-server.py"
    script.write_text("import time; time.sleep(60)")
    with subprocess.Popen([sys.executable, script]) as child:
        assert end_processes(str(tmp_path)) == []
        assert child.wait(10) == -signal.SIGTERM


LEAKY = """
from __future__ import annotations
import functools, threading, time
from tests import conftest

conftest.leaked = functools.partial(conftest.leaked, patience_seconds=0)

def test_leaky():
    threading.Thread(target=time.sleep, args=(4,), daemon=True).start()
"""


def test_a_leaky_test_fails_though_its_assertions_hold(tmp_path):
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.isolation",
        "-p",
        "tests.conftest",
    ]
    run = subprocess.run(
        [*command, "--rootdir", tmp_path, tmp_path],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed, 1 error" in run.stdout
    assert "left behind: thread" in run.stdout
