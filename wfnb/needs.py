"""Which tasks of a graph have to run when the values of some are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from wfnb.graph import Graph, Options


def options_of(graph: Graph, at: int) -> Options:
    """What the author of this task said; of a map, what holds for its items."""
    function = graph.maps[at].function if at in graph.maps else graph.function_at[at]
    return graph.functions[function].options


@dataclass(frozen=True, slots=True)
class Kept:
    """Under which fingerprints values are kept."""

    tasks: Mapping[int, str] = field(default_factory=dict)
    """By position."""
    items: Mapping[int, str] = field(default_factory=dict)
    """By the position of their map: of what they call, see provenance.fingerprint_of_item."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What becomes of each task of a graph, by positions in order."""

    run: tuple[int, ...]
    reused: tuple[int, ...]
    """Somebody reads what is known of them."""
    unneeded: tuple[int, ...]
    """Nobody reads them."""


def needs(graph: Graph, found: Collection[int]) -> Needs:
    """What to do for the targets, when the values of the tasks in `found` are known.

    Maps that follow each other item by item run all or none.
    """
    run, reused = set[int](), set[int]()
    to_see = [graph.position[target] for target in graph.targets]
    while to_see:
        at = to_see.pop()
        if at in run or at in reused:
            continue
        if at in found and at not in graph.maps_of:
            reused.add(at)
            continue
        run.add(at)
        to_see += graph.inputs_at[at]
        for gather in graph.maps_of.get(at, ()):
            reused.discard(gather)
            run.add(gather)
    unneeded = (at for at in range(len(graph)) if at not in run and at not in reused)
    return Needs(tuple(sorted(run)), tuple(sorted(reused)), tuple(unneeded))
