from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from tests.waiting import wait_until
from wfnb.widgets import mailbox
from wfnb.widgets.mailbox import LOG_LINES, Mailbox, Message, merge


class Page:
    """Does with messages what the page does, and counts them."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.seen: Message = {}

    def hear(self, message: Message) -> None:
        self.heard.append(message)
        rest = {part: value for part, value in message.items() if part not in ("t", "seq")}
        merge(self.seen, rest)
        self.seen.pop("reset", None)


@pytest.fixture
def page() -> Page:
    return Page()


def picture(message: Message) -> Message:
    rows = message.get("d", {})
    listed = list(rows.values()) if isinstance(rows, dict) else rows
    rest = {part: value for part, value in message.items() if part in ("g", "r", "w", "e", "l")}
    return {**rest, "d": sorted(listed)}


def log(at: int, *lines: str, attempt: int = 1) -> Message:
    return {"attempt": attempt, "at": at, "lines": list(lines), "of": at + len(lines)}


def test_the_first_message_leaves_at_once_and_the_rest_together(page: Page) -> None:
    box = Mailbox(page.hear, most_often_seconds=0.05)
    box.put({"d": [[0, 1]]})
    wait_until(lambda: page.heard)
    for state in range(1000):
        box.put({"d": [[state % 10, state]]})
    wait_until(lambda: page.seen["d"].get(9) == [9, 999])
    assert len(page.heard) <= 4
    assert [message["seq"] for message in page.heard] == [*range(1, len(page.heard) + 1)]
    box.close()


def test_what_is_told_together_leaves_as_one_message_even_if_the_rest_is_lost(page: Page) -> None:
    box = Mailbox(page.hear, most_often_seconds=0.0)
    with box.together():
        box.put({"d": [[0, 1]]})
        box.put({"r": {"status": "done"}})
        assert page.heard == []
    with suppress(KeyError), box.together():
        box.put({"d": [[1, 1]]})
        raise KeyError
    assert [message["seq"] for message in page.heard] == [1, 2]
    assert page.heard[0]["d"] == [[0, 1]]
    assert page.heard[0]["r"] == {"status": "done"}
    assert page.heard[1]["d"] == [[1, 1]]
    box.close()


def test_no_thread_is_made_for_a_message_that_may_leave_at_once(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "Timer", None)
    box = Mailbox(page.hear, most_often_seconds=0.0)
    box.put({"d": [[0, 1]]})
    assert len(page.heard) == 1


def test_however_many_threads_tell_the_page_sees_what_is(page: Page) -> None:
    box = Mailbox(page.hear, most_often_seconds=0.002)

    def tell(first: int) -> None:
        for turn in range(300):
            box.put({"d": [[first, turn]], "r": {"turn": turn}})

    threads = [threading.Thread(target=tell, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    box.flush()
    assert picture(page.seen)["d"] == [[n, 299] for n in range(8)]
    assert [message["seq"] for message in page.heard] == [*range(1, len(page.heard) + 1)]
    box.close()


def test_the_whole_is_the_sum_of_the_messages(page: Page) -> None:
    box = Mailbox(page.hear)
    box.put({"g": {"ids": ["a", "b"]}, "r": {"status": "running"}})
    box.put({"d": [[0, 1], [1, 2]], "l": {"0": log(0, "one", "two")}})
    box.put({"d": [[1, 3]], "r": {"status": "done"}, "l": {"0": log(1, "2", "3")}})
    box.flush()
    whole = box.whole()
    assert picture(whole) == picture(page.seen)
    assert whole["seq"] == page.heard[-1]["seq"]
    assert whole["l"]["0"]["lines"] == ["one", "2", "3"]
    box.close()


def test_a_reset_forgets_rows_and_keeps_the_graph(page: Page) -> None:
    box = Mailbox(page.hear)
    box.put({"g": {"ids": ["a"]}, "d": [[0, 1]], "e": [{"task": 0}]})
    box.put({"reset": True, "r": {"status": "running"}})
    box.flush()
    whole = box.whole()
    assert whole["g"] == {"ids": ["a"]}
    assert "d" not in whole
    assert "e" not in whole
    assert "reset" not in whole
    assert any(message.get("reset") for message in page.heard)
    box.close()


def test_lines_of_another_attempt_replace_those_of_before() -> None:
    into: Message = {"l": {"0": log(0, "one", "two")}}
    merge(into, {"l": {"0": log(1, "again", attempt=2)}})
    assert into["l"]["0"]["lines"] == ["again"]


def test_a_newcomer_is_told_the_end_of_a_long_log(page: Page) -> None:
    box = Mailbox(page.hear)
    box.put({"l": {"0": log(0, *map(str, range(1000)))}})
    told = box.whole()["l"]["0"]
    assert told["lines"] == [str(n) for n in range(1000 - LOG_LINES, 1000)]
    assert told["at"] == 1000 - LOG_LINES
    box.close()


def test_nothing_is_sent_when_nothing_is_told_or_it_is_closed(page: Page) -> None:
    box = Mailbox(page.hear)
    box.put({})
    box.flush()
    box.close()
    box.put({"d": [[0, 1]]})
    box.flush()
    assert page.heard == []
