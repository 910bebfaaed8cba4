"""What is kept for reuse: found by fingerprint, bounded in bytes and in time, and never forged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from tests.redis_server import REDIS_6, REDIS_7
from wfnb import codec
from wfnb.errors import SignatureError, StoreError
from wfnb.graph import TaskId
from wfnb.signing import Signer
from wfnb.storage import RunId, keys
from wfnb.storage.memory import MemoryStore
from wfnb.storage.outputs import Archive
from wfnb.storage.redis import RedisStore
from wfnb.storage.reuse import (
    KEEP_SECONDS,
    PINNED_SECONDS,
    Reusable,
    keep_value,
    kept_as,
    own_fingerprint,
    read_kept,
    reused_result,
)

RUN, TASK = RunId("r"), TaskId("t-0")
SIGNER = Signer(bytes(32))
DAY = 86400.0


class Shelf:
    """A store, and what a test does behind its back."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def pass_time(self, seconds: float) -> None: ...

    def is_empty(self) -> bool: ...

    def tamper(self, name: str, *, chunk: int) -> None: ...

    def keep(self, name: str, value: Any = None, **about: str) -> bool:
        words = {"task": f"task-{name}", "function": "f", **about}
        encoded = codec.encode(value)
        return keep_value(
            self.store, SIGNER, encoded, about=Reusable(fingerprint=print_of(name), **words)
        )

    def value(self, name: str) -> Any:
        found = self.store.find_reusables([print_of(name)])[print_of(name)]
        return codec.decode(read_kept(self.store, SIGNER, found))

    def kept(self) -> set[str]:
        return {about.task.removeprefix("task-") for about in self.store.reusables()}


class ShelfInMemory(Shelf):
    def __init__(self) -> None:
        self.now = 1_795_000_000.0
        super().__init__(MemoryStore(clock=lambda: self.now))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def is_empty(self) -> bool:
        return not self.store._kept and self.store._kept_bytes == 0

    def tamper(self, name: str, *, chunk: int) -> None:
        kept = self.store._kept[print_of(name)]
        if kept.chunks:
            kept.chunks[chunk] = flipped(kept.chunks[chunk])
        else:
            kept.found = flipped(kept.found)


class ShelfInRedis(Shelf):
    def __init__(self, client: Any) -> None:
        self.client = client
        super().__init__(RedisStore(client))

    def pass_time(self, seconds: float) -> None:
        """Everything becomes older; what would have expired does."""
        pipe = self.client.pipeline()
        for fingerprint in self.client.zrange(f"{keys.REUSE}used", 0, -1):
            pipe.zincrby(f"{keys.REUSE}used", -seconds * 1000, fingerprint)
        for key in self.client.scan_iter(f"{keys.REUSE}*"):
            pipe.pexpire(key, max(0, self.client.pttl(key) - round(seconds * 1000)))
        pipe.execute()

    def is_empty(self) -> bool:
        left = set(self.client.scan_iter(f"{keys.REUSE}*"))
        return left <= {f"{keys.REUSE}bounds".encode()}

    def tamper(self, name: str, *, chunk: int) -> None:
        chunks = sorted(self.client.scan_iter(f"{keys.REUSE}value:{print_of(name)}:*"))
        if chunks:
            self.client.set(chunks[chunk], flipped(self.client.get(chunks[chunk])), keepttl=True)
        else:
            found = self.client.hget(f"{keys.REUSE}found", print_of(name))
            self.client.hset(f"{keys.REUSE}found", print_of(name), flipped(found))


def print_of(name: str) -> str:
    return name.encode().hex().rjust(32, "0")


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.fixture(params=["memory", REDIS_6, REDIS_7])
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    if request.param == "memory":
        yield ShelfInMemory()
        return
    client = request.getfixturevalue("redis_servers")(request.param).client()
    shelf = ShelfInRedis(client)
    yield shelf
    shelf.store.close()


