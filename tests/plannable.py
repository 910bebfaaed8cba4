"""Sixty graphs to plan: shapes, sizes of tasks, durations and bytes, and where they would run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.forecasting import INSTANT, Fixed, drawn
from wfnb.forecast import Link, Site
from wfnb.freezing import freeze
from wfnb.graph import Graph, Options
from wfnb.language import task
from wfnb.plan import Plan
from wfnb.planners import PLANNERS, planner_named
from wfnb.planners.terms import Terms
from wfnb.resources import Resources

LINK = Link(
    up_latency_seconds=0.002,
    up_bytes_per_second=2e8,
    down_latency_seconds=0.001,
    down_bytes_per_second=1e8,
    dump_bytes_per_second=1e9,
    load_bytes_per_second=1e9,
)
SITE = Site(
    link=LINK,
    store_bytes_per_second=1.5e8,
    hand_off_seconds=0.001,
    warm_seconds=0.01,
    cold_seconds=0.5,
    workers=4,
    idle=2,
)
BIG, SMALL, GPU = Resources(cpus=4, memory="8GB"), Resources(memory="1GB"), Resources(cpus=8)
Said = float | Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A graph, what is expected of it, and what a planner may choose."""

    graph: Graph
    site: Site = SITE
    seconds: Said = field(default_factory=lambda: {"a": 1.0, "b": 0.3, "c": 2.5})
    bytes: Said = field(default_factory=lambda: {"a": 1e6, "b": 3e7})
    counts: int = 3
    terms: Terms = field(default_factory=lambda: Terms(budget_seconds=0.002))

    def forecast(self, graph: Graph, *, sla: str = "mean") -> Fixed:
        """As a predictor it says the same at every level of caution."""
        return Fixed(
            graph=graph,
            site=self.site,
            seconds=self.seconds,
            bytes=self.bytes,
            counts=self.counts,
            scales=True,
            sla=sla,
        )

    def among(self, *sizes: Resources) -> Case:
        return replace(self, terms=replace(self.terms, configurations=sizes))

    def at(self, **words: Any) -> Case:
        return replace(self, site=replace(self.site, **words))


@task
def split() -> Any: ...


@task
def score(one: Any, *more: Any) -> Any: ...


@task(resources=BIG)
def train(one: Any) -> Any: ...


@task
def total(*everything: Any) -> Any: ...


def sized(inputs: Mapping[str, str], **sizes: Resources) -> Graph:
    """Functions of these names declare that they need so much."""
    graph = drawn(inputs)
    functions = tuple(
        replace(one, options=Options(resources=sizes[one.name])) if one.name in sizes else one
        for one in graph.functions
    )
    return replace(graph, functions=functions)


def chain(length: int, names: str = "abc") -> dict[str, str]:
    made = [f"{names[n % len(names)]}-{n}" for n in range(length)]
    return {name: made[n - 1] if n else "" for n, name in enumerate(made)}


def fan_out(width: int) -> dict[str, str]:
    return {"a-0": ""} | {f"{'bc'[n % 2]}-{n}": "a-0" for n in range(width)}


def fan_in(width: int) -> dict[str, str]:
    made = {f"{'ab'[n % 2]}-{n}": "" for n in range(width)}
    return made | {"c-0": " ".join(made)}


def tree(leaves: int) -> dict[str, str]:
    made = {f"a-{n}": "" for n in range(leaves)}
    level, count = list(made), 0
    while len(level) > 1:
        above = []
        for at in range(0, len(level), 2):
            name, count = f"b-{count}", count + 1
            made[name] = " ".join(level[at : at + 2])
            above.append(name)
        level = above
    return made


def diamonds(count: int) -> dict[str, str]:
    made, last = {"a-0": ""}, "a-0"
    for n in range(1, count + 1):
        made |= {f"b-{n}": last, f"c-{n}": last, f"a-{n}": f"b-{n} c-{n}"}
        last = f"a-{n}"
    return made


def layers(width: int, depth: int) -> dict[str, str]:
    made, level = {}, list[str]()
    for row in range(depth):
        names = [f"{'abc'[row % 3]}-{row}.{n}" for n in range(width)]
        made |= dict.fromkeys(names, " ".join(level))
        level = names
    return made


def drawn_at_random(count: int, seed: int, most: int = 3) -> dict[str, str]:
    random, made = Random(seed), dict[str, str]()
    for n in range(count):
        known = list(made)[-12:]
        reads = random.sample(known, min(len(known), random.randrange(most + 1)))
        made[f"{random.choice('abc')}-{n}"] = " ".join(reads)
    return made


def ladder(rungs: int) -> dict[str, str]:
    made = {"a-0": "", "b-0": ""}
    for n in range(1, rungs):
        made |= {f"a-{n}": f"a-{n - 1} b-{n - 1}", f"b-{n}": f"b-{n - 1}"}
    return made


def forest(count: int) -> dict[str, str]:
    """Parts that have nothing to do with each other, of different shapes."""
    made = dict[str, str]()
    for part in range(count):
        inner = [chain(4), fan_out(5), fan_in(5), diamonds(2)][part % 4]
        names = {name: f"{name}.{part}" for name in inner}
        for name, reads in inner.items():
            made[names[name]] = " ".join(names[read] for read in reads.split())
    return made


