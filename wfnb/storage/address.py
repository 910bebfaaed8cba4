"""Where a store is: the forms an address may have, and which of them wfnb refuses."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from wfnb.errors import StoreError

FORMS = (
    '"embedded" (a private server, started for you), "redis://[user:password@]host[:port][/db]", '
    '"rediss://..." (the same over TLS) or "unix://[user:password@]/path/to/socket[?db=0]"'
)
DEFAULT_PORT = 6379
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTIONS = {
    "redis": ("db",),
    "rediss": ("db", *_TLS_FILES),
    "unix": ("db", "username", "password"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """One store's place. Made by `parse`, which refuses what is unsafe or not understood."""

    url: str = field(repr=False)
    """As given, password included: for workers of the same user, never for display."""
    scheme: str
    """embedded, redis, rediss or unix."""
    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    """Of the unix socket."""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls_files: tuple[tuple[str, str], ...] = ()
    """Certificate files by redis-py's name of the option."""

    @property
    def is_embedded(self) -> bool:
        return self.scheme == "embedded"

    @property
    def is_local(self) -> bool:
        """All workers are on this host, so they may share memory files."""
        return self.scheme in ("embedded", "unix") or _is_loopback(self.host)

    @property
    def has_password(self) -> bool:
        return bool(self.password)

    @property
    def shown(self) -> str:
        """The address for people: the password is hidden."""
        return masked(self.url)


def parse(url: str | None) -> Address:
    """None means the embedded server. Raises StoreError for what is no address, or an open door."""
    if url is None or url == "embedded":
        return Address("embedded", "embedded")
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _OPTIONS:
        raise StoreError(f"{masked(url)!r} is no store address; accepted are {FORMS}")
    try:
        address = _parsed(url, urlsplit(url))
    except StoreError as error:
        raise StoreError(f"{masked(url)!r}: {error}; accepted are {FORMS}") from None
    except ValueError:
        # Not urllib's words: they quote what it takes for the port, which may be a password.
        raise StoreError(
            f"{masked(url)!r} cannot be taken apart (/ ? # @ in a password are written "
            f"%2F %3F %23 %40, and a port is at most 65535); accepted are {FORMS}"
        ) from None
    _refuse_open_door(address)
    return address


def masked(url: str) -> str:
    """Also right for a text that is no URL but may hold a password all the same."""
    hidden = re.sub(r"(://[^:@/]*):.*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&]*", r"\1***", hidden)


def _parsed(url: str, parts: SplitResult) -> Address:
    options = _options(parts)
    username = unquote(parts.username or "") or options.get("username")
    password = unquote(parts.password or "") or options.get("password")
    path = unquote(parts.path)
    if parts.scheme == "unix":
        if parts.hostname or not path.startswith("/"):
            raise StoreError("a unix socket needs an absolute path, as in unix:///run/redis.sock")
        db = options.get("db", "0")
        return Address(url, "unix", path=path, db=_number(db), username=username, password=password)
    return Address(
        url,
        parts.scheme,
        host=parts.hostname or "localhost",
        port=DEFAULT_PORT if parts.port is None else parts.port,
        db=_number(options.get("db") or path.strip("/") or "0"),
        username=username,
        password=password,
        tls_files=tuple((name, options[name]) for name in _TLS_FILES if name in options),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    # redis-py lets ?host=... or ?socket_timeout=... override everything: only named options pass.
    if parts.fragment:
        raise StoreError("a # in the user, password or path is written %23")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    allowed = _OPTIONS[parts.scheme]
    for name in options:
        if name not in allowed:
            raise StoreError(f"the option {name!r} is not known, only {', '.join(allowed)}")
    return options


def _number(text: str) -> int:
    if not text.isdecimal():
        raise StoreError("the database must be a number, as in redis://localhost/0")
    return int(text)


def _refuse_open_door(address: Address) -> None:
    if address.is_local or address.has_password or os.environ.get("WFNB_INSECURE") == "1":
        return
    raise StoreError(
        f"{address.shown} is open to the network without a password, so anybody there could "
        "run code as you; "
        "give the server a password (requirepass, or ACL SETUSER) and write it in the address, "
        f"{address.scheme}://:password@{address.host}:{address.port}, "
        "or set WFNB_INSECURE=1 where the network itself is closed"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv6Address) and number.ipv4_mapped is not None:
        number = number.ipv4_mapped
    return number.is_loopback
