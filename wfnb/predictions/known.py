"""A forecast from the history of a graph's functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from wfnb.forecast import Site
from wfnb.graph import Function, Graph, TaskId
from wfnb.predictions.curves import Curve, log_of
from wfnb.predictions.explaining import Explanation
from wfnb.predictions.functions import FunctionHistory, Model
from wfnb.predictions.robust import median
from wfnb.predictions.sizes import Sizes
from wfnb.predictions.spreads import Spread, level_of
from wfnb.resources import Resources

_ONE = Resources()
GUESSED_SECONDS = 0.1
"""Of a call that nothing is said or known of."""
_GUESSED_OWN_SECONDS = 0.001
"""Of what wfnb does itself: splitting and gathering."""
_DECLARED = Spread.guessed(0.7)
_UNKNOWN = Spread.guessed(1.4)
_TRUST, _TRUST_OTHERS = 2.0, 4.0
"""So many calls, or other functions, of the run itself weigh as much as all its predecessors."""


class Known:
    """What is expected of one graph, at one level of caution. Never changes once made."""

    def __init__(  # noqa: PLR0913  all that is known
        self,
        graph: Graph,
        site: Site,
        *,
        sla: str,
        functions: Mapping[int, FunctionHistory],
        sizes: Sizes,
        notes: Sequence[str] = (),
        corrections: Mapping[int, float] | None = None,
    ) -> None:
        """`corrections`: logarithms that this run's own calls add, by function."""
        level_of(sla)
        self.graph = graph
        self.site = site
        self.sla = sla
        self.notes = tuple(notes)
        self.corrections = corrections or {}
        self._functions = functions
        self._sizes = sizes
        planned = graph.as_planned
        self._function_at = [
            planned.maps[at].function if at in planned.maps else function
            for at, function in enumerate(planned.function_at)
        ]
        self._columns: dict[Resources, list[float]] = {}
        self._latest: tuple[Resources | None, list[float]] = (None, [])
        self._logs: dict[Resources, list[float]] = {}

    def call_seconds(self, at: int, resources: Resources) -> float:
        latest = self._latest
        if latest[0] is not resources:  # by identity: hashing takes longer than all the rest
            latest = self._latest = resources, self._column(resources)
        column = latest[1]
        return column[at] if at < len(column) else column[self._place(at)]

    def cpu_seconds(self, at: int, resources: Resources) -> float:
        """As much as where it was measured: more CPUs share the same work."""
        model = self.model(at, resources)
        if model is None:
            return self.call_seconds(at, resources)
        return self.call_seconds(at, resources) * model.cpu / (model.wall * model.factor)

    def interval(self, at: int, resources: Resources) -> tuple[float, float]:
        function = self._function_at[self._place(at)]
        low, high = self._spread(function, resources).log_interval
        middle = self._middles(resources)[self._place(at)]
        return math.exp(middle + low), math.exp(middle + high)

    def input_bytes(self, at: int) -> float:
        return self._sizes.read[self._place(at)]

    def output_bytes(self, at: int) -> float:
        return self._sizes.written[self._place(at)]

    def items(self, at: int) -> int:
        return self._sizes.items[at]

    def is_guess(self, at: int) -> bool:
        return self._function_at[self._place(at)] not in self._functions

    def model(self, at: int, resources: Resources) -> Model | None:
        """What this task's time is told from; None for a guess."""
        history = self._functions.get(self._function_at[self._place(at)])
        return None if history is None else history.model(resources)

    def explain(self, task: TaskId, resources: Resources = _ONE) -> Explanation:
        """Which samples and which model gave this task's number."""
        at = self._place(self.graph.at(task))
        function = self._function_at[at]
        model, about = self.model(at, resources), self.graph.functions[function]
        explanation = Explanation(
            task=task,
            function=about.name,
            seconds=self.call_seconds(at, resources),
            interval=self.interval(at, resources),
            sla=self.sla,
            input_bytes=self.input_bytes(at),
            output_bytes=self.output_bytes(at),
            model="guess" if about.options.duration_seconds is None else "declared",
            resources=resources,
            correction=math.exp(self.corrections.get(function, 0.0)),
        )
        if model is None:
            return explanation
        return replace(
            explanation,
            model=model.chosen.name,
            scores=model.chosen.scores,
            samples=model.past,
            measured=model.measured,
            factor=model.factor,
            is_prior=model.is_prior,
        )

    def corrected(
        self, seconds: Mapping[int, float], resources: Sequence[Resources] | Resources
    ) -> Known:
        """What is expected when these calls of this run are known to have taken so long.

        `resources` are those of each task, or of all. Each function learns from its own calls, and
        a little from how far off the others are.
        """
        ratios = self._ratios(seconds, resources)
        functions = {function: median([(r, 1.0) for r in its]) for function, its in ratios.items()}
        others = median([(ratio, 1.0) for ratio in functions.values()]) if functions else 0.0
        everywhere = others * len(functions) / (len(functions) + _TRUST_OTHERS)
        corrections = dict.fromkeys(range(len(self.graph.functions)), everywhere)
        for function, its in ratios.items():
            share = len(its) / (len(its) + _TRUST)
            corrections[function] = share * functions[function] + (1 - share) * everywhere
        return self._with(corrections)

    def bias(
        self, seconds: Mapping[int, float], resources: Sequence[Resources] | Resources
    ) -> float:
        """Real by expected time of all these calls together; 1 where it is as expected."""
        expected = sum([math.exp(self._middles(_of(resources, at))[at]) for at in seconds])
        return sum(seconds.values()) / expected if expected else 1.0

    def _ratios(
        self, seconds: Mapping[int, float], resources: Sequence[Resources] | Resources
    ) -> dict[int, list[float]]:
        ratios: dict[int, list[float]] = {}
        for at, took in seconds.items():
            at = self._place(at)
            middle = self._middles(_of(resources, at))[at]
            function = self._function_at[at]
            off = math.log(max(took, 1e-7)) - middle + self.corrections.get(function, 0.0)
            ratios.setdefault(function, []).append(off)
        return ratios

    def _with(self, corrections: Mapping[int, float]) -> Known:
        return Known(
            self.graph,
            self.site,
            sla=self.sla,
            functions=self._functions,
            sizes=self._sizes,
            notes=self.notes,
            corrections=corrections,
        )

    def _place(self, at: int) -> int:
        """Of an item, its map's."""
        return at if at < len(self._function_at) else self.graph.base(at)

    def _spread(self, function: int, resources: Resources) -> Spread:
        history = self._functions.get(function)
        if history is not None:
            return history.model(resources).spread
        declared = self.graph.functions[function].options.duration_seconds
        return _UNKNOWN if declared is None else _DECLARED

    def _column(self, resources: Resources) -> list[float]:
        if resources not in self._columns:
            self._columns[resources] = self._seconds(resources)
        return self._columns[resources]

    def _seconds(self, resources: Resources) -> list[float]:
        added = [
            self._spread(function, resources).log_at(self.sla)
            for function in range(len(self.graph.functions))
        ]
        middles, exp = self._middles(resources), math.exp
        return [
            exp(middle + added[function])
            for middle, function in zip(middles, self._function_at, strict=True)
        ]

    def _middles(self, resources: Resources) -> list[float]:
        """Logarithms of what each call is as likely to exceed as not."""
        column = self._logs.get(resources)
        if column is None:
            column = self._logs[resources] = [0.0] * len(self._function_at)
            for function, places in self._places.items():
                curve, more = self._curve(function, resources)
                reads = [self._log_read[at] for at in places]
                if curve is None:
                    values = [more] * len(places)
                elif len(curve.xs) == 1:
                    start, steep = (
                        curve.ys[0] - curve.steepness * curve.xs[0] + more,
                        curve.steepness,
                    )
                    values = [start + steep * x for x in reads]
                else:
                    values = [curve.at_log(x) + more for x in reads]
                for at, value in zip(places, values, strict=True):
                    column[at] = value
        return column

    @cached_property
    def _log_read(self) -> list[float]:
        return [log_of(read) for read in self._sizes.read]

    @cached_property
    def _places(self) -> dict[int, list[int]]:
        """Of each function's tasks."""
        places: dict[int, list[int]] = {}
        for at, function in enumerate(self._function_at):
            places.setdefault(function, []).append(at)
        return places

    def _curve(self, function: int, resources: Resources) -> tuple[Curve | None, float]:
        """A curve, if there is one, and what is added to its logarithm."""
        correction = self.corrections.get(function, 0.0)
        history = self._functions.get(function)
        if history is not None:
            model = history.model(resources)
            return model.chosen.curve, model.log_factor + correction
        return None, math.log(max(self._guess(function), 1e-7)) + correction

    def _guess(self, function: int) -> float:
        about = self.graph.functions[function]
        if about.options.duration_seconds is not None:
            return about.options.duration_seconds
        return _GUESSED_OWN_SECONDS if is_own(about) else GUESSED_SECONDS


def is_own(function: Function) -> bool:
    """Whether wfnb calls it for itself: it splits, or gathers."""
    return getattr(function.call, "__module__", "") == "wfnb.maps"


def _of(resources: Sequence[Resources] | Resources, at: int) -> Resources:
    return resources if isinstance(resources, Resources) else resources[at]
