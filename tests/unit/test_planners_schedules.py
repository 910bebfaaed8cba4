"""Schedules small enough to be made by hand; and a search that only finds better ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from tests.forecasting import INSTANT, Fixed, drawn
from tests.plannable import LINK, drawn_at_random, fan_in
from wfnb.forecast import Site
from wfnb.graph import Graph
from wfnb.planners.board import Board
from wfnb.planners.climbing import Climber, Recipe, climbed, inputs_first, recipe_of
from wfnb.planners.costs import Costs
from wfnb.planners.dasklike import as_dask_would, depth_first
from wfnb.planners.heuristics import cpop, heft, maxmin, minmin, peft
from wfnb.planners.locality import by_first_input, by_locality
from wfnb.planners.placing import canonical, machines_for, scheduled, turns
from wfnb.planners.ranks import by_rank, downward, upward
from wfnb.planners.terms import Terms

EVERY = (heft, cpop, peft, minmin, maxmin, as_dask_would, by_locality, by_first_input)


def costs(
    graph: Graph, seconds: Mapping[str, float], *, speeds: tuple[float, ...], send: float = 0.0
) -> Costs:
    """Calls at several speeds, and as much for whatever goes from machine to machine."""
    return Costs(
        calls=[[seconds[task] / speed for task in graph.ids] for speed in speeds],
        send=[[send] * len(inputs) for inputs in graph.inputs_at],
        fetch=[0.0] * len(graph),
        starts=[0.0] * len(speeds),
    )


def random_costs(seed: int) -> tuple[Graph, Costs]:
    graph = drawn(drawn_at_random(40, seed))
    seconds = {task: 1.0 + (at * 7 % 5) for at, task in enumerate(graph.ids)}
    return graph, costs(graph, seconds, speeds=(1.0, 1.0, 2.0), send=0.7)


def refuse_infeasible(board: Board) -> None:
    graph, its = board.graph, board.costs
    for at, inputs in enumerate(graph.inputs_at):
        machine = board.machine_at[at]
        assert board.end[at] == pytest.approx(board.begin[at] + its.calls[machine][at])
        for read, send in zip(inputs, its.send[at], strict=True):
            away = 0.0 if board.machine_at[read] == machine else send
            assert board.end[read] + away <= board.begin[at] + 1e-9
    for machine in range(its.machines):
        own = sorted(at for at in range(len(graph)) if board.machine_at[at] == machine)
        own.sort(key=lambda at: (board.begin[at], board.end[at]))
        for one, other in pairwise(own):
            assert board.end[one] <= board.begin[other] + 1e-9


# Ranks


def test_ranks_are_the_longest_ways_to_the_end_and_from_the_beginning() -> None:
    graph = drawn({"a": "", "b": "a", "c": "a", "d": "b c"})
    its = costs(graph, {"a": 1, "b": 2, "c": 5, "d": 1}, speeds=(1.0, 1.0), send=0.5)
    assert upward(graph, its) == [8.0, 3.5, 6.5, 1.0]
    assert downward(graph, its) == [0.0, 1.5, 1.5, 7.0]
    assert by_rank(upward(graph, its)) == [0, 2, 1, 3]


def test_depth_first_ends_one_branch_before_it_begins_the_next() -> None:
    graph = drawn({"a": "", "b": "", "c": "a", "d": "b", "e": "c"})
    assert depth_first(graph) == [0, 3, 1, 4, 2]


# Schedules


@pytest.mark.parametrize("heuristic", EVERY)
@pytest.mark.parametrize("seed", range(3))
def test_every_schedule_can_be_carried_out(
    heuristic: Callable[[Graph, Costs], Board], seed: int
) -> None:
    board = heuristic(*random_costs(seed))
    refuse_infeasible(board)


def test_heft_uses_a_gap_that_a_more_urgent_task_has_left() -> None:
    graph = drawn({"a": "", "b": "a", "c": "", "d": ""})
    its = costs(graph, {"a": 2, "b": 6, "c": 3, "d": 3}, speeds=(1.0, 1.0), send=0.0)
    board = heft(graph, its)
    assert board.makespan == 8.0
    its = costs(graph, {"a": 4, "b": 9, "c": 3, "d": 1}, speeds=(2.0, 1.0), send=0.0)
    assert heft(graph, its).makespan == pytest.approx(6.5)


def test_an_input_that_is_elsewhere_arrives_later() -> None:
    graph = drawn({"a": "", "b": "", "c": "a b"})
    its = costs(graph, {"a": 2, "b": 2, "c": 1}, speeds=(1.0, 1.0), send=0.5)
    board = heft(graph, its)
    assert (board.begin, board.end) == ([0, 0, 2.5], [2, 2, 3.5])


def test_of_several_elsewhere_the_latest_counts() -> None:
    graph = drawn(fan_in(3))
    its = costs(graph, {"a-0": 1, "b-1": 2, "a-2": 3, "c-0": 1}, speeds=(1.0,) * 3, send=10.0)
    assert heft(graph, its).makespan == 13.0  # where the longest is, 10 after the next longest
    its = costs(graph, {"a-0": 1, "b-1": 2, "a-2": 3, "c-0": 1}, speeds=(1.0,) * 3, send=0.1)
    assert heft(graph, its).makespan == pytest.approx(4.0)


def test_minmin_does_the_short_ones_first_and_maxmin_the_long_ones() -> None:
    graph = drawn({"a": "", "b": "", "c": ""})
    its = costs(graph, {"a": 1, "b": 2, "c": 3}, speeds=(1.0, 1.0))
    assert minmin(graph, its).makespan == 4.0
    assert maxmin(graph, its).makespan == 3.0


def test_cpop_does_the_critical_path_on_the_machine_that_does_it_soonest() -> None:
    graph = drawn({"a": "", "b": "a", "c": "a", "d": "b c"})
    its = costs(graph, {"a": 1, "b": 2, "c": 5, "d": 1}, speeds=(1.0, 4.0), send=0.5)
    board = cpop(graph, its)
    assert [board.machine_at[at] for at in (0, 2, 3)] == [1, 1, 1]


def test_a_chain_stays_where_its_first_task_is() -> None:
    graph = drawn({"a": "", "b": "a", "c": "b", "x": "", "y": "x"})
    its = costs(graph, dict.fromkeys(graph.ids, 1.0), speeds=(1.0, 1.0), send=5.0)
    for heuristic in (heft, by_locality, by_first_input, as_dask_would):
        board = heuristic(graph, its)
        assert board.machine_at[0] == board.machine_at[1] == board.machine_at[2]
        assert board.makespan == 3.0


def test_the_short_ones_of_a_fan_out_stay_and_the_long_ones_spread() -> None:
    graph = drawn({"a": "", "b": "a", "c": "a", "d": "a", "e": "a"})
    its = costs(graph, {"a": 1, "b": 1, "c": 1, "d": 2, "e": 2}, speeds=(1.0, 1.0, 1.0), send=0.1)
    where = by_locality(graph, its).machine_at
    assert where[1] == where[2] == where[0]
    assert len({where[3], where[4], where[0]}) == 3


def test_costs_follow_the_forecast() -> None:
    graph = drawn({"a": "", "b": "a"})
    site = Site(link=LINK, workers=2, hand_off_seconds=0.5, warm_seconds=0.25)
    forecast = Fixed(graph=graph, site=site, seconds={"a": 1.0, "b": 2.0}, bytes=1e6)
    machines, its = scheduled(graph, forecast, Terms(), inflation=2.0)
    assert len(machines.sizes) == its.machines == 2
    assert its.send[1] == [pytest.approx(2 * (0.002 + 0.005 + 0.001) + 0.5)]
    assert its.fetch[0] == pytest.approx(2 * (0.001 + 0.01 + 0.001))
    assert list(its.starts) == [0.25, 0.25]


def test_no_more_workers_are_named_than_there_may_be() -> None:
    graph = drawn({"a": ""})
    forecast = Fixed(graph=graph, site=Site(link=INSTANT, workers=1000))
    assert len(machines_for(graph, forecast, Terms())[0].sizes) == 63
    assert len(machines_for(graph, forecast, Terms(workers=3))[0].sizes) == 3


# Climbing


@pytest.mark.parametrize("seed", range(4))
def test_climbing_never_ends_lower_than_where_it_began(seed: int) -> None:
    graph, its = random_costs(seed)
    boards = [heuristic(graph, its) for heuristic in EVERY]
    best = climbed(boards, tries=60)
    refuse_infeasible(best)
    assert best.makespan <= min(board.makespan for board in boards)
    assert climbed(boards, tries=60).makespan == best.makespan


def test_climbing_finds_what_list_schedulers_miss() -> None:
    """Two machines, two tasks of 3 and three of 2: the longest first ends at 7, not at 6."""
    graph = drawn(dict.fromkeys("abcde", ""))
    its = costs(graph, {"a": 3, "b": 3, "c": 2, "d": 2, "e": 2}, speeds=(1.0, 1.0))
    boards = [heft(graph, its)]
    assert boards[0].makespan == 7.0
    assert climbed(boards, tries=200).makespan == 6.0


@pytest.mark.parametrize("heuristic", EVERY)
def test_a_recipe_makes_its_schedule_again_or_one_that_is_no_later(
    heuristic: Callable[[Graph, Costs], Board],
) -> None:
    graph, its = random_costs(5)
    board = heuristic(graph, its)
    again = Climber(graph, its, seed=1, pinning=True).begin(recipe_of(board))
    assert again.machine_at == board.machine_at
    assert again.makespan <= board.makespan + 1e-9


@pytest.mark.parametrize("looks_ahead", [False, True])
def test_every_proposal_can_be_carried_out(looks_ahead: bool) -> None:  # noqa: FBT001
    graph, its = random_costs(6)
    climber = Climber(graph, its, seed=2, pinning=True)
    climber.begin(Recipe(urgency=upward(graph, its), looks_ahead=looks_ahead))
    for _ in range(30):
        recipe, board = climber.proposal()
        refuse_infeasible(board)
        climber.step_up(recipe, board)


def test_inputs_are_made_more_urgent_than_what_reads_them() -> None:
    graph = drawn({"a": "", "b": "a", "c": "b"})
    keys = inputs_first(graph, [0.0, 5.0, 5.0])
    assert keys[0] > keys[1] > keys[2] == 5.0


# From schedules to plans


def test_turns_follow_begins_and_inputs_come_before_their_readers() -> None:
    graph = drawn({"a": "", "b": "a", "c": ""})
    its = costs(graph, {"a": 0.0, "b": 0.0, "c": 1.0}, speeds=(1.0,))
    board = Board(graph, its)
    for at in (2, 0, 1):
        board.put(at, board.best(at))
    assert turns(board)[0] < turns(board)[1]


def test_schedules_that_differ_in_names_of_machines_are_the_same() -> None:
    graph = drawn({"a": "", "b": ""})
    forecast = Fixed(graph=graph, site=Site(link=INSTANT, workers=2))
    machines, its = scheduled(graph, forecast, Terms())
    one, other, third = (Board(graph, its) for _ in range(3))
    for board, places in ((one, (0, 1)), (other, (1, 0)), (third, (0, 0))):
        for at, machine in enumerate(places):
            board.put(at, board.on(at, machine))
    assert canonical(one, machines) == canonical(other, machines) != canonical(third, machines)
