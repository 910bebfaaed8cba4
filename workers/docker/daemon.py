"""A Docker daemon, as far as wfnb needs one: the only importer of the `docker` library."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from threading import Lock
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlsplit

from wfnb.errors import BackendError, ImageError
from wfnb.workers.docker.image import Image, image_of, listed_image

TIMEOUT_SECONDS = 60.0
MOST_CONNECTIONS = 64
"""Containers are started, stopped and followed in parallel."""
LAST_LINES = 12
SOME_VERSION = "1.44"
"""Of the API, to ask for the daemon's with, in a way that needs none."""
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FREE = "free some: `wfnb image remove --unused`, `docker system df` shows what else is there"
_ABSENT = re.compile(r"No such file|Connection refused|Errno (2|111)\b")

Tell = Callable[[str], object]


class Daemon:
    """One daemon; it is asked when a verb is called, not when this is made.

    `url` is unix://, tcp:// or ssh://, the name of a docker context, or None for the one that
    `docker` itself would ask: $DOCKER_HOST, the current context, the default socket.
    """

    def __init__(self, url: str | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url
        self._timeout_seconds = timeout_seconds
        self._client: Any = None
        self._connecting = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @property
    def client(self) -> Any:
        """The docker library's own client, for what is not an image; wrap calls in `translated`."""
        with self._connecting:
            if self._client is None:
                with self.translated("no worker can be started"):
                    self._client = _connect(self.url, self._timeout_seconds)
            return self._client

    @property
    def name(self) -> str:
        """For people."""
        if self.url is not None:
            return self.url
        return os.environ.get("DOCKER_HOST") or "this machine's Docker"

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """What goes wrong here is a BackendError: what could not be done, why, and the remedy."""
        try:
            yield
        except BackendError:
            raise
        except ImportError as error:
            message = f"{doing}: the package docker is missing: `pip install 'wfnb[docker]'`"
            raise BackendError(message) from error
        except _failures() as error:
            raise BackendError(f"{doing}: {self._reason(error)}") from error

    def ping(self) -> None:
        """Raises BackendError unless it answers."""
        with self.translated("no worker can be started"):
            self.client.ping()

    def version(self) -> str:
        with self.translated("the Docker daemon does not tell its version"):
            return str(self.client.version()["Version"])

    def image(self, name: str) -> Image | None:
        """By tag or id, if it is there; nothing is pulled."""
        from docker.errors import ImageNotFound

        with self.translated(f"the image {name} cannot be looked up"):
            try:
                return image_of(self.client.api.inspect_image(name))
            except ImageNotFound:
                return None

    def images(self, *labels: str, is_dangling: bool = False) -> list[Image]:
        """Those with all of these labels ("name" or "name=value"), the newest first."""
        filters = {"label": list(labels), "dangling": is_dangling}
        with self.translated("images cannot be listed"):
            listed = self.client.api.images(filters=filters)
        found = [listed_image(about) for about in listed]
        return sorted(found, key=lambda image: -image.created_seconds)

    def pull(self, name: str, *, tell: Tell) -> Image:
        """Raises BackendError with what the registry says."""
        from docker.utils import parse_repository_tag

        tell(f"pulling {name}")
        repository, tag = parse_repository_tag(name)
        with self.translated(f"the image {name} cannot be pulled"):
            api, failure = self.client.api, ""
            for line in api.pull(repository, tag or "latest", stream=True, decode=True):
                failure = failure or line.get("error", "")
                if line.get("status") in ("Pull complete", "Download complete"):
                    tell(f"pulling {name}: {line['status'].lower()}, layer {line.get('id', '')}")
            if failure:
                raise BackendError(f"the image {name} cannot be pulled: {failure}")
            return image_of(api.inspect_image(name))

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        tell: Tell,
    ) -> Image:
        """Build a context (tar) without any network, and without the user's proxy settings.

        Raises ImageError with the last lines. Its containers are removed, whatever happens.
        """
        with self.translated(f"{tag} cannot be built"):
            api = self.client.api
            told = api.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                buildargs=dict(arguments),
                labels=dict(labels),
                network_mode="none",
                use_config_proxy=False,
                rm=True,
                forcerm=True,
                decode=True,
            )
            _follow(told, tell)
            return image_of(api.inspect_image(tag))

    def output_of(self, image: str, command: Sequence[str]) -> str:
        """What a command in a new container says; the container has no network and is removed."""
        with self.translated(f"a container of {image} cannot be started"):
            made = self.client.containers.create(
                image,
                list(command[1:]),
                entrypoint=command[0],
                network_mode="none",
                labels={"wfnb.kind": "probe"},
            )
            try:
                made.start()
                code = made.wait()["StatusCode"]
                said = str(made.logs().decode())
            finally:
                made.remove(force=True, v=True)
        if code:
            raise BackendError(f"{command[0]} in {image} ended with code {code}: {said.strip()}")
        return said

    def images_in_use(self) -> frozenset[str]:
        """Ids of images that any container has, also one that has ended."""
        with self.translated("containers cannot be listed"):
            return frozenset(one["ImageID"] for one in self.client.api.containers(all=True))

    def remove(self, name: str) -> None:
        """An image; those in use are refused."""
        with self.translated(f"the image {name} cannot be removed"):
            self.client.api.remove_image(name)

    def _reason(self, error: BaseException) -> str:
        said = _explanation(error)
        if "Permission denied" in said or "Errno 13" in said:
            may = "you may not use its socket: `sudo usermod -aG docker $USER`, then log in again"
            return f"{self.name}: {may}"
        if _FULL.search(said):
            return f"the disk of {self.name} is full: {_FREE} ({said})"
        if _ABSENT.search(said):
            start = "start it with `sudo systemctl start docker` or Docker Desktop"
            return f"no Docker daemon answers at {self.name}: {start} ({said})"
        return f"{self.name}: {said}"


