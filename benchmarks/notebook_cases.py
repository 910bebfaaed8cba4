"""What is measured in a page, once; figures by the keys of the budgets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.notebook_budgets import busiest, share_below, wrong_counts
from benchmarks.notebook_page import Place
from wfnb.timeline import TaskState
from wfnb.widgets.telling import NUMBER

Measured = dict[str, float]
Case = Callable[[Place], Measured]
SECOND_MS = 1000.0
CLICKS = 20
DONE = {NUMBER[TaskState.DONE], NUMBER[TaskState.HELD]}
AS_TOLD_SECONDS = 1.0
"""What happened that long ago must be in a picture."""


def follow(place: Place) -> Measured:
    """2,500 tasks of 4 ms on two workers: about 500 claims and 500 ends a second."""
    cells = [f"follow(is_open={each}, tasks=2500, seconds=0.0031)" for each in (False, True)]
    with place.page(*cells) as page:
        without = page.run(1)
        page.ask("bench.messages.length = 0")
        shown = page.run(2)
        messages = page.ask("bench.messages")
    return {
        "follow_cpu": shown["cpu"] - without["cpu"],
        "events": shown["events"],
        "left_open": shown["left"],
        "messages": busiest(messages, window=SECOND_MS),
    }


def throughput(place: Place) -> Measured:
    """Each task without, open, open, without: who comes first has a colder pool."""
    cells = [
        f"throughput(is_open={is_open}, task={task!r}, tasks=5000, seconds=0.001)"
        for task in ("work", "no_op")
        for is_open in (False, True, True, False)
    ]
    with place.page(*cells) as page:
        rates = [page.run(at)["per_second"] for at in range(1, len(cells) + 1)]
    return {"throughput": _open(rates[:4]), "throughput_no_ops": _open(rates[4:])}


def _open(rates: Sequence[float]) -> float:
    first, *shown, last = rates
    return sum(shown) / (first + last)


def _blocking(tasks: int, seconds: float) -> tuple[str, str, str]:
    start = f"run = wfnb.start(layers({tasks}, {seconds}), fresh=True)"
    return start, "board = opened(run)\nrun.wait()\nsay()", "time.sleep(0.5)\ntruth(run)"


def thousand(place: Place) -> Measured:
    """1,000 tasks of 10 ms: clicked on, unfolded and watched while their cell blocks."""
    with place.page(*_blocking(1000, 0.0097)) as page:
        page.notebook.run(1)
        picture = page.show(2)
        page.click("nap@1", times=2)
        answers = page.clicks(CLICKS)
        page.done(2)
        truth = page.run(3)
        longest, frames = page.longest_task(), page.ask("bench.frames")
    late = delays_ms(frames, truth["began"], since=picture["painted"] / SECOND_MS)
    return {
        "picture": picture["painted"] - picture["began"],
        "click": share_below(answers, 0.95),
        "long_task": longest,
        "visible": share_below(late, 0.95),
        "visible_median": share_below(late, 0.5),
        "behind": behind(frames),
    }


def many(place: Place) -> Measured:
    with place.page(*_blocking(10_000, 0.0005)) as page:
        page.notebook.run(1)
        picture = page.show(2)
        page.click("nap@1", times=2)
        answers = page.clicks(CLICKS)
        page.done(2)
        longest = page.longest_task()
        page.unfold()
        core, frames = page.board.core, page.board.find(".wfnb-frame").count()
    return {
        "many_picture": picture["painted"] - picture["began"],
        "many_click": share_below(answers, 0.95),
        "many_nodes": core["nodes"] + frames,
        "many_long_task": longest,
    }


def fed(place: Place) -> Measured:
    """Ten changes a second of each of 5,000 tasks."""
    begin = "board, timeline = staged(5000)\nsay()"
    with place.page(begin, "feed(board, timeline, seconds=4.0, a_second=52_000)") as page:
        page.show(1)
        page.ask("bench.messages.length = 0")
        told = page.run(2)
        page.notebook.page.wait_for_timeout(500)
        shown, messages = page.ask("bench.picture()"), page.ask("bench.messages")
    return {
        "fed": told["changes"],
        "fed_messages": busiest(messages, window=SECOND_MS),
        "fed_wrong": wrong_counts(shown["counts"], told["counts"]),
    }


def reload(place: Place) -> Measured:
    """A page asked for anew while 4,000 tasks run, in a kernel that is idle."""
    start = "run = wfnb.start(fan(nap, 4000, 0.0057), fresh=True)\nboard = opened(run)\nsay()"
    with place.page(start, "run.wait()\ntime.sleep(0.5)\ntruth(run)") as page:
        page.show(1)
        page.notebook.save()
        page.notebook.page.reload(wait_until="commit")
        page.notebook.until("window.bench && window.jupyterapp?.shell?.currentWidget")
        kernel = "sessionContext?.session?.kernel?.connectionStatus === 'connected'"
        ready = page.ask(
            f"bench.until(() => jupyterapp.shell.currentWidget.{kernel} && {{at: Date.now()}})"
        )
        seen = page.ask("bench.until(() => bench.picture())")
        asked = page.ask("performance.timeOrigin")
        page.notebook.run(2, wait=False)
        truth = page.done(2)
    return {
        "reload": seen["painted"] - asked,
        "reload_own": seen["painted"] - ready["at"],
        "reload_wrong": wrong_about(seen, truth["ends"]),
    }


CASES: Mapping[Case, Sequence[str]] = {
    follow: ("follow_cpu", "events", "left_open", "messages"),
    throughput: ("throughput", "throughput_no_ops"),
    thousand: ("picture", "visible", "visible_median", "behind", "click", "long_task"),
    many: ("many_picture", "many_click", "many_nodes", "many_long_task"),
    fed: ("fed", "fed_messages", "fed_wrong"),
    reload: ("reload", "reload_own", "reload_wrong"),
}


def delays_ms(frames: Sequence[Mapping[str, Any]], began: float, *, since: float) -> list[float]:
    """Of every claim and end after `since`: how long it took to be seen, or something newer."""
    seen: set[tuple[int, int, float]] = set()
    delays = []
    for frame in frames:
        for task, _, attempt, _, start, end in frame["rows"]:
            for moment in (start, end):
                if moment is None or (task, attempt, moment) in seen:
                    continue
                seen.add((task, attempt, moment))
                if began + moment > since:
                    delays.append(frame["shown"] - SECOND_MS * (began + moment))
    return delays


def behind(frames: Sequence[Mapping[str, Any]]) -> int:
    """Frames that showed fewer tasks as done than their rows and those of before had told."""
    state: dict[int, int] = {}
    found = 0
    for frame in frames:
        state.update((row[0], row[1]) for row in frame["rows"])
        found += frame["done"] < sum(each in DONE for each in state.values())
    return found


def wrong_about(picture: Mapping[str, Any], ends: Sequence[float]) -> int:
    """How many tasks a picture shows too many as done, or had a second for, and lacks."""
    at, done, ended = picture["at"] / SECOND_MS, int(picture["done"]), sorted(ends)
    most, least = bisect_right(ended, at), bisect_right(ended, at - AS_TOLD_SECONDS)
    return max(0, done - most, least - done)