def _shapes() -> dict[str, Case]:
    shapes = {"nothing": {}, "one": {"a": ""}, "two": {"a": "", "b": ""}}
    shapes |= {f"chain of {n}": chain(n) for n in (2, 3, 40)}
    shapes |= {f"fan-out to {n}": fan_out(n) for n in (2, 9, 100)}
    shapes |= {f"fan-in of {n}": fan_in(n) for n in (2, 9, 100)}
    shapes |= {f"tree of {n} leaves": tree(n) for n in (3, 16, 33)}
    shapes |= {f"{n} diamonds": diamonds(n) for n in (1, 6)}
    shapes |= {f"{d} layers of {w}": layers(w, d) for w, d in ((2, 8), (5, 4), (12, 2))}
    shapes |= {f"ladder of {n}": ladder(n) for n in (3, 20)}
    shapes |= {f"{n} parts": forest(n) for n in (2, 7)}
    shapes |= {f"random {seed}": drawn_at_random(45, seed) for seed in range(6)}
    shapes |= {"random and dense": drawn_at_random(30, 9, most=8)}
    shapes |= {"read twice": {"a": "", "b": "a a", "c": "b a b"}}
    return {name: Case(graph=drawn(inputs)) for name, inputs in shapes.items()}


def _elsewhere() -> dict[str, Case]:
    """Few shapes, each with something special about time, bytes or place."""
    mixed = Case(graph=drawn(drawn_at_random(30, 3)))
    wide = Case(graph=drawn(fan_out(20)))
    return {
        "no time": replace(mixed, seconds=0.0),
        "no time and no bytes": replace(mixed, seconds=0.0, bytes=0.0),
        "no time anywhere": replace(mixed, seconds=0.0, bytes=0.0, site=Site(link=INSTANT)),
        "some of no time": replace(mixed, seconds={"a": 0.0, "b": 1.0, "c": 1e-6}),
        "huge bytes": replace(mixed, bytes=1e12),
        "very short tasks": replace(mixed, seconds=1e-5, bytes=10.0),
        "very long tasks": replace(mixed, seconds=1e6),
        "one worker": mixed.at(workers=1, idle=0),
        "none idle": mixed.at(idle=0),
        "all idle": mixed.at(idle=4),
        "more workers than tasks": mixed.at(workers=50, idle=50),
        "more workers than may be named": wide.at(workers=1000, idle=3),
        "few CPUs": mixed.at(cpus=2.0),
        "starts that take long": wide.at(cold_seconds=60.0, idle=0),
        "a slow store": mixed.at(store_bytes_per_second=1e6),
        "so many workers": replace(mixed, terms=Terms(workers=2, budget_seconds=0.002)),
        "no time to search": replace(mixed, terms=Terms(budget_seconds=0.0)),
    }


def _with_sizes() -> dict[str, Case]:
    mixed = drawn_at_random(30, 4)
    every = {"a": SMALL, "b": BIG, "c": GPU}
    return {
        "one declares": Case(graph=sized(mixed, b=BIG)),
        "all declare": Case(graph=sized(mixed, **every)),
        "a chain of sizes": Case(graph=sized(chain(9), **every)),
        "sizes in layers": Case(graph=sized(layers(4, 5), **every)),
        "two to choose from": Case(graph=drawn(mixed)).among(SMALL, BIG),
        "three to choose from": Case(graph=drawn(fan_in(12))).among(SMALL, BIG, GPU),
        "to choose and declared": Case(graph=sized(mixed, c=GPU)).among(SMALL, BIG),
        "one worker, many sizes": Case(graph=sized(mixed, **every)).at(workers=1, idle=0),
    }


def _with_maps() -> dict[str, Case]:
    plain = Case(graph=freeze([total(score.map(split()))]))
    return {
        "a map": plain,
        "a map of nothing": replace(plain, counts=0),
        "a map of many": replace(plain, counts=60),
        "a map as expected": Case(graph=freeze([total(score.map(split(), expected=7))])),
        "a map of a map": Case(graph=freeze([total(score.map(score.map(split())))])),
        "two maps": Case(graph=freeze([total(score.map(split()), train.map(split()))])),
        "a map of larger tasks": Case(graph=freeze([total(train.map(split()), score(split()))])),
        "maps among sizes": replace(plain, seconds=2.0).among(SMALL, BIG),
        "a map beside tasks": Case(
            graph=freeze([total(score.map(split()), *[score(split()) for _ in range(6)])])
        ),
    }


CASES = _shapes() | _elsewhere() | _with_sizes() | _with_maps()
SEVERAL = ("4 layers of 5", "random 1", "all declare", "three to choose from", "a map beside tasks")


def planned(name: str, case: Case) -> Plan:
    return planner_named(name, case.terms).plan(case.graph, case)


def digest() -> str:
    """Of all planners' plans for several cases: another one if any of them differs."""
    told = [
        (sorted(plan.placements.items()), plan.order)
        for case in SEVERAL
        for name in sorted(PLANNERS)
        for plan in [planned(name, CASES[case])]
    ]
    return hashlib.sha256(repr(told).encode()).hexdigest()
