"""What the store is told of the dead: of tasks that were never claimed, of requests just taken."""

from __future__ import annotations

import os
import signal

import pytest

from tests.mortals import NoChildren
from wfnb import task
from wfnb.freezing import freeze
from wfnb.plan import Placement, Plan
from wfnb.signing import Signer, load_key
from wfnb.storage import MOST_LOSSES, Ask, Finished, Lane, RunId
from wfnb.storage.opening import opening_of
from wfnb.storage.stores import connect_store
from wfnb.workers.capture import open_log
from wfnb.workers.cell import make_cells
from wfnb.workers.supervisor import STALE_EXIT, Slot, Supervisor
from wfnb.workers.template import Born, Died
from wfnb.workers.verdicts import too_much

RUN, POOL, LABEL, PID = RunId("r"), "mourners", "host pid 1", 4711


@task
def first() -> int:
    return 1


@task
def second(number: int) -> int:
    return number


class AlwaysTooMuch:
    """All of its workers die of their memory."""

    def look(self, slot, view, *, whole_family):
        return None

    def at_death(self, slot, view, code):
        return too_much(view, 3_000_000, 2_000_000)


class Mourning:
    """One slot, whose workers the test plays."""

    def __init__(self, store):
        self.store = store
        (cell,) = make_cells(1)
        self.slot = Slot(cell, open_log())
        self.supervisor = Supervisor(
            store, [self.slot], NoChildren(), AlwaysTooMuch(), launches=POOL
        )
        plan = self._plan(second(first()))
        lane = Lane(limit=1, pool=POOL)
        signer = Signer(load_key(create=True))
        terms = {"run": RUN, "signer": signer, "about": {}, "keep_seconds": 60}
        store.open_run(opening_of(plan, dict.fromkeys(plan.queue_at, lane), **terms))

    def _plan(self, target):
        graph = freeze([target])
        return Plan(graph, dict.fromkeys(graph, Placement()))

    def take(self):
        """As a worker does that has just been born."""
        self.slot.cell.occupy(PID)
        request = self.store.take_request([POOL], block_seconds=0)
        if request is not None:
            self.slot.cell.take(request, LABEL)
        return request

    def enter(self, request):
        joined = self.store.join(request, LABEL, want=1)
        self.slot.cell.enter(RUN, joined.identity, joined.generation)
        return joined

    def complete(self, joined):
        (claim,) = joined.first.claims
        done = Finished(task=claim.task, attempt=claim.attempt, readers=("second-0",), result=b"1")
        words = {"generation": joined.generation, "queue": joined.queue, "nonce": "1"}
        ask = Ask(identity=joined.identity, want=0, **words)
        self.store.complete(RUN, [done], ask)

    def bury(self, status=signal.SIGKILL):
        self.supervisor.note(Born(0, PID))
        self.supervisor.note(Died(0, PID, status))
        self.supervisor.settle()

    @property
    def waiting(self):
        return self.store.waiting([POOL])[0]

    @property
    def status(self):
        return self.store.wait_for_end(RUN, timeout_seconds=0)


@pytest.fixture
def mourning(redis_server):
    store = connect_store(redis_server.url)
    made = Mourning(store)
    yield made
    os.close(made.slot.log)
    store.drop(RUN)
    store.close()


def test_a_task_that_breaks_its_limits_unclaimed_each_time_fails_in_the_end(mourning):
    for _ in range(MOST_LOSSES):
        assert mourning.status == "running"
        mourning.enter(mourning.take())
        mourning.slot.cell.start("second-0", 1)
        mourning.bury()
    joined = mourning.enter(mourning.take())
    mourning.complete(joined)
    assert mourning.status == "failed", "nobody becomes it any more"
    records = mourning.store.errors(RUN)
    assert list(records) == ["second-0"]
    assert [record.kind for record in records["second-0"]] == ["memory"] * MOST_LOSSES
    assert "its limit is 2.0 MB" in records["second-0"][-1].message


def test_a_claimed_task_that_breaks_its_limits_has_failed_once(mourning):
    mourning.enter(mourning.take())
    mourning.slot.cell.start("first-0", 1)
    mourning.bury()
    assert mourning.status == "failed"
    assert [record.kind for record in mourning.store.errors(RUN)["first-0"]] == ["memory"]


def test_a_request_that_a_worker_had_just_taken_is_put_back(mourning):
    request = mourning.take()
    assert mourning.waiting == 0
    mourning.bury()
    assert mourning.waiting == 1
    assert mourning.take().serial == request.serial
    mourning.bury()
    assert mourning.waiting == 0, "once, for it may be what they die of"
    assert mourning.status == "running"


def test_a_request_that_is_put_back_is_met(mourning):
    mourning.take()
    mourning.bury()
    mourning.enter(mourning.take())
    assert mourning.store.crew(RUN)


def test_a_worker_that_has_joined_and_not_yet_said_so_is_given_up(mourning):
    mourning.store.join(mourning.take(), LABEL, want=1)
    assert mourning.store.crew(RUN)
    mourning.bury()
    assert not mourning.store.crew(RUN)
    assert mourning.waiting == 1, "what it had claimed is there for the next"
    assert not mourning.store.errors(RUN)


def test_what_an_outdated_worker_has_put_back_itself_is_not_put_back_twice(mourning):
    mourning.store.return_request(POOL, mourning.take())
    mourning.bury(STALE_EXIT << 8)
    assert mourning.waiting == 1


def test_a_pool_that_goes_puts_back_what_its_workers_had_taken(mourning):
    mourning.take()
    mourning.supervisor.note(Born(0, PID))
    mourning.supervisor.end()
    mourning.supervisor.settle()
    assert mourning.waiting == 1
