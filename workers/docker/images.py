"""Images for workers: made by what is in them, found again by it, shared by all who need the same.

A worker image is a base with Python, wfnb and what workers run on. An environment image is a worker
image with the packages that tasks require. Nothing is fetched while either is built.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wfnb import cabinet, installed
from wfnb.errors import BackendError, ImageError, RequirementsError
from wfnb.installed import version_of
from wfnb.installer import Tell
from wfnb.requirements import applies
from wfnb.workers.docker.context import PYTHON, Client, pack, this_client
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.image import Image
from wfnb.workers.docker.wheelhouse import Source, constraints_for, fetch, worker_needs

WORKER, ENVIRONMENT = "wfnb-worker", "wfnb-env"
DEFAULT_BASE = f"python:{PYTHON}-slim"
BUILD_COMMAND = "wfnb image build"
PACKAGES, PACKAGES_OF_ENVIRONMENT = "packages", "packages-env"
"""Below /opt/wfnb in an image."""
_LAST_LINES = 12
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_PROBE = "import json, platform; print(json.dumps(platform.python_version()))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an image comes to be."""

    tag: str
    client: Client
    base: Image
    python: str
    """The base's, in full."""
    wanted: tuple[str, ...]
    choices: Sequence[Sequence[str]]
    """Constraints to try, the strictest first."""
    labels: Mapping[str, str]
    wheelhouse: Path | None = None


def worker_image_tag(client: Client, base: Image, requirements: Sequence[str] = ()) -> str:
    """What this client's worker image on this base is called, whether it is there or not."""
    return f"{WORKER}:{_digest(client.digest, base.id, *requirements)}"


def find_worker_image(daemon: Daemon) -> str | None:
    """The newest one for this kernel, whatever it is based on."""
    for image in daemon.images("wfnb.kind=worker", f"wfnb.content={this_client().digest}"):
        if image.tags:
            return image.tag
    return None


def build_worker_image(
    daemon: Daemon,
    *,
    base: str | None = None,
    requirements: Sequence[str] = (),
    wheelhouse: Path | None = None,
    tell: Tell = lambda line: None,
) -> Image:
    """The kernel's, on a base, made now if need be; if that fails (ImageError), nothing is left.

    With a wheelhouse nothing is fetched.
    """
    base = base or DEFAULT_BASE
    found, client = _base(daemon, base, tell), this_client()
    tag = worker_image_tag(client, found, requirements)
    if known := daemon.image(tag):
        tell(f"{tag} is there")
        return known
    python = _python_of(daemon, found, base)
    recipe = Recipe(
        tag=tag,
        client=client,
        base=found,
        python=python,
        wanted=(*worker_needs(python), *requirements),
        choices=constraints_for(requirements)[1:],
        wheelhouse=wheelhouse,
        labels={
            "wfnb.kind": "worker",
            "wfnb.content": client.digest,
            "wfnb.version": version_of("wfnb") or "",
            "wfnb.python": python,
            "wfnb.base": base,
            "wfnb.requirements": " ".join(requirements),
        },
    )
    try:
        return _make(daemon, recipe, tell)
    except RequirementsError as error:
        raise ImageError(_lacking(recipe, error)) from error


def environment_image(
    daemon: Daemon,
    worker_tag: str,
    requirements: Sequence[str],
    *,
    tell: Tell = lambda line: None,
    wanted_by: str = "a task",
) -> str:
    """A worker image with these, in normal form, made now if need be. Raises RequirementsError."""
    worker = daemon.image(worker_tag)
    if worker is None:
        raise ImageError(f"the image {worker_tag} is gone: `{BUILD_COMMAND}` makes one")
    python = worker.labels.get("wfnb.python", PYTHON)
    wanted = [text for text in requirements if applies(text, python=python)]
    tag = f"{ENVIRONMENT}:{_digest(worker.id, installed.digest(), *wanted)}"
    if not wanted or daemon.image(tag) is not None:
        return tag if wanted else worker_tag
    tell(f"preparing {', '.join(wanted)} for {wanted_by}, as the image {tag}")
    recipe = Recipe(
        tag=tag,
        client=this_client(),
        base=worker,
        python=python,
        wanted=tuple(wanted),
        choices=constraints_for(wanted),
        labels={
            "wfnb.kind": "environment",
            "wfnb.worker": worker_tag,
            "wfnb.requirements": " ".join(wanted),
        },
    )
    try:
        _make(daemon, recipe, tell)
    except (RequirementsError, ImageError) as error:
        message = f"{wanted_by} cannot have {', '.join(wanted)} in its image"
        raise RequirementsError(f"{message}:\n{_last(error)}") from error
    return tag


def our_images(daemon: Daemon) -> list[Image]:
    """Worker and environment images with a tag, the newest first."""
    images = [*daemon.images("wfnb.kind=worker"), *daemon.images("wfnb.kind=environment")]
    tagged = (image for image in images if image.tags)
    return sorted(tagged, key=lambda image: -image.created_seconds)


