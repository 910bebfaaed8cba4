"""What a user acts on: one draft, one store, one backend, one planner. Magics and CLI call it."""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from wfnb.answers import Answer
from wfnb.backend import Backend, Connection
from wfnb.calibration import FirstLook
from wfnb.choices import BACKENDS, Choices, backend_of, choices_of, refuse_idle, refuse_nonsense
from wfnb.crews import CrewTable, crew_of
from wfnb.draft import Draft
from wfnb.listing import ReuseTable, RunTable, reuse_table, run_table, this_user
from wfnb.loads import Loads
from wfnb.plan import Plan
from wfnb.planners.terms import Terms
from wfnb.planning import Comparison, compare, graph_of, planned, predictor_of, with_outlook
from wfnb.runner import Run
from wfnb.runner import attach as attach_run
from wfnb.runner import start as start_run
from wfnb.signing import Signer, load_key
from wfnb.storage import RunId, Store
from wfnb.storage.address import parse
from wfnb.storage.stores import connect_store

POOL_SECONDS = 2.0
"""A pool that was started is there after so long; or else `Run.wait` looks after it."""


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


class Session:
    """Connects when something needs the store, not before."""

    def __init__(self, choices: Choices | None = None) -> None:
        self.draft = Draft()
        self.planner = "wukong"
        self.last: Run | None = None
        self.on_start: list[Callable[[Run, tuple[Any, ...]], None]] = []
        """Told of each run, and of what was asked for."""
        self._choices = choices or Choices()
        self._pool_due = 0.0
        self._store: Store | None = None
        self._signer: Signer | None = None
        self._backends: dict[tuple[str, str], Backend] = {}
        self._tell: Callable[[str], object] = _tell
        self._closing: list[Store | Backend | FirstLook] = []
        self.loads = Loads(lambda: self.store)
        """What the workers of its runs use."""

    def __repr__(self) -> str:
        return f"<session: {self.place}, backend {self._choices.backend}>"

    @property
    def address(self) -> str | None:
        """Of the store, as it was given; None for the private one."""
        return self._choices.store

    @property
    def place(self) -> str:
        """The store in words, its password hidden."""
        if self.address == "memory":
            return "store in memory"
        address = parse(self.address)
        return "private Redis" if address.is_embedded else f"Redis at {address.shown}"

    def connect(
        self, store: str | None = None, backend: str = "process", **options: Any
    ) -> Session:
        """Use this store and backend from now on; runs of before keep theirs.

        `options` are those of `wfnb.connect`. Raises StoreError if the store does not answer
        within 3 s.
        """
        return self.use(choices_of(store, backend, **options))

    def use(self, choices: Choices, *, tell: Callable[[str], object] = _tell) -> Session:
        """What `connect` does; `tell` hears how an image is built."""
        refuse_idle(choices)
        self._tell = tell
        self._open(choices)
        connection = self.connection()
        if not self._is_pool_coming(connection):
            connection.backend.serve()
        if self.address != "memory":
            place = connection.backend.ground.place
            self._closing.append(FirstLook(self.address, connection.signer, place=place))
        return self

    def close(self) -> None:
        """Close sockets. Workers and runs go on."""
        atexit.unregister(self.close)
        while self._closing:
            self._closing.pop().close()
        self._store, self._backends = None, {}

    def connection(self, backend: str | None = None, *, terms: str = "{}") -> Connection:
        """What runs are reached through; connects if nothing has yet. `terms` are the run's."""
        if self._store is None or self._signer is None:
            self._open(self._choices)
        store, signer = cast(Store, self._store), cast(Signer, self._signer)
        return Connection(store=store, backend=self._backend(backend, terms), signer=signer)

    @property
    def store(self) -> Store:
        return self.connection().store

    def plan(
        self,
        *targets: Any,
        planner: str | None = None,
        sla: str = "mean",
        backend: str | None = None,
    ) -> Plan:
        """Where each task would run, and once there is a connection what that would come to.

        Nothing runs. `sla` is how careful predictions are: mean, or a percentile of time: p90.
        """
        plan = self._planned(targets, planner, sla=sla, backend=backend)[0]
        _ = plan.outlook
        return plan

    def compare(self, *targets: Any, planners: Sequence[str] = (), sla: str = "mean") -> Comparison:
        """What all planners, or these, would make of it; nothing runs."""
        graph, _ = graph_of(targets or (list(self.draft.sinks),))
        return compare(graph, predictor_of(self.connection()), self._terms(sla), planners)

    def start(
        self,
        *targets: Any,
        planner: str | None = None,
        sla: str = "mean",
        backend: str | None = None,
        fresh: bool = False,
        tell: Callable[[str], None] = _tell,
    ) -> Run:
        """Plan, install what is required and not there, hand over to the workers, and return.

        With `fresh` nothing is reused that was computed before. `tell` hears of what is installed.
        Raises RequirementsError before anything is written.
        """
        is_first = self._store is None
        connection = self.connection(backend)
        plan, answer = self._planned(targets, planner, sla=sla, backend=backend)
        is_coming = self._is_pool_coming(connection)
        if is_first and not is_coming:
            connection.backend.serve()  # its pool starts while the graph is still being written
        plan = connection.backend.equip(
            plan, tell, workflow=self._choices.requirements, fresh=fresh
        )
        if planner is not None:
            _ = plan.outlook  # said before it runs, by what is known before it runs
        self.last = start_run(
            plan,
            connection,
            answer=answer,
            owner=this_user(),
            pool_is_coming=is_coming and plan.environments == ("",),
            fresh=fresh,
        )
        for told in self.on_start:
            told(self.last, targets)
        return self.last

    def _is_pool_coming(self, connection: Connection) -> bool:
        return time.monotonic() < self._pool_due and connection.backend.name == "process"

    def expect_pool(self) -> None:
        """A pool for what `connect` does by default was started a moment ago."""
        self._pool_due = time.monotonic() + POOL_SECONDS

    def run(self, *targets: Any, timeout: float | None = None, **how: Any) -> Any:
        """Plan, run, wait; the target's value, or the values of several in the form given.

        `how` is what `start` takes: planner, sla, backend, fresh.
        """
        return self.start(*targets, **how).result(timeout)

    def attach(self, run: str) -> Run:
        """Come back to a run, from any kernel; RunNotFoundError if it is gone."""
        about = self.store.snapshot(RunId(run)).about
        backend = about.get("backend")
        known = backend if backend in BACKENDS else None
        connection = self.connection(known, terms=about.get("terms", "{}"))
        self.last = attach_run(RunId(run), connection, answer=about.get("answer"))
        return self.last

    def runs(self) -> RunTable:
        """The runs that the store knows, the latest first."""
        return run_table(self.store)

    def crew(self, run: Run | None = None) -> CrewTable:
        """Who works on a run, or has, and what each uses now; of the last one if none is named."""
        run = run or self.last
        loads = self.loads.look(run.timeline.crew.labels.values()) if run else {}
        return crew_of(run.timeline, loads) if run else CrewTable()

    def reusable(self) -> ReuseTable:
        """What is kept for reuse, the last used first."""
        return reuse_table(self.store)

    def clear_reusable(self) -> int:
        """Drop all that is kept for reuse; how many values that were."""
        return self.store.forget_reusables()

    def export(self, path: str | os.PathLike[str], *targets: Any) -> Path:
        """Write the draft, or these, as the suffix says: script, WfFormat, Mermaid or picture."""
        thing = targets[0] if len(targets) == 1 else list(targets) if targets else self.draft
        written: Path = import_module("wfnb.exports").export(thing, path, draft=self.draft)
        return written

    def known_runs(self) -> list[str]:
        """Ids of runs, for completion; none before there is a connection."""
        return [] if self._store is None else [run for run, _ in self._store.runs()]

    def found(self) -> str:
        """What `connect` found, in a line."""
        runs = len(self.store.runs())
        known = "1 run" if runs == 1 else f"{runs:,} runs"
        return f"connected to {self.place}, backend {self._choices.backend}; {known} known"

    def show(self, thing: Any = None) -> None:
        """Draw a task, graph, plan, run or the draft: live in a notebook, elsewhere as text."""
        shell = _shell()
        if shell is not None:
            import_module("wfnb.panels").show(shell, self, thing)
            return
        shown: dict[str, str] = import_module("wfnb.panels").bundle_of(self, thing)
        sys.stdout.write(f"{shown['text/plain']}\n")

    def build(self) -> None:
        """A form to build tasks by hand, in a notebook."""
        import_module("wfnb.panels").build(_shell(), self)

    def _planned(
        self, targets: tuple[Any, ...], planner: str | None, *, sla: str, backend: str | None
    ) -> tuple[Plan, Answer]:
        """Without a connection nothing is predicted; nobody wants a plan to start a server."""
        is_connected = self._store is not None
        predictor = predictor_of(self.connection(backend)) if is_connected else None
        match targets or (list(self.draft.sinks),):
            case (Plan() as plan,):
                if predictor is not None and plan.foresight is None:
                    plan = with_outlook(plan, predictor, sla=sla)
                return plan, Answer.read(None, plan.graph)
            case asked_for:
                graph, answer = graph_of(asked_for)
        return planned(graph, planner or self.planner, self._terms(sla), predictor), answer

    def _terms(self, sla: str) -> Terms:
        choices = self._choices
        return Terms(default=choices.resources, configurations=choices.configurations, sla=sla)

    def _open(self, choices: Choices) -> None:
        refuse_nonsense(choices)
        signer = Signer(load_key(create=True))
        store = connect_store(choices.store)
        if not self._closing:
            atexit.register(self.close)
        self._closing.append(store)
        self._choices, self._store, self._signer, self._backends = choices, store, signer, {}

    def _backend(self, name: str | None, terms: str = "{}") -> Backend:
        name = name or self._choices.backend
        if (name, terms) not in self._backends:
            made = backend_of(
                self._choices,
                name,
                store=cast(Store, self._store),
                signer=cast(Signer, self._signer),
                tell=self._tell,
                terms=json.loads(terms),
            )
            self._backends[name, terms] = made
            self._closing.append(made)
        return self._backends[name, terms]


@cache
def default_session() -> Session:
    """The session that wfnb.run, the magics and the command line share."""
    return Session()


def _shell() -> Any:
    """The IPython that this runs in, if any, without importing it."""
    ipython = sys.modules.get("IPython")
    return ipython and ipython.get_ipython()
