"""Placing tasks by where their inputs are."""

from __future__ import annotations

from wfnb.graph import Graph
from wfnb.planners.board import Board, Slot
from wfnb.planners.costs import Costs


def by_locality(graph: Graph, costs: Costs) -> Board:
    """Chains stay together, a fan-in goes where most of its inputs are, a fan-out splits in two.

    Its shortest tasks, as many as take no longer together than the longest one alone, stay with
    what they read; the others spread.
    """
    board, staying = Board(graph, costs), set[int]()
    for at, inputs in enumerate(graph.inputs_at):
        slot = None
        if len(inputs) > 1:
            slot = _unless_late(board, at, _there(board, at, _heaviest(board, at)))
        elif inputs and (at in staying or len(graph.readers_at[inputs[0]]) == 1):
            slot = _there(board, at, board.machine_at[inputs[0]])
        board.put(at, slot or board.best(at))
        if len(graph.readers_at[at]) > 1:
            staying.update(_short_readers(board, at))
    return board


def by_first_input(graph: Graph, costs: Costs) -> Board:
    """Each task on the worker of its first input; of several readers the first one stays there."""
    board = Board(graph, costs)
    for at, inputs in enumerate(graph.inputs_at):
        slot = None
        if inputs and graph.readers_at[inputs[0]][0] == at:
            slot = _there(board, at, board.machine_at[inputs[0]])
        board.put(at, slot or board.best(at))
    return board


def _heaviest(board: Board, at: int) -> int:
    """The machine from which moving the inputs would take longest."""
    weight: dict[int, float] = {}
    for read, send in zip(board.graph.inputs_at[at], board.costs.send[at], strict=True):
        machine = board.machine_at[read]
        weight[machine] = weight.get(machine, 0.0) + send + board.costs.fetch[read]
    return max(weight, key=lambda machine: (weight[machine], -machine))


def _unless_late(board: Board, at: int, slot: Slot | None) -> Slot | None:
    """Not where its inputs are, if it ends sooner elsewhere even by more than it takes itself."""
    best = board.best(at)
    if slot is None or slot.end - best.end > best.end - best.begin:
        return best
    return slot


def _short_readers(board: Board, at: int) -> list[int]:
    calls = board.costs.calls[board.machine_at[at]]
    readers = sorted(board.graph.readers_at[at], key=lambda reader: calls[reader])
    left = calls[readers[-1]]
    found = []
    for reader in readers[:-1]:
        left -= calls[reader]
        if left < 0:
            break
        found.append(reader)
    return found


def _there(board: Board, at: int, machine: int) -> Slot | None:
    """None if no task of its size may run there."""
    return None if board.costs.calls[machine][at] == float("inf") else board.on(at, machine)
