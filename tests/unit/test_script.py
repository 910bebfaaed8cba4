"""What a worker does, step by step, on the store in memory; and what if it stops anywhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.stoppable import RUN, Flow, World, at_random
from wfnb.batch import MOST_FINISHED, SHORT_SECONDS
from wfnb.graph import Options
from wfnb.resources import Resources
from wfnb.script import (
    MOST_CLAIMS,
    Call,
    Complete,
    Fail,
    Load,
    Release,
    Save,
    Take,
    Wait,
)

CAREFUL = Options(on_worker_lost="fail")
CHAIN = Flow(inputs={"a": "", "b": "a", "c": "b", "d": "c", "e": "d"})
DIAMOND = Flow(inputs={"a": "", "b": "a", "c": "a", "d": "b c", "e": "d"}, big=frozenset("ab"))
FAN_IN = Flow(
    inputs={f"m{n}": "" for n in range(6)} | {"sum": " ".join(f"m{n}" for n in range(6))},
    seconds={f"m{n}": 0.001 for n in range(6)},
)
TREE = Flow(
    inputs={f"l{n}": "" for n in range(4)}
    | {f"p{n}": f"l{2 * n} l{2 * n + 1}" for n in range(2)}
    | {"root": "p0 p1"},
    seconds={"l1": 0.01, "p0": 0.01},
    big=frozenset(["l0", "l1", "l3", "p0"]),
    limit=2,
)
HELD = Flow(
    inputs={"a": "", "b": "a", "c": "b", "x": "", "d": "c x", "e": "d a", "f": "e"},
    queues=dict.fromkeys("abcdef", "@w1") | {"x": "@w2"},
    seconds=dict.fromkeys("abcdefx", 0.01),
)
TWO_PLANNED = Flow(
    inputs={"a": "", "b": "a", "c": "a", "d": "b", "e": "c d", "f": "e b"},
    queues={"a": "@w1", "b": "@w1", "c": "@w2", "d": "@w2", "e": "@w1", "f": "@w1"},
    seconds=dict.fromkeys("abcdef", 0.01),
)
FAILING = Flow(
    inputs={"a": "", "b": "a", "c": "b", "x": "", "d": "c x"},
    options={"b": Options(retries=2), "x": Options(retries=1, retry_delay_seconds=5)},
    fails={"b": 2, "x": 1},
)
HOPELESS = Flow(
    inputs={"a": "", "b": "a", "c": "b", "d": "", "e": "d"},
    options={"b": Options(retries=1)},
    fails={"b": 5},
)
FLOWS = {
    "chain": CHAIN,
    "diamond": DIAMOND,
    "fan-in": FAN_IN,
    "tree": TREE,
    "held": HELD,
    "two planned": TWO_PLANNED,
    "failing": FAILING,
    "hopeless": HOPELESS,
}
flows = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)


def alone(flow):
    """One worker that finds everything ready; its world and itself."""
    world = World(flow)
    return world, world.come()[0]


def kinds(worker):
    return [type(step).__name__ for step in worker.steps]


def steps_of(worker, kind):
    return [step for step in worker.steps if isinstance(step, kind)]


def check_result(world):
    """As plain evaluation says, nothing done twice, nothing lost."""
    flow, expected = world.flow, world.flow.evaluated()
    if flow is HOPELESS:
        assert world.status == "failed"
        states = dict(world.store.snapshot(RUN).states)
        assert states == {"a": "done", "b": "failed", "d": "done", "e": "done"}
        assert world.value("e") == expected["e"]
        return
    assert world.status == "done"
    for target in flow.all_targets:
        assert world.value(target) == expected[target]
    states = world.store.snapshot(RUN).states
    assert {task for task, state in states.items() if state in ("done", "held")} == {*flow.inputs}


def check_completions(world):
    """Only what a planned worker held alone may be done again, and then as another attempt."""
    done = world.completions()
    assert set(done.values()) == {1}
    if not any(queue.startswith("@") for queue in world.flow.queues.values()):
        assert max(Counter(task for task, _ in done).values()) == 1


# What the script does


def test_a_chain_is_run_in_one_go_and_reported_in_one_call():
    world, worker = alone(CHAIN)
    worker.run_on()
    assert kinds(worker) == [*["Call"] * 5, "Save", "Complete"]
    (save,) = steps_of(worker, Save)
    assert [record.task for record in save.finished] == ["e"]
    (complete,) = steps_of(worker, Complete)
    assert [record.became for record in complete.finished] == [False, True, True, True, True]
    check_result(world)


def test_a_task_whose_last_input_comes_up_in_the_batch_becomes_it():
    flow = Flow(inputs={"a": "", **dict.fromkeys(["m0", "m1", "m2"], "a"), "sum": "m0 m1 m2"})
    world, worker = alone(flow)
    worker.run_on()
    (save,) = steps_of(worker, Save)
    assert [record.task for record in save.finished] == ["sum"]
    (complete,) = steps_of(worker, Complete)
    assert [record.task for record in complete.finished] == ["a", "m0", "m1", "m2", "sum"]
    check_result(world)


def test_want_doubles_at_most_and_keeps_to_what_fits_a_short_batch():
    flow = Flow(inputs={f"t{n}": "" for n in range(400)}, limit=1)
    world, worker = alone(flow)
    worker.run_on()
    wants = [step.want for step in steps_of(worker, Complete)]
    assert wants[:6] == [2, 4, 8, 16, 32, 64]
    assert max(wants) == MOST_CLAIMS
    assert max(len(step.finished) for step in steps_of(worker, Complete)) <= MOST_FINISHED
    check_result(world)


def test_want_shrinks_to_one_when_tasks_turn_out_long():
    long = {f"t{n}": SHORT_SECONDS * 2 for n in range(100, 120)}
    flow = Flow(inputs={f"t{n}": "" for n in range(120)}, seconds=long, limit=1)
    world, worker = alone(flow)
    worker.run_on()
    wants = [step.want for step in steps_of(worker, Complete)]
    assert max(wants) >= 32
    assert wants[-1] == 1
    check_result(world)


def test_a_batch_is_reported_after_about_two_milliseconds():
    names = [f"t{n}" for n in range(60)]
    inputs = dict(zip(names, ["", *names], strict=False))
    flow = Flow(inputs=inputs, seconds=dict.fromkeys(names, 0.0005), limit=1)
    world, worker = alone(flow)
    worker.run_on()
    assert {len(step.finished) for step in steps_of(worker, Complete)} == {5}
    check_result(world)


def test_claims_that_were_thought_shorter_are_given_back_and_count_as_nothing():
    names = [f"t{n}" for n in range(40)]
    flow = Flow(inputs=dict.fromkeys(names, ""), seconds={"t20": 1.0}, limit=2)
    world = World(flow)
    first, second = world.come()
    while not steps_of(first, Release):
        assert first.advance()
    (release,) = steps_of(first, Release)
    given_back = {claim.task for claim in release.claims}
    second.run_on()
    done_by_second = {r.task for step in steps_of(second, Complete) for r in step.finished}
    assert given_back <= done_by_second
    first.run_on()
    check_result(world)
    assert world.store.errors(RUN) == {}
    assert set(world.calls.values()) == {1}


def test_a_task_run_unasked_that_fails_counts_as_exactly_one_attempt():
    flow = Flow(
        inputs={"a": "", "b": "a", "c": "a", "d": "c"},
        options={"c": Options(retries=1)},
        fails={"c": 1},
    )
    world, worker = alone(flow)
    worker.run_on()
    world.finish()
    assert [(record.task, record.attempt) for record in world.store.errors(RUN)["c"]] == [("c", 1)]
    assert world.calls == {"a": 1, "b": 1, "c": 2, "d": 1}
    check_result(world)


def test_a_task_run_unasked_that_fails_before_its_siblings_counts_as_one_attempt():
    flow = Flow(
        inputs={"a": "", "b": "a", "c": "a", "d": "b c"},
        options={"b": Options(retries=1), "c": Options(retries=1)},
        fails={"b": 1, "c": 1},
    )
    world, worker = alone(flow)
    worker.run_on()
    world.finish()
    errors = world.store.errors(RUN)
    assert {task: [r.attempt for r in records] for task, records in errors.items()} == {
        "b": [1],
        "c": [1],
    }
    assert world.calls == {"a": 1, "b": 2, "c": 2, "d": 1}
    check_result(world)


def test_a_careful_task_is_claimed_by_itself_and_reported_at_once():
    names = [f"t{n}" for n in range(12)]
    flow = Flow(
        inputs=dict.fromkeys(names, "") | {"next": "t5"},
        options={"t5": CAREFUL, "t9": CAREFUL, "next": CAREFUL},
        limit=1,
    )
    world, worker = alone(flow)
    careful = {flow.graph.position[task] for task in flow.options}
    while worker.pending is not None:
        if isinstance(worker.pending, Call) and worker.pending.at in careful:
            task = world.graph.ids[worker.pending.at]
            claimed = world.store._runs[RUN].claims[worker.joined.identity]
            assert task in claimed
            worker.advance()
            while not isinstance(worker.pending, Complete):
                assert not isinstance(worker.pending, Call)
                worker.advance()
            assert worker.pending.finished[-1].task == task
            assert not worker.pending.finished[-1].became
        worker.advance()
    assert world.calls == dict.fromkeys(flow.inputs, 1)
    check_result(world)


def test_a_planned_worker_holds_what_only_its_own_tasks_read():
    world = World(HELD)
    workers = world.come()
    first = next(worker for worker in workers if worker.joined.queue == "@w1")
    for _ in range(30):
        first.advance()
    assert isinstance(first.pending, (Wait, Take))
    assert steps_of(first, Wait)
    assert [record.held for step in steps_of(first, Save) for record in step.finished] == [
        True
    ] * sum(len(step.finished) for step in steps_of(first, Save))
    assert world.store.pointers(RUN) == {}
    world.finish()
    check_result(world)
    check_completions(world)


def test_the_other_inputs_of_a_big_outputs_reader_are_preferred():
    flow = Flow(
        inputs={"a": "", "x": "", "y": "", "b": "", "sum": "a b"},
        seconds=dict.fromkeys("abxy", 0.0015),
        big=frozenset("ab"),
        limit=1,
    )
    world, worker = alone(flow)
    worker.run_on()
    assert ["b"] in [list(step.prefer) for step in steps_of(worker, Take)]
    order = [flow.graph.ids[step.at] for step in steps_of(worker, Call)]
    assert order[:3] == ["a", "b", "sum"]
    assert not world.files
    check_result(world)


def test_inputs_from_elsewhere_are_loaded_before_the_call():
    world = World(replace(FAN_IN, limit=2))
    first, second = world.come()
    for turn in range(200):
        (first, second)[turn % 2].advance()
    loads = steps_of(first, Load) + steps_of(second, Load)
    assert [claim.task for load in loads for claim in load.claims] == ["sum"]
    check_result(world)


def test_a_run_that_is_cancelled_stops_its_workers_at_their_next_call():
    world = World(TREE)
    assert world.come()
    assert world.store.cancel(RUN)
    seen = world.told()
    world.drain()
    assert world.told() == seen


@flows
def test_a_call_that_is_repeated_after_a_lost_reply_changes_nothing(flow):
    world = World(flow)
    world.repeats = True
    world.finish()
    check_result(world)
    check_completions(world)
    if not flow.fails:
        assert world.calls == dict.fromkeys(flow.inputs, 1)


@flows
def test_workers_that_make_way_for_another_run_at_every_turn_lose_and_double_nothing(flow):
    world = World(flow)
    world.is_busy = True
    world.finish()
    world.drain()
    check_result(world)
    check_completions(world)
    expected = Counter([*flow.inputs]) + Counter(flow.fails)
    if flow is not HOPELESS:
        assert world.calls == expected


def test_a_tired_worker_ends_what_it_has_claimed_before_it_makes_way():
    flow = Flow(inputs={f"t{n}": "" for n in range(40)}, limit=1)
    world, worker = alone(flow)
    while len(world.store._runs[RUN].claims[worker.joined.identity]) < 8:
        worker.advance()
    claimed = {*world.store._runs[RUN].claims[worker.joined.identity]}
    world.is_busy = True
    world.come()
    worker.run_on()
    states = world.store.snapshot(RUN).states
    assert claimed <= {task for task, state in states.items() if state == "done"}
    assert {"queued", "done"} == {*states.values()}
    assert not world.store._runs[RUN].claims[worker.joined.identity]
    world.is_busy = False
    world.finish()
    check_result(world)


# Stopped anywhere


def stops(flow):
    """A fresh world for every step at which its first worker can be stopped.

    Between two steps a script changes nothing that others see, so right before a step is also
    right after the one before it; the last one is after its end.
    """
    at = 0
    while True:
        world = World(flow)
        worker = world.come()[0]
        if any(not world.let(worker) for _ in range(at)):
            return
        yield world, worker
        at += 1


@flows
@pytest.mark.parametrize("how", ["reap", "abandon"])
def test_a_worker_that_stops_at_any_step_is_made_up_for(flow, how):
    count = 0
    for world, worker in stops(flow):
        world.lose(worker, how)
        world.finish()
        world.drain()
        check_result(world)
        check_completions(world)
        count += 1
    assert count >= 4


@flows
@pytest.mark.parametrize(("how", "head_start"), [("reap", 0), ("abandon", 3), ("reap", 1000)])
def test_a_worker_that_comes_back_from_the_dead_changes_nothing(flow, how, head_start):
    """Others have made so many steps when it goes on as if nothing had happened."""
    for world, zombie in stops(flow):
        world.lose(zombie, how)
        living = world.come() or world.workers
        for turn in range(head_start if living else 0):
            living[turn % len(living)].advance()
        seen = world.told()
        said = zombie.run_on()
        assert world.told() == seen, said
        assert world.store.audit(RUN) == {}
        world.finish()
        world.drain()
        check_result(world)
        check_completions(world)


@flows
@pytest.mark.parametrize("seed", range(4))
def test_workers_that_are_lost_at_random_lose_nothing(flow, seed):
    """Any interleaving of several workers, of which two are lost on the way."""
    world = World(flow)
    pick = at_random(seed)
    turns = range(60)
    deadly = {pick(turns), pick(turns)}
    zombies = []
    for turn in turns:
        world.come()
        if world.status != "running" or not world.workers:
            break
        worker = pick(world.workers)
        if turn in deadly:
            world.lose(worker, pick(["reap", "abandon"]))
            zombies.append(worker)
        elif not worker.advance():
            world.workers.remove(worker)
    world.finish(pick)
    seen = world.told()
    for zombie in zombies:
        zombie.run_on()
    assert world.told() == seen
    check_result(world)
    check_completions(world)


def careful_flow():
    names = [f"t{n}" for n in range(8)]
    return Flow(
        inputs=dict.fromkeys(names, "") | {"k": "t0", "end": "k t3"},
        options={"k": CAREFUL, "t3": CAREFUL},
        limit=1,
    )


@pytest.mark.parametrize("how", ["reap", "abandon"])
def test_a_careful_task_is_called_at_most_once_whatever_stops(how):
    outcomes = Counter()
    for world, worker in stops(careful_flow()):
        begun = {task for task in ("k", "t3") if world.calls[task]}
        blamed = worker.blame()
        world.lose(worker, how)
        world.finish()
        assert world.calls["k"] <= 1
        assert world.calls["t3"] <= 1
        states = world.store.snapshot(RUN).states
        failed = {task for task, state in states.items() if state == "failed"}
        if how == "abandon":
            assert failed <= {blamed.task if blamed else ""}
        assert failed <= {"k", "t3"}
        assert world.status == ("failed" if failed else "done")
        for task in {"k", "t3"} - failed:
            assert world.calls[task] == 1, (begun, failed)
        outcomes[world.status] += 1
    assert outcomes["done"]
    assert outcomes["failed"]


def test_a_task_that_loses_worker_after_worker_is_poison():
    flow = Flow(inputs={"a": "", "deadly": "a", "b": "a"})
    world = World(flow)
    for _ in range(20):
        if world.status != "running":
            break
        world.come()
        worker = world.workers[0]
        while worker.pending is not None:
            at = worker.pending
            if isinstance(at, Call) and world.graph.ids[at.at] == "deadly":
                world.lose(worker, "abandon")
                break
            worker.advance()
        else:
            world.workers.remove(worker)
    assert world.status == "failed"
    assert [record.kind for record in world.store.errors(RUN)["deadly"]] == ["lost"] * 3
    assert world.value("b") == flow.evaluated()["b"]


@pytest.mark.parametrize("limits", [{"timeout_seconds": 1}, {"resources": Resources(memory="1GB")}])
def test_a_task_with_limits_is_claimed_before_it_starts(limits):
    """The store takes its supervisor's word about claims only."""
    flow = Flow(inputs={"a": "", "b": "a"}, options={"b": Options(**limits)})
    world, worker = alone(flow)
    worker.run_on()
    assert [record.became for step in steps_of(worker, Complete) for record in step.finished] == [
        False,
        False,
    ]
    check_result(world)


def test_a_failed_attempt_is_reported_only_once():
    world, worker = alone(FAILING)
    worker.run_on()
    assert len(steps_of(worker, Fail)) == len(
        [record for records in world.store.errors(RUN).values() for record in records]
    )