def _connect(url: str | None, timeout_seconds: float) -> Any:
    """A client that has spoken with its daemon."""
    from docker import DockerClient

    host, tls = _place(url)
    if host.startswith("unix://"):
        # The library would leave a socket open that nobody listens to.
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.connect(urlsplit(host).path)
    settings = {
        "base_url": host,
        "timeout": timeout_seconds,
        "tls": tls,
        "use_ssh_client": host.startswith("ssh://"),  # so the user's own ssh settings hold
        "max_pool_size": MOST_CONNECTIONS,
    }
    if not tls:
        return DockerClient(version="auto", **settings)
    # $REQUESTS_CA_BUNDLE would win over the certificate that the user has named for this daemon.
    first = DockerClient(version=SOME_VERSION, **settings)
    first.api.trust_env = False
    with closing(first):
        version = first.api.version(api_version=False)["ApiVersion"]
    client = DockerClient(version=version, **settings)
    client.api.trust_env = False
    return client


def _place(url: str | None) -> tuple[str, Any]:
    """Where a daemon is, and how to be sure that it is that one."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    named = url or os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT")
    if named is None or "://" not in named:
        context = ContextAPI.get_context(named)
        if context is None:
            raise BackendError(f"there is no docker context {named}: `docker context ls` lists all")
        return context.Host, context.TLSConfig or False
    if not named.startswith("tcp://"):
        return named, False
    # The library itself would take the setting of the variables for leave to skip the check.
    surroundings = {"DOCKER_TLS_VERIFY": "1", **os.environ, "DOCKER_HOST": named}
    tls = kwargs_from_env(environment=surroundings).get("tls") if _has_tls() else None
    if tls is None:
        _refuse_open(named)
    return named, tls or False


def _has_tls() -> bool:
    return bool(os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_CERT_PATH"))


def _refuse_open(url: str) -> None:
    is_near = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    if not (is_near or os.environ.get("WFNB_INSECURE") == "1"):
        raise BackendError(
            f"{url} is open to everybody on its network, who is root there: set DOCKER_CERT_PATH "
            "and DOCKER_TLS_VERIFY=1, name a docker context with TLS, or use ssh://"
        )


def _failures() -> tuple[type[Exception], ...]:
    """What the library lets through."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    return DockerException, RequestException, HTTPError, OSError


def _explanation(error: BaseException) -> str:
    said = getattr(error, "explanation", None) or str(error)
    with suppress(ValueError, TypeError, KeyError):
        said = json.loads(said)["message"]
    return str(said).strip()


def _follow(told: Iterable[Mapping[str, Any]], tell: Tell) -> None:
    """A build's output; what the daemon says of its own doing is left out."""
    said: list[str] = []
    failure = ""
    for line in told:  # to its end, or the connection stays open
        failure = failure or str(line.get("error", "")).strip()
        for text in _COLOURS.sub("", str(line.get("stream", ""))).splitlines():
            if text.strip() and not text.startswith((" --->", "Removing intermediate")):
                said.append(text.rstrip())
                tell(text.rstrip())
    if failure:
        last = "\n".join([*said[-LAST_LINES:], failure])
        remedy = f"\nthe daemon's disk is full: {_FREE}" if _FULL.search(last) else ""
        raise ImageError(f"the image cannot be built:\n{last}{remedy}")
