"""What a fleet decides, without any Docker: starts, stops, turns, and what it says of the dead."""

from __future__ import annotations

import pytest

from wfnb.storage import Identity, Seat
from wfnb.workers.docker.containers import Fate, Found, Machine, Notice
from wfnb.workers.docker.deaths import Evidence, verdict_of
from wfnb.workers.docker.demand import Demand
from wfnb.workers.docker.dock import Down, Examined, Failed, Gone, Made, Noticed, Order, Up
from wfnb.workers.docker.fleet import (
    MOST_CONTAINERS,
    TURN_SECONDS,
    Dismiss,
    Host,
    Member,
    Phase,
    Scene,
    Start,
    Stop,
    decide,
    why_never,
)
from wfnb.workers.docker.fleetfiles import forget_kinds, want_kinds, wanted_kinds
from wfnb.workers.docker.kinds import Kind
from wfnb.workers.docker.letter import label_of
from wfnb.workers.docker.roster import AWAY_SECONDS, MOST_FAILURES, SETTLE_SECONDS, Roster
from wfnb.workers.poolfiles import files_of

MB = 10**6
SMALL = Kind(image="i", memory_bytes=100 * MB)
OTHER = Kind(image="j", memory_bytes=100 * MB)
LARGE = Kind(image="i", memory_bytes=700 * MB)
SHARED = Kind(image="i")
ONE = Host(name="one", cpus=2, memory_bytes=1000 * MB)
TWO = Host(name="two", cpus=4, memory_bytes=1000 * MB)


def member(name, kind=SMALL, phase=Phase.IDLE, host="one", since=0.0):
    memory = kind.memory_bytes or 500 * MB
    return Member(id=name, kind=kind, host=host, phase=phase, memory_bytes=memory, since=since)


def decided(requests, members=(), hosts=(ONE,), workers=4, **words):
    return decide(
        Scene(requests=requests, members=list(members), hosts=list(hosts), workers=workers, **words)
    )


def started(actions):
    return [action.kind for action in actions if isinstance(action, Start)]


def stopped(actions):
    return [action.id for action in actions if isinstance(action, Stop)]


def test_as_many_are_started_at_once_as_there_are_requests():
    assert started(decided({SMALL: 3})) == [SMALL] * 3


def test_one_that_is_starting_will_take_a_request():
    starting = member("a", phase=Phase.STARTING)
    assert started(decided({SMALL: 2}, [starting])) == [SMALL]


def test_no_more_are_at_work_than_may_be():
    busy = [member(str(n), phase=Phase.BUSY) for n in range(3)]
    assert started(decided({SMALL: 5}, busy)) == [SMALL]


def test_memory_is_never_promised_twice():
    assert started(decided({LARGE: 2, SMALL: 9}, workers=20)) == [LARGE, SMALL, SMALL, SMALL]


def test_without_a_size_a_container_gets_its_share_of_the_host():
    actions = decided({SHARED: 5}, workers=4)
    assert [action.memory_bytes for action in actions] == [250 * MB] * 4


def test_containers_are_spread_over_hosts_by_free_memory():
    actions = decided({SMALL: 4}, [member("a", LARGE)], hosts=[ONE, TWO], workers=9)
    assert [action.host for action in actions] == ["two"] * 4
    actions = decided({SMALL: 4}, hosts=[ONE, TWO], workers=9)
    assert sorted(action.host for action in actions) == ["one", "one", "two", "two"]


def test_a_host_that_is_away_or_failed_just_now_gets_nothing():
    away = Host(name="one", cpus=2, memory_bytes=1000 * MB, is_up=False)
    assert [action.host for action in decided({SMALL: 2}, hosts=[away, TWO])] == ["two"] * 2
    barred = frozenset({("two", SMALL)})
    assert [a.host for a in decided({SMALL: 2}, hosts=[ONE, TWO], barred=barred)] == ["one"] * 2


def test_at_the_bound_the_least_recently_used_of_another_kind_goes():
    idle = [member("new", since=9.0), member("old", since=1.0)]
    assert decided({OTHER: 1}, idle, workers=2) == [Stop("old")]


def test_only_as_many_go_as_it_takes():
    idle = [member(str(n), since=n) for n in range(8)]
    assert stopped(decided({LARGE: 1}, idle, workers=20)) == ["0", "1", "2", "3", "4"]


