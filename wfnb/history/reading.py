"""The history of a graph's functions, read in two round trips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wfnb.graph import Graph
from wfnb.resources import Resources
from wfnb.storage.history import Histories, Recorded
from wfnb.versions import Version, size_read, versions_of

DIRECTIONS = ("up", "down", "dump", "load", "hand-off")
_FEW = 8
"""Samples of a function as it is now: with fewer, those of before its last edit are a prior."""


class Past(NamedTuple):
    """What one call took, in a past run."""

    run: str
    weight: float
    """How many calls like it it stands for."""
    call_seconds: float
    at_seconds: float
    input_bytes: int
    """With what it was given beside outputs; given but numbers, the largest of them."""
    output_bytes: int
    cpu_seconds: float
    load_seconds: float
    save_seconds: float
    queue_seconds: float
    """In the hands of its worker, which was at other tasks."""
    is_cold: bool
    """The first call of this code in its process."""


class Move(NamedTuple):
    size_bytes: int
    seconds: float
    at_seconds: float
    is_calibration: bool = False


class Taken(NamedTuple):
    """What a function took with workers of one size."""

    resources: Resources
    past: Sequence[Past]
    """The latest first."""
    old: Mapping[int, float]
    is_prior: bool = False
    """Of the code as it was before it was edited."""


@dataclass(frozen=True, slots=True)
class History:
    """What there is to predict from."""

    functions: Mapping[int, Sequence[Taken]] = field(default_factory=dict)
    """By the function's position in the graph; nothing of those that never ran."""
    items: Mapping[int, Sequence[tuple[str, int]]] = field(default_factory=dict)
    """By the position of a map's function: run and how many items it had, the latest first."""
    moves: Mapping[str, Sequence[Move]] = field(default_factory=dict)
    """By direction."""


def history_of(store: Histories, graph: Graph, *, place: str) -> History:
    """`place` is where the workers are: "host" if they share files with the store, or "net"."""
    versions = versions_of(graph)
    families = [*dict.fromkeys(version.family for version in versions)]
    known = dict(zip(families, store.known_records(families), strict=True))
    wanted = {version: _wanted(version, known[version.family]) for version in versions}
    names = [*dict.fromkeys(name for some in wanted.values() for name in some)]
    moves = [f"move-{place}:{direction}" for direction in DIRECTIONS]
    found = dict(zip([*names, *moves], store.recorded([*names, *moves]), strict=True))
    functions, items = {}, {}
    for at, version in enumerate(versions):
        taken = _taken(version, [(name, found[name]) for name in wanted[version]])
        if taken:
            functions[at] = taken
        if counted := _items(found, wanted[version]):
            items[at] = counted
    return History(
        functions,
        items,
        {name: _moves(found[of]) for name, of in zip(DIRECTIONS, moves, strict=True)},
    )


def _wanted(version: Version, known: Mapping[str, float]) -> list[str]:
    """Names of the records of this code, and of the code that it was last edited from."""
    codes: dict[str, float] = {}
    for rest, used in known.items():
        code = rest.partition(":")[0]
        codes[code] = max(used, codes.get(code, 0.0))
    own = codes.pop(version.code, None)
    before = [max(codes, key=lambda code: (codes[code], code))] if codes else []
    wanted = [version.code, *before] if own is not None else before
    return [
        f"{version.family}:{rest}"
        for code in wanted
        for rest in sorted(known)
        if rest.partition(":")[0] == code
    ]


def _taken(version: Version, records: Sequence[tuple[str, Recorded]]) -> list[Taken]:
    found = []
    for name, recorded in records:
        _, code, size = name.split(":")
        if size != "items" and recorded.samples:
            past = [_past(sample) for sample in recorded.samples]
            cpus, memory_bytes = size_read(size)
            resources = Resources(cpus, memory_bytes or None)
            found.append(Taken(resources, past, recorded.old, code != version.code))
    own = sum(len(taken.past) for taken in found if not taken.is_prior)
    return [taken for taken in found if not taken.is_prior or own < _FEW]


def _items(found: Mapping[str, Recorded], names: Sequence[str]) -> list[tuple[str, int]]:
    """Those of the code as it is now stand first."""
    samples = [one for name in names if name.endswith(":items") for one in found[name].samples]
    return [(words[0], int(words[-1])) for words in map(str.split, samples)]


def _past(sample: str) -> Past:
    run, count, call, at, read, written, cpu, load, save, queue, cold = sample.split(" ")
    return Past(
        run,
        float(count),
        float(call),
        float(at),
        int(read),
        int(written),
        float(cpu),
        float(load),
        float(save),
        float(queue),
        cold == "1",
    )


def moves_of(store: Histories, place: str) -> dict[str, Sequence[Move]]:
    """What moving bytes took, by direction, with workers in such a place."""
    found = store.recorded([f"move-{place}:{direction}" for direction in DIRECTIONS])
    return {name: _moves(its) for name, its in zip(DIRECTIONS, found, strict=True)}


def _moves(recorded: Recorded) -> list[Move]:
    return [
        Move(int(size), float(seconds), float(at), group.startswith("k"))
        for group, _, seconds, at, size in map(str.split, recorded.samples)
    ]
