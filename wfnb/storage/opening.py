"""What a run is opened with, or resumed from, worked out from its plan."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace

from wfnb.errors import SignatureError
from wfnb.graph import Graph, Options, TaskId
from wfnb.needs import Kept
from wfnb.plan import Placement, Plan, with_more_memory
from wfnb.resources import Resources
from wfnb.signing import Signer
from wfnb.storage import Runs
from wfnb.storage.graphs import Stored, dump_graph, load_graph
from wfnb.storage.records import Lane, Opening, Policy, RunId, Seed
from wfnb.versions import learning_of


def opening_of(  # noqa: PLR0913  a run is opened with all of this
    plan: Plan,
    lanes: Mapping[str, Lane],
    *,
    run: RunId,
    signer: Signer,
    about: Mapping[str, str],
    keep_seconds: int,
    kept: Kept | None = None,
    reused: Mapping[TaskId, bytes] | None = None,
    sees_files: bool = True,
    upload: str = "completion",
) -> Opening:
    """Raises SerialisationError, naming task and variable, before anything is written."""
    graph, queue_at = plan.graph, plan.queue_at
    dumped = dump_graph(
        graph,
        signer,
        run,
        queue_at=queue_at if len(lanes) > 1 else None,
        order_at=plan.order if plan.workers else None,
        kept=kept,
        learning=learning_of(graph, plan.sizes, upload=upload),
        sees_files=sees_files,
    )
    queue, queues = _queues(plan, lanes)
    return Opening(
        run=run,
        graph=dumped.graph,
        plan=dump_plan(plan, signer, run),
        seed=_seed(plan, reused or {}),
        queue=queue,
        queues=queues,
        lanes=lanes,
        policies=_policies(plan, lanes),
        constants=dumped.constants,
        about=about,
        tasks=len(graph),
        keep_seconds=keep_seconds,
    )


def _queues(plan: Plan, lanes: Mapping[str, Lane]) -> tuple[str, dict[TaskId, str]]:
    """That of most tasks, and that of each other one."""
    queue_at = plan.queue_at
    queue = Counter(queue_at).most_common(1)[0][0] if queue_at else next(iter(lanes), "")
    return queue, {task: q for task, q in zip(plan.graph, queue_at, strict=True) if q != queue}


def _seed(plan: Plan, reused: Mapping[TaskId, bytes]) -> Seed:
    """Tasks that are reused are done before the first one runs."""
    graph, queue_at = plan.graph, plan.queue_at
    idle = {graph.position[task] for task in reused}
    ready: dict[str, list[TaskId]] = {}
    missing: dict[TaskId, int] = {}
    for at, (task, inputs) in enumerate(zip(graph, graph.inputs_at, strict=True)):
        if at in idle:
            continue
        left = sum(read not in idle for read in inputs) if idle else len(inputs)
        if not left:
            ready.setdefault(queue_at[at], []).append(task)
        elif left > 1:
            missing[task] = left
    return Seed(ready=plan.in_turn(ready), missing=missing, done=len(idle), reused=reused)


def dump_plan(plan: Plan, signer: Signer, run: RunId) -> bytes:
    """Data only: a plan is read by people's tools too, so nothing in it needs unpickling."""
    kinds: dict[int, Placement] = {}
    places = []
    for task in plan.graph:
        placement = plan.placements[task]
        kinds.setdefault(id(placement), placement)
        places.append(id(placement))
    number = {kind: at for at, kind in enumerate(kinds)}
    words = {
        "planner": plan.planner,
        "notes": plan.notes,
        "order": plan.order,
        "kinds": [asdict(kind) for kind in kinds.values()],
        "placements": [number[place] for place in places] if len(kinds) > 1 else [],
    }
    return signer.seal(json.dumps(words).encode(), f"plan:{run}")


def load_plan(blob: bytes, graph: Graph, signer: Signer, run: RunId) -> Plan:
    words = json.loads(bytes(signer.open(blob, f"plan:{run}")))
    kinds = [
        Placement(**kind | {"resources": Resources(**kind["resources"])}) for kind in words["kinds"]
    ]
    places = words["placements"] or [0] * len(graph)
    placements = {task: kinds[place] for task, place in zip(graph, places, strict=True)}
    order = words.get("order")
    return Plan(
        graph,
        placements,
        words["planner"],
        tuple(words["notes"]),
        order=None if order is None else tuple(order),
    )


def stored_graph(store: Runs, signer: Signer, run: RunId, *, blob: bytes = b"") -> Stored:
    """The graph of a run; `blob`, if it came along. Raises SignatureError naming both keys."""
    blob = blob or store.graph(run)
    try:
        return load_graph(blob, signer, run)
    except SignatureError as error:
        theirs = dict(store.runs()).get(run, {}).get("key", "unknown")
        if theirs == signer.fingerprint:
            raise
        raise SignatureError(
            f"{run} was not written with this key: its own is {theirs}, the one here is "
            f"{signer.fingerprint}; give every host and process the same key file ($WFNB_KEY_FILE)"
        ) from error


def _policies(plan: Plan, lanes: Mapping[str, Lane]) -> dict[TaskId, Policy]:
    """An item's are its map's."""
    graph, found = plan.graph, {}
    by_function = [_policy(function.options) for function in graph.functions]
    if not any(by_function):
        return {}
    for at, task in enumerate(graph):
        function = graph.maps[at].function if at in graph.maps else graph.function_at[at]
        policy = by_function[function]
        if policy is None:
            continue
        more = with_more_memory(plan.placements[task], graph.functions[function].options)
        if more is not None and more.queue in lanes:
            policy = replace(policy, more=more.queue)
        found[task] = policy
    return found


def _policy(options: Options) -> Policy | None:
    """None for one that says nothing."""
    policy = Policy(
        retries=options.retries,
        retry_delay_seconds=options.retry_delay_seconds,
        on_worker_lost=options.on_worker_lost,
    )
    return None if policy == Policy() and options.more_memory is None else policy