def test_what_goes_already_is_waited_for():
    going = member("a", phase=Phase.STOPPING)
    assert decided({OTHER: 1}, [going, member("b")], workers=2) == []


def test_idle_ones_of_a_kind_that_is_wanted_are_left_alone():
    assert stopped(decided({OTHER: 1, SMALL: 1}, [member("a")], workers=1)) == []


def test_on_another_host_one_may_go_for_the_number_but_not_for_the_memory():
    full = [member("a", LARGE, Phase.BUSY), member("b", host="two")]
    far = Host(name="two", cpus=0, memory_bytes=1000 * MB)
    assert stopped(decided({SMALL: 1}, full, hosts=[ONE, far], workers=2)) == []
    assert stopped(decided({OTHER: 1}, full, hosts=[ONE, far], workers=2)) == ["b"]
    assert stopped(decided({LARGE: 1}, full, hosts=[ONE, far], workers=9)) == []


def test_kinds_take_turns():
    assert started(decided({SMALL: 9, OTHER: 9}, workers=4)) == [SMALL, OTHER, SMALL, OTHER]


def test_small_ones_do_not_starve_a_large_one_that_is_first_in_turn():
    busy = [member(str(n), phase=Phase.BUSY) for n in range(5)]
    assert started(decided({LARGE: 1, SMALL: 5}, busy, workers=20)) == []
    assert started(decided({SMALL: 5, LARGE: 1}, busy, workers=20)) == [SMALL] * 5


def test_a_kind_without_room_gets_the_place_of_one_that_has_had_its_turn():
    busy = [member("a", phase=Phase.BUSY)]
    wait = {OTHER: TURN_SECONDS}
    assert decided({OTHER: 1}, busy, workers=1, waited_seconds={OTHER: 1.0}) == []
    assert decided({OTHER: 1}, busy, workers=1, waited_seconds=wait) == [Dismiss(SMALL)]
    assert decided({OTHER: 1}, busy, workers=1, waited_seconds=wait, dismissed=1) == []
    assert decided({SMALL: 1}, busy, workers=1, waited_seconds={SMALL: TURN_SECONDS}) == []


def test_planned_workers_that_wait_do_not_keep_others_from_working():
    waiting = [member(str(n), phase=Phase.WAITING) for n in range(4)]
    assert started(decided({SMALL: 1}, waiting, workers=1)) == [SMALL]
    many = [member(str(n), phase=Phase.WAITING) for n in range(MOST_CONTAINERS)]
    roomy = Host(name="one", cpus=2, memory_bytes=10**12)
    busy = [member("b", phase=Phase.BUSY), *many[1:]]
    assert decided({SMALL: 1}, busy, hosts=[roomy], workers=1) == []


def test_where_all_wait_for_each_other_one_goes():
    waiting = [member("a", LARGE, Phase.WAITING, since=2.0), member("b", OTHER, Phase.WAITING)]
    assert decided({LARGE: 1}, waiting) == [Stop("b")]
    assert decided({LARGE: 1}, [*waiting, member("c", OTHER, Phase.BUSY)]) == []


def test_nobody_gives_up_a_place_for_what_cannot_start_anyway():
    waiting = [member("a", LARGE, Phase.WAITING)]
    busy = [member("a", LARGE, Phase.BUSY)]
    wait = {OTHER: TURN_SECONDS}
    barred = frozenset({("one", OTHER)})
    assert decided({OTHER: 1}, waiting, workers=0, barred=barred) == []
    assert decided({OTHER: 1}, busy, workers=1, waited_seconds=wait, barred=barred) == []
    huge = Kind(image="i", memory_bytes=9999 * MB)
    assert decided({huge: 1}, waiting) == []


def test_what_no_host_can_ever_have_is_told_with_both_sizes():
    assert why_never(SMALL, [ONE]) == ""
    assert "5,000 MB" in why_never(Kind(image="i", memory_bytes=5000 * MB), [ONE, TWO])
    assert "9 cpus" in why_never(Kind(image="i", cpus=9), [ONE, TWO])
    assert decided({Kind(image="i", cpus=9): 1}) == []


