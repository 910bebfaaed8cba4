"""Replies that get lost: whoever asked asks again, and nothing happens twice."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import pytest

from tests.conftest import both_redis
from tests.faulty import CHUNK_BYTES, FaultyProxy
from tests.mortals import CHUNKED_BYTES, POOL, Workload, done_of, end_pool
from tests.sessions import PATIENCE_SECONDS
from tests.stoppable import Flow
from wfnb import task
from wfnb.choices import Choices
from wfnb.events import START, TaskDone, TaskFailed, read_entry
from wfnb.graph import Options, TaskId
from wfnb.session import Session
from wfnb.signing import Signer, load_key
from wfnb.storage import RunId
from wfnb.storage.outputs import Archive
from wfnb.storage.scripts import VERBS, hash_of
from wfnb.storage.stores import connect_store
from wfnb.workers import serve
from wfnb.workers.inline import InlineBench
from wfnb.workers.process import pool_key

FLOW = Flow(
    inputs={"a": "", "b": "a", "c": "a", "d": "b c", "x": "", "y": "x", "z": "d y"},
    options={"b": Options(retries=1), "y": Options(on_worker_lost="fail")},
    fails={"b": 1},
)
SIZES = {"a": CHUNKED_BYTES, "d": CHUNKED_BYTES}
VERB_OF = {hash_of(verb).encode(): verb for verb in VERBS}


class PickyProxy(FaultyProxy):
    """Loses the reply with one number, and knows what that was the reply to."""

    def __init__(self, server_path: str) -> None:
        super().__init__(server_path)
        self.loses_at = 0
        self.count = 0
        self.asked = b""
        self.lost_of: list[str] = []

    def _pump(self, source, sink, loses):
        if loses == self._loses_reply:
            super()._pump(source, sink, loses)
            return
        try:
            while data := source.recv(CHUNK_BYTES):
                self.asked += data
                sink.sendall(data)
        except OSError:
            pass
        super()._pump(source, sink, loses)

    def _loses_reply(self) -> bool:
        self.count += 1
        asked, self.asked = self.asked, b""
        if self.count != self.loses_at:
            return False
        self.lost_of.append(name_of(asked))
        return True


def name_of(request: bytes) -> str:
    """Its verb, or the name of its Redis command."""
    found = re.search(rb"[0-9a-f]{40}", request)
    if b"EVALSHA" in request and found:
        return VERB_OF.get(found[0], "script")
    words = request.split(b"\r\n")
    return words[2].decode(errors="replace") if len(words) > 2 else "?"


def serve_all(store, signer, run):
    """One worker in this process, until the run has ended."""
    desk = serve.Desk(store, signer, InlineBench())
    while store.wait_for_end(run, timeout_seconds=0) == "running":
        request = store.take_request([POOL], block_seconds=0)
        if request is not None:
            desk.serve(request)
        else:
            store.reap(run)


def check(store, signer, run, workload):
    assert store.wait_for_end(run, timeout_seconds=0) == "done", store.errors(run)
    expected = workload.evaluated()
    (result,) = store.results(run, [TaskId("z")])
    assert Archive(store, signer, run).value(TaskId("z"), result) == expected["z"]
    events = [e for _, entry in store.events(run, START) for e in read_entry(entry)]
    done = Counter(event.task for event in events if isinstance(event, TaskDone))
    assert done == dict.fromkeys(FLOW.inputs, 1)
    failed = [event.task for event in events if isinstance(event, TaskFailed)]
    assert failed == ["b"]
    assert workload.calls() == dict.fromkeys(FLOW.inputs, 1) | {"b": 2}


LEAST_LOST = {"join", "complete", "fail", "LPOP", "SET"}
MOST_RUNS = 200


@both_redis
def test_any_one_reply_to_a_worker_may_get_lost(redis_server, tmp_path):
    workload = Workload(FLOW, SIZES, tmp_path / "calls")
    signer = Signer(load_key(create=True))
    direct = connect_store(redis_server.url)
    lost = Counter()
    number = 0
    for serial in itertools.count(1):
        number += 1
        run = RunId(f"run-{serial}")
        workload.open(direct, signer, run)
        with PickyProxy(redis_server.socket_path) as proxy:
            store = connect_store(proxy.url)
            proxy.count, proxy.loses_at = 0, number
            serve_all(store, signer, run)
            proxy.loses_at = 0
            lost.update(proxy.lost_of)
            has_lost = bool(proxy.lost_of)
            store.close()
        check(direct, signer, run, workload)
        direct.drop(run)
        while direct.take_request([POOL], block_seconds=0):
            pass
        if not has_lost and (set(lost) >= LEAST_LOST or serial >= MOST_RUNS):
            break
        # Which call has which number depends on the run's speed: once more, then, from the first.
        number = number if has_lost else 0
    print(f"\n{sum(lost.values())} replies lost: {dict(lost)}")  # noqa: T201
    direct.close()
    assert set(lost) >= LEAST_LOST


@task
def add(*numbers):
    return sum(numbers) + 1


@pytest.mark.parametrize("nth", [7, 13])
def test_runs_end_right_on_a_network_that_loses_every_nth_reply(redis_server, nth):
    with FaultyProxy(redis_server.socket_path) as proxy:
        session = Session(Choices(store=proxy.url, workers=2))
        session.connect(store=proxy.url, workers=2)
        proxy.lose_each(nth)
        layers = [[add(n) for n in range(20)]]
        for _ in range(3):
            layers.append([add(*layers[-1][n : n + 3]) for n in range(20)])
        run = session.start(layers[-1])
        values = [n + 1 for n in range(20)]
        for _ in range(3):
            values = [sum(values[n : n + 3]) + 1 for n in range(20)]
        assert run.result(PATIENCE_SECONDS) == values
        proxy.lose_each(0)
        assert done_of(session, run) == dict.fromkeys(run.graph.ids, 1)
        assert run.errors == []
        end_pool(pool_key(proxy.url))
        session.close()
        print(f"\n{proxy.lost_replies} replies lost")  # noqa: T201
        assert proxy.lost_replies
