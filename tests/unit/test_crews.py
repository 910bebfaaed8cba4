"""Who works on a run, and what each uses: as tables and pages are told it."""

from __future__ import annotations

import os
import platform
from typing import Any

import pytest

from tests.pictured import chain, timeline_of
from tests.shells import the_shell
from wfnb.commands import choices_of, parser
from wfnb.crews import CrewTable, crew_of
from wfnb.errors import OptionError
from wfnb.events import WorkerJoined, WorkerLeft
from wfnb.loads import LOOK_SECONDS, Load, Loads, told_loads
from wfnb.resources import Resources
from wfnb.shells import hides_builtin
from wfnb.widgets.crew import CrewFeed

__all__ = ["the_shell"]

BOX = "container 0123456789ab"
TOLD = {
    "entry": "container",
    "container": "0123456789ab",
    "image": "wfnb-worker:1",
    "cpus": "0.5",
    "memory_bytes": "256000000",
    "used_bytes": "64000000",
    "peak_bytes": "128000000",
    "cpu_percent": "12.5",
    "state": "idle",
    "calls": "7",
    "cold_seconds": "0.4",
}


class Announcing:
    """A store as far as loads are concerned."""

    def __init__(self) -> None:
        self.looks = 0

    def pools(self) -> dict[str, dict[str, str]]:
        self.looks += 1
        return {BOX: TOLD, "docker:host:1": {"entry": "fleet", "pid": "1"}}


def crewed() -> Any:
    timeline = timeline_of(chain(2), {})
    for event in (
        WorkerJoined(at_seconds=1.0, worker="w1", label=BOX, waited_seconds=0.45, is_cold=True),
        WorkerJoined(at_seconds=2.0, worker="w2", label="far pid 7", waited_seconds=0.001),
        WorkerLeft(at_seconds=3.0, worker="w2"),
    ):
        timeline.record(event)
    return timeline


def test_containers_tell_what_they_use_and_others_are_not_taken_for_them() -> None:
    assert told_loads(Announcing().pools()) == {
        BOX: Load(
            container="0123456789ab",
            image="wfnb-worker:1",
            state="idle",
            cpus=0.5,
            cpu_percent=12.5,
            memory_bytes=64_000_000,
            peak_bytes=128_000_000,
            limit_bytes=256_000_000,
            start_seconds=0.4,
            calls=7,
        )
    }


def test_what_makes_no_sense_is_not_known() -> None:
    (load,) = told_loads({BOX: TOLD | {"cpus": "many", "used_bytes": ""}}).values()
    assert (load.cpus, load.memory_bytes) == (None, None)


def test_the_store_is_asked_once_a_second_however_often_somebody_looks() -> None:
    store = Announcing()
    loads = Loads(lambda: store)  # type: ignore[arg-type,return-value]
    assert [loads.look([BOX])[BOX].calls for _ in range(50)] == [7] * 50
    assert store.looks == 1
    loads._due -= LOOK_SECONDS
    loads.look([BOX])
    assert store.looks == 2


def test_of_processes_this_host_knows_itself_and_asks_no_store() -> None:
    store = Announcing()
    mine = f"{platform.node()} pid {os.getpid()}"
    loads = Loads(lambda: store)  # type: ignore[arg-type,return-value]
    (load,) = loads.look([mine]).values()
    assert load.memory_bytes is not None
    assert load.memory_bytes > 1_000_000
    assert load.cpu_percent is None, "the first look has nothing to compare with"
    loads._due -= LOOK_SECONDS
    assert loads.look([mine])[mine].cpu_percent is not None
    loads._due -= LOOK_SECONDS
    assert loads.look([f"{platform.node()} pid 4194304"]) == {}
    assert store.looks == 0


def test_a_crew_is_a_table_with_units_in_its_headings_and_no_empty_column() -> None:
    crew = crew_of(crewed(), told_loads(Announcing().pools()))
    headings, first, second = repr(crew).splitlines()
    assert "limit MB" in headings
    assert first.split()[:8] == ["w1", *BOX.split(), "wfnb-worker:1", "0.5", "12", "64", "256"]
    assert first.split()[-1] == "idle"
    assert second.split()[-1] == "gone"
    plain = repr(crew_of(crewed(), {}))
    assert "image" not in plain
    assert "limit" not in plain
    assert repr(CrewTable()) == "no worker has come yet"


def test_a_page_is_told_of_a_crew_when_something_has_changed() -> None:
    store = Announcing()
    feed = CrewFeed(Loads(lambda: store))  # type: ignore[arg-type,return-value]
    timeline = crewed()
    told = feed.told(timeline)["c"]
    assert told["w1"] == {
        "container": "0123456789ab",
        "image": "wfnb-worker:1",
        "state": "idle",
        "cpus": 0.5,
        "percent": 12,
        "memory": 64_000_000,
        "peak": 128_000_000,
        "limit": 256_000_000,
        "cold": True,
        "waited": 0.45,
    }
    assert told["w2"] == {"cold": False, "waited": 0.001}
    assert feed.told(timeline) == {}


def test_what_connect_is_told_in_words_is_what_it_is_told_in_python() -> None:
    line = "connect --backend docker --workers 4 --memory 512MB --cpus 0.5 --image a --host b"
    asked = parser().parse_args([*line.split(), "--host", "c", "--build"])
    chosen = choices_of(asked)
    assert (chosen.backend, chosen.workers, chosen.image) == ("docker", 4, "a")
    assert chosen.resources == Resources(cpus=0.5, memory="512MB")
    assert (chosen.hosts, chosen.build) == (("b", "c"), True)
    assert choices_of(parser().parse_args(["connect"])).resources == Resources()
    with pytest.raises(OptionError, match="512 Quatloos"):
        choices_of(parser().parse_args(["connect", "--memory", "512 Quatloos"]))


def test_what_ipython_puts_before_a_builtin_is_not_the_users(the_shell: Any) -> None:
    names = the_shell.user_ns
    assert hides_builtin("open", names["open"])
    assert not hides_builtin("open", open)
    assert not hides_builtin("mine", names["open"])
