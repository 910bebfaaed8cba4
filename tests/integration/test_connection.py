"""Connecting: a server that cannot serve is refused with the remedy, one that goes is awaited."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import redis

from tests.redis_server import REDIS_6, VERSIONS, RedisServer, executable
from tests.waiting import wait_until
from wfnb.errors import StoreError
from wfnb.storage import embedded
from wfnb.storage.address import parse
from wfnb.storage.connection import connect, warnings_of


@contextmanager
def listening(answer):
    """A server of one connection: `answer(socket)` speaks for it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            with server.accept()[0] as peer, suppress(ConnectionError):
                answer(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield parse(f"redis://:s3cret@127.0.0.1:{server.getsockname()[1]}")
        thread.join(10)


def silent(peer: socket.socket) -> None:
    while peer.recv(1000):
        pass


def saying(*replies: bytes):
    def answer(peer: socket.socket) -> None:
        for reply in replies:
            if not peer.recv(1000):
                return
            peer.sendall(reply)
        silent(peer)

    return answer


def greeting(**told: str) -> bytes:
    words = [word for pair in ({"server": "redis"} | told).items() for word in pair]
    return f"*{len(words)}\r\n".encode() + b"".join(
        f"${len(word)}\r\n{word}\r\n".encode() for word in words
    )


OK = b"+OK\r\n"
NO_SUCH = b"-ERR unknown subcommand\r\n"


def refusal(address) -> str:
    started = time.monotonic()
    with pytest.raises(StoreError) as caught:
        connect(address)
    assert time.monotonic() - started < 3
    assert "s3cret" not in str(caught.value)
    assert address.shown in str(caught.value)
    return str(caught.value)


def test_a_server_that_does_not_answer_is_reported_within_three_seconds():
    with listening(silent) as address:
        assert "does not answer within 3 s" in refusal(address)


def test_a_server_that_is_not_there_is_reported_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "is the server running" in refusal(parse(f"redis://127.0.0.1:{port}"))
    assert 'use "embedded"' in refusal(parse("unix:///tmp/no-such-redis.sock"))


def test_a_server_that_is_no_redis_is_reported():
    with listening(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
        refusal(address)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (greeting(version="5.0.14"), "needs 6.2 or newer"),
        (greeting(version="6.0.16", mode="standalone", role="master"), "is a Redis 6.0.16"),
        (b"-ERR unknown command `HELLO`\r\n", "needs 6.2 or newer"),
        (greeting(version="7.2.0", mode="cluster"), "is a Redis Cluster"),
        (greeting(version="7.2.0", mode="sentinel"), "use the primary's address"),
        (greeting(version="7.2.0", mode="standalone", role="replica"), "takes no writes"),
        (b"-NOAUTH Authentication required.\r\n", "write the user and password"),
    ],
)
def test_a_server_that_cannot_serve_is_refused_with_the_remedy(reply, told):
    replies = (OK, OK, NO_SUCH, NO_SUCH, reply, b"+PONG\r\n")
    with listening(saying(*replies)) as address:
        assert told in refusal(address)


def test_a_wrong_password_is_named_as_such():
    with RedisServer() as server, server.client() as admin:
        admin.config_set("requirepass", "right")
        for url in (server.url, server.url.replace("://", "://:s3cret@")):
            assert "write the user and password in the address" in refusal(parse(url))
        with connect(parse(server.url.replace("://", "://:right@"))) as client:
            assert client.ping()


@pytest.fixture
def cluster():
    folder = tempfile.mkdtemp(prefix="wf", dir="/tmp")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # A cluster's bus listens 10,000 above its port, which 16-bit ports above 55,535 cannot.
    port = port if port < 55_000 else port - 20_000
    command = [executable(REDIS_6), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
    command += ["--cluster-enabled", "yes", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as peer:
            return peer.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers, timeout_seconds=10, description="the cluster's node answers")
    yield parse(f"redis://127.0.0.1:{port}")
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder)


def test_a_real_cluster_is_refused_by_name(cluster):
    assert "is a Redis Cluster" in refusal(cluster)


def test_a_tls_address_of_a_plain_server_names_the_remedy():
    with listening(saying(b"-ERR Protocol error\r\n")) as address:
        plain = address.url.replace("redis://", "rediss://")
        assert "redis://" in refusal(parse(plain))


def test_a_certificate_that_is_not_there_is_named():
    address = parse("rediss://127.0.0.1:1?ssl_ca_certs=/tmp/no-such-ca.pem")
    assert "there is no file /tmp/no-such-ca.pem" in refusal(address)


def test_commands_outlast_a_restart_of_the_server():
    with RedisServer(aof=True) as server, connect(parse(server.url)) as client:
        client.set("wfnb:kept", "1", ex=60)
        server.kill()
        restart = threading.Timer(0.2, server.start)
        restart.start()
        assert client.set("wfnb:more", "1", ex=60)
        restart.join()


def test_patience_ends():
    with RedisServer() as server:
        client = connect(parse(server.url), patience_seconds=0.2)
        server.kill()
        started = time.monotonic()
        with client, pytest.raises(redis.ConnectionError):
            client.ping()
        assert time.monotonic() - started < 2


def test_a_blocking_read_is_not_taken_for_a_dead_server():
    with RedisServer() as server, connect(parse(server.url)) as client:
        assert client.blpop(["wfnb:none"], timeout=1.2) is None


def test_a_user_without_rights_is_not_waited_for():
    with RedisServer() as server, connect(parse(server.url)) as client:
        client.acl_setuser("default", enabled=True, passwords=["+right"], reset_passwords=True)
        client.connection_pool.disconnect()
        with pytest.raises(redis.AuthenticationError):
            client.ping()


def test_settings_that_lose_runs_are_warned_of():
    with RedisServer() as server, connect(parse(server.url)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        lost, dropped = warnings_of(client)
        assert "CONFIG SET appendonly yes" in lost
        assert "allkeys-lru" in dropped
        assert "CONFIG SET maxmemory-policy noeviction" in dropped


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_that_keep_runs_are_not(version):
    with RedisServer(version, aof=True) as server, connect(parse(server.url)) as client:
        assert warnings_of(client) == []


def test_a_server_that_hides_its_settings_is_not_warned_of():
    with RedisServer() as server, connect(parse(server.url)) as admin:
        admin.execute_command("ACL", "SETUSER", "me", "on", "nopass", "~*", "+@all", "-config")
        with connect(parse(server.url.replace("://", "://me:any@"))) as limited:
            assert warnings_of(limited) == []


@pytest.fixture
def state_home(monkeypatch):
    folder = Path(tempfile.mkdtemp(prefix="wf", dir="/tmp"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    yield folder
    embedded.stop()
    shutil.rmtree(folder)


def test_the_embedded_server_is_started_by_connecting_and_revived_by_use(state_home):
    with connect(parse(None)) as client:
        assert warnings_of(client) == []
        client.set("wfnb:kept", "1")
        client.config_set("appendfsync", "always")
        client.set("wfnb:last", "1")
        os.kill(server_pid(state_home), signal.SIGKILL)
        assert client.get("wfnb:kept") == b"1"


def test_a_kernel_that_connects_counts_as_use(state_home):
    connect(parse("embedded")).close()
    server = embedded.running()
    assert server is not None
    assert not embedded.stop_if_unused(server.url, idle_seconds=1)
    assert psutil.pid_exists(server_pid(state_home))


def server_pid(state_home: Path) -> int:
    return int((state_home / "wfnb" / "redis" / "redis.pid").read_text())
