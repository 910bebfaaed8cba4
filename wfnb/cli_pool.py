"""The command `wfnb pool`: list and stop what serves runs on this host, or be it in a terminal."""

from __future__ import annotations

import argparse
import os
import signal
import socket
from collections.abc import Callable, Mapping

from wfnb.commands import add_choices, choices_of
from wfnb.crews import megabytes
from wfnb.errors import BackendError
from wfnb.listing import sparse_table
from wfnb.loads import Load, told_loads
from wfnb.session import Session
from wfnb.workers.hostpool import HostPool

Announced = Mapping[str, Mapping[str, str]]
_POOLS = ("host", "pid", "slots", "containers", "environment", "trouble")
_CONTAINERS = ("container", "image", "cpus", "CPU %", "memory MB", "limit MB", "state")


def add_pool_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "list, stop or be a pool of workers"
    verbs = commands.add_parser("pool", help=text, description=text).add_subparsers(
        required=True, metavar="VERB"
    )
    _verb(verbs, "list", _list, "the pools that serve a store, and their containers")
    _verb(verbs, "stop", _stop, "stop those of this host, their workers and containers")
    run = _verb(verbs, "run", _run, "be the pool, in this terminal, until Ctrl-C")
    add_choices(run)


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    act: Callable[[Session, argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--store", help="redis://..., unix://...; none: the private Redis")
    parser.set_defaults(act=act)
    return parser


def _list(session: Session, asked: argparse.Namespace) -> int:
    announced = session.store.pools()
    pools, containers = pools_of(announced), told_loads(announced)
    if not pools:
        print("no pool is alive")
    else:
        print(sparse_table(("pool", *_POOLS), [_pool_row(*pool) for pool in pools.items()]))
    if containers:
        print(f"\n{sparse_table(_CONTAINERS, [_row(load) for load in containers.values()])}")
    return 0


def _stop(session: Session, asked: argparse.Namespace) -> int:
    pools = pools_of(session.store.pools())
    if not pools:
        print("no pool is alive")
    for name, about in pools.items():
        if about.get("host") != socket.gethostname():
            print(f"{name} is on host {about.get('host')}: stop it there")
        else:
            os.kill(int(about["pid"]), signal.SIGTERM)
            print(f"{name} told to stop")
    return 0


def _run(session: Session, asked: argparse.Namespace) -> int:
    session = Session(choices_of(asked))
    try:
        pool = _hosted(session)
    finally:
        session.close()
    if pool.pid is not None:
        raise BackendError(f"{pool.key} is there already, as process {pool.pid}: `wfnb pool stop`")
    print(f"{pool.key} serves, until Ctrl-C", flush=True)
    pool.become()


def pools_of(announced: Announced) -> dict[str, Mapping[str, str]]:
    """Pools and fleets; not the launch lists of a fleet, nor its containers."""
    return {
        name: about
        for name, about in announced.items()
        if about.get("entry") != "container" and "/" not in name
    }


def _hosted(session: Session) -> HostPool:
    backend = session.connection().backend
    pool: HostPool | None = getattr(backend, "host_pool", None)
    if pool is None:
        raise BackendError(f"backend {backend.name!r} has no pool: say --backend process or docker")
    return pool


def _pool_row(name: str, about: Mapping[str, str]) -> list[str]:
    return [name, *(about.get(heading, "") for heading in _POOLS)]


def _row(load: Load) -> list[str]:
    numbers = (load.cpus, load.cpu_percent)
    shown = ["" if number is None else f"{number:g}" for number in numbers]
    sizes = [megabytes(load.memory_bytes), megabytes(load.limit_bytes)]
    return [load.container, load.image, *shown, *sizes, load.state]
