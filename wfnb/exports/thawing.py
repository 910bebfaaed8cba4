"""A graph as the calls that it was made from."""

from __future__ import annotations

from wfnb.arguments import Arguments
from wfnb.graph import Graph, MapCall
from wfnb.tasks import Iteration, MapTask, NamedTask, Task


def tasks_of(graph: Graph) -> list[Task]:
    """The targets, with all that they need behind them; without the items of maps."""
    planned = graph.as_planned
    tasks: dict[int, Task] = {}
    for at in range(len(planned)):
        if at not in planned.maps_of:
            tasks[at] = _task(planned, tasks, at)
    return [tasks[planned.position[target]] for target in planned.targets]


def _task(graph: Graph, tasks: dict[int, Task], at: int) -> Task:
    if at in graph.maps:
        return _map(graph, tasks, at, graph.maps[at])
    function, arguments = graph.functions[graph.function_at[at]], graph.arguments_at[at]
    inputs = tuple([tasks[read] for read in graph.inputs_at[at]])
    if at in graph.names:
        return NamedTask(at, function, arguments, inputs, name=graph.names[at])
    return Task(at, function, arguments, inputs)


def _map(graph: Graph, tasks: dict[int, Task], at: int, call: MapCall) -> MapTask:
    over = None if call.over is None else tasks[call.over]
    arguments = graph.arguments_at[call.splitter]
    iterated = [tasks[read] for read in graph.inputs_at[call.splitter][: call.iterated]]
    depth = arguments[1]["depth"] if len(arguments) > 1 else 1
    iterables: Arguments = (arguments[0],) if arguments else ()
    if isinstance(over, MapTask):
        iterated, iterables = [over], ()
    iteration = Iteration(
        iterables=iterables,
        iterated=tuple(iterated),
        constants=tuple([tasks[read] for read in call.constants]),
        over=over if isinstance(over, MapTask) else None,
        depth=depth,
        is_spread=call.is_spread,
        flatten=call.flatten,
        expected=call.expected,
    )
    template = call.arguments() if callable(call.arguments) else call.arguments
    return MapTask(at, graph.functions[call.function], template, iteration)
