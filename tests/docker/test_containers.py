"""One container: what it may do, how it gets to the store, and what is left of a failed start."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.fleets import PATIENCE_SECONDS, SMALL, inspected
from tests.sailing import facts, limits, reached
from tests.waiting import wait_until
from wfnb import Resources
from wfnb.errors import BackendError
from wfnb.signing import load_key
from wfnb.storage import embedded
from wfnb.storage.address import parse
from wfnb.workers.docker.containers import Containers
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.hardening import LAST_WORDS_BYTES
from wfnb.workers.docker.kinds import Kind
from wfnb.workers.docker.letter import Letter
from wfnb.workers.docker.reach import GATEWAY, Way, way_to

OPEN = Resources(memory="128MB", network=True)


@pytest.fixture
def containers(dockerd):
    with Daemon() as daemon:
        made = Containers(daemon, f"docker:test:{os.urandom(4).hex()}")
        yield made
        for found in made.found():
            made.remove(found.id)
        made.leave()


def letter(container):
    return Letter(
        store_url="unix:///run/wfnb/store/none.sock",
        key="00" * 32,
        launches="docker:test/i|1||",
        label=container,
        asked_at=0.0,
        idle_seconds=60.0,
    )


def result_of(run):
    return run.result(PATIENCE_SECONDS)


def test_from_inside_nothing_can_be_done_but_work(fleet_of):
    with fleet_of() as fleet:
        found = result_of(fleet.run(facts()))
        assert found["Uid"].split() == ["65534"] * 4
        assert int(found["CapEff"], 16) == int(found["CapBnd"], 16) == 0
        assert found["NoNewPrivs"] == "1"
        assert found["Seccomp"] == "2"
        assert found["interfaces"] == "lo"
        assert found["docker.sock"] == "False"
        assert found["key mode"] == "0o600"
        assert found["/tmp"] == "written"
        for folder in ("/", "/usr", "/opt/wfnb", "/run/wfnb/store"):
            assert found[folder] in ("Read-only file system", "Permission denied"), folder
        assert result_of(fleet.run(limits())) == {"core": 0, "files": 4096}


def test_docker_holds_it_to_its_limits_and_knows_no_secret(fleet_of):
    with fleet_of() as fleet:
        found = result_of(fleet.run(facts()))
        with inspected(fleet.containers()[0]) as about:
            host = about["HostConfig"]
            assert host["Memory"] == host["MemorySwap"] == SMALL.memory_bytes
            assert host["NanoCpus"] == 10**9
            assert host["PidsLimit"] == 256
            assert host["NetworkMode"] == "none"
            assert host["RestartPolicy"]["Name"] == "no"
            assert host["LogConfig"]["Config"]["max-size"] == LAST_WORDS_BYTES
            assert not host["Privileged"]
            place = parse(embedded.ensure().worker_url)
            secrets = [load_key(create=False).hex(), place.password]
            for secret in secrets:
                assert secret not in json.dumps(about)
            assert load_key(create=False).hex() not in found["environment"]
            with Daemon() as daemon:
                said = daemon.client.api.logs(about["Id"]).decode()
            assert not any(secret in said for secret in secrets)


def test_only_who_asks_for_the_network_gets_it(fleet_of):
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        bridge = psutil.net_if_addrs()["docker0"][0].address
        places = [(bridge, port)]
        with fleet_of() as fleet:
            assert result_of(fleet.run(reached(places))) == []
            assert result_of(fleet.run(reached(places), resources=OPEN)) == [bridge]


def test_a_container_that_cannot_start_leaves_nothing(containers, worker_image):
    kind = Kind(image=worker_image, memory_bytes=10**8)
    nowhere = Way(url="", mounts=(("/nowhere/at/all", "/run/wfnb/store"),))
    with pytest.raises(BackendError, match="/nowhere/at/all"):
        containers.start(kind, memory_bytes=10**8, way=nowhere, letter=letter)
    too_small = Kind(image=worker_image, memory_bytes=1)
    with pytest.raises(BackendError, match="emory"):
        containers.start(too_small, memory_bytes=1, way=Way(url=""), letter=letter)
    no_cpus = Kind(image=worker_image, cpus=999)
    with pytest.raises(BackendError, match="CPUs"):
        containers.start(no_cpus, memory_bytes=10**8, way=Way(url=""), letter=letter)
    assert containers.found() == []


def test_a_missing_image_is_named_with_the_remedy(containers):
    kind = Kind(image="wfnb-worker:none", memory_bytes=10**8)
    with pytest.raises(BackendError, match=r"wfnb-worker:none is not on .*`wfnb image build`"):
        containers.start(kind, memory_bytes=10**8, way=Way(url=""), letter=letter)


def test_one_without_a_store_says_so_and_its_last_words_are_kept(containers, worker_image):
    kind = Kind(image=worker_image, memory_bytes=10**8)
    name = containers.start(kind, memory_bytes=10**8, way=Way(url=""), letter=letter)
    wait_until(
        lambda: "store does not answer" in containers.last_words(name),
        timeout_seconds=PATIENCE_SECONDS,
        description="it says what it lacks",
    )
    containers.stop(name)
    assert containers.fate(name) is None
    assert containers.last_words(name) == ""
    containers.stop(name)


def test_a_private_store_is_reached_through_its_socket_alone(private_store):
    server = embedded.ensure()
    way = way_to("embedded", is_near=True, gateways={}, is_open=False, daemon="d")
    assert way.network == "none"
    assert way.mounts == ((str(server.socket_path.parent), "/run/wfnb/store"),)
    assert parse(way.url).password == parse(server.worker_url).password
    assert parse(way.url).path == f"/run/wfnb/store/{server.socket_path.name}"
    with pytest.raises(BackendError, match="a socket of this machine"):
        way_to("embedded", is_near=False, gateways={}, is_open=False, daemon="tcp://far")


def test_a_socket_that_nobody_may_use_is_refused_with_the_remedy():
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as server:
        path = Path(name) / "s.sock"
        server.bind(str(path))
        words = {"is_near": True, "gateways": {}, "is_open": False, "daemon": "d"}
        with pytest.raises(BackendError, match="unixsocketperm 777"):
            way_to(f"unix://{path}", **words)
        path.chmod(0o777)
        with pytest.raises(BackendError, match="chmod 711"):
            way_to(f"unix://{path}", **words)
        Path(name).chmod(0o711)
        assert way_to(f"unix://{path}?db=2", **words).url.endswith("s.sock?db=2")
        assert stat.S_ISSOCK(path.stat().st_mode)
        with pytest.raises(BackendError, match="No such file"):
            way_to(f"unix://{name}/other.sock", **words)


def test_a_store_on_loopback_is_refused_with_the_address_to_bind_to():
    words = {"is_near": True, "gateways": {}, "is_open": False, "daemon": "d"}
    with pytest.raises(BackendError, match=rf"bind 127.0.0.1 {GATEWAY}"):
        way_to("redis://localhost:6379", **words)


def test_on_an_internal_network_of_its_own_the_store_is_all_that_is_reached():
    url = f"redis://:secret@{GATEWAY}:6379"
    words = {"is_near": True, "daemon": "d"}
    gateways = {GATEWAY: "wfnb"}
    assert way_to(url, gateways=gateways, is_open=False, **words).network == "wfnb"
    assert way_to(url, gateways=gateways, is_open=True, **words).network == "bridge"
    far = way_to("redis://:secret@db.example:6379", gateways=gateways, is_open=False, **words)
    assert far.network == "bridge"
    assert "db.example" in far.beware
    assert "secret" not in far.beware


def test_certificates_go_along_where_they_can_be_read(tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    url = f"rediss://:secret@db.example:6379?ssl_ca_certs={authority}"
    words = {"gateways": {}, "is_open": False, "daemon": "d"}
    way = way_to(url, is_near=True, **words)
    assert way.mounts == ((str(authority), "/run/wfnb/tls/ssl_ca_certs"),)
    assert dict(parse(way.url).tls_files) == {"ssl_ca_certs": "/run/wfnb/tls/ssl_ca_certs"}
    with pytest.raises(BackendError, match="on the daemon's machine"):
        way_to(url, is_near=False, **words)


def test_our_own_network_is_made_when_it_is_needed_and_goes_when_it_is_empty(containers):
    url = f"redis://:secret@{GATEWAY}:6379"
    assert containers.way(url, is_open=False).network == "wfnb"
    assert containers.way(url, is_open=False).beware == ""
    with Daemon() as daemon:
        (network,) = daemon.client.api.networks(names=["wfnb"])
        assert network["Internal"]
        containers.leave()
        assert daemon.client.api.networks(names=["wfnb"]) == []
