"""Kinds of containers, the launch list that each has, and what a fleet is started with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from wfnb.resources import Resources

IDLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What containers of one launch list have in common."""

    image: str
    cpus: float = 1.0
    memory_bytes: int | None = None
    """None: its share of what the fleet may use."""
    network: bool = False
    """Whether it reaches more than the store."""

    def __str__(self) -> str:
        words = (self.image, f"{self.cpus:g}", self.memory_bytes or "", "net" * self.network)
        return "|".join(map(str, words))

    @classmethod
    def parse(cls, text: str) -> Kind:
        image, cpus, memory, network = text.split("|")
        return cls(
            image=image,
            cpus=float(cpus),
            memory_bytes=int(memory) if memory else None,
            network=bool(network),
        )

    @classmethod
    def of(cls, image: str, resources: Resources) -> Kind:
        return cls(
            image=image,
            cpus=float(resources.cpus),
            memory_bytes=resources.memory_bytes,
            network=resources.network,
        )


def launch_list(fleet: str, kind: Kind) -> str:
    return f"{fleet}/{kind}"


def kind_of(launches: str) -> Kind:
    """The kind that a launch list is of."""
    return Kind.parse(launches.partition("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTerms:
    """What the fleet's process is told; the store's address comes apart, for it may be secret."""

    key: str
    """Names the fleet: in its containers' labels, its launch lists, its lock. Has no "/"."""
    hosts: tuple[str, ...] = ()
    """Docker daemons; none: the one that this user's environment names."""
    workers: int = 1
    """Containers that may be busy at once."""
    memory_bytes: int = 0
    """What all containers of one daemon may use together; 0: four fifths of its machine."""
    idle_seconds: float = IDLE_SECONDS

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> FleetTerms:
        words = json.loads(text)
        return cls(**words | {"hosts": tuple(words["hosts"])})