def test_where_a_worker_may_be_about_to_take_a_request_it_gets_a_moment():
    demand = Demand()
    demand.look({SMALL: 1}, 0.0)
    assert demand.unmet([]) == {SMALL: 1}
    assert demand.unmet([SMALL]) == {}
    demand.look({SMALL: 2}, 0.02)
    assert demand.unmet([SMALL]) == {SMALL: 1}


def test_the_kind_that_was_served_last_comes_last():
    demand = Demand()
    demand.look({SMALL: 1, OTHER: 1}, 1.0)
    demand.served(SMALL, 1.0)
    assert list(demand.unmet([])) == [OTHER, SMALL]
    assert demand.waited(3.0) == {SMALL: 2.0, OTHER: 2.0}
    demand.look({SMALL: 0, OTHER: 1}, 4.0)
    assert demand.waited(5.0) == {OTHER: 4.0}


def test_the_word_for_one_to_go_is_no_demand():
    demand = Demand()
    demand.dismissed.add(SMALL)
    demand.look({SMALL: 1}, 0.0)
    assert not demand.total


def seat(queue="1cpu", **claims):
    return Seat(identity=Identity("w1:1"), generation=1, queue=queue, claims=claims)


def ended(code, *, was_oom=False):
    return Fate(exit_code=code, was_oom=was_oom, memory_bytes=512 * MB)


def found(name, *, is_running=True):
    return Found(name, SMALL, 100 * MB, is_running, 0.0)


def up(*containers, host="one"):
    return Up(host, Machine(2, 1000 * MB, 0.0), containers)


def order(number=0):
    return Order(number=number, host="one", kind=SMALL, memory_bytes=1, letter=lambda *_: None)


@pytest.fixture
def roster():
    made = Roster(["one"], memory_bytes=0)
    made.take(up(), 0.0)
    return made


def phases(roster):
    return [entry.phase for entry in roster.containers]


def start_one(roster, name="a" * 64, number=0):
    roster.order(order(number), 0.0)
    roster.take(Made(order(number), name, ""), 0.1)
    return name


def test_a_container_starts_is_heard_of_settles_works_and_is_idle(roster):
    name = start_one(roster)
    label = label_of(name)
    roster.see({}, [label], 1.0)
    assert phases(roster) == [Phase.STARTING], "its worker may not be there yet"
    roster.see({}, [label], 1.0 + SETTLE_SECONDS)
    assert phases(roster) == [Phase.IDLE]
    roster.see({label: seat(a=1)}, [label], 2.0)
    assert phases(roster) == [Phase.BUSY]
    roster.see({label: seat("@w1")}, [label], 3.0)
    assert phases(roster) == [Phase.WAITING]
    roster.see({}, [label], 4.0)
    assert phases(roster) == [Phase.IDLE]
    assert roster.members()[0].since == 4.0


def test_the_living_of_an_earlier_fleet_are_adopted_and_the_dead_are_looked_at(roster):
    roster.take(up(found("a"), found("b", is_running=False)), 1.0)
    assert list(roster.to_examine(1.0)) == [("one", "b")]
    roster.take(Examined("b", ended(1), "said"), 1.1)
    assert [entry.id for entry in roster.containers] == ["a"]
    assert roster.deaths[0].verdict.how == "ended by itself (exit code 1)"


def test_what_happens_after_the_look_at_a_dead_one_is_our_own_doing(roster):
    roster.take(up(found("a")), 0.0)
    roster.take(Noticed("one", Notice("a", "kill", 1.0, 9)), 1.0)
    roster.take(Noticed("one", Notice("a", "die", 1.0, 137)), 1.0)
    assert list(roster.to_examine(1.0)) == [], "what comes next may tell why"
    assert list(roster.to_examine(1.5)) == [("one", "a")]
    roster.take(Noticed("one", Notice("a", "destroy", 1.6)), 1.6)
    roster.take(Examined("a", ended(137), ""), 1.7)
    assert "killed from outside" in roster.deaths[0].verdict.how


def test_nobody_is_to_blame_for_one_that_was_told_to_go(roster):
    roster.take(up(found("a")), 0.0)
    assert roster.stop("a", 1.0) == "one"
    roster.take(Noticed("one", Notice("a", "die", 1.1, 0)), 1.1)
    assert list(roster.to_examine(9.0)) == []
    roster.take(Gone("a"), 1.2)
    assert roster.deaths[0].verdict is None
    assert not roster.containers


