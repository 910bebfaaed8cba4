"""The containers that a fleet has, by what was posted of them, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from wfnb.storage import Seat
from wfnb.workers.docker.containers import Found, Notice
from wfnb.workers.docker.deaths import CAUSE_SECONDS, Evidence, Verdict, verdict_of
from wfnb.workers.docker.dock import (
    Down,
    Examined,
    Failed,
    Gone,
    Made,
    Message,
    Noticed,
    Order,
    Up,
)
from wfnb.workers.docker.fleet import Host, Member, Phase, why_never
from wfnb.workers.docker.kinds import Kind
from wfnb.workers.docker.letter import label_of

FOR_CONTAINERS = 0.8
"""Of a machine's memory, where nothing else is said."""
SETTLE_SECONDS = 0.5
"""From when a container is heard of until its worker surely waits for requests."""
START_SECONDS = 60.0
AGAIN_SECONDS = 10.0
"""For what a daemon was asked to do and did not."""
FIRST_BACKOFF_SECONDS = 0.25
SLOWEST_BACKOFF_SECONDS = 10.0
MOST_FAILURES = 2
"""In a row, of a kind on a host, before it is called trouble: daemons stumble."""
AWAY_SECONDS = 3.0
_AT_WORK = (Phase.BUSY, Phase.WAITING)


@dataclass(slots=True, kw_only=True)
class Entry:
    """One container, from its order to its end."""

    id: str
    """"" until it has one."""
    kind: Kind
    host: str
    memory_bytes: int
    phase: Phase
    since: float
    number: int | None = None
    """Of its order; None of one that another fleet has started."""
    heard_at: float | None = None
    evidence: Evidence = field(default_factory=Evidence)
    examine_at: float | None = None
    is_examined: bool = False

    @property
    def label(self) -> str:
        return label_of(self.id)


@dataclass(frozen=True, slots=True)
class Death:
    """Of one container; without a verdict it was told to go."""

    label: str
    kind: Kind
    verdict: Verdict | None


@dataclass(slots=True)
class _Failures:
    count: int
    until: float
    reason: str


