"""The bad network really is bad: what the store's fault tests rely on."""

from __future__ import annotations

import socket

import pytest
import redis

from tests.conftest import both_redis
from tests.faulty import FaultyProxy
from tests.redis_server import RedisServer


def impatient(proxy: FaultyProxy) -> redis.Redis:
    return redis.Redis.from_url(proxy.url, retry=None)


@both_redis
def test_a_command_whose_reply_is_lost_was_carried_out(redis_server):
    with FaultyProxy(redis_server.socket_path) as proxy, impatient(proxy) as client:
        assert client.incr("wfnb:runs") == 1
        proxy.lose_replies()
        with pytest.raises(redis.ConnectionError):
            client.incr("wfnb:runs")
        assert client.incr("wfnb:runs") == 3
        assert proxy.lost_replies == 1


def test_a_cut_closes_what_is_open_and_lets_new_connections_in(redis_server):
    with FaultyProxy(redis_server.socket_path) as proxy, socket.socket(socket.AF_UNIX) as client:
        client.connect(proxy.url.removeprefix("unix://"))
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"
        proxy.cut()
        assert client.recv(100) == b""
        with impatient(proxy) as later:
            assert later.ping()


def test_every_nth_reply_is_lost(redis_server):
    with FaultyProxy(redis_server.socket_path) as proxy, impatient(proxy) as client:
        client.ping()
        proxy.lose_each(3)
        outcomes = []
        for _ in range(6):
            try:
                outcomes.append(client.ping())
            except redis.ConnectionError:
                outcomes.append(False)
        assert proxy.lost_replies >= 1
        assert outcomes.count(False) == proxy.lost_replies


def test_a_killed_server_comes_back_with_its_data_when_it_keeps_a_log():
    with RedisServer(aof=True) as server:
        with server.client() as client:
            client.set("wfnb:runs", "kept")
        server.kill()
        assert not server.answers()
        server.start()
        with server.client() as client:
            assert client.get("wfnb:runs") == b"kept"
