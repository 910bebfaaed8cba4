"""A fleet: containers come when they are wanted, stay warm, make room for each other, and go."""

from __future__ import annotations

import time

import pytest

from tests.fleets import PATIENCE_SECONDS, SMALL, inspected
from tests.sailing import add, collect, rest, smaller, where
from tests.waiting import wait_until
from wfnb import Resources
from wfnb.freezing import freeze
from wfnb.plan import Placement, Plan

LARGE = Resources(memory="200MB")


def hold(fleet, *names, resources=SMALL, seconds=60.0):
    """A run that keeps as many containers busy, all of them at their tasks."""
    run = fleet.run(*[rest(seconds, name) for name in names], resources=resources)
    wait_until(
        lambda: sum(len(s.claims) for s in fleet.store.crew(run.id).values()) == len(names),
        timeout_seconds=PATIENCE_SECONDS,
        description="containers are at work",
    )
    return run


def result_of(run):
    return run.result(PATIENCE_SECONDS)


def test_a_container_comes_for_a_run_and_serves_the_next_one_warm(fleet_of):
    with fleet_of() as fleet:
        assert result_of(fleet.run(add(1, 2))) == 3
        (container,) = fleet.containers()
        begin = time.monotonic()
        assert result_of(fleet.run(where())) == container[:12]
        assert time.monotonic() - begin < 0.3, "no interpreter starts for that"
        assert fleet.containers() == [container]
        cold = [start.is_cold for start in fleet.store.starts(fleet.list())]
        assert cold == [False, True]


def test_containers_start_in_parallel_up_to_the_bound(fleet_of):
    with fleet_of(workers=3) as fleet:
        run = hold(fleet, *"abc")
        begun = []
        for container in fleet.containers():
            with inspected(container) as about:
                begun.append((about["Created"], about["State"]["StartedAt"]))
        assert len(begun) == 3
        assert max(created for created, _ in begun) < min(started for _, started in begun)
        more = fleet.run(*[rest(0.0, name) for name in "xyz"])
        run.cancel()
        assert result_of(more) == ("x", "y", "z")
        assert len(fleet.containers()) == 3


def test_at_the_bound_an_idle_container_of_another_kind_makes_room(fleet_of):
    with fleet_of(workers=1) as fleet:
        result_of(fleet.run(where()))
        assert result_of(fleet.run(where(), resources=LARGE))
        assert not fleet.containers(SMALL)
        assert len(fleet.containers(LARGE)) == 1


def test_containers_never_have_more_memory_together_than_the_fleet_may_use(fleet_of):
    with fleet_of(workers=9, memory_bytes=300_000_000) as fleet:
        run = hold(fleet, *"ab")
        other = fleet.run(rest(0.0, "later"), resources=LARGE)
        wait_until(
            lambda: fleet.announced(LARGE).get("waiting") == "1", description="the fleet knows"
        )
        assert not fleet.containers(LARGE)
        run.cancel()
        assert result_of(other) == "later"
        assert not fleet.containers(SMALL)


def test_kinds_take_turns_and_no_work_is_lost_for_it(fleet_of):
    with fleet_of(workers=1) as fleet:
        long = fleet.run(*[rest(0.05, str(number)) for number in range(400)])
        wait_until(fleet.containers, timeout_seconds=PATIENCE_SECONDS, description="it has begun")
        short = fleet.run(smaller())
        assert result_of(short)
        assert long.status == "running", "it had its turn, and gets the next"
        assert not long.errors
        long.cancel()


def test_runs_whose_planned_workers_wait_for_each_other_do_not_stop_the_fleet(fleet_of):
    def planned():
        graph = freeze([collect(rest(0.5, "first"), rest(0.0, "second"))])
        names = dict(zip(graph, ("w1", "w2", "w1"), strict=True))
        return Plan(graph, {t: Placement(resources=SMALL, worker=names[t]) for t in graph})

    with fleet_of(workers=1) as fleet:
        runs = [fleet.run(plan=planned()) for _ in range(2)]
        for run in runs:
            assert result_of(run) == ["first", "second"]


def test_a_killed_fleet_leaves_its_containers_to_the_next(fleet_of):
    with fleet_of() as fleet:
        run = hold(fleet, "a", seconds=2.0)
        (container,) = fleet.containers()
        fleet.kill()
        assert result_of(run) == "a", "nobody is needed for what has begun"
        fleet.start()
        assert result_of(fleet.run(where())) == container[:12]
        assert fleet.containers() == [container]


