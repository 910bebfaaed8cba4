"""The one place where Redis clients are made, and what every client may rely on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.retry import Retry

from wfnb.errors import StoreError
from wfnb.storage import address as addresses
from wfnb.storage import embedded
from wfnb.storage.address import Address

OLDEST_VERSION = (6, 2)
PATIENCE_SECONDS = 30.0
"""How long a command outlasts a server that is away: a restart with much data takes long."""
SOCKET_SECONDS = 10.0
"""Longer than the longest blocking read (2 s), or a quiet stream would look like a dead one."""
HEALTH_CHECK_SECONDS = 15

T = TypeVar("T")
_NEVER_BETTER = (redis.AuthenticationError, redis.exceptions.AuthorizationError)


class PatientRetry(Retry):
    """Retries until a moment, not a number of times: only idempotent commands are ever sent.

    `revive` is called after each failure; what it raises ends the retrying.
    """

    def __init__(
        self, *, patience_seconds: float, revive: Callable[[], object] | None = None
    ) -> None:
        # With more failures than retries redis-py asks a unix socket's connection for its host,
        # which it has not (8.1.0, Connection.disconnect): so there never are more.
        super().__init__(ExponentialWithJitterBackoff(cap=2, base=0.05), sys.maxsize)
        self._patience_seconds = patience_seconds
        self._revive = revive

    def call_with_retry(
        self,
        do: Callable[[], T],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,  # noqa: FBT001, FBT002
    ) -> T:
        deadline = time.monotonic() + self._patience_seconds
        failures = 0
        while True:
            try:
                return do()
            except self._supported_errors as error:
                if isinstance(error, _NEVER_BETTER) or (is_retryable and not is_retryable(error)):
                    raise
                failures += 1
                fail(error, failures) if with_failure_count else fail(error)
                pause = self._backoff.compute(min(failures, 32))
                if time.monotonic() + pause > deadline:
                    raise
            if self._revive is not None:
                self._revive()
            time.sleep(pause)


def connect(
    address: Address, *, timeout_seconds: float = 3.0, patience_seconds: float = PATIENCE_SECONDS
) -> redis.Redis:
    """Make a client of the store at `address`, which has just answered; start the embedded one.

    Raises StoreError, within the time-out, for a server that is absent or cannot serve wfnb. From
    then on a command waits out a server that is away, for at most `patience_seconds`; the
    embedded one is started again meanwhile.
    """
    revive = None
    place = address
    if address.is_embedded:
        server = embedded.ensure()
        place = addresses.parse(server.url)
        revive = partial(embedded.ensure, server.data_dir)
    _check(place, timeout_seconds)
    client = _client(
        place,
        retry=PatientRetry(patience_seconds=patience_seconds, revive=revive),
        connect_seconds=timeout_seconds,
        read_seconds=SOCKET_SECONDS,
    )
    if address.is_embedded:
        client.set(embedded.USED_KEY, "", ex=embedded.USED_KEPT_SECONDS)
    return client


def warnings_of(client: redis.Redis) -> list[str]:
    """List what in the server's settings can lose a run, each in one line with its remedy."""
    try:
        settings = client.config_get("appendonly", "maxmemory-policy")
    except redis.ResponseError:
        try:
            settings = client.config_get("appendonly") | client.config_get("maxmemory-policy")
        except redis.ResponseError:
            return []
    settings = {_text(name): _text(value) for name, value in settings.items()}
    found = []
    if settings.get("appendonly") == "no":
        found.append(
            "the Redis server keeps nothing on disk between snapshots: a restart loses runs; say "
            "CONFIG SET appendonly yes (and in redis.conf)"
        )
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        found.append(
            f"the Redis server drops data of runs when memory is full (policy {policy}); say "
            "CONFIG SET maxmemory-policy noeviction (and in redis.conf)"
        )
    return found


