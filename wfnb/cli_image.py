"""The command `wfnb image`: make, list and remove images for workers in containers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from wfnb.errors import ImageError
from wfnb.listing import table
from wfnb.requirements import read_requirements
from wfnb.session import Session
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.image import Image
from wfnb.workers.docker.images import (
    DEFAULT_BASE,
    build_worker_image,
    our_images,
    unused_images,
)

LONGEST_LINE = 100


def add_image_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "make, list and remove images for workers in containers"
    verbs = commands.add_parser("image", help=text, description=text).add_subparsers(
        required=True, metavar="VERB"
    )
    build = _verb(verbs, "build", _build, "make the image that workers of this wfnb run in")
    build.add_argument("--base", help=f"an image with this Python, such as {DEFAULT_BASE}")
    build.add_argument("--requirements", type=Path, metavar="FILE", help="packages to add")
    build.add_argument(
        "--wheelhouse", type=Path, metavar="DIR", help="take wheels from here, and fetch nothing"
    )
    _verb(verbs, "list", _list, "list the images that wfnb has made")
    remove = _verb(verbs, "remove", _remove, "remove one, or all that are of no use")
    which = remove.add_mutually_exclusive_group(required=True)
    which.add_argument("tag", nargs="?", help="as listed")
    which.add_argument("--unused", action="store_true", help="those of other versions of wfnb")


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    act: Callable[[Daemon, argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    def asked_of_daemon(session: Session, asked: argparse.Namespace) -> int:
        with Daemon(asked.host) as daemon:
            act(daemon, asked)
        return 0

    parser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--host", metavar="URL", help="of the daemon; none: $DOCKER_HOST, context")
    parser.set_defaults(act=asked_of_daemon, store=None)
    return parser


def _build(daemon: Daemon, asked: argparse.Namespace) -> None:
    begin = time.monotonic()
    requirements = read_requirements(asked.requirements) if asked.requirements else ()
    image = build_worker_image(
        daemon,
        base=asked.base,
        requirements=requirements,
        wheelhouse=asked.wheelhouse,
        tell=lambda line: print(line[:LONGEST_LINE], flush=True),
    )
    seconds = time.monotonic() - begin
    print(f"{image.tag}: {image.size_bytes / 1e6:,.0f} MB, ready in {seconds:.1f} s")


def _list(daemon: Daemon, asked: argparse.Namespace) -> None:
    rows = [_row(image) for image in our_images(daemon)]
    headings = ("image", "wfnb", "python", "base", "MB", "made", "requirements")
    print(table(headings, rows) if rows else "no image is there: `wfnb image build` makes one")


def _row(image: Image) -> tuple[str, ...]:
    labels = image.labels
    return (
        image.tag,
        labels.get("wfnb.version", ""),
        labels.get("wfnb.python", ""),
        labels.get("wfnb.worker") or labels.get("wfnb.base", ""),
        f"{image.size_bytes / 1e6:,.0f}",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(image.created_seconds)),
        labels.get("wfnb.requirements", ""),
    )


def _remove(daemon: Daemon, asked: argparse.Namespace) -> None:
    if asked.unused:
        tags = [image.tag for image in unused_images(daemon)]
    else:
        tags = [image.tag for image in our_images(daemon) if asked.tag in image.tags]
        if not tags:
            raise ImageError(f"{asked.tag} is no image of wfnb: `wfnb image list` shows them")
    for tag in tags:
        daemon.remove(tag)
        print(f"removed {tag}")
    print(f"{len(tags)} removed")
