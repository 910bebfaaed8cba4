"""The backend of containers as its users meet it: sessions, magics, the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker import daemons
from tests.docker.connected import containers_of, docker_session
from tests.docker.inmates import add, look_around, stumble, swell
from tests.waiting import wait_until
from wfnb import Resources, cli, doctor, task
from wfnb.choices import Choices
from wfnb.errors import BackendError, ImageError, OptionError, TaskError
from wfnb.loads import told_loads
from wfnb.session import Session
from wfnb.signing import key_path
from wfnb.storage import embedded
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.stock import Stock
from wfnb.workers.poolfiles import files_of

PATIENCE_SECONDS = 60.0


@pytest.fixture
def session() -> Iterator[Session]:
    with docker_session(workers=2, resources=Resources(memory="256MB")) as session:
        yield session


def test_from_inside_a_task_nothing_can_be_done_but_work(session: Session) -> None:
    found = session.run(look_around(), timeout=PATIENCE_SECONDS)
    assert found["user"] == (65534, 65534)
    assert found["capabilities"] == [0, 0, 0, 0]
    assert (found["no new privileges"], found["seccomp"]) == ("1", "2")
    assert found["networks"] == []
    assert found["root"] == "ro"
    assert found["docker"] is False
    assert found["processes"] == "256"
    assert found["key"] == ("tmpfs", "0o600")


def test_docker_can_show_neither_the_key_nor_the_stores_password(
    session: Session, dockerd: Daemon
) -> None:
    assert session.run(add(1, 2), timeout=PATIENCE_SECONDS) == 3
    (container,) = containers_of(session.connection().backend.key)
    shown = json.dumps(dockerd.client.api.inspect_container(container))
    password = embedded.ensure().worker_url.partition("@")[0].rpartition(":")[2]
    assert len(password) > 8
    assert password not in shown
    assert key_path().read_bytes().hex() not in shown
    dockerd.close()


def test_another_kernel_that_chose_nothing_resumes_a_run(session: Session) -> None:
    run = session.start(stumble(0), add(1))
    assert run.wait(PATIENCE_SECONDS)
    other = Session()
    there = other.attach(run.id)
    assert there.status == "failed"
    there.resume()
    assert there.wait(PATIENCE_SECONDS)
    assert [record.type for record in there.errors] == ["ZeroDivisionError"] * 2
    labels = there.timeline.crew.labels.values()
    assert all(label.startswith("container ") for label in labels)
    assert other.connection("docker").backend is not session.connection().backend
    other.close()


def test_a_killed_fleet_is_started_again_and_the_run_goes_on(session: Session) -> None:
    assert session.run(add(1), timeout=PATIENCE_SECONDS) == 1
    files = files_of(session.connection().backend.key)
    first = files.pid()
    assert first is not None
    os.kill(first, 9)
    wait_until(lambda: files.pid() is None, description="it is dead")
    big = task(add.function, resources=Resources(memory="300MB"), name="big")
    assert session.run(big(1, 2), timeout=PATIENCE_SECONDS) == 3
    assert files.pid() not in (None, first)


def test_a_task_that_has_no_room_is_refused_before_anything_is_written(session: Session) -> None:
    known = len(session.runs())
    for size, words in (
        (Resources(cpus=1000), "wants 1000 cpus"),
        (Resources(memory="50TB"), "wants 50TB, and for containers, Docker has"),
    ):
        big = task(add.function, resources=size, name="big")
        with pytest.raises(BackendError, match=f"big-0 {words}.*give it Resources with"):
            session.start(big(1))
    assert len(session.runs()) == known


def test_a_task_out_of_memory_gets_more_when_it_says_so(session: Session) -> None:
    small = Resources(memory="100MB")
    run = session.start(task(swell.function, resources=small, name="small")())
    with pytest.raises(TaskError, match=r"its limit is 100\.0 MB"):
        run.result(PATIENCE_SECONDS)
    run = session.start(task(swell.function, resources=small, more_memory=3, name="more")())
    assert run.result(PATIENCE_SECONDS) == 200_000_000
    assert [record.kind for record in run.errors] == ["memory"]


def test_the_crew_is_told_with_container_image_limits_and_use(session: Session) -> None:
    assert session.run(add(1, 2), timeout=PATIENCE_SECONDS) == 3
    wait_until(lambda: session.crew()[0].load.memory_bytes, description="its sample is there")
    (member,) = session.crew()
    assert member.label == f"container {member.load.container}"
    assert member.load.image.startswith("wfnb-worker:")
    assert member.load.limit_bytes == 256_000_000
    assert 5_000_000 < (member.load.memory_bytes or 0) < 256_000_000
    assert (member.tasks, member.is_cold) == (1, True)
    assert "cold" in repr(session.crew())
    assert session.run(add(1, 2), timeout=PATIENCE_SECONDS) == 3
    assert session.crew()[0].is_cold is False


def test_the_command_line_lists_fleet_and_containers_and_stops_them(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert session.run(add(1, 2), timeout=PATIENCE_SECONDS) == 3
    key = session.connection().backend.key
    (container,) = containers_of(key)
    wait_until(
        lambda: [load.state for load in told_loads(session.store.pools()).values()] == ["idle"],
        description="its container says that it is idle",
    )
    assert cli.main(["pool", "list"]) == 0
    told = capsys.readouterr().out
    assert key in told
    assert container[:12] in told
    assert "limit MB" in told
    findings = [str(finding) for finding in doctor.examine(session)]
    docker = "\n".join(finding for finding in findings if " Docker " in finding)
    assert "cgroup" in docker
    assert "image wfnb-worker:" in docker
    assert "1 idle" in docker
    assert cli.main(["pool", "stop"]) == 0
    wait_until(lambda: not containers_of(key), timeout_seconds=20, description="they are gone")


def test_without_an_image_the_command_that_makes_one_is_told(
    session: Session, tmp_path: Path
) -> None:
    with daemons.Dockerd(tmp_path) as other:
        bare = Session(Choices(backend="docker", hosts=(other.url,)))
        with pytest.raises(ImageError, match=f"`wfnb image build --host {other.url}`.*build=True"):
            bare.connection().backend.serve()
        bare.close()
    with pytest.raises(BackendError, match="no Docker daemon answers"):
        Stock((other.url,), image=None, is_built=False, tell=print).worker_image  # noqa: B018
    with pytest.raises(ImageError, match="has no image nowhere:1"):
        Stock((), image="nowhere:1", is_built=False, tell=print).worker_image  # noqa: B018


def test_a_host_without_the_image_gets_it_from_another(
    dockerd: Daemon, worker_image: str, tmp_path: Path
) -> None:
    told: list[str] = []
    with daemons.Dockerd(tmp_path) as other, Daemon(other.url) as second:
        here = "unix:///var/run/docker.sock"
        stock = Stock((here, other.url), image=worker_image, is_built=False, tell=told.append)
        assert stock.worker_image == worker_image
        copy, original = second.image(worker_image), dockerd.image(worker_image)
        assert copy is not None
        assert original is not None
        assert copy.id == original.id
    assert told == [f"copying {worker_image} from {here} to {other.url}"]
    told.clear()
    stock = Stock((here, other.url), image=worker_image, is_built=False, tell=told.append)
    assert stock.worker_image == worker_image
    assert "its machine is left out" in told[0]
    dockerd.close()


def test_what_is_for_containers_is_refused_where_there_are_none() -> None:
    session = Session()
    with pytest.raises(OptionError, match="image='x' is for containers: say backend='docker'"):
        session.connect(image="x")
    with pytest.raises(OptionError, match="give addresses such as"):
        session.connect(backend="docker", hosts=("",))
