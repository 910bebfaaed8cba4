"""How a container gets to the store, and to nothing else where that can be had."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from wfnb.errors import BackendError
from wfnb.storage import embedded
from wfnb.storage.address import Address, parse

STORE_FOLDER = "/run/wfnb/store"
TLS_FOLDER = "/run/wfnb/tls"
NETWORK = "wfnb"
SUBNET = "10.87.98.0/24"
GATEWAY = "10.87.98.1"
"""Where a Redis of the user's may listen, for containers that reach nothing else."""
OPEN_NETWORK = "bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a container is given so that it reaches the store."""

    url: str = field(repr=False)
    network: str = "none"
    mounts: tuple[tuple[str, str], ...] = ()
    """Of this host -> in the container, to read only."""
    beware: str = ""
    """What cannot be kept from it, to be said once."""


def way_to(
    url: str, *, is_near: bool, gateways: Mapping[str, str], is_open: bool, daemon: str
) -> Way:
    """For containers of a daemon, which is on this host or is not.

    `gateways` are those of its internal networks, by address. `is_open` asks for more than the
    store. Raises BackendError where no way leads there.
    """
    place = parse(url)
    if place.is_embedded or place.scheme == "unix":
        _refuse_far_socket(place, is_near=is_near, daemon=daemon)
        place = parse(embedded.ensure().worker_url) if place.is_embedded else place
        return _through_socket(place, OPEN_NETWORK if is_open else "none")
    if place.is_local:
        raise BackendError(
            f"the store at {place.shown} listens on this machine's own address only, where no "
            'container gets to: use the private store ("embedded"), or let Redis listen for '
            f"containers alone: `docker network create --internal --subnet {SUBNET} {NETWORK}`, "
            f"`bind 127.0.0.1 {GATEWAY}` and a password in redis.conf, and connect to "
            f"redis://:password@{GATEWAY}:{place.port}"
        )
    return _through_network(place, gateways, is_near=is_near, is_open=is_open, daemon=daemon)


def wants_our_network(url: str, gateways: Mapping[str, str]) -> bool:
    place = parse(url)
    return place.host == GATEWAY and GATEWAY not in gateways


def _refuse_far_socket(place: Address, *, is_near: bool, daemon: str) -> None:
    if not is_near:
        which = "the private store" if place.is_embedded else f"the store at {place.shown}"
        raise BackendError(
            f"{which} is a socket of this machine, and containers of {daemon} are not on it: "
            "connect to a Redis that both reach, redis://:password@host:6379"
        )


def _through_socket(place: Address, network: str) -> Way:
    socket = Path(place.path)
    _refuse_closed(socket)
    words = [("db", str(place.db))] if place.db else []
    user = f"{quote(place.username or '', safe='')}:{quote(place.password or '', safe='')}@"
    inside = f"unix://{user if place.password else ''}{STORE_FOLDER}/{quote(socket.name)}"
    return Way(
        url=f"{inside}?{urlencode(words)}" if words else inside,
        network=network,
        mounts=((str(socket.parent), STORE_FOLDER),),
    )


def _refuse_closed(socket: Path) -> None:
    """Workers in containers are nobody: all may go through the folder and write to the socket."""
    try:
        folder_mode, socket_mode = socket.parent.stat().st_mode, socket.stat().st_mode
    except OSError as error:
        raise BackendError(f"the store's socket {socket}: {error.strerror}") from error
    if folder_mode & stat.S_IXOTH and socket_mode & stat.S_IWOTH:
        return
    raise BackendError(
        f"no container may use the store's socket {socket}: put it in a folder of its own that all "
        "may enter (chmod 711; a folder above it that is yours alone keeps others out), with "
        'unixsocketperm 777 in redis.conf; or use the private store ("embedded")'
    )


def _through_network(
    place: Address, gateways: Mapping[str, str], *, is_near: bool, is_open: bool, daemon: str
) -> Way:
    url, mounts = _with_certificates(place, is_near=is_near, daemon=daemon)
    internal = gateways.get(_numeric(place.host))
    if internal is not None and not is_open:
        return Way(url=url, network=internal, mounts=mounts)
    beware = (
        f"containers of {daemon} reach the store at {place.host} through Docker's open network, so "
        "tasks there reach whatever this network does"
    )
    return Way(url=url, network=OPEN_NETWORK, mounts=mounts, beware="" if is_open else beware)


def _with_certificates(
    place: Address, *, is_near: bool, daemon: str
) -> tuple[str, tuple[tuple[str, str], ...]]:
    if not place.tls_files:
        return place.url, ()
    mounts = []
    parts = urlsplit(place.url)
    words = dict(parse_qsl(parts.query))
    for option, path in place.tls_files:
        file = Path(path)
        if not is_near or not file.is_file() or not file.stat().st_mode & stat.S_IROTH:
            raise BackendError(
                f"containers of {daemon} cannot read {path} ({option}): it has to be on the "
                "daemon's machine, readable by all; or give the store a certificate that the "
                "image's own authorities vouch for"
            )
        words[option] = f"{TLS_FOLDER}/{option}"
        mounts.append((str(file.resolve()), words[option]))
    return parts._replace(query=urlencode(words)).geturl(), tuple(mounts)


def _numeric(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host