BIG = np.arange(200_000)
VALUES = {
    "nothing": None,
    "zero": 0,
    "an empty list": [],
    "no": False,
    "a text": "small",
    "middling": b"x" * 5_000,
    "an array": BIG,
    "two arrays": [BIG, BIG + 1, "and a text"],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_comes_back_as_it_was(shelf, value):
    assert shelf.keep("a", value)
    found = shelf.value("a")
    assert type(found) is type(value)
    np.testing.assert_equal(found, value)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_reused_result_reads_like_any_other(shelf, value):
    shelf.keep("a", value)
    found = shelf.store.find_reusables([print_of("a")])[print_of("a")]
    result = reused_result(found, signer=SIGNER, run=RUN, task=TASK)
    np.testing.assert_equal(Archive(shelf.store, SIGNER, RUN).value(TASK, result), value)


def test_what_is_not_kept_is_not_found(shelf):
    assert shelf.store.find_reusables([]) == {}
    assert shelf.store.find_reusables([print_of("a")]) == {}
    shelf.keep("a", 1)
    found = shelf.store.find_reusables([print_of("b"), print_of("a"), print_of("c")])
    assert set(found) == {print_of("a")}


def test_very_many_are_asked_for_at_once(shelf):
    for number in range(50):
        shelf.keep(str(number), number)
    found = shelf.store.find_reusables([print_of(str(number)) for number in range(12_000)])
    assert len(found) == 50


def test_the_first_of_a_kind_stays(shelf):
    assert shelf.keep("a", [BIG, "first"])
    assert shelf.keep("a", [BIG, "second"])
    assert shelf.value("a")[1] == "first"
    assert len(shelf.store.reusables()) == 1


def test_what_is_kept_is_listed_the_last_used_first(shelf):
    shelf.keep("a", BIG, function="load")
    shelf.pass_time(10.0)
    shelf.keep("b", 1, function="clean")
    shelf.pass_time(10.0)
    shelf.value("a")
    shelf.value("a")
    first, second = shelf.store.reusables()
    assert (first.fingerprint, first.task, first.function) == (print_of("a"), "task-a", "load")
    assert (first.uses, second.uses) == (2, 0)
    assert first.size_bytes > BIG.nbytes > 1_000 > second.size_bytes
    assert first.used_seconds > second.used_seconds > 0
    assert second.made_seconds > 0


def test_what_is_forgotten_is_gone(shelf):
    for name in "abc":
        shelf.keep(name, BIG)
    assert shelf.store.forget_reusables([print_of("a"), print_of("never")]) == 1
    assert shelf.kept() == {"b", "c"}
    assert shelf.store.forget_reusables() == 2
    assert shelf.store.forget_reusables() == 0
    assert shelf.is_empty()


def test_very_many_are_forgotten(shelf):
    for number in range(1_200):
        shelf.keep(str(number), number)
    assert shelf.store.forget_reusables() == 1_200
    assert shelf.is_empty()


def test_values_stay_for_a_week_after_their_last_use(shelf):
    shelf.keep("a", BIG)
    shelf.keep("b", 1)
    shelf.pass_time(6 * DAY)
    shelf.value("a")
    shelf.pass_time(2 * DAY)
    assert shelf.kept() == {"a"}
    np.testing.assert_equal(shelf.value("a"), BIG)
    shelf.pass_time(KEEP_SECONDS + 1)
    assert shelf.store.find_reusables([print_of("a"), print_of("b")]) == {}
    assert shelf.is_empty()


def test_how_long_they_stay_can_be_set(shelf):
    assert shelf.store.bound_reusables(keep_seconds=DAY)[1] == DAY
    shelf.keep("a", BIG)
    shelf.pass_time(0.9 * DAY)
    assert shelf.kept() == {"a"}
    shelf.pass_time(0.2 * DAY)
    assert shelf.kept() == set()


def test_the_least_recently_used_goes_first(shelf):
    assert shelf.store.bound_reusables(most_bytes=8_000_000)[0] == 8_000_000
    for name in "abcd":
        assert shelf.keep(name, BIG)
        shelf.pass_time(60.0)
    shelf.value("a")
    shelf.pass_time(PINNED_SECONDS + 1)
    shelf.value("c")
    assert shelf.keep("e", BIG)
    assert shelf.kept() == {"a", "c", "d", "e"}


def test_what_was_used_within_the_hour_is_not_dropped_for_another(shelf):
    shelf.store.bound_reusables(most_bytes=6_500_000)
    for name in "abcd":
        shelf.keep(name, BIG)
    assert not shelf.keep("e", BIG)
    shelf.pass_time(PINNED_SECONDS + 1)
    for name in "abcd":
        shelf.value(name)
    assert not shelf.keep("e", BIG)
    assert shelf.kept() == {"a", "b", "c", "d"}
    shelf.pass_time(PINNED_SECONDS + 1)
    assert shelf.keep("e", BIG)


def test_nothing_is_dropped_for_what_cannot_be_kept(shelf):
    shelf.store.bound_reusables(most_bytes=6_500_000)
    shelf.keep("a", BIG[:1000])
    shelf.pass_time(PINNED_SECONDS + 1)
    for name in "bcde":
        shelf.keep(name, BIG)
    assert not shelf.keep("f", BIG)
    assert shelf.kept() == {"a", "b", "c", "d", "e"}


def test_what_takes_more_than_a_quarter_is_not_kept(shelf):
    shelf.store.bound_reusables(most_bytes=4 * BIG.nbytes)
    assert not shelf.keep("a", BIG)
    assert shelf.keep("b", BIG[:-1_000])
    assert shelf.kept() == {"b"}


def test_small_values_are_bounded_too(shelf):
    shelf.store.bound_reusables(most_bytes=20_000)
    for number in range(100):
        shelf.keep(str(number), number)
        shelf.pass_time(PINNED_SECONDS + 1)
    assert 10 < len(shelf.kept()) < 50


def test_a_smaller_bound_holds_at_once(shelf):
    for name in "abc":
        shelf.keep(name, BIG)
        shelf.pass_time(1.0)
    shelf.pass_time(PINNED_SECONDS)
    shelf.store.bound_reusables(most_bytes=3_500_000)
    assert shelf.kept() == {"b", "c"}


def test_without_a_bound_of_the_users_the_servers_memory_makes_one(shelf):
    assert shelf.store.bound_reusables()[0] == 1 << 30
    if isinstance(shelf, ShelfInRedis):
        shelf.client.config_set("maxmemory", 400_000_000)
        try:
            assert RedisStore(shelf.client).bound_reusables()[0] == 100_000_000
        finally:
            shelf.client.config_set("maxmemory", 0)


def test_of_many_who_keep_the_same_one_succeeds_and_all_find_it(shelf):
    barrier = threading.Barrier(8)
    told = []

    def keep(number: int) -> None:
        barrier.wait()
        told.append(shelf.keep("a", [BIG, number]))

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True] * 8
    np.testing.assert_equal(shelf.value("a")[0], BIG)
    assert len(shelf.store.reusables()) == 1
    shelf.store.forget_reusables()
    assert shelf.is_empty()


