"""What it costs to simulate a plan: `python -m benchmarks.simulating`.

Tasks of a second on 8 workers. The plain site has nothing but calls; the shared one has a store of
10 MB/s, latencies, cold starts and too few CPUs, and each task returns 100 kB.
"""

from __future__ import annotations

import random
import time

from tests.forecasting import INSTANT, Fixed
from wfnb.forecast import Link, Site
from wfnb.graph import Function, Graph, TaskId
from wfnb.plan import Placement, Plan
from wfnb.simulator import makespan_of

REPEATS = 5
WORKERS = 8
BUDGET_SECONDS = {1_000: 0.06, 10_000: 1.0}
LINK = Link(
    up_latency_seconds=0.0005,
    up_bytes_per_second=1e9,
    down_latency_seconds=0.0005,
    down_bytes_per_second=3e8,
    dump_bytes_per_second=2e9,
    load_bytes_per_second=2e9,
)
SITES = {
    "plain": Site(link=INSTANT, workers=WORKERS),
    "shared": Site(
        link=LINK,
        store_bytes_per_second=1e7,
        hand_off_seconds=0.0003,
        warm_seconds=0.002,
        cold_seconds=1.0,
        workers=WORKERS,
        cpus=WORKERS / 2,
    ),
}


def wide(tasks: int) -> list[tuple[int, ...]]:
    return [()] * tasks


def chain(tasks: int) -> list[tuple[int, ...]]:
    return [(at - 1,) if at else () for at in range(tasks)]


def tree(tasks: int) -> list[tuple[int, ...]]:
    """Halves that are joined two by two."""
    leaves = (tasks + 1) // 2
    joins = [(2 * at, 2 * at + 1) for at in range(leaves - 1)]
    return [()] * leaves + joins


def drawn(tasks: int) -> list[tuple[int, ...]]:
    """Each reads up to three of the fifty before it."""
    choose = random.Random(1)
    return [
        tuple(choose.sample(range(max(0, at - 50), at), min(at, choose.randint(0, 3))))
        for at in range(tasks)
    ]


def graph_of(inputs: list[tuple[int, ...]]) -> Graph:
    ids = tuple(TaskId(f"f-{at}") for at in range(len(inputs)))
    return Graph(
        functions=(Function("f", len),),
        ids=ids,
        function_at=(0,) * len(ids),
        arguments_at=[()] * len(ids),
        inputs_at=tuple(inputs),
        targets=ids[-1:],
    )


def plan_of(graph: Graph, *, is_planned: bool) -> Plan:
    """In equal parts on named workers, or on any."""
    names = [f"worker-{at}" if is_planned else None for at in range(WORKERS)]
    places = [Placement(worker=name) for name in names]
    share = len(graph) / WORKERS
    return Plan(graph, {task: places[int(at / share)] for at, task in enumerate(graph)})


def seconds_of(plan: Plan, site: Site) -> float:
    """CPU seconds of the best of some, for the machine may be busy."""
    forecast = Fixed(graph=plan.graph, site=site, bytes=1e5)
    found = []
    for _ in range(REPEATS):
        start = time.process_time()
        makespan_of(plan, forecast)
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    print(f"{'shape':8}{'site':8}{'workers':10}" + "".join(f"{n:>12,}" for n in BUDGET_SECONDS))
    for shape in (wide, chain, tree, drawn):
        for name, site in SITES.items():
            for is_planned in (False, True):
                plans = [plan_of(graph_of(shape(n)), is_planned=is_planned) for n in BUDGET_SECONDS]
                took = [seconds_of(plan, site) for plan in plans]
                kind = "planned" if is_planned else "flexible"
                cells = "".join(f"{1000 * seconds:>9.0f} ms" for seconds in took)
                print(f"{shape.__name__:8}{name:8}{kind:10}{cells}")
    budgets = ", ".join(f"{n:,} tasks in {1000 * s:g} ms" for n, s in BUDGET_SECONDS.items())
    print(f"budgets: {budgets}")


if __name__ == "__main__":
    main()