def test_a_lost_daemon_is_no_loss_while_its_containers_work(roster):
    roster.take(up(found("a"), found("b")), 0.0)
    roster.see({label_of("a"): seat(t=1)}, [], 0.5)
    roster.take(Down("one", "gone"), 1.0)
    roster.see({label_of("a"): seat(t=1)}, [], 2.0)
    assert [m.id for m in roster.members()] == ["a"]
    assert not roster.deaths
    assert roster.outage(1.0 + AWAY_SECONDS) == "gone"
    assert roster.trouble(SMALL, 1.0 + AWAY_SECONDS) == "", "one is at work"
    assert roster.trouble(OTHER, 1.0 + AWAY_SECONDS) == "gone"


def test_those_that_did_not_outlive_their_daemon_are_told_of_when_it_is_back(roster):
    roster.take(up(found("a"), found("b"), found("c")), 0.0)
    roster.take(Down("one", "gone"), 1.0)
    roster.take(up(found("a"), found("b", is_running=False)), 2.0)
    assert list(roster.to_examine(2.0)) == [("one", "b"), ("one", "c")]
    roster.take(Examined("b", ended(137), ""), 2.1)
    roster.take(Examined("c", None, ""), 2.1)
    assert "Docker daemon was restarted" in roster.deaths[0].verdict.how
    assert "was gone when" in roster.deaths[1].verdict.how


def test_failed_starts_back_off_and_become_trouble(roster):
    assert roster.trouble(SMALL, 0.0) == ""
    for number in range(MOST_FAILURES):
        roster.order(order(number), 1.0)
        assert roster.trouble(SMALL, 1.0) == ""
        roster.take(Failed(order(number), "no image"), 1.0)
        assert ("one", SMALL) in roster.barred(1.1)
    assert roster.trouble(SMALL, 1.0) == "no image"
    assert not roster.barred(60.0)
    name = start_one(roster)
    roster.see({label_of(name): seat(t=1)}, [], 60.0)
    assert roster.trouble(SMALL, 60.0) == ""


def test_one_that_dies_before_it_is_heard_of_is_a_failed_start_with_its_last_words(roster):
    for number in range(MOST_FAILURES):
        name = start_one(roster, str(number) * 64, number)
        roster.take(Noticed("one", Notice(name, "die", 0.5, 3)), 0.5)
        roster.take(Examined(name, ended(3), "no such module"), 0.6)
    assert "exit code 3" in roster.trouble(SMALL, 1.0)
    assert "no such module" in roster.trouble(SMALL, 1.0)


LIVED = 10.0


@pytest.mark.parametrize(
    ("evidence", "fate", "kind", "words"),
    [
        ({"oom_at": LIVED}, ended(137, was_oom=True), "memory", "512.0 MB"),
        ({"oom_at": 1.0}, ended(137, was_oom=True), "lost", "not for its memory"),
        ({"oom_at": LIVED}, ended(0, was_oom=True), "memory", "512.0 MB"),
        ({"killed_by": 9}, ended(137), "lost", "through Docker (SIGKILL)"),
        ({"killed_by": 9, "is_removed": True}, None, "lost", "removed by hand"),
        ({}, ended(137), "lost", "SIGKILL"),
        ({}, ended(3), "lost", "exit code 3"),
        ({"was_away": True}, ended(137), "lost", "daemon was restarted"),
        ({"died_at": None}, ended(137, was_oom=True), "memory", "512.0 MB"),
    ],
)
def test_a_death_is_told_by_evidence_and_never_by_137_alone(evidence, fate, kind, words):
    verdict = verdict_of(Evidence(**{"died_at": LIVED, **evidence}), fate, "")
    assert verdict.kind == kind
    assert words in verdict.how


def test_kinds_are_asked_for_once_and_forgotten_together():
    key = "docker:test:kinds"
    want_kinds(key, [SMALL, LARGE, SMALL])
    want_kinds(key, [SMALL, SHARED])
    files = files_of(key)
    assert wanted_kinds(files) == (SMALL, LARGE, SHARED)
    forget_kinds(files)
    assert wanted_kinds(files) == ()
