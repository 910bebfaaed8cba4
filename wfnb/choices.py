"""What `connect` was told: which store, which backend, how many workers of which size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wfnb.errors import BackendError, OptionError
from wfnb.resources import Resources

BACKENDS = {
    "inline": ("wfnb.workers.inline", "InlineBackend"),
    "docker": ("wfnb.workers.docker.backend", "DockerBackend"),
    "process": ("wfnb.workers.process", "ProcessBackend"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What `connect` was told."""

    store: str | None = None
    backend: str = "process"
    workers: int | None = None
    resources: Resources = Resources()
    requirements: tuple[str, ...] = ()
    image: str | None = None
    """Of containers: a tag; None takes the one that `wfnb image build` made for this client."""
    hosts: tuple[str, ...] = ()
    """Docker daemons, as ssh://user@host; none: this machine's own."""
    build: bool = False
    """Whether an image that is missing is built."""

    def terms(self, backend: str) -> dict[str, Any]:
        """What a backend is made with beside its store."""
        if backend != "docker":
            return {"workers": self.workers}
        return {
            "workers": self.workers,
            "default": self.resources,
            "image": self.image,
            "hosts": self.hosts,
            "build": self.build,
        }


def refuse_nonsense(choices: Choices) -> None:
    if choices.backend not in BACKENDS:
        known = ", ".join(sorted(BACKENDS))
        raise BackendError(f"no backend is named {choices.backend!r}; there is {known}")
    if choices.store == "memory" and choices.backend != "inline":
        message = "the memory store lives in this process, where no other can reach it"
        raise BackendError(f"{message}: say connect(store='memory', backend='inline')")
    workers = choices.workers
    if workers is not None and (type(workers) is not int or workers < 1):
        raise OptionError(f"workers={workers!r}: give a whole number, 1 or more")
    if not isinstance(choices.resources, Resources):
        given = choices.resources
        raise OptionError(f"resources={given!r}: write Resources(cpus=1, memory='512MB')")
    if choices.store is not None and not isinstance(choices.store, str):
        raise OptionError(f"store={choices.store!r}: give an address, such as 'redis://host:6379'")
