"""`python -m wfnb.workers pool | worker`: what the process backend starts, or a person does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from wfnb.errors import WfnbError
from wfnb.workers.host import Host
from wfnb.workers.pool import PoolTerms, keep_pool
from wfnb.workers.process import cpus, pool_key


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    terms = PoolTerms(
        store_url=given.store,
        pool=given.pool or pool_key(given.store, given.environment),
        slots=given.slots if given.what == "pool" else 1,
        idle_seconds=given.idle_seconds,
        is_shared=given.what == "pool",
        environment=given.environment,
    )
    try:
        return keep_pool(terms, Host(terms))
    except WfnbError as error:
        sys.stderr.write(f"wfnb: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m wfnb.workers", description=__doc__)
    parser.add_argument("what", choices=("pool", "worker"), help="all slots of this host, or one")
    parser.add_argument(
        "--store",
        default=os.environ.get("WFNB_STORE", "embedded"),
        help="its address; $WFNB_STORE hides a password better than an argument",
    )
    parser.add_argument("--pool", help="the launch list to serve, if not this host's own")
    parser.add_argument("--environment", default="", help="name of the packages to put first")
    parser.add_argument("--slots", type=int, default=cpus(), help="workers to start")
    parser.add_argument("--idle-seconds", type=float, default=600.0, help="go after so long unused")
    return parser


if __name__ == "__main__":
    sys.exit(main())
