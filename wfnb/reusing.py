"""What a run need not compute, since an earlier one did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wfnb.graph import Graph, TaskId
from wfnb.needs import Kept, Needs, needs, options_of
from wfnb.provenance import all_fingerprints
from wfnb.signing import Signer
from wfnb.storage import RunId, Store
from wfnb.storage.graphs import loaded
from wfnb.storage.reuse import kept_as, own_fingerprint, reused_result


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a graph's values before it runs."""

    kept: Kept = field(default_factory=Kept)
    """What is to be kept of the others."""
    needs: Needs | None = None
    """None if everything has to run."""
    results: Mapping[TaskId, bytes] = field(default_factory=dict)
    """Of the tasks that are reused; b"" of those whose value nobody needs."""


def known_values(
    graph: Graph, store: Store, signer: Signer, run: RunId, *, fresh: bool = False
) -> Known:
    """Look up what tasks may reuse; with `fresh`, only what their values will be kept under."""
    if not any(function.options.reuse for function in graph.functions):
        return Known()
    of_tasks, of_items = all_fingerprints(graph, loaded=loaded)
    prints = {
        at: own_fingerprint(signer, found)
        for at, found in enumerate(of_tasks)
        if found is not None and at not in graph.maps_of and options_of(graph, at).reuse
    }
    items = {
        at: own_fingerprint(signer, found)
        for at, found in of_items.items()
        if options_of(graph, at).reuse
    }
    kept = Kept(prints, items)
    found = {} if fresh else store.find_reusables(list(dict.fromkeys(prints.values())))
    there = {at for at, name in prints.items() if name in found and kept_as(found[name]) == name}
    if not there:
        return Known(kept)
    to_do = needs(graph, there)
    results = {
        graph.ids[at]: reused_result(found[prints[at]], signer=signer, run=run, task=graph.ids[at])
        for at in to_do.reused
    }
    idle = dict.fromkeys([graph.ids[at] for at in to_do.unneeded], b"")
    return Known(kept, to_do, results | idle)
