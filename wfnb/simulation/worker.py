"""What the simulator keeps of one worker in the run."""

from __future__ import annotations

from wfnb.role import Role
from wfnb.script import work
from wfnb.simulation.crew import Hired
from wfnb.simulation.record import Stay
from wfnb.steps import Complete, Expand, Take
from wfnb.storage import Ask, Joined


class Worker:
    """From its joining to its leaving."""

    __slots__ = ("asked", "counted", "has", "hired", "joined", "own_tasks", "script", "stay")

    def __init__(
        self, hired: Hired, joined: Joined, role: Role, stay: Stay, *, own_tasks: int
    ) -> None:
        self.hired = hired
        self.joined = joined
        self.stay = stay
        self.script = work(role, joined.first)
        self.has: set[int] = set()
        """Outputs that are in its memory."""
        self.counted: set[int] = set()
        """Those that it alone holds, for tasks of its own."""
        self.own_tasks = own_tasks
        """Of a planned worker: those to come."""
        self.asked = 0

    def ask(self, step: Take | Complete | Expand | None = None) -> Ask:
        self.asked += 1
        return Ask(
            identity=self.joined.identity,
            generation=self.joined.generation,
            queue=self.joined.queue,
            want=step.want if step else 0,
            nonce=str(self.asked),
            prefer=getattr(step, "prefer", ()),
            short=step.short if step else (),
            stay=self.own_tasks > 0,
        )
