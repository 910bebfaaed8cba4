"""Several daemons: one on another machine, as far as a network namespace can be one."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.docker.cables import FAR, LISTENING, OURS, THEIRS, cable, run
from tests.docker.daemons import Dockerd, MissingError, copy_image
from tests.fleets import PATIENCE_SECONDS, SMALL, Fleet
from tests.leaks import KEPT_PROCESSES
from tests.redis_server import REDIS_6, executable
from tests.sailing import rest, where
from tests.waiting import wait_until
from wfnb.errors import StoreError
from wfnb.storage import LEASE_SECONDS
from wfnb.storage.stores import connect_store
from wfnb.workers.docker.daemon import Daemon

NEAR = "unix:///var/run/docker.sock"
STORE_PORT = 7379
PASSWORD = "a-password"


def make_certificates(folder):
    """An authority, and one certificate each for daemon and client."""
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca",
        "-keyout", "ca-key.pem", "-out", "ca.pem", cwd=folder)  # fmt: skip
    for name, usage in (("server", "serverAuth"), ("client", "clientAuth")):
        (folder / "ext").write_text(f"subjectAltName=IP:{THEIRS}\nextendedKeyUsage={usage}\n")
        key, wish = f"{name}-key.pem", f"{name}.csr"
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", wish, cwd=folder)  # fmt: skip
        run("openssl", "x509", "-req", "-in", wish, "-CA", "ca.pem", "-CAkey", "ca-key.pem",
            "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", f"{name}.pem",
            cwd=folder)  # fmt: skip
    (folder / "cert.pem").write_bytes((folder / "client.pem").read_bytes())
    (folder / "key.pem").write_bytes((folder / "client-key.pem").read_bytes())


@pytest.fixture
def short_folder():
    """Sockets lie in it, and their paths have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="wf", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def far_dockerd(dockerd, worker_image, tmp_path, short_folder, monkeypatch):
    make_certificates(tmp_path)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    files = {"cacert": "ca.pem", "cert": "server.pem", "key": "server-key.pem"}
    options = [f"--tls{name}={tmp_path / file}" for name, file in files.items()]
    options += ["--tlsverify", LISTENING]
    try:
        far = Dockerd(short_folder, is_apart=True, options=options)
        far.start()
    except MissingError as error:
        pytest.skip(str(error))
    try:
        with cable(far.pid):
            with Daemon(far.url) as daemon:
                copy_image(worker_image, dockerd, daemon)
            dockerd.close()
            yield far
    finally:
        far.stop()


@pytest.fixture
def networked_store(far_dockerd):
    """A Redis with a password, on the address that both machines reach."""
    with tempfile.TemporaryDirectory(prefix="wf", dir="/tmp") as folder:
        words = {"bind": OURS, "port": str(STORE_PORT), "requirepass": PASSWORD, "dir": folder}
        command = [executable(REDIS_6), *(w for k, v in words.items() for w in (f"--{k}", v))]
        server = subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL)
        KEPT_PROCESSES.add(server.pid)
        url = f"redis://:{PASSWORD}@{OURS}:{STORE_PORT}"
        found = []

        def answers():
            with suppress(StoreError):
                found.append(connect_store(url))
            return found

        wait_until(answers, timeout_seconds=10, description="the store answers")
        yield found[0], url
        found[0].close()
        server.terminate()
        server.wait(10)
        KEPT_PROCESSES.discard(server.pid)


def containers_of(url):
    with Daemon(url) as daemon:
        api = daemon.client.api
        listed = api.containers(filters={"label": "wfnb.pool"})
        return {one["Id"]: api.inspect_container(one["Id"])["State"]["Pid"] for one in listed}


def end_machine(far):
    pids = containers_of(far.url).values()
    families = [psutil.Process(pid) for pid in pids]
    families += [child for family in families for child in family.children(recursive=True)]
    far.kill()
    for process in families:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_a_machine_that_is_lost_costs_no_run(far_dockerd, networked_store, worker_image):
    store, url = networked_store
    with Fleet(store, worker_image, url=url, hosts=(NEAR, FAR), workers=2) as fleet:
        wait_until(
            lambda: fleet.announced().get("hosts") == "2",
            timeout_seconds=PATIENCE_SECONDS,
            description="both daemons answer",
        )
        found = fleet.run(where(1.0), where(1.0)).result(PATIENCE_SECONDS)
        far = [one for one in containers_of(far_dockerd.url) if one[:12] in found]
        assert len(far) == 1, "one container on each machine"
        assert fleet.announced()["beware"], "that these reach more than the store is told"
        work = fleet.run(rest(3.0, "a"), rest(3.0, "b"))
        wait_until(
            lambda: sum(bool(s.claims) for s in store.crew(work.id).values()) == 2,
            timeout_seconds=PATIENCE_SECONDS,
            description="both are at work",
        )
        end_machine(far_dockerd)
        begin = time.monotonic()
        assert work.result(PATIENCE_SECONDS) == ("a", "b")
        assert time.monotonic() - begin < 2 * LEASE_SECONDS + 5
        assert [record.kind for record in work.errors] == ["lost"]
        assert fleet.announced()["trouble"] == ""
        assert fleet.run(where()).result(PATIENCE_SECONDS) not in [one[:12] for one in far]


def test_a_private_store_does_not_serve_another_machine(fleet_of, far_dockerd):
    with fleet_of(hosts=(FAR,)) as fleet:
        fleet.run(where())
        wait_until(
            lambda: "a socket of this machine" in fleet.announced(SMALL).get("trouble", ""),
            timeout_seconds=PATIENCE_SECONDS,
            description="that is told",
        )
        assert not containers_of(far_dockerd.url)
