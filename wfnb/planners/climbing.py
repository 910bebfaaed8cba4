"""Better schedules by trying: urgencies are shaken, tasks pinned, and all is scheduled anew.

A random-key search (Bean 1994, doi:10.1287/ijoc.6.2.154) on top of insertion-based scheduling: what
it changes are ranks, so every try is a schedule that can be carried out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from wfnb.graph import Graph
from wfnb.planners.board import Board
from wfnb.planners.costs import Costs
from wfnb.planners.ranks import by_rank, optimistic_costs, upward

HEADWAY = 1e-9
"""An input is by so much more urgent, at least, than what reads it."""
_SHAKES = (0.02, 0.05, 0.2)
_SHARES = (0.05, 0.3)
_PINNED_AT_ONCE = (1, 1, 2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a schedule is made from."""

    urgency: Sequence[float]
    pins: Mapping[int, int] = field(default_factory=dict)
    """Tasks that go to a certain machine; the others go where they end first."""
    looks_ahead: bool = False
    """Where a task ends first counts together with what is left after it, as in PEFT."""


class Climber:
    """One walk from schedule to schedule; whoever drives it says which was a step up."""

    def __init__(self, graph: Graph, costs: Costs, *, seed: int, pinning: bool) -> None:
        self._graph = graph
        self._costs = costs
        self._random = Random(seed)
        self._pinning = pinning
        self._left: list[list[float]] | None = None
        self.begin(Recipe(urgency=upward(graph, costs)))

    def begin(self, recipe: Recipe) -> Board:
        """From here on."""
        board = self._made(recipe)
        self.step_up(recipe, board)
        return board

    def step_up(self, recipe: Recipe, board: Board) -> None:
        self._recipe, self.board = recipe, board

    def proposal(self) -> tuple[Recipe, Board]:
        recipe, random = self._recipe, self._random
        what = random.random()
        if what < 0.15:
            recipe = replace(recipe, urgency=self._shaken(way_left(self.board), 0.05, 1.0))
        elif what < 0.7 or not self._pinning:
            shake, share = random.choice(_SHAKES), random.choice(_SHARES)
            recipe = replace(recipe, urgency=self._shaken(recipe.urgency, shake, share))
        if self._pinning and what >= 0.5:
            recipe = replace(recipe, pins=self._pinned_anew(recipe.pins))
        if random.random() < 0.05:
            recipe = replace(recipe, looks_ahead=not recipe.looks_ahead)
        recipe = replace(recipe, urgency=inputs_first(self._graph, recipe.urgency))
        return recipe, self._made(recipe)

    def _made(self, recipe: Recipe) -> Board:
        board, pins = Board(self._graph, self._costs), recipe.pins
        if recipe.looks_ahead and self._left is None:
            self._left = optimistic_costs(self._graph, self._costs)
        left = self._left if recipe.looks_ahead else None
        for at in by_rank(recipe.urgency):
            if at in pins:
                board.put(at, board.on(at, pins[at]))
            else:
                board.put(at, board.best(at, [its[at] for its in left] if left else None))
        return board

    def _shaken(self, urgency: Sequence[float], shake: float, share: float) -> list[float]:
        random, gauss = self._random.random, self._random.gauss
        return [key * (1 + gauss(0, shake)) if random() < share else key for key in urgency]

    def _pinned_anew(self, before: Mapping[int, int]) -> dict[int, int]:
        """A few tasks go where an input or a reader is, or anywhere; or are free again."""
        random, pins = self._random, dict(before)
        for _ in range(random.choice(_PINNED_AT_ONCE)):
            at = random.randrange(len(self._graph))
            if at in pins and random.random() < 0.5:
                del pins[at]
            else:
                pins[at] = random.choice(self._near(at))
        return pins

    def _near(self, at: int) -> list[int]:
        graph, calls = self._graph, self._costs.calls
        able = [machine for machine, its in enumerate(calls) if its[at] != float("inf")]
        others = (*graph.inputs_at[at], *graph.readers_at[at])
        near = [self.board.machine_at[other] for other in others]
        near = [machine for machine in near if machine in able]
        return near if near and self._random.random() < 0.6 else able


def recipe_of(board: Board) -> Recipe:
    """That which makes this very schedule, or one that is no later."""
    end = board.makespan
    urgency = inputs_first(board.graph, [end - begin for begin in board.begin])
    return Recipe(urgency=urgency, pins=dict(enumerate(board.machine_at)))


def inputs_first(graph: Graph, urgency: Sequence[float]) -> list[float]:
    """Raised where a reader was as urgent as what it reads."""
    keys = list(urgency)
    for at in range(len(keys) - 1, -1, -1):
        least = keys[at] + HEADWAY * max(1.0, abs(keys[at]))
        for read in graph.inputs_at[at]:
            if keys[read] < least:
                keys[read] = least
    return keys


def way_left(board: Board) -> list[float]:
    """From each task's begin to the end of all, as it was scheduled: what is here costs no way."""
    graph, costs, where = board.graph, board.costs, board.machine_at
    left, after = [0.0] * len(graph), [0.0] * len(graph)
    for at in range(len(graph) - 1, -1, -1):
        left[at] = costs.calls[where[at]][at] + after[at]
        for read, send in zip(graph.inputs_at[at], costs.send[at], strict=True):
            away = 0.0 if where[read] == where[at] else send + costs.fetch[read]
            after[read] = max(after[read], away + left[at])
    return left


def climbers(board: Board) -> tuple[Climber, ...]:
    """Three walks from one schedule.

    The first changes urgencies alone, the second pins tasks too, the third begins with all of them
    where they are.
    """
    graph, costs, here = board.graph, board.costs, recipe_of(board)
    walks = [
        Climber(graph, costs, seed=seed, pinning=pinning)
        for seed, pinning in enumerate((False, True, True))
    ]
    for walk in walks[:2]:
        first = walk.board.makespan
        if walk.begin(Recipe(urgency=here.urgency)).makespan > first:
            walk.begin(Recipe(urgency=upward(graph, costs)))
    walks[2].begin(here)
    return tuple(walks)


def climbed(boards: Sequence[Board], *, tries: int) -> Board:
    """The best of some schedules, and of those found from it by so many tries, as costs reckon."""
    best = min(boards, key=lambda board: board.makespan)
    walks = climbers(best)
    for climber in walks:
        for _ in range(tries // len(walks)):
            recipe, board = climber.proposal()
            if board.makespan <= climber.board.makespan:
                climber.step_up(recipe, board)
        best = min(best, climber.board, key=lambda board: board.makespan)
    return best
