"""Which containers a fleet starts and stops: decided from what is wanted, there, and allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from wfnb.workers.docker.kinds import Kind

MOST_CONTAINERS = 64
TURN_SECONDS = 5.0
"""After so long a kind for which there is no room gets that of one which has had its turn."""


class Phase(Enum):
    """What a container is about."""

    STARTING = "starting"
    #: Warm: waits for a request on its launch list.
    IDLE = "idle"
    BUSY = "busy"
    #: In a run, as a planned worker for which nothing is ready: it takes nothing else meanwhile.
    WAITING = "waiting"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One container."""

    id: str
    kind: Kind
    host: str
    phase: Phase
    memory_bytes: int
    since: float = 0.0
    """When it came into this phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One daemon's machine, as far as containers may use it."""

    name: str
    cpus: int
    memory_bytes: int
    is_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    kind: Kind
    host: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Stop:
    id: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Let a container of this kind go as soon as it is between two tasks."""

    kind: Kind


Action = Start | Stop | Dismiss


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that a decision is made from."""

    requests: Mapping[Kind, int]
    """Launch requests that nobody takes, the kinds whose turn it is first."""
    members: Sequence[Member]
    hosts: Sequence[Host]
    workers: int
    """Containers that may be at work at once."""
    barred: Collection[tuple[str, Kind]] = frozenset()
    """Where a kind failed to start just now."""
    waited_seconds: Mapping[Kind, float] = field(default_factory=dict)
    """How long requests have been there that nobody takes."""
    dismissed: int = 0
    """Containers that were asked to go and are still at it."""


@dataclass(slots=True)
class _Room:
    """What is left of one host."""

    host: Host
    memory_bytes: int


def decide(scene: Scene) -> list[Action]:
    """For each kind in turn one container, again and again until nothing more is wanted or fits.

    A kind for which no room is left makes some: idle containers of other kinds go, the least
    recently used first. What the first in turn waits for is kept for it, so that smaller ones
    cannot starve it.
    """
    missing = {kind: count - _coming(scene, kind) for kind, count in scene.requests.items()}
    decision = _Decision(scene)
    while wanted := [kind for kind, count in missing.items() if count > 0]:
        for kind in wanted:
            missing[kind] = missing[kind] - 1 if decision.serve(kind) else 0
    return decision.actions


def share_of(host: Host, workers: int, hosts: int) -> int:
    """The memory of a container that asks for no size of its own."""
    return host.memory_bytes // max(1, -(-workers // max(1, hosts)))


def why_never(kind: Kind, hosts: Sequence[Host]) -> str:
    """Why no host can ever have such a container; "" if one can."""
    memory = kind.memory_bytes or 0
    if not hosts or any(kind.cpus <= h.cpus and memory <= h.memory_bytes for h in hosts):
        return ""
    most_cpus, most_memory = max(h.cpus for h in hosts), max(h.memory_bytes for h in hosts)
    wanted = f"{kind.cpus:g} cpus" + (f" and {memory / 1e6:,.0f} MB" if memory else "")
    return (
        f"containers of {wanted} are wanted, and no Docker host has more than {most_cpus} cpus and "
        f"{most_memory / 1e6:,.0f} MB for containers: ask for less (Resources), or name a larger "
        "host"
    )


def _coming(scene: Scene, kind: Kind) -> int:
    return sum(m.kind == kind and m.phase is Phase.STARTING for m in scene.members)


