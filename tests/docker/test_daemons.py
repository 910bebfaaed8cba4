from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.docker.daemons import Dockerd, MissingError, answers, copy_image
from wfnb.errors import BackendError
from wfnb.workers.docker.daemon import Daemon

SMALL_BYTES = 32_000_000


@pytest.fixture
def own_dockerd() -> Iterator[Dockerd]:
    """A second daemon on a disk that is soon full; sockets need a folder with a short name."""
    with tempfile.TemporaryDirectory(prefix="wfd", dir="/tmp") as folder:
        options = f"size={SMALL_BYTES},mode=0700"
        mount = ["mount", "-t", "tmpfs", "-o", options, "wfnb-test", folder]
        subprocess.run(mount, check=True)
        try:
            with Dockerd(Path(folder), is_apart=True) as dockerd:
                yield dockerd
        except MissingError as error:
            pytest.fail(str(error))
        finally:
            subprocess.run(["umount", "--recursive", folder], check=True)


def context_of(*, size_bytes: int) -> io.BytesIO:
    files = {"Dockerfile": b"FROM scratch\nCOPY much /much\n", "much": bytes(size_bytes)}
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    context.seek(0)
    return context


def build(daemon: Daemon, tag: str, *, size_bytes: int) -> None:
    context = context_of(size_bytes=size_bytes)
    daemon.build(context, tag=tag, arguments={}, labels={}, tell=print)


def test_a_second_daemon_has_images_of_its_own_until_its_disk_is_full(dockerd, own_dockerd):
    with Daemon(own_dockerd.url) as second:
        build(second, "wfnb-test:little", size_bytes=1000)
        assert second.image("wfnb-test:little") is not None
        assert dockerd.image("wfnb-test:little") is None
        with pytest.raises(BackendError, match="is full: free some: `wfnb image remove --unused`"):
            build(second, "wfnb-test:much", size_bytes=2 * SMALL_BYTES)
        copy_image("wfnb-test:little", second, dockerd)
        dockerd.remove("wfnb-test:little")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_daemon_goes_with_all_that_it_started(own_dockerd, how):
    started = psutil.Process(own_dockerd.pid).children(recursive=True)
    assert started, "a daemon starts containerd"
    getattr(own_dockerd, how)()
    assert not [process for process in started if process.is_running()]
    assert not answers(own_dockerd.url)
