"""Before a run: every task's requirements are installed, and the plan says where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from wfnb import installed
from wfnb.environments import environment_of, prepare
from wfnb.errors import BackendError, OptionError, PlanError
from wfnb.graph import TaskId
from wfnb.installer import Tell
from wfnb.plan import Placement, Plan
from wfnb.requirements import applies, combined, conflict_of, requirements_of, united

Sets = dict[tuple[int, str | None], tuple[str, ...]]
"""What each function needs on each named worker that has it, and on any other; {} for nothing."""


class Furnish(Protocol):
    """Puts packages where workers find them: into a folder of this host, or a layer of an image."""

    def __call__(
        self, requirements: tuple[str, ...], tell: Tell, *, wanted_by: str, fresh: bool
    ) -> str:
        """The environment's name; "" where all is there anyway. Raises RequirementsError."""
        ...


def into_folder(requirements: tuple[str, ...], tell: Tell, *, wanted_by: str, fresh: bool) -> str:
    """What the kernel lacks, on this host."""
    environment = environment_of(requirements)
    if environment is None:
        return ""
    prepare(environment, tell, wanted_by=wanted_by, fresh=fresh)
    return environment.name


def prepare_all(
    plan: Plan,
    tell: Tell,
    *,
    workflow: str | Iterable[str] = (),
    fresh: bool = False,
    furnish: Furnish = into_folder,
) -> Plan:
    """Install what the plan's tasks require and workers lack; the plan with environments.

    `workflow` are requirements of every task, unless it has its own of that name. A named worker
    has all that its tasks require. Raises PlanError for tasks that cannot share their worker, and
    RequirementsError.
    """
    sets = _sets(plan, requirements_of(workflow))
    if not sets:
        return plan
    names = {
        requirements: furnish(requirements, tell, wanted_by=_who(plan, tasks), fresh=fresh)
        for requirements, tasks in _wanted(plan, sets).items()
    }
    return _equipped(plan, sets, names)


def refuse_missing(plan: Plan, *, workflow: str | Iterable[str] = ()) -> None:
    """For backends that run tasks in this very process: BackendError names task and requirement."""
    sets = _sets(plan, requirements_of(workflow))
    for requirements, tasks in _wanted(plan, sets).items():
        absent = installed.missing(text for text in requirements if applies(text))
        if absent:
            raise BackendError(
                f"{_who(plan, tasks)} cannot have {', '.join(absent)} here, where tasks run in the "
                "kernel itself: requirements need backend='process', or `pip install "
                f"{' '.join(repr(text) for text in absent)}`"
            )


def _sets(plan: Plan, workflow: Sequence[str]) -> Sets:
    """What each function's tasks need; together for all that are on one named worker."""
    # Once more, for graphs that no @task made.
    wanted = [requirements_of(function.options.requirements) for function in plan.graph.functions]
    own = [combined(workflow, requirements) for requirements in wanted]
    found: Sets = {(at, None): requirements for at, requirements in enumerate(own)}
    if not any(own):
        return {}
    crew: dict[str, dict[int, TaskId]] = {}
    for task, at in zip(plan.graph, plan.graph.function_at, strict=True):
        worker = plan.placements[task].worker
        if worker is not None:
            crew.setdefault(worker, {}).setdefault(at, task)
    for worker, tasks in crew.items():
        together = _together(worker, {tasks[at]: own[at] for at in tasks})
        found.update({(at, worker): together for at in tasks})
    return found


def _together(worker: str, needs: Mapping[TaskId, tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return united(needs.values())
    except OptionError:
        texts = conflict_of(sorted({text for some in needs.values() for text in some}))
        shown = " and ".join(
            f"{next(task for task, some in needs.items() if text in some)} needing {text}"
            for text in texts
        )
        raise PlanError(f"worker {worker} has {shown}: put them on different workers") from None


def _wanted(plan: Plan, sets: Sets) -> Mapping[tuple[str, ...], Sequence[TaskId]]:
    found: dict[tuple[str, ...], list[TaskId]] = {}
    if not sets:
        return found
    for task, at in zip(plan.graph, plan.graph.function_at, strict=True):
        requirements = sets[at, plan.placements[task].worker]
        if requirements:
            found.setdefault(requirements, []).append(task)
    return found


def _equipped(
    plan: Plan,
    sets: Sets,
    names: Mapping[tuple[str, ...], str],
) -> Plan:
    """Tasks that shared a placement still do, or the plan would be long in the store."""
    known: dict[tuple[int, str], Placement] = {}
    placements = {}
    for task, at in zip(plan.graph, plan.graph.function_at, strict=True):
        place = plan.placements[task]
        name = names.get(sets[at, place.worker], "")
        key = (id(place), name)
        if key not in known:
            known[key] = replace(place, environment=name)
        placements[task] = known[key]
    return replace(plan, placements=placements)


def _who(plan: Plan, tasks: Sequence[TaskId]) -> str:
    workers = _unique(plan.placements[task].worker for task in tasks)
    rest = len(tasks) - 1
    shown = tasks[0] if not rest else f"{tasks[0]} and {rest} more task{'s' * (rest > 1)}"
    return f"{shown} (worker {workers[0]})" if workers else str(shown)


def _unique(workers: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(worker for worker in workers if worker is not None))
