"""Why a prediction is what it is, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wfnb.graph import TaskId
from wfnb.history import Past
from wfnb.resources import Resources

_MODELS = {
    "last run": "the median of its last run",
    "median": "the median of its runs, the latest counting most",
    "power law": "a power law of the bytes it reads",
    "nearest": "its calls that read about as many bytes",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """Which samples and which model gave the number."""

    task: TaskId
    function: str
    seconds: float
    interval: tuple[float, float]
    sla: str
    input_bytes: float
    output_bytes: float
    model: str
    """The candidate's name; "declared" or "guess" where nothing is known."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Of each candidate, by how much it was off on the newest runs, 0.1 being 10 %."""
    samples: Sequence[Past] = ()
    resources: Resources = Resources()
    measured: Resources | None = None
    """The size of worker that the samples are of."""
    factor: float = 1.0
    """For the size that was asked about."""
    is_prior: bool = False
    correction: float = 1.0
    """By what this run's own calls took."""

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        low, high = self.interval
        lines = [
            f"{self.task}: {in_words(self.seconds)} ({self.sla}), "
            f"{in_words(low)} to {in_words(high)} in 9 of 10 cases",
            f"  reads {self.input_bytes:,.0f} bytes, returns about {self.output_bytes:,.0f}",
        ]
        if self.measured is None:
            lines.append(f"  {self._guess()}")
            return lines
        runs = len({past.run for past in self.samples})
        what = _MODELS.get(self.model, self.model)
        lines.append(f"  from {len(self.samples)} samples of {runs} runs by {what}")
        if self.is_prior:
            lines.append(f"  {self.function} was edited since: they are of the code before")
        if self.scores:
            off = ", ".join(f"{n} {100 * s:.0f} %" for n, s in self.scores.items())
            lines.append(f"  off on the newest runs: {off}")
        if self.factor != 1:
            lines.append(
                f"  measured with {self.measured}; x {self.factor:.3g} for {self.resources}"
            )
        if abs(self.correction - 1) > 0.005:
            lines.append(f"  x {self.correction:.3g} by what this run's own calls took")
        return lines

    def _guess(self) -> str:
        said = "its author says so" if self.model == "declared" else "nobody says anything of it"
        return f"a guess: {self.function} has never run, {said}"


def in_words(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"
