"""What a client's Docker daemons have for it: room on their machines, and the images it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import chain

from wfnb.errors import BackendError, ImageError
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.images import (
    BUILD_COMMAND,
    build_worker_image,
    environment_image,
    find_worker_image,
)
from wfnb.workers.lanes import Room
from wfnb.workers.process import cpus

Tell = Callable[[str], object]
FOR_CONTAINERS = 0.8
"""Of a machine's memory."""


class Stock:
    """Asks the daemons when it has to and remembers what they say; holds no connection."""

    def __init__(
        self, hosts: Sequence[str], *, image: str | None, is_built: bool, tell: Tell
    ) -> None:
        self._hosts: Sequence[str | None] = hosts or (None,)
        self._image = image
        self._is_built = is_built
        self._tell = tell

    @cached_property
    def room(self) -> Room:
        """That of the largest machine."""
        machines = self._machines
        return Room(
            max(cpus for cpus, _ in machines),
            round(FOR_CONTAINERS * max(memory for _, memory in machines)),
            "for containers, the largest machine"
            if len(machines) > 1
            else "for containers, Docker",
        )

    @property
    def cpus(self) -> int:
        """As many workers as all machines can feed at once."""
        return cpus() if self._hosts == (None,) else sum(cpus for cpus, _ in self._machines)

    @cached_property
    def worker_image(self) -> str:
        """The tag of what containers are made of, on every daemon that answers.

        Raises BackendError with the remedy where there is none and none is to be built.
        """
        with self._answering() as daemons:
            tag = self._image or self._found(daemons)
            self._spread(tag, daemons)
            return tag

    def layer(
        self, requirements: tuple[str, ...], tell: Tell, *, wanted_by: str, fresh: bool
    ) -> str:
        """The image with these on top; "" where the worker's own has them all."""
        del fresh  # nothing remembers a failure
        worker = self.worker_image
        with self._answering() as daemons:
            tag = environment_image(
                daemons[0], worker, requirements, tell=tell, wanted_by=wanted_by
            )
            self._spread(tag, daemons)
        return "" if tag == worker else tag

    @cached_property
    def _machines(self) -> list[tuple[int, int]]:
        """CPUs and bytes of memory of each."""
        found = []
        with self._answering() as daemons:
            for daemon in daemons:
                with daemon.translated("the Docker daemon does not tell what its machine has"):
                    about = daemon.client.info()
                    found.append((int(about["NCPU"]), int(about["MemTotal"])))
        return found

    @contextmanager
    def _answering(self) -> Iterator[list[Daemon]]:
        """Raises BackendError when none answers; one that does not is told of."""
        with ExitStack() as stack:
            found, silent = [], []
            for host in self._hosts:
                daemon = stack.enter_context(Daemon(host))
                try:
                    daemon.ping()
                except BackendError as error:
                    silent.append(error)
                else:
                    found.append(daemon)
            if not found:
                raise silent[0]
            for why in silent:
                self._tell(f"beware: {why}; its machine is left out")
            yield found

    def _found(self, daemons: Sequence[Daemon]) -> str:
        tags = (find_worker_image(daemon) for daemon in daemons)
        tag = next((tag for tag in tags if tag is not None), None)
        if tag is not None:
            return tag
        if self._is_built:
            return build_worker_image(daemons[0], tell=self._tell).tag
        host = "" if daemons[0].url is None else f" --host {daemons[0].url}"
        raise ImageError(
            f"{daemons[0].name} has no image for the workers of this kernel: make one with "
            f"`{BUILD_COMMAND}{host}`, or say build=True (%wf connect --backend docker --build)"
        )

    def _spread(self, tag: str, daemons: Sequence[Daemon]) -> None:
        """Those that lack it get it from one that does not: built again it would be another."""
        having = [daemon for daemon in daemons if daemon.image(tag) is not None]
        if not having:
            known = "`wfnb image list` tells which there are"
            raise ImageError(f"{daemons[0].name} has no image {tag}: {known}")
        for daemon in daemons:
            if daemon not in having:
                self._tell(f"copying {tag} from {having[0].name} to {daemon.name}")
                with (
                    having[0].translated(f"the image {tag} cannot be copied from"),
                    daemon.translated(f"the image {tag} cannot be copied to"),
                ):
                    pieces = having[0].client.images.get(tag).save(named=tag)
                    daemon.client.api.load_image(chain(pieces))