def unused_images(daemon: Daemon) -> list[Image]:
    """Those that neither this kernel's wfnb would use nor a container does; those on top first."""
    digest, busy = this_client().digest, daemon.images_in_use()
    found = [
        image
        for image in our_images(daemon)
        if image.labels.get("wfnb.content") != digest and image.id not in busy
    ]
    return sorted(found, key=lambda image: image.labels["wfnb.kind"] == "worker")


def _base(daemon: Daemon, name: str, tell: Tell) -> Image:
    found = daemon.image(name)
    if found is None:
        try:
            found = daemon.pull(name, tell=tell)
        except BackendError as error:
            local = (
                f"name an image with Python {PYTHON} that is there: `{BUILD_COMMAND} --base IMAGE`"
            )
            raise ImageError(f"{error}\n{local}, `docker images` lists them") from error
    ours = _ARCHITECTURES.get(platform.machine().lower(), platform.machine())
    if found.architecture != ours:
        message = f"{name} is made for {found.architecture}, and this kernel runs on {ours}"
        raise ImageError(f"{message}: take a base of the same architecture")
    return found


def _python_of(daemon: Daemon, base: Image, name: str) -> str:
    """Its full version, which has to be of this kernel's minor version."""
    try:
        python = str(json.loads(daemon.output_of(base.id, ["python3", "-P", "-c", _PROBE])))
    except (BackendError, ValueError) as error:
        raise ImageError(f"{name} has no Python to run a worker with: {error}") from error
    if python.rpartition(".")[0] != PYTHON:
        message = f"{name} has Python {python} and this kernel {PYTHON}, so neither could read"
        raise ImageError(f"{message} the other's functions: take a base such as {DEFAULT_BASE}")
    return python


def _make(daemon: Daemon, recipe: Recipe, tell: Tell) -> Image:
    """Whoever comes second waits for the first."""
    name = recipe.tag.replace(":", "-")
    cabinet.make_root()
    with cabinet.making(name, tell), tempfile.TemporaryDirectory(prefix="wfnb-image-") as folder:
        known = daemon.image(recipe.tag)
        return known or _build(daemon, recipe, _fetched(recipe, Path(folder), tell), tell)


def _fetched(recipe: Recipe, folder: Path, tell: Tell) -> Path:
    """A folder of wheels: by the strictest constraints that can be met."""
    *stricter, last = recipe.choices
    for at, constraints in enumerate(stricter):
        with suppress(RequirementsError):
            return _fetch(recipe, folder / f"try-{at}", constraints, tell)
    return _fetch(recipe, folder / "last", last, tell)


def _fetch(recipe: Recipe, folder: Path, constraints: Sequence[str], tell: Tell) -> Path:
    folder.mkdir()
    wheels = folder / "wheels"
    fetch(
        recipe.wanted,
        wheels,
        source=Source(recipe.python, recipe.wheelhouse),
        constraints=constraints,
        tell=tell,
    )
    return wheels


def _build(daemon: Daemon, recipe: Recipe, wheels: Path, tell: Tell) -> Image:
    is_worker = recipe.labels["wfnb.kind"] == "worker"
    stage = uuid.uuid4().hex
    arguments = {
        "BASE": recipe.base.id,
        "STAGE": stage,
        "FOLDER": PACKAGES if is_worker else PACKAGES_OF_ENVIRONMENT,
        "SEARCH_PATH": _search_path(recipe.base),
    }
    try:
        with tempfile.TemporaryFile() as context:
            pack(context, wheels, recipe.client, has_wfnb=is_worker)
            return daemon.build(
                context, tag=recipe.tag, arguments=arguments, labels=recipe.labels, tell=tell
            )
    finally:
        for left in daemon.images(f"wfnb.stage={stage}", is_dangling=True):
            daemon.remove(left.id)


def _search_path(base: Image) -> str:
    """Of Python: ours first, then what the base has."""
    ours = [f"/opt/wfnb/{PACKAGES_OF_ENVIRONMENT}", f"/opt/wfnb/{PACKAGES}"]
    has = base.environment.get("PYTHONPATH", "").split(":")
    return ":".join([*ours, *(folder for folder in has if folder and folder not in ours)])


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def _lacking(recipe: Recipe, error: RequirementsError) -> str:
    where = f"in {recipe.wheelhouse}" if recipe.wheelhouse else "by pip, with your settings"
    lacking = f"{', '.join(recipe.wanted)} cannot all be found {where}"
    return f"no worker image can be made: {lacking}:\n{_last(error)}"


def _last(error: Exception) -> str:
    return "\n".join(f"  {line.strip()}" for line in str(error).splitlines()[-_LAST_LINES:])