class Roster:
    """Changed by messages and by what the store says; decides nothing and reaches for nothing."""

    def __init__(self, hosts: Collection[str], *, memory_bytes: int) -> None:
        self._names = tuple(hosts)
        self._memory_bytes = memory_bytes
        self._hosts: dict[str, Host] = {}
        self._down: dict[str, tuple[float, str]] = dict.fromkeys(hosts, (0.0, ""))
        self._entries: dict[str | int, Entry] = {}
        self._failures: dict[tuple[str, Kind], _Failures] = {}
        self.deaths: list[Death] = []
        """Still to be told to the store."""
        self.bewares: list[str] = []

    def take(self, message: Message, now: float) -> None:
        match message:
            case Up():
                self._host_is_up(message, now)
            case Down():
                since, _ = self._down.get(message.host, (0.0, ""))
                self._down[message.host] = (since or now, message.reason)
            case Noticed():
                self._notice(message.notice, now)
            case Made():
                self._made(message)
            case Failed():
                self._forget(message.order)
                where = (message.order.host, message.order.kind)
                self._has_failed(where, message.reason, now)
            case Gone():
                self._has_gone(message)
            case Examined():
                self._bury(message, now)

    def see(self, seats: Mapping[str, Seat], announced: Collection[str], now: float) -> None:
        """What the store knows: who is in a run, and who says to be there."""
        for entry in self._entries.values():
            if not entry.id or entry.phase is Phase.STOPPING:
                continue
            seat = seats.get(entry.label)
            if seat is not None:
                is_waiting = seat.queue.startswith("@") and not seat.claims
                self._enter(entry, Phase.WAITING if is_waiting else Phase.BUSY, now)
            elif entry.phase in _AT_WORK:
                self._enter(entry, Phase.IDLE, now)
            elif entry.phase is Phase.STARTING and entry.label in announced:
                entry.heard_at = entry.heard_at or now
                if now - entry.heard_at >= SETTLE_SECONDS:
                    self._enter(entry, Phase.IDLE, now)

    def order(self, order: Order, now: float) -> None:
        self._entries[order.number] = Entry(
            id="",
            kind=order.kind,
            host=order.host,
            memory_bytes=order.memory_bytes,
            phase=Phase.STARTING,
            since=now,
            number=order.number,
        )

    def stop(self, container: str, now: float) -> str:
        """The host to tell."""
        entry = self._entries[container]
        entry.phase, entry.since = Phase.STOPPING, now
        return entry.host

    def to_examine(self, now: float) -> Iterator[tuple[str, str]]:
        """Hosts and ids of the dead that are to be looked at now."""
        for entry in self._entries.values():
            due = entry.examine_at
            if due is not None and due <= now and entry.host not in self._down:
                entry.examine_at, entry.is_examined = now + AGAIN_SECONDS, True
                yield entry.host, entry.id

    def overdue(self, now: float) -> list[str]:
        """Those that were started and are not heard of, or do not end: they are to be stopped."""
        found = []
        for entry in self._entries.values():
            limit = {Phase.STARTING: START_SECONDS, Phase.STOPPING: AGAIN_SECONDS}.get(entry.phase)
            if limit and entry.id and now - entry.since > limit and entry.examine_at is None:
                found.append(entry.id)
                if entry.phase is Phase.STARTING:
                    reason = f"{entry.label} was started and not heard of for {limit:g} s"
                    self._has_failed((entry.host, entry.kind), reason, now)
        return found

    @property
    def containers(self) -> list[Entry]:
        return list(self._entries.values())

    def members(self) -> list[Member]:
        """Those that count; on a host that is away, whoever is at work beats by itself."""
        return [
            Member(
                id=entry.id,
                kind=entry.kind,
                host=entry.host,
                phase=Phase.STOPPING if entry.examine_at is not None else entry.phase,
                memory_bytes=entry.memory_bytes,
                since=entry.since,
            )
            for entry in self._entries.values()
            if entry.host not in self._down or entry.phase in _AT_WORK
        ]

    @property
    def hosts(self) -> list[Host]:
        """Those that have ever answered."""
        return [replace(h, is_up=name not in self._down) for name, h in self._hosts.items()]

    def barred(self, now: float) -> frozenset[tuple[str, Kind]]:
        return frozenset(where for where, failed in self._failures.items() if now < failed.until)

    def trouble(self, kind: Kind, now: float) -> str:
        """Why there are no containers of this kind; "" if there are, or may be in a moment."""
        there = (Phase.IDLE, *_AT_WORK)
        if any(e.kind == kind and e.phase in there for e in self._entries.values()):
            return ""
        hosts = [host for host in self.hosts if host.is_up]
        if not hosts:
            return self.outage(now)
        if never := why_never(kind, hosts):
            return never
        failures = [self._failures.get((host.name, kind)) for host in hosts]
        reasons = [f.reason for f in failures if f is not None and f.count >= MOST_FAILURES]
        return reasons[0] if len(reasons) == len(hosts) else ""

    def outage(self, now: float) -> str:
        """Why no daemon answers, when that is so for a while."""
        if len(self._down) < len(self._names):
            return ""
        since, reason = max(self._down.values())
        return reason if since and now - since >= AWAY_SECONDS else ""

    def _host_is_up(self, message: Up, now: float) -> None:
        host = message.host
        self._down.pop(host, None)
        memory = self._memory_bytes or round(FOR_CONTAINERS * message.machine.memory_bytes)
        self._hosts[host] = Host(name=host, cpus=message.machine.cpus, memory_bytes=memory)
        found = {one.id: one for one in message.found}
        for one in message.found:
            if one.id not in self._entries:
                self._adopt(host, one, now)
        for entry in self._entries.values():
            if entry.host == host and entry.phase is not Phase.STARTING:
                is_alive = entry.id in found and found[entry.id].is_running
                self._compare(entry, now, is_alive=is_alive)

    def _compare(self, entry: Entry, now: float, *, is_alive: bool) -> None:
        """With what its daemon says of it, when that is there again."""
        if not is_alive:
            entry.evidence.was_away = entry.heard_at is not None
            entry.examine_at = entry.examine_at or now
        elif entry.phase is Phase.STOPPING:
            entry.phase = Phase.IDLE  # it never heard that it was to stop

    def _adopt(self, host: str, found: Found, now: float) -> None:
        """Of an earlier fleet: the living go on, the dead are looked at."""
        self._entries[found.id] = Entry(
            id=found.id,
            kind=found.kind,
            host=host,
            memory_bytes=found.memory_bytes,
            phase=Phase.IDLE,
            since=now,
            heard_at=now if found.is_running else None,
        )

    def _made(self, made: Made) -> None:
        entry = self._entries.pop(made.order.number)
        entry.id = made.id
        self._entries[made.id] = entry
        if made.beware and made.beware not in self.bewares:
            self.bewares.append(made.beware)

    def _has_gone(self, gone: Gone) -> None:
        """As it was told: nobody is to blame if it was at work all the same."""
        entry = self._entries.pop(gone.id, None)
        if entry is not None:
            self.deaths.append(Death(entry.label, entry.kind, None))

    def _notice(self, notice: Notice, now: float) -> None:
        entry = self._entries.get(notice.id)
        # From when it is looked at on, it is we who remove it.
        if entry is not None and not entry.is_examined:
            entry.evidence.take(notice)
            if entry.evidence.died_at is not None and entry.phase is not Phase.STOPPING:
                entry.examine_at = entry.examine_at or now + CAUSE_SECONDS

    def _enter(self, entry: Entry, phase: Phase, now: float) -> None:
        if entry.phase is not phase:
            entry.phase, entry.since = phase, now
            entry.heard_at = entry.heard_at or now
            self._failures.pop((entry.host, entry.kind), None)

    def _bury(self, found: Examined, now: float) -> None:
        entry = self._entries.pop(found.id, None)
        if entry is None:
            return
        verdict = verdict_of(entry.evidence, found.fate, found.words)
        self.deaths.append(Death(entry.label, entry.kind, verdict))
        if entry.phase is Phase.STARTING:
            words = f"; it said: {found.words}" if found.words else ""
            reason = f"a container of {entry.kind.image} was started and {verdict.how}{words}"
            self._has_failed((entry.host, entry.kind), reason, now)

    def _forget(self, order: Order) -> None:
        for name, entry in list(self._entries.items()):
            if entry.number == order.number:
                del self._entries[name]

    def _has_failed(self, where: tuple[str, Kind], reason: str, now: float) -> None:
        before = self._failures.get(where)
        count = 1 if before is None else before.count + 1
        pause = min(SLOWEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** (count - 1))
        self._failures[where] = _Failures(count, now + pause, reason)
