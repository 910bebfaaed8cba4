"""What is said of containers that die, and that their tasks run again elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docker.daemons import Dockerd, MissingError, copy_image
from tests.fleets import PATIENCE_SECONDS, SMALL, inspected
from tests.sailing import have_the_supervisor_killed, kill_the_container, rest, where
from tests.waiting import wait_until
from wfnb.errors import TaskError
from wfnb.storage import MOST_LOSSES, embedded
from wfnb.workers.docker.daemon import Daemon

TOLD_SECONDS = 1.0


def kill(container, daemon):
    daemon.client.api.kill(container)


def remove(container, daemon):
    daemon.client.api.remove_container(container, force=True)


def kill_on_the_host(container, daemon):
    about = daemon.client.api.inspect_container(container)
    os.kill(about["State"]["Pid"], signal.SIGKILL)


def told(run, since, *, within=TOLD_SECONDS):
    wait_until(lambda: run.errors, timeout_seconds=PATIENCE_SECONDS, description="it is told")
    assert time.monotonic() - since < within
    return run.errors


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (kill, "killed from outside wfnb, through Docker (SIGKILL)"),
        (remove, "removed by hand"),
        (kill_on_the_host, "killed (SIGKILL), not by Docker and not for its memory"),
    ],
)
def test_who_ends_a_container_is_told_and_its_task_runs_elsewhere(fleet_of, dockerd, end, words):
    with fleet_of() as fleet:
        run = fleet.run(where(1.0))
        container = fleet.at_work()
        begin = time.monotonic()
        end(container, dockerd)
        (record,) = told(run, begin)
        assert record.kind == "lost"
        assert words in record.message
        assert f"container {container[:12]}" in record.message
        assert run.result(PATIENCE_SECONDS) != container[:12]
        assert len(run.errors) == 1


def test_a_container_that_is_stopped_by_hand_gives_its_work_back(fleet_of, dockerd):
    with fleet_of() as fleet:
        run = fleet.run(where(1.0))
        container = fleet.at_work()
        dockerd.client.api.stop(container, timeout=5)
        assert run.result(PATIENCE_SECONDS) != container[:12]
        assert not run.errors


def test_a_container_out_of_memory_is_told_with_its_limit(fleet_of):
    with fleet_of(workers=1) as fleet:
        run = fleet.run(have_the_supervisor_killed())
        with pytest.raises(TaskError):
            run.result(PATIENCE_SECONDS)
        assert {record.kind for record in run.errors} == {"memory"}
        assert f"{SMALL.memory_bytes / 1e6:.1f} MB" in run.errors[0].message
        assert "the kernel killed it" in run.errors[0].message, "as the fleet tells it"
        assert run.errors[0].type == "MemoryLimitExceeded"


def test_a_task_that_kills_its_container_each_time_fails_in_the_end(fleet_of):
    with fleet_of() as fleet:
        run = fleet.run(kill_the_container())
        with pytest.raises(TaskError):
            run.result(PATIENCE_SECONDS)
        assert [record.kind for record in run.errors] == ["lost"] * MOST_LOSSES
        assert "container" in run.errors[-1].message
        assert fleet.run(where()).result(PATIENCE_SECONDS), "others are served as before"


def test_a_death_that_no_fleet_has_seen_is_told_by_the_next(fleet_of, dockerd):
    with fleet_of() as fleet:
        run = fleet.run(where(1.0))
        container = fleet.at_work()
        fleet.kill()
        kill(container, dockerd)
        begin = time.monotonic()
        fleet.start()
        (record,) = told(run, begin, within=5.0)
        assert "SIGKILL" in record.message
        assert run.result(PATIENCE_SECONDS) != container[:12]


@pytest.fixture(scope="module")
def other_dockerd(dockerd, worker_image, tmp_path_factory):
    """A daemon of the tests' own, that they may restart."""
    try:
        with Dockerd(tmp_path_factory.mktemp("dockerd")) as other:
            with Daemon(other.url) as daemon:
                copy_image(worker_image, dockerd, daemon)
            dockerd.close()
            yield other
    except MissingError as error:
        pytest.skip(str(error))


def test_a_restarted_daemon_is_told_and_the_work_goes_on(fleet_of, other_dockerd):
    with fleet_of(hosts=(other_dockerd.url,)) as fleet:
        run = fleet.run(where(2.0))
        fleet.at_work()
        other_dockerd.stop()
        assert not run.errors
        other_dockerd.start()
        assert run.result(PATIENCE_SECONDS)
        assert all("aemon" in record.message for record in run.errors)


def test_a_daemon_that_crashes_loses_nothing_until_it_is_back(fleet_of, other_dockerd):
    with fleet_of(hosts=(other_dockerd.url,)) as fleet:
        run = fleet.run(rest(60.0, "long"))
        container = fleet.at_work()
        os.kill(other_dockerd.pid, signal.SIGKILL)
        wait_until(
            lambda: fleet.announced().get("trouble"),
            timeout_seconds=PATIENCE_SECONDS,
            description="that it is away is told",
        )
        assert len(fleet.store.crew(run.id)) == 1, "its containers beat by themselves"
        assert not run.errors
        other_dockerd.kill()
        other_dockerd.start()
        wait_until(
            lambda: fleet.at_work() != container,
            timeout_seconds=PATIENCE_SECONDS,
            description="it runs elsewhere",
        )
        assert all("aemon" in record.message for record in run.errors)


def test_with_its_server_gone_for_a_moment_a_fleet_goes_on(fleet_of, private_store):
    with fleet_of() as fleet:
        fleet.run(where()).result(PATIENCE_SECONDS)
        (container,) = fleet.containers()
        embedded.stop()
        embedded.ensure()
        assert fleet.run(where()).result(PATIENCE_SECONDS) == container[:12]
        with inspected(container) as about:
            assert about["RestartCount"] == 0


@pytest.fixture
def full_dockerd(dockerd, worker_image):
    """A daemon with a small disk, and a file that fills it."""
    with tempfile.TemporaryDirectory(prefix="wf", dir="/tmp") as name:
        folder = Path(name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=768m", "tmpfs", name], check=True)
        try:
            with Dockerd(folder) as small:
                with Daemon(small.url) as daemon:
                    copy_image(worker_image, dockerd, daemon)
                dockerd.close()
                filler = folder / "filler"
                fill(filler)
                yield small, filler
        except MissingError as error:
            pytest.skip(str(error))
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_is_named_and_when_there_is_room_again_work_goes_on(fleet_of, full_dockerd):
    small, filler = full_dockerd
    with fleet_of(hosts=(small.url,)) as fleet:
        run = fleet.run(where())
        wait_until(
            lambda: fleet.announced(SMALL).get("trouble"),
            timeout_seconds=PATIENCE_SECONDS,
            description="that is told",
        )
        assert "disk" in fleet.announced(SMALL)["trouble"]
        assert "full" in fleet.announced(SMALL)["trouble"]
        filler.unlink()
        assert run.result(PATIENCE_SECONDS)
