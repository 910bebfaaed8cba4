"""What `connect` was told: which store, which backend, how many workers of which size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from wfnb.backend import Backend
from wfnb.errors import BackendError, OptionError
from wfnb.requirements import requirements_of
from wfnb.resources import Resources
from wfnb.signing import Signer
from wfnb.storage import Store

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
    configurations: tuple[Resources, ...] = ()
    """Sizes of workers that planners choose from; none: `resources` alone."""


def choices_of(  # noqa: PLR0913  all that a connection may be told
    store: str | None,
    backend: str,
    *,
    workers: int | None = None,
    resources: Resources | None = None,
    requirements: str | Iterable[str] = (),
    image: str | None = None,
    hosts: str | Iterable[str] = (),
    build: bool = False,
    configurations: Iterable[Resources] = (),
) -> Choices:
    """As `wfnb.connect` takes them."""
    return Choices(
        store=store,
        backend=backend,
        workers=workers,
        resources=resources or Resources(),
        requirements=requirements_of(requirements),
        image=image,
        hosts=(hosts,) if isinstance(hosts, str) else tuple(hosts),
        build=build,
        configurations=tuple(configurations),
    )


def backend_of(  # noqa: PLR0913  all that a backend is made of
    choices: Choices,
    name: str,
    *,
    store: Store,
    signer: Signer,
    tell: Callable[[str], object],
    terms: Mapping[str, Any],
) -> Backend:
    """The backend of this name; `terms` are a run's own, where they are not what was chosen.

    Raises BackendError and OptionError for what it cannot do.
    """
    refuse_nonsense(replace(choices, backend=name))
    module, kind = BACKENDS[name]
    make = getattr(import_module(module), kind)
    made: Backend
    if name == "inline":
        made = make(store, signer)
    elif name == "process":
        made = make(store, choices.store or "embedded", workers=choices.workers)
    else:
        made = make(
            store,
            choices.store or "embedded",
            workers=choices.workers,
            default=choices.resources,
            image=terms.get("image", choices.image),
            hosts=tuple(terms.get("hosts", choices.hosts)),
            fleet=terms.get("fleet"),
            build=choices.build,
            tell=tell,
        )
    return made


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
    for size in choices.configurations:
        if not isinstance(size, Resources):
            raise OptionError(f"configurations: {size!r} is no size, Resources(cpus=1) is one")
    if choices.store is not None and not isinstance(choices.store, str):
        raise OptionError(f"store={choices.store!r}: give an address, such as 'redis://host:6379'")
    _refuse_odd_containers(choices)


def _refuse_odd_containers(choices: Choices) -> None:
    if choices.image is not None and not isinstance(choices.image, str):
        raise OptionError(f"image={choices.image!r}: give a tag; `wfnb image list` lists them")
    for host in choices.hosts:
        if not isinstance(host, str) or not host:
            example = "'ssh://user@host', 'tcp://host:2376' or a docker context"
            raise OptionError(f"hosts={choices.hosts!r}: give addresses such as {example}")


def refuse_idle(choices: Choices) -> None:
    """What matters to containers is a mistake where there are none."""
    if choices.backend == "docker":
        return
    for name in ("image", "hosts", "build"):
        given = getattr(choices, name)
        if given:
            raise OptionError(f"{name}={given!r} is for containers: say backend='docker'")
