"""Where a store is: what is understood, what is refused, and what people are shown."""

from __future__ import annotations

import pytest

from wfnb.errors import StoreError
from wfnb.storage.address import Address, parse


@pytest.mark.parametrize("url", [None, "embedded"])
def test_no_address_means_the_embedded_server(url):
    address = parse(url)
    assert address.is_embedded
    assert address.is_local
    assert address.shown == "embedded"


@pytest.mark.parametrize(
    ("url", "host", "port", "db"),
    [
        ("redis://", "localhost", 6379, 0),
        ("redis://localhost", "localhost", 6379, 0),
        ("redis://127.0.0.1:7000/3", "127.0.0.1", 7000, 3),
        ("redis://[::1]:7000?db=2", "::1", 7000, 2),
        ("rediss://user:pass@store.example:6380", "store.example", 6380, 0),
        ("redis://:pass@store.example/", "store.example", 6379, 0),
    ],
)
def test_a_network_address_is_taken_apart(url, host, port, db):
    address = parse(url)
    assert (address.host, address.port, address.db) == (host, port, db)


@pytest.mark.parametrize(
    ("url", "path", "username", "password"),
    [
        ("unix:///run/redis.sock", "/run/redis.sock", None, None),
        ("unix://me:se%2Fcret@/run/my%20redis.sock", "/run/my redis.sock", "me", "se/cret"),
        ("unix:///run/redis.sock?db=1&username=me&password=x", "/run/redis.sock", "me", "x"),
    ],
)
def test_a_socket_address_is_taken_apart(url, path, username, password):
    address = parse(url)
    assert (address.path, address.username, address.password) == (path, username, password)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("unix:///run/redis.sock", True),
        ("redis://localhost", True),
        ("redis://127.3.2.1", True),
        ("redis://[::1]", True),
        ("redis://[::ffff:127.0.0.1]", True),
        ("redis://:x@10.0.0.1", False),
        ("redis://:x@localhost.example", False),
        ("redis://:x@127.0.0.1.example", False),
    ],
)
def test_a_store_is_local_when_no_other_host_can_reach_it(url, is_local):
    assert parse(url).is_local is is_local


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis+sentinel://host",
        "redis:/localhost",
        "redis://localhost:port",
        "redis://localhost:99999",
        "redis://localhost/zero",
        "redis://localhost?db=-1",
        "unix://relative/redis.sock",
        "unix://",
    ],
)
def test_what_is_no_address_is_refused_with_the_forms_accepted(url):
    with pytest.raises(StoreError) as caught:
        parse(url)
    assert repr(url) in str(caught.value)
    assert "accepted are" in str(caught.value)
    assert "unix://" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["redis://localhost?host=evil.example", "unix:///s?path=/t", "redis:///?socket_timeout=9"],
)
def test_an_option_cannot_lead_elsewhere(url):
    with pytest.raises(StoreError, match="is not known"):
        parse(url)


@pytest.mark.parametrize(
    "url",
    ["redis://10.0.0.1", "rediss://store.example", "redis://me@10.0.0.1", "redis://:@10.0.0.1"],
)
def test_a_server_on_the_network_without_a_password_is_refused(url):
    with pytest.raises(StoreError, match="without a password") as caught:
        parse(url)
    assert "requirepass" in str(caught.value)
    assert "WFNB_INSECURE=1" in str(caught.value)


def test_the_refusal_can_be_overruled(monkeypatch):
    monkeypatch.setenv("WFNB_INSECURE", "1")
    assert not parse("redis://10.0.0.1").has_password


def test_certificates_are_named_in_the_address():
    address = parse("rediss://:x@store.example?ssl_ca_certs=/etc/ca.pem")
    assert address.tls_files == (("ssl_ca_certs", "/etc/ca.pem"),)
    with pytest.raises(StoreError, match="is not known"):
        parse("redis://:x@store.example?ssl_ca_certs=/etc/ca.pem")


@pytest.mark.parametrize(
    "url",
    [
        "redis://me:s3cret@host.example:7000/1",
        "redis://:s3cret@10.0.0.1",
        "unix://me:s3cret@/run/redis.sock",
        "unix:///run/redis.sock?password=s3cret&db=1",
    ],
)
def test_a_password_is_never_shown(url):
    address = parse(url)
    assert "s3cret" in address.url
    assert "s3cret" not in address.shown + repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:s3cret@host",
        "redis://me:x@y/s3cret@host",
        "redis://me:s3cret/x@host",
        "redis://me:s3cret#x@host",
        "unix://me:s3cret@/s?password=s3cret&path=/t",
    ],
)
def test_a_password_is_never_in_a_refusal(url):
    with pytest.raises(StoreError) as caught:
        parse(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_what_is_shown_still_tells_which_server_it_is():
    assert parse("redis://me:x@host.example:7000/1").shown == "redis://me:***@host.example:7000/1"


def test_addresses_are_values():
    assert (
        parse("redis://localhost")
        == parse("redis://localhost")
        == Address("redis://localhost", "redis", host="localhost")
    )
