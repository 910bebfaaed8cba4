"""When workers hand in what they have learnt; never with a call to the store of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wfnb.errors import OptionError

_SECONDS = re.compile(r"(\d+(?:\.\d+)?) ?s")
_SAMPLES = re.compile(r"(\d+) samples?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """At least so much apart; what is left goes when the worker leaves the run."""

    seconds: float = 0.0
    samples: int = 0

    @classmethod
    def read(cls, words: str) -> Upload:
        """From "completion", "5 s", "100 samples" or "end"; "off" records nothing."""
        if words in ("completion", "off"):
            return cls()
        if words == "end":
            return cls(seconds=float("inf"))
        if seconds := _SECONDS.fullmatch(words):
            return cls(seconds=float(seconds[1]))
        if samples := _SAMPLES.fullmatch(words):
            return cls(samples=int(samples[1]))
        choices = "'completion', '5 s', '100 samples', 'end', 'off'"
        raise OptionError(f"history={words!r}: choose from {choices}")

    def is_due(self, *, seconds: float, samples: int) -> bool:
        """So long after what was handed in last, with so many since."""
        return seconds >= self.seconds and samples >= self.samples