def test_many_who_keep_different_values_stay_within_the_bound(shelf):
    shelf.store.bound_reusables(most_bytes=5_000_000)

    def keep(number: int) -> None:
        for one in range(10):
            shelf.keep(f"{number}.{one}", BIG[:100_000])

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sizes = [about.size_bytes for about in shelf.store.reusables()]
    assert len(sizes) == 6
    assert sum(sizes) < 5_000_000
    for about in shelf.store.reusables():
        assert len(shelf.value(about.task.removeprefix("task-"))) == 100_000


@pytest.mark.parametrize("value", [1, "x" * 5_000, [BIG, BIG + 1]], ids=["small", "text", "arrays"])
def test_altered_bytes_are_refused(shelf, value):
    shelf.keep("a", value)
    shelf.value("a")
    shelf.tamper("a", chunk=-1)
    with pytest.raises(SignatureError, match="was moved or altered"):
        shelf.value("a")


@pytest.mark.parametrize("value", [1, BIG], ids=["small", "array"])
def test_an_altered_value_is_dropped_once_somebody_has_come_upon_it(shelf, value):
    shelf.keep("a", value)
    shelf.tamper("a", chunk=-1)
    with pytest.raises(SignatureError):
        shelf.value("a")
    assert shelf.is_empty()
    shelf.keep("a", value)
    np.testing.assert_equal(shelf.value("a"), value)


