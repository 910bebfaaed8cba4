"""A Docker daemon, a base image and a worker image that are really there, also outside pytest.

`python -m tests.docker.daemons` prints the worker image's tag, with a daemon that runs already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.leaks import KEPT_PROCESSES
from wfnb.errors import BackendError
from wfnb.workers.docker.context import PYTHON
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.images import build_worker_image

DEBIAN_WITH = {"3.11": "bookworm", "3.13": "trixie"}
PACKAGES = "python3,python3-venv,ca-certificates"
START_SECONDS = 60.0
STOP_SECONDS = 30.0


class MissingError(Exception):
    """What these tests need is not on this machine."""


class Dockerd:
    """`with Dockerd() as dockerd`: then `dockerd.url`; below a root of its own if that is given.

    One that `is_apart` has a network namespace of its own, as if on another machine.
    """

    def __init__(
        self, root: Path | None = None, *, is_apart: bool = False, options: Sequence[str] = ()
    ) -> None:
        self.root = root
        self._options = options
        self.url = f"unix://{root}/docker.sock" if root else "unix:///var/run/docker.sock"
        self._is_apart = is_apart
        self._process: psutil.Popen | None = None
        self._log: Path | None = None

    def start(self) -> None:
        refuse_without("dockerd", "apt install docker.io")
        if os.getuid() != 0:
            raise MissingError("no Docker daemon answers, and only root can start one")
        descriptor, name = tempfile.mkstemp(prefix="wfnb-dockerd-", suffix=".log")
        os.close(descriptor)
        self._log = Path(name)
        # Of its own session and environment: no test's, and not interrupted with the tests.
        with self._log.open("w") as log:
            self._process = psutil.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={"PATH": os.environ["PATH"], "HOME": "/root"},
            )
        KEPT_PROCESSES.add(self._process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text()[-2000:]
                self.stop()
                raise MissingError(f"dockerd does not start:\n{said}")
            time.sleep(0.05)

    def _command(self) -> list[str]:
        # Also because without a bridge of its own it takes away docker0, whosever that is.
        apart = ["unshare", "--net"] if self._is_apart or self.root else []
        if self.root is None:
            return [*apart, "dockerd", *self._options, "--host", self.url]
        bridge = [] if self._is_apart else ["--bridge", "none", "--iptables=false"]
        places = {
            "--host": self.url,
            "--data-root": f"{self.root}/data",
            "--exec-root": f"{self.root}/exec",
            "--pidfile": f"{self.root}/docker.pid",
        }
        words = (word for place in places.items() for word in place)
        return [*apart, "dockerd", *bridge, *self._options, *words]

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was started"
        return self._process.pid

    def kill(self) -> None:
        """As a machine that is lost: the daemon, what it has started, and every container."""
        self._end(lambda process: process.kill())

    def stop(self) -> None:
        self._end(lambda process: process.terminate())
        if self._log is not None:
            self._log.unlink(missing_ok=True)

    def _end(self, how: Callable[[psutil.Process], None]) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        started = process.children(recursive=True)
        with suppress(psutil.NoSuchProcess):
            how(process)
        process.wait(STOP_SECONDS)
        # containerd goes with dockerd, unless that was killed.
        for rest in psutil.wait_procs(started, timeout=0.5)[1]:
            with suppress(psutil.NoSuchProcess):
                rest.kill()
        psutil.wait_procs(started, timeout=STOP_SECONDS)
        KEPT_PROCESSES.discard(process.pid)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()


@contextmanager
def some_daemon() -> Iterator[str | None]:
    """The address of the daemon that runs here, or of one that runs as long as this lasts.

    Either keeps its images in the usual place, for the next session.
    """
    if answers(None):
        yield None
        return
    with Dockerd() as dockerd:
        yield dockerd.url


def answers(url: str | None) -> bool:
    with Daemon(url, timeout_seconds=5) as daemon:
        try:
            daemon.ping()
        except BackendError:
            return False
    return True


def base_image(daemon: Daemon) -> str:
    """A minimal Debian with this Python's minor version, made once on a machine."""
    suite = DEBIAN_WITH.get(PYTHON)
    if suite is None:
        raise MissingError(f"no Debian has Python {PYTHON}: these tests need {set(DEBIAN_WITH)}")
    tag = f"wfnb-test-base:{suite}"
    if daemon.image(tag) is None:
        refuse_without("debootstrap", "apt install debootstrap")
        with tempfile.TemporaryDirectory(prefix="wfnb-base-") as folder:
            _bootstrap(suite, Path(folder))
            _import(daemon, Path(folder), tag)
    return tag


def worker_image(daemon: Daemon) -> str:
    return build_worker_image(daemon, base=base_image(daemon)).tag


def copy_image(tag: str, origin: Daemon, target: Daemon) -> None:
    """As a registry would, if there was one."""
    with tempfile.TemporaryFile() as file:
        for chunk in origin.client.api.get_image(tag):
            file.write(chunk)
        file.seek(0)
        with target.translated(f"{tag} cannot be loaded"):
            for _ in target.client.api.load_image(file):
                pass  # until it is told that it is there


def refuse_without(program: str, remedy: str) -> None:
    if shutil.which(program) is None:
        raise MissingError(f"{program} is missing: `{remedy}`")


def _bootstrap(suite: str, folder: Path) -> None:
    options = ["--variant=minbase", f"--include={PACKAGES}"]
    command = ["debootstrap", *options, suite, str(folder), *_mirror(suite)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise MissingError(f"debootstrap has failed:\n{made.stdout[-2000:]}{made.stderr[-2000:]}")
    for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(folder / leftover, ignore_errors=True)


def _mirror(suite: str) -> list[str]:
    """The one that this machine's apt asks; none: debootstrap knows where Debian is."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Identifier: Packages"]
    told = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    places = (line.split() for line in told.splitlines())
    return [place for place, release in places if release == suite and "security" not in place][:1]


def _import(daemon: Daemon, folder: Path, tag: str) -> None:
    name, suite = tag.split(":")
    with subprocess.Popen(["tar", "-C", str(folder), "-c", "."], stdout=subprocess.PIPE) as tar:
        daemon.client.api.import_image_from_stream(
            tar.stdout, repository=name, tag=suite, changes=['CMD ["python3"]']
        )


if __name__ == "__main__":
    with Daemon() as found:
        sys.stdout.write(f"{worker_image(found)}\n")
