"""The predictor: what past runs on this store say about graphs that have not run yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from wfnb.forecast import Site
from wfnb.graph import Graph
from wfnb.history import History, Taken, history_of
from wfnb.predictions.functions import FunctionHistory
from wfnb.predictions.known import GUESSED_SECONDS, Known, is_own
from wfnb.predictions.links import site_of
from wfnb.predictions.sizes import Sizes, sizes_of
from wfnb.storage import Start
from wfnb.storage.history import Histories

_MOST_NAMED = 3


class Shelves(Histories, Protocol):
    """Where samples are kept, of calls and of starts."""

    def starts(self, pool: str) -> Sequence[Start]: ...


class Experience:
    """Reads what there is each time that it is asked: a few round trips for a whole graph."""

    def __init__(  # noqa: PLR0913  where the run will be
        self,
        store: Shelves,
        *,
        place: str = "host",
        pools: Sequence[str] = (),
        workers: int = 1,
        idle: int = 0,
        cpus: float = float("inf"),
    ) -> None:
        """`place` is "host" where workers share files with this host, else "net".

        `pools` are the launch lists that its workers are asked for on.
        """
        self._store = store
        self._place = place
        self._pools = pools
        self._workers = workers
        self._idle = idle
        self._cpus = cpus

    def forecast(self, graph: Graph, *, sla: str = "mean") -> Known:
        history = history_of(self._store, graph, place=self._place)
        starts = [start for pool in self._pools for start in self._store.starts(pool)]
        site = site_of(history.moves, starts, sla=sla, workers=self._workers)
        site = replace(site, idle=self._idle, cpus=self._cpus)
        return forecast_of(graph, history, site=site, sla=sla)


def forecast_of(graph: Graph, history: History, *, site: Site, sla: str = "mean") -> Known:
    functions = {
        at: FunctionHistory(taken, io=graph.functions[at].options.io)
        for at, taken in history.functions.items()
    }
    sizes = sizes_of(graph, functions, history.items)
    notes = _notes(graph, history.functions, sizes)
    return Known(graph, site, sla=sla, functions=functions, sizes=sizes, notes=notes)


def _notes(graph: Graph, taken: Mapping[int, Sequence[Taken]], sizes: Sizes) -> list[str]:
    functions = graph.functions
    users = [at for at, one in enumerate(functions) if not is_own(one)]
    unknown = [at for at in users if at not in taken]
    edited = [at for at in users if at in taken and all(its.is_prior for its in taken[at])]
    declared = [at for at in unknown if functions[at].options.duration_seconds is not None]
    nothing = [at for at in unknown if at not in declared]
    notes = []
    if declared:
        notes.append(f"{_named(graph, declared)}: never run, their declared durations are taken")
    if nothing:
        notes.append(f"{_named(graph, nothing)}: never run, a guess of {GUESSED_SECONDS:g} s each")
    if edited:
        notes.append(f"{_named(graph, edited)}: edited, and predicted from runs before that")
    if sizes.guessed:
        count = len(sizes.guessed)
        notes.append(f"how many items {count} of its maps will have is a guess")
    return notes


def _named(graph: Graph, functions: Sequence[int]) -> str:
    names = [*dict.fromkeys(graph.functions[at].name for at in functions)]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