@pytest.mark.parametrize("value", [1, BIG], ids=["small", "array"])
def test_what_is_found_tells_what_it_was_kept_as(shelf, value):
    shelf.keep("a", value)
    assert kept_as(shelf.store.find_reusables([print_of("a")])[print_of("a")]) == print_of("a")


def test_each_key_has_fingerprints_of_its_own():
    own = own_fingerprint(SIGNER, print_of("a"))
    assert own == own_fingerprint(Signer(bytes(32)), print_of("a"))
    others = {own_fingerprint(Signer(bytes(31) + b"k"), print_of("a")), print_of("a")}
    assert own not in others
    assert len(own) == len(print_of("a"))


@pytest.mark.parametrize("value", [1, BIG], ids=["small", "array"])
def test_a_value_is_refused_where_it_was_not_reused(shelf, value):
    """Of another task, another run, under another fingerprint, with another key."""
    shelf.keep("a", value)
    shelf.keep("b", value)
    a, b = (shelf.store.find_reusables([print_of(name)])[print_of(name)] for name in "ab")
    result = reused_result(a, signer=SIGNER, run=RUN, task=TASK)
    archive = Archive(shelf.store, SIGNER, RUN)
    np.testing.assert_equal(archive.value(TASK, result), value)
    other = reused_result(b, signer=SIGNER, run=RUN, task=TaskId("t-1"))
    for refused in (other, a, result[:-1] + b" ", result.replace(a[-40:-10], b[-40:-10])):
        if refused != result:
            with pytest.raises((SignatureError, ValueError)):
                archive.value(TASK, refused)
    with pytest.raises(SignatureError):
        Archive(shelf.store, SIGNER, RunId("other")).value(TASK, result)
    with pytest.raises(SignatureError):
        Archive(shelf.store, Signer(bytes(31) + b"k"), RUN).value(TASK, result)


def test_a_value_that_is_gone_is_an_error_that_says_what_to_do(shelf):
    shelf.keep("a", BIG)
    found = shelf.store.find_reusables([print_of("a")])[print_of("a")]
    shelf.store.forget_reusables()
    with pytest.raises(StoreError, match="is gone: run the workflow again"):
        read_kept(shelf.store, SIGNER, found)


def test_a_value_whose_bytes_are_lost_is_not_found(shelf):
    shelf.keep("a", BIG)
    if isinstance(shelf, ShelfInRedis):
        shelf.client.delete(*list(shelf.client.scan_iter(f"{keys.REUSE}value:*:0")))
        assert shelf.store.find_reusables([print_of("a")]) == {}
        assert shelf.is_empty()
        assert shelf.keep("a", BIG)
        np.testing.assert_equal(shelf.value("a"), BIG)


def test_discarding_a_reused_pointer_deletes_nothing(shelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / print_of("a")).write_text("a file of that name")
    shelf.keep("a", BIG)
    found = shelf.store.find_reusables([print_of("a")])[print_of("a")]
    result = reused_result(found, signer=SIGNER, run=RUN, task=TASK)
    Archive(shelf.store, SIGNER, RUN).discard(result)
    assert (tmp_path / print_of("a")).exists()


def test_chunks_that_nobody_names_expire(shelf):
    if isinstance(shelf, ShelfInRedis):
        with suppress(StoreError):
            shelf.store._put(f"{print_of('a')}:1", [b"x"])
        assert 0 < shelf.client.ttl(keys.reused_chunk(f"{print_of('a')}:1", 0)) <= 3600
