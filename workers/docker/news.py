"""What a fleet announces: that it serves its launch lists, with what, and what keeps it from it."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping

from wfnb.workers.docker.demand import Demand
from wfnb.workers.docker.kinds import launch_list
from wfnb.workers.docker.roster import Roster


def news(
    key: str, roster: Roster, demand: Demand, *, workers: int, now: float
) -> Mapping[str, Mapping[str, str]]:
    """Under the fleet's own key of everything, under each launch list of its kind alone."""
    of_all = {
        "entry": "fleet",
        "backend": "docker",
        "pid": str(os.getpid()),
        "host": platform.node(),
        "slots": str(workers),
        "environment": "",
        "hosts": str(sum(host.is_up for host in roster.hosts)),
        "beware": "; ".join(roster.bewares),
    }
    there = Counter(entry.kind for entry in roster.containers if entry.id)
    found = {key: (there.total(), demand.total, roster.outage(now))}
    for kind in demand.kinds:
        found[launch_list(key, kind)] = (
            there[kind],
            demand.waiting(kind),
            roster.trouble(kind, now),
        )
    return {
        name: of_all | {"containers": str(containers), "waiting": str(waiting), "trouble": trouble}
        for name, (containers, waiting, trouble) in found.items()
    }
