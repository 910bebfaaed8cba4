from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker.context
import pytest

from tests.docker.cables import FAR, LISTENING, THEIRS, cable
from tests.docker.daemons import Dockerd
from wfnb.errors import BackendError
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.images import find_worker_image


def openssl(*words: str, into: Path) -> None:
    subprocess.run(["openssl", *words], cwd=into, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and what it has signed for a server and for a client."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "names").write_text(f"subjectAltName=IP:{THEIRS}\n")
    new = ("-newkey", "rsa:2048", "-nodes", "-subj")
    openssl("req", "-x509", *new, "/CN=ca", "-keyout", "ca-key.pem", "-out", "ca.pem", into=folder)
    for who in ("server", "client"):
        key, request = f"{who}-key.pem", f"{who}.csr"
        openssl("req", *new, f"/CN={who}", "-keyout", key, "-out", request, into=folder)
        signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "names")
        openssl("x509", "-req", "-in", request, *signed, "-out", f"{who}-cert.pem", into=folder)
    shutil.copy(folder / "client-cert.pem", folder / "cert.pem")
    shutil.copy(folder / "client-key.pem", folder / "key.pem")
    return folder


@pytest.fixture(scope="module")
def over_tls(dockerd, certificates: Path) -> Iterator[str]:
    """The address of a daemon that wants a certificate."""
    files = {"cacert": "ca.pem", "cert": "server-cert.pem", "key": "server-key.pem"}
    tls = [word for name, file in files.items() for word in (f"--tls{name}", certificates / file)]
    options = ["--tlsverify", *map(str, tls), LISTENING]
    with (
        tempfile.TemporaryDirectory(prefix="wfd", dir="/tmp") as folder,
        Dockerd(Path(folder), options=options) as far,
        cable(far.pid),
    ):
        yield FAR


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for `docker context`s that is not the user's."""
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    return tmp_path


def test_a_daemon_over_tls_is_reached_with_the_users_certificate(
    over_tls, certificates, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "server-cert.pem"))
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
    with Daemon(over_tls) as daemon:
        daemon.ping()
        assert find_worker_image(daemon) is None


def test_a_daemon_over_tls_with_a_certificate_of_somebody_else_is_not_believed(
    over_tls, certificates, tmp_path, monkeypatch
):
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"),
        *("-keyout", "other-key.pem", "-out", "ca.pem"),
        into=tmp_path,
    )
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certificates / name, tmp_path)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with Daemon(over_tls) as daemon, pytest.raises(BackendError, match="CERTIFICATE_VERIFY_FAILED"):
        daemon.ping()


def test_a_docker_context_is_an_address(dockerd, contexts, monkeypatch):
    name = "elsewhere"
    docker.context.Context(name, host="unix:///var/run/docker.sock").save()
    with Daemon(name) as daemon:
        assert daemon.version() == dockerd.version()
    monkeypatch.setenv("DOCKER_CONTEXT", name)
    with Daemon() as daemon:
        assert daemon.version() == dockerd.version()


def test_a_daemon_that_is_not_there_is_told_with_the_remedy(tmp_path):
    with (
        Daemon(f"unix://{tmp_path}/none.sock") as daemon,
        pytest.raises(BackendError, match=r"no Docker daemon answers at .*none\.sock: start it"),
    ):
        find_worker_image(daemon)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_whoever_may_not_use_the_socket_is_told_of_the_group(dockerd):
    with Daemon(dockerd.url) as daemon:
        os.seteuid(65534)
        try:
            with pytest.raises(BackendError, match="usermod -aG docker"):
                daemon.ping()
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("tcp://203.0.113.1:2375", "is open to everybody on its network"),
        ("nowhere", "there is no docker context nowhere"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_at_once(contexts, url, told):
    with Daemon(url) as daemon, pytest.raises(BackendError, match=told):
        daemon.ping()