def test_a_fleet_that_is_stopped_before_it_has_looked_leaves_nothing_either(fleet_of):
    with fleet_of() as fleet:
        result_of(fleet.run(where()))
        fleet.kill()
        fleet.start()
        wait_until(fleet.files.pid, description="the next has begun")
        fleet.stop()
        assert not fleet.containers(is_running=False)


def test_the_dead_of_an_earlier_fleet_are_taken_away(fleet_of, dockerd):
    with fleet_of() as fleet:
        result_of(fleet.run(where()))
        (container,) = fleet.containers()
        fleet.kill()
        dockerd.client.api.kill(container)
        fleet.start()
        wait_until(
            lambda: not fleet.containers(is_running=False),
            timeout_seconds=PATIENCE_SECONDS,
            description="it is removed",
        )


def test_a_fleet_that_is_stopped_gives_its_work_back_unblamed_and_leaves_nothing(fleet_of):
    with fleet_of() as fleet:
        run = hold(fleet, *"ab")
        wait_until(lambda: fleet.announced()["containers"] == "2", description="both are announced")
        fleet.stop()
        assert not fleet.containers(is_running=False)
        assert not fleet.announced()
        assert not run.errors
        assert not fleet.store.crew(run.id)


def test_idle_containers_go_and_then_the_fleet_does(fleet_of):
    with fleet_of(idle_seconds=1.0) as fleet:
        result_of(fleet.run(where()))
        wait_until(
            lambda: fleet.files.pid() is None,
            timeout_seconds=PATIENCE_SECONDS,
            description="the fleet has gone",
        )
        assert not fleet.containers(is_running=False)
        assert not fleet.announced()


def test_of_two_fleets_one_stays(fleet_of):
    with fleet_of() as fleet:
        wait_until(fleet.files.pid, description="the fleet is there")
        other = fleet.process
        fleet.start()
        assert fleet.process.wait(10) == 0
        fleet.process = other
        assert fleet.files.pid() == other.pid


def test_a_living_fleet_grows_when_a_client_wants_more(fleet_of):
    with fleet_of(workers=1) as fleet:
        fleet.files.want(2)
        hold(fleet, *"ab")


@pytest.mark.parametrize(
    ("image", "resources", "words"),
    [
        ("wfnb-worker:none", SMALL, "wfnb image build"),
        (None, Resources(memory="900TB"), "900,000,000 MB"),
        ("wfnb-test-base:bookworm", SMALL, "wfnb"),
    ],
)
def test_why_there_are_no_containers_is_told(fleet_of, image, resources, words):
    with fleet_of() as fleet:
        fleet.image = image or fleet.image
        fleet.run(where(), resources=resources)
        wait_until(
            lambda: fleet.announced(resources).get("trouble"),
            timeout_seconds=PATIENCE_SECONDS,
            description="the trouble is told",
        )
        assert words in fleet.announced(resources)["trouble"]


def test_an_image_that_comes_later_is_used_at_last(fleet_of, dockerd):
    with fleet_of() as fleet:
        known, fleet.image = fleet.image, "wfnb-worker:later"
        run = fleet.run(where())
        wait_until(
            lambda: fleet.announced(SMALL).get("trouble"),
            timeout_seconds=PATIENCE_SECONDS,
            description="the trouble is told",
        )
        try:
            dockerd.client.api.tag(known, "wfnb-worker", "later")
            assert result_of(run)
            wait_until(lambda: not fleet.announced(SMALL)["trouble"], description="all is well")
        finally:
            dockerd.remove("wfnb-worker:later")


def test_without_a_daemon_the_fleet_says_so_and_goes_on_asking(fleet_of):
    with fleet_of(hosts=("unix:///nowhere/docker.sock",)) as fleet:
        wait_until(
            lambda: fleet.announced().get("trouble"),
            timeout_seconds=PATIENCE_SECONDS,
            description="the trouble is told",
        )
        assert "no Docker daemon answers at unix:///nowhere" in fleet.announced()["trouble"]


def test_requests_of_a_run_that_has_ended_are_no_demand(fleet_of):
    with fleet_of() as fleet:
        known, fleet.image = fleet.image, "wfnb-worker:none"
        run = fleet.run(where(), where())
        wait_until(lambda: fleet.announced(SMALL).get("waiting") == "2", description="it is wanted")
        run.cancel()
        wait_until(
            lambda: fleet.announced(SMALL)["waiting"] == "0",
            timeout_seconds=PATIENCE_SECONDS,
            description="nobody wants it any more",
        )
        fleet.image = known
        assert result_of(fleet.run(where()))