def _check(address: Address, timeout_seconds: float) -> None:
    """One attempt. The time is shared by connecting and by the answer."""
    for option, path in address.tls_files:
        if not Path(path).is_file():
            raise StoreError(f"{address.shown}: there is no file {path} ({option})")
    half = timeout_seconds / 2
    client = _client(address, retry=Retry(NoBackoff(), 0), connect_seconds=half, read_seconds=half)
    try:
        _refuse_unfit(address, _greeting(client, time.monotonic() + timeout_seconds))
    except redis.RedisError as error:
        raise StoreError(_reason(address, error, timeout_seconds)) from error
    finally:
        client.close()


def _greeting(client: redis.Redis, deadline: float) -> dict[str, Any]:
    """HELLO needs no right of its own (INFO does) and names version, mode and role."""
    while True:
        try:
            words = client.execute_command("HELLO", 2)  # type: ignore[no-untyped-call]
            client.ping()
        except redis.BusyLoadingError:
            if time.monotonic() > deadline - 0.1:
                raise
            time.sleep(0.05)
        else:
            return {_text(name): value for name, value in zip(words[::2], words[1::2], strict=True)}


def _refuse_unfit(address: Address, greeting: dict[str, Any]) -> None:
    version = _text(greeting.get("version", b"0"))
    mode = _text(greeting.get("mode", b"standalone"))
    role = _text(greeting.get("role", b"master"))
    if mode == "cluster":
        raise StoreError(
            f"{address.shown} is a Redis Cluster, and a wfnb run needs all its keys on one server; "
            "use one without cluster-enabled"
        )
    if mode != "standalone" or role != "master":
        raise StoreError(
            f"{address.shown} takes no writes (mode {mode}, role {role}); use the primary's address"
        )
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST_VERSION:
        raise StoreError(_too_old(address, version))


def _reason(address: Address, error: redis.RedisError, timeout_seconds: float) -> str:
    text = " ".join(str(error).split())
    if "unknown command" in text or "wrong number of arguments for 'auth'" in text:
        return _too_old(address, "of before 6")
    if isinstance(error, redis.BusyLoadingError):
        return f"{address.shown} still reads its data back; try again in a moment"
    if isinstance(error, _NEVER_BETTER) or text.startswith(("NOAUTH", "NOPERM", "DENIED")):
        return (
            f"{address.shown} refused us ({text}); write the user and password in the address, "
            f"{address.scheme}://user:password@..., of a user with ~wfnb:* and +@all"
        )
    if "SSL" in text or "certificate" in text.lower():
        return (
            f"{address.shown}: no TLS connection ({text}); for a private authority add "
            "?ssl_ca_certs=/path/ca.pem, for a server without TLS use redis://"
        )
    silent = isinstance(error, redis.TimeoutError)
    what = f"does not answer within {timeout_seconds:g} s" if silent else "cannot be reached"
    return (
        f"{address.shown} {what} ({text}); is the server running, and the address right?"
        f"{_hint(address)}"
    )


def _hint(address: Address) -> str:
    if address.scheme == "redis":
        return (
            ' If it speaks TLS only, use rediss://. Without a server of your own, use "embedded".'
        )
    return ' Without a server of your own, use "embedded".'


def _too_old(address: Address, version: str) -> str:
    return (
        f"{address.shown} is a Redis {version}, wfnb needs 6.2 or newer; "
        'upgrade it, or use "embedded"'
    )


def _client(
    address: Address, *, retry: Retry, connect_seconds: float, read_seconds: float
) -> redis.Redis:
    # RESP2: as fast as RESP3 for single values, 15 % faster for hashes, and no pushed messages.
    options: dict[str, Any] = {
        "db": address.db,
        "username": address.username,
        "password": address.password,
        "protocol": 2,
        "client_name": "wfnb",
        "retry": retry,
        "socket_connect_timeout": connect_seconds,
        "socket_timeout": read_seconds,
        "health_check_interval": HEALTH_CHECK_SECONDS,
    }
    if address.scheme == "unix":
        pool = redis.ConnectionPool(redis.UnixDomainSocketConnection, path=address.path, **options)
    else:
        options |= {"host": address.host, "port": address.port, "socket_keepalive": True}
        options |= dict(address.tls_files)
        kind = redis.SSLConnection if address.scheme == "rediss" else redis.Connection
        pool = redis.ConnectionPool(kind, **options)
    return redis.Redis.from_pool(pool)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
