"""The peers' Redis floor with the append-only file on, as wfnb has it (runs in their `base` venv).

`python -m benchmarks.floor_aof redis_floor_aof ...` is their `run_peer.py` with another server.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import partial
from typing import Any

AOF = ("--appendonly", "yes", "--appendfsync", "everysec")


def main() -> int:
    name = sys.argv[1]
    local_redis: Any = importlib.import_module("local_redis")
    local_redis.LocalRedis = partial(local_redis.LocalRedis, extra=AOF)
    adapters: Any = importlib.import_module("adapters")
    adapters.PEERS[name] = adapters.PEERS[name.removesuffix("_aof")]
    run_peer: Any = importlib.import_module("run_peer")
    return int(run_peer.main())


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