@dataclass
class _Decision:
    """Actions so far, and what they leave."""

    scene: Scene
    actions: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        scene = self.scene
        self._victims = [
            member
            for member in sorted(scene.members, key=lambda m: (m.since, m.id))
            if member.phase is Phase.IDLE and not scene.requests.get(member.kind)
        ]
        self._now = _rooms(scene, scene.members)
        staying = [m for m in scene.members if m.phase is not Phase.STOPPING]
        self._soon = _rooms(scene, staying)
        self._slots = _slots(scene, scene.members)
        self._slots_soon = _slots(scene, staying) + scene.dismissed
        self._is_eased = scene.dismissed > 0
        self._first = next(iter(scene.requests), None)

    def serve(self, kind: Kind) -> bool:
        """Whether one more of this kind may be looked for."""
        if self._start(kind):
            return True
        if self._comes_free(kind) or self._evict(kind):
            return True
        if kind == self._first and not self.actions:
            self._keep_room(kind)
        if not self._is_eased and self._rooms_for(self._soon, kind):
            self._is_eased = True
            self.actions += self._way_out(kind)
        return False

    def _start(self, kind: Kind) -> bool:
        room = self._best(self._now, kind) if self._slots > 0 else None
        if room is None:
            return False
        memory = self._memory(kind, room)
        self.actions.append(Start(kind=kind, host=room.host.name, memory_bytes=memory))
        self._take(room.host.name, memory)
        return True

    def _comes_free(self, kind: Kind) -> bool:
        """Room is being made already: keep it."""
        room = self._best(self._soon, kind) if self._slots_soon > 0 else None
        if room is not None:
            self._take(room.host.name, self._memory(kind, room))
        return room is not None

    def _evict(self, kind: Kind) -> bool:
        costs = [self._cost(kind, room) for room in self._rooms_for(self._soon, kind)]
        choices = [(len(cost), at) for at, cost in enumerate(costs) if cost]
        if not choices:
            return False
        at = min(choices)[1]
        for victim in costs[at]:
            self._victims.remove(victim)
            self.actions.append(Stop(victim.id))
            self._slots_soon += 1
            self._soon[victim.host].memory_bytes += victim.memory_bytes
        return self._comes_free(kind)

    def _cost(self, kind: Kind, room: _Room) -> list[Member]:
        """The fewest idle containers whose end lets this kind start on a host; [] if none do."""
        needed, free, slots = self._memory(kind, room), room.memory_bytes, self._slots_soon
        victims: list[Member] = []
        # For memory only those on the host count, for the number of workers all do.
        for victim in sorted(self._victims, key=lambda victim: victim.host != room.host.name):
            is_here = victim.host == room.host.name
            if slots <= 0 or (free < needed and is_here):
                victims.append(victim)
                slots, free = slots + 1, free + victim.memory_bytes * is_here
        return victims if free >= needed and slots > 0 else []

    def _keep_room(self, kind: Kind) -> None:
        """What comes free is for the one whose turn it is, until that is enough."""
        for room in self._rooms_for(self._soon, kind)[:1]:
            self._take(room.host.name, self._memory(kind, room))

    def _way_out(self, kind: Kind) -> Iterator[Action]:
        members = self.scene.members
        at_work = {Phase.BUSY, Phase.STARTING, Phase.STOPPING}
        others = Counter(m.kind for m in members if m.phase is Phase.BUSY and m.kind != kind)
        if others:
            if self.scene.waited_seconds.get(kind, 0.0) >= TURN_SECONDS:
                yield Dismiss(max(others, key=lambda known: (others[known], str(known))))
        elif not any(m.phase in at_work for m in members):
            # All of them wait for tasks that only the missing one would make ready: one goes, and
            # comes again when there is something for it.
            waiting = [m for m in members if m.phase is Phase.WAITING]
            if waiting:
                yield Stop(min(waiting, key=lambda m: (m.since, m.id)).id)

    def _best(self, rooms: Mapping[str, _Room], kind: Kind) -> _Room | None:
        found = self._rooms_for(rooms, kind)
        return next((r for r in found if self._memory(kind, r) <= r.memory_bytes), None)

    def _rooms_for(self, rooms: Mapping[str, _Room], kind: Kind) -> list[_Room]:
        """Of hosts that may have it at all, the emptiest first."""
        found = [
            room
            for room in rooms.values()
            if room.host.is_up
            and (room.host.name, kind) not in self.scene.barred
            and kind.cpus <= room.host.cpus
            and (kind.memory_bytes or 0) <= room.host.memory_bytes
        ]
        return sorted(found, key=lambda room: -room.memory_bytes)

    def _memory(self, kind: Kind, room: _Room) -> int:
        return kind.memory_bytes or share_of(room.host, self.scene.workers, len(self.scene.hosts))

    def _take(self, host: str, memory_bytes: int) -> None:
        self._slots, self._slots_soon = self._slots - 1, self._slots_soon - 1
        for rooms in (self._now, self._soon):
            rooms[host].memory_bytes = max(0, rooms[host].memory_bytes - memory_bytes)


def _rooms(scene: Scene, members: Sequence[Member]) -> dict[str, _Room]:
    used = {host.name: 0 for host in scene.hosts}
    for member in members:
        used[member.host] += member.memory_bytes
    return {host.name: _Room(host, host.memory_bytes - used[host.name]) for host in scene.hosts}


def _slots(scene: Scene, members: Sequence[Member]) -> int:
    """A planned worker that waits counts for nothing, or two runs could wait for each other."""
    at_work = sum(member.phase is not Phase.WAITING for member in members)
    return min(scene.workers - at_work, MOST_CONTAINERS - len(members))
